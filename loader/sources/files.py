"""Files and standard input as a source of records.

Plain or gzip is told from the first bytes, the format from the name, else from the
content. However large the file, one block of it is in memory.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

from ..errors import ConfigurationError, InvalidRecord, SourceUnavailable
from ..records.checks import FIELDS
from ..records.json_text import decode_object
from . import (
    JsonBatch,
    Rejection,
    SourceRow,
    baseline,
    delimited,
    json_document,
    jsonl,
    legacy,
    parquet,
    run_results,
)
from .binding import MOST_COLUMNS, advised, told_lacking, too_many
from .blocks import ZIP, ZIP_WITHIN_GZIP, Blocks, InputBroken
from .digests import Digested, FileRead
from .mapped import Objects
from .mapping import Mapping
from .paths import STANDARD_INPUT, expand, files_reference, open_input, size_of

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Collection, Iterator, Sequence

Format = Literal["jsonl", "json", "csv", "parquet", "baseline", "legacy"]

_FORMAT_OF_SUFFIX: Final[collections.abc.Mapping[str, Format]] = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".csv": "csv",
    ".tsv": "csv",
    ".parquet": "parquet",
}
_NOTHING_SAID: Final = Mapping()
_DELIMITERS: Final = (b",", b"\t", b";")
_OF_WORKBOOK: Final = b"[Content_Types].xml"
"""A member that workbooks begin with."""
_WORKBOOKS: Final = (".xlsx", ".xlsm", ".ods")


class FileSource:
    """Records from files and standard input, one after the other.

    Attributes:
        name: `file`, whatever the format; `baseline` for a baseline runner's files, `run` for
            what `run --output` wrote: its runs are those that it made.
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
        mapping: Mapping = _NOTHING_SAID,
    ) -> None:
        """Find the files; none is opened yet.

        Args:
            paths: file names, patterns (`results/*.jsonl`), or `-` for standard input.
            format: of every file; told from name and content if None.
            groups: the known experiment groups, which a baseline runner's mode may name.
            supplied: the fields that options supply.
            mapping: what was said of the columns of every file.

        Raises:
            ConfigurationError: a path does not exist, or matches nothing; or
                columns are mapped of a format that says what they are.

        """
        if format == "baseline" and mapping.says_of_columns:
            raise ConfigurationError("--format baseline says what its columns are; leave --map out")
        self.name: str = format if format in ("baseline", "legacy") else "file"
        self._paths = expand(paths)
        self._format = format
        self._groups = groups
        self._supplied = supplied
        self._mapping = mapping.over(legacy.MAPPING) if format == "legacy" else mapping
        self._rows_of: dict[str, int] = {}
        self._finished_bytes = 0
        self._files_read: list[FileRead] = []
        self._current: Digested | None = None
        self._unseen: set[str] | None = None
        """Mapped names that no object of any file had; None before one was read."""
        if self.name == "file" and format in (None, "json", "jsonl"):
            self.name = self._told_by(self._paths[0])
        sizes = [size_of(path) for path in self._paths]
        self.never_waits = None not in sizes
        self.total_bytes = sum(size or 0 for size in sizes) if self.never_waits else None

    def _told_by(self, path: str) -> str:
        """Return the source that the first record of a file tells."""
        if size_of(path) is None or self._mapping.says_of_columns:
            return "file"
        with open_input(path) as stream:
            blocks = Blocks(stream)
            try:
                head = blocks.peek()
            except InputBroken:
                return "file"
            inner = self._format or guess_format(path, head)
            if inner == "json":
                rows = json_document.read(blocks, path)
            elif inner == "jsonl":
                rows = single_rows(jsonl.read(blocks, path))
            else:
                return "file"
            first = next(rows, None)
        is_made = first is not None and run_results.is_made_by_run(first.original)
        return run_results.SOURCE if is_made else "file"

    def _refuse_mixed(self, path: str) -> None:
        """Refuse a file whose runs are of another source than those of the first."""
        first = self._paths[0]
        kinds = ("file", run_results.SOURCE)
        if path != first and self.name in kinds and self._told_by(path) != self.name:
            made, other = (path, first) if self.name == "file" else (first, path)
            raise ConfigurationError(
                f"{made} was written by run --output, and {other} was not; load them apart, so "
                "that the runs of the one stay those that run made"
            )

    @property
    def position(self) -> int:
        """Bytes read so far, as stored."""
        here = self._current.tell() if self._current and self.never_waits else 0
        return self._finished_bytes + here

    def reference(self) -> collections.abc.Mapping[str, object]:
        """Name the files."""
        return files_reference(self._paths, self._format, self._mapping)

    def files_read(self) -> Sequence[FileRead]:
        """Return, once read, what was in each file."""
        return self._files_read

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
        self._files_read.clear()
        for path in self._paths:
            self._refuse_mixed(path)
            origin = "" if path == STANDARD_INPUT else path
            with open_input(path) as stream:
                self._current = Digested(stream)
                try:
                    yield from self._batches(Blocks(self._current), origin)
                    self._files_read.append(self._current.finish(origin))
                except OSError as error:
                    raise SourceUnavailable(
                        f"reading {path} failed: {error.strerror or error}; nothing was loaded"
                    ) from error
                finally:
                    self._current = None
            self._finished_bytes += size_of(path) or 0

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
        chosen, mapping = self._format, self._mapping
        named = None if chosen in ("baseline", "legacy") else chosen
        inner = named or guess_format(origin, head)
        if head.startswith(ZIP):
            told = archive_told(origin, head, is_packed=blocks.is_packed)
            return iter([SourceRow(1, origin, b"", None, told)])
        if inner == "csv":
            rows: Iterator[JsonBatch | SourceRow] = delimited.read(
                blocks, origin, self._supplied, mapping
            )
        elif inner == "parquet":
            rows = parquet.read(blocks, origin, self._supplied, mapping)
        else:
            rows = (
                json_document.read(blocks, origin, mapping.records or json_document.RESULTS)
                if inner == "json"
                else jsonl.read(blocks, origin)
            )
            if mapping.says_of_columns:
                rows = self._mapped(rows, origin)
            elif chosen is None or chosen == inner:
                rows = _advised(rows, self._supplied)
        if chosen == "baseline":
            return baseline.adapt(single_rows(rows), self._groups)
        return rows

    def _mapped(
        self, rows: Iterator[JsonBatch | SourceRow], origin: str
    ) -> Iterator[JsonBatch | SourceRow]:
        objects = Objects(self._mapping, self._supplied, origin)
        yield from map(objects.row, single_rows(rows))
        unseen = objects.unseen
        self._unseen = unseen if self._unseen is None else self._unseen & unseen

    def notes(self) -> Iterator[str]:
        """Say which mapped names no object had."""
        for entry in self._mapping.entries:
            if not entry.is_optional and self._unseen and self._unseen & set(entry.columns):
                yield f"{entry.text}: no record has {' + '.join(entry.columns)}; check its name"


def _advised(
    batches: Iterator[JsonBatch | SourceRow], supplied: Collection[str]
) -> Iterator[JsonBatch | SourceRow]:
    """Say of the first record all that is wrong with its names; leave the others as they are."""
    for batch in batches:
        if isinstance(batch, SourceRow):
            yield batch if batch.rejection else _advised_row(batch, supplied)
        elif batch.texts:
            first = SourceRow(batch.numbers[0], batch.origin, batch.texts[0], None, None)
            told = _advised_row(first, supplied)
            if told is first:
                yield batch
            else:
                yield told
                yield JsonBatch(batch.origin, batch.numbers[1:], batch.texts[1:])
        else:
            continue
        break
    yield from batches


def _advised_row(row: SourceRow, supplied: Collection[str]) -> SourceRow:
    try:
        found = decode_object(row.original)
    except InvalidRecord:
        return row  # whoever checks it says what is wrong
    unknown = [name for name in found if name not in FIELDS]
    if not unknown:
        return row
    if len(found) > MOST_COLUMNS:
        return row._replace(rejection=Rejection("too_many_fields", too_many(found)))
    told = advised(found, unknown, told_lacking(found.keys(), supplied, unknown))
    return row._replace(rejection=Rejection("unknown_field", told))


def archive_told(origin: str, head: bytes, *, is_packed: bool) -> Rejection:
    """Return why a zip archive, of no tool, is not read: a workbook, one within gzip, another."""
    if _OF_WORKBOOK in head or Path(origin).suffix.lower() in _WORKBOOKS:
        return Rejection(
            "workbook", "this is a workbook; save its sheet as CSV (UTF-8), and load that"
        )
    if is_packed:
        return ZIP_WITHIN_GZIP
    reason = "this is a zip archive of no tool that is known; unpack it, and load what is in it"
    return Rejection("archive", reason)


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


def has_known_suffix(path: str) -> bool:
    """Whether a path ends as files of records do (before `.gz`)."""
    return _known_suffix(path) in _FORMAT_OF_SUFFIX


def _known_suffix(origin: str) -> str:
    path = Path(origin)
    suffix = path.with_suffix("").suffix if path.suffix.lower() == ".gz" else path.suffix
    return suffix.lower()


def guess_format(origin: str, head: bytes) -> Format:
    """Tell the format of an input.

    Args:
        origin: its path, which decides if it has a known suffix (before `.gz`).
        head: its beginning, unpacked.

    """
    known = _FORMAT_OF_SUFFIX.get(_known_suffix(origin))
    if known:
        return known
    if head.startswith(parquet.MAGIC):
        return "parquet"
    text = head.lstrip()
    if text.startswith(b"["):
        return "json"
    line = text.split(b"\n", 1)[0]
    if not text.startswith(b"{"):
        is_table = text[:1].isalpha() or text.startswith(b'"') or any(map(line.count, _DELIMITERS))
        return "csv" if is_table else "jsonl"
    try:
        return "json" if "results" in decode_object(line) else "jsonl"
    except InvalidRecord:
        # an object that goes on over several lines
        return "json" if line.strip() == b"{" or b"\n" in text else "jsonl"
