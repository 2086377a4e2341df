"""JSON Lines: one JSON object a line."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..records.json_text import LARGEST_RECORD, oversized
from . import JsonBatch, Rejection, SourceRow
from .blocks import KEPT_BYTES, InputBroken

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from .blocks import Blocks


def read(blocks: Blocks, origin: str) -> Iterator[JsonBatch | SourceRow]:
    """Yield every line that is not blank, its JSON not yet decoded.

    A line past the largest record is one rejection that keeps its beginning.
    """
    for first, block, problem in _line_blocks(blocks):
        numbers: Sequence[int] = range(first, first + len(block))
        if problem is not None:
            yield SourceRow(first, origin, block[0], None, problem)
        elif all(block) and not any(map(bytes.isspace, block)):
            yield JsonBatch(origin, numbers, block)
        else:
            filled = [place for place, line in enumerate(block) if line and not line.isspace()]
            yield JsonBatch(
                origin, [first + place for place in filled], [block[place] for place in filled]
            )


def lines(
    blocks: Blocks, largest: int = LARGEST_RECORD
) -> Iterator[tuple[int, bytes, Rejection | None]]:
    """Yield number, text without line feed, and what is wrong with it, of every line."""
    for first, block, problem in _line_blocks(blocks, largest):
        for number, line in enumerate(block, first):
            yield number, line, problem


def _line_blocks(
    blocks: Blocks, largest: int = LARGEST_RECORD
) -> Iterator[tuple[int, list[bytes], Rejection | None]]:
    """Yield runs of lines with the number of the first; one that is broken comes alone."""
    number = 1
    waiting: list[bytes] = []
    """Pieces of a line that goes on in the next block."""
    length = 0
    try:
        for block in blocks:
            pieces = block.split(b"\n")
            if len(pieces) == 1:
                if length <= largest:
                    waiting.append(block)
                length += len(block)
                continue
            rest = pieces.pop()
            length += len(pieces[0])
            if length > largest:
                yield number, *_oversized_line([*waiting, pieces.pop(0)], length, largest)
                number += 1
            else:
                pieces[0] = b"".join([*waiting, pieces[0]])
            if pieces:
                yield number, pieces, None
                number += len(pieces)
            waiting = [rest] if rest else []
            length = len(rest)
    except InputBroken as end:
        yield number, [b"".join(waiting)[:KEPT_BYTES]], end.rejection
    else:
        if length > largest:
            yield number, *_oversized_line(waiting, length, largest)
        elif waiting:
            yield number, [b"".join(waiting)], None


def _oversized_line(
    pieces: list[bytes], length: int, largest: int
) -> tuple[list[bytes], Rejection]:
    reason = f"{oversized(length, largest)} (its first {KEPT_BYTES:,} bytes are kept here)"
    return [b"".join(pieces)[:KEPT_BYTES]], Rejection("record_too_large", reason)
