"""tau-bench: the list of simulations that `run.py` writes, one for each task and trial."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec

from loader.sources.tools import About, Importer, Run
from loader.sources.tools.opened import each

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.sources.tools import Item
    from loader.sources.tools.opened import Part, ToolFile


class _Simulation(msgspec.Struct):
    """One trial of one task."""

    task_id: int | str
    trial: int
    reward: float | None
    info: dict[str, Any] = {}


def _recognises(file: ToolFile) -> bool:
    return file.is_list and file.keys >= {"task_id", "reward", "info"}


def _runs(file: ToolFile) -> Iterator[Item]:
    file.count()  # a list that breaks off is refused before its first run
    names = {"file": file.name}

    def run(part: Part[_Simulation]) -> Iterator[Run]:
        found = part.value
        record: dict[str, Any] = {
            "experiment_id": "tau-bench",
            "task_id": str(found.task_id),
            "source_run_id": f"{file.name}/{found.task_id}/{found.trial}",
            "repetition": found.trial + 1,
            "scores": {"reward": found.reward},
        }
        yield Run(part.number, record, names)

    yield from each(file.parts("", _Simulation), run)


IMPORTER: Final = Importer(
    About(
        kind="tau-bench",
        tool="tau-bench",
        files="results of `run.py` (JSON)",
        versions="2024",
        kept="reward as a score, trial as repetition",
        left_out="the trajectory",
        names={"file": "name of the file, without folder"},
    ),
    _recognises,
    _runs,
)
