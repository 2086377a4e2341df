"""A JSON document taken apart: all of it but its long lists, and these, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ...errors import InvalidRecord
from ...records.json_text import shown
from .. import Rejection
from ..blocks import InputBroken
from ..json_document import Scanner
from .json_values import decode

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

LARGEST_ELEMENT: Final = 32 * 1024 * 1024
_LARGEST_OUTLINE: Final = 8 * 1024 * 1024
BREAKS_OFF: Final = Rejection(
    "invalid_json", "the document breaks off; copy the file again, its end is missing"
)
_Element = tuple[bytes, Rejection | None]
_Path = tuple[str, ...]
_LONGEST_SHOWN: Final = 40


class Outline(NamedTuple):
    """A JSON object without its long lists."""

    members: dict[str, Any]
    """Nested as in the document; a list that was passed over is empty."""
    counts: dict[str, int]
    """Elements of each list that was passed over and is there, by its dotted name."""


def read_outline(
    blocks: Iterator[bytes], lists: Sequence[str], *, is_whole: bool = True
) -> Outline:
    """Read a document without some of its lists.

    Args:
        blocks: of the document.
        lists: those passed over, dots for nesting; a name that has a dot is none of them.
        is_whole: whether the document must be; else what there is, of a first object, counts,
            and a member that breaks off or is no JSON is `...`.

    Raises:
        InvalidRecord: it is no JSON object, breaks off, has a name twice, or is too long without
            the lists.

    """
    scanner = Scanner(blocks, LARGEST_ELEMENT)
    reader = _Reader(scanner, lists, is_whole=is_whole)
    try:
        if scanner.next_char() != b"{":
            if is_whole:
                raise InvalidRecord(
                    "", "unexpected_form", "the document is no JSON object; write it anew"
                )
            return Outline({}, {})
        members = reader.object(())
        if is_whole:
            _refuse_more(scanner)
    except InputBroken as end:
        if is_whole:
            raise InvalidRecord("", end.rejection.reason_code, end.rejection.reason) from None
        members = reader.so_far
    return Outline(members, reader.counts)


def walk_list(blocks: Iterator[bytes], name: str) -> Generator[_Element, None, None]:
    """Yield the text of each element of a list, and what is wrong with it.

    Args:
        blocks: of the document.
        name: of the list, dots for nesting; empty where the document is the list.

    Raises:
        InputBroken: the list breaks off, or is no list of JSON; what came before stands.

    """
    scanner = Scanner(blocks, LARGEST_ELEMENT)
    if name:
        yield from _find(scanner, tuple(name.split(".")))
    elif scanner.next_char() == b"[":
        yield from _elements(scanner)
        _refuse_more(scanner)


def _find(scanner: Scanner, names: _Path) -> Generator[_Element, None, bool]:
    """Yield the elements of the list inside the object that begins here; return if it was there."""
    if scanner.next_char() != b"{":
        return False
    scanner.skip()
    while (char := scanner.next_char()) is not None and char != b"}":
        if char in b",:":
            scanner.skip()
            continue
        name = _name(scanner)
        if scanner.next_char() != b":":
            continue
        scanner.skip()
        opening = scanner.next_char()
        if opening == b"[" and names == (name,):
            yield from _elements(scanner)
            return True
        if opening == b"{" and len(names) > 1 and name == names[0]:
            if (yield from _find(scanner, names[1:])):
                return True
        elif opening is not None:
            scanner.value()
    if char is not None:
        scanner.skip()
    return False


def _elements(scanner: Scanner) -> Generator[_Element, None, None]:
    """Yield the elements of the list that begins here; raises InputBroken as `walk_list`."""
    scanner.skip()
    must_separate = after_comma = False
    while (char := scanner.next_char()) is not None and char != b"]":
        if char == b",":
            if not must_separate:
                raise _not_json("a comma stands where an element of a list is wanted")
            scanner.skip()
            must_separate, after_comma = False, True
            continue
        if must_separate:
            raise _not_json("a comma is missing between two elements of a list")
        element = scanner.value()
        if scanner.next_char() is None:  # the element may be only the beginning of one
            break
        yield element
        must_separate, after_comma = True, False
    if scanner.next_char() is None:
        raise InputBroken(BREAKS_OFF)
    if after_comma:
        raise _not_json("a comma stands before the end of a list")
    scanner.skip()


def _name(scanner: Scanner) -> str:
    """Read the name of a member."""
    text, _ = scanner.value()
    try:
        return decode(text, str)
    except InvalidRecord:
        if scanner.next_char() is None:
            raise InputBroken(BREAKS_OFF) from None
        told = shown(text[:_LONGEST_SHOWN].decode(errors="replace"))
        raise _not_json(f"{told} stands where a name is wanted") from None


def _refuse_more(scanner: Scanner) -> None:
    if scanner.next_char() is not None:
        raise _not_json("something stands behind the document")


class _Reader:
    """Reads the objects of a document."""

    def __init__(self, scanner: Scanner, lists: Sequence[str], *, is_whole: bool) -> None:
        self._scanner = scanner
        self._lists = {tuple(name.split(".")): name for name in lists}
        self._outer = {path[:end] for path in self._lists for end in range(1, len(path))}
        self._is_whole = is_whole
        self._left = _LARGEST_OUTLINE
        self.counts: dict[str, int] = {}
        self.so_far: dict[str, Any] = {}
        """Of the outermost object."""

    def object(self, outer: _Path) -> dict[str, Any]:
        """Read the object that begins here."""
        found: dict[str, Any] = {}
        if not outer:
            self.so_far = found
        scanner = self._scanner
        scanner.skip()
        must_separate = after_comma = False
        while (char := scanner.next_char()) is not None and char != b"}":
            if must_separate:
                if char != b",":
                    raise _not_json("a comma is missing between two members")
                scanner.skip()
                must_separate, after_comma = False, True
                continue
            name = _name(scanner)
            path = (*outer, name)
            self._colon(path, is_twice=name in found)
            found[name] = ...
            if (opening := scanner.next_char()) is not None:
                found[name] = self._value(path, opening)
            must_separate, after_comma = True, False
        if char is None or scanner.next_char() is None:
            raise InputBroken(BREAKS_OFF)
        if after_comma:
            raise _not_json("a comma stands before the end of an object")
        scanner.skip()
        return found

    def _colon(self, path: _Path, *, is_twice: bool) -> None:
        """Step over what stands between a name and its value."""
        colon = self._scanner.next_char()
        if colon is None:
            raise InputBroken(BREAKS_OFF)
        if colon != b":":
            raise _not_json(f"a colon is missing behind {_told(path)}")
        if is_twice and self._is_whole:
            reason = f"{_told(path)} stands twice in the document; keep one of them"
            raise InputBroken(Rejection("duplicate_key", reason))
        self._scanner.skip()

    def _value(self, path: _Path, opening: bytes) -> Any:  # noqa: ANN401  any JSON value
        if opening in b"]}:,":
            raise _not_json(f"{_told(path)} has no value")
        if opening == b"[" and path in self._lists:
            self.counts[self._lists[path]] = sum(1 for _ in _elements(self._scanner))
            return []
        if opening == b"{" and path in self._outer:
            return self.object(path)
        text, problem = self._scanner.value()
        self._left -= len(text)
        if self._is_whole and (problem is not None or self._left < 0):
            reason = (
                f"{_told(path)} is longer than the {_LARGEST_OUTLINE:,} bytes that are read of "
                "what stands beside the runs; leave it out of the file"
            )
            raise InvalidRecord("", "record_too_large", reason)
        if self._scanner.next_char() is None:  # the value may be only the beginning of one
            raise InputBroken(BREAKS_OFF)
        try:
            return decode(text, object)
        except InvalidRecord:
            if self._is_whole:
                raise
            return ...


def _told(path: _Path) -> str:
    return shown(".".join(path))


def _not_json(what: str) -> InputBroken:
    return InputBroken(Rejection("invalid_json", f"not JSON: {what}; write the file anew"))
