"""A file of another tool, opened: its beginning, and its lines, rows, parts or members, lazily."""

from __future__ import annotations

import errno
import io
import os
import re
import shutil
import tempfile
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

import msgspec

from ...errors import ConfigurationError, InvalidRecord, NoRoom, SourceUnavailable
from ...records.json_text import oversized
from .. import Rejection, SourceRow
from ..blocks import BLOCK_BYTES, KEPT_BYTES, ZIP, Blocks, InputBroken
from ..delimited import Table
from ..digests import Digested
from ..jsonl import lines
from . import FileBroken, Rejected
from .archives import open_archive
from .document import LARGEST_ELEMENT, Outline, read_outline, walk_list
from .json_values import decode

if TYPE_CHECKING:
    import zipfile
    from collections.abc import Callable, Iterable, Iterator

    from ..digests import FileRead
    from . import Item

T = TypeVar("T")

LARGEST_PART: Final = LARGEST_ELEMENT
"""Bytes of the largest sample: transcripts are long, and most of one is passed over."""
_WITHOUT_CELLS: Final = Rejection("invalid_csv", "the row has no cells; write the file anew")


class Part(NamedTuple, Generic[T]):
    """One line, list element, row or member of a file, decoded."""

    number: int
    """From 1."""
    value: T
    text: bytes
    """As it stands there."""


class ToolFile:
    """One file. Everything is read anew from the disk when it is asked for.

    Attributes:
        path: where it is; empty for standard input.
        name: its name without folder, and without `.gz`.
        not_numbers: values read so far that were NaN or infinite, and count as absent.
        unread: files beside it that were looked for and may not be read.

    """

    def __init__(self, path: str, stored: Path | None = None) -> None:
        """Take a path; nothing is read yet.

        Args:
            path: as it was given; `-` or empty is standard input.
            stored: where a copy is that can be read more than once, of standard input.

        """
        self.path = "" if path == "-" else path
        self._on_disk = stored or Path(path)
        self.not_numbers = 0
        self.unread: set[str] = set()
        self._stream: IO[bytes] | None = None
        name = Path(self.path).name
        self.name = name[: -len(".gz")] if name.lower().endswith(".gz") else name

    @property
    def shown_name(self) -> str:
        """What messages call it."""
        return self.path or "standard input"

    @cached_property
    def byte_count(self) -> int:
        """Size as stored; 0 where that cannot be told."""
        try:
            return self._on_disk.stat().st_size
        except OSError:
            return 0

    def digest(self) -> FileRead:
        """Read it to its end, for its hash.

        Raises:
            ConfigurationError: it cannot be read.

        """
        with self.opened() as stream:
            return Digested(stream).finish(self.path)

    def opened(self) -> IO[bytes]:
        """Open the file as it is stored.

        Raises:
            ConfigurationError: it cannot be read.

        """
        try:
            self._stream = self._on_disk.open("rb")
        except OSError as error:
            raise ConfigurationError(
                f"{self.shown_name} cannot be read: {error.strerror}; check the path and its rights"
            ) from None
        return self._stream

    @property
    def position(self) -> int:
        """How far it is read, in bytes as stored; 0 where nobody reads it."""
        stream = self._stream
        return stream.tell() if stream is not None and not stream.closed else 0

    @cached_property
    def head(self) -> bytes:
        """Its first block, unpacked, at most 128 KB; empty where it cannot be read."""
        with self.opened() as stream, suppress(InputBroken):
            return Blocks(stream).peek()
        return b""

    @cached_property
    def is_zip(self) -> bool:
        """Whether it is a zip archive."""
        with self.opened() as stream:
            return stream.read(len(ZIP)) == ZIP

    @cached_property
    def keys(self) -> frozenset[str]:
        """Names of the outermost JSON object, as far as the head shows them.

        For lines of JSON they are those of the first line, for a list those of its first element.
        """
        return frozenset(self._outer)

    @cached_property
    def _outer(self) -> dict[str, Any]:
        """The outermost object's members that the head shows whole; others are `...`."""
        head = self.head.lstrip()
        start = head[1:] if head.startswith(b"[") else head
        try:
            return read_outline(iter([start]), (), is_whole=False).members
        except InvalidRecord:
            return {}

    def keys_within(self, name: str) -> frozenset[str]:
        """Names of the first object in the list of a name, as far as the head shows them.

        Where the name is that of an object, they are those of the object.
        """
        if name not in self.keys:
            return frozenset()
        begun = re.search(rb'"%s"\s*:\s*\[?\s*(?=\{)' % re.escape(name.encode()), self.head)
        if begun is None:
            return frozenset()
        rest = self.head[begun.end() :]
        try:
            return frozenset(read_outline(iter([rest]), (), is_whole=False).members)
        except InvalidRecord:
            return frozenset()

    @cached_property
    def is_list(self) -> bool:
        """Whether the document is a JSON list."""
        return self.head.lstrip().startswith(b"[")

    def shown(self, name: str) -> Any:  # noqa: ANN401  any JSON value
        """Return a member of the outermost object if the head shows it whole, else None."""
        found = self._outer.get(name)
        return None if found is ... else found

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The header of a delimited table, `#3` for a column without name; else empty."""
        start = self.head.lstrip()[:1]
        if not start or start in b"{[" or self.is_zip:
            return ()
        header = Table(Blocks(io.BytesIO(self.head))).header()
        return () if isinstance(header, SourceRow) else tuple(header)

    def decode(self, text: bytes, kind: type[T]) -> T:
        """Decode JSON of this file, such as a member of an archive.

        Raises:
            InvalidRecord: not JSON, or otherwise than the type says.

        """
        return decode(text, kind, self._count_absent)

    def _count_absent(self, count: int) -> None:
        self.not_numbers += count

    def _part(self, number: int, text: bytes, kind: type[T]) -> Part[T] | Rejected:
        try:
            return Part(number, self.decode(text, kind), text)
        except InvalidRecord as error:
            return Rejected(number, text[:KEPT_BYTES], Rejection(error.code, error.reason))

    def lines(self, kind: type[T]) -> Iterator[Part[T] | Rejected]:
        """Yield every line that is not blank, decoded."""
        with self.opened() as stream:
            for number, text, problem in lines(Blocks(stream), LARGEST_PART):
                if problem is not None:
                    yield Rejected(number, text, problem)
                elif text and not text.isspace():
                    yield self._part(number, text, kind)

    def document(self, kind: type[T]) -> T:
        """Return a small JSON document, decoded whole.

        Raises:
            FileBroken: it is longer than a sample may be, not JSON, or otherwise than the type.

        """
        text = bytearray()
        with self.opened() as stream:
            try:
                for block in Blocks(stream):
                    text += block
                    if len(text) > LARGEST_PART:
                        told = oversized(None, LARGEST_PART)
                        raise FileBroken(Rejection("record_too_large", f"{self.name}: {told}"))
                return self.decode(bytes(text), kind)
            except InputBroken as end:
                raise FileBroken(end.rejection) from None
            except InvalidRecord as error:
                raise FileBroken(Rejection(error.code, f"{self.name}: {error.reason}")) from None

    def outline(self, *lists: str) -> Outline:
        """Read a JSON document without its long lists, to its end.

        Args:
            lists: the lists that are passed over, dots for nesting; each is read with `parts`.

        Raises:
            FileBroken: it is no JSON object, breaks off, or is long without them.

        """
        with self.opened() as stream:
            try:
                return read_outline(iter(Blocks(stream)), lists)
            except InputBroken as end:
                raise FileBroken(end.rejection) from None
            except InvalidRecord as error:
                raise FileBroken(Rejection(error.code, error.reason)) from None

    def count(self, name: str = "") -> int:
        """Return how many elements a list of a JSON document has; reads it to its end.

        Args:
            name: of the list, dots for nesting; empty where the document is the list.

        Raises:
            FileBroken: the document breaks off, so that nothing of it is to be loaded.

        """
        with self.opened() as stream:
            try:
                return sum(1 for _ in walk_list(iter(Blocks(stream)), name))
            except InputBroken as end:
                raise FileBroken(end.rejection) from None

    def parts(self, name: str, kind: type[T]) -> Iterator[Part[T] | Rejected]:
        """Yield each element of a list in a JSON document, decoded.

        Args:
            name: of the list, dots for nesting; empty where the document is the list.
            kind: what an element is decoded into.

        """
        number = 0
        with self.opened() as stream, closing(walk_list(iter(Blocks(stream)), name)) as found:
            try:
                for number, (text, problem) in enumerate(found, 1):
                    if problem is not None:
                        yield Rejected(number, text[:KEPT_BYTES], problem)
                    else:
                        yield self._part(number, text, kind)
            except InputBroken as end:
                yield Rejected(number + 1, b"", end.rejection)

    def rows(self) -> Iterator[Part[dict[str, str]] | Rejected]:
        """Yield each row of a delimited table by its header; its number is its first line."""
        with self.opened() as stream:
            table = Table(Blocks(stream))
            header = table.header()
            if isinstance(header, SourceRow):
                if header.rejection is not None:
                    yield Rejected(1, header.original, header.rejection)
                return
            for number, text, cells, problem in table.rows():
                if cells is None or problem is not None:
                    yield Rejected(number, text, problem or _WITHOUT_CELLS)
                elif len(cells) == len(header):
                    yield Part(number, dict(zip(header, cells, strict=True)), text)
                else:
                    reason = (
                        f"the row has {len(cells)} cells and the header {len(header)}; put "
                        "cells that hold the delimiter in quotes"
                    )
                    yield Rejected(number, text, Rejection("wrong_cell_count", reason))

    def archive(self) -> zipfile.ZipFile:
        """Open a zip archive; close it.

        Raises:
            FileBroken: it is none, or breaks off: its table of contents stands at its end.

        """
        return open_archive(self._on_disk)

    def near(self, path: str) -> ToolFile | None:
        """Return the file at a path that is told from this one's folder: `../run.json`, if any."""
        if not self.path:
            return None
        found = Path(self.path).parent / path
        return ToolFile(str(found)) if found.is_file() else None

    def beside(self, pattern: str, suffixes: tuple[str, ...] = ("",)) -> list[ToolFile]:
        """Return the files of the same folder that a pattern matches, by name; not this one.

        Those that nobody lets us read are left out, and in `unread` from then on.

        Args:
            pattern: told from the folder, dots and slashes included.
            suffixes: of their names without `.gz`, in small letters; any, if none is given.

        """
        if not self.path:
            return []
        here = Path(self.path)
        found: list[ToolFile] = []
        for path in sorted(here.parent.glob(pattern)):
            if path == here or not path.is_file():
                continue
            other = ToolFile(str(path))
            if not other.name.lower().endswith(suffixes):
                continue
            if os.access(path, os.R_OK, effective_ids=os.access in os.supports_effective_ids):
                found.append(other)
            else:
                self.unread.add(other.path)
        return found


def each(
    parts: Iterable[Part[T] | Rejected], make: Callable[[Part[T]], Iterable[Item]]
) -> Iterator[Item]:
    """Make runs of parts; what cannot be made one is rejected alone.

    Args:
        parts: of a file.
        make: yields the runs of one part; raises InvalidRecord where it is not as it should be,
            or what msgspec does where it decodes a piece of it.

    """
    for part in parts:
        if isinstance(part, Rejected):
            yield part
            continue
        try:
            made = list(make(part))
        except InvalidRecord as error:
            rejection = Rejection(error.code, error.reason)
        except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
            rejection = Rejection("unexpected_form", f"not as this tool writes it: {error}")
        else:
            yield from made
            continue
        yield Rejected(part.number, part.text[:KEPT_BYTES], rejection)


def stored(stream: IO[bytes], folder: str) -> Path:
    """Keep what standard input holds, so that it can be read more than once.

    Raises:
        NoRoom: the disk has no room for it.
        SourceUnavailable: it cannot be read to its end.

    """
    try:
        with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
            shutil.copyfileobj(stream, copy, BLOCK_BYTES)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise NoRoom(f"{folder} has no room for the input; set TMPDIR to another") from None
        raise SourceUnavailable(f"the input cannot be read to its end: {error.strerror}") from error
    return Path(copy.name)
