"""The rule of the verdict, written a second time in plain Python over the marts' numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
from statistics_cases import Case, paired
from statistics_oracles import Metric, adjust

METRICS = {
    "accuracy": (Metric("score", "higher", 0.05, 0.05), 0.3),
    "completeness": (Metric("score", "higher", 0.05, 0.05), 0.25),
    "latency_ms": (Metric("latency", "lower", 0, 0.2), 0.15),
    "cost_usd": (Metric("cost", "lower", 0, 0.2), 0.0),
}
FORCING = {"low_coverage", "missing_flips_sign", "few_clusters", "zero_baseline"}
Row = dict[str, Any]
Experiment = dict[str, tuple[Case, float]]


def experiments(rng: np.random.Generator, count: int) -> list[Experiment]:
    """Draw experiments of four metrics, from clear harm to clear gain."""
    return [
        draw(
            rng,
            int(rng.choice([3, 12, 40, 100, 300, 300])),
            float(rng.choice([-0.2, -0.1, 0, 0.05, 0.15, 0.2])),
            is_clustered=bool(rng.random() < 0.3),
            missing=float(rng.choice([0, 0, 0.02, 0.1])),
        )
        for _ in range(count)
    ]


def draw(
    rng: np.random.Generator,
    n: int,
    effect: float,
    *,
    is_clustered: bool = False,
    missing: float = 0.0,
) -> Experiment:
    """Draw one experiment: binary accuracy, two arms that share their tasks' difficulty."""
    accuracy = (rng.random(n) < 0.75).astype(float)
    again = (rng.random(n) < 0.75 + effect).astype(float)
    completeness = np.clip(rng.normal(0.8, 0.1, n), 0, 1)
    latency, cost = np.exp(rng.normal(7, 0.5, n)), np.exp(rng.normal(-5, 0.5, n))
    arms = {
        "accuracy": (accuracy, np.where(rng.random(n) < 0.15, again, accuracy)),
        "completeness": (
            completeness,
            np.clip(completeness + rng.normal(effect, 0.08, n), 0, 1),
        ),
        "latency_ms": (latency, latency * np.exp(rng.normal(-effect, 0.3, n))),
        "cost_usd": (cost, cost * np.exp(rng.normal(-effect, 0.2, n))),
    }
    clusters = [f"c{place // 3}" for place in range(n)] if is_clustered else None
    drawn: Experiment = {}
    for name, (one, other) in arms.items():
        metric, weight = METRICS[name]
        holes = [np.where(rng.random(n) < missing, np.nan, arm) for arm in (one, other)]
        drawn[name] = Case(name, paired(holes[0], holes[1], clusters), metric), weight
    return drawn


def judge(
    metrics: Experiment, comparisons: dict[str, Row], verdict: Row, *, peeking: bool
) -> tuple[str, str]:
    """Return the legacy and the new recommendation."""
    weighted = [comparisons[name] for name, (_, weight) in metrics.items() if weight > 0]
    legacy = _legacy(metrics, weighted)
    is_forced = any(
        flag in FORCING and (weight > 0 or flag == "low_coverage")
        for name, (_, weight) in metrics.items()
        for flag in comparisons[name]["flags"]
        if not (flag == "few_clusters" and comparisons[name]["n_pairs"] == 0)
    )
    if is_forced:
        return legacy, "needs_review"
    if legacy == "deploy":
        low = verdict["weighted_improvement_low_pct"]
        is_open = any(
            not _is_held(metrics[name][0].metric, row, peeking=peeking)
            for name, row in comparisons.items()
        )
        return legacy, "deploy" if low is not None and low > 0 and not is_open else "needs_review"
    if legacy == "reject" and _is_harmed(metrics, comparisons, verdict, peeking=peeking):
        return legacy, "reject"
    return legacy, "needs_review"


def _legacy(metrics: Experiment, weighted: list[Row]) -> str:
    """Apply the old rule: averages alone."""
    gain, total, is_rejected = 0.0, 0.0, False
    for case, weight in metrics.values():
        pairs = [
            (pair.baseline, pair.candidate)
            for pair in case.pairs
            if pair.baseline is not None and pair.candidate is not None
        ]
        if weight == 0 or not pairs:
            continue
        one, other = np.array(pairs).T
        changes = other - one if case.metric.kind == "score" else (other - one) / one
        gain += weight * 100 * case.metric.sign * float(changes.mean())
        total += weight
        worse = case.metric.sign * (one.mean() - other.mean())
        is_rejected |= bool(one.mean() > 0 and worse > 0.2 * one.mean())
        is_rejected |= case.metric.kind == "score" and bool(other.mean() < 0.5)
    assert len(weighted) == sum(weight > 0 for _, weight in metrics.values())
    change = gain / total if total else 0
    if is_rejected or change < -5:
        return "reject"
    return "deploy" if change > 5 else "needs_review"


def _is_held(metric: Metric, row: Row, *, peeking: bool) -> bool:
    if row["n_pairs"] and row["mean_difference"] == 0 and row["has_zero_variance"]:
        return bool(row["n_pairs"] > 72)  # 0 losses of n exclude 5 %
    if metric.kind == "score":
        low = row["cs_low" if peeking else "ci_low"]
        return low is not None and low > -metric.margin
    if peeking:
        low = row["improvement_sequence_low"]
        return low is not None and low > -np.log1p(metric.margin)
    return row["ratio_high"] is not None and row["ratio_high"] < 1 + metric.margin


def _is_harmed(
    metrics: Experiment, comparisons: dict[str, Row], verdict: Row, *, peeking: bool
) -> bool:
    claims: list[tuple[bool, float | None]] = []
    for name, (case, _) in metrics.items():
        row = comparisons[name]
        metric = case.metric
        improvement = row["improvement"]
        margin = metric.margin if metric.kind == "score" else np.log1p(metric.margin)
        p_value = row["p_harm"]
        if peeking:
            p_value = row["p_anytime"]
            if p_value is not None:
                is_worse = improvement < 0 and metric.sign * row["mean_difference"] < 0
                p_value = p_value / 2 if is_worse else 1.0
        claims.append((improvement is not None and improvement < -margin, p_value))
    change, high = (
        verdict[name] for name in ("weighted_improvement_pct", "weighted_improvement_high_pct")
    )
    p_composite = verdict["p_weighted_harm"]
    if peeking:
        p_composite = 0.0 if high is not None and high < 0 else 1.0
    claims.append((change < -5, p_composite))
    adjusted = adjust([p_value for _, p_value in claims], "holm")
    is_established = any(
        is_beyond and p_value is not None and p_value <= 0.025
        for (is_beyond, _), p_value in zip(claims, adjusted, strict=True)
    )
    return is_established or (
        not peeking
        and any(
            row["kind"] == "score" and row["weight"] > 0 and row["candidate_mean_high"] < 0.5
            for row in comparisons.values()
        )
    )
