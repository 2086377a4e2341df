"""What an importer makes of files: rows as they are loaded, and records as they are admitted."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from loader.records.checker import Checker
from loader.records.vocabulary import Vocabulary
from loader.sources.mapping_file import parse_mapping
from loader.sources.tools.opened import ToolFile
from loader.sources.tools.registry import importer_of, recognised
from loader.sources.tools.source import ToolSource

if TYPE_CHECKING:
    from pathlib import Path

    from loader.sources import SourceRow

GROUP = {"experiment_group": "baseline"}


class Made(NamedTuple):
    """Rows of some files, and their source once it was read."""

    source: ToolSource
    rows: list[SourceRow]

    @property
    def records(self) -> list[dict[str, Any]]:
        """The records; each must be one that is loaded as it is, with nothing set aside."""
        found = [json.loads(row.original) for row in self.rows if row.rejection is None]
        checker = Checker(Vocabulary(frozenset({"baseline"})))
        for record in found:
            checker.check({**GROUP, **record})
        return found

    @property
    def reasons(self) -> list[str]:
        """Why rows were rejected."""
        return [row.rejection.reason for row in self.rows if row.rejection is not None]

    @property
    def notes(self) -> str:
        """What is said of the files."""
        return "\n".join(self.source.notes())


def made_of(kind: str, *paths: Path, mapping: str = "") -> Made:
    """Read files that must be of a kind, as one source, all as the group baseline."""
    files = [ToolFile(str(path)) for path in paths]
    assert {recognised(file) for file in files} == {kind}
    said = parse_mapping(mapping, "mapping.yml")
    source = ToolSource(files, importer_of(kind), supplied=GROUP, mapping=said)
    return Made(source, list(source.rows()))
