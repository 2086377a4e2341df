"""CSV: a header of column names, dots for nesting, an empty cell for what is absent."""

from __future__ import annotations

import csv
import re
from typing import TYPE_CHECKING, Final

from ..errors import InvalidRecord
from ..records.json_text import LARGEST_RECORD
from . import Rejection, SourceRow
from .binding import bind
from .jsonl import lines
from .mapped import Cells
from .mapping import Mapping

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from .blocks import Blocks

_DELIMITERS: Final = ",\t;"
_TOLD: Final = re.compile(r"sep=([,;|\t])", re.IGNORECASE)
_NOTHING_SAID: Final = Mapping()


def read(
    blocks: Blocks, origin: str, supplied: Collection[str] = (), mapping: Mapping = _NOTHING_SAID
) -> Iterator[SourceRow]:
    """Yield a row for every record.

    Args:
        blocks: comma-, tab- or semicolon-separated text, told from the header.
        origin: the file's name.
        supplied: required fields that options supply, so no column need have them.
        mapping: what was said of the columns.

    """
    table = Table(blocks)
    header = table.header()
    if isinstance(header, SourceRow):
        yield header._replace(origin=origin)
        return
    try:
        cells = Cells(bind(header, mapping, supplied), header, mapping, origin)
    except InvalidRecord as error:
        rejection = Rejection(error.code, error.reason)
        yield SourceRow(table.number, origin, table.original, None, rejection)
        return
    for number, original, row, problem in table.rows():
        if row is None:
            yield SourceRow(number, origin, original, None, problem)
            continue
        try:
            yield SourceRow(number, origin, original, cells.fields(row), None)
        except InvalidRecord as error:
            rejection = Rejection(error.code, error.reason)
            yield SourceRow(number, origin, original, None, rejection)


def sample(blocks: Blocks, most: int) -> tuple[list[str], list[list[str]]]:
    """Return the names of the columns and the first rows that are whole, for a look at them.

    Args:
        blocks: as for `read`.
        most: how many rows.

    """
    table = Table(blocks)
    header = table.header()
    if isinstance(header, SourceRow):
        return [], []
    found: list[list[str]] = []
    for _, _, row, _ in table.rows():
        if row is not None and len(row) == len(header):
            found.append(row)
        if len(found) >= most:
            break
    return header, found


class Table:
    """The header and the rows of a delimited text."""

    def __init__(self, blocks: Blocks) -> None:
        """Take a text at its beginning; nothing is read yet."""
        self._text = _Lines(blocks)
        self._reader: Iterator[list[str]] = iter(())
        self.number = 1
        self.original = b""

    def header(self) -> list[str] | SourceRow:
        """Return the names of the columns, `#3` for one without; a rejection if there are none."""
        text = self._text
        header_line = text.first()
        told = _TOLD.fullmatch(header_line.strip("\r\n "))
        if told:  # a spreadsheet's own line
            next(text)
            header_line = text.first()
        if text.problem or not header_line.strip():
            problem = text.problem or Rejection("invalid_header", "the header is blank; add one")
            return SourceRow(1, "", text.consumed(), None, problem)
        delimiter = told[1] if told else max(_DELIMITERS, key=header_line.count)
        self._reader = csv.reader(text, delimiter=delimiter, strict=True)
        # the largest cell the csv module takes; one process-wide setting
        csv.field_size_limit(LARGEST_RECORD)
        self.number, header, fault = _next(self._reader, text)
        self.original = text.consumed()
        if header is None or fault is not None:
            return SourceRow(self.number, "", self.original, None, fault)
        return [cell.strip() or f"#{place}" for place, cell in enumerate(header, 1)]

    def rows(self) -> Iterator[tuple[int, bytes, list[str] | None, Rejection | None]]:
        """Yield number, text, cells, and what is wrong where there are none."""
        while True:
            number, cells, problem = _next(self._reader, self._text)
            original = self._text.consumed()
            if problem is not None:
                yield number, original, None, problem
            elif cells is None:
                return
            elif cells:  # a blank line has none
                yield number, original, cells, None


class _Lines:
    """Lines as the csv module wants them, remembering what they were."""

    def __init__(self, blocks: Blocks) -> None:
        self._lines = lines(blocks)
        self._waiting: str | None = None
        self._consumed: list[bytes] = []
        self._consumed_length = 0
        self.number = 0
        """Number of the first line consumed for the record under way."""
        self.problem: Rejection | None = None

    def first(self) -> str:
        """Return the first line, which will be read again."""
        self._waiting = next(self, "")
        return self._waiting

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self._waiting is not None:
            line, self._waiting = self._waiting, None
            return line
        if self._consumed_length > LARGEST_RECORD:
            self.problem = self.problem or Rejection(
                "invalid_csv",
                "a quotation mark opens here and does not close within "
                f"{LARGEST_RECORD:,} bytes; close it",
            )
            # an empty line inside quotes would grow the cell; end the record instead
            raise csv.Error("unclosed quotation mark")
        number, raw, problem = next(self._lines)
        if not self._consumed:
            self.number = number
        self._consumed.append(raw)
        self._consumed_length += len(raw)
        if problem:
            self.problem = self.problem or problem
            return ""
        try:
            return raw.decode() + "\n"
        except UnicodeDecodeError as error:
            self.problem = self.problem or Rejection(
                "invalid_utf8",
                f"byte {error.start + 1} of line {number} (0x{raw[error.start]:02x}) is not "
                "UTF-8; save the file as UTF-8",
            )
            return raw.decode(errors="replace") + "\n"

    def consumed(self) -> bytes:
        """Return the lines of the record under way, and start the next."""
        original = b"\n".join(self._consumed)
        self._consumed = []
        self._consumed_length = 0
        self.problem = None
        return original


def _refused(error: csv.Error) -> Rejection:
    if "field limit" in str(error):
        reason = f"a cell is longer than {LARGEST_RECORD:,} bytes; keep long texts elsewhere"
        return Rejection("record_too_large", reason)
    reason = f"not CSV: {error}; double the quotation marks inside a quoted cell"
    return Rejection("invalid_csv", reason)


def _next(
    reader: Iterator[list[str]], text: _Lines
) -> tuple[int, list[str] | None, Rejection | None]:
    """Read one record: its first line, its cells, and what is wrong with it."""
    try:
        cells = next(reader, None)
    except csv.Error as error:
        return (
            text.number,
            None,
            text.problem or _refused(error),
        )
    return text.number, cells, text.problem
