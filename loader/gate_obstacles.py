"""What would decide an inconclusive case: the obstacle that is really there.

A number of tasks only where tasks decide. What stands in the way comes from the rule
(`required_*`, the label, the codes of the reasons) and from what else the policy asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from loader.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from loader.gate_rows import Candidate, Summary
    from loader.verdict import Held, Reason

_PURPOSES: Final = {
    "deploy": "to show that it is better",
    "reject": "to show that it is worse",
    "not_worse": "to show that it is not worse by more than the margin",
}
# Codes of reasons → what to do, the first that is there counts; {…} are of the summary.
_ABSENT: Final = {
    "no_baseline": (
        "a baseline: load its results into {experiment} as a control group, or ingest the "
        "candidate with --baseline-experiment ID, then run python -m loader build"
    ),
    "no_candidate": (
        "results of the candidate: load them into {experiment}, then run python -m loader build"
    ),
    "nothing_shared": (
        "tasks that both arms have: their ids have to be the same{examples}; load one of the "
        "arms again with the ids of the other"
    ),
    "no_values": "a score or a measurement that both arms have: evaluate the runs and ingest them",
}
_NOTES: Final = {
    "low_coverage": "the missing values: {about}. Evaluate or repeat those runs; "
    "more tasks do not stand in for them",
    "trade_off": "a person, who weighs what was gained against what was lost; "
    "more tasks do not change it",
    "harm": "a person, who looks at {about}; more tasks do not make it better",
    "no_error": "more tasks, and no number of them is known: all of these differ by the same",
    "peeking": "more tasks, and no number of them is known for bounds that hold at every look",
    "few_clusters": "more tasks from other clusters: these are too few to count on",
    "no_number_decides": "a person: as it stands no number of tasks would decide it",
    "no_pairs": "values that both arms have: evaluate the runs and ingest them",
}
# What of the reasons an obstacle is about.
_ABOUT: Final = {
    "low_coverage": ("low_coverage", "incomparable_versions"),
    "harm": ("tripwire_harmed", "success_harmed", "guardrail_harmed", "composite_worse"),
}
# Reasons of the rule that more tasks do not remove, wherever a number of tasks is known.
_BLOCKING: Final = {
    "incomparable_versions": "one version of dataset and evaluators for both arms: run or "
    "evaluate the older arm again",
    "direction_unknown": "the direction of {metric}: declare it in seeds/metrics.csv, then run "
    "python -m loader build",
}
# Reasons of the policy's own.
_POLICY: Final = {
    "no_values": "values of {metric} in both arms",
    "no_margin": "a margin for {metric}: give it one in the policy",
    "no_metric": "a margin: give the policy metrics to hold, or seeds/metrics.csv margins",
    "no_interval": "more tasks with a value of {metric}",
    "margin_not_excluded": "more tasks: the interval of {metric} lies across its margin",
    "low_coverage": "the missing values of {metric}: evaluate or repeat those runs",
    "few_clusters": "more tasks from other clusters for {metric}",
    "incomparable_versions": "one version of dataset and evaluators for both arms",
    "minimum_pairs": "more tasks, as many as the policy asks for",
    "minimum_coverage": "the missing values of {metric}: evaluate or repeat those runs",
    "floor_open": "more tasks: the interval of {metric} lies across its bar",
    "direction_unknown": "the direction of {metric}: declare it in seeds/metrics.csv, then run "
    "python -m loader build",
    "planned_runs_missing": "the planned runs that left no record: repeat them, or set "
    "planned_repetitions in the policy to what was made",
    "critical_task_missing": "runs of the critical tasks by the candidate",
    "critical_task_unknown": "the right names in critical_tasks of the policy",
    "segment_worse": "a person, who looks at the part that got worse",
    "regression_needs_review": "a person, who looks at what got worse since the version before",
    "no_comparison": "a baseline, or a version before it with results on the same tasks",
}


def would_decide(candidate: Candidate, rule: Verdict, held: Sequence[Held]) -> str | None:
    """Return what would decide an inconclusive case; None if nothing is known.

    Args:
        candidate: whose rows name the rule's obstacle.
        rule: what the rule alone says.
        held: what else the policy asks for, as it was found.
    """
    ways = []
    if rule is Verdict.INCONCLUSIVE:
        ways.append(_of_the_rule(candidate))
    for one in held:
        if one.verdict is Verdict.INCONCLUSIVE and one.reason.code in _POLICY:
            text = _POLICY[one.reason.code].format(metric=one.reason.metric or "the metric")
            ways.append(text)
    return "; ".join(dict.fromkeys(way for way in ways if way)) or None


def _of_the_rule(candidate: Candidate) -> str | None:
    summary = candidate.summary
    reasons = {reason.code: reason for reason in reversed(summary.recommendation_reasons or [])}
    for code, text in _ABSENT.items():
        if code in reasons and not summary.total_tasks:
            return text.format(experiment=summary.experiment_id, examples=_examples(candidate))
    for code, text in _BLOCKING.items():
        if code in reasons:
            return text.format(metric=reasons[code].metric or summary.primary_metric)
    if summary.required_additional_tasks:
        return _tasks(summary)
    note = summary.required_note or ""
    if "trade_off" in (summary.recommendation_labels or []):
        note = "trade_off"
    if note not in _NOTES:
        return None
    return _NOTES[note].format(about=_about(note, reasons))


def _tasks(summary: Summary) -> str:
    tasks, repetitions = summary.required_additional_tasks or 0, summary.required_repetitions
    noun = "task" if tasks == 1 else "tasks"
    purpose = _PURPOSES.get(summary.required_for or "")
    text = f"about {tasks:,} more {noun}" + (f", {purpose}" if purpose else "")
    if repetitions and repetitions > 1 and summary.required_for == "deploy":
        text += f"; or {repetitions:,} repetitions of these {summary.total_tasks:,}"
    return text


def _about(note: str, reasons: dict[str, Reason]) -> str:
    """Return what an obstacle is about, by the metrics of the reasons that name it."""
    names = [
        reasons[code].metric or "all metrics together"
        for code in _ABOUT.get(note, ())
        if code in reasons
    ]
    if names:
        return ", ".join(dict.fromkeys(names))
    return "values of the metrics that decide" if note == "low_coverage" else "what got worse"


def _examples(candidate: Candidate) -> str:
    found = candidate.evidence.examples
    parts = [f"the {arm} has {', '.join(ids)}" for arm, ids in found.items() if ids]
    return f" ({'; '.join(parts)})" if parts else ""
