"""Which words of a text another one lacks: what both arms answered, side by side."""

from __future__ import annotations

import re
from collections import Counter
from difflib import SequenceMatcher
from typing import TYPE_CHECKING, Final, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

_WORD: Final = re.compile(r"\s+|\w+|[^\w\s]")
_MOST_MATCHES: Final = 400_000
"""Pairs of equal words that are looked at; with more, texts are shown as they are."""


class Piece(NamedTuple):
    """A part of a text, and whether the other text lacks it."""

    text: str
    is_other: bool


def compared(one: str, other: str) -> tuple[list[Piece], list[Piece]] | None:
    """Return both texts in pieces; None where they are too long to compare word by word."""
    if one == other:
        return [Piece(one, is_other=False)], [Piece(other, is_other=False)]
    left, right = _WORD.findall(one), _WORD.findall(other)
    start = _common(left, right)
    end = _common(left[start:][::-1], right[start:][::-1])
    middle = (left[start : len(left) - end], right[start : len(right) - end])
    counts = Counter(middle[0])
    if sum(counts[word] for word in middle[1]) > _MOST_MATCHES:
        return None
    pieces: tuple[list[Piece], list[Piece]] = ([], [])
    _add(pieces, (left[:start], right[:start]), is_other=False)
    for tag, *places in SequenceMatcher(None, *middle, autojunk=False).get_opcodes():
        first, last, other_first, other_last = places
        _add(
            pieces,
            (middle[0][first:last], middle[1][other_first:other_last]),
            is_other=tag != "equal",
        )
    _add(pieces, (left[len(left) - end :], right[len(right) - end :]), is_other=False)
    return pieces


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    """Return how many words two texts begin with alike."""
    return next(
        (place for place, (a, b) in enumerate(zip(one, other, strict=False)) if a != b),
        min(len(one), len(other)),
    )


def _add(
    pieces: tuple[list[Piece], list[Piece]],
    words: tuple[Sequence[str], Sequence[str]],
    *,
    is_other: bool,
) -> None:
    for side, part in zip(pieces, words, strict=True):
        text = "".join(part)
        if text and side and side[-1].is_other == is_other:
            side[-1] = Piece(side[-1].text + text, is_other)
        elif text:
            side.append(Piece(text, is_other))
