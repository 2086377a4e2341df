"""Which arm the runs of a tool's file are of: by options, by `--map`, by what the file says."""

from __future__ import annotations

import re
import shlex
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from ...errors import ConfigurationError, InvalidRecord, nearest
from ...records.json_text import shown
from ..advice import control_place
from ..binding import file_name
from ..mapped import Objects
from ..mapping import FILE, REST, Mapping
from . import FileBroken, Run, Whole

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from . import Importer
    from .opened import ToolFile

GROUP: Final = "experiment_group"
UNVERSIONED: Final = "unversioned"
"""The extension_version of runs whose file tells none."""
_OF_OPTIONS: Final = (
    "experiment_id", GROUP, "extension_version", "agent_name", "model_version", "dataset_version",
    "baseline_experiment_id",
)  # fmt: skip
_LOOKED_AT: Final = 1000
"""Runs of a file in which the arms are looked for, where nothing says them."""
_MOST_SHOWN: Final = 6
_FILE: Final = "file"
"""What importers call the name of the file; `@file` is the same without its ending."""
_PLAIN: Final = re.compile(r"[\w.-]*\w")
"""Names of columns that mean nothing else in a mapping."""


class Identity:
    """Fills in what a record must have and its file says otherwise, or not at all."""

    def __init__(self, mapping: Mapping, supplied: Collection[str], origin: str) -> None:
        """Take what was said.

        Args:
            mapping: `--map`, over the names that the importer tells.
            supplied: fields that options fill, which go before what a file says.
            origin: the file's name.

        """
        self._objects = Objects(mapping, supplied, origin)
        self._columns = {name for entry in mapping.entries for name in entry.columns} - {FILE}
        self._overruled = [name for name in _OF_OPTIONS if name in supplied]
        self._maps = bool(mapping.entries)
        self._last: tuple[object, dict[str, Any]] = (None, {})

    def record(
        self, record: dict[str, Any], names: collections.abc.Mapping[str, object]
    ) -> dict[str, Any]:
        """Return a run's record as it is loaded.

        Raises:
            InvalidRecord: a mapped name is not there, or not what its place wants.

        """
        mapped = self._mapped(names)
        filled = dict(record)
        for name in self._overruled:
            filled.pop(name, None)
        for name, value in mapped.items():
            held = filled.get(name)
            are_both = isinstance(value, dict) and isinstance(held, dict)
            filled[name] = {**(held or {}), **value} if are_both else value
        if "extension_version" not in filled and "extension_version" not in self._overruled:
            filled["extension_version"] = UNVERSIONED
        return filled

    def _mapped(self, names: collections.abc.Mapping[str, object]) -> dict[str, Any]:
        if not self._maps:
            return {}
        if names is not self._last[0]:
            used = {name: names[name] for name in self._columns if names.get(name) is not None}
            self._last = (names, self._objects.fields(used))
        return self._last[1]


def refuse_unknown_names(mapping: Mapping, importer: Importer) -> None:
    """Raise ConfigurationError where `--map` names what files of a kind do not have."""
    known = importer.about.names
    faults = [
        f"{entry.text}: {importer.about.tool} files have no {shown(column)}"
        f"{nearest(column, known)}; there are {', '.join(known)}"
        for entry in mapping.entries
        for column in entry.columns
        if column != FILE and not _is_known(column, known)
    ]
    if mapping.keeps_rest:
        faults.append(
            f"metadata.*=*: what is kept of {importer.about.tool} files is known; leave it out, "
            "or name one: --map metadata.NAME=NAME"
        )
    if faults:
        raise ConfigurationError("\n".join(faults))


def _is_known(column: str, known: Collection[str]) -> bool:
    """Whether a name is one of those told; `task_args.*` tells of all that begin so."""
    return column in known or any(
        name.endswith(REST) and column.startswith(name[:-1]) for name in known
    )


def _listed(known: Iterable[str], names: Iterable[str]) -> Iterator[str]:
    """Yield the names that may be mapped, in the order in which they are told."""
    known = list(known)
    for each in known:
        if each.endswith(REST):
            begun = each[:-1]
            yield from (name for name in names if name.startswith(begun) and name not in known)
        else:
            yield each


def refuse_without_arm(
    files: Sequence[tuple[ToolFile, Importer]], mapping: Mapping, supplied: Collection[str]
) -> None:
    """Raise ConfigurationError where nothing says which arm the runs of a file are of.

    Args:
        files: all that one command reads.
        mapping: `--map`.
        supplied: fields that options fill.

    The names that the files have are told, with what to write.
    """
    if GROUP in supplied or any(
        entry.target and entry.target.name == GROUP for entry in mapping.entries
    ):
        return
    found: dict[str, _Values] = {}
    lacking: list[str] = []
    kinds: dict[str, Importer] = {}
    for file, importer in files:
        told = [each.names for each in _first_runs(file, importer) if GROUP not in each.record]
        if told:
            lacking.append(file.shown_name)
            kinds[importer.about.kind] = importer
        for names in told:
            for name in _listed(importer.about.names, names):
                value = names.get(name)
                if isinstance(value, str | int | float) and str(value):
                    places = found.setdefault(name, {}).setdefault(str(value), {})
                    places[file.shown_name] = None
    if lacking:
        shared = {
            name
            for name in found
            if all(_is_known(name, importer.about.names) for importer in kinds.values())
        }
        raise ConfigurationError(_told(lacking, len(files), found, shared, [*kinds]))


_Values = dict[str, dict[str, None]]
"""Values of a name, each with the files that have it."""


def _first_runs(file: ToolFile, importer: Importer) -> Iterator[Run | Whole]:
    """Yield the first runs of a file, one where that says its arm."""
    try:
        runs = (item for item in importer.runs(file) if isinstance(item, Run | Whole))
        for run in islice(runs, _LOOKED_AT):
            yield run
            if GROUP in run.record:
                return
    except (FileBroken, InvalidRecord):
        return


def _told(
    lacking: Sequence[str],
    count: int,
    found: collections.abc.Mapping[str, _Values],
    shared: Collection[str],
    kinds: Sequence[str],
) -> str:
    which = "the file does" if count == 1 else f"{len(lacking)} of {count} files do"
    lines = [f"{which} not say which arm the runs are of; what is there to tell arms apart:"]
    lines += [
        f"  {name}: {'; '.join(_values(values, len(lacking)))}" for name, values in found.items()
    ]
    lines.append("give --experiment-group GROUP (baseline, code-chef, …) if all are of one arm")
    stems = list(dict.fromkeys(map(file_name, lacking)))
    by_name = {
        name: list(values)
        for name, values in found.items()
        if name in shared and len(values) > 1 and not (name == _FILE and len(stems) > 1)
    }
    telling = min(by_name, key=lambda name: len(by_name[name]), default=None)
    if telling is not None:
        column = telling if _PLAIN.fullmatch(telling) else f"[{telling}]"
        lines.append(f"or --map {_mapped_to(column)} {_roles(by_name[telling])}")
    if len(stems) > 1 and (telling is None or len(by_name[telling]) > _MOST_SHOWN):
        lines.append(f"or, if each file is an arm: --map {_mapped_to(FILE)} {_roles(stems)}")
    if len(kinds) > 1:
        lines.append(f"or load each tool's files in a command of their own: {', '.join(kinds)}")
    elif telling is None and len(stems) <= 1 < len(lacking):
        lines.append("or load the files of each arm in a command of their own")
    return "\n".join(lines)


def _mapped_to(column: str) -> str:
    return shlex.quote(f"{GROUP}={column}")


def _roles(arms: Sequence[str]) -> str:
    """Return the options that make groups of arms: a control, by its name or as the first."""
    places = {arm: control_place(arm) for arm in arms}
    likely = [(place, arm) for arm, place in places.items() if place is not None]
    control = min(likely)[1] if likely else arms[0]
    others = [f"--treatment {shlex.quote(arm)}" for arm in arms if arm != control]
    more = " …" if len(arms) > _MOST_SHOWN else ""
    return f"--control {shlex.quote(control)} {' '.join(others[: _MOST_SHOWN - 1])}{more}"


def _values(values: _Values, count: int) -> Iterator[str]:
    for value, places in islice(values.items(), _MOST_SHOWN):
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        is_of_all = len(places) == count
        yield shown(value) if is_of_all else f"{shown(value)} ({next(iter(places))}{more})"
    if len(values) > _MOST_SHOWN:
        yield f"and {len(values) - _MOST_SHOWN} more"
