"""Pictures as numbers: where a template puts what, in per cent of the width or in units."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_MARGIN: Final = 2.0
_WIDTH, _HEIGHT = 280.0, 72.0
_EDGE: Final = 6.0


class Bar(NamedTuple):
    """An interval about zero, in per cent of the width."""

    zero: float
    low: float
    high: float
    value: float
    margin: float | None
    style: str


class Line(NamedTuple):
    """A series over versions, in units of a box of 280 by 72."""

    points: Sequence[tuple[float, float, str]]
    """x, y and a class."""
    path: str
    band: str
    least: float
    most: float


def bar(low: float, value: float, high: float, extent: float, margin: float | None = None) -> Bar:
    """Draw an interval on an axis from minus to plus `extent`."""
    style = "good" if low > 0 else "bad" if high < 0 else "unsure"
    return Bar(
        _across(0.0, extent),
        _across(low, extent),
        _across(high, extent),
        _across(value, extent),
        None if not margin else _across(-margin, extent),
        style,
    )


def extent(values: Sequence[float | None]) -> float:
    """Return how far an axis has to go to either side."""
    return max((abs(value) for value in values if value is not None), default=0.0) or 1.0


def line(values: Sequence[tuple[float | None, float | None, float | None, str]]) -> Line | None:
    """Draw means with their intervals, the oldest first; None below two.

    Args:
        values: mean, ends of its interval and a class, for each version.
    """
    known = [
        (place, mean, mean if low is None else low, mean if high is None else high, style)
        for place, (mean, low, high, style) in enumerate(values)
        if mean is not None and math.isfinite(mean)
    ]
    if len(known) < 2:  # noqa: PLR2004  a line has two ends
        return None
    least, most = min(each[2] for each in known), max(each[3] for each in known)
    room = (most - least) or 1.0

    def across(place: int) -> float:
        return round(_EDGE + (_WIDTH - 2 * _EDGE) * place / (len(values) - 1), 1)

    def up(value: float) -> float:
        return round(_EDGE + (_HEIGHT - 2 * _EDGE) * (1 - (value - least) / room), 1)

    points = [(across(place), up(mean), style) for place, mean, _, _, style in known]
    upper = [f"{across(place)},{up(high)}" for place, _, _, high, _ in known]
    lower = [f"{across(place)},{up(low)}" for place, _, low, _, _ in reversed(known)]
    return Line(
        points,
        " ".join(f"{x},{y}" for x, y, _ in points),
        " ".join([*upper, *lower]),
        least,
        most,
    )


def _across(value: float, extent: float) -> float:
    shown = max(-1.0, min(1.0, value / extent)) if extent else 0.0
    return round(_MARGIN + (100 - 2 * _MARGIN) * (shown + 1) / 2, 2)


def known(value: object) -> float | None:
    """Return a number of a mart; None for what is none."""
    return float(value) if isinstance(value, int | float) else None
