"""Files of other tools as records: read by their importer, and admitted as `ingest` does."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from ingest_support import VOCABULARY
from loader.records.checker import Checker, Defaults
from loader.sources.mapping import parse_all
from loader.sources.tools import Run
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of, recognised
from loader.sources.tools.source import ToolSource

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loader.records.form import RunRecord
    from loader.sources.tools import Item

ARM = {"experiment_group": "baseline"}


def source_of(
    *paths: Path, supplied: Mapping[str, str] = ARM, mapping: tuple[tuple[str, str], ...] = ()
) -> ToolSource:
    """Make the source of some files, all of the tool that the first is recognised as."""
    files = [ToolFile(str(path)) for path in paths]
    kind = recognised(files[0])
    assert kind is not None
    importer = importer_of(kind)
    entries = parse_all([("--map", goal, name) for goal, name in mapping])
    return ToolSource(files, importer, supplied=supplied, mapping=entries)


def records(source: ToolSource) -> list[RunRecord]:
    """Read all of a source; every row has to be admitted."""
    checker = Checker(VOCABULARY, Defaults(), keep_contents=True)
    found = []
    for row in source.rows():
        assert row.rejection is None, row.rejection
        fields = {**ARM, **json.loads(row.original)}
        found.append(checker.check(fields))
    return found


def rejections(source: ToolSource) -> list[tuple[int, str, str]]:
    """Read all of a source; return place, code and reason of what is rejected."""
    return [
        (row.row_number, row.rejection.reason_code, row.rejection.reason)
        for row in source.rows()
        if row.rejection is not None
    ]


def items_of(path: Path) -> list[Item]:
    """Return what the importer of a file yields."""
    file = ToolFile(str(path))
    kind = recognised(file)
    assert kind is not None
    return list(importer_of(kind).runs(file))


def runs_of(path: Path) -> list[dict[str, Any]]:
    """Return the records that the importer of a file makes, before any option."""
    return [item.record for item in items_of(path) if isinstance(item, Run)]
