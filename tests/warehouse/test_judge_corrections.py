"""Comparisons corrected by what people said, held to independent writings of both methods."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any, NamedTuple

import psycopg
import pytest
from psycopg.rows import dict_row

import independent_corrections
import servers
from close_values import agrees
from independent_corrections import Task
from ingest_support import load_records
from loader.ingest import said
from loader.ingest.annotations import annotate
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

_LABELLED_RUNS = 2
ARMS = ("baseline", "code-chef")


class Case(NamedTuple):
    """How an experiment was made."""

    tasks: int
    labelled: int
    repetitions: int = 1
    clusters: int = 0
    """Tasks that share one; 0: none do."""
    binary: bool = True
    one_arm: int = 0
    """Tasks that are labelled in the baseline's arm alone."""


CASES = {
    "plain": Case(150, 80),
    "repeated": Case(140, 80, repetitions=3),
    "clustered": Case(170, 90, clusters=3),
    "smooth": Case(150, 80, binary=False),
    "all-labelled": Case(40, 40),
    "one-arm-too": Case(150, 80, one_arm=20),
    "few": Case(120, 20, binary=False),
    "one": Case(30, 1),
    "only-one-arm": Case(30, 0, one_arm=15),
}


def scores(case: Case, level: float, *, favoured: bool, rng: random.Random) -> tuple[float, float]:
    """Return what is true of a run, and what the judge says of it."""
    if case.binary:
        truth = float(rng.random() < 0.3 + 0.5 * level)
        slips = 0.25 if favoured and not truth else 0.1
        return truth, 1 - truth if rng.random() < slips else truth
    truth = round(0.6 * level + 0.3 * rng.random(), 4)
    return truth, round(min(1, truth + 0.1 * favoured * rng.random()), 4)


def make(
    name: str, case: Case, rng: random.Random
) -> tuple[list[dict[str, Any]], list[said.Said], list[Task]]:
    """Return records, statements and tasks of an experiment whose judge favours the candidate."""
    records: list[dict[str, Any]] = []
    statements: list[said.Said] = []
    tasks: list[Task] = []
    for number in range(case.tasks):
        level = rng.random()
        cluster = f"c{number // case.clusters}" if case.clusters else f"t{number}"
        runs: dict[str, list[float]] = {arm: [] for arm in ARMS}
        labels: dict[str, list[tuple[float, float]]] = {arm: [] for arm in ARMS}
        for arm in ARMS:
            for repetition in range(1, case.repetitions + 1):
                truth, judge = scores(case, level, favoured=arm != "baseline", rng=rng)
                run = f"{name}-{arm}-{number}-{repetition}"
                runs[arm].append(judge)
                records.append(
                    {
                        "experiment_id": name, "task_id": f"t{number}", "experiment_group": arm,
                        "extension_version": "1.0.0", "source_run_id": run,
                        "repetition": repetition, "scores": {"accuracy": judge},
                        "metadata": {"cluster_id": cluster} if case.clusters else {},
                    }
                )  # fmt: skip
                is_labelled = number < case.labelled or (
                    arm == "baseline" and number < case.labelled + case.one_arm
                )
                # of three runs a person looks at two
                if is_labelled and repetition <= _LABELLED_RUNS:
                    labels[arm].append((judge, truth))
                    parts = {
                        "experiment": name, "task": f"t{number}", "run": run, "key": "accuracy",
                        "score": repr(truth), "author": "ana", "reason": "looked",
                    }  # fmt: skip
                    statements.append(said.from_options(parts))
        tasks.append(Task(cluster, *runs.values(), *labels.values()))
    return records, statements, tasks


@pytest.fixture(scope="module")
def warehouse(postgres_server: str, dbt: Dbt) -> Iterator[tuple[str, dict[str, list[Task]]]]:
    rng = random.Random(11)  # noqa: S311  a seeded test
    made = {name: make(name, case, rng) for name, case in CASES.items()}
    with servers.migrated(postgres_server) as url:
        load_records(url, [record for records, *_ in made.values() for record in records])
        statements = [one for _, statements, _ in made.values() for one in statements]
        with connect(url) as connection:
            outcome = annotate(
                connection,
                [one._replace(row=row) for row, one in enumerate(statements, 1)],
                read_vocabulary(),
            )
        assert not outcome.faults
        dbt.build(url)
        yield url, {name: tasks for name, (_, _, tasks) in made.items()}


def rows(url: str) -> dict[str, dict[str, Any]]:
    with psycopg.connect(url, row_factory=dict_row) as connection:
        found = connection.execute("select * from evals.judge_corrections").fetchall()
    assert {row["metric"] for row in found} == {"accuracy"}
    return {row["experiment_id"]: row for row in found}


@pytest.mark.parametrize(
    "name", ["plain", "repeated", "clustered", "smooth", "all-labelled", "one-arm-too"]
)
def test_a_correction_is_what_independent_writings_make_of_it(
    warehouse: tuple[str, dict[str, list[Task]]], name: str
) -> None:
    url, tasks = warehouse
    row = rows(url)[name]
    expected = independent_corrections.powered(tasks[name], 0.05)
    if CASES[name].binary:
        expected |= independent_corrections.rogan_gladen(tasks[name])
    else:
        assert row["rogan_gladen_improvement"] is None
    wrong = [
        (key, row[key], value) for key, value in expected.items() if not agrees(row[key], value)
    ]
    assert not wrong
    assert row["improvement_margin"] == 0.05
    assert row["judge_weight"] == 0 if name == "all-labelled" else 0 < row["judge_weight"] < 1


def test_what_labels_cannot_tell_is_null_and_says_why(
    warehouse: tuple[str, dict[str, list[Task]]],
) -> None:
    found = rows(warehouse[0])
    few = found["few"]
    assert few["notes"] == ["few_labels"]
    assert few["improvement_low"] < few["improvement"] < few["improvement_high"]
    assert few["p_value"] is few["p_better"] is few["p_worse"] is few["p_lost"] is None
    # a few would tell the margin, and prove nothing
    assert few["required_labelled_tasks"] == 75 < few["n_pairs"]
    one = found["one"]
    assert {"few_labels", "one_class"} <= set(one["notes"])
    assert one["improvement_error"] is one["improvement_low"] is one["p_better"] is None
    arm = found["only-one-arm"]
    assert {"no_labelled_pair", "labels_in_one_arm"} <= set(arm["notes"])
    assert arm["improvement"] is arm["improvement_error"] is None
    assert arm["judge_improvement"] is not None
