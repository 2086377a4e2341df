"""The order of versions, part by part: section 11 of Semantic Versioning, without a sort key."""

from __future__ import annotations

import functools
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from datetime import datetime


def semantic(label: str) -> tuple[list[int], list[str] | None] | None:
    """Return core and pre-release of a version number; None for other labels."""
    found = re.fullmatch(
        r"[vV]?(\d+(?:\.\d+)+|\d+(?![-+]))(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", label
    )
    if found is None:
        return None
    core = [int(part) for part in found[1].split(".")]
    while len(core) > 1 and core[-1] == 0:
        core.pop()
    return core, found[2].split(".") if found[2] else None


def precedence(first: str, second: str) -> int:
    """Compare two version numbers as section 11 of Semantic Versioning does."""
    one, two = semantic(first), semantic(second)
    assert one is not None
    assert two is not None
    by_label = _sign_of(first.encode(), second.encode())
    if one[0] != two[0] or one[1] == two[1]:
        return _sign_of(one[0], two[0]) or by_label
    if one[1] is None or two[1] is None:
        return 1 if one[1] is None else -1
    for left, right in zip(one[1], two[1], strict=False):
        difference = _sign_of(_identifier(left), _identifier(right))
        if difference:
            return difference
    return _sign_of(len(one[1]), len(two[1])) or by_label


def _identifier(text: str) -> tuple[bool, int, bytes]:
    """Return what orders a pre-release identifier: numbers first, by value."""
    return (False, int(text), b"") if text.isdigit() else (True, 0, text.encode())


def _sign_of(left: Any, right: Any) -> int:  # noqa: ANN401  anything that compares
    return (left > right) - (left < right)


def in_order(first_seen: dict[str, datetime]) -> list[str]:
    """Return version labels oldest first; labels that are no numbers go where time puts them."""
    numbers = sorted(filter(semantic, first_seen), key=functools.cmp_to_key(precedence))
    others = sorted(
        (label for label in first_seen if semantic(label) is None),
        key=lambda label: (first_seen[label], label.encode()),
    )
    ordered = list(numbers)
    for label in reversed(others):
        before = [
            place for place, number in enumerate(numbers) if first_seen[number] <= first_seen[label]
        ]
        anchor = ordered.index(numbers[before[-1]]) + 1 if before else 0
        ordered.insert(anchor, label)
    return ordered
