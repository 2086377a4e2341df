"""Records made of rows and objects by a mapping."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NoReturn

from ..errors import InvalidRecord, close_names
from ..records.checks import REQUIRED
from ..records.json_text import decode_object, shown
from . import Rejection, SourceRow
from .binding import (
    MOST_COLUMNS,
    Assignment,
    Bound,
    advised,
    explicit,
    file_name,
    told_lacking,
    too_many,
)
from .mapping import FILE
from .targets import put, target, under

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from .mapping import Mapping

_ABSENT: Any = object()
_MOST_SHAPES: Final = 100
_MOST_NAMED: Final = 10
_MOST_COMPARED: Final = 1000
_ALL = True
"""In a tree of the names used: everything below is."""


class Cells:
    """Makes records of the cells of rows, whose header was bound already."""

    def __init__(self, bound: Bound, names: Sequence[str], mapping: Mapping, origin: str) -> None:
        """Look up where each column stands."""
        places = {name: place for place, name in enumerate(names)}
        columns = [each for each in (*bound.assignments, *bound.rest) if each.columns != (FILE,)]
        self._direct = [
            (places[each.columns[0]], each.place.reader(mapping.style), each)
            for each in columns
            if not each.steps and len(each.columns) == 1
        ]
        self._others = [
            ([places[name] for name in each.columns], each)
            for each in columns
            if each.steps or len(each.columns) > 1
        ]
        self._count = len(names)
        self._mapping = mapping
        self._style = mapping.style
        self._fixed = list(bound.constants)
        for each in bound.assignments:
            if each.columns == (FILE,):
                value = each.read(file_name(origin), self._style, is_cell=True)
                self._fixed.append((each.place, value))

    def fields(self, cells: Sequence[str]) -> dict[str, object]:
        """Return the fields of one record.

        Raises:
            InvalidRecord: too many or too few cells, or one that is not what its place wants.

        """
        if len(cells) != self._count:
            raise InvalidRecord(
                "",
                "wrong_cell_count",
                f"the row has {len(cells)} cells and the header {self._count}; "
                "put cells that hold the delimiter in quotes",
            )
        fields: dict[str, object] = {}
        style = self._style
        missing = style.missing
        for place, read, assignment in self._direct:
            cell = cells[place]
            if cell and cell not in missing:
                value = cell if read is None else read(cell)
                if not put(fields, assignment.place.path, value):
                    raise filled_twice(assignment)
        for places, assignment in self._others:
            held = [cells[place] for place in places]
            if missing.isdisjoint(held):
                value = assignment.read(assignment.total(held, style), style, is_cell=True)
                if value is not None and not put(fields, assignment.place.path, value):
                    raise filled_twice(assignment)
        for target_place, value in self._fixed:
            if value is not None:
                put(fields, target_place.path, value)
        return fields


class Objects:
    """Makes records of objects, whose names may differ from one to the next."""

    def __init__(self, mapping: Mapping, supplied: Collection[str], origin: str) -> None:
        """Take what was said of their names.

        Args:
            mapping: said of them.
            supplied: required fields that options supply.
            origin: the file's name.

        """
        self._mapping = mapping
        self._style = mapping.style
        self._supplied = supplied
        self._bound: dict[frozenset[str], Bound] = {}
        """By the names of an object, where what holds depends on them; else by none."""
        self._depends = any(entry.is_optional for entry in mapping.entries)
        self._file = file_name(origin)
        self._has_advised = False
        self.unseen = {column for entry in mapping.entries for column in entry.columns} - {FILE}
        """Columns that were mapped, and that no object had so far."""
        self._left_out = [
            column for each in mapping.entries if not each.target for column in each.columns
        ]

    def row(self, row: SourceRow) -> SourceRow:
        """Turn the row of an object into that of a record; a rejection stays one."""
        if row.rejection is not None:
            return row
        try:
            found = decode_object(row.original) if row.fields is None else row.fields
            return row._replace(fields=self.fields(found))
        except InvalidRecord as error:
            return row._replace(fields=None, rejection=Rejection(error.code, error.reason))

    def fields(self, found: dict[str, Any]) -> dict[str, object]:
        """Return the fields of one record.

        Raises:
            InvalidRecord: a name is no field and mapped to none, or a value not what its
                place wants.

        """
        if len(found) > MOST_COLUMNS:
            raise InvalidRecord("", "too_many_fields", too_many(found))
        fields: dict[str, object] = {}
        used: dict[str, Any] = {}
        bound = self._bound_of(found)
        for assignment in bound.assignments:
            self._put(fields, assignment, self._held(assignment, found, used), found)
        for column in self._left_out:
            if look_up(found, column, used) is not _ABSENT:
                self.unseen.discard(column)
        for place, value in bound.constants:
            self._put(fields, Assignment((place.name,), place), value, found)
        unknown: list[str] = []
        for name, value in _unused(found, used).items():
            named = target(name)
            if named is not None:
                self._put(fields, Assignment((name,), named), value, found)
            elif self._mapping.keeps_rest:
                self._put(fields, Assignment((name,), under("metadata", name)), value, found)
            else:
                is_part = isinstance(used.get(name), dict)
                unknown += [f"{name}.{key}" for key in value] if is_part else [name]
        if unknown:
            self._refuse_unknown(unknown, fields, found)
        return fields

    def _refuse_unknown(
        self, unknown: list[str], fields: dict[str, object], found: dict[str, Any]
    ) -> NoReturn:
        """Say of the first such object what to write for each name, of the others only which."""
        if self._has_advised:
            told = ", ".join(map(shown, unknown[:_MOST_NAMED]))
            reason = (
                f"{told}: no field of a record, and mapped to none; --map 'metadata.*=*' keeps it"
            )
        else:
            lacking = told_lacking(fields.keys(), self._supplied, unknown)
            reason = advised(found, unknown, lacking)
        self._has_advised = True
        raise InvalidRecord("", "unknown_field", reason)

    def _held(self, assignment: Assignment, found: dict[str, Any], used: dict[str, Any]) -> object:
        """Return what the columns of an assignment hold, `_ABSENT` where one is not there."""
        if assignment.columns == (FILE,):
            return self._file
        values = [look_up(found, column, used) for column in assignment.columns]
        if _ABSENT in values:
            return _ABSENT
        if self.unseen:
            self.unseen.difference_update(assignment.columns)
        return assignment.total(values, self._style)

    def _bound_of(self, found: dict[str, Any]) -> Bound:
        names = frozenset(found) if self._depends else frozenset()
        bound = self._bound.get(names)
        if bound is None:
            bound = explicit(self._mapping.of(names))
            if len(self._bound) < _MOST_SHAPES:
                self._bound[names] = bound
        return bound

    def _put(
        self, fields: dict[str, object], assignment: Assignment, value: object, found: object
    ) -> None:
        missing = self._style.missing
        if value is _ABSENT:
            self._refuse_absent(assignment, found)
        elif value is not None and not (isinstance(value, str) and value in missing):
            read = assignment.read(value, self._style)
            if read is not None and not put(fields, assignment.place.path, read):
                raise filled_twice(assignment)

    def _refuse_absent(self, assignment: Assignment, found: object) -> None:
        """Raise where what a record must have is mapped to a name that is not there."""
        name = assignment.place.name
        if name in REQUIRED and name not in self._supplied and isinstance(found, dict):
            near = close_names(assignment.told, list(found)[:_MOST_COMPARED])
            meant = f"; did you mean {', '.join(near)}?" if near else ""
            raise InvalidRecord(
                name,
                "missing_field",
                f"{name} is to come from {shown(assignment.told)}, which the record lacks{meant}",
            )


def filled_twice(assignment: Assignment) -> InvalidRecord:
    """Say that a column fills what another has filled already."""
    name = assignment.place.name
    return InvalidRecord(
        name,
        "duplicate_key",
        f"{name} is filled twice, once by {shown(assignment.told)}; keep one of them",
    )


def look_up(found: Any, name: str, used: dict[str, Any]) -> Any:  # noqa: ANN401  any JSON value
    """Return what an object holds under a name, dots for nesting; note it as used."""
    if name in found:
        used[name] = _ALL
        return found[name]
    start = 0
    while (dot := name.find(".", start)) >= 0:
        outer = name[:dot]
        if isinstance(found.get(outer), dict):
            inner = used.setdefault(outer, {})
            return look_up(found[outer], name[dot + 1 :], {} if inner is _ALL else inner)
        start = dot + 1
    return _ABSENT


def _unused(found: dict[str, Any], used: dict[str, Any]) -> dict[str, Any]:
    """Return what is left of an object without the names used."""
    left = {}
    for name, value in found.items():
        inner = used.get(name)
        if inner is None:
            left[name] = value
        elif isinstance(inner, dict) and isinstance(value, dict):
            rest = _unused(value, inner)
            if rest:
                left[name] = rest
    return left
