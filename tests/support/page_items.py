"""What a page of the docs holds: blocks, the cells of its tables, and its code spans, in order."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator

_SPAN = re.compile(r"`([^`]+)`")
_FENCE = "```"


class Item(NamedTuple):
    """A block, or a code span of a line."""

    kind: str
    """`sh`, `python` or whatever a fence says; `span`, or `old` for one that tells of what was."""
    text: str
    line: int
    heading: str
    """The header of the table that it stands in; empty elsewhere."""


def items(page: str) -> Iterator[Item]:
    """Yield everything on a page that a person could type or look up.

    Raises:
        ValueError: a block is not closed, or a line has a single backtick.

    """
    lines = page.splitlines()
    heading, place = "", 0
    while place < len(lines):
        line = lines[place]
        if line.startswith(_FENCE):
            end = lines.index(_FENCE, place + 1)
            yield Item(line.removeprefix(_FENCE), "\n".join(lines[place + 1 : end]), place + 1, "")
            place = end + 1
            continue
        if not line.startswith("|"):
            heading = ""
        elif not heading:
            heading = line
        if line.count("`") % 2:
            raise ValueError(f"line {place + 1}: a backtick without another: {line}")
        is_table_of_old = heading.startswith("| old")
        for number, cell in enumerate(line.split("|") if heading else ["", line]):
            for span in _SPAN.findall(cell):
                kind = "old" if is_table_of_old and number == 1 else "span"
                yield Item(kind, span, place + 1, heading)
        place += 1
