"""CSV: a header of field names, dots for nesting, an empty cell for what is absent."""

from __future__ import annotations

import csv
import json
from itertools import combinations
from typing import TYPE_CHECKING, Any, Final

from loader.errors import InvalidRecord
from loader.records.checks import FIELDS, REQUIRED
from loader.records.json_text import LARGEST_RECORD, shown, tolerant_decode
from loader.sources import Rejection, SourceRow
from loader.sources.jsonl import lines

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from loader.records.checks import Kind
    from loader.sources.blocks import Blocks

_NESTING: Final = ("scores", "measurements", "evaluator_versions", "metadata")
_DELIMITERS: Final = ",\t;"


def read(blocks: Blocks, origin: str, supplied: Collection[str] = ()) -> Iterator[SourceRow]:
    """Yield a row for every record.

    Args:
        blocks: comma-, tab- or semicolon-separated text, told from the header.
        origin: the file's name.
        supplied: required fields that options supply, so no column need have them.

    """
    text = _Lines(blocks)
    header_line = text.first()
    if text.problem or not header_line.strip():
        problem = text.problem or Rejection("invalid_header", "the header is blank; add one")
        yield SourceRow(1, origin, text.consumed(), None, problem)
        return
    delimiter = max(_DELIMITERS, key=header_line.count)
    reader = csv.reader(text, delimiter=delimiter, strict=True)
    # the largest cell the csv module takes; one process-wide setting
    csv.field_size_limit(LARGEST_RECORD)
    number, header, fault = _next(reader, text)
    columns: list[_Column] = []
    if header is not None and fault is None:
        try:
            columns = _columns(header, supplied)
        except InvalidRecord as error:
            fault = Rejection(error.code, error.reason)
    original = text.consumed()
    if fault is not None:
        yield SourceRow(number, origin, original, None, fault)
        return
    yield from _records(reader, text, columns, origin)


def _records(
    reader: Iterator[list[str]], text: _Lines, columns: list[_Column], origin: str
) -> Iterator[SourceRow]:
    while True:
        number, cells, problem = _next(reader, text)
        original = text.consumed()
        if problem is not None:
            yield SourceRow(number, origin, original, None, problem)
        elif cells is None:
            return
        elif cells:  # a blank line has none
            try:
                yield SourceRow(number, origin, original, _fields(columns, cells), None)
            except InvalidRecord as error:
                rejection = Rejection(error.code, error.reason)
                yield SourceRow(number, origin, original, None, rejection)


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
            text.problem
            or Rejection(
                "invalid_csv", f"not CSV: {error}; double the quotation marks inside a quoted cell"
            ),
        )
    return text.number, cells, text.problem


class _Column:
    """Where the cells of one column go, and what they are."""

    __slots__ = ("kind", "name", "path")

    def __init__(self, name: str) -> None:
        field, _, rest = name.partition(".")
        self.name = name
        self.kind: Kind | None = FIELDS[field][0] if field in FIELDS else None
        self.path: tuple[str, ...] = (field,)
        if rest and field in _NESTING:
            self.path = (field, *rest.split(".")) if field == "metadata" else (field, rest)
        elif rest:
            self.kind = None


def _columns(header: list[str], supplied: Collection[str]) -> list[_Column]:
    names = [cell.strip() for cell in header]
    columns = [_Column(name) for name in names]
    for position, column in enumerate(columns, 1):
        if not column.name:
            _refuse_header(f"column {position} of the header has no name; name it or remove it")
        if column.kind is None or column.kind == "objects":
            _refuse_header(
                f"the header names {shown(column.name)}, which is no field of a record; "
                f"rename it metadata.{column.name}, or scores.{column.name} if it is a score"
            )
        if not all(column.path):
            _refuse_header(f"the column {shown(column.name)} has an empty part; write a.b")
    _refuse_overlap(columns)
    for name in REQUIRED:
        if name not in names and name not in supplied:
            option = "" if name == "task_id" else f", or give --{name.replace('_', '-')}"
            _refuse_header(f"the header lacks {name}; add the column{option}")
    return columns


def _refuse_overlap(columns: list[_Column]) -> None:
    """Raise InvalidRecord if two columns fill the same place."""
    for first, second in combinations(columns, 2):
        shorter = min(len(first.path), len(second.path))
        if first.path == second.path:
            _refuse_header(f"the header names {shown(first.name)} twice; keep one of them")
        if first.path[:shorter] == second.path[:shorter]:
            _refuse_header(
                f"the columns {shown(first.name)} and {shown(second.name)} overlap; keep one"
            )


def _refuse_header(reason: str) -> None:
    raise InvalidRecord("", "invalid_header", reason)


def _fields(columns: list[_Column], cells: list[str]) -> dict[str, object]:
    """Return the fields of one record.

    Raises:
        InvalidRecord: too many or too few cells, or one that is not what its column wants.

    """
    if len(cells) != len(columns):
        raise InvalidRecord(
            "",
            "wrong_cell_count",
            f"the row has {len(cells)} cells and the header {len(columns)}; "
            "put cells that hold the delimiter in quotes",
        )
    fields: dict[str, object] = {}
    for column, cell in zip(columns, cells, strict=True):
        if not cell:
            continue
        *parents, last = column.path
        place: Any = fields
        for parent in parents:
            place = place.setdefault(parent, {})
        place[last] = _value(column, cell)
    return fields


def _value(column: _Column, cell: str) -> object:
    kind = column.kind
    if len(column.path) == 1 and kind in ("scores", "numbers", "texts", "object"):
        if column.name in _NESTING:
            return _json(column.name, cell)
    elif column.path[0] == "metadata":
        return _literal(cell)
    if kind in ("text", "texts"):
        return cell
    if kind == "boolean" or (kind == "scores" and cell.strip().lower() in ("true", "false")):
        return _boolean(column.name, cell)
    return _number(column.name, cell)


def _boolean(name: str, cell: str) -> bool:
    value = {"true": True, "1": True, "false": False, "0": False}.get(cell.strip().lower())
    if value is None:
        raise InvalidRecord(name, "wrong_type", f"{name} is {shown(cell)}; write true or false")
    return value


def _number(name: str, cell: str) -> int | float:
    text = cell.strip()
    # float() also takes 1_000
    if "_" not in text:
        try:
            return int(text)
        except ValueError:
            pass
        try:
            return float(text)
        except ValueError:
            pass
    raise InvalidRecord(
        name,
        "wrong_type",
        f"{name} is {shown(cell)} where a number is wanted; write it like 1850.5, "
        "or leave the cell empty",
    )


def _literal(cell: str) -> object:
    """Read a metadata cell: a number, true, false, object or array in JSON, else text."""
    if cell[0] in "-0123456789tf{[":
        try:
            return json.loads(cell)
        except (ValueError, RecursionError):
            return cell
    return cell


def _json(name: str, cell: str) -> object:
    try:
        return tolerant_decode(cell.encode())
    except InvalidRecord:
        raise InvalidRecord(
            name,
            "wrong_type",
            f"{name} is {shown(cell)}; write a JSON object, or a column for each key ({name}.key)",
        ) from None
