"""What the reading side passes around: rows with named, typed columns.

A column's kind says what its values mean, so that a person sees `1,850.5` under
`latency (ms)` while a program reads `1850.5` from JSON.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence


class Format(StrEnum):
    """How a result is printed."""

    TABLE = "table"
    JSON = "json"
    CSV = "csv"
    MARKDOWN = "markdown"


class Kind(StrEnum):
    """What a column's values mean; units are part of it."""

    TEXT = "text"
    INTEGER = "integer"
    NUMBER = "number"
    """A plain number of no known unit."""
    SCORE = "score"
    """0…1, higher is better."""
    MILLISECONDS = "ms"
    TOKENS = "tokens"
    USD = "USD"
    PERCENT = "percent"
    """A signed relative change, positive is better."""
    POINTS = "points"
    """A signed change of a score in hundredths of its scale, positive is better."""
    CHANGE = "change"
    """A signed difference in the unit of a metric, positive is better."""
    PROBABILITY = "probability"
    """A p-value; a tiny one is told as such, never as 0."""
    BOOLEAN = "boolean"
    TIMESTAMP = "timestamp"
    OUTCOME = "outcome"
    """candidate, baseline, tie; or a recommendation."""


SIGNED = frozenset({Kind.PERCENT, Kind.POINTS, Kind.CHANGE})
NUMERIC = frozenset({
    Kind.INTEGER, Kind.NUMBER, Kind.SCORE, Kind.MILLISECONDS, Kind.TOKENS, Kind.USD, Kind.PERCENT,
    Kind.POINTS,
    Kind.CHANGE, Kind.PROBABILITY,
})  # fmt: skip


class Column(NamedTuple):
    """One column: `name` for programs, `heading` for people."""

    name: str
    kind: Kind = Kind.TEXT
    heading: str = ""
    rank: int = 0
    """How soon a narrow terminal leaves it out, the highest first; 0 never."""


class Table(NamedTuple):
    """Rows as the database returned them: one value per column, None for null."""

    columns: tuple[Column, ...]
    rows: Sequence[tuple[object, ...]]

    def pick(self, columns: Sequence[Column]) -> Table:
        """Return the named columns only, with their kinds and headings, in their order.

        Raises:
            ConfigurationError: a mart lacks one of them; says what to run.

        """
        places = {column.name: place for place, column in enumerate(self.columns)}
        lacking = [column.name for column in columns if column.name not in places]
        if lacking:
            raise ConfigurationError(
                f"the marts are of another version (no {', '.join(lacking)}); run evalmart build"
            )
        chosen = [places[column.name] for column in columns]
        return Table(tuple(columns), [tuple(row[place] for place in chosen) for row in self.rows])

    def values(self, name: str) -> list[object]:
        """Return one column's values."""
        place = [column.name for column in self.columns].index(name)
        return [row[place] for row in self.rows]

    def records(self) -> list[dict[str, object]]:
        """Return the rows as dictionaries by column name."""
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]


def kind_of(name: str, type_oid: int = 0) -> Kind:
    """Return what a column's values mean: marts carry units in the names of columns."""
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return kind
    return _TYPES.get(type_oid, Kind.TEXT)


# The first that fits counts.
_ENDINGS: Final = {
    "weighted_improvement_pct": Kind.PERCENT,
    "improvement_pct": Kind.POINTS,
    "_pct": Kind.PERCENT,
    "_ms": Kind.MILLISECONDS,
    "_usd": Kind.USD,
    "tokens_used": Kind.TOKENS,
    "_at": Kind.TIMESTAMP,
    "accuracy": Kind.SCORE,
    "completeness": Kind.SCORE,
    "efficiency": Kind.SCORE,
    "integration_quality": Kind.SCORE,
    "primary_difference": Kind.CHANGE,
    "winner": Kind.OUTCOME,
    "recommendation": Kind.OUTCOME,
}


# PostgreSQL's fixed type numbers (pg_type.dat): bool; int8, int2, int4; floats and numeric.
_TYPES: Final = {
    16: Kind.BOOLEAN,
    **dict.fromkeys((20, 21, 23), Kind.INTEGER),
    **dict.fromkeys((700, 701, 1700), Kind.NUMBER),
    1184: Kind.TIMESTAMP,
}
