"""Whether a run passed: by a score, by what it says of itself, or not known.

From files to what a person and a program is shown. Failed infrastructure, unequal numbers of
runs, scores that are neither 0 nor 1, and arms of one mean that are not equally steady.
"""

from __future__ import annotations

import json
from math import comb, isclose
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

import servers
from loader.cli import cli
from loader.ingest import arm_plans
from loader.sources import ArmPlan
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

UNEVEN = [(2, 1), (3, 2), (4, 4), (5, 2), (8, 5)]
"""Runs of a task, and how many of them passed."""


def run(experiment: str, task: object, repetition: int, **fields: object) -> dict[str, object]:
    return {
        "experiment_id": experiment,
        "experiment_group": "code-chef",
        "extension_version": "1",
        "agent_name": experiment,
        "task_id": f"task{task}",
        "repetition": repetition,
        **fields,
    }


def scored(passed: bool, **fields: object) -> dict[str, object]:
    return {"success": passed, "scores": {"accuracy": float(passed)}, **fields}


def records() -> Iterator[dict[str, object]]:
    crashed = {"success": False, "error_message": "INFRASTRUCTURE_ERROR: timed out"}
    finished = scored(passed=True)
    for task in range(5):
        for repetition in range(1, 5):
            baseline = scored((task + repetition) % 2 == 1, experiment_group="baseline")
            yield run("infra", task, repetition, **baseline)
            is_finished = task == 0 and repetition == 1
            yield run("infra", task, repetition, **(finished if is_finished else crashed))
    for task, (runs, passes) in enumerate(UNEVEN):
        for repetition in range(1, runs + 1):
            yield run("uneven", task, repetition, **scored(repetition <= passes))
    for task in range(10):
        for repetition in range(1, 4):
            half = {"scores": {"accuracy": 0.5}}
            yield run("partial", task, repetition, **half)
            # its failures say so, by a message; what went well says nothing
            failure = {"error_message": "timed out"} if (task, repetition) == (0, 2) else {}
            yield run("failures", task, repetition, **half, **failure)
            yield run("said", task, repetition, **half, success=repetition > 1 or task > 0)
    for task in range(60):
        for repetition in range(1, 6):
            steady, shaky = task % 5 != 0, repetition != 1 + task % 5
            yield run("steady", task, repetition, **scored(steady, experiment_group="baseline"))
            yield run("steady", task, repetition, **scored(shaky))


@pytest.fixture(scope="module")
def url(postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("passes")
    path = directory / "passes.jsonl"
    path.write_text("\n".join(map(json.dumps, records())))
    with servers.migrated(postgres_server) as url:
        ask(url, "ingest", "--file", path)
        dbt.build(url)
        yield url


def test_a_plan_that_changed_is_read_by_the_next_build(url: str, dbt: Dbt) -> None:
    where = "where experiment_id = 'steady' and experiment_group = 'code-chef'"
    written = f"select min(xmin::text::bigint) as place from evals.arm_summaries {where}"
    plan = (
        f"select planned_repetitions, planned_tasks from evals_intermediate.int_arm_plans {where}"
    )
    before = one(url, written)
    for repetitions, tasks in ((5, None), (7, 80)):
        with connect(url) as connection:
            planned = ArmPlan("steady", "code-chef", "1", repetitions, tasks)
            assert arm_plans.announce(connection, "run", [planned])
        # a plan later than the build is not of the build
        seen = one(url, f"select count(*) filter (where planned_tasks = 80) as late from ({plan})")
        assert seen == {"late": 0}
        dbt.build(url, "--select", "+arm_summaries", "int_arm_plans")
        found = one(url, plan)
        assert found == {"planned_repetitions": repetitions, "planned_tasks": tasks}
        after = one(url, written)
        assert after["place"] > before["place"]
        before = after
    dbt.build(url)  # whole, so that the marts are of one state again
    assert one(url, written) == before


def ask(url: str, command: str, *arguments: object) -> str:
    result = CliRunner().invoke(cli, [command, "--database-url", url, *map(str, arguments)])
    assert result.exit_code == 0, result.output
    return result.stdout


def arm(url: str, experiment: str, group: str = "code-chef") -> dict[str, Any]:
    return one(
        url, "select * from evals.arm_summaries where (experiment_id, experiment_group) = (%s, %s)",
        experiment, group,
    )  # fmt: skip


def one(url: str, statement: str, *values: object) -> dict[str, Any]:
    with psycopg.connect(url, row_factory=psycopg.rows.dict_row) as connection:
        [row] = connection.execute(statement.encode(), values).fetchall()
        return row


def test_a_crash_without_a_score_is_a_trial_that_did_not_pass(url: str) -> None:
    row = arm(url, "infra")
    assert (row["pass_metric"], row["success_rate"]) == ("accuracy", 1 / 20)
    assert (row["total_tasks"], row["repeated_tasks"]) == (5, 5)
    # task 0 passed once in four runs, the others never
    assert isclose(row["pass_at_k"], (1 - comb(3, 3) / comb(4, 3)) / 5)
    assert (row["pass_hat_k"], row["pass_hat_k_low"]) == (0, 0)
    # what has a score is one of twenty runs, and that can be seen
    scores = one(
        url,
        "select count(*) filter (where value is not null) as tasks, sum(repetitions) as runs"
        " from evals.evaluation_scores where experiment_id = 'infra' and metric = 'accuracy'"
        " and experiment_group = 'code-chef'",
    )
    assert scores == {"tasks": 1, "runs": 1}
    counts = one(
        url,
        "select counted_repetitions, passed_repetitions, failed_repetitions"
        " from evals.evaluation_results where experiment_id = 'infra' and task_id = 'task0'"
        " and experiment_group = 'code-chef'",
    )
    assert counts == {"counted_repetitions": 4, "passed_repetitions": 1, "failed_repetitions": 3}


def test_an_arm_whose_infrastructure_failed_does_not_pass(url: str) -> None:
    result = CliRunner().invoke(
        cli, ["gate", "--database-url", url, "--experiment", "infra", "--format", "json"]
    )
    assert result.exit_code == 5, result.output
    found = one(
        url,
        "select n_pairs, n_tasks, candidate_mean, improvement_missing_as_zero, flags"
        " from evals.experiment_metric_comparisons"
        " where experiment_id = 'infra' and metric = 'accuracy'",
    )
    # its mean of 1 is that of one task, and is worth nothing with the others at worst
    assert (found["n_pairs"], found["n_tasks"], found["candidate_mean"]) == (1, 5, 1)
    assert isclose(found["improvement_missing_as_zero"], 1 / 20 - 1 / 2)
    assert {"few_clusters", "missing_flips_sign"} <= set(found["flags"])


def test_tasks_count_by_their_own_number_of_runs(url: str) -> None:
    row = arm(url, "uneven")
    enough = [(runs, passes) for runs, passes in UNEVEN if runs >= 3]
    hat = sum(comb(passes, 3) / comb(runs, 3) for runs, passes in enough) / len(enough)
    at = sum(1 - comb(runs - passes, 3) / comb(runs, 3) for runs, passes in enough) / len(enough)
    assert (row["total_tasks"], row["repeated_tasks"]) == (5, len(enough))
    assert isclose(row["pass_hat_k"], hat)
    assert isclose(row["pass_at_k"], at)
    assert f"{hat:.6f} {at:.6f}" == "0.294643 0.970536"


@pytest.mark.parametrize("experiment", ["partial", "failures"])
def test_scores_between_0_and_1_do_not_pass_where_nobody_says_what_went_well(
    url: str, experiment: str
) -> None:
    row = arm(url, experiment)
    unknown = ("pass_metric", "pass_at_k", "pass_at_k_low", "pass_hat_k", "pass_hat_k_high")
    assert [row[name] for name in unknown] == [None] * 5
    assert row["repeated_tasks"] == 0
    assert (row["success_rate"], row["said_tasks"]) == {
        "partial": (None, 0), "failures": (0, 1),
    }[experiment]  # fmt: skip


def test_scores_between_0_and_1_pass_by_what_the_runs_say(url: str) -> None:
    row = arm(url, "said")
    assert (row["pass_metric"], row["pass_at_k"]) == ("success", 1)
    assert isclose(row["pass_hat_k"], 0.9)


def test_arms_of_one_mean_that_are_not_equally_steady_differ_in_pass_hat_k(url: str) -> None:
    baseline, candidate = arm(url, "steady", "baseline"), arm(url, "steady")
    assert isclose(baseline["avg_accuracy"], candidate["avg_accuracy"])
    assert isclose(baseline["pass_hat_k"], 0.8)
    assert isclose(candidate["pass_hat_k"], 0.4)
    assert baseline["pass_hat_k_low"] > candidate["pass_hat_k_high"]


def test_what_nobody_said_is_shown_as_unknown_and_never_as_true(url: str) -> None:
    shown = ask(url, "recent", "--agent", "partial", "--limit", 3)
    assert shown.count("unknown") == 3
    assert "yes" not in shown
    [row, *_] = json.loads(ask(url, "recent", "--agent", "partial", "--format", "json"))
    assert (row["success"], row["success_rate"]) == (None, None)


def test_what_nobody_said_is_exposed_as_unknown(url: str, tmp_path: Path) -> None:
    ask(url, "metrics", "--textfile", tmp_path / "evals.prom")
    counts = {
        (sample.labels["agent"], sample.labels["success"]): sample.value
        for family in text_string_to_metric_families((tmp_path / "evals.prom").read_text())
        for sample in family.samples
        if sample.name == "eval_results_total"
    }
    assert counts["partial", "unknown"] == 10
    assert ("partial", "true") not in counts
    assert (counts["failures", "unknown"], counts["failures", "false"]) == (9, 1)
    assert counts["said", "true"] == 9
