"""The bytes of one input, block by block, unwrapped from gzip, and UTF-8 whatever it was."""

from __future__ import annotations

import codecs
import zlib
from itertools import chain
from typing import TYPE_CHECKING, Final, Protocol

from . import Rejection

if TYPE_CHECKING:
    from collections.abc import Iterator

BLOCK_BYTES: Final = 128 * 1024
KEPT_BYTES: Final = 64 * 1024
"""How much of a record that is too long is kept with its rejection."""
MOST_EXPANSION: Final = 200
"""How many times its size gzip data may unpack to, once that is more than a few bytes."""
_FEW_BYTES: Final = 1024 * 1024
_GZIP_MAGIC: Final = b"\x1f\x8b"
_BYTE_ORDER_MARK: Final = b"\xef\xbb\xbf"
ZIP: Final = b"PK\x03\x04"
ZIP_WITHIN_GZIP: Final = Rejection(
    "archive",
    "this is a zip archive within gzip; unpack the gzip: the archive inside is read as it is",
)
_TWO_WIDE: Final = 4
"""Bytes of two characters in UTF-16."""
_WIDE: Final = {codecs.BOM_UTF16_LE: "utf-16-le", codecs.BOM_UTF16_BE: "utf-16-be"}


class InputBroken(Exception):  # noqa: N818  an event of reading, not a fault of the program
    """The input cannot be read any further; what came before stands."""

    def __init__(self, rejection: Rejection) -> None:
        """Keep the reason."""
        super().__init__(rejection.reason)
        self.rejection = rejection


class Readable(Protocol):
    """A binary stream, as far as it is needed here."""

    def read(self, size: int = -1, /) -> bytes:
        """Return the next bytes; none at the end."""


class Blocks:
    """Blocks of one input, of about `BLOCK_BYTES`, without a byte order mark.

    Iterating raises `InputBroken` where a gzip file is cut off or damaged.
    """

    def __init__(self, stream: Readable) -> None:
        """Take a binary stream; nothing is read yet."""
        self._stream = stream
        self._first: bytes | None = None
        self._rest: Iterator[bytes] = iter(())
        self.is_packed = False
        """Whether the stream is gzip; known once `peek` was called."""

    def peek(self) -> bytes:
        """Return the first block without consuming it; empty for an empty input.

        Raises:
            InputBroken: not even the first block can be read.

        """
        if self._first is None:
            head = self._stream.read(BLOCK_BYTES)
            self.is_packed = head.startswith(_GZIP_MAGIC)
            self._rest = self._unpacked(head) if self.is_packed else self._plain(head)
            first = next(self._rest, b"")
            encoding = _wide_encoding(first)
            if encoding:
                self._rest = _narrowed(first, self._rest, encoding)
                first = next(self._rest, b"")
            if first.startswith(_BYTE_ORDER_MARK):
                first = first[len(_BYTE_ORDER_MARK) :] or next(self._rest, b"")
            self._first = first
        return self._first

    def __iter__(self) -> Iterator[bytes]:
        """Yield every block; none is empty."""
        first = self.peek()
        if first:
            yield first
            yield from self._rest

    def _plain(self, head: bytes) -> Iterator[bytes]:
        while head:
            yield head
            head = self._stream.read(BLOCK_BYTES)

    def _unpacked(self, head: bytes) -> Iterator[bytes]:
        """Unpack one gzip member after the other, in bounded memory."""
        member = zlib.decompressobj(wbits=31)
        packed, unpacked = len(head), 0
        while True:
            try:
                data = member.decompress(head, BLOCK_BYTES)
            except zlib.error as error:
                raise InputBroken(
                    Rejection(
                        "corrupt_gzip",
                        f"the gzip data is damaged here ({error}); pack the file again",
                    )
                ) from None
            unpacked += len(data)
            if unpacked > max(_FEW_BYTES, MOST_EXPANSION * packed):
                raise InputBroken(
                    Rejection(
                        "expansion_too_large",
                        f"the gzip data unpacks to more than {MOST_EXPANSION} times its size; "
                        "the rest is not read, unpack it and load that if it is sound",
                    )
                )
            if data:
                yield data
            if member.eof:
                head = member.unused_data.lstrip(b"\0")
                if not head:
                    head = self._stream.read(BLOCK_BYTES)
                    packed += len(head)
                if not head:
                    return
                member = zlib.decompressobj(wbits=31)
                continue
            head = member.unconsumed_tail
            if not head:
                head = self._stream.read(BLOCK_BYTES)
                packed += len(head)
            if not head and not data:
                raise InputBroken(
                    Rejection(
                        "truncated_gzip",
                        "the gzip file breaks off here; copy it again, its rest is missing",
                    )
                )


def _wide_encoding(head: bytes) -> str | None:
    """Tell UTF-16 from its mark, or from the NULs beside its first two characters."""
    marked = _WIDE.get(head[:2])
    if marked or len(head) < _TWO_WIDE:
        return marked
    first, second, third, fourth = head[:_TWO_WIDE]
    if first and third and not second and not fourth:
        return "utf-16-le"
    return "utf-16-be" if second and fourth and not first and not third else None


def _narrowed(first: bytes, rest: Iterator[bytes], encoding: str) -> Iterator[bytes]:
    """Turn UTF-16 into UTF-8, its mark as well."""
    decoder = codecs.getincrementaldecoder(encoding)()
    try:
        for block in chain([first], rest):
            text = decoder.decode(block).encode()
            if text:
                yield text
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise InputBroken(
            Rejection(
                "invalid_utf16",
                f"the input begins as UTF-16 and is not here ({error}); save it as UTF-8",
            )
        ) from None
