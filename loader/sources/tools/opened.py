"""A file of another tool, opened: its beginning, and its lines, rows, parts or members, lazily."""

from __future__ import annotations

import csv
import shutil
import tempfile
import zipfile
import zlib
from contextlib import closing, suppress
from functools import cached_property
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, Generic, NamedTuple, TypeVar

from loader.errors import ConfigurationError, InvalidRecord
from loader.records.json_text import oversized
from loader.sources import Rejection
from loader.sources.blocks import BLOCK_BYTES, KEPT_BYTES, Blocks, InputBroken
from loader.sources.digests import Digested
from loader.sources.jsonl import lines
from loader.sources.tools import FileBroken, Rejected
from loader.sources.tools.document import BREAKS_OFF, Outline, read_outline, walk_list
from loader.sources.tools.json_values import decode

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from loader.sources.digests import FileRead
    from loader.sources.tools import Item

T = TypeVar("T")

LARGEST_PART: Final = 32 * 1024 * 1024
"""Bytes of the largest sample: transcripts are long, and most of one is passed over."""
_MOST_EXPANSION: Final = 1000
_ZIP: Final = b"PK\x03\x04"
_FEW_BYTES: Final = 1024 * 1024
_MOST_COLUMNS: Final = 10_000


class Part(NamedTuple, Generic[T]):
    """One line, list element, row or member of a file, decoded."""

    number: int
    """From 1."""
    value: T
    text: bytes
    """As it stands there; empty for the row of a table."""


class ToolFile:
    """One file. Everything is read anew from the disk when it is asked for.

    Attributes:
        path: where it is; empty for standard input.
        name: its name without folder, and without `.gz`.
        not_numbers: values read so far that were NaN or infinite, and count as absent.

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
            return self._on_disk.open("rb")
        except OSError as error:
            raise ConfigurationError(
                f"{self.path} cannot be read: {error.strerror}; check the path and its rights"
            ) from None

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
            return stream.read(len(_ZIP)) == _ZIP

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
        """The header of a comma-separated table; empty for anything else."""
        text = self.head.decode("utf-8", "replace")
        if not text or text[:1] in "{[" or self.is_zip:
            return ()
        with suppress(csv.Error, StopIteration):
            return tuple(name.strip() for name in next(csv.reader(text.splitlines(keepends=True))))
        return ()

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
            for number, text, problem in lines(Blocks(stream)):
                if problem is not None:
                    yield Rejected(number, text, problem)
                elif text and not text.isspace():
                    yield self._part(number, text, kind)

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
                found = [problem for _, problem in walk_list(iter(Blocks(stream)), name)]
            except InputBroken as end:
                raise FileBroken(end.rejection) from None
        if found and found[-1] is BREAKS_OFF:
            raise FileBroken(BREAKS_OFF)
        return len(found)

    def parts(self, name: str, kind: type[T]) -> Iterator[Part[T] | Rejected]:
        """Yield each element of a list in a JSON document, decoded.

        Args:
            name: of the list, dots for nesting; empty where the document is the list.
            kind: what an element is decoded into.

        """
        with self.opened() as stream, closing(walk_list(iter(Blocks(stream)), name)) as found:
            try:
                for number, (text, problem) in enumerate(found, 1):
                    if problem is not None:
                        yield Rejected(number, text[:KEPT_BYTES], problem)
                    else:
                        yield self._part(number, text, kind)
            except InputBroken as end:
                yield Rejected(1, b"", end.rejection)

    def rows(self) -> Iterator[Part[dict[str, str]] | Rejected]:
        """Yield each row of a comma-separated table by its header; its number is its line."""
        with self.opened() as stream:
            csv.field_size_limit(LARGEST_PART)
            reader = csv.reader(_text_lines(Blocks(stream)))
            try:
                header = [name.strip() for name in next(reader, [])]
                number = reader.line_num + 1
                for cells in reader:
                    if len(cells) == len(header):
                        yield Part(number, dict(zip(header, cells, strict=True)), b"")
                    elif cells:
                        reason = (
                            f"the row has {len(cells)} cells and the header {len(header)}; "
                            "put cells that hold a comma in quotes"
                        )
                        text = ",".join(cells).encode()[:KEPT_BYTES]
                        yield Rejected(number, text, Rejection("wrong_cell_count", reason))
                    number = reader.line_num + 1
            except csv.Error as error:
                yield Rejected(reader.line_num, b"", Rejection("invalid_csv", f"not CSV: {error}"))
            except InputBroken as end:
                yield Rejected(reader.line_num + 1, b"", end.rejection)

    def archive(self) -> zipfile.ZipFile:
        """Open a zip archive; close it.

        Raises:
            FileBroken: it is none, or breaks off: its table of contents stands at its end.

        """
        try:
            return zipfile.ZipFile(self._on_disk)
        except (zipfile.BadZipFile, OSError, ValueError) as error:
            reason = f"the archive cannot be read ({error}); copy it again, its end is missing"
            raise FileBroken(Rejection("corrupt_zip", reason)) from None

    def beside(self, pattern: str) -> list[ToolFile]:
        """Return the files of the same folder that a pattern matches, by name; not this one."""
        if not self.path:
            return []
        here = Path(self.path)
        return [
            ToolFile(str(path))
            for path in sorted(here.parent.glob(pattern))
            if path.is_file() and path.name != here.name
        ]


def member(archive: zipfile.ZipFile, name: str) -> bytes:
    """Return what is in a member of an archive, unpacked.

    Raises:
        InvalidRecord: it is not there, is damaged, longer than a sample may be, or packed with
            an algorithm that Python does not have.

    """
    try:
        info = archive.getinfo(name)
        _refuse_large(info)
        with archive.open(info) as stream:
            return stream.read(LARGEST_PART)
    except KeyError:
        raise InvalidRecord("", "corrupt_zip", f"the archive has no {name}") from None
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError) as error:
        reason = f"{name} cannot be unpacked ({error}); copy the file again"
        raise InvalidRecord("", "corrupt_zip", reason) from None


def _refuse_large(info: zipfile.ZipInfo) -> None:
    name = info.filename
    if info.file_size > LARGEST_PART:
        told = oversized(info.file_size, LARGEST_PART)
        raise InvalidRecord("", "record_too_large", f"{name}: {told}")
    if info.file_size > max(_FEW_BYTES, _MOST_EXPANSION * info.compress_size):
        reason = f"{name} unpacks to more than {_MOST_EXPANSION:,} times its size; it is not read"
        raise InvalidRecord("", "expansion_too_large", reason)


def each(
    parts: Iterable[Part[T] | Rejected], make: Callable[[Part[T]], Iterable[Item]]
) -> Iterator[Item]:
    """Make runs of parts; what cannot be made one is rejected alone.

    Args:
        parts: of a file.
        make: yields the runs of one part; raises InvalidRecord where it is not as it should be.

    """
    for part in parts:
        if isinstance(part, Rejected):
            yield part
            continue
        try:
            made = list(make(part))
        except InvalidRecord as error:
            rejection = Rejection(error.code, error.reason)
            yield Rejected(part.number, part.text[:KEPT_BYTES], rejection)
        else:
            yield from made


def stored(stream: IO[bytes], folder: str) -> Path:
    """Keep what standard input holds, so that it can be read more than once."""
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as copy:
        shutil.copyfileobj(stream, copy, BLOCK_BYTES)
    return Path(copy.name)


def _text_lines(blocks: Blocks) -> Iterator[str]:
    for _, text, problem in lines(blocks):
        if problem is not None:
            raise InputBroken(problem)
        try:
            yield text.decode() + "\n"
        except UnicodeDecodeError as error:
            reason = f"not UTF-8 here ({error}); save the file as UTF-8"
            raise InputBroken(Rejection("invalid_utf8", reason)) from None
