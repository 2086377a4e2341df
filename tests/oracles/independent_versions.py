"""The order of versions, part by part: section 11 of Semantic Versioning, without a sort key.

A label of seven digits or more is a commit's hash, unless it is a date among version numbers.
"""

from __future__ import annotations

import functools
import re
from contextlib import suppress
from datetime import datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable


def semantic(label: str) -> tuple[list[int], list[str] | None] | None:
    """Return core and pre-release of a version number; None for other labels."""
    found = re.fullmatch(
        r"[vV]?(\d+(?:\.\d+)+|\d+(?![-+]))(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?", label
    )
    if found is None or (label.isdigit() and len(label) > 6 and not _is_date(label)):
        return None
    core = [int(part) for part in found[1].split(".")]
    while len(core) > 1 and core[-1] == 0:
        core.pop()
    return core, found[2].split(".") if found[2] else None


def _is_date(label: str) -> bool:
    for length, form in ((8, "%Y%m%d"), (12, "%Y%m%d%H%M"), (14, "%Y%m%d%H%M%S")):
        with suppress(ValueError):
            if len(label) == length:
                return datetime.strptime(label, form).year in range(1900, 2100)  # noqa: DTZ007
    return False


def numbers_among(labels: Iterable[str]) -> set[str]:
    """Return the labels that are version numbers where all of them are versions of one series."""
    known = set(labels)
    digits = set("0123456789")
    has_hash = any(
        len(label) in range(7, 65)
        and set(label.lower()) <= digits | set("abcdef")
        and bool(set(label) & digits)
        and not label.isdigit()
        for label in known
    )
    return {
        label
        for label in known
        if semantic(label) and not (has_hash and label.isdigit() and len(label) > 6)
    }


def precedence(first: str, second: str) -> int:
    """Compare two version numbers as section 11 of Semantic Versioning does."""
    one, two = semantic(first), semantic(second)
    assert one is not None
    assert two is not None
    if one[0] != two[0] or one[1] == two[1]:
        return _sign_of(one[0], two[0])
    if one[1] is None or two[1] is None:
        return 1 if one[1] is None else -1
    for left, right in zip(one[1], two[1], strict=False):
        difference = _sign_of(_identifier(left), _identifier(right))
        if difference:
            return difference
    return _sign_of(len(one[1]), len(two[1]))


def _identifier(text: str) -> tuple[bool, int, bytes]:
    """Return what orders a pre-release identifier: numbers first, by value."""
    return (False, int(text), b"") if text.isdigit() else (True, 0, text.encode())


def _sign_of(left: Any, right: Any) -> int:  # noqa: ANN401  anything that compares
    return (left > right) - (left < right)


def in_order(first_seen: dict[str, datetime]) -> list[str]:
    """Return version labels oldest first; labels that are no numbers go where time puts them."""
    in_time = sorted(first_seen, key=lambda label: (first_seen[label], label.encode()))
    known = numbers_among(first_seen)
    numbers = sorted((one for one in in_time if one in known), key=functools.cmp_to_key(precedence))
    others = [label for label in in_time if label not in known]
    ordered = list(numbers)
    for label in reversed(others):
        before = [
            place for place, number in enumerate(numbers) if first_seen[number] <= first_seen[label]
        ]
        anchor = ordered.index(numbers[before[-1]]) + 1 if before else 0
        ordered.insert(anchor, label)
    return ordered
