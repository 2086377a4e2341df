"""A sample of tasks to label, drawn by lot and blind to the arm.

The design: of the tasks that the judge scored in both arms and nobody labelled in both, each
has the same chance, so that a correction by them holds for all. They are drawn systematically
from a list in order of category and of which arm the judge prefers, so that each of these has
its share (Cochran 1977, chapter 8); where in the list it begins, and the order within, is the
seed's. Of each task one run of each arm is shown, drawn likewise, and the lines are shuffled.
"""

from __future__ import annotations

import csv
import hashlib
import io
from collections import defaultdict
from fractions import Fraction
from typing import TYPE_CHECKING, Final, NamedTuple

from ..show import escape

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..marts.labels import Labelable

COLUMNS: Final = (
    "experiment", "task", "run", "key", "score", "reason", "inputs", "outputs",
    "reference_outputs",
)  # fmt: skip
REASON: Final = "labelled blind"
"""What is written as the reason, for the person to replace."""


class Drawn(NamedTuple):
    """A sample."""

    runs: list[Labelable]
    """Shuffled."""
    tasks: int
    population: int
    """Tasks that could have been drawn."""


def draw(runs: Iterable[Labelable], tasks: int, seed: int) -> Drawn:
    """Draw tasks, and a run of each arm of each.

    Args:
        runs: those of the tasks that may be drawn.
        tasks: how many; all if there are fewer.
        seed: the same draws the same.
    """
    by_task: defaultdict[str, dict[str, list[Labelable]]] = defaultdict(lambda: defaultdict(list))
    for run in runs:
        by_task[run.task_id][run.arm].append(run)
    whole = {task: arms for task, arms in by_task.items() if len(arms) == 2}  # noqa: PLR2004
    ordered = sorted(whole, key=lambda task: (*_stratum(whole[task]), _lot(seed, task)))
    chosen = [
        min(arm, key=lambda run: _lot(seed, "run", run.source, run.source_run_id))
        for task in _systematic(ordered, tasks, seed)
        for arm in whole[task].values()
    ]
    chosen.sort(key=lambda run: _lot(seed, "line", run.source, run.source_run_id))
    return Drawn(chosen, min(tasks, len(ordered)), len(ordered))


def _systematic(ordered: Sequence[str], count: int, seed: int) -> list[str]:
    """Return so many of a list at equal distances, from a start drawn by lot."""
    size = len(ordered)
    if count >= size:
        return list(ordered)
    step = Fraction(count, size)
    start = Fraction(int(_lot(seed, "start"), 16), 16**64)
    return [
        task
        for place, task in enumerate(ordered)
        if (start + step * (place + 1)) // 1 > (start + step * place) // 1
    ]


def _stratum(arms: dict[str, list[Labelable]]) -> tuple[str, int]:
    """Return the category of a task, and which arm the judge prefers."""
    means = {arm: sum(run.judge_value for run in runs) / len(runs) for arm, runs in arms.items()}
    gain = means["candidate"] - means["baseline"]
    return arms["candidate"][0].category or "", (gain > 0) - (gain < 0)


def _lot(seed: int, *words: str) -> str:
    text = "\x1f".join((str(seed), *words))
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def blind_name(experiment: str, source: str, run: str) -> str:
    """Return what stands for a run in a file: `annotate` finds the run that has it."""
    text = f"{experiment}\x1f{source}\x1f{run}"
    return f"blind-{hashlib.sha256(text.encode()).hexdigest()[:20]}"


def as_csv(runs: Sequence[Labelable]) -> str:
    """Return the lines for a person to fill in: nothing says which arm a run is of."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(COLUMNS)
    for run in runs:
        writer.writerow((
            run.experiment_id,
            run.task_id,
            blind_name(run.experiment_id, run.source, run.source_run_id),
            run.evaluator_key,
            "",
            REASON,
            *(escape.spreadsheet(cell or "") for cell in run.contents),
        ))  # fmt: skip
    return text.getvalue()
