"""Which source reads which file: records of our own, or what another tool wrote."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from ..errors import ConfigurationError
from . import parquet
from .files import FileSource, has_known_suffix
from .json_document import RESULTS
from .paths import STANDARD_INPUT, dangling_in, expand, open_input, size_of
from .tools.identity import refuse_unknown_names, refuse_without_arm
from .tools.opened import ToolFile, stored
from .tools.registry import KINDS, importer_of, recognised
from .tools.source import ToolSource

if TYPE_CHECKING:
    import collections.abc
    from collections.abc import Callable, Collection, Sequence

    from . import Source
    from .files import Format
    from .mapping import Mapping

_OF_RECORDS: Final = frozenset({"task_id", RESULTS})


class Chosen(NamedTuple):
    """The sources of one command, and the files that none of them reads."""

    sources: Sequence[Source]
    left_out: Sequence[str]
    """Files of folders that are no results, as far as their names and content tell."""
    dangling: Sequence[str] = ()
    """Links in folders to files that are not there."""


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
    if format is None and _says_what_records_are(mapping):
        format = "records"  # noqa: A001  of ours, whatever wrote it
    folders = [Path(path) for path in paths if path != STANDARD_INPUT and Path(path).is_dir()]
    kinds: dict[str, list[ToolFile]] = {}
    records: list[str] = []
    strangers: list[ToolFile] = []
    for path in expand(paths):
        is_regular = size_of(path) is not None
        if (format is not None and format not in KINDS) or (format is None and not is_regular):
            records.append(path)
            continue
        file = ToolFile(path) if is_regular else _stored(path, scratch)
        kind = format or recognised(file)
        if kind is not None:
            kinds.setdefault(kind, []).append(file)
        elif path in paths or not _is_below(Path(path), folders):
            records.append(path)
        else:
            strangers.append(file)
    may_be = {file.path for file in strangers if _may_be_records(file, is_mixed=bool(kinds))}
    records += [file.path for file in strangers if file.path in may_be]
    left_out = [file.path for file in strangers if file.path not in may_be]
    sources: list[Source] = []
    if records:
        own = None if format == "records" else cast("Format | None", format)
        sources.append(
            FileSource(
                records, own, groups=groups, supplied=supplied.keys(),
                mapping=_where_it_holds(mapping) if kinds else mapping,
            )
        )  # fmt: skip
    tools = [(kind, importer_of(kind), files) for kind, files in kinds.items()]
    for _, importer, _ in tools:
        refuse_unknown_names(mapping, importer)
    refuse_without_arm(
        [(file, importer) for _, importer, files in tools for file in files],
        mapping,
        supplied.keys(),
    )
    sources += [
        ToolSource(files, importer, supplied=supplied, mapping=mapping, groups=groups)
        for _, importer, files in tools
    ]
    return Chosen(sources, left_out, [path for each in folders for path in dangling_in(each)])


def refuse_guess(paths: Sequence[str], mapping: Mapping) -> None:
    """Raise ConfigurationError where a file is of a tool, so that there is nothing to guess.

    Args:
        paths: files, folders, patterns, or `-`.
        mapping: what was said of the columns; where it says what a record is, none is of a tool.

    """
    if _says_what_records_are(mapping):
        return
    for path in expand(paths):
        kind = recognised(ToolFile(path)) if size_of(path) is not None else None
        if kind is not None:
            raise ConfigurationError(
                f"{path} is a file of {importer_of(kind).about.tool}, and what it says is known; "
                "leave --guess out, or give --format csv, json or jsonl if it holds records of "
                "your own"
            )


def _stored(path: str, scratch: Callable[[], str]) -> ToolFile:
    """Keep what can be read only once."""
    with open_input(path) as stream:
        return ToolFile(path, stored(stream, scratch()))


def _may_be_records(file: ToolFile, *, is_mixed: bool) -> bool:
    """Whether a file of a folder may hold records: by its name, and beside files of tools by more.

    Tools put settings and summaries beside their results, in JSON and CSV.
    """
    if not has_known_suffix(file.path):
        return False
    if not is_mixed or file.head.startswith(parquet.MAGIC):
        return True
    return not _OF_RECORDS.isdisjoint({*file.keys, *file.columns})


def _where_it_holds(mapping: Mapping) -> Mapping:
    """Return a mapping that is said for tools' files: a record that has the field keeps its own."""
    return replace(mapping, entries=[replace(entry, is_optional=True) for entry in mapping.entries])


def _says_what_records_are(mapping: Mapping) -> bool:
    """Whether a mapping says what makes a record, so that no importer is wanted."""
    return mapping.records is not None or any(
        entry.target is not None and entry.target.name == "task_id" for entry in mapping.entries
    )


def _is_below(path: Path, folders: Sequence[Path]) -> bool:
    return any(path.is_relative_to(folder) for folder in folders)
