"""A look at the first records of files: their columns as they stand there, nothing mapped."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING, Any, Final

from ..errors import ConfigurationError, InvalidRecord
from ..records.json_text import decode_object
from . import delimited, json_document, jsonl, parquet
from .binding import MOST_COLUMNS, too_many
from .blocks import ZIP, Blocks, InputBroken
from .files import archive_told, guess_format, single_rows
from .paths import open_input
from .targets import FREE
from .values import DATE, DecimalMark, iso_time, mark_of, number, truth

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from . import SourceRow
    from .files import Format

SAMPLE_ROWS: Final = 1000
_DEEPEST: Final = 4
_MOST_DISTINCT: Final = 10_000
_GAPS: Final = frozenset(("na", "n/a", "#n/a", "null", "none", "nan", "-", "?"))


@dataclass
class Column:
    """What stands in one column of a sample."""

    name: str
    values: list[object] = field(default_factory=list)
    """One for each record; None where there is nothing."""
    filled: list[object] = field(default_factory=list)
    """Those that say something."""
    numbers: list[float] = field(default_factory=list)
    """The same, if every one is a number."""
    gaps: set[str] = field(default_factory=set)
    """Words among numbers or truths that say nothing."""
    distinct: Counter[str] = field(default_factory=Counter)
    has_percent: bool = False

    def look(self, mark: DecimalMark | None) -> None:
        """Work out what the values have in common."""
        present = [value for value in self.values if value is not None and value != ""]
        kept = [value for value in present if str(value).strip().lower() not in _GAPS]
        numbers = [_number(value, mark) for value in kept]
        is_numeric = bool(kept) and None not in numbers
        is_true_or_false = bool(kept) and all(_truth(value) is not None for value in kept)
        if is_numeric or is_true_or_false:
            self.gaps = {str(value) for value in present if value not in kept}
            self.filled = kept
        else:
            self.filled = present
        self.numbers = [number for number in numbers if number is not None] if is_numeric else []
        self.has_percent = is_numeric and any(str(value).strip().endswith("%") for value in kept)
        self.distinct = Counter(str(value) for value in self.filled[:_MOST_DISTINCT])

    @property
    def is_numeric(self) -> bool:
        """Whether everything in it is a number."""
        return bool(self.numbers)

    @property
    def is_whole(self) -> bool:
        """Whether everything in it is a whole number."""
        return self.is_numeric and all(number == int(number) for number in self.numbers)

    @property
    def low(self) -> float:
        """The lowest number."""
        return min(self.numbers)

    @property
    def high(self) -> float:
        """The highest."""
        return max(self.numbers)

    @property
    def is_truth(self) -> bool:
        """Whether everything in it is true or false, yes or no, 1 or 0."""
        if self.is_numeric:
            return set(self.numbers) <= {0.0, 1.0}
        return bool(self.filled) and all(_truth(value) is not None for value in self.filled)

    @property
    def is_unique(self) -> bool:
        """Whether no value stands twice."""
        return bool(self.filled) and len(self.distinct) == len(self.filled)

    def time_form(self) -> str | None:
        """Return how its times are written: `iso` or another form, None for no times.

        `ambiguous` where day and month could be either, `short` where a year has two digits.
        """
        if self.is_numeric:
            for form, low, high in (
                ("epoch", 9e8, 4.2e9), ("epoch_ms", 9e11, 4.2e12), ("epoch_us", 9e14, 4.2e15),
                ("excel", 3.65e4, 5.5e4),
            ):  # fmt: skip
                if low <= self.low and self.high <= high:
                    return form
            return None
        texts = [str(value).strip() for value in self.filled]
        if not texts:
            return None
        try:
            for text in texts:
                iso_time("", text)
        except InvalidRecord:
            return _form_of_dates(texts)
        return "iso"


@dataclass(frozen=True)
class Sample:
    """The first records of files.

    Attributes:
        columns: by name, in the order met; those of an object with dots.
        rows: how many records were looked at.
        files: names of the files.
        format: of the first file.
        records: name of the list that holds them, where a document has one that is not `results`.
        decimal: what stands before decimals, where commas do.
        ambiguous: a number whose comma can be read in two ways, or is beside decimal points.

    """

    columns: dict[str, Column]
    rows: int
    files: Sequence[str]
    format: Format
    records: str | None
    decimal: DecimalMark | None
    ambiguous: str | None


def _columns(found: Sequence[Mapping[str, object]], path: str) -> dict[str, Column]:
    """Return the values of rows by column; raises ConfigurationError where there are too many."""
    columns: dict[str, Column] = {}
    for place, row in enumerate(found):
        if len(names := columns.keys() | row.keys()) > MOST_COLUMNS:
            raise ConfigurationError(f"{path}: {too_many(names)}")
        for name, value in row.items():
            if name not in columns:
                columns[name] = Column(name, [None] * place)
            columns[name].values.append(value)
        for column in columns.values():
            if len(column.values) <= place:
                column.values.append(None)
    return columns


def probe(
    paths: Sequence[str],
    format: Format | None,  # noqa: A002  the option's name
    decimal: DecimalMark | None = None,
    records: str | None = None,
) -> Sample:
    """Look at the first records of files, as many of each.

    Args:
        paths: of files, each once.
        format: of every file; told from name and content if None.
        decimal: as options say.
        records: likewise.

    Raises:
        ConfigurationError: a file cannot be opened, or holds nothing that could be guessed at.

    """
    found: list[dict[str, object]] = []
    first_format: Format | None = None
    list_name = records
    for path in paths:
        with open_input(path) as stream:
            most = max(SAMPLE_ROWS // len(paths), 1)
            chosen, rows, list_name = _first_rows(stream, path, format, list_name, most)
            first_format = first_format or chosen
            found += rows
    if not found or first_format is None:
        raise ConfigurationError(
            f"{paths[0]} has no record to guess from; load it with --dry-run to see why"
        )
    columns = _columns(found, paths[0])
    ambiguous = None
    if decimal is None:
        decimal, ambiguous = _decimal(columns)
    for column in columns.values():
        column.look(decimal)
    return Sample(
        columns, len(found), paths, first_format,
        list_name if list_name != json_document.RESULTS else None, decimal, ambiguous,
    )  # fmt: skip


def _first_rows(
    stream: IO[bytes], path: str, chosen: Format | None, records: str | None, most: int
) -> tuple[Format, list[dict[str, object]], str | None]:
    """Return the format, the first records, and the name of the list that holds them."""
    blocks = Blocks(stream)
    try:
        head = blocks.peek()
    except InputBroken as end:
        raise ConfigurationError(f"{path}: {end.rejection.reason}") from None
    if head.startswith(ZIP):
        told = archive_told(path, head, is_packed=blocks.is_packed)
        raise ConfigurationError(f"{path}: {told.reason}")
    inner = chosen or guess_format(path, head)
    if inner == "csv":
        names, table = delimited.sample(blocks, most)
        return inner, [dict(zip(names, row, strict=True)) for row in table], records
    if inner == "parquet":
        return inner, [_flat(row) for row in parquet.sample(blocks, most)], records
    if inner != "json":
        objects = _decoded(single_rows(jsonl.read(blocks, path)), most)
        return inner, [_flat(each) for each in objects], records
    objects = _decoded(json_document.read(blocks, path, records or json_document.RESULTS), most)
    if len(objects) == 1 and records is None:
        inside = next(json_document.lists_inside(objects[0]), None)
        if inside is not None:
            records, objects = inside[0], inside[1][:most]
    return inner, [_flat(each) for each in objects], records


def _decoded(rows: Iterator[SourceRow], most: int) -> list[dict[str, Any]]:
    """Return the first objects that can be read."""
    objects: list[dict[str, Any]] = []
    for row in rows:
        if row.rejection is None:
            try:
                objects.append(decode_object(row.original))
            except InvalidRecord:
                continue
        if len(objects) >= most:
            break
    return objects


def _flat(found: dict[str, Any], outer: str = "", depth: int = 1) -> dict[str, object]:
    """Return an object's values under dotted names; what a record can take whole stays whole."""
    flat: dict[str, object] = {}
    for name, value in found.items():
        whole = outer + name
        is_taken = whole.partition(".")[0] in FREE
        if isinstance(value, dict) and value and depth < _DEEPEST and not is_taken:
            flat |= _flat(value, f"{whole}.", depth + 1)
        else:
            flat[whole] = value
    return flat


def _number(value: object, mark: DecimalMark | None) -> float | None:
    """Return a finite number, None for anything else."""
    found = _read(value.strip().removesuffix("%"), mark) if isinstance(value, str) else value
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        return float(found) if math.isfinite(found) else None
    except OverflowError:  # an integer past every float
        return None


def _read(text: str, mark: DecimalMark | None) -> int | float | None:
    """Read a number as a load would; None where that would refuse it."""
    try:
        return number("", text, mark)
    except InvalidRecord:
        return None


def _truth(value: object) -> bool | None:
    return value if isinstance(value, bool) else truth(str(value))


def _decimal(columns: dict[str, Column]) -> tuple[DecimalMark | None, str | None]:
    """Tell what stands before decimals; else return a number that leaves it open."""
    first: dict[str | None, str] = {}
    """The first number of each kind."""
    for column in columns.values():
        texts = [value.strip() for value in column.values if isinstance(value, str)]
        kept = [text.removesuffix("%").rstrip() for text in texts if text.lower() not in _GAPS]
        marks = [(mark_of(text), text) for text in kept if text]
        if all(mark or _read(text, None) is not None for mark, text in marks):
            first = {**dict(reversed(marks)), **first}
    if "comma" in first and "point" not in first:
        return "comma", None
    return None, first.get("comma") or first.get("either")


def _form_of_dates(texts: Sequence[str]) -> str | None:
    found = [DATE.fullmatch(text) for text in texts]
    dates = [one for one in found if one is not None]
    if len(dates) < len(texts):
        return None
    if any(len(one[1]) < 4 and len(one[3]) < 4 for one in dates):  # noqa: PLR2004  a whole year
        return "short"
    can_be_day_first = all(int(one[2]) <= 12 for one in dates)  # noqa: PLR2004  months
    can_be_month_first = all(int(one[1]) <= 12 for one in dates)  # noqa: PLR2004
    if can_be_day_first and can_be_month_first:
        return "ambiguous"
    return "dmy" if can_be_day_first else "mdy" if can_be_month_first else None
