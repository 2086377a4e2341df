"""One verdict on a candidate: the marts' numbers held against a policy.

Nothing is estimated here. The marts have every difference, interval and p-value; this module
compares bounds with margins and says what follows. With `require: improvement` the verdict is
the mart's recommendation, and whatever else the policy asks for can only make it stricter.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Final

import msgspec

from loader.gate_history import History, hold_history
from loader.policy import Inconclusive, MetricPolicy, Policy, Requirement
from loader.verdict import Reason, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `experiment_metric_comparisons`, as far as a verdict rests on it.

    Bounds are of candidate less baseline in the metric's unit; `ratio` is candidate ÷ baseline.
    """

    metric: str
    kind: str
    direction: str
    n_pairs: int
    baseline_mean: float | None
    candidate_mean: float | None
    mean_difference: float | None
    ci_low: float | None
    ci_high: float | None
    p_value: float | None
    cs_low: float | None
    cs_high: float | None
    p_anytime: float | None
    ratio: float | None
    ratio_low: float | None
    ratio_high: float | None
    non_inferiority_margin: float | None
    pair_coverage: float | None
    method: str | None = None
    flags: list[str] = []


class Summary(msgspec.Struct, frozen=True, kw_only=True):
    """One row of `experiment_summaries`, as far as a verdict rests on it."""

    experiment_id: str
    candidate_group: str
    candidate_version: str
    baseline_experiment_id: str | None
    primary_metric: str | None
    total_tasks: int
    recommendation: str
    recommendation_reasons: list[Reason] | None
    recommendation_labels: list[str] | None
    legacy_recommendation: str | None
    weighted_improvement_pct: float | None
    required_additional_tasks: int | None
    required_repetitions: int | None
    last_recorded_at: str | None
    recommendation_anytime: str | None = None
    """By bounds that hold at every look; None where the marts were built without."""


class Candidate(msgspec.Struct, frozen=True):
    """A candidate version of an experiment: its summary and its metrics.

    Asked for by agent and version it also has its history. With `has_baseline` false that is
    all there is: no experiment compares it with a baseline, and the summary only names it.
    """

    summary: Summary
    metrics: list[Metric]
    history: History | None = None
    has_baseline: bool = True


class Finding(StrEnum):
    """What an interval says about a margin."""

    HELD = "held"
    """Not worse than the margin, even at the bad end of the interval."""
    HARMED = "harmed"
    """Worse than the margin, even at the good end of it."""
    OPEN = "open"
    """The interval lies across the margin, or there is none."""


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with everything it rests on."""

    candidate: Candidate
    policy: Policy
    verdict: Verdict
    exit_code: int
    reasons: list[Reason]
    would_decide: str | None


# From the best to the worst.
_GRAVITY: Final = (Verdict.PASS, Verdict.INCONCLUSIVE, Verdict.BLOCKED)
_VERDICTS: Final = {
    "deploy": Verdict.PASS,
    "reject": Verdict.BLOCKED,
    "needs_review": Verdict.INCONCLUSIVE,
}
# What the mart itself refuses to decide on, whatever the intervals say.
_REVIEW_FLAGS: Final = {
    "low_coverage": "too many tasks lack one arm",
    "missing_flips_sign": "the sign changes when missing results count as zero",
    "few_clusters": "the tasks come from too few clusters",
    "zero_baseline": "the baseline's mean is 0",
    "incomparable_versions": "dataset or evaluator versions differ between the arms",
}
# A bound that meets its margin but for rounding lies across it.
_NOISE: Final = 1e-12
_EXIT_CODES: Final = {Inconclusive.EXIT5: 5, Inconclusive.BLOCK: 1, Inconclusive.PASS: 0}


def decide(policy: Policy, candidate: Candidate) -> Decision:
    """Hold a candidate against a policy.

    Args:
        policy: what it must show.
        candidate: its rows of the marts.
    """
    verdict, reasons = (
        _against_baseline(policy, candidate) if candidate.has_baseline else (Verdict.PASS, [])
    )
    if candidate.history is not None:
        found, regressions = hold_history(
            policy, candidate.history, is_alone=not candidate.has_baseline
        )
        verdict = max(verdict, found, key=_GRAVITY.index)
        reasons += regressions
    return Decision(
        candidate=candidate,
        policy=policy,
        verdict=verdict,
        exit_code=exit_code(policy, verdict),
        reasons=reasons,
        would_decide=would_decide(candidate.summary) if verdict is Verdict.INCONCLUSIVE else None,
    )


def _against_baseline(policy: Policy, candidate: Candidate) -> tuple[Verdict, list[Reason]]:
    """Hold a candidate's comparison with its baseline against a policy."""
    verdict, reasons = (
        _recommended(candidate.summary, peeking=policy.peeking)
        if policy.require is Requirement.IMPROVEMENT
        else (Verdict.PASS, [])
    )
    guarded = _guarded(policy, candidate)
    for name, asked in guarded.items():
        finding, reason = _hold(policy, candidate, name, asked)
        if finding is Finding.HARMED:
            verdict = Verdict.BLOCKED
        elif finding is Finding.OPEN and verdict is Verdict.PASS:
            verdict = Verdict.INCONCLUSIVE
        reasons.append(reason)
    if policy.require is Requirement.NON_INFERIORITY and not guarded:
        verdict = Verdict.INCONCLUSIVE
        reasons.append(Reason("no_metric", "No metric has a margin to hold it to."))
    lacking = _lacking(policy, candidate, set(guarded))
    if lacking and verdict is Verdict.PASS:
        verdict = Verdict.INCONCLUSIVE
    return verdict, reasons + lacking


def exit_code(policy: Policy, verdict: Verdict) -> int:
    """Return what the process ends with: 0 pass, 1 blocked, 5 inconclusive."""
    if verdict is Verdict.INCONCLUSIVE:
        return _EXIT_CODES[policy.inconclusive]
    return 1 if verdict is Verdict.BLOCKED else 0


def worst_exit_code(decisions: Iterable[Decision]) -> int:
    """Return the exit code of several candidates: blocked before inconclusive before pass."""
    codes = {decision.exit_code for decision in decisions}
    return next((code for code in (1, 5) if code in codes), 0)


def would_decide(summary: Summary) -> str | None:
    """Return what would decide an inconclusive case, from the mart; None if it cannot tell."""
    tasks, repetitions = summary.required_additional_tasks, summary.required_repetitions
    ways = []
    if tasks:
        ways.append(f"about {tasks:,} more {_plural('task', tasks)}")
    if repetitions and repetitions > 1:
        ways.append(f"{repetitions:,} repetitions of these {summary.total_tasks:,}")
    return ", or ".join(ways) or None


def bounds(metric: Metric, *, peeking: bool) -> tuple[float | None, float | None]:
    """Return the ends of the interval of the difference that the policy goes by."""
    return (metric.cs_low, metric.cs_high) if peeking else (metric.ci_low, metric.ci_high)


def p_value(metric: Metric, *, peeking: bool) -> float | None:
    """Return the p-value that the policy goes by."""
    return metric.p_anytime if peeking else metric.p_value


def margin_of(policy: Policy, metric: Metric) -> float | None:
    """Return the margin a metric is held to: the policy's, else that of the seed."""
    asked = policy.metrics.get(metric.metric)
    if asked is not None and asked.non_inferiority_margin is not None:
        return asked.non_inferiority_margin
    return metric.non_inferiority_margin


def is_relative(metric: Metric) -> bool:
    """Whether the metric's margin is a share of the baseline: all but scores."""
    return metric.kind != "score"


def _recommended(summary: Summary, *, peeking: bool) -> tuple[Verdict, list[Reason]]:
    reasons = list(summary.recommendation_reasons or [])
    recommendation = summary.recommendation
    if peeking:
        recommendation = summary.recommendation_anytime or "needs_review"
        if summary.recommendation_anytime is None:
            reasons.append(
                Reason("peeking", "The marts have no recommendation that holds at every look.")
            )
        elif recommendation != summary.recommendation:
            reasons.append(
                Reason(
                    "peeking",
                    f"With bounds that hold at every look the recommendation is {recommendation}, "
                    f"not {summary.recommendation}.",
                )
            )
    return _VERDICTS[recommendation], reasons


def _guarded(policy: Policy, candidate: Candidate) -> dict[str, MetricPolicy]:
    """Return the metrics to hold to a margin: the policy's, or those with a margin of their own."""
    if policy.metrics or policy.require is Requirement.IMPROVEMENT:
        return policy.metrics
    return {
        metric.metric: MetricPolicy(required=False)
        for metric in candidate.metrics
        if metric.non_inferiority_margin is not None and metric.n_pairs
    }


def _hold(  # noqa: PLR0911  one return per finding reads best
    policy: Policy, candidate: Candidate, name: str, asked: MetricPolicy
) -> tuple[Finding, Reason]:
    """Hold one metric to its margin."""
    metric = next((metric for metric in candidate.metrics if metric.metric == name), None)
    if metric is None or not metric.n_pairs:
        finding = Finding.OPEN if asked.required else Finding.HELD
        needed = "which the policy requires" if asked.required else "which the policy allows"
        return finding, Reason("no_values", f"No pair has a value of {name}, {needed}.", name)
    margin = margin_of(policy, metric)
    if margin is None:
        return Finding.OPEN, Reason(
            "no_margin",
            f"{name} has no margin: give it a non_inferiority_margin in the policy.",
            name,
        )
    flag = next((flag for flag in _REVIEW_FLAGS if flag in metric.flags), None)
    low, high = _signed_bounds(metric, peeking=policy.peeking)
    unit = "%" if is_relative(metric) else "points"
    limit = f"the margin of {100 * margin:.3g} {unit}"
    if low is None or high is None:
        return Finding.OPEN, Reason(
            "no_interval",
            f"{name} has no interval to hold to {limit} ({metric.n_pairs:,} pairs).",
            name,
        )
    interval = f"{name} changes by {100 * low:+.3g} to {100 * high:+.3g} {unit} (+ is better)"
    if high < -margin - _NOISE:
        return Finding.HARMED, Reason("harmed", f"{interval}, all beyond {limit}.", name)
    if low <= -margin + _NOISE:
        return Finding.OPEN, Reason("margin_not_excluded", f"{interval}, across {limit}.", name)
    if flag is not None:
        return Finding.OPEN, Reason(
            flag, f"{interval}, within {limit}, but {_REVIEW_FLAGS[flag]}.", name
        )
    return Finding.HELD, Reason("margin_held", f"{interval}, within {limit}.", name)


def _signed_bounds(metric: Metric, *, peeking: bool) -> tuple[float | None, float | None]:
    """Return the interval in the unit of the margin, turned so that positive is better."""
    low, high = bounds(metric, peeking=peeking)
    if is_relative(metric):
        if not peeking and metric.ratio_low is not None and metric.ratio_high is not None:
            low, high = metric.ratio_low - 1, metric.ratio_high - 1
        elif low is not None and high is not None and metric.baseline_mean:
            low, high = low / abs(metric.baseline_mean), high / abs(metric.baseline_mean)
        else:
            return None, None
    if low is None or high is None:
        return None, None
    return (-high, -low) if metric.direction == "lower" else (low, high)


def _lacking(policy: Policy, candidate: Candidate, guarded: set[str]) -> list[Reason]:
    """Return the reasons for which the data are too few for this policy."""
    names = guarded | {candidate.summary.primary_metric}
    metrics = [metric for metric in candidate.metrics if metric.metric in names]
    reasons = [
        Reason(
            "minimum_pairs",
            f"{metric.metric} has {metric.n_pairs:,} {_plural('pair', metric.n_pairs)}; "
            f"the policy asks for {policy.minimum_pairs:,}.",
            metric.metric,
        )
        for metric in metrics
        if metric.n_pairs < policy.minimum_pairs
    ]
    reasons += [
        Reason(
            "minimum_coverage",
            f"{100 * (metric.pair_coverage or 0):.1f} % of the tasks have {metric.metric} in both "
            f"arms; the policy asks for {100 * policy.minimum_coverage:.3g} %.",
            metric.metric,
        )
        for metric in metrics
        if (metric.pair_coverage or 0) < policy.minimum_coverage
    ]
    if not metrics and (policy.minimum_pairs or policy.minimum_coverage):
        reasons.append(Reason("minimum_pairs", "No pair has a value of any metric asked for."))
    return reasons


def in_order(metrics: Sequence[Metric], primary: str | None, guarded: set[str]) -> list[Metric]:
    """Return metrics as a person reads them: primary, those of the policy, then by name."""
    return sorted(
        metrics,
        key=lambda metric: (metric.metric != primary, metric.metric not in guarded, metric.metric),
    )


def _plural(noun: str, count: int) -> str:
    return noun if count == 1 else noun + "s"
