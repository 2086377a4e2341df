"""What people said at Langfuse is stored beside what evaluators gave, once."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner

from ingest_support import select
from loader.cli import cli
from tool_files import langfuse

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server


def ingest(path: Path, url: str, *more: str) -> tuple[dict[str, object], str]:
    done = CliRunner().invoke(
        cli,
        ["ingest", str(path), "--summary-format", "json", "--database-url", url, *more],
    )
    assert done.exit_code == 0, done.output
    [told] = [json.loads(text) for text in done.stdout.splitlines()]
    return told, done.stderr


def test_a_score_that_an_annotator_gave_is_stored_with_its_author(
    tmp_path: Path, database_url: str
) -> None:
    rows = [*langfuse.all_scores(4, 1)]
    person = {"source": "ANNOTATION", "authorUserId": "u-7", "comment": "not what was asked"}
    rows.append({**rows[0], "id": "by hand", "value": 0, **person})
    path = langfuse.write_answer(tmp_path / "scores.json", rows)
    told, said = ingest(path, database_url, "--experiment-group", "baseline")
    assert (told["read"], told["loaded"]) == (4, 4)
    assert "scores that people gave: read 1 · loaded 1" in said
    found = select(
        database_url,
        "select source_run_id, evaluator_key, author, score, reason from raw_evals.annotations",
    )
    assert found == [(rows[0]["traceId"], "correctness", "u-7", 0.0, "not what was asked")]
    [scores] = select(
        database_url,
        "select scores from raw_evals.evaluation_runs where source_run_id = %s",
        rows[0]["traceId"],
    )
    assert scores[0]["correctness"] == rows[0]["value"]
    told, said = ingest(path, database_url, "--experiment-group", "baseline")
    assert (told["loaded"], told["unchanged"]) == (0, 4)
    assert "scores that people gave: read 1 · loaded 0 · unchanged 1" in said


def test_dataset_runs_are_the_arms_of_a_comparison(tmp_path: Path, database_url: str) -> None:
    for seed in (1, 2):
        langfuse.write_table(tmp_path / f"scores {seed}.csv", langfuse.all_scores(5, seed))
        langfuse.write_answer(tmp_path / f"items {seed}.json", langfuse.items(5, seed))
    arms = ("--map", "experiment_group=dataset_run", "--control", "prompt-v1",
            "--treatment", "prompt-v2")  # fmt: skip
    told, _ = ingest(tmp_path, database_url, *arms)
    assert (told["read"], told["loaded"]) == (10, 10)
    found = select(
        database_url,
        "select experiment_group, count(*), count(distinct task_id) "
        "from raw_evals.evaluation_runs group by 1 order by 1",
    )
    assert found == [("prompt-v1", 5, 5), ("prompt-v2", 5, 5)]
    tasks = select(database_url, "select distinct task_id from raw_evals.evaluation_runs")
    assert len(tasks) == 5
