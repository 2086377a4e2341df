"""What tells the content of one file from that of another, taken while it is read."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, NamedTuple, Protocol, runtime_checkable

if TYPE_CHECKING:
    from collections.abc import Sequence

_BLOCK_BYTES: Final = 1024 * 1024
_HASH_BYTES: Final = 16


class FileRead(NamedTuple):
    """A file that was read to its end."""

    origin: str
    """As of its rows."""
    content_hash: str
    """The first half of its SHA-256, in hexadecimal."""
    byte_count: int


@runtime_checkable
class Filed(Protocol):
    """A source that reads files, or what could be one."""

    def files_read(self) -> Sequence[FileRead]:
        """Return, once read, what was in each."""


def digest_of(path: str) -> FileRead:
    """Read a file to its end; raises OSError."""
    with Path(path).open("rb") as stream:
        return Digested(stream).finish(path)


class Digested:
    """A binary stream whose content is hashed as it is read."""

    def __init__(self, stream: IO[bytes]) -> None:
        """Take a stream at its beginning."""
        self._stream = stream
        self._hash = hashlib.sha256()
        self._count = 0

    def read(self, size: int = -1) -> bytes:
        """Read as the stream does."""
        data = self._stream.read(size)
        self._hash.update(data)
        self._count += len(data)
        return data

    def tell(self) -> int:
        """Return how far the stream is."""
        return self._stream.tell()

    def finish(self, origin: str) -> FileRead:
        """Read what nobody wanted, and say what was in it all."""
        while self.read(_BLOCK_BYTES):
            pass
        return FileRead(origin, self._hash.digest()[:_HASH_BYTES].hex(), self._count)
