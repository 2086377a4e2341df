"""Which source reads which file: records of our own, or what another tool wrote."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, cast

from loader.sources.files import FileSource, has_known_suffix
from loader.sources.paths import STANDARD_INPUT, expand
from loader.sources.tools.identity import refuse_unknown_names, refuse_without_arm
from loader.sources.tools.opened import ToolFile, stored
from loader.sources.tools.registry import KINDS, importer_of, recognised
from loader.sources.tools.source import ToolSource

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Callable, Collection, Sequence

    from loader.sources import Source
    from loader.sources.files import Format
    from loader.sources.mapping import Mapping


class Chosen(NamedTuple):
    """The sources of one command, and the files that none of them reads."""

    sources: Sequence[Source]
    left_out: Sequence[str]
    """Files of folders that are no results, as far as their names and content tell."""


def file_sources(  # noqa: PLR0913  what options say of files, by name
    paths: Sequence[str],
    format: str | None,  # noqa: A002  the option's name
    *,
    groups: Collection[str],
    supplied: collections.abc.Mapping[str, str],
    mapping: Mapping,
    scratch: Callable[[], str],
) -> Chosen:
    """Sort files by what wrote them: one source for records, one for each tool.

    Args:
        paths: files, folders, patterns, or `-`.
        format: of every file; told by name and content if None.
        groups: the known experiment groups.
        supplied: the fields that options fill, with their values.
        mapping: what was said of the columns of records, or of the names that a tool's files have.
        scratch: makes a folder for what standard input holds, where it has to be read twice.

    Raises:
        ConfigurationError: a path does not exist or matches nothing; no file says which arm it
            is of, or `--map` names what a tool's files do not have.

    """
    found = expand(paths)
    if format is None and _says_what_records_are(mapping):
        format = "records"  # noqa: A001  of ours, whatever wrote it
    kinds: dict[str, list[ToolFile]] = {}
    records: list[str] = []
    left_out: list[str] = []
    folders = [Path(path) for path in paths if path != STANDARD_INPUT and Path(path).is_dir()]
    for path in found:
        if format is not None and format not in KINDS:
            records.append(path)
            continue
        if path == STANDARD_INPUT:
            if format is None:
                records.append(path)
                continue
            file = ToolFile(path, stored(sys.stdin.buffer, scratch()))
        else:
            file = ToolFile(path)
        kind = format or recognised(file)
        if kind is not None:
            kinds.setdefault(kind, []).append(file)
        elif has_known_suffix(path) or not _is_below(Path(path), folders):
            records.append(path)
        else:
            left_out.append(path)
    sources: list[Source] = []
    if records:
        own = None if format == "records" else cast("Format | None", format)
        sources.append(
            FileSource(records, own, groups=groups, supplied=supplied.keys(), mapping=mapping)
        )
    tools = [(kind, importer_of(kind), files) for kind, files in kinds.items()]
    for _, importer, _ in tools:
        refuse_unknown_names(mapping, importer)
    refuse_without_arm(
        [(file, importer) for _, importer, files in tools for file in files],
        mapping,
        supplied.keys(),
    )
    sources += [
        ToolSource(files, importer, supplied=supplied, mapping=mapping)
        for _, importer, files in tools
    ]
    return Chosen(sources, left_out)


def _says_what_records_are(mapping: Mapping) -> bool:
    """Whether a mapping says what makes a record, so that no importer is wanted."""
    return mapping.records is not None or any(
        entry.target is not None and entry.target.name == "task_id" for entry in mapping.entries
    )


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
