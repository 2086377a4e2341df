"""What would decide an inconclusive case: the obstacle that is really there.

What stands in the way of the rule is said in the words of every page (`wording`), a number of
tasks only where tasks decide; beside it stands what else the policy asks for.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..show import wording
from ..tools.metric_names import declaring
from .verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.rows import Candidate
    from .verdict import Held

# Reasons of the policy's own.
POLICY: Final = {
    "no_values": "values of {metric} in both arms",
    "no_margin": "a margin for {metric}: give it one in the policy",
    "no_metric": "a margin: give the policy metrics to hold, or declare one: "
    "evalmart declare metric NAME --margin 0.05",
    "no_interval": "more tasks with a value of {metric}",
    "margin_not_excluded": "more tasks: the interval of {metric} lies across its margin",
    "low_coverage": "the missing values of {metric}: evaluate or repeat those runs",
    "few_clusters": "more tasks from other clusters for {metric}",
    "incomparable_versions": "one version of dataset and evaluators for both arms, or a bridge: "
    "answers that both versions of the judge scored, and judge_correction in the policy",
    "minimum_pairs": "more tasks, as many as the policy asks for",
    "minimum_coverage": "the missing values of {metric}: evaluate or repeat those runs",
    "floor_open": "more tasks: the interval of {metric} lies across its bar",
    "direction_unknown": wording.BLOCKING["direction_unknown"],
    "planned_runs_missing": "the planned runs that left no record: repeat them, or set "
    "planned_repetitions in the policy to what was made",
    "critical_task_missing": "runs of the critical tasks by the candidate",
    "critical_task_quarantined": "the critical task out of quarantine.csv, or a person",
    "critical_task_unknown": "the right names in critical_tasks of the policy",
    "judge_not_admitted": "a judge of {metric} that people agree with: evalmart label, then "
    "annotate and build",
    "judge_uncorrected": "labels of more tasks, in both arms, for {metric}: evalmart label",
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
    if candidate.evidence.failed_arms:
        return "runs that come to an end: look for why they failed, then run that arm again"
    ways = []
    if rule is Verdict.INCONCLUSIVE:
        plain = msgspec.to_builtins(candidate.summary)
        # whatever made it so, it is for the rule's own words to say
        row = {**plain, "recommendation": "needs_review"}
        ways.append(wording.would_decide(row, candidate.evidence.examples))
    for one in held:
        if one.verdict is Verdict.INCONCLUSIVE and one.reason.code in POLICY:
            name = one.reason.metric or "the metric"
            command = declaring(name, "--direction lower")
            ways.append(POLICY[one.reason.code].format(metric=name, command=command))
    return "; ".join(dict.fromkeys(way for way in ways if way)) or None
