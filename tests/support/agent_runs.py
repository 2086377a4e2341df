"""What importers of agent benchmarks read, admitted as `ingest` admits it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from ingest_support import VOCABULARY
from loader.records.checker import Checker, Defaults
from loader.sources.mapping import parse_all
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of, recognised
from loader.sources.tools.source import ToolSource

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from loader.sources import Rejection


class Read(NamedTuple):
    """What came of some files."""

    kind: str
    records: list[dict[str, Any]]
    """Each is admitted, too."""
    rejections: list[Rejection]
    source: ToolSource

    @property
    def notes(self) -> list[str]:
        """What is told of them."""
        return list(self.source.notes())

    def only(self) -> dict[str, Any]:
        """Return the one record."""
        (found,) = self.records
        return found


def read(*paths: Path, names: Sequence[tuple[str, str]] = ()) -> Read:
    """Read files, all of the kind that the first is recognised as.

    Args:
        paths: of the files.
        names: what `--map` says, field and name; of the arm baseline where it says nothing of it.

    """
    files = [ToolFile(str(path)) for path in paths]
    kinds = {recognised(file) for file in files}
    (kind,) = kinds
    assert kind is not None, paths
    is_mapped = any(field == "experiment_group" for field, _ in names)
    supplied = {} if is_mapped else {"experiment_group": "baseline"}
    mapping = parse_all([("--map", field, name) for field, name in names])
    source = ToolSource(files, importer_of(kind), supplied=supplied, mapping=mapping)
    checker = Checker(VOCABULARY, Defaults(), keep_contents=True)
    found: list[dict[str, Any]] = []
    rejections: list[Rejection] = []
    for row in source.rows():
        if row.rejection is not None:
            rejections.append(row.rejection)
            continue
        record = {**json.loads(row.original), **supplied}
        if not is_mapped:
            checker.check(dict(record))
        found.append(record)
    return Read(kind, found, rejections, source)
