"""A long JSON object without what nobody asks for: some of its members, the rest passed over."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ...errors import InvalidRecord
from ..blocks import InputBroken
from ..json_document import Scanner
from .document import BREAKS_OFF
from .json_values import decode

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


def excerpt(blocks: Iterable[bytes], names: Collection[str], largest: int) -> bytes:
    """Return a JSON object of some members of an object, in bounded memory.

    Args:
        blocks: of the object.
        names: of the members that are kept, where they are no longer than that.
        largest: bytes of the longest member that is kept.

    Raises:
        InvalidRecord: it is no JSON object, or breaks off.

    """
    scanner = Scanner(blocks, largest)
    try:
        kept = _members(scanner, names, largest)
    except InputBroken as end:
        raise InvalidRecord("", end.rejection.reason_code, end.rejection.reason) from None
    return b"{" + b",".join(kept) + b"}"


def _members(scanner: Scanner, names: Collection[str], largest: int) -> list[bytes]:
    if scanner.next_char() != b"{":
        raise InvalidRecord("", "unexpected_form", "it is no JSON object")
    scanner.skip()
    kept: list[bytes] = []
    while (char := scanner.next_char()) is not None and char != b"}":
        if char == b",":
            scanner.skip()
            continue
        key, _ = scanner.value()
        if scanner.next_char() != b":":
            break
        scanner.skip()
        if scanner.next_char() is None:
            break
        value, problem = scanner.value()
        if problem is None and len(value) <= largest and decode(key, str) in names:
            kept.append(key + b":" + value)
    if scanner.next_char() != b"}":
        raise InputBroken(BREAKS_OFF)
    return kept
