"""The marts that the gate reads, with rows of a test's choice, without a dbt build."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.types.json import Jsonb

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from loader.warehouse.connection import Connection

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
    recommendation_route text,
    headline text,
    recommendation_reasons jsonb,
    total_tasks integer,
    baseline_only_tasks integer default 0,
    candidate_only_tasks integer default 0,
    quarantined_tasks integer default 0,
    quarantined_worse integer default 0,
    quarantined_better integer default 0,
    expired_quarantines integer default 0,
    required_additional_tasks bigint,
    required_repetitions integer,
    required_for text,
    required_note text,
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
    non_inferiority_margin double precision,
    role text,
    role_note text,
    finding text,
    improvement double precision,
    improvement_low double precision,
    improvement_high double precision,
    improvement_sequence_low double precision,
    improvement_sequence_high double precision,
    fixed_tasks_low double precision,
    fixed_tasks_high double precision,
    improvement_margin double precision,
    lower_improvement double precision,
    improvement_pct double precision,
    improvement_low_pct double precision,
    improvement_high_pct double precision,
    margin_pct double precision,
    is_of_ratio_kind boolean,
    is_fraction boolean,
    is_difference_instead boolean,
    flags text[]
);

create table evals.experiment_segment_comparisons (
    like evals.experiment_metric_comparisons, segment_kind text, segment text
);

create table evals.experiment_segment_verdicts (
    experiment_id text,
    candidate_group text,
    candidate_version text,
    segment_kind text,
    segment text,
    primary_metric text,
    recommendation text,
    recommendation_labels text[],
    recommendation_route text,
    headline text,
    recommendation_reasons jsonb,
    total_tasks integer,
    required_additional_tasks bigint,
    required_for text,
    required_note text,
    improvement_pct double precision,
    improvement_low_pct double precision,
    improvement_high_pct double precision,
    p_worse_bh double precision,
    is_proven_worse boolean
);

create table evals.set_aside_scores (
    experiment_id text,
    experiment_group text,
    extension_version text,
    field text,
    evaluator_key text,
    reason text,
    runs integer,
    lowest double precision,
    highest double precision
);

-- the rule is the marts' own; here it says what a test wrote down for some settings
create table evals.judged (
    settings jsonb,
    candidate_group text,
    candidate_version text,
    segment text,
    recommendation text,
    label text,
    recommendation_route text,
    headline text,
    recommendation_reasons jsonb,
    required_additional_tasks bigint,
    required_for text,
    required_note text
);

create function evals.judge(experiment_id text, settings jsonb default '{}')
returns setof evals.judged
language sql stable
as 'select * from evals.judged as judged where judged.settings = $2';

create table evals.evaluation_results (
    experiment_id text,
    result_id uuid default gen_random_uuid(),
    task_id text,
    load_id bigint,
    agent_name text,
    experiment_group text,
    extension_version text,
    success_rate double precision,
    pass_at_k double precision,
    pass_hat_k double precision,
    repetitions integer,
    said_repetitions integer,
    successes integer,
    failed_repetitions integer,
    metadata jsonb default '{}',
    recorded_at timestamptz
);

create table evals.evaluation_scores (
    experiment_id text,
    result_id uuid,
    task_id text,
    experiment_group text,
    extension_version text,
    metric text,
    kind text,
    value double precision,
    repetitions integer,
    failed_repetitions integer,
    passes integer,
    is_binary boolean
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

create table evals.evaluation_pairs (
    experiment_id text,
    task_id text,
    candidate_group text,
    candidate_version text,
    baseline_experiment_id text,
    agent_name text,
    candidate_result_id uuid,
    baseline_result_id uuid,
    candidate_recorded_at timestamptz
);

-- of a summary, one task that stands for all; and what a test stored task by task
create view evals.evaluation_comparison_view as
select
    experiment_id,
    'task' as task_id,
    candidate_group,
    candidate_version,
    baseline_experiment_id,
    agent_name,
    gen_random_uuid() as candidate_result_id,
    case when total_tasks > 0 then gen_random_uuid() end as baseline_result_id,
    last_recorded_at as candidate_recorded_at,
    case when total_tasks = 0 then 'no_baseline_result' end as not_comparable_reason,
    false as is_quarantined
from evals.experiment_summaries
union all
select
    *,
    case
        when candidate_result_id is null then 'no_candidate_result'
        when baseline_result_id is null then 'no_baseline_result'
    end,
    false as is_quarantined
from evals.evaluation_pairs;
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
    "recommendation_route": "better",
    "headline": "More accurate (+8 points, p = .0021), and nothing got worse.",
    "recommendation_reasons": [
        {
            "code": "better",
            "sentence": "accuracy is better by 8.0 points.",
            "metric": "accuracy",
            "improvement": 0.08,
            "low": 0.03,
            "high": 0.13,
            "p": 0.00105,
            "level": 0.025,
            "margin": 0.05,
        }
    ],
    "total_tasks": 60,
    "baseline_only_tasks": 0,
    "candidate_only_tasks": 0,
    "quarantined_tasks": 0,
    "quarantined_worse": 0,
    "quarantined_better": 0,
    "expired_quarantines": 0,
    "required_additional_tasks": None,
    "required_repetitions": None,
    "required_for": None,
    "required_note": "decided",
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
    "non_inferiority_margin": 0.05,
    "role": "deciding",
    "role_note": None,
    "finding": "better",
    "improvement": 0.08,
    "improvement_low": 0.03,
    "improvement_high": 0.13,
    "improvement_sequence_low": -0.06,
    "improvement_sequence_high": 0.22,
    "fixed_tasks_low": 0.05,
    "fixed_tasks_high": 0.11,
    "improvement_margin": 0.05,
    "lower_improvement": 0.08,
    "improvement_pct": 8.0,
    "improvement_low_pct": 3.0,
    "improvement_high_pct": 13.0,
    "margin_pct": 5.0,
    "is_of_ratio_kind": False,
    "is_fraction": True,
    "is_difference_instead": False,
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
    "non_inferiority_margin": 0.2,
    "role": "guardrail",
    "finding": "proven_kept",
    # minus the log of a ratio of 1.04, from 0.97 to 1.12
    "improvement": -0.0392207,
    "improvement_low": -0.1133287,
    "improvement_high": 0.0304592,
    "improvement_sequence_low": -0.165,
    "improvement_sequence_high": 0.087,
    "fixed_tasks_low": None,
    "fixed_tasks_high": None,
    "improvement_margin": 0.1823216,
    "lower_improvement": -0.0392207,
    "improvement_pct": -4.0,
    "improvement_low_pct": -12.0,
    "improvement_high_pct": 3.0,
    "margin_pct": 20.0,
    "is_of_ratio_kind": True,
    "is_fraction": False,
}


SEGMENT: dict[str, object] = {
    **{name: SUMMARY[name] for name in ("experiment_id", "candidate_group", "candidate_version")},
    "segment_kind": "agent",
    "segment": "alpha",
    "primary_metric": "accuracy",
    "recommendation": "reject",
    "recommendation_labels": [],
    "recommendation_route": None,
    "headline": "Less accurate (-20 points, p = .0001).",
    "recommendation_reasons": [
        {"code": "harmed", "sentence": "accuracy is worse by 20 points.", "metric": "accuracy"}
    ],
    "total_tasks": 30,
    "required_additional_tasks": None,
    "required_for": None,
    "required_note": "decided",
    "improvement_pct": -20.0,
    "improvement_low_pct": -28.0,
    "improvement_high_pct": -12.0,
    "p_worse_bh": 0.0002,
    "is_proven_worse": True,
}
JUDGED: dict[str, object] = {
    "candidate_group": "code-chef",
    "candidate_version": "1.2.3",
    "segment": "",
    "recommendation": "needs_review",
    "label": None,
    "recommendation_route": None,
    "headline": "Not decided with these settings.",
    "recommendation_reasons": [{"code": "not_better", "sentence": "accuracy is not better."}],
    "required_additional_tasks": 40,
    "required_for": "deploy",
    "required_note": None,
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


def store_segment(
    connection: Connection, verdict: dict[str, object], *metrics: dict[str, object]
) -> None:
    """Add an agent's or a category's verdict, with its metrics; commit."""
    key = (
        "experiment_id", "candidate_group", "candidate_version", "segment_kind", "segment",
    )  # fmt: skip
    _insert(connection, "experiment_segment_verdicts", verdict)
    for metric in metrics:
        row = {**metric, **{name: verdict[name] for name in key}}
        _insert(connection, "experiment_segment_comparisons", row)
    connection.commit()


def store_judged(
    connection: Connection, settings: dict[str, object], judged: dict[str, object]
) -> None:
    """Write down what the rule says of the candidate with some settings; commit."""
    row = {**JUDGED, **judged, "settings": settings}
    _insert(connection, "judged", row)
    connection.commit()


def store_task(  # noqa: PLR0913  what a task has
    connection: Connection,
    task_id: str,
    baseline: Sequence[float | None] | None = None,
    candidate: Sequence[float | None] | None = None,
    *,
    metric: str = "accuracy",
    kind: str = "score",
    metadata: dict[str, object] | None = None,
    agent: str | None = None,
    says_success: bool = False,
) -> None:
    """Add the results of one task of exp-1, by the values of its runs; commit.

    A run without a value (None) ended badly. An arm that is None lacks the task.
    """
    pair: dict[str, object] = {
        "experiment_id": "exp-1", "task_id": task_id, "candidate_group": "code-chef",
        "candidate_version": "1.2.3", "baseline_experiment_id": "exp-1", "agent_name": agent,
    }  # fmt: skip
    for side, group, values in (
        ("baseline", "baseline", baseline), ("candidate", "code-chef", candidate),
    ):  # fmt: skip
        if values is None:
            continue
        result_id = str(uuid.uuid4())
        pair[f"{side}_result_id"] = result_id
        there = [value for value in values if value is not None]
        arm = {
            "experiment_id": "exp-1", "result_id": result_id, "task_id": task_id,
            "experiment_group": group, "extension_version": "1.2.3",
        }  # fmt: skip
        ended_well = [value is not None and (not says_success or value == 1) for value in values]
        says = says_success or len(there) < len(values)
        result = {
            **arm, "agent_name": agent, "repetitions": len(values),
            "said_repetitions": len(values) if says else 0,
            "successes": sum(ended_well) if says else 0,
            "failed_repetitions": len(values) - sum(ended_well) if says else 0,
            "success_rate": sum(ended_well) / len(values) if says else None,
            "metadata": metadata or {},
        }  # fmt: skip
        _insert(connection, "evaluation_results", result)
        if there:
            score = {
                **arm, "metric": metric, "kind": kind, "value": sum(there) / len(there),
                "repetitions": len(there),
                "failed_repetitions": sum(
                    value is not None and not well
                    for value, well in zip(values, ended_well, strict=True)
                ) if says_success else 0,
                "passes": there.count(1), "is_binary": set(there) <= {0, 1},
            }  # fmt: skip
            _insert(connection, "evaluation_scores", score)
    _insert(connection, "evaluation_pairs", pair)
    connection.commit()


def _insert(connection: Connection, table: str, row: Mapping[str, object]) -> None:
    connection.execute(
        sql.SQL(
            "insert into {table} ({columns}) select {columns}"
            " from jsonb_populate_record(null::{table}, %s)"
        ).format(
            table=sql.Identifier("evals", table),
            columns=sql.SQL(", ").join(map(sql.Identifier, row)),
        ),
        [Jsonb(dict(row))],
    )


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
