"""Lay a table out as aligned lines of text: into a given width, or as wide as it is.

Numbers and dates are never cut. Where room is short, headings and text wrap at words, and a
longer word folds; where even that does not fit, every line keeps its full length and the terminal
wraps it, so that nothing is lost.
"""

from __future__ import annotations

from itertools import zip_longest
from typing import TYPE_CHECKING, Final, NamedTuple

from rich.cells import cell_len, chop_cells

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

GAP: Final = 2
# Text folds to no less than this.
FOLDED_WIDTH: Final = 12

Piece = tuple[str, str]
"""Text and its style, which may be empty."""


class Heading(NamedTuple):
    """The heading of a column, and how its cells stand."""

    text: str
    is_right: bool = False
    is_whole: bool = False
    """Whether the cells must not be folded."""
    rank: int = 0
    """How soon a narrow terminal leaves it out, as `loader.show.fitting` does."""


def lay_out(
    headings: Sequence[Heading], rows: Sequence[Sequence[Piece]], room: int | None = None
) -> Iterator[list[Piece]]:
    """Yield lines as pieces to be joined: the headings, a rule, the rows.

    Args:
        headings: one per column.
        rows: one piece per column.
        room: terminal columns to fit into if possible; None for no limit.
    """
    for block in blocks(headings, rows, room):
        yield from block


def blocks(
    headings: Sequence[Heading],
    rows: Sequence[Sequence[Piece]],
    room: int | None = None,
    least: Sequence[int] | None = None,
) -> Iterator[list[list[Piece]]]:
    """Yield the lines of the headings with their rule, then those of each row.

    Args:
        headings: one per column.
        rows: one piece per column.
        room: as of `lay_out`.
        least: what each column must have; None for what folded text needs.
    """
    widths = _widths(headings, rows, room, least)
    sides = [heading.is_right for heading in headings]
    tops = [
        [(line, "bold") for line in _wrap(heading.text, width)]
        for heading, width in zip(headings, widths, strict=True)
    ]
    height = max(map(len, tops), default=0)
    # headings stand on the rule
    tops = [[("", "bold")] * (height - len(top)) + top for top in tops]
    opening = [_line(line, widths, sides) for line in zip(*tops, strict=True)]
    yield [*opening, _line([("─" * width, "dim") for width in widths], widths, sides)]
    for row in rows:
        folded = [
            [(part, style) for part in _fold(text, width)]
            for (text, style), width in zip(row, widths, strict=True)
        ]
        yield [_line(line, widths, sides) for line in zip_longest(*folded, fillvalue=("", ""))]


def _widths(
    headings: Sequence[Heading],
    rows: Sequence[Sequence[Piece]],
    room: int | None,
    wanted_least: Sequence[int] | None,
) -> list[int]:
    """Return the width of each column."""
    cells = [
        max((cell_len(row[place][0]) for row in rows), default=0) for place in range(len(headings))
    ]
    natural = [
        max(cell_len(heading.text), width) for heading, width in zip(headings, cells, strict=True)
    ]
    least = wanted_least or [
        max(
            max(map(cell_len, heading.text.split()), default=0),
            width if heading.is_whole else min(width, FOLDED_WIDTH),
        )
        for heading, width in zip(headings, cells, strict=True)
    ]
    gaps = GAP * (len(headings) - 1)
    if room is None or sum(natural) + gaps <= room or sum(least) + gaps > room:
        return natural
    widths = list(least)
    for wanted in (list(map(max, least, cells)), natural):  # cells come before headings
        spare = room - gaps - sum(widths)
        wanting = sorted(range(len(widths)), key=lambda place: wanted[place] - widths[place])
        for already, place in enumerate(wanting):  # who wants little gets it whole
            share = min(wanted[place] - widths[place], spare // (len(wanting) - already))
            widths[place] += share
            spare -= share
    return widths


def _line(pieces: Sequence[Piece], widths: Sequence[int], sides: Sequence[bool]) -> list[Piece]:
    """Pad the pieces of one line."""
    line: list[Piece] = []
    for (text, style), width, is_right in zip(pieces, widths, sides, strict=True):
        gap = " " * GAP if line else ""
        padding = " " * (width - cell_len(text))
        if is_right:
            line += [(gap + padding, ""), (text, style)]
        else:
            line += [(gap, ""), (text, style), (padding, "")]
    while line and not line[-1][0].strip():
        line.pop()
    return line


def _fold(text: str, width: int) -> list[str]:
    """Break text at words into parts no wider than the column; a longer word is cut."""
    if cell_len(text) <= width:
        return [text]
    return [part for line in _wrap(text, width) for part in _cut(line, width)]


def _cut(line: str, width: int) -> list[str]:
    return [line] if cell_len(line) <= width else chop_cells(line, width)


def _wrap(text: str, width: int) -> list[str]:
    """Break text at words."""
    lines = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if cell_len(longer) <= width:
            lines[-1] = longer
        else:
            lines.append(word)
    return lines if lines[0] else lines[1:] or lines
