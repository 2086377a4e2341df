"""Files and standard input as a source of records.

Plain or gzip is told from the first bytes, the format from the name, else from the
content. However large the file, one block of it is in memory.
"""

from __future__ import annotations

import glob
import stat
import sys
from contextlib import nullcontext
from pathlib import Path
from typing import IO, TYPE_CHECKING, Final, Literal

from loader.errors import ConfigurationError, InvalidRecord, SourceUnavailable
from loader.records.json_text import decode_object
from loader.sources import (
    JsonBatch,
    Rejection,
    SourceRow,
    baseline,
    delimited,
    json_document,
    jsonl,
)
from loader.sources.blocks import Blocks, InputBroken

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence
    from contextlib import AbstractContextManager

Format = Literal["jsonl", "json", "csv", "baseline"]
STANDARD_INPUT: Final = "-"

_FORMAT_OF_SUFFIX: Final[Mapping[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
}
_MOST_NAMED: Final = 100
"""How many file names a load's ledger entry lists."""


class FileSource:
    """Records from files and standard input, one after the other.

    Attributes:
        name: `file`, whatever the format; `baseline` for a baseline runner's files.
        never_waits: whether reading can never wait for someone else: regular files only.
        total_bytes: size of the input as stored, None if unknown.

    """

    def __init__(
        self,
        paths: Sequence[str],
        format: Format | None = None,  # noqa: A002  the option's name
        *,
        groups: Collection[str] = (),
        supplied: Collection[str] = (),
    ) -> None:
        """Find the files; none is opened yet.

        Args:
            paths: file names, patterns (`results/*.jsonl`), or `-` for standard input.
            format: of every file; told from name and content if None.
            groups: the known experiment groups, which a baseline runner's mode may name.
            supplied: the fields that options supply.

        Raises:
            ConfigurationError: a path does not exist, is a folder, or matches nothing.

        """
        self.name = "baseline" if format == "baseline" else "file"
        self._paths = expand(paths)
        self._format = format
        self._groups = groups
        self._supplied = supplied
        self._rows_of: dict[str, int] = {}
        self._finished_bytes = 0
        self._current: IO[bytes] | None = None
        sizes = [_size(path) for path in self._paths]
        self.never_waits = None not in sizes
        self.total_bytes = sum(size or 0 for size in sizes) if self.never_waits else None

    @property
    def position(self) -> int:
        """Bytes read so far, as stored."""
        here = self._current.tell() if self._current and self.never_waits else 0
        return self._finished_bytes + here

    def reference(self) -> Mapping[str, object]:
        """Name the files."""
        named: dict[str, object] = {"files": self._paths[:_MOST_NAMED]}
        if len(self._paths) > _MOST_NAMED:
            named["file_count"] = len(self._paths)
        if self._format:
            named["format"] = self._format
        return named

    def rows(self) -> Iterator[SourceRow]:
        """Yield the rows of every file; a file without any is one rejection.

        Raises:
            ConfigurationError: a file cannot be opened.
            SourceUnavailable: reading fails half-way.

        """
        yield from single_rows(self.batches())

    def batches(self) -> Iterator[JsonBatch | SourceRow]:
        """Yield the rows of every file, lines of JSON in batches.

        Raises:
            ConfigurationError: a file cannot be opened.
            SourceUnavailable: reading fails half-way.

        """
        for path in self._paths:
            origin = "" if path == STANDARD_INPUT else path
            with _opened(path) as stream:
                self._current = stream
                try:
                    yield from self._batches(Blocks(stream), origin)
                except OSError as error:
                    raise SourceUnavailable(
                        f"reading {path} failed: {error.strerror or error}; nothing was loaded"
                    ) from error
                finally:
                    self._current = None
            self._finished_bytes += _size(path) or 0

    def _batches(self, blocks: Blocks, origin: str) -> Iterator[JsonBatch | SourceRow]:
        try:
            head = blocks.peek()
        except InputBroken as end:
            yield SourceRow(1, origin, b"", None, end.rejection)
            return
        batches = self._read(blocks, head, origin) if head else iter(())
        first = next((batch for batch in batches if not _is_empty(batch)), None)
        if first is None:
            found = "holds no record" if head else "is empty"
            yield SourceRow(
                1,
                origin,
                b"",
                None,
                Rejection("empty_file", f"the input {found}; check that it was written"),
            )
            return
        yield first
        yield from batches

    def _read(self, blocks: Blocks, head: bytes, origin: str) -> Iterator[JsonBatch | SourceRow]:
        chosen = self._format
        named = None if chosen == "baseline" else chosen
        inner = named or guess_format(origin, head)
        rows: Iterator[JsonBatch | SourceRow]
        if inner == "csv":
            rows = delimited.read(blocks, origin, self._supplied)
        elif inner == "json":
            rows = json_document.read(blocks, origin)
        else:
            rows = jsonl.read(blocks, origin)
        if chosen == "baseline":
            return baseline.adapt(single_rows(rows), self._groups)
        return rows


def _is_empty(batch: JsonBatch | SourceRow) -> bool:
    return isinstance(batch, JsonBatch) and not batch.texts


def single_rows(batches: Iterator[JsonBatch | SourceRow]) -> Iterator[SourceRow]:
    """Take batches apart into rows."""
    for batch in batches:
        if isinstance(batch, SourceRow):
            yield batch
        else:
            for number, text in zip(batch.numbers, batch.texts, strict=True):
                yield SourceRow(number, batch.origin, text, None, None)


def expand(paths: Sequence[str]) -> list[str]:
    """Return the files that paths and patterns name, each once.

    Raises:
        ConfigurationError: a path does not exist, is a folder, or matches nothing.

    """
    found: dict[str, None] = {}
    for path in paths:
        if path == STANDARD_INPUT or Path(path).is_file():
            matches = [path]
        elif Path(path).is_dir():
            raise ConfigurationError(
                f"{path} is a folder; name its files, such as '{path.rstrip('/')}/*.jsonl'"
            )
        elif Path(path).exists():
            matches = [path]
        elif glob.has_magic(path):
            matches = sorted(
                match
                for match in glob.glob(path, recursive=True)  # noqa: PTH207  absolute or not
                if Path(match).is_file()
            )
            if not matches:
                raise ConfigurationError(f"no file matches {path}; check the pattern")
        else:
            raise ConfigurationError(f"there is no file {path}; check the path")
        found.update(dict.fromkeys(matches))
    if not found:
        raise ConfigurationError("no file is named; give --file PATH, or - for standard input")
    return list(found)


def guess_format(origin: str, head: bytes) -> Format:
    """Tell the format of an input.

    Args:
        origin: its path, which decides if it has a known suffix (before `.gz`).
        head: its beginning, unpacked.

    """
    path = Path(origin)
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    known = _FORMAT_OF_SUFFIX.get(suffix.lower())
    if known:
        return known
    text = head.lstrip()
    if text.startswith(b"["):
        return "json"
    if not text.startswith(b"{"):
        return "csv" if text[:1].isalpha() or text.startswith(b'"') else "jsonl"
    line = text.split(b"\n", 1)[0]
    try:
        return "json" if "results" in decode_object(line) else "jsonl"
    except InvalidRecord:
        # an object that goes on over several lines
        return "json" if line.strip() == b"{" or b"\n" in text else "jsonl"


def _opened(path: str) -> AbstractContextManager[IO[bytes]]:
    if path == STANDARD_INPUT:
        return nullcontext(sys.stdin.buffer)
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be read: {error.strerror}; check the path and its rights"
        ) from None


def _size(path: str) -> int | None:
    """Return the size of a regular file, None for anything else."""
    if path == STANDARD_INPUT:
        return None
    try:
        status = Path(path).stat()
    except OSError:
        return None
    return status.st_size if stat.S_ISREG(status.st_mode) else None
