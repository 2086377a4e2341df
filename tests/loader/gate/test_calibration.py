import hashlib
import json
import random
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
import pytest
import statsmodels.api
from click.testing import CliRunner, Result
from psycopg.types.json import Jsonb
from scipy import stats

import gate_marts
import statistical_functions
from gate_marts import ACCURACY, SUMMARY
from loader.cli.gate import calibrate as command
from loader.cli.gate import gate
from loader.gate.calibration import calibrate
from loader.warehouse.connection import Connection

ALPHA = 0.05


class Run:
    def __init__(self, task: str, run: int, value: float | None, **fields: object) -> None:
        self.fields: dict[str, Any] = {
            "experiment_id": "exp-1",
            "source": "file",
            "source_run_id": f"{task}/{run:03}",
            "task_id": task,
            "experiment_group": "baseline",
            "extension_version": "1.0.0",
            "model_version": "m",
            "scores": {"agent_routing_accuracy": value},
            "measurements": {},
            "metadata": {},
            "load_id": 1,
            **fields,
        }


@pytest.fixture
def connection(connection: Connection) -> Connection:
    connection.execute(
        """
        create table evals.evaluation_trials (
            experiment_id text, source text, source_run_id text, task_id text,
            experiment_group text, extension_version text, model_version text,
            latency_ms double precision, tokens_used bigint, cost_usd double precision,
            load_id bigint, scores jsonb, measurements jsonb, metadata jsonb
        )
        """
    )
    connection.execute(
        "insert into evals.evaluation_results (experiment_id, task_id, load_id)"
        " values ('exp-1', 't', 1)"
    )
    statistical_functions.create(connection)
    return connection


def store(connection: Connection, runs: list[Run]) -> None:
    connection.execute(
        """
        insert into evals.evaluation_trials
        select * from jsonb_populate_recordset(null::evals.evaluation_trials, %s)
        """,
        [Jsonb([run.fields for run in runs])],
    )
    connection.commit()


def counts(connection: Connection, splits: int, seed: int = 1) -> dict[str, tuple[int, int]]:
    found = calibrate(connection, "exp-1", splits=splits, seed=seed, alpha=ALPHA)
    if found is None:
        return {}
    return {
        str(row["metric"]): (int(str(row["comparisons"])), int(str(row["false_alarms"])))
        for row in found.table.records()
    }


def deal(runs: list[Run], seed: int, split: int) -> dict[str, tuple[list[float], list[float]]]:
    """Deal the runs as the database is meant to, by another road."""
    numbered = {
        run.fields["source_run_id"]: place
        for place, run in enumerate(sorted(runs, key=lambda run: run.fields["source_run_id"]), 1)
    }
    tasks: dict[str, list[tuple[str, float]]] = defaultdict(list)
    for run in runs:
        place = numbered[run.fields["source_run_id"]]
        text = f"{seed}:{split}:{place}".encode()
        digest = hashlib.md5(text, usedforsecurity=False).hexdigest()
        tasks[run.fields["task_id"]].append(
            (digest, run.fields["scores"]["agent_routing_accuracy"])
        )
    return {
        task: (
            [value for _, value in sorted(dealt)[1::2]],
            [value for _, value in sorted(dealt)[0::2]],
        )
        for task, dealt in tasks.items()
        if len(dealt) > 1
    }


def expected(runs: list[Run], seed: int, splits: int, *, binary: bool = False) -> tuple[int, int]:
    alarms = 0
    for split in range(1, splits + 1):
        halves = deal(runs, seed, split).values()
        first = [float(np.mean(half)) for half, _ in halves]
        second = [float(np.mean(half)) for _, half in halves]
        if binary:
            wins = sum(b > a for a, b in zip(first, second, strict=True))
            losses = sum(b < a for a, b in zip(first, second, strict=True))
            differing = stats.binom(wins + losses, 0.5)
            mid_p = [differing.sf(side) + differing.pmf(side) / 2 for side in (wins, losses)]
            p = min(1.0, 2 * min(mid_p))
        else:
            p = stats.ttest_rel(second, first).pvalue
        alarms += p <= ALPHA
    return splits, alarms


@pytest.mark.parametrize("repetitions", [2, 3, 5])
def test_halves_are_compared_by_the_paired_t_test(connection: Connection, repetitions: int) -> None:
    rng = random.Random(repetitions)  # noqa: S311
    runs = [
        Run(f"t{task:02}", run, rng.random() ** 3)
        for task in range(12)
        for run in range(repetitions)
    ]
    runs.append(Run("once", 0, 0.5))
    with connection:
        store(connection, runs)
        for seed in (1, 2):
            assert counts(connection, 120, seed)["accuracy"] == expected(runs, seed, 120)


def test_passed_or_failed_once_in_each_half_is_compared_by_mcnemar(
    connection: Connection,
) -> None:
    rng = random.Random(7)  # noqa: S311
    runs = [Run(f"t{task:02}", run, rng.choice([0, 1])) for task in range(25) for run in range(2)]
    with connection:
        store(connection, runs)
        assert counts(connection, 150)["accuracy"] == expected(runs, 1, 150, binary=True)


def test_tasks_of_one_cluster_count_together(connection: Connection) -> None:
    rng = np.random.default_rng(5)
    with connection:
        runs = []
        for cluster in range(8):
            effect = rng.normal(size=2)
            runs += [
                Run(
                    f"t{cluster}-{task}",
                    run,
                    float(effect[run] + 0.01 * rng.normal()),
                    metadata={"cluster_id": f"c{cluster}"},
                )
                for task in range(4)
                for run in range(2)
            ]
        store(connection, runs)
        alarms = 0
        for split in range(1, 101):
            halves = deal(runs, 1, split)
            differences = [b[0] - a[0] for a, b in halves.values()]
            groups = [int(task[1]) for task in halves]
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                fitted = statsmodels.api.OLS(differences, np.ones(32)).fit(
                    cov_type="cluster",
                    cov_kwds={"groups": groups, "df_correction": False, "use_correction": False},
                )
            # G / (G - 1), and degrees of freedom from the effective number of clusters
            t = fitted.params[0] / (fitted.bse[0] * np.sqrt(8 / 7))
            alarms += 2 * stats.t.sf(abs(t), 7) <= ALPHA
        assert counts(connection, 100)["accuracy"] == (100, alarms)


@pytest.mark.parametrize(
    ("values", "outcome"),
    [
        ([[0.5, 0.5]] * 10, (50, 0)),
        ([[0, 0]] * 10, (50, 0)),
        ([[1e148, 2e148]] * 10, None),
        ([[1e-120, 3e-120]] * 10, None),
        ([[1e9 + 0.1, 1e9 + 0.2]] * 6, None),
        ([[None, 0.4]] * 10, (0, 0)),
        ([[0.3, 0.4]], (0, 0)),
    ],
)
def test_values_no_test_likes_raise_nothing(
    connection: Connection, values: list[list[float]], outcome: tuple[int, int] | None
) -> None:
    with connection:
        store(
            connection,
            [
                Run(f"t{task}", run, value)
                for task, pair in enumerate(values)
                for run, value in enumerate(pair)
            ],
        )
        found = counts(connection, 50).get("accuracy", (0, 0))
        assert found == (outcome or found)
        assert outcome is not None or found[0] == 50


def invoke(connection: Connection, *arguments: str) -> Result:
    return CliRunner().invoke(
        command, ["--experiment", "exp-1", "--database-url", connection.info.dsn, *arguments]
    )


def test_fields_scores_and_measurements_are_calibrated_each_arm_by_itself(
    connection: Connection,
) -> None:
    rng = random.Random(3)  # noqa: S311
    with connection:
        store(
            connection,
            [
                Run(
                    f"t{task}",
                    run,
                    rng.random(),
                    source_run_id=f"{group}{task}/{run}",
                    experiment_group=group,
                    latency_ms=100 * rng.random(),
                    measurements={"steps": rng.randrange(9)},
                )
                for group in ("baseline", "code-chef")
                for task in range(6)
                for run in range(2)
            ],
        )
        result = invoke(connection, "--splits", "40", "--format", "json")
        rows = json.loads(result.stdout)
        assert [(row["experiment_group"], row["metric"]) for row in rows] == [
            (group, metric)
            for group in ("baseline", "code-chef")
            for metric in ("accuracy", "latency_ms", "steps")
        ]
        for row in rows:
            assert (row["task_count"], row["run_count"], row["comparisons"]) == (6, 12, 40)
            low, high = stats.binomtest(row["false_alarms"], 40).proportion_ci(method="wilson")
            assert row["rate_low"] == pytest.approx(low, abs=1e-9)
            assert row["rate_high"] == pytest.approx(high, abs=1e-9)
        again = invoke(connection, "--splits", "40", "--format", "json")
        assert again.stdout == result.stdout
        stored = connection.execute(
            "select count(distinct calibration_id), count(*) from raw_evals.gate_calibrations"
        ).fetchone()
        assert stored == (2, 12)


def test_without_a_repeated_task_nothing_can_be_said(connection: Connection) -> None:
    with connection:
        store(connection, [Run("a", 1, 0.5), Run("b", 1, 0.6)])
        result = invoke(connection)
        assert result.exit_code == 5
        assert "no task of exp-1 has values of two runs" in result.stderr


def test_the_gate_warns_of_a_test_that_calibration_found_dishonest(
    connection: Connection,
) -> None:
    gate_arguments = ["--experiment", "exp-1", "--database-url", connection.info.dsn]
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        # three tasks that differ by nearly the same between halves: one deal in four sets them
        # all one way, and the t test takes that for certainty
        store(
            connection,
            [
                Run(f"t{task}", run, value)
                for task in range(3)
                for run, value in enumerate((0.1 + 0.0001 * task, 0.9))
            ],
        )
        assert "calibrate" not in CliRunner().invoke(gate, gate_arguments).stderr
        result = invoke(connection, "--splits", "300")
        assert "too many" in result.stdout
        assert "1 of 1 arms and metrics have more false alarms than 5 %" in result.stderr
        warned = CliRunner().invoke(gate, gate_arguments).stderr
        assert "accuracy of baseline 1.0.0: calibrate found a difference" in warned
        assert "nominal 5 %; its p-values and intervals are too optimistic" in warned
