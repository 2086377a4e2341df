"""Single tasks: what broke beyond chance, and what is noise from run to run, by an oracle."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime, timedelta
from math import isclose
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner
from statsmodels.stats.proportion import proportion_confint

import servers
from independent_tasks import flaky_tasks, pass_curve, task_comparisons
from loader.cli import cli
from task_warehouse import Lived

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

BEGAN = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = [f"1.{minor}.0" for minor in range(12)]
DIRECTIONS = {
    "accuracy": "higher", "quality": "higher", "grade": "higher", "error_flag": "lower",
    "toxic_words": "unknown", "success": "higher",
}  # fmt: skip


def compared(experiment: str = "single") -> Iterator[dict[str, Any]]:
    """Give two arms of tasks that broke, were mended, crashed, or did nothing of the sort."""
    source = random.Random(11)  # noqa: S311  test data
    for task in range(24):
        repetitions = {"baseline": 2 + task % 7, "code-chef": 9 - task % 7}
        for group, count in repetitions.items():
            chance = 0.6
            if task in {3, 10, 17}:
                chance = 0.97 if group == "baseline" else 0.02
            elif task in {4, 11}:
                chance = 0.02 if group == "baseline" else 0.97
            for repetition in range(count if task % 5 else 8):
                passed = source.random() < chance
                crashed = task == 7 and group == "code-chef" and repetition % 2 == 0
                grade = source.choice([0, 0.25, 0.5, 0.75, 1]) if task % 2 else source.random()
                scores = {
                    "accuracy": float(passed), "error_flag": float(not passed),
                    "quality": 0.4 if task == 20 else round(0.5 * passed + 0.4 * grade, 3),
                    "grade": grade, "toxic_words": float(source.random() < 0.3),
                }  # fmt: skip
                yield {
                    "experiment_id": experiment,
                    "experiment_group": group,
                    "extension_version": "2.0.0",
                    "agent_name": "dev",
                    "task_id": f"t{task}",
                    "repetition": repetition,
                    "success": not crashed and source.random() < 0.9,
                    **({"error_message": "timed out"} if crashed else {"scores": scores}),
                }


def history() -> Iterator[dict[str, Any]]:
    """Give twelve versions of tasks: steady, noisy, fallen for good, alternating, with few runs."""
    source = random.Random(12)  # noqa: S311  test data
    for place, version in enumerate(VERSIONS):
        for task in range(20):
            if task == 19 and place > 2:
                continue
            for repetition in range(1 if task in {6, 19} else 1 + task % 4):
                passed = {
                    0: True, 1: False, 2: place < 6, 3: place >= 3,
                    4: (place + repetition) % 2 == 0, 5: place != 5, 6: place % 2 == 0,
                }.get(task, source.random() < 0.1 * (task % 10))  # fmt: skip
                yield {
                    "experiment_id": f"history-{place}",
                    "experiment_group": "code-chef",
                    "extension_version": version,
                    "agent_name": "old",
                    "task_id": f"h{task}",
                    "repetition": repetition,
                    "success": source.random() < 0.8,
                    "scores": {"accuracy": float(passed), "quality": 0.5},
                    "recorded_at": (
                        BEGAN + timedelta(days=place, minutes=task * 10 + repetition)
                    ).isoformat(),
                }


@pytest.fixture(scope="module")
def lived(
    postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    with servers.migrated(postgres_server) as url:
        warehouse = Lived(url, dbt)
        warehouse.ingest([*compared(), *history()], tmp_path_factory.mktemp("records"))
        warehouse.build_with(
            "insert into evals_staging.metrics (metric, position, kind, unit, direction,"
            " weight, tie_margin, non_inferiority_margin, description)"
            " values ('error_flag', 90, 'score', 'fraction', 'lower', 0, 0.05, 0.05, 'errs')"
        )
        yield warehouse


def assert_same(found: Mapping[str, Any], expected: Mapping[str, Any], name: object) -> None:
    """Hold every value that the oracle has against the mart's, to 1e-9."""
    for column, wanted in expected.items():
        value = found[column]
        if isinstance(wanted, float) and value is not None:
            assert isclose(value, wanted, rel_tol=1e-9, abs_tol=1e-12), (name, column)
        else:
            assert value == wanted, (name, column, value, wanted)


@pytest.mark.parametrize("metric", DIRECTIONS)
def test_each_task_is_tested_as_by_scipy(lived: Lived, metric: str) -> None:
    expected = task_comparisons([*compared()], metric, DIRECTIONS[metric])
    found = {
        row["task_id"]: row
        for row in lived.rows(
            "experiment_task_comparisons", f"experiment_id = 'single' and metric = '{metric}'"
        )
    }
    assert found.keys() == expected.keys()
    assert len(found) >= 20
    for task, row in expected.items():
        assert_same(found[task], row, task)


def test_every_way_of_testing_is_met(lived: Lived) -> None:
    rows = lived.rows("experiment_task_comparisons", "experiment_id = 'single'")
    assert {row["method"] for row in rows} == {"fisher", "permutation", "welch", None}
    assert {row["untested_reason"] for row in rows} >= {None, "direction_unknown"}
    broke = {row["task_id"] for row in rows if row["broke_beyond_chance"]}
    fixed = {row["task_id"] for row in rows if row["fixed_beyond_chance"]}
    assert broke & {"t3", "t10", "t17"}
    assert fixed & {"t4", "t11"}
    assert not (broke | fixed) & {f"t{task}" for task in (0, 1, 5, 6, 8, 9)}


def test_runs_to_look_at_are_those_of_the_task(lived: Lived) -> None:
    rows = lived.rows("experiment_task_comparisons", "experiment_id = 'single'")
    trials = lived.rows("evaluation_trials", "experiment_id = 'single'")
    for row in rows:
        is_noted = row["broke_beyond_chance"] or row["fixed_beyond_chance"]
        for group, column in (("baseline", "baseline_run_ids"), ("code-chef", "candidate_run_ids")):
            ids = [
                one["source_run_id"] for one in trials
                if one["task_id"] == row["task_id"] and one["experiment_group"] == group
            ]  # fmt: skip
            assert sorted(row[column] or []) == (sorted(ids) if is_noted else [])
    assert any(row["broke_beyond_chance"] for row in rows)


@pytest.mark.parametrize("metric", ["accuracy", "success"])
def test_flips_are_held_against_all_orders_of_the_runs(lived: Lived, metric: str) -> None:
    expected = flaky_tasks([*history()], metric, VERSIONS)
    rows = lived.rows("flaky_tasks", f"agent_name = 'old' and metric = '{metric}'")
    found = {(row["agent_name"], row["experiment_group"], row["task_id"]): row for row in rows}
    assert len(rows) == len(found)
    assert found.keys() == expected.keys()
    for key, row in expected.items():
        assert_same(found[key], row, key)


def test_noise_is_told_from_a_change(lived: Lived) -> None:
    rows = {
        row["task_id"]: row
        for row in lived.rows("flaky_tasks", "agent_name = 'old' and metric = 'accuracy'")
    }
    states = {task: row["state"] for task, row in rows.items()}
    assert states["h0"] == states["h1"] == "steady"
    assert states["h2"] == states["h3"] == "changed"
    assert states["h6"] == "alternating"
    assert rows["h2"]["is_flaky"] is rows["h0"]["is_flaky"] is False
    # it failed in one version, both times
    assert (rows["h5"]["state"], rows["h5"]["is_flaky"]) == ("noise", False)
    assert (rows["h19"]["state"], rows["h19"]["runs"]) == ("steady", 3) or rows["h19"][
        "is_flaky"
    ] is None
    assert "noise" in states.values()
    assert "quality" not in {row["metric"] for row in lived.rows("flaky_tasks")}


def test_the_share_of_flaky_tasks_is_that_of_the_arm(lived: Lived) -> None:
    (row,) = lived.rows("arm_summaries", "experiment_id = 'history-3'")
    outcomes: dict[str, list[bool]] = {}
    for one in history():
        if one["experiment_id"] == "history-3":
            outcomes.setdefault(one["task_id"], []).append(one["scores"]["accuracy"] == 1)
    twice = [found for found in outcomes.values() if len(found) > 1]
    flaky = sum(len(set(found)) > 1 for found in twice)
    assert (row["twice_run_tasks"], row["flaky_tasks"]) == (len(twice), flaky)
    assert row["flaky_share"] == pytest.approx(flaky / len(twice))
    low, high = proportion_confint(flaky, len(twice), 0.05, method="wilson")
    assert row["flaky_share_low"] == pytest.approx(low, rel=1e-9)
    assert row["flaky_share_high"] == pytest.approx(high, rel=1e-9)


def test_a_curve_is_what_drawing_k_runs_of_each_task_gives(lived: Lived) -> None:
    outcomes: dict[str, list[bool]] = {}
    for one in history():
        if one["experiment_id"] == "history-3":
            outcomes.setdefault(one["task_id"], []).append(one["scores"]["accuracy"] == 1)
    expected = pass_curve(outcomes)
    rows = lived.rows("pass_curves", "experiment_id = 'history-3'")
    assert [row["k"] for row in sorted(rows, key=lambda row: row["k"])] == [*expected]
    assert len({row["tasks"] for row in rows}) > 1, "no task has fewer runs than another"
    for row in rows:
        assert_same(row, {"pass_metric": "accuracy", **expected[row["k"]]}, row["k"])


def test_a_curve_goes_through_what_the_arm_is_said_to_be(lived: Lived) -> None:
    arms = {
        (row["experiment_id"], row["experiment_group"]): row
        for row in lived.rows("arm_summaries", "repeated_tasks > 0")
    }
    curves = {
        (row["experiment_id"], row["experiment_group"]): row
        for row in lived.rows("pass_curves", "k = 3")
    }
    assert arms.keys() == curves.keys()
    assert ("single", "baseline") in arms
    for arm, row in arms.items():
        assert curves[arm]["tasks"] == row["repeated_tasks"]
        names = [
            f"{name}{end}" for name in ("pass_at_k", "pass_hat_k") for end in ("", "_low", "_high")
        ]
        assert_same(curves[arm], {name: row[name] for name in names}, arm)
    told = lived.run("summary", "--experiment", "single")
    assert "How often all of k runs of a task pass" in told
    row = curves["single", "baseline"]
    assert f"{100 * row['pass_hat_k']:.1f} % (" in told
    words = ["summary", "--experiment", "single", "--format", "json", "--database-url", lived.url]
    [asked] = json.loads(CliRunner().invoke(cli, words).stdout)
    assert {one["k"] for one in asked["pass_curves"]} >= {1, 2, 3}


def test_a_build_of_what_changed_is_that_of_everything(lived: Lived, tmp_path: Path) -> None:
    before = lived.rows("experiment_task_comparisons", "experiment_id = 'single'")
    lived.ingest([*compared("again")], tmp_path)
    lived.build()
    columns = [name for name in before[0] if not name.endswith("_ids") and "experiment" not in name]
    first, second = (
        sorted(
            json.dumps([row[name] for name in columns])
            for row in lived.rows("experiment_task_comparisons", f"experiment_id = '{name}'")
        )
        for name in ("single", "again")
    )
    assert first == second
    assert len(lived.rows("experiment_task_comparisons")) == 2 * len(before)
