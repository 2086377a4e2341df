"""Metrics held to the margins of a policy: what an interval says about a margin.

Nothing is estimated here. Blocked where the whole interval is beyond the margin, inconclusive
where it lies across it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ..errors import nearest
from ..marts.rows import Reason
from ..tools.metric_names import resolve
from .policy import Inference, MetricPolicy, Policy, Requirement
from .verdict import Held, Verdict

if TYPE_CHECKING:
    from ..marts.rows import Candidate, Metric

# What the mart refuses to decide on, whatever the interval says.
_REVIEW_FLAGS: Final = {
    "low_coverage": "too many values are missing",
    "few_clusters": "the tasks come from too few clusters",
    "incomparable_versions": "dataset or evaluator versions differ between the arms",
    "critical_task_quarantined": "a critical task is in quarantine",
}
# A bound that meets its margin but for rounding lies across it.
_NOISE: Final = 1e-12


def guarded(policy: Policy, candidate: Candidate) -> dict[str, MetricPolicy]:
    """Return the metrics to hold to a margin: the policy's, or those with a margin of their own."""
    known = [metric.metric for metric in candidate.metrics]
    if policy.metrics or policy.require is Requirement.IMPROVEMENT:
        return {resolve(name, known): asked for name, asked in policy.metrics.items()}
    return {
        metric.metric: MetricPolicy(required=False)
        for metric in candidate.metrics
        if metric.non_inferiority_margin is not None and metric.n_pairs
    }


def hold_metrics(policy: Policy, candidate: Candidate) -> list[Held]:
    """Hold every guarded metric to its margin, and count its pairs."""
    asked = guarded(policy, candidate)
    found = [_hold(policy, candidate, name, item) for name, item in asked.items()]
    if policy.require is Requirement.NON_INFERIORITY and not asked:
        found.append(_open("no_metric", "No metric has a margin to hold it to."))
    return found + _lacking(policy, candidate, set(asked))


def margin_of(policy: Policy, metric: Metric) -> float | None:
    """Return the margin that a metric is held to: the policy's, else that of the seed.

    A share of the baseline where the metric is a ratio, points of 0…1 for scores.
    """
    named = {resolve(name, {metric.metric}): asked for name, asked in policy.metrics.items()}
    asked = named.get(metric.metric)
    if asked is not None and asked.margin is not None:
        return asked.margin
    return metric.non_inferiority_margin


def bounds(
    policy: Policy, metric: Metric, *, is_primary: bool, both_readings: bool = True
) -> tuple[float, float] | None:
    """Return the interval of the improvement that the policy goes by; None without one.

    Args:
        policy: for bounds at every look, or on these tasks.
        metric: which has them.
        is_primary: whether it is the deciding one.
        both_readings: whether the low end has to hold with a missing score at its worst too.
    """
    low, high = metric.improvement_low, metric.improvement_high
    if policy.peeking:
        low, high = metric.improvement_sequence_low, metric.improvement_sequence_high
    elif policy.inference is Inference.THESE_TASKS and is_primary:
        low, high = metric.fixed_tasks_low, metric.fixed_tasks_high
    if low is None or high is None:
        return None
    lower = metric.lower_improvement if both_readings else None
    if lower is not None and metric.improvement is not None:
        low -= max(0.0, metric.improvement - lower)
    return low, high


def is_relative(metric: Metric) -> bool:
    """Whether the metric's margin is a share of the baseline: all but scores and rates."""
    return metric.kind not in {"score", "success", "reliability"}


def shown(metric: Metric, improvement: float) -> float:
    """Return an improvement as a person reads it: points, or per cent of the baseline."""
    if metric.is_of_ratio_kind and not metric.is_difference_instead:
        return -100 * math.expm1(-improvement)
    return 100 * improvement


def _scaled(metric: Metric, margin: float) -> float:
    """Return a margin on the scale of the improvement."""
    if metric.is_of_ratio_kind and not metric.is_difference_instead:
        return math.log1p(margin)
    return margin


def _open(code: str, sentence: str, metric: str | None = None) -> Held:
    return Held(Verdict.INCONCLUSIVE, Reason(code, sentence, metric))


def _hold(policy: Policy, candidate: Candidate, name: str, asked: MetricPolicy) -> Held:  # noqa: PLR0911  one return per finding reads best
    """Hold one metric to its margin."""
    metric = candidate.metric(name)
    if metric is None or not metric.n_pairs:
        if not asked.required:
            sentence = f"No pair has a value of {name}, which the policy allows."
            return Held(Verdict.PASS, Reason("no_values", sentence, name))
        near = nearest(name, [row.metric for row in candidate.metrics]) if metric is None else ""
        return _open(
            "no_values", f"No pair has a value of {name}, which the policy requires{near}.", name
        )
    margin = margin_of(policy, metric)
    if margin is None:
        return _open("no_margin", f"{name} has no margin: give it one in the policy.", name)
    unit = "%" if is_relative(metric) else "points"
    limit = f"the margin of {100 * margin:.3g} {unit}"
    ends = bounds(policy, metric, is_primary=name == candidate.summary.primary_metric)
    if ends is None:
        return _open(
            "no_interval",
            f"{name} has no interval to hold to {limit} ({metric.n_pairs:,} pairs).",
            name,
        )
    low, high = ends
    scaled = _scaled(metric, margin)
    interval = (
        f"{name} changes by {shown(metric, low):+.3g} to {shown(metric, high):+.3g} {unit} "
        "(+ is better)"
    )

    def reason(code: str, rest: str) -> Reason:
        return Reason(
            code, f"{interval}, {rest}.", name,
            improvement=metric.improvement, low=low, high=high, margin=scaled,
        )  # fmt: skip

    if high < -scaled - _NOISE:
        return Held(Verdict.BLOCKED, reason("harmed", f"all beyond {limit}"))
    if low <= -scaled + _NOISE:
        return Held(Verdict.INCONCLUSIVE, reason("margin_not_excluded", f"across {limit}"))
    flag = next(
        (
            flag
            for flag in _REVIEW_FLAGS
            if flag in metric.flags and not (flag == "low_coverage" and policy.minimum_coverage)
        ),
        None,
    )
    if flag is not None:
        rest = f"within {limit}, but {_REVIEW_FLAGS[flag]}"
        return Held(Verdict.INCONCLUSIVE, reason(flag, rest))
    return Held(Verdict.PASS, reason("margin_held", f"within {limit}"))


def _lacking(policy: Policy, candidate: Candidate, names: set[str]) -> list[Held]:
    """Return the reasons for which the data are too few for this policy."""
    if not candidate.summary.total_tasks:
        return []  # that nothing is compared is said already
    names = names | {candidate.summary.primary_metric or ""}
    metrics = [metric for metric in candidate.metrics if metric.metric in names]
    found = [
        _open(
            "minimum_pairs",
            f"{metric.metric} has {metric.n_pairs:,} {'pair' if metric.n_pairs == 1 else 'pairs'}; "
            f"the policy asks for {policy.minimum_pairs:,}.",
            metric.metric,
        )
        for metric in metrics
        if metric.n_pairs < policy.minimum_pairs
    ]
    found += [
        _open(
            "minimum_coverage",
            f"{100 * (metric.pair_coverage or 0):.1f} % of {metric.metric} is there in both arms; "
            f"the policy asks for {100 * policy.minimum_coverage:.3g} %.",
            metric.metric,
        )
        for metric in metrics
        if (metric.pair_coverage or 0) < policy.minimum_coverage
    ]
    if not metrics and (policy.minimum_pairs or policy.minimum_coverage):
        found.append(_open("minimum_pairs", "No pair has a value of any metric asked for."))
    return found
