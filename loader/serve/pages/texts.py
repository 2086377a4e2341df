"""Texts that runs were given and gave, as a page shows them: cut, and word by word apart."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final, NamedTuple

from ..words import Piece, compared

if TYPE_CHECKING:
    from collections.abc import Sequence

LONGEST: Final = 60_000
"""Characters of one text that a page shows."""


class Text(NamedTuple):
    """A content as a page shows it."""

    pieces: Sequence[Piece]
    note: str = ""


def side_by_side(texts: Sequence[str | None]) -> tuple[list[Text | None], str]:
    """Return what both arms answered, the words marked that the other lacks."""
    whole = [None if text is None else cut(text) for text in texts]
    one, other = whole
    if one is None or other is None:
        return whole, ""
    if texts[0] == texts[1]:
        return whole, "Both arms answered the same."
    pieces = compared(one.pieces[0].text, other.pieces[0].text)
    if pieces is None:
        return whole, "The answers are too long to compare word by word."
    return [text._replace(pieces=part) for text, part in zip((one, other), pieces, strict=True)], ""


def text_of(value: object) -> str | None:
    """Return a content as text: as it is, or as JSON over several lines."""
    if value is None:
        return None
    if isinstance(value, str):
        return value
    if isinstance(value, dict) and len(value) == 1:
        (only,) = value.values()
        return (
            only
            if isinstance(only, str)
            else _talk(only) or json.dumps(value, indent=2, ensure_ascii=False)
        )
    return _talk(value) or json.dumps(value, indent=2, ensure_ascii=False)


def _talk(value: object) -> str | None:
    """Return messages of a talk as a person reads them; None for anything else."""
    lines = []
    for part in value if isinstance(value, list) else []:
        if not isinstance(part, dict) or part.keys() != {"role", "content"}:
            return None
        if not all(isinstance(each, str) for each in part.values()):
            return None
        lines.append(f"{part['role']}: {part['content']}")
    return "\n\n".join(lines) or None


def string(value: object) -> str:
    """Return a value as text of one line."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def cut(text: str) -> Text:
    """Return as much of a text as a page shows, and how much that leaves out."""
    left = len(text) - LONGEST
    note = f"{left:,} characters more are not shown." if left > 0 else ""
    return Text([Piece(text[:LONGEST], is_other=False)], note)
