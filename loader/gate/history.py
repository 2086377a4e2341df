"""A version against the version before it: what the marts found, held against a policy.

Nothing is estimated here. A row of `version_regressions` that is significant says that a metric
got worse by more than chance, all metrics of the version taken together; its severity says by
how much. The policy says from which severity on that blocks, and from which a person decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from ..marts.rows import History, Reason, Regression, Severity
from .verdict import Held, Verdict

if TYPE_CHECKING:
    from .policy import Policy

_RISING: Final = (Severity.LOW, Severity.MEDIUM, Severity.HIGH, Severity.CRITICAL)


def hold_history(policy: Policy, history: History, *, is_alone: bool) -> list[Held]:
    """Hold the regressions of a version against a policy.

    Args:
        policy: from which severity a regression blocks, or asks for a person.
        history: the version's rows of the marts.
        is_alone: whether the verdict rests on them alone, with no baseline to compare with:
            then a version that nothing could be compared with is inconclusive, and so is
            one compared on fewer tasks than the policy's `minimum_pairs`.
    """
    found = []
    for regression in history.regressions:
        if _reaches(regression.severity, policy.regression_block, is_unknown=False):
            verdict, code = Verdict.BLOCKED, "regression_blocks"
            effect = f"the policy blocks from {policy.regression_block}"
        elif _reaches(regression.severity, policy.regression_review, is_unknown=True):
            verdict, code = Verdict.INCONCLUSIVE, "regression_needs_review"
            effect = f"the policy asks for a person from {policy.regression_review}"
        else:
            verdict, code = Verdict.PASS, "regression_allowed"
            effect = "the policy allows it"
        sentence = f"{_sentence(regression)}; {effect}."
        found.append(Held(verdict, Reason(code, sentence, regression.metric)))
    compared = history.compared()
    if compared and not found:
        sentence = (
            f"Against {history.previous()}, none of {len(compared)} "
            f"{'metric' if len(compared) == 1 else 'metrics'} got worse by more than chance."
        )
        found.append(Held(Verdict.PASS, Reason("no_regression", sentence)))
    lacking = _lacking(policy, history) if is_alone else []
    return found + [Held(Verdict.INCONCLUSIVE, reason) for reason in lacking]


def _reaches(severity: Severity | None, limit: Severity, *, is_unknown: bool) -> bool:
    """Whether a severity is at or above a limit; an unknown one only where a person decides."""
    if limit is Severity.NEVER:
        return False
    if severity is None:
        return is_unknown
    return _RISING.index(severity) >= _RISING.index(limit)


def _sentence(regression: Regression) -> str:
    ends = (
        f" ({regression.change_low:+.3g} to {regression.change_high:+.3g})"
        if regression.change_low is not None and regression.change_high is not None
        else ""
    )
    share = (
        f", {abs(regression.change_pct):.1f} % worse" if regression.change_pct is not None else ""
    )
    return (
        f"{regression.metric} on {regression.model_version} is worse than in "
        f"{regression.previous_extension_version} by more than chance: "
        f"{regression.change:+.3g}{ends}{share}, n = {regression.n:,}, "
        f"adjusted p {regression.p_value_bh:.2g}, severity {regression.severity or 'unknown'}"
    )


def _lacking(policy: Policy, history: History) -> list[Reason]:
    """Return the reasons for which the history is too little to pass by itself."""
    compared = history.compared()
    if not compared:
        why = (
            f"nothing of it can be compared with {history.previous()}"
            if history.previous()
            else "no version before it has results"
        )
        return [
            Reason(
                "no_comparison",
                f"{history.agent_name} {history.extension_version} has no experiment with a "
                f"baseline, and {why}.",
            )
        ]
    return [
        Reason(
            "minimum_pairs",
            f"{step.metric} has {step.shared_task_count or 0:,} tasks in common with "
            f"{step.previous_extension_version}; the policy asks for {policy.minimum_pairs:,}.",
            step.metric,
        )
        for step in compared
        if (step.shared_task_count or 0) < policy.minimum_pairs
    ]
