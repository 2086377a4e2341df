"""JSON documents: one object, an array, or an object with the array under a name.

Also several of these one after the other. The document is cut into records without
decoding it: each keeps its exact text, and only one is in memory at a time.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

from ..records.json_text import LARGEST_RECORD, oversized
from . import Rejection, SourceRow
from .blocks import KEPT_BYTES, InputBroken

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Iterator, Mapping, Sequence

    from .blocks import Blocks

RESULTS: Final = "results"
"""Name of the list of records, where none is told."""
_DEEPEST_LIST: Final = 3
_DEEPEST: Final = 100_000
"""Brackets open at once: past them the document is not read on. Decoders stop at 1,000."""
MOST_FAULTS: Final = 1000
"""Places where a document is not JSON; past them it is not read on."""
_SPACE: Final = re.compile(rb"[ \t\r\n]*+")
_SHALLOW: Final = 4
"""How deep a value may be nested to be passed over in one match."""


def _up_to_bracket(levels: int) -> re.Pattern[bytes]:
    """Return what matches everything up to the next bracket that does not close at once.

    That is one of a value that is nested deeper, goes on behind the text that there is, or
    ends what we are in; or the quotation mark of a string that is not complete yet.
    """
    plain = rb'[^"{}\[\]]*+'
    string = rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"'
    passed = rb"%b(?:%b%b)*+" % (plain, string, plain)
    for _ in range(levels):
        passed = rb"%b(?:(?:%b|[{\[]%b[}\]])%b)*+" % (plain, string, passed, plain)
    return re.compile(passed, re.DOTALL)


_UP_TO_BRACKET: Final = _up_to_bracket(_SHALLOW)
_STRING_END: Final = re.compile(rb'[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_QUOTE: Final = ord('"')
_ATOM_END: Final = re.compile(rb'[ \t\r\n,:"{}\[\]]')


def read(blocks: Blocks, origin: str, records: str = RESULTS) -> Iterator[SourceRow]:
    """Yield a row for every record of the document, its JSON not yet decoded.

    Args:
        blocks: of the document.
        origin: the file's name.
        records: name of the list that holds the records, dots for nesting.

    Where the document is not JSON, that place is one rejection and reading goes on
    behind it; a document that breaks off ends with a rejection.
    """
    scanner = Scanner(blocks)
    names = [json.dumps(name, ensure_ascii=False).encode() for name in records.split(".")]
    faults = 0
    for number, (text, problem) in enumerate(_documents(scanner, names), 1):
        faults += problem is not None
        if faults > MOST_FAULTS:
            reason = (
                f"not JSON in more than {MOST_FAULTS:,} places; the rest of the input is not "
                "read, write it anew"
            )
            yield SourceRow(number, origin, text, None, Rejection("too_many_faults", reason))
            return
        yield SourceRow(number, origin, text, None, problem)


def lists_inside(found: Mapping[str, Any], outer: str = "") -> Iterator[tuple[str, list[Any]]]:
    """Yield the lists of objects inside an object, dots for nesting, the outermost first."""
    for name, value in found.items():
        if isinstance(value, list) and value and all(isinstance(each, dict) for each in value):
            yield outer + name, value
    for name, value in found.items():
        if isinstance(value, dict) and outer.count(".") < _DEEPEST_LIST:
            yield from lists_inside(value, f"{outer}{name}.")


_Piece = tuple[bytes, Rejection | None]


def _documents(scanner: Scanner, names: Sequence[bytes]) -> Iterator[_Piece]:
    try:
        while (char := scanner.next_char()) is not None:
            if char == b"[":
                scanner.skip()
                yield from _array(scanner)
            elif char == b"{":
                yield from _object(scanner, names)
            else:
                yield scanner.value()
    except InputBroken as end:
        yield scanner.rest(), end.rejection


def _array(scanner: Scanner) -> Iterator[_Piece]:
    """Yield the elements of the array whose `[` has been read."""
    must_separate = False
    after_comma = False
    while (char := scanner.next_char()) is not None:
        if char == b"]":
            scanner.skip()
            if after_comma:
                yield b",]", _not_json("a comma stands before ]; remove it")
            return
        if char == b",":
            scanner.skip()
            if not must_separate:
                yield b",", _not_json("a comma stands where a record is wanted; remove it")
            must_separate, after_comma = False, True
            continue
        if must_separate:
            yield b"", _not_json("a comma is missing between two records; add it")
        yield scanner.value()
        must_separate, after_comma = True, False
    yield b"", _not_json("the array breaks off, its ] is missing; complete the file")


def _object(scanner: Scanner, names: Sequence[bytes]) -> Iterator[_Piece]:
    """Yield the one record that an object is, or those in the list of that name inside it."""
    scanner.start_recording()
    has_found = yield from _members(scanner, names)
    text, length = scanner.stop_recording()
    if has_found:
        return
    if length > LARGEST_RECORD:
        yield text[:KEPT_BYTES], _too_large()
    else:
        yield text, None


def _members(scanner: Scanner, names: Sequence[bytes]) -> Generator[_Piece, None, bool]:
    """Yield the records in the list of that name inside the object that begins here.

    Returns:
        Whether there was one.

    """
    has_found = False
    scanner.skip()
    while (char := scanner.next_char()) is not None and char != b"}":
        if char in b",:":
            scanner.skip()
            continue
        token, _ = scanner.value()
        if token != names[0] or scanner.next_char() != b":":
            continue
        scanner.skip()
        opening = scanner.next_char()
        if opening == b"[" and len(names) == 1:
            scanner.skip()
            scanner.stop_recording()
            has_found = True
            yield from _array(scanner)
        elif opening == b"{" and len(names) > 1:
            has_found |= yield from _members(scanner, names[1:])
    if char is not None:
        scanner.skip()
    elif has_found:
        yield b"", _not_json("the object breaks off, its } is missing; complete the file")
    return has_found


def _not_json(reason: str) -> Rejection:
    return Rejection("invalid_json", f"not JSON: {reason}")


def _too_large(largest: int = LARGEST_RECORD) -> Rejection:
    return Rejection(
        "record_too_large",
        f"{oversized(largest=largest)} (its first {KEPT_BYTES:,} bytes are kept here)",
    )


class Scanner:
    """Walks over JSON text value by value, holding one value and one block at most."""

    def __init__(self, blocks: Iterable[bytes], largest: int = LARGEST_RECORD) -> None:
        """Begin at the first byte.

        Args:
            blocks: of the document.
            largest: bytes of the largest value that is kept whole.

        """
        self._blocks = iter(blocks)
        self._largest = largest
        self._buffer = b""
        self._at = 0
        self._recorded: list[bytes] | None = None
        self._recorded_length = 0

    def start_recording(self) -> None:
        """Keep what is read from here on, up to the largest record."""
        self._recorded = []
        self._recorded_length = 0

    def stop_recording(self) -> tuple[bytes, int]:
        """Return what was recorded, and how long it would be if all had been kept."""
        text = b"".join(self._recorded or ())
        self._recorded = None
        return text, self._recorded_length

    def next_char(self) -> bytes | None:
        """Skip white space and return the character behind it, None at the end."""
        while True:
            space = _SPACE.match(self._buffer, self._at)
            if space is not None:
                self._take(space.end())
            if self._at < len(self._buffer):
                return self._buffer[self._at : self._at + 1]
            if not self._fill():
                return None

    def skip(self) -> None:
        """Step over one character."""
        self._take(self._at + 1)

    def rest(self) -> bytes:
        """Return the beginning of what has not been read yet."""
        return self._buffer[self._at : self._at + KEPT_BYTES]

    def value(self) -> _Piece:
        """Read one value, or one run of characters that is none.

        Returns:
            Its text; its beginning and the reason if it is too long.

        """
        if self._buffer[self._at] in b'[{"':
            return self._delimited()
        offset = 1
        while (end := _ATOM_END.search(self._buffer, self._at + offset)) is None:
            offset = len(self._buffer) - self._at
            if offset > self._largest:
                return self._take(len(self._buffer))[:KEPT_BYTES], _too_large(self._largest)
            if not self._fill():
                return self._take(len(self._buffer)), None
        return self._take(end.start()), None

    def _delimited(self) -> _Piece:
        """Read the object, array or string that begins here."""
        is_inside = self._buffer[self._at] == _QUOTE
        depth = int(not is_inside)
        offset = 1
        """Of what has not been looked at yet, from the beginning of the value."""
        head: bytes | None = None
        """Set once the value is too long: from then on it is only skipped."""
        while True:
            if is_inside:
                offset, is_open = self._string_end(offset)
                is_inside = is_open
            else:
                offset, char = self._bracket(offset)
                is_open = not char
                is_inside = char == b'"'
                depth += (char in (b"{", b"[")) - (char in (b"}", b"]"))
                if depth > _DEEPEST:
                    reason = f"nested more than {_DEEPEST:,} levels deep; the rest is not read"
                    raise InputBroken(Rejection("too_deep", reason))
            if not is_open:
                if depth == 0 and not is_inside:
                    text = self._take(self._at + offset)
                    return (text, None) if head is None else (head, _too_large(self._largest))
                continue
            if head is None and offset > self._largest:
                head = self.rest()
            if head is not None:
                self._take(self._at + offset)
                offset = 0
            if not self._fill():
                text = self._take(len(self._buffer))
                return (text, None) if head is None else (head, _too_large(self._largest))

    def _string_end(self, offset: int) -> tuple[int, bool]:
        """Go on behind the string we are in, or to the buffer's end; return if it is open."""
        match = _STRING_END.match(self._buffer, self._at + offset)
        if match is not None:
            return match.end() - self._at, False
        tail = self._buffer[self._at + offset :]
        backslashes = len(tail) - len(tail.rstrip(b"\\"))
        return offset + len(tail) - backslashes % 2, True

    def _bracket(self, offset: int) -> tuple[int, bytes]:
        """Go on behind the next bracket or open string; return it, nothing at the end."""
        match = _UP_TO_BRACKET.match(self._buffer, self._at + offset)
        end = match.end() if match else self._at + offset
        char = self._buffer[end : end + 1]
        return end + len(char) - self._at, char

    def _take(self, end: int) -> bytes:
        piece = self._buffer[self._at : end]
        self._at = end
        if self._recorded is not None:
            self._recorded_length += len(piece)
            if self._recorded_length <= self._largest:
                self._recorded.append(piece)
            elif len(self._recorded) == 0:
                self._recorded.append(piece[:KEPT_BYTES])
        return piece

    def _fill(self) -> bool:
        block = next(self._blocks, b"")
        self._buffer = self._buffer[self._at :] + block
        self._at = 0
        return bool(block)
