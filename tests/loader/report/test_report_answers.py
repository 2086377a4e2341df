"""What was asked and answered: from a file, through the marts, onto the page."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

from loader.cli import cli
from loader.report.answers import answered
from loader.report.tasks import choose

if TYPE_CHECKING:
    from pathlib import Path

    from warehouse_dbt import Dbt


def records(arm: str, answer: str, score: int) -> list[dict[str, object]]:
    return [
        {
            "experiment_id": "e",
            "experiment_group": arm,
            "extension_version": "1",
            "task_id": f"t{number}",
            "scores": {"accuracy": score if number == 1 else 1},
            "inputs": {"question": f"What is {number} <b>plus</b> 1?"},
            "outputs": answer,
            "reference_outputs": str(number + 1),
            "trace_url": f"https://traces.example/{arm}/{number}",
        }
        for number in range(12)
    ]


@pytest.mark.newest_server
@pytest.mark.slow
def test_the_page_shows_what_was_asked_and_answered(
    database_url: str, dbt: Dbt, tmp_path: Path
) -> None:
    path = tmp_path / "r.jsonl"
    rows = [*records("baseline", "2", 1), *records("code-chef", "<script>alert(1)</script>", 0)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    page = tmp_path / "page.html"
    database = ["--database-url", database_url]
    for command, is_kept in (
        (["ingest", str(path)], False),
        (["ingest", str(path), "--with-io"], True),
    ):
        done = CliRunner().invoke(cli, [*command, *database])
        assert done.exit_code == 0, done.output
        dbt.build(database_url)
        done = CliRunner().invoke(cli, ["report", "--experiment", "e", "-o", str(page), *database])
        assert done.exit_code == 0, done.output
        text = page.read_text()
        assert "https://traces.example/code-chef/1" in text
        assert ("Asked and answered" in text) is is_kept
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    assert "<script>alert(1)" not in text
    assert "What is 1 &lt;b&gt;plus&lt;/b&gt; 1?" in text
    assert "What is 2 " not in text, "a task that neither broke nor lost is not shown"
    with psycopg.connect(database_url) as connection:
        kept = connection.execute(
            "select task_id, experiment_group, inputs, outputs, reference_outputs"
            " from evals.run_contents order by experiment_group, task_id limit 1"
        ).fetchone()
        assert kept == ("t0", "baseline", {"question": "What is 0 <b>plus</b> 1?"}, "2", "1")
        connection.execute("set role evals_analyst")
        assert connection.execute("select count(*) from evals.run_contents").fetchone() == (24,)


def task(name: str, difference: float) -> dict[str, object]:
    return {
        "task_id": name,
        "primary_difference": difference,
        "baseline_success": None,
        "candidate_success": None,
        "baseline_result_id": f"b{name}",
        "candidate_result_id": f"c{name}",
        "not_comparable_reason": None,
    }


def test_different_inputs_of_one_task_are_both_shown_and_long_texts_are_cut() -> None:
    chosen = choose([task("t1", -1.0), task("t2", -0.5), task("t3", 0.5)])
    shown = answered(
        chosen,
        {
            "bt1": {"inputs": "2+2?", "outputs": None, "reference_outputs": None},
            "ct1": {"inputs": "2+3?", "outputs": "x" * 4000, "reference_outputs": {"a": 0}},
            "ct3": {"inputs": None, "outputs": False, "reference_outputs": None},
        },
    )
    assert [(one.task, one.texts) for one in shown] == [
        (
            "t1",
            [
                ("inputs of the baseline", "2+2?"),
                ("inputs of the candidate", "2+3?"),
                ("reference", '{\n  "a": 0\n}'),
                ("candidate", "x" * 3000 + "… 1,000 characters more"),
            ],
        ),
        ("t3", [("candidate", "false")]),
    ]
