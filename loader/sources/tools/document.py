"""A JSON document taken apart: all of it but its long lists, and these, element by element."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from loader.errors import InvalidRecord
from loader.sources import Rejection
from loader.sources.blocks import InputBroken
from loader.sources.json_document import Scanner
from loader.sources.tools.json_values import decode

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator, Sequence

LARGEST_ELEMENT: Final = 32 * 1024 * 1024
_LARGEST_OUTLINE: Final = 32 * 1024 * 1024
BREAKS_OFF: Final = Rejection(
    "invalid_json", "the document breaks off; copy the file again, its end is missing"
)
_Element = tuple[bytes, Rejection | None]


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
        lists: those passed over, dots for nesting.
        is_whole: whether the document must be; else what there is, of a first object, counts,
            and a member that breaks off is `...`.

    Raises:
        InvalidRecord: it is no JSON object, breaks off, or is too long without the lists.

    """
    scanner = Scanner(blocks, LARGEST_ELEMENT)
    counts: dict[str, int] = {}
    reader = _Reader(scanner, frozenset(lists), counts, is_whole=is_whole)
    try:
        if scanner.next_char() != b"{":
            if is_whole:
                raise InvalidRecord("", "unexpected_form", "the document is no JSON object")
            return Outline({}, {})
        members = reader.object("")
        if is_whole and scanner.next_char() is not None:
            raise InvalidRecord(
                "", "invalid_json", "not JSON: something stands behind the document; remove it"
            )
    except InputBroken as end:
        if is_whole:
            raise InvalidRecord("", end.rejection.reason_code, end.rejection.reason) from None
        members = reader.so_far
    return Outline(members, counts)


def walk_list(blocks: Iterator[bytes], name: str) -> Generator[_Element, None, None]:
    """Yield the text of each element of a list, and what is wrong with it.

    Args:
        blocks: of the document.
        name: of the list, dots for nesting; empty where the document is the list.

    """
    scanner = Scanner(blocks, LARGEST_ELEMENT)
    if not name:
        if scanner.next_char() == b"[":
            yield from _elements(scanner)
        return
    yield from _find(scanner, "", name)


def _find(scanner: Scanner, outer: str, name: str) -> Generator[_Element, None, bool]:
    """Yield the elements of the list inside the object that begins here; return if it was there."""
    if scanner.next_char() != b"{":
        return False
    scanner.skip()
    while (char := scanner.next_char()) is not None and char != b"}":
        if char in b",:":
            scanner.skip()
            continue
        key, _ = scanner.value()
        path = _path(outer, key)
        if scanner.next_char() != b":":
            continue
        scanner.skip()
        opening = scanner.next_char()
        if opening == b"[" and path == name:
            yield from _elements(scanner)
            return True
        if opening == b"{" and name.startswith(f"{path}."):
            if (yield from _find(scanner, path, name)):
                return True
        elif opening is not None:
            scanner.value()
    if char is not None:
        scanner.skip()
    return False


def _elements(scanner: Scanner) -> Generator[_Element, None, None]:
    """Yield the elements of the list that begins here."""
    scanner.skip()
    while (char := scanner.next_char()) is not None and char != b"]":
        if char == b",":
            scanner.skip()
            continue
        yield scanner.value()
    if char is None:
        yield b"", BREAKS_OFF
        return
    scanner.skip()


def _path(outer: str, key: bytes) -> str:
    try:
        name = decode(key, str)
    except InvalidRecord:
        raise InputBroken(
            Rejection("invalid_json", f"not JSON: {key[:40]!r} stands where a name is wanted")
        ) from None
    return f"{outer}.{name}" if outer else name


class _Reader:
    """Reads the objects of a document."""

    def __init__(
        self, scanner: Scanner, lists: frozenset[str], counts: dict[str, int], *, is_whole: bool
    ) -> None:
        self._scanner = scanner
        self._lists = lists
        self._outer = {name[:place] for name in lists for place in _dots(name)}
        self._counts = counts
        self._is_whole = is_whole
        self._left = _LARGEST_OUTLINE
        self.so_far: dict[str, Any] = {}
        """Of the outermost object."""

    def object(self, outer: str) -> dict[str, Any]:
        """Read the object that begins here."""
        found: dict[str, Any] = {}
        if not outer:
            self.so_far = found
        scanner = self._scanner
        scanner.skip()
        is_after_member = False
        while (char := scanner.next_char()) is not None and char != b"}":
            if is_after_member:
                if char != b",":
                    raise _not_json("a comma is missing between two members")
                scanner.skip()
                is_after_member = False
                continue
            key, _ = scanner.value()
            path = _path(outer, key)
            if (colon := scanner.next_char()) != b":":
                if colon is None:
                    break
                raise _not_json(f"a colon is missing behind {path}")
            scanner.skip()
            opening = scanner.next_char()
            name = path[len(outer) + 1 :] if outer else path
            if opening is None:
                found[name] = ...
                break
            found[name] = self._value(path, opening)
            is_after_member = True
        if char is None or (not is_after_member and char != b"}"):
            raise InputBroken(BREAKS_OFF)
        scanner.skip()
        return found

    def _value(self, path: str, opening: bytes) -> Any:  # noqa: ANN401  any JSON value
        if opening == b"[" and path in self._lists:
            count = 0
            for text, problem in _elements(self._scanner):
                if problem is BREAKS_OFF:
                    raise InputBroken(problem)
                count += bool(text)
            self._counts[path] = count
            return []
        if opening == b"{" and path in self._outer:
            return self.object(path)
        text, problem = self._scanner.value()
        self._left -= len(text)
        if problem is not None or self._left < 0:
            reason = (
                f"{path} is longer than {LARGEST_ELEMENT:,} bytes; this importer does not read it"
            )
            raise InvalidRecord("", "record_too_large", reason)
        is_last = self._scanner.next_char() is None
        if is_last and not self._is_whole:
            return ...
        try:
            return decode(text, object)
        except InvalidRecord:
            if is_last:
                raise InputBroken(BREAKS_OFF) from None
            raise


def _dots(name: str) -> list[int]:
    return [place for place, char in enumerate(name) if char == "."]


def _not_json(what: str) -> InputBroken:
    return InputBroken(Rejection("invalid_json", f"not JSON: {what}; write the file anew"))
