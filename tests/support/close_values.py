"""Values that are the same, but for what the order of a floating sum may do."""

from __future__ import annotations

from decimal import Decimal
from fractions import Fraction
from math import isclose


def agrees(built: object, expected: object) -> bool:
    """Compare numbers at 1e-9, also those inside lists and objects, and the rest exactly."""
    if isinstance(expected, Fraction | Decimal | float) and isinstance(
        built, int | float | Decimal
    ):
        return isclose(float(built), float(expected), rel_tol=1e-9, abs_tol=1e-12)
    if isinstance(expected, list) and isinstance(built, list):
        return len(built) == len(expected) and all(map(agrees, built, expected))
    if isinstance(expected, dict) and isinstance(built, dict):
        return built.keys() == expected.keys() and all(
            agrees(built[name], value) for name, value in expected.items()
        )
    return built == expected
