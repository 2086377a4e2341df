"""What a person says of a file's columns: `TARGET=SOURCE`, one for each.

TARGET  a field of a record, dots for nesting: task_id, scores.correct, metadata.note;
        `-` leaves the column out; `metadata.*` takes every column not otherwise used
SOURCE  'a constant', or a column and what is done to it, from left to right:
        *1000  /60         a number, times or divided by
        :s  :cents         its unit, which becomes that of the target
        :epoch  :dmy       how a time is written
        {A:baseline,B:x}   what its words mean
A column is a name, dots for nesting; `@file` is the name of the file without its
folder and ending; a name that looks like one of the above stands in [brackets].
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError, InvalidRecord, nearest
from ..records.checks import FIELDS
from .steps import is_named, steps_of
from .targets import PLAIN, Style, Target, target
from .units import unit_of

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Iterable, Sequence

    from .steps import Operation, Step
    from .values import DecimalMark

FILE: Final = "@file"
REST: Final = "*"
LEFT_OUT: Final = "-"
_PARTS: Final = (0.0, 1.0)
_NUMBER: Final = r"\d+(?:\.\d+)?(?:[eE][-+]?\d+)?"
_ARITHMETIC: Final = re.compile(rf"(.*\S)\s*([*/])\s*({_NUMBER})", re.DOTALL)
_NAMED: Final = re.compile(r"(.*\S)\s*:\s*(\w+)", re.DOTALL)
_WORDS: Final = re.compile(r"(.*\S)\s*\{([^{}]*)\}", re.DOTALL)
_BETWEEN: Final = re.compile(r"\]\s*\+\s*\[")
_CONSTANT: Final = re.compile(r"'(.*)'|\"(.*)\"", re.DOTALL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One `TARGET=SOURCE`."""

    text: str
    """As written, for messages."""
    target: Target | None
    """None: the column is left out."""
    columns: tuple[str, ...] = ()
    """More than one are summed up; none for a constant."""
    constant: str | None = None
    steps: tuple[Step, ...] = ()
    is_optional: bool = False
    """Holds only where the column is there and no column has the target's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mapping:
    """Everything said of the columns of a load.

    Attributes:
        entries: in the order given; a later one for the same target counts.
        keeps_rest: whether columns not otherwise used are kept under metadata.
        scales: score key to its lowest and highest value.
        measures: keys that are measurements, not scores.
        defaults: fields that every record has, as options say them.
        groups: experiment group to its role, `control` or `treatment`.
        decimal: what stands before decimals.
        missing: cells that mean nothing was measured.
        records: name of the list that holds the records of a JSON document.

    """

    entries: Sequence[Entry] = ()
    keeps_rest: bool = False
    scales: collections.abc.Mapping[str, tuple[float, float]] = field(default_factory=dict)
    measures: frozenset[str] = frozenset()
    defaults: collections.abc.Mapping[str, str] = field(default_factory=dict)
    groups: collections.abc.Mapping[str, str] = field(default_factory=dict)
    decimal: DecimalMark | None = None
    missing: frozenset[str] = frozenset()
    records: str | None = None

    @property
    def says_of_columns(self) -> bool:
        """Whether records have to be looked at one by one for it."""
        return bool(self.entries or self.keeps_rest or self.missing)

    def of(self, names: Iterable[str]) -> Mapping:
        """Return what of it holds for columns of these names."""
        names = set(names)
        held = [
            each
            for each in self.entries
            if not each.is_optional
            or (names.issuperset(each.columns) and each.target and each.target.name not in names)
        ]
        return self if len(held) == len(self.entries) else replace(self, entries=held)

    @property
    def style(self) -> Style:
        """How values are written."""
        if self.decimal is None and not self.missing and not self.scales:
            return PLAIN
        return Style(self.decimal, self.missing, self.scales)

    def over(self, other: Mapping) -> Mapping:
        """Return this mapping laid over another: what both say, this one decides."""
        own = {entry.target.name for entry in self.entries if entry.target}
        kept = [
            entry for entry in other.entries if not entry.target or entry.target.name not in own
        ]
        return Mapping(
            entries=(*kept, *self.entries),
            keeps_rest=self.keeps_rest or other.keeps_rest,
            scales={**other.scales, **self.scales},
            measures=self.measures | other.measures,
            defaults={**other.defaults, **self.defaults},
            groups={**other.groups, **self.groups},
            decimal=self.decimal or other.decimal,
            missing=self.missing | other.missing,
            records=self.records or other.records,
        )


def parse_all(texts: Iterable[tuple[str, str, str]]) -> Mapping:
    """Read entries, each given as where it stands, its target and its source.

    Raises:
        ConfigurationError: some are wrong; names each of them.

    """
    entries: dict[str, Entry] = {}
    faults: list[str] = []
    keeps_rest = False
    for place, goal, source in texts:
        if (goal, source) == ("metadata.*", REST):
            keeps_rest = True
            continue
        try:
            entry = parse(goal, source)
        except ConfigurationError as error:
            faults.append(f"{place}: {error}")
            continue
        key = entry.target.name if entry.target else f"{LEFT_OUT}{entry.columns[0]}"
        if key in entries:
            faults.append(f"{place}: {key} is given twice; keep one of them")
        entries[key] = entry
    if faults:
        raise ConfigurationError("\n".join(faults))
    return Mapping(entries=tuple(entries.values()), keeps_rest=keeps_rest)


def parse(goal: str, source: str) -> Entry:
    """Read one entry.

    Raises:
        ConfigurationError: it has no such target, or its source makes no sense for it.

    """
    goal, source = goal.strip(), source.strip()
    text = f"{goal}={source}"
    if not source:
        raise ConfigurationError(
            f"{text} names no column; write {goal}=COLUMN or {goal}='constant'"
        )
    constant = _CONSTANT.fullmatch(source)
    place = None if goal == LEFT_OUT else _target(goal, source)
    if constant:
        said = constant[1] if constant[1] is not None else constant[2]
        if place is None or not said:
            raise ConfigurationError(f"{text} is a constant that says nothing; leave it out")
        try:
            place.read_cell(said)
        except InvalidRecord as error:
            raise ConfigurationError(f"{text}: {error.reason}") from None
        return Entry(text=text, target=place, constant=said)
    named, operations = _taken_apart(source)
    columns = _columns(named)
    if place is None:
        return Entry(text=text, target=None, columns=columns)
    try:
        [steps, *_] = [steps_of(each, place, operations) for each in columns]
    except ConfigurationError as error:
        raise ConfigurationError(f"{text}: {error}") from None
    return Entry(text=text, target=place, columns=columns, steps=steps)


def _columns(named: str) -> tuple[str, ...]:
    """Return the columns that a source names, more than one where they are summed up."""
    if named.startswith("[") and named.endswith("]"):
        return tuple(_BETWEEN.split(named[1:-1]))
    parts = [part.strip() for part in named.split("+")]
    return tuple(parts) if all(parts) else (named,)


def _target(goal: str, source: str) -> Target:
    if goal == "metadata.*" or source == REST:
        raise ConfigurationError("what is left over goes to one place: write metadata.*=*")
    place = target(goal)
    if place is not None:
        return place
    field_name, _, rest = goal.partition(".")
    if field_name in FIELDS and rest:
        raise ConfigurationError(f"{goal}: the field {field_name} has no parts; write {field_name}")
    raise ConfigurationError(
        f"{goal} is no field of a record{nearest(goal, FIELDS)}; a score of your own is "
        f"scores.{goal}, a count or a size measurements.{goal}, anything else metadata.{goal}"
    )


def _taken_apart(source: str) -> tuple[str, list[Operation]]:
    """Take the operations off a source, from its end; return the column and them in order."""
    operations: list[Operation] = []
    while not (source.startswith("[") and source.endswith("]")):
        if found := _ARITHMETIC.fullmatch(source):
            operations.append((found[2], found[3]))
        elif found := _WORDS.fullmatch(source):
            operations.append(("{", found[2]))
        elif (found := _NAMED.fullmatch(source)) and is_named(found[2]):
            operations.append((":", found[2]))
        else:
            break
        source = found[1]
    return source, operations[::-1]


def refuse_percent(mapping: Mapping) -> None:
    """Raise where a column of per cent becomes a score whose scale nobody stated.

    Raises:
        ConfigurationError: names each.

    """
    faults = []
    for entry in mapping.entries:
        place = entry.target
        if place is None or place.kind != "scores" or entry.steps:
            continue
        key, column = place.path[-1], "+".join(entry.columns)
        carried = unit_of(column)
        is_share = carried is not None and carried.quantity == "share" and carried != unit_of(key)
        if is_share and mapping.scales.get(key, _PARTS)[1] <= 1:
            faults.append(
                f"{entry.text}: {column} is in per cent; write "
                f"{place.name}={column}:percent, or --scale {key}=0:100"
            )
    if faults:
        raise ConfigurationError("\n".join(faults))
