"""Which arm the runs of a tool's file are of: by options, by `--map`, by what the file says."""

from __future__ import annotations

from itertools import islice
from typing import TYPE_CHECKING, Any, Final

from loader.errors import ConfigurationError, InvalidRecord, nearest
from loader.records.json_text import shown
from loader.sources.mapped import Objects
from loader.sources.mapping import FILE, REST, Mapping
from loader.sources.tools import FileBroken, Run, Whole

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Collection, Iterable, Iterator, Sequence

    from loader.sources.tools import Importer
    from loader.sources.tools.opened import ToolFile

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
        if column != FILE and not _is_among(column, known)
    ]
    if faults:
        raise ConfigurationError("\n".join(faults))


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
    found: dict[str, dict[str, list[str]]] = {}
    lacking = 0
    for file, importer in files:
        told = [run.names for run in _first_runs(file, importer) if GROUP not in run.record]
        lacking += bool(told)
        for names in told:
            for name in _told_names(names, importer.about.names):
                value = names.get(name)
                if isinstance(value, str | int | float) and str(value):
                    shown_value = shown(value) if isinstance(value, str) else str(value)
                    places = found.setdefault(name, {}).setdefault(shown_value, [])
                    if (file.path or "standard input") not in places:
                        places.append(file.path or "standard input")
    if lacking:
        raise ConfigurationError(_told(lacking, len(files), found))


def _is_among(name: str, known: Iterable[str]) -> bool:
    """Whether a name is known: as it stands, or as one of those that a `*` stands for."""
    return any(
        name.startswith(each[:-1]) if each.endswith(REST) else name == each for each in known
    )


def _told_names(
    names: collections.abc.Mapping[str, object], known: collections.abc.Mapping[str, str]
) -> Iterator[str]:
    """Yield the names of a run that are known, in the order in which the importer tells them."""
    for each in known:
        if each.endswith(REST):
            begun = each[:-1]
            yield from (name for name in names if name.startswith(begun) and name not in known)
        else:
            yield each


def _first_runs(file: ToolFile, importer: Importer) -> Iterable[Run | Whole]:
    try:
        runs = (item for item in importer.runs(file) if isinstance(item, Run | Whole))
        yield from islice(runs, _LOOKED_AT)
    except (FileBroken, InvalidRecord):
        return


def _told(lacking: int, count: int, found: dict[str, dict[str, list[str]]]) -> str:
    which = "the file does" if count == 1 else f"{lacking} of {count} files do"
    lines = [f"{which} not say which arm the runs are of; what is there to tell arms apart:"]
    lines += [f"  {name}: {'; '.join(_values(values, count))}" for name, values in found.items()]
    telling = next((name for name, values in found.items() if len(values) > 1), None)
    lines.append("give --experiment-group GROUP (baseline, code-chef, …) if all are of one arm,")
    if telling is None:
        lines.append("or say it of each file: --map experiment_group=@file --control NAME")
    else:
        control, treatment, *_ = found[telling]
        lines.append(
            f"or --map experiment_group={telling} --control {control} --treatment {treatment}"
        )
    return "\n".join(lines)


def _values(values: dict[str, list[str]], count: int) -> Iterator[str]:
    for value, places in islice(values.items(), _MOST_SHOWN):
        more = f" and {len(places) - 1} more" if len(places) > 1 else ""
        yield value if len(places) == count else f"{value} ({places[0]}{more})"
    if len(values) > _MOST_SHOWN:
        yield f"and {len(values) - _MOST_SHOWN} more"
