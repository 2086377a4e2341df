"""The same once more, one after the other and undisturbed: what the marts have to be equal to."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from endurance_marts import differences, texts
from endurance_place import Child, build, write_records

from loader.errors import ConfigurationError
from loader.ingest import withdrawals
from loader.ingest.load import load
from loader.recording.recorder import SOURCE
from loader.records.checker import Defaults
from loader.sources import SourceRow
from loader.sources.files import FileSource
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from endurance_model import Step
    from endurance_place import Place


def compare_with_sequential(
    place: Place, url: str, steps: Iterable[Step], without: Collection[str] = ()
) -> list[str]:
    """Do the steps in a database of their own, build it, and return how its marts differ.

    Args:
        place: where.
        url: of the database to compare, which is built.
        steps: what was done to it.
        without: see `endurance_marts.texts`.

    """
    faults: list[str] = []
    with place.database("sequential") as other:
        for step in steps:
            replay(place.directory, other, step)
        faults += [f"the sequential build failed: {fault}" for fault in built(place, other)]
        return faults or differences(texts(url, without), texts(other, without))


def built(place: Place, url: str) -> list[str]:
    """Build; return what went wrong."""
    ended = Child(build(url), place.directory / "build.log").wait()
    return [f"exit code {ended.code}: {ended.output[-2000:]}"] if ended.code else []


def replay(folder: Path, url: str, step: Step) -> None:
    """Do what happened in one step."""
    if step.source == withdrawals.SOURCE:
        meant = withdrawals.Slice(experiment=step.experiment, task=step.task)
        # what it took back may have been purged since
        with connect(url) as connection, contextlib.suppress(ConfigurationError):
            withdrawals.withdraw(connection, meant, "replayed", None)
    elif step.source == SOURCE and step.items:
        load_records(url, (run.record(value) for run, value in step.items))
    elif step.items:
        records = [run.record(value) for run, value in step.items]
        path = write_records(folder / "replayed.jsonl", records)
        with connect(url) as connection:
            load(connection, FileSource([str(path)]), read_vocabulary(), Defaults())


def load_records(url: str, records: Iterable[object]) -> None:
    """Load records as a recorder does that has them all at once."""
    lines = [json.dumps(record).encode() for record in records]
    if lines:
        with connect(url) as connection:
            load(connection, _Batch(lines), read_vocabulary())


class _Batch:
    """Records as a recorder's load."""

    name = SOURCE
    never_waits = True

    def __init__(self, lines: list[bytes]) -> None:
        self._lines = lines

    def reference(self) -> dict[str, object]:
        return {}

    def rows(self) -> Iterator[SourceRow]:
        for number, line in enumerate(self._lines, start=1):
            yield SourceRow(number, "", line, None, None)
