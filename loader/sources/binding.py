"""A mapping held against the columns that are there: which column fills which place.

Whatever is wrong with a header is said at once.
"""

from __future__ import annotations

import shlex
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import InvalidRecord, close_names
from ..records.checks import REQUIRED
from ..records.json_text import shown
from .advice import advice, meaning
from .json_document import lists_inside
from .mapping import FILE
from .targets import as_number, target, under
from .values import exact_sum

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Collection, Iterator, Sequence, Sized

    from .mapping import Mapping
    from .steps import Step
    from .targets import Style, Target

MOST_COLUMNS: Final = 10_000
_MOST_TOLD: Final = 40
_MOST_COMPARED: Final = 1000
"""Names that are searched for one like another: each costs a comparison letter by letter."""
NO_ADVICE: Final[collections.abc.Mapping[str, str]] = {}
TOGETHER: Final = "\n    "
"""Between faults that are told at once."""


class Assignment(NamedTuple):
    """Columns, one unless they are summed up, and the place that they fill."""

    columns: tuple[str, ...]
    place: Target
    steps: Sequence[Step] = ()

    @property
    def told(self) -> str:
        """The columns, for messages."""
        return " + ".join(self.columns)

    def total(self, values: Sequence[object], style: Style) -> object:
        """Return what the columns hold together: the one, the sum, None where one is missing.

        Raises:
            InvalidRecord: a part of a sum is no number.

        """
        if len(values) == 1:
            return values[0]
        if any(value is None or value == "" for value in values):
            return None
        return exact_sum([as_number(self.place.name, value, style) for value in values])

    def read(self, value: object, style: Style, *, is_cell: bool = False) -> object:
        """Turn what the column holds into what its place wants.

        Args:
            value: of the column.
            style: of the file.
            is_cell: whether it is the text of a cell, which may be anything, or typed.

        Returns:
            None where the column says nothing.

        Raises:
            InvalidRecord: it cannot be read as that.

        """
        for step in self.steps:
            if value is None or value == "":
                return None
            value = step(self.place.name, value, style)
            is_cell = isinstance(value, str)
        if value is None or value == "":
            return None
        if is_cell and isinstance(value, str):
            return self.place.read_cell(value, style)
        return self.place.read(value, style)


class Bound(NamedTuple):
    """What fills a record."""

    assignments: list[Assignment]
    constants: list[tuple[Target, object]]
    rest: list[Assignment]
    """Columns not otherwise used; they may join an object that another column holds."""

    def places(self) -> Iterator[tuple[Target, str]]:
        """Yield every place with who fills it."""
        yield from ((each.place, each.told) for each in self.assignments)
        yield from ((place, f"the constant for {place.name}") for place, _ in self.constants)


def explicit(mapping: Mapping) -> Bound:
    """Return what a mapping says by itself, before any column is seen."""
    bound = Bound([], [], [])
    for entry in mapping.entries:
        if entry.target is None:
            continue
        place = entry.target
        if entry.constant is None:
            bound.assignments.append(Assignment(entry.columns, place, entry.steps))
        else:
            bound.constants.append((place, place.read_cell(entry.constant, mapping.style)))
    return bound


def bind(
    names: Sequence[str], mapping: Mapping, supplied: Collection[str], *, is_nested: bool = False
) -> Bound:
    """Say which of the columns of a file fills which place.

    Args:
        names: of the columns, in their order.
        mapping: what was said of them.
        supplied: required fields that options supply.
        is_nested: whether a column may hold others.

    Raises:
        InvalidRecord: with everything that is wrong.

    """
    if len(names) > MOST_COLUMNS:
        _refuse([too_many(names)])
    mapping = mapping.of(names)
    bound = explicit(mapping)
    faults = list(_repeated(names)) + list(_absent(names, mapping, is_nested=is_nested))
    used = {column for entry in mapping.entries for column in entry.columns}
    if is_nested:
        used |= {column.partition(".")[0] for column in used}
    unknown = []
    for name in dict.fromkeys(names):
        if name in used:
            continue
        place = target(name)
        if place is not None:
            bound.assignments.append(Assignment((name,), place))
        elif mapping.keeps_rest:
            bound.rest.append(Assignment((name,), under("metadata", name)))
        else:
            unknown.append(name)
    faults += _overlapping(bound)
    filled = {place.name for place, _ in bound.places()}
    told = told_unknown(unknown) + told_lacking(filled, supplied, unknown)
    if faults or told:
        _refuse(faults + told)
    return bound


def too_many(names: Sized) -> str:
    """Say that there are more columns than are read."""
    return (
        f"there are {len(names):,} columns; at most {MOST_COLUMNS:,} are read: "
        "write the values of one kind into a JSON object"
    )


def file_name(origin: str) -> str:
    """Return what `@file` is for a file: its name without folder and ending."""
    name = PurePath(origin).name.removesuffix(".gz")
    return name.rpartition(".")[0] or name


def _repeated(names: Sequence[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        if name in seen:
            yield f"{shown(name)} stands twice; keep one of them"
        seen.add(name)


def _absent(names: Sequence[str], mapping: Mapping, *, is_nested: bool) -> Iterator[str]:
    """Yield what a mapping names and the header has not."""
    known = {*names, FILE}
    for entry in mapping.entries:
        for column in entry.columns:
            outer = column.partition(".")[0] if is_nested else column
            if column not in known and outer not in known:
                near = close_names(column, names) if len(names) <= _MOST_COMPARED else []
                meant = f"; did you mean {', '.join(near)}?" if near else ""
                yield f"{entry.text}: there is no column {shown(column)}{meant}"


def _overlapping(bound: Bound) -> list[str]:
    """Return what is wrong where two columns fill the same place, or one inside another."""
    faults = []
    tree: dict[str, Any] = {}
    """Parts of the paths so far; a leaf names who fills it."""
    for place, name in bound.places():
        branch: Any = tree
        *parents, last = place.path
        for parent in parents:
            branch = branch.setdefault(parent, {})
            if not isinstance(branch, dict):
                break
        other = branch.get(last) if isinstance(branch, dict) else branch
        if other is None:
            branch[last] = name
        else:
            by = shown(other) if isinstance(other, str) else f"columns of {place.name}"
            faults.append(
                f"{shown(name)} and {by} overlap in {place.name}; "
                f"keep one, the other is left out by --map -=COLUMN"
            )
    return faults


def told_unknown(
    unknown: Sequence[str], known: collections.abc.Mapping[str, str] = NO_ADVICE
) -> list[str]:
    """Say of columns that are no field what to write for each; `known` says it of some."""
    if not unknown:
        return []
    is_one = len(unknown) == 1
    heading = (
        f"{len(unknown)} {'column is' if is_one else 'columns are'} no field of a record; "
        f"say what {'it is' if is_one else 'each is'}, or let --guess propose it "
        "(--map 'metadata.*=*' keeps what is left):"
    )
    told = [heading]
    told += [f"  {name}: {known.get(name) or advice(name)}" for name in unknown[:_MOST_TOLD]]
    if len(unknown) > _MOST_TOLD:
        told.append(f"  and {len(unknown) - _MOST_TOLD:,} more")
    return told


def advised(
    found: collections.abc.Mapping[str, object], unknown: Sequence[str], lacking: Sequence[str]
) -> str:
    """Say of an object all that is wrong with its names.

    Args:
        found: its members.
        unknown: names that are no field and mapped to none, dots for nesting.
        lacking: what is said of required fields that nobody gives.

    """
    lists = {
        path.partition(".")[0]: f"--records {shlex.quote(path)} if those are the records"
        for path, _ in lists_inside(found)
    }
    return TOGETHER.join([*told_unknown(unknown, lists), *lacking])


def told_lacking(
    filled: Collection[str], supplied: Collection[str], unknown: Collection[str]
) -> list[str]:
    """Say which required fields nobody gives, and no unknown column is told to be."""
    told = []
    meant = set(map(meaning, unknown))
    for name in REQUIRED:
        if name not in filled and name not in supplied and name not in meant:
            option = "" if name == "task_id" else f", or give --{name.replace('_', '-')}"
            told.append(f"{name} is missing; add the column, or --map {name}=COLUMN{option}")
    return told


def _refuse(faults: Sequence[str]) -> None:
    """Raise InvalidRecord with everything that is wrong with the names."""
    if len(faults) > 2 * _MOST_TOLD:
        faults = [*faults[: 2 * _MOST_TOLD], f"and {len(faults) - 2 * _MOST_TOLD:,} more"]
    raise InvalidRecord("", "invalid_header", TOGETHER.join(faults))
