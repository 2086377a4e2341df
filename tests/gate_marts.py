"""The marts that the gate reads, with rows of a test's choice, without a dbt build."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from loader.connection import Connection

_TABLES = """
create schema evals;

create table evals.experiment_summaries (
    experiment_id text,
    candidate_group text,
    candidate_version text,
    baseline_experiment_id text,
    agent_name text,
    primary_metric text,
    legacy_recommendation text,
    recommendation text,
    recommendation_anytime text,
    recommendation_labels text[],
    recommendation_reasons jsonb,
    total_tasks integer,
    required_additional_tasks integer,
    required_repetitions integer,
    weighted_improvement_pct double precision,
    last_recorded_at timestamptz
);

create table evals.experiment_metric_comparisons (
    experiment_id text,
    candidate_group text,
    candidate_version text,
    metric text,
    kind text,
    direction text,
    method text,
    n_pairs integer,
    pair_coverage double precision,
    baseline_mean double precision,
    candidate_mean double precision,
    mean_difference double precision,
    ci_low double precision,
    ci_high double precision,
    p_value double precision,
    cs_low double precision,
    cs_high double precision,
    p_anytime double precision,
    ratio double precision,
    ratio_low double precision,
    ratio_high double precision,
    non_inferiority_margin double precision,
    flags text[]
);

create table evals.evaluation_results (
    experiment_id text,
    task_id text,
    load_id bigint,
    agent_name text,
    experiment_group text,
    extension_version text,
    recorded_at timestamptz
);

create table evals.version_trends (
    agent_name text,
    experiment_group text,
    extension_version text,
    model_version text,
    metric text,
    previous_extension_version text,
    change_method text,
    shared_task_count bigint,
    avg_value double precision,
    previous_avg_value double precision
);

create table evals.version_regressions (
    agent_name text,
    experiment_group text,
    extension_version text,
    model_version text,
    metric text,
    previous_extension_version text,
    severity text,
    n bigint,
    change double precision,
    change_low double precision,
    change_high double precision,
    change_pct double precision,
    p_value_bh double precision,
    is_significant boolean
);

create view evals.evaluation_comparison_view as
select
    experiment_id,
    agent_name,
    candidate_version,
    last_recorded_at as candidate_recorded_at,
    case when total_tasks > 0 then experiment_id end as baseline_result_id
from evals.experiment_summaries;
"""

SUMMARY: dict[str, object] = {
    "experiment_id": "exp-1",
    "candidate_group": "code-chef",
    "candidate_version": "1.2.3",
    "baseline_experiment_id": "exp-1",
    "agent_name": "feature_dev",
    "primary_metric": "accuracy",
    "legacy_recommendation": "deploy",
    "recommendation": "deploy",
    "recommendation_anytime": "deploy",
    "recommendation_labels": [],
    "recommendation_reasons": [
        {"code": "improvement", "sentence": "The weighted improvement is 8.0 %."}
    ],
    "total_tasks": 60,
    "required_additional_tasks": None,
    "required_repetitions": None,
    "weighted_improvement_pct": 8.0,
    "last_recorded_at": "2025-03-01T00:00:00+00:00",
}
ACCURACY: dict[str, object] = {
    "experiment_id": "exp-1",
    "candidate_group": "code-chef",
    "candidate_version": "1.2.3",
    "metric": "accuracy",
    "kind": "score",
    "direction": "higher",
    "method": "t",
    "n_pairs": 60,
    "pair_coverage": 1.0,
    "baseline_mean": 0.7,
    "candidate_mean": 0.78,
    "mean_difference": 0.08,
    "ci_low": 0.03,
    "ci_high": 0.13,
    "p_value": 0.0021,
    "cs_low": -0.06,
    "cs_high": 0.22,
    "p_anytime": 0.3,
    "ratio": None,
    "ratio_low": None,
    "ratio_high": None,
    "non_inferiority_margin": 0.05,
    "flags": [],
}
LATENCY: dict[str, object] = {
    **ACCURACY,
    "metric": "latency_ms",
    "kind": "latency",
    "direction": "lower",
    "baseline_mean": 2000.0,
    "candidate_mean": 2100.0,
    "mean_difference": 100.0,
    "ci_low": -50.0,
    "ci_high": 250.0,
    "p_value": 0.18,
    "cs_low": -150.0,
    "cs_high": 350.0,
    "p_anytime": 1.0,
    "ratio": 1.04,
    "ratio_low": 0.97,
    "ratio_high": 1.12,
    "non_inferiority_margin": 0.2,
}


# A metric of a version beside the version before it, and how much worse it got.
STEP: dict[str, object] = {
    "agent_name": "feature_dev",
    "experiment_group": "code-chef",
    "extension_version": "1.2.3",
    "model_version": "m",
    "metric": "accuracy",
    "previous_extension_version": "1.2.2",
    "change_method": "paired",
    "shared_task_count": 60,
    "avg_value": 0.7,
    "previous_avg_value": 0.8,
}
REGRESSION: dict[str, object] = {
    **{name: STEP[name] for name in list(STEP)[:6]},
    "severity": "high",
    "n": 60,
    "change": -0.1,
    "change_low": -0.14,
    "change_high": -0.06,
    "change_pct": -12.5,
    "p_value_bh": 0.0004,
    "is_significant": True,
}


def create(connection: Connection) -> None:
    """Create empty marts and commit."""
    connection.execute(_TABLES.encode())
    connection.commit()


def store(connection: Connection, summary: dict[str, object], *metrics: dict[str, object]) -> None:
    """Put one candidate with its metrics in place of what is there of it; commit."""
    key = ("experiment_id", "candidate_group", "candidate_version")
    for mart, rows in (
        ("experiment_summaries", [summary]),
        ("experiment_metric_comparisons", list(metrics)),
    ):
        table = sql.Identifier("evals", mart)
        connection.execute(
            sql.SQL(
                "delete from {} where (experiment_id, candidate_group, candidate_version) "
                "= (%s, %s, %s)"
            ).format(table),
            [summary[name] for name in key],
        )
        for row in rows:
            connection.execute(
                sql.SQL(
                    "insert into {table} select * from jsonb_populate_record(null::{table}, %s)"
                ).format(table=table),
                [Jsonb({**row, **{name: summary[name] for name in key}})],
            )
    connection.commit()


def store_history(
    connection: Connection,
    step: dict[str, object],
    *regressions: dict[str, object],
    experiment_id: str = "nightly-7",
) -> None:
    """Put a version's results, its trend and its regressions in place of all history; commit."""
    connection.execute("truncate evals.version_trends, evals.version_regressions")
    connection.execute(
        "insert into evals.evaluation_results (experiment_id, task_id, agent_name,"
        " experiment_group, extension_version, recorded_at) values (%s, 't1', %s, %s, %s, now())",
        [
            experiment_id,
            *(step[name] for name in ("agent_name", "experiment_group", "extension_version")),
        ],
    )
    for mart, rows in (("version_trends", (step,)), ("version_regressions", regressions)):
        for row in rows:
            connection.execute(
                sql.SQL(
                    "insert into {table} select * from jsonb_populate_record(null::{table}, %s)"
                ).format(table=sql.Identifier("evals", mart)),
                [Jsonb(row)],
            )
    connection.commit()


def load(connection: Connection, load_id: int, experiment_id: str, *, is_built: bool) -> None:
    """Write the change feed of a load, and its result where the marts have it; commit."""
    connection.execute(
        "insert into raw_evals.load_experiments (load_id, experiment_id) values (%s, %s)",
        (load_id, experiment_id),
    )
    if is_built:
        connection.execute(
            "insert into evals.evaluation_results (experiment_id, task_id, load_id)"
            " values (%s, 'task', %s)",
            (experiment_id, load_id),
        )
    connection.commit()
