"""Files of other tools, read as a load reads them; each record is one that is admitted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest_support import VOCABULARY
from loader.records.checker import Checker
from loader.records.json_text import decode_object
from loader.sources.mapping import Mapping
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import KINDS, importer_of
from loader.sources.tools.source import ToolSource
from said_mapping import mapping

if TYPE_CHECKING:
    from pathlib import Path

    from loader.sources import Rejection, SummaryScore


class ReadFiles(NamedTuple):
    """What was read."""

    records: list[dict[str, Any]]
    rejections: list[tuple[int, Rejection]]
    """With the place in the file."""
    notes: list[str]
    wholes: list[SummaryScore]
    source: ToolSource

    def mean(self, key: str) -> float:
        """Return the mean of a score over the runs that have it."""
        values = [
            float(each["scores"][key]) for each in self.records if key in each.get("scores", {})
        ]
        return sum(values) / len(values)

    def total(self, field: str) -> float:
        """Return the sum of a field over the runs that have it."""
        return sum(each.get(field) or 0 for each in self.records)


def kinds_of(path: Path) -> list[str]:
    """Return every kind that recognises a file."""
    return [kind for kind in KINDS if importer_of(kind).recognises(ToolFile(str(path)))]


def read_tool_files(kind: str, *paths: Path, maps: str = "", **supplied: str) -> ReadFiles:
    """Read files that one kind alone recognises, and let the checker admit every record.

    Args:
        kind: which.
        paths: of the files.
        maps: an entry of `--map`; without, and without a group, all is of the baseline.
        supplied: fields that options fill.

    """
    for path in paths:
        assert kinds_of(path) == [kind], path
    if not maps:
        supplied = {"experiment_group": "baseline", **supplied}
    source = ToolSource(
        [ToolFile(str(path)) for path in paths],
        importer_of(kind),
        supplied=supplied,
        mapping=mapping(maps) if maps else Mapping(),
    )
    records: list[dict[str, Any]] = []
    rejections: list[tuple[int, Rejection]] = []
    for row in source.rows():
        if row.rejection is not None:
            rejections.append((row.row_number, row.rejection))
            continue
        records.append({**decode_object(row.original), **supplied})
    groups = frozenset(str(each["experiment_group"]) for each in records)
    checker = Checker(replace(VOCABULARY, groups=groups))
    for record in records:
        checker.check(dict(record))
    return ReadFiles(
        records, rejections, list(source.notes()), list(source.summary_scores()), source
    )
