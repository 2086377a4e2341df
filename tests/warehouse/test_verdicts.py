"""The verdicts that dbt builds from raw rows, against the written rule in plain Python."""

from __future__ import annotations

import json
import random
from collections import Counter, defaultdict
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg
import pytest

import servers
import verdict_simulation
from paired_readings import Settings
from raw_rows import RawRows
from statistics_cases import disagreements
from verdict_checks import (
    Answers,
    Key,
    comparison_mismatches,
    composite_columns,
    key_of,
    segment_columns,
    verdict_mismatches,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verdict_simulation import Experiment
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Row = dict[str, Any]
Connection = psycopg.Connection[Any]
COUNT = 150
NOTHING = {"no_values", "no_baseline", "no_candidate", "nothing_shared"}
# settings of a policy, and what they are to the rule
ASKED: list[tuple[Row, Row]] = [
    ({"inference": "these_tasks"}, {"is_about_these_tasks": True}),
    (
        {"candidates": "holm", "kept_level": 0.4, "minimum_tasks": 5, "alpha": 0.1},
        {"holm_candidates": True, "kept_level": 0.4, "minimum_tasks": 5, "alpha": 0.1},
    ),
    (
        {"peeking": True, "minimum_coverage": 0.8, "minimum_gain": 0.5, "minimum_clusters": 2},
        {"peeking": True, "minimum_coverage": 0.8, "minimum_gain": 0.5, "minimum_clusters": 2},
    ),
]


@pytest.fixture(scope="module")
def experiments() -> list[Experiment]:
    return verdict_simulation.experiments(np.random.default_rng(12), COUNT)


@pytest.fixture(scope="module")
def answers(experiments: list[Experiment]) -> Answers:
    return Answers(experiments, Settings())


@pytest.fixture(scope="module")
def marts(postgres_server: str, dbt: Dbt, experiments: list[Experiment]) -> Iterator[Connection]:
    """Give the marts of random experiments, with metrics that a team declared beside ours."""
    with (
        servers.migrated(postgres_server) as url,
        psycopg.connect(url, autocommit=True) as connection,
    ):
        raw = RawRows(connection)
        raw.load(record for one in experiments for record in one.records)
        _plan(connection, experiments)
        dbt.run(url, "seed")
        _declare(connection)
        connection.execute("analyze")
        dbt.build(
            url, "--exclude-resource-type", "test", "--exclude-resource-type", "seed",
            "--select", "+experiment_segment_verdicts", "resource_type:function",
        )  # fmt: skip
        yield connection


def _plan(connection: Connection, experiments: list[Experiment]) -> None:
    for one in experiments:
        for version, plan in one.plans.items():
            is_control = version == verdict_simulation.CONTROL
            group = verdict_simulation.BASELINE if is_control else verdict_simulation.CANDIDATE
            connection.execute(
                "insert into raw_evals.arm_plans values (1, %s, %s, %s, %s, %s)",
                (one.name, group, version, *plan),
            )


def _declare(connection: Connection) -> None:
    for place, name in enumerate(verdict_simulation.ORDER, start=1):
        if name not in verdict_simulation.METRICS:
            connection.execute(
                "insert into evals_staging.metrics (metric, position, kind, direction, weight,"
                " tie_margin, non_inferiority_margin) values (%s, %s, %s, %s, %s, %s, %s)",
                (name, place, *verdict_simulation.DECLARED[name]),
            )


def read(connection: Connection, query: str, *values: object) -> list[Row]:
    cursor = connection.execute(query, values)
    names = [column.name for column in cursor.description or ()]
    return [dict(zip(names, row, strict=True)) for row in cursor]


def told(wrong: list[tuple[object, ...]]) -> str:
    """Say how many columns differ, and show some of them."""
    counts = Counter(str(one[1]) for one in wrong)
    shown = random.Random(1).sample(wrong, min(len(wrong), 20))  # noqa: S311  which is no secret
    return "\n".join([str(counts), *map(str, shown)])


def test_every_column_of_a_comparison_is_that_of_the_rule(
    marts: Connection, answers: Answers
) -> None:
    rows: dict[Key, dict[str, Row]] = defaultdict(dict)
    for row in read(marts, "select * from evals.experiment_metric_comparisons"):
        rows[key_of(row)][row["metric"]] = row
    for row in read(marts, "select * from evals.experiment_segment_comparisons"):
        rows[key_of(row, row["segment"])][row["metric"]] = row
    assert rows.keys() >= {key for key in answers.cases if key[2] is None}
    wrong = [
        one for key, found in rows.items() for part in comparison_mismatches(answers, key, found)
        for one in part
    ]  # fmt: skip
    assert not wrong, told(wrong)


def test_every_verdict_is_that_of_the_rule(marts: Connection, answers: Answers) -> None:
    wrong, seen = [], Counter[tuple[str, str | None, str | None]]()
    codes, paths = Counter[str](), Counter[tuple[str | None, str | None]]()
    rows = read(marts, "select * from evals_intermediate.int_experiment_verdicts")
    for row in rows:
        settings = replace(answers.settings, peeking=row["is_anytime"])
        wrong += verdict_mismatches(answers, key_of(row, _agent(row)), row, settings)
        seen[row["recommendation"], row["label"], row["recommendation_route"]] += 1
        codes.update(one["code"] for one in row["recommendation_reasons"])
        paths[row["required_for"], row["required_note"]] += 1
    assert not wrong, told(wrong)
    assert len({row["experiment_id"] for row in rows}) >= COUNT - 5
    assert len(seen) == 7, seen
    assert len(codes) >= 20, codes
    assert len(paths) >= 10, paths


def test_summaries_weigh_as_the_rule_does(marts: Connection, answers: Answers) -> None:
    wrong = []
    for row in read(marts, "select * from evals.experiment_summaries"):
        key = key_of(row)
        if key not in answers.cases:
            assert row["recommendation_reasons"][0]["code"] in NOTHING
            continue
        wrong += disagreements(str(key), composite_columns(answers, key), row, 1.0)
    for row in read(marts, "select * from evals.experiment_segment_verdicts"):
        key = key_of(row, row["segment"])
        wrong += disagreements(str(key), segment_columns(answers, key), row, 1.0)
    assert not wrong, told(wrong)


@pytest.mark.parametrize(("asked", "settings"), ASKED, ids=["these tasks", "holm", "looking"])
def test_a_policy_is_judged_by_the_same_rule(
    marts: Connection, answers: Answers, asked: Row, settings: Row
) -> None:
    wrong = []
    for experiment in sorted({key[0] for key in answers.cases}):
        query = "select * from evals.judge(%s, %s)"
        for row in read(marts, query, experiment, json.dumps(asked)):
            row["experiment_id"] = experiment
            changed = replace(answers.settings, **settings)
            wrong += verdict_mismatches(answers, key_of(row, _agent(row)), row, changed)
    assert not wrong, told(wrong)


def _agent(row: Row) -> str | None:
    return row["segment"].partition(":")[2] or None
