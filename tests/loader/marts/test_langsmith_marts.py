"""What LangSmith says beside the scores, in the marts: tasks of copies, splits, what is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from loader.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

    from langsmith_server import LangSmithServer
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server
TASKS = 12


def evaluate(server: LangSmithServer, name: str, group: str, gain: dict[str, float]) -> None:
    """Make a copy of a dataset, and an experiment with two runs of each of its examples.

    The last example has no run, the first only one, and the second one that is not finished.
    """
    dataset = server.add_dataset(name)
    session = server.add_session(
        name, reference_dataset_id=dataset["id"],
        extra={"metadata": {
            "experiment_id": "exp", "experiment_group": group, "extension_version": "1.0.0",
            "num_repetitions": 2, "dataset_splits": ["easy", "hard"],
        }},
    )  # fmt: skip
    for number in range(TASKS):
        split = "hard" if number % 2 else "easy"
        example = server.add_example(
            dataset, {"q": number}, {}, {"task_id": number, "dataset_split": [split]}
        )
        runs = {0: 1, TASKS - 1: 0}.get(number, 2)
        for repetition in range(runs):
            is_pending = (number, repetition) == (1, 1)
            run = server.add_run(
                session, reference_example_id=example["id"],
                status="pending" if is_pending else "success",
            )  # fmt: skip
            server.add_feedback(run, "accuracy", 0.5 + gain[split] + number / 100)


def test_copies_of_a_dataset_meet_by_task_and_their_splits_are_segments(
    stand_in: LangSmithServer, database_url: str, dbt: Dbt, tmp_path: Path
) -> None:
    evaluate(stand_in, "old", "baseline", {"easy": 0.0, "hard": 0.0})
    evaluate(stand_in, "copy", "code-chef", {"easy": 0.3, "hard": -0.3})
    for name in ("old", "copy"):
        done = run(database_url, "ingest", "--project", name, "--dataset", name)
        assert "1 example of the dataset without a run." in done
        assert "Left out as not finished: 1 run;" in done
        assert f"20 of {2 * TASKS} runs finished ({TASKS} examples, 2 times each)" in done
    dbt.build(database_url)
    with psycopg.connect(database_url) as connection:
        assert connection.execute(
            "select total_tasks, baseline_only_tasks, candidate_only_tasks"
            " from evals.experiment_summaries"
        ).fetchall() == [(TASKS - 1, 0, 0)]
        assert connection.execute(
            "select segment, n_pairs, improvement > 0 from evals.experiment_segment_comparisons"
            " where segment_kind = 'split' and metric = 'accuracy' order by 1"
        ).fetchall() == [("easy", 6, True), ("hard", 5, False)]
        assert connection.execute(
            "select n_tasks, n_planned_tasks from evals.experiment_metric_comparisons"
            " where metric = 'accuracy'"
        ).fetchall() == [(TASKS - 1, TASKS)]
    told = run(database_url, "summary", "--experiment", "exp")
    # a run that is missing, and one that is not finished, of 11 tasks in each arm
    assert "Only 90.9 % of what was to be measured has accuracy" in told
    page = tmp_path / "report.md"
    run(database_url, "report", "--experiment", "exp", "-o", str(page))
    assert "split: hard" in page.read_text(encoding="utf-8")


def run(url: str, *arguments: str) -> str:
    done = CliRunner().invoke(cli, [*arguments, "--database-url", url])
    assert done.exit_code == 0, done.output
    output: Any = done.output
    return str(output)
