"""What the driver takes as a parameter of a statement."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


def doubles(numbers: Iterable[float | None]) -> list[float | None]:
    """Return numbers, whole ones among them, as floats: the driver takes a list of one type."""
    return [None if number is None else float(number) for number in numbers]
