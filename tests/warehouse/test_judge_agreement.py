"""How far judges and people agree, held to statsmodels, SciPy and independent writings."""

from __future__ import annotations

import math
import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.rows import dict_row

import independent_judges
import servers
from close_values import agrees
from ingest_support import load_records
from loader.ingest import said
from loader.ingest.annotations import annotate
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

GROUPS = ("baseline", "code-chef")
Run = dict[str, Any]
Warehouse = tuple[str, list[Run], list["Label"]]
Label = tuple[str, str, str, str, float]
"""Experiment, run, key, author, score."""


def record(experiment: str, task: int, group: str, repetition: int, **scores: float) -> Run:
    return {
        "experiment_id": experiment,
        "task_id": f"t{task}",
        "experiment_group": group,
        "extension_version": "1.0.0",
        "source_run_id": f"{experiment}-{group}-{task}-{repetition}",
        "repetition": repetition,
        "recorded_at": f"2026-0{1 + task % 2}-15T00:00:00Z",
        "scores": scores,
        "evaluator_versions": {"accuracy": "j1" if task % 3 else "j2"},
        "metadata": {"category": "odd" if task % 2 else "even"},
    }


def cases() -> tuple[list[Run], list[Label]]:
    """Return runs and labels: one experiment a nasty case."""
    rng = random.Random(7)  # noqa: S311  a seeded test
    runs: list[Run] = []
    labels: list[Label] = []

    def judged(  # noqa: PLR0913, PLR0917  what a case is
        experiment: str,
        tasks: int,
        repetitions: int,
        scores: Callable[[int, str], float],
        said_of: Callable[[int, str, float], list[tuple[str, float]]],
        key: str = "accuracy",
    ) -> None:
        for task in range(tasks):
            for group in GROUPS:
                for repetition in range(1, repetitions + 1):
                    score = scores(task, group)
                    run = record(experiment, task, group, repetition, **{key: score})
                    runs.append(run)
                    labels.extend(
                        (experiment, run["source_run_id"], key, author, value)
                        for author, value in said_of(task, group, score)
                    )

    def flip(score: float) -> float:
        return 1 - score if rng.random() < 0.2 else score

    def clipped(score: float) -> float:
        return round(min(1, max(0, score)), 6)

    def coin(*_: object) -> float:
        return float(rng.random() < 0.6)

    judged("binary", 40, 2, coin, lambda _t, _g, s: [("ana", flip(s))])
    judged(
        "uneven", 30, 3, coin,
        lambda task, _g, s: [("ana", flip(s))] if rng.random() < 0.2 + 0.02 * task else [],
    )  # fmt: skip
    judged("none", 5, 1, coin, lambda *_: [])
    judged("one", 5, 1, coin, lambda t, g, s: [("ana", s)] if (t, g) == (1, "baseline") else [])
    judged("agree", 12, 1, coin, lambda _t, _g, s: [("ana", s)])
    judged("one-class", 12, 1, lambda *_: 1.0, lambda *_: [("ana", 1)])
    judged("one-arm", 12, 1, coin, lambda _t, g, s: [("ana", flip(s))] if g == "baseline" else [])
    judged("two", 25, 1, coin, lambda _t, _g, s: [("ana", flip(s)), ("ben", flip(s))])
    judged(
        "grades", 40, 1, lambda *_: rng.randrange(5) / 4,
        lambda _t, _g, s: [("ana", min(1, max(0, s + rng.choice((-0.25, 0, 0, 0.25)))))],
        "graded",
    )  # fmt: skip
    judged(
        "smooth", 40, 2, lambda *_: round(rng.random(), 6),
        lambda _t, g, s: [("ana", clipped(s - 0.1 * (g != "baseline") + rng.gauss(0, 0.1)))],
        "smooth",
    )  # fmt: skip
    return runs, labels


def say(url: str, labels: list[Label]) -> None:
    statements = [
        said.from_options(
            {
                "experiment": experiment, "task": run.rsplit("-", 2)[1].join(("t", "")), "run": run,
                "key": key, "score": repr(score), "author": author, "reason": "read it",
            }
        )._replace(row=place)
        for place, (experiment, run, key, author, score) in enumerate(labels, 1)
    ]  # fmt: skip
    with connect(url) as connection:
        outcome = annotate(connection, statements, read_vocabulary())
    assert not outcome.faults


@pytest.fixture(scope="module")
def warehouse(postgres_server: str, dbt: Dbt) -> Iterator[Warehouse]:
    runs, labels = cases()
    with servers.migrated(postgres_server) as url:
        load_records(url, runs)
        say(url, labels)
        dbt.build(url)
        yield url, runs, labels


def rows(url: str, statement: str, *values: object) -> list[Run]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return connection.execute(statement.encode(), values).fetchall()


def test_every_slice_is_what_independent_writings_make_of_it(
    warehouse: Warehouse,
) -> None:
    url, runs, labels = warehouse
    expected = independent_judges.agreement(runs, labels)
    found_rows = rows(url, "select * from evals.judge_agreement")
    found = {tuple(row[name] for name in independent_judges.KEY): row for row in found_rows}
    assert len(found) == len(found_rows)
    assert found.keys() == expected.keys()
    wrong = [
        (key, name, found[key][name], value)
        for key, numbers in expected.items()
        for name, value in numbers.items()
        if not agrees(found[key][name], value)
    ]
    assert not wrong, wrong[:10]
    assert any(row["cohen_kappa_low"] for row in found.values())


def test_nasty_cases_are_null_with_a_reason_and_never_of_zero_width(
    warehouse: Warehouse,
) -> None:
    url, *_ = warehouse
    found = {
        row["slice"]: row
        for row in rows(
            url,
            "select * from evals.judge_agreement"
            " where slice_kind = 'experiment' and judge_version != 'j2'",
        )
    }
    assert "none" not in found
    one = found["one"]
    assert one["n_labels"] == 1
    assert one["notes"][0] == "one_label"
    assert one["cohen_kappa"] is one["bias_low"] is one["krippendorff_nominal"] is None
    assert one["agreement"] == 1
    agree = found["agree"]
    assert agree["cohen_kappa"] == agree["krippendorff_interval"] == 1
    bounds = ("cohen_kappa_low", "krippendorff_nominal_low", "bias_low")
    assert [agree[name] for name in bounds] == [None] * 3
    same = found["one-class"]
    assert same["cohen_kappa"] is same["krippendorff_interval"] is same["specificity"] is None
    assert {"one_value", "no_negative"} <= set(same["notes"])
    assert same["sensitivity_low"] < 1
    arm = found["one-arm"]
    assert "one_arm" in arm["notes"]
    assert arm["bias_between_arms"] is None
    assert found["two"]["annotators"] == 2
    assert -1 < found["two"]["people_krippendorff_interval"] < 1
    assert found["smooth"]["cohen_kappa"] is None
    assert "no_categories" in found["smooth"]["notes"]
    assert found["smooth"]["bias_between_arms_low"] > 0


def test_ten_thousand_labels_are_read(database_url: str, dbt: Dbt) -> None:
    rng = random.Random(3)  # noqa: S311  a seeded test
    runs = [
        record("many", task, group, repetition, accuracy=float(rng.random() < 0.7))
        for task in range(2500)
        for group in GROUPS
        for repetition in (1, 2)
    ]
    load_records(database_url, runs)
    say(
        database_url,
        [
            ("many", run["source_run_id"], "accuracy", "ana", float(rng.random() < 0.7))
            for run in runs
        ],
    )
    dbt.build(database_url)
    with psycopg.connect(database_url) as connection:
        [(labels, kappa)] = connection.execute(
            "select sum(n_labels), avg(abs(cohen_kappa)) from evals.judge_agreement"
            " where slice_kind = 'all'"
        ).fetchall()
    assert labels == 10_000
    assert math.isclose(kappa, 0, abs_tol=0.1)
    assert looped_over(database_url, "select * from evals.judge_corrections") < 100_000


def looped_over(url: str, query: str) -> int:
    """Return how many pairs of rows the joins of a query looked at and threw away."""
    with psycopg.connect(url) as connection:
        [(explained,)] = connection.execute(
            f"explain (analyze, timing off, format json) {query}".encode()
        ).fetchall()

    def removed(node: dict[str, Any]) -> float:
        own = node.get("Rows Removed by Join Filter", 0) * node["Actual Loops"]
        return float(own) + sum(map(removed, node.get("Plans", ())))

    return round(removed(explained[0]["Plan"]))
