"""Rows as the marts have them, for reports of a test's choice, without a database."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from loader.marts.pages import Agent, Experiment, Record
from loader.show.beside import Shown

if TYPE_CHECKING:
    from collections.abc import Sequence

WHEN = datetime(2025, 1, 13, 18, 39, tzinfo=UTC)
GROUP, VERSION = "code-chef", "1.10.0"
_CANDIDATE: Record = {
    "experiment_id": "exp",
    "candidate_group": GROUP,
    "candidate_version": VERSION,
}


def experiment(
    name: str = "exp", task_ids: Sequence[str] = ("a", "b", "c", "d"), **changes: object
) -> Experiment:
    """Return an experiment with every mart filled; `changes` replace its fields."""
    tasks = [task(place, task_id) for place, task_id in enumerate(task_ids)]
    tasks.sort(key=lambda row: (row["primary_difference"] is None, row["primary_difference"] or 0))
    whole = Experiment(
        experiment_id=name,
        summaries=[summary(experiment_id=name, total_tasks=len(tasks))],
        comparisons=[
            comparison("accuracy", 0.0583, 0.041, 0.0752, role="deciding", finding="better"),
            comparison("completeness", -0.031, -0.052, -0.0101, finding="harmed"),
            comparison("latency_ms", -180.5, -290.0, -70.2, kind="latency"),
            comparison("cost_usd", -0.0002, -0.0003, -0.0001, kind="cost"),
            comparison(
                "retries",
                0.4,
                None,
                None,
                kind="measurement",
                flags=["zero_variance"],
                direction="unknown",
                role="none",
                role_note="direction_unknown",
                finding="changed",
            ),
        ],
        segments=[
            {
                **comparison("accuracy", difference, low, high),
                "segment_kind": "category",
                "segment": segment,
                "p_value_bh": 0.04,
                "simpson_flag": False,
            }
            for segment, difference, low, high in (
                ("bug_fix", 0.062, 0.04, 0.084),
                ("documentation", -0.012, -0.05, 0.026),
                ("review", -0.06, -0.1, -0.02),
            )
        ],
        segment_verdicts=[
            {
                **summary(headline="Less accurate: -6.0 points (-10.0 to -2.0)."),
                "segment_kind": "category",
                "segment": "review",
                "p_worse_bh": 0.003,
                "is_proven_worse": True,
            }
        ],
        tasks=tasks,
        trends=[
            version(group, number, place, 0.7 + shift)
            for group in ("baseline", GROUP)
            for place, (number, shift) in enumerate(
                (("1.8.0", 0.01), ("1.9.0", -0.1), ("1.10.0", 0.05)), 1
            )
        ],
        regressions=[
            {
                "agent_name": "feature_dev",
                "experiment_group": GROUP,
                "extension_version": "1.9.0",
                "previous_extension_version": "1.8.0",
                "metric": "accuracy",
                "severity": "high",
                "shared_task_count": 84,
                "change_pct": -12.4,
                "p_value_bh": 0.0003,
            }
        ],
        alerts=[
            {
                "agent_name": "feature_dev",
                "experiment_group": GROUP,
                "metric": "accuracy",
                "began_version": "1.9.0",
                "found_version": "1.9.0",
                "severity": "high",
                "cause": "drop",
                "change_pct": -12.4,
                "shared_task_count": 84,
                "is_open": False,
            }
        ],
        newest_at=WHEN,
        arms=[arm("baseline", "baseline", "1.9.0", name), arm("candidate", GROUP, VERSION, name)],
    )
    return whole._replace(**changes)


def agent(name: str = "feature_dev") -> Agent:
    """Return an agent over three versions, one of them worse."""
    shown = experiment()
    trends = [{**row, "agent_name": name} for row in shown.trends]
    regressions = [{**row, "agent_name": name} for row in shown.regressions or []]
    alerts = [{**row, "agent_name": name} for row in shown.alerts or []]
    return Agent(name, trends, regressions, alerts, shown.summaries, WHEN)


def summary(**changes: object) -> Record:
    """Return a row of `experiment_summaries`."""
    return {
        **_CANDIDATE,
        "baseline_experiment_id": changes.get("experiment_id", "exp"),
        "agent_name": "feature_dev",
        "primary_metric": "accuracy",
        "legacy_recommendation": "deploy",
        "recommendation": "needs_review",
        "headline": "More accurate (+5.8 points), but completeness may have lost 5.2 points.",
        "recommendation_reasons": [
            {"code": "guardrail_open", "metric": "completeness",
             "sentence": "completeness may have lost 5.2 points; at most 5 are accepted"},
            {"code": "better", "sentence": "accuracy is 5.8 points better"},
        ],
        "recommendation_labels": [],
        "recommendation_route": None,
        "required_additional_tasks": 40,
        "required_for": "deploy",
        "required_note": None,
        "required_repetitions": None,
        "total_tasks": 4,
        "candidate_wins": 2,
        "baseline_wins": 1,
        "ties": 1,
        "undecided_tasks": 0,
        "incomparable_tasks": 0,
        "baseline_only_tasks": 0,
        "candidate_only_tasks": 0,
        "improvement_pct": 5.83,
        "improvement_low_pct": 4.1,
        "improvement_high_pct": 7.52,
        "statistical_significance": 0.00000002,
        "first_recorded_at": WHEN,
        "last_recorded_at": WHEN,
        **changes,
    }  # fmt: skip


def comparison(
    metric: str, difference: float, low: float | None, high: float | None, **changes: object
) -> Record:
    """Return a row of `experiment_metric_comparisons`."""
    kind = str(changes.get("kind", "score"))
    is_ratio = kind in {"latency", "cost", "tokens"}
    shown = [None if end is None else 100 * end for end in (difference, low, high)]
    if is_ratio:
        shown = [8.0, 4.0, 12.0]
    elif kind == "measurement":
        shown = [None, None, None]
    return {
        **_CANDIDATE,
        "metric": metric,
        "kind": kind,
        "direction": "lower" if is_ratio else "higher",
        "role": "guardrail",
        "role_note": None,
        "finding": "better" if is_ratio else "open",
        "weight": 0.0,
        **dict(zip(
            ("improvement_pct", "improvement_low_pct", "improvement_high_pct"), shown, strict=True
        )),
        "margin_pct": None if kind == "measurement" else 20.0 if is_ratio else 5.0,
        "non_inferiority_margin": None if kind == "measurement" else 0.2 if is_ratio else 0.05,
        "n_tasks": 150,
        "n_pairs": 147,
        "n_baseline_only": 1,
        "n_candidate_only": 2,
        "n_incomparable": 0,
        "n_unscored": 0,
        "pair_coverage": 0.98,
        "baseline_mean": 2480.25 if kind == "latency" else 0.7,
        "candidate_mean": 2299.75 if kind == "latency" else 0.7 + difference,
        "mean_difference": difference,
        "ci_low": low,
        "ci_high": high,
        "p_value": None if low is None else 0.0021,
        "improvement_missing_as_zero": difference,
        "worst_case_low": difference - 0.02,
        "best_case_high": difference + 0.02,
        "flags": [],
        **changes,
    }  # fmt: skip


def task(place: int, task_id: str, **changes: object) -> Record:
    """Return a row of `evaluation_comparison_view`; one in ten tasks broke, one was mended."""
    difference = ((place * 37) % 101 - 45) / 100
    ended_well = {3: (True, False), 7: (False, True)}.get(place % 10, (True, True))
    return {
        **_CANDIDATE,
        "task_id": task_id,
        "agent_name": "feature_dev",
        "winner": "candidate" if difference > 0.05 else "baseline" if difference < -0.05 else "tie",
        "baseline_primary_value": 0.5,
        "candidate_primary_value": 0.5 + difference,
        "primary_difference": difference,
        "baseline_success": ended_well[0],
        "candidate_success": ended_well[1],
        "not_comparable_reason": None,
        "baseline_latency_ms": 900.0 + (place * 7919) % 6000,
        "candidate_latency_ms": 800.0 + (place * 104729) % 5500,
        "baseline_cost_usd": 0.001 + ((place * 31) % 97) / 50_000,
        "candidate_cost_usd": 0.0009 + ((place * 17) % 89) / 50_000,
        "baseline_result_id": uuid.uuid5(uuid.NAMESPACE_OID, f"b{place}"),
        "candidate_result_id": uuid.uuid5(uuid.NAMESPACE_OID, f"c{place}"),
        **changes,
    }


def arm(role: str, group: str, version: str, experiment_id: str = "exp") -> Record:
    """Return a row of what the arms of a comparison are."""
    return {
        **_CANDIDATE,
        "arm": role,
        "experiment_id": experiment_id,
        "experiment_group": group,
        "extension_version": version,
        "tasks": 4,
        "runs": 12,
        "least_repetitions": 3,
        "most_repetitions": 3,
        "models": ["qwen-coder-32b"],
        "dataset_versions": ["2024-11-18"],
    }


def version(group: str, number: str, rank: int, value: float) -> Record:
    """Return a row of `version_trends`."""
    return {
        "agent_name": "feature_dev",
        "experiment_group": group,
        "extension_version": number,
        "model_version": "qwen-coder-32b",
        "metric": "accuracy",
        "kind": "score",
        "version_rank": rank,
        "sample_count": 84,
        "avg_value": value if group == GROUP else 0.7,
        "avg_value_low": (value if group == GROUP else 0.7) - 0.03,
        "avg_value_high": (value if group == GROUP else 0.7) + 0.03,
        "p50_value": 0.72,
        "p95_value": 0.93,
        "last_recorded_at": WHEN,
    }


def shown(texts: Sequence[str]) -> Shown:
    """Return what stands beside a verdict: a row of each kind for each text, full of it."""
    counts = {"runs": 1, "labelled_runs": 2, "total_runs": 3, "share_of_runs": 0.5}
    tested = {"wins": 1, "losses": 2, "ties": 3, "unpaired": 4, "p_value": 0.5}
    share = {"win_share": 0.5, "win_share_low": 0.1, "win_share_high": 0.9, "is_oriented": False}
    arms = [
        f"{side}_{part}"
        for side in ("baseline", "candidate")
        for part in ("group", "version", "experiment_id")
    ]
    key: Record = {"arm": "candidate"}
    return Shown(
        ["candidate"],
        [
            {**key, **counts, "evaluator_key": text, "category": text, "category_position": None}
            for text in texts
        ],
        [{**dict.fromkeys(arms, text), "evaluator_key": text, **tested, **share} for text in texts],
        [
            {**key, "evaluator_key": f"{text} {label is None}", "score": None, "label": label,
             "comment": text, "author_kind": "person"}
            for text in texts
            for label in (text, None)
        ],
    )  # fmt: skip
