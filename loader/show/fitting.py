"""Which columns of a table a terminal has room for, so that no word is broken.

Every column has a rank: those of rank 0 always stay, the others leave from the highest rank
down until the rest fits. A name that is too long to stand beside anything gets a line of its
own above its row.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len

from .layout import GAP

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .layout import Heading, Piece

INDENT: Final = 2
_SENTENCE: Final = 24
"""Terminal columns that a sentence needs at least."""


class Fit(NamedTuple):
    """Places of columns, each list in the table's order."""

    above: Sequence[int]
    """Names on a line of their own."""
    beside: Sequence[int]
    left_out: Sequence[int]


def fit(headings: Sequence[Heading], rows: Sequence[Sequence[Piece]], room: int) -> Fit:
    """Choose the columns that a width of so many terminal columns holds.

    Args:
        headings: one per column.
        rows: one piece per column.
        room: the width.

    """
    widths = [least_width(headings, rows, place) for place in range(len(headings))]
    kept = [place for place, heading in enumerate(headings) if not heading.rank]
    is_narrow = _sum(widths, kept) > room
    above: list[int] = []
    beside: list[int] = []
    left_out: list[int] = []
    for place, (heading, width) in enumerate(zip(headings, widths, strict=True)):
        if heading.is_whole or width <= room // 3 or not (heading.rank or is_narrow):
            beside.append(place)
        else:
            (left_out if heading.rank else above).append(place)
    indent = INDENT if above else 0
    while _sum(widths, beside) + indent > room:
        last = max(beside, key=lambda place: (headings[place].rank, place))
        if not headings[last].rank:
            break
        beside.remove(last)
        left_out.append(last)
    return Fit(above, beside, sorted(left_out))


def least_width(headings: Sequence[Heading], rows: Sequence[Sequence[Piece]], place: int) -> int:
    """Return the least width of a column that breaks no word and no number."""
    cells = [row[place][0] for row in rows]
    widest = max(map(cell_len, cells), default=0)
    words = [cell_len(word) for text in (headings[place].text, *cells) for word in text.split()]
    if headings[place].is_whole:
        words.append(widest)
    return max(*words, min(widest, _SENTENCE), 0)


def _sum(widths: Sequence[int], places: Sequence[int]) -> int:
    return sum(widths[place] for place in places) + GAP * max(0, len(places) - 1)
