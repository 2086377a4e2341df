"""The places of a record that a column may fill, and how what stands there is read."""

from __future__ import annotations

import json
from functools import partial
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import InvalidRecord
from ..records.checks import CONTENTS, FIELDS
from ..records.json_text import shown, tolerant_decode
from .values import boolean, iso_time, number, plain_number, truth

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..records.checks import Kind
    from .values import DecimalMark

FREE: Final = ("metadata", *CONTENTS)
"""Fields in which any depth may be nested, and any value stands."""
NESTING: Final = (
    *("scores", "score_scales", "measurements", "evaluator_versions", "comments", "labels"),
    *FREE,
)  # fmt: skip
_DEEPEST: Final = 100
_PER_CENT: Final = (0, 100)
_MOST_DIGITS: Final = 15
"""Of a whole number that a float still holds exactly."""


class Style(NamedTuple):
    """How numbers and gaps are written in a file, and which scores have a scale."""

    mark: DecimalMark | None = None
    missing: frozenset[str] = frozenset()
    scales: Mapping[str, tuple[float, float]] = {}


PLAIN: Final = Style()


class Target(NamedTuple):
    """A place of a record."""

    name: str
    """As written, dots for nesting."""
    path: tuple[str, ...]
    kind: Kind

    def read(self, value: object, style: Style = PLAIN) -> object:
        """Read a value that is typed already, as JSON and Parquet have it.

        Args:
            value: not None; text may hold a number, a truth, or JSON where the place wants it.
            style: of the file.

        Raises:
            InvalidRecord: it is not what the place wants.

        """
        if isinstance(value, str):
            is_any = self.path[0] in FREE and (len(self.path) > 1 or self.path[0] in CONTENTS)
            return value if is_any else self.read_cell(value, style)
        if self.name == "recorded_at":
            return iso_time(self.name, value)
        if self.kind in ("text", "texts", "labels") and len(self.path) == _depth(self.kind):
            return as_text(value)
        return value

    def read_cell(self, cell: str, style: Style = PLAIN) -> object:
        """Read the text of a cell that is not empty; raises InvalidRecord as `reader` tells."""
        read = self.reader(style)
        return cell if read is None else read(cell)

    def reader(self, style: Style = PLAIN) -> Callable[[str], object] | None:
        """Return what reads the text of a cell that is not empty; None where it stays as it is.

        What is returned raises InvalidRecord where the cell is not what the place wants.
        """
        field, is_whole = self.path[0], len(self.path) == 1
        if field in CONTENTS:
            return _contents
        if field == "score_scales" or (field in NESTING and is_whole):
            return partial(_json, self.name)
        if field in FREE:
            return _literal
        return self._reader_of_kind(style)

    def _reader_of_kind(self, style: Style) -> Callable[[str], object] | None:
        if self.kind in ("text", "texts", "labels"):
            return partial(iso_time, self.name) if self.name == "recorded_at" else None
        if self.kind == "boolean":
            return partial(boolean, self.name)
        if self.kind == "scores":
            return partial(self._score, style=style)
        return partial(number, self.name, mark=style.mark)

    def _score(self, cell: str, style: Style) -> object:
        if cell[0] not in "0123456789.-":
            is_true = truth(cell)
            if is_true is not None:
                return is_true
        text = cell.rstrip()
        if not text.endswith("%"):
            return number(self.name, text, style.mark)
        if style.scales.get(self.path[-1]) == _PER_CENT:
            return number(self.name, text[:-1], style.mark)
        raise InvalidRecord(
            self.name,
            "undeclared_percent",
            f"{self.name} is {shown(cell)}; say that 100 is full: --scale {self.path[-1]}=0:100, "
            f"or --map '{self.name}=COLUMN:percent'",
        )


def _depth(kind: Kind) -> int:
    return 2 if kind in ("texts", "labels") else 1


def target(name: str) -> Target | None:
    """Return the place that a name means, None if a record has no such place."""
    field, _, rest = name.partition(".")
    if field not in FIELDS or FIELDS[field][0] == "objects":
        return None
    kind = FIELDS[field][0]
    if not rest:
        return None if name.endswith(".") else Target(name, (field,), kind)
    if field not in NESTING:
        return None
    path = (field, *rest.split(".", _DEEPEST)) if field in FREE else (field, rest)
    return Target(name, path, kind) if all(path) else None


def under(field: str, key: str) -> Target:
    """Return the place of a key of any spelling in a field that nests."""
    return Target(f"{field}.{key}", (field, key), FIELDS[field][0])


def put(fields: dict[str, object], path: Sequence[str], value: object) -> bool:
    """Put a value at its place; return whether that was free."""
    place: Any = fields
    if len(path) > 1:
        for parent in path[:-1]:
            place = place.setdefault(parent, {})
            if not isinstance(place, dict):
                return False
    last = path[-1]
    if last not in place:
        place[last] = value
        return True
    if isinstance(value, dict) and isinstance(place[last], dict):
        return all(put(place[last], (key,), inner) for key, inner in value.items())
    return False


def as_text(value: object) -> object:
    """Write a number or a truth as the text that a name is; whole numbers without a point."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, float) and value.is_integer() and abs(value) < 10**_MOST_DIGITS:
        return str(int(value))
    return str(value) if isinstance(value, int | float) else value


def _contents(cell: str) -> object:
    """Read what was asked or answered: an object or array in JSON, else text."""
    return _literal(cell) if cell[0] in "{[" else cell


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


def as_number(name: str, value: object, style: Style, *, is_percent: bool = False) -> int | float:
    """Return the number that a value is or holds, to calculate with.

    Raises:
        InvalidRecord: it is none.

    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        text = str(value).strip()
        if is_percent:
            text = text.removesuffix("%").rstrip()
        plain = plain_number(text) if isinstance(value, bool) else None
        return number(name, text, style.mark) if plain is None else plain
    return value
