"""A sample whose judge has a known bias, and what a person says of some of its runs.

Two arms that are equally good: where they differ, they lose in turn. The judge passes a
wrong answer of the baseline in 8 % of cases and one of the candidate in 40 %: it likes how the
candidate writes. A right answer it fails in 3 %. `judged.jsonl` has the runs, `people.csv` what
a person said of both arms of 100 tasks, drawn by lot.
"""

from __future__ import annotations

import csv
import io
import random
from typing import TYPE_CHECKING, Final

import msgspec

if TYPE_CHECKING:
    from pathlib import Path

EXPERIMENT_ID: Final = "exp-judged-001"
TASKS: Final = 240
LABELLED: Final = 100
CATEGORIES: Final = ("billing", "refunds", "shipping")
FALSE_PASSES: Final = {"baseline": 0.08, "code-chef": 0.40}
FALSE_FAILS: Final = 0.03
CHANGED: Final = 0.10
"""Share of tasks that one arm gets right and the other wrong."""


def write_judged_sample(directory: Path, seed: int) -> list[Path]:
    """Write both files into a directory, creating it; existing ones are replaced.

    Raises:
        OSError: when the directory cannot be written.
    """
    directory.mkdir(parents=True, exist_ok=True)
    stream = random.Random(f"{seed}/judged")  # noqa: S311  a sample, not a secret
    labelled = set(stream.sample(range(TASKS), LABELLED))
    records, lines, losses = [], io.StringIO(), 0
    writer = csv.writer(lines, lineterminator="\n")
    writer.writerow(("experiment", "task", "run", "key", "score", "reason"))
    for task in range(TASKS):
        passes = stream.random() < 0.6  # noqa: PLR2004  of tasks are passed
        changed = stream.random() < CHANGED
        losses += changed
        loser = ("baseline", "code-chef")[losses % 2]  # in turn, so that the arms are alike
        for group, false_passes in FALSE_PASSES.items():
            truth = passes != (changed and group == loser)
            judged = stream.random() >= FALSE_FAILS if truth else stream.random() < false_passes
            run = f"{group}-{task + 1}"
            records.append(
                {
                    "experiment_id": EXPERIMENT_ID,
                    "task_id": f"task-{task + 1}",
                    "experiment_group": group,
                    "extension_version": "3.0.0",
                    "source_run_id": run,
                    "agent_name": "support",
                    "recorded_at": "2025-02-03T09:00:00Z",
                    "success": True,
                    "scores": {"accuracy": float(judged)},
                    "evaluator_versions": {"accuracy": "judge-1"},
                    "metadata": {"category": CATEGORIES[task % len(CATEGORIES)]},
                }
            )
            if task in labelled:
                reason = "answers the question" if truth else "does not answer the question"
                writer.writerow(
                    (EXPERIMENT_ID, f"task-{task + 1}", run, "accuracy", int(truth), reason)
                )
    runs, people = directory / "judged.jsonl", directory / "people.csv"
    runs.write_bytes(b"".join(msgspec.json.encode(record) + b"\n" for record in records))
    people.write_text(lines.getvalue(), encoding="utf-8", newline="")
    return [runs, people]
