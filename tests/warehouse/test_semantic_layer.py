"""Metrics of the semantic layer, computed as MetricFlow computes them, against the marts."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import sample_marts
from loader.warehouse.project import project_directory

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]
_AGGREGATES = {
    "count": "count({})",
    "sum": "sum({})",
    "sum_boolean": "sum(case when {} then 1 else 0 end)",
}
Row = dict[str, Any]


class Layer:
    """What dbt parsed of it, and the SQL of a simple query."""

    def __init__(self, manifest: Row) -> None:
        self.metrics = {each["name"]: each for each in manifest["metrics"].values()}
        self.models = {each["name"]: each for each in manifest["semantic_models"].values()}

    def query(self, metric: str, group_by: str) -> str:
        """Return the SQL of a metric by a dimension or an entity of its semantic model."""
        told = self.metrics[metric]
        parameters = told["type_params"]
        if told["type"] == "ratio":
            over, under = (
                self.query(parameters[part]["name"], group_by)
                for part in ("numerator", "denominator")
            )
            return (
                f"select told, over.value::float8 / nullif(under.value, 0)::float8 as value"
                f" from ({over}) as over full join ({under}) as under using (told)"
            )
        measure = parameters["measure"]["name"]
        model, found = next(
            (model, each)
            for model in self.models.values()
            for each in model["measures"]
            if each["name"] == measure
        )
        value = _AGGREGATES[found["agg"]].format(found["expr"])
        schema, table = model["node_relation"]["schema_name"], model["node_relation"]["alias"]
        return (
            f"select {_expression(model, group_by)} as told, {value} as value"
            f" from {schema}.{table} group by 1"
        )


def _expression(model: Row, name: str) -> str:
    for part in (*model["entities"], *model["dimensions"]):
        if part["name"] == name:
            expression = part["expr"] or name
            if part["type"] == "time":
                grain = part["type_params"]["time_granularity"]
                return f"date_trunc('{grain}', {expression})::date"
            return str(expression)
    raise KeyError(name)


def _parsed(folder: Path, **more: str) -> Row:
    shutil.copyfile(project_directory() / "profiles.yml.example", folder / "profiles.yml")
    subprocess.run(
        [
            str(Path(sys.executable).parent / "dbt"), "--quiet", "--warn-error", "parse",
            "--no-partial-parse", "--project-dir", str(project_directory()),
        ],
        env={
            **os.environ,
            "DBT_PROFILES_DIR": str(folder),
            "DBT_TARGET_PATH": str(folder),
            "DBT_LOG_PATH": str(folder),
            "PGHOST": "/nowhere",
            "PGUSER": "nobody",
            "PGDATABASE": "nothing",
            **more,
        },
        check=True,
    )  # fmt: skip
    parsed: Row = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    return parsed


@pytest.fixture(scope="module")
def layer(tmp_path_factory: pytest.TempPathFactory) -> Layer:
    return Layer(_parsed(tmp_path_factory.mktemp("parsed"), EVALMART_SEMANTIC_LAYER="true"))


@pytest.fixture(scope="module")
def marts(
    postgres_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[psycopg.Connection[Any]]:
    # runs that say nothing of success, or of cost, and an arm of which none ended well
    texts = [
        {"task_id": task, "experiment_group": group, "success": success, "cost_usd": cost,
         "repetition": number}
        for group, task, number, success, cost in (
            ("baseline", "a", 1, True, 0.5), ("baseline", "a", 2, False, 0.25),
            ("baseline", "a", 3, True, None), ("baseline", "b", 1, None, 4.0),
            ("baseline", "c", 1, True, 1.0), ("code-chef", "a", 1, False, 0.5),
            ("code-chef", "b", 1, None, None),
        )
    ]  # fmt: skip
    path = tmp_path_factory.mktemp("more") / "more.jsonl"
    with path.open("w", encoding="utf-8") as file:
        for text in texts:
            known = {name: value for name, value in text.items() if value is not None}
            told = {"experiment_id": "uneven", "extension_version": "1.0.0", **known}
            file.write(json.dumps(told) + "\n")
    with (
        sample_marts.sample_marts(postgres_server, path) as url,
        psycopg.connect(url) as connection,
    ):
        yield connection


def test_dbt_parses_the_layer_for_those_who_ask_for_it(layer: Layer, tmp_path: Path) -> None:
    assert {
        "evals_success_rate", "evals_accuracy", "evals_cost_per_success", "evals_pass_hat_k",
        "evals_verdicts",
    } <= set(layer.metrics)  # fmt: skip
    entities = {
        name: {entity["name"] for entity in model["entities"]}
        for name, model in layer.models.items()
    }
    assert {"experiment", "task", "agent", "arm"} <= entities["evals_results"]
    assert {"experiment", "task", "agent", "arm"} <= entities["evals_runs"]
    for model in layer.models.values():
        times = {each["name"]: each for each in model["dimensions"] if each["type"] == "time"}
        assert times["recorded_at"]["type_params"]["time_granularity"] == "day"
        assert all(each["description"] for each in (*model["entities"], *model["measures"]))
    assert all(metric["description"] and metric["label"] for metric in layer.metrics.values())
    without = _parsed(tmp_path)
    assert without["metrics"] == without["semantic_models"] == {}


@pytest.mark.parametrize(
    ("metric", "column"),
    [
        ("evals_success_rate", "success_rate"),
        ("evals_accuracy", "avg_accuracy"),
        ("evals_pass_at_k", "pass_at_k"),
        ("evals_pass_hat_k", "pass_hat_k"),
        ("evals_results", "total_tasks"),
        ("evals_runs", "total_runs"),
    ],
)
def test_a_metric_of_an_arm_is_what_its_summary_says(
    layer: Layer, marts: psycopg.Connection[Any], metric: str, column: str
) -> None:
    expected = dict(
        marts.execute(
            "select jsonb_build_array(experiment_id, experiment_group, extension_version)::text,"
            f" {column} from evals.arm_summaries"
        ).fetchall()
    )
    found = dict(marts.execute(layer.query(metric, "arm")).fetchall())
    assert any(value for value in expected.values())
    assert {arm: value if value is None else pytest.approx(float(value), rel=1e-12)
            for arm, value in expected.items()} == found  # fmt: skip


def test_cost_per_success_counts_what_failed_and_no_run_that_leaves_one_out(
    layer: Layer, marts: psycopg.Connection[Any]
) -> None:
    query = f"select * from ({layer.query('evals_cost_per_success', 'arm')}) as costs"
    found = dict(marts.execute(f"{query} where told like '%uneven%'").fetchall())
    assert found == {
        '["uneven", "baseline", "1.0.0"]': pytest.approx((0.5 + 0.25 + 1.0) / 2),
        '["uneven", "code-chef", "1.0.0"]': None,
    }


def test_a_rate_over_runs_weighs_runs_and_one_over_tasks_weighs_tasks(
    layer: Layer, marts: psycopg.Connection[Any]
) -> None:
    def rate(metric: str) -> object:
        rates = dict(marts.execute(layer.query(metric, "arm")).fetchall())
        return rates['["uneven", "baseline", "1.0.0"]']

    assert rate("evals_run_success_rate") == pytest.approx(3 / 4)
    assert rate("evals_success_rate") == pytest.approx((2 / 3 + 1) / 2)


def test_a_rate_of_many_arms_is_no_mean_of_their_rates(
    layer: Layer, marts: psycopg.Connection[Any]
) -> None:
    found = dict(marts.execute(layer.query("evals_success_rate", "recorded_at")).fetchall())
    expected = dict(
        marts.execute(
            "select (recorded_at at time zone 'UTC')::date, avg(success_rate)"
            " from evals.evaluation_results group by 1"
        ).fetchall()
    )
    assert len(expected) > 1
    assert {day: value and pytest.approx(value) for day, value in expected.items()} == found


def test_verdicts_are_counted_by_what_they_recommend(
    layer: Layer, marts: psycopg.Connection[Any]
) -> None:
    expected = dict(
        marts.execute(
            "select recommendation, count(*) from evals.experiment_summaries group by 1"
        ).fetchall()
    )
    found = marts.execute(layer.query("evals_verdicts", "recommendation")).fetchall()
    assert dict(found) == expected
    rates = dict(marts.execute(layer.query("evals_deploy_rate", "recommendation")).fetchall())
    assert rates == {word: float(word == "deploy") for word in expected}
