"""A series of numbers as one line of block characters."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Sequence

BLOCKS: Final = "▁▂▃▄▅▆▇█"
_MISSING: Final = "·"


def sparkline(values: Sequence[float | None], width: int = 60) -> str:
    """Return one block per value, the lowest for the least and the highest for the most.

    Args:
        values: oldest first; None is shown as a dot. Equal values are all in the middle.
        width: at most so many blocks; of a longer series, the latest.
    """
    shown = values[-width:]
    known = [value for value in shown if value is not None and math.isfinite(value)]
    if not known:
        return _MISSING * len(shown)
    low, high = min(known), max(known)
    return "".join(
        _MISSING if value is None or not math.isfinite(value) else _block(value, low, high)
        for value in shown
    )


def _block(value: float, low: float, high: float) -> str:
    if high == low:
        return BLOCKS[len(BLOCKS) // 2 - 1]
    # halved first, so that the difference of the ends never overflows
    share = (value / 2 - low / 2) / (high / 2 - low / 2)
    return BLOCKS[round(share * (len(BLOCKS) - 1))]
