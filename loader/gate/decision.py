"""One verdict on a candidate: the marts' rule and numbers, held against a policy.

Nothing is estimated here. With `require: improvement` the verdict is the marts'
recommendation, by the settings the policy asks for; whatever else the policy asks for can
only make it stricter, but for `on_not_worse: pass` and for an experiment with one arm, which
its floors decide.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from ..marts.rows import Reason
from .bars import hold_critical_tasks, hold_floors, hold_parts, hold_plan
from .guards import guarded, hold_metrics
from .history import hold_history
from .judges import hold_judges
from .obstacles import would_decide
from .policy import Inconclusive, NotWorse, Policy, Requirement
from .verdict import GRAVITY, Held, Verdict, worst

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from ..marts.rows import Candidate, Metric, Summary

_VERDICTS: Final = {
    "deploy": Verdict.PASS,
    "reject": Verdict.BLOCKED,
    "needs_review": Verdict.INCONCLUSIVE,
}
_EXIT_CODES: Final = {Inconclusive.EXIT5: 5, Inconclusive.BLOCK: 1, Inconclusive.PASS: 0}
ONE_ARM: Final = {"no_baseline"}


class Decision(msgspec.Struct, frozen=True, kw_only=True):
    """A verdict with everything it rests on."""

    candidate: Candidate
    policy: Policy
    verdict: Verdict
    exit_code: int
    headline: str
    """What a person reads first: what decided, in a sentence or two."""
    reasons: list[Reason]
    """In the order in which they decided."""
    would_decide: str | None


def decide(policy: Policy, candidate: Candidate) -> Decision:
    """Hold a candidate against a policy.

    Args:
        policy: what it must show.
        candidate: its rows of the marts.
    """
    rule, first = _rule(policy, candidate)
    held: list[Held] = []
    if candidate.has_baseline:
        held += hold_metrics(policy, candidate)
    held += hold_judges(policy, candidate)
    held += hold_floors(policy, candidate)
    held += hold_critical_tasks(candidate)
    held += hold_parts(policy, candidate)
    held += hold_plan(policy, candidate)
    if candidate.history is not None:
        held += hold_history(policy, candidate.history, is_alone=not candidate.has_baseline)
    verdict = worst(rule, *(one.verdict for one in held))
    # sorted is stable: of one gravity they stay as they came
    held.sort(key=lambda one: -GRAVITY.index(one.verdict))
    overruling = [one for one in held if one.verdict is verdict] if verdict is not rule else []
    rest = held[len(overruling) :]
    return Decision(
        candidate=candidate,
        policy=policy,
        verdict=verdict,
        exit_code=exit_code(policy, verdict),
        headline=_headline(candidate, overruling, first, rest),
        reasons=[one.reason for one in overruling] + first + [one.reason for one in rest],
        would_decide=(
            would_decide(candidate, rule, held) if verdict is Verdict.INCONCLUSIVE else None
        ),
    )


def exit_code(policy: Policy, verdict: Verdict) -> int:
    """Return what the process ends with: 0 pass, 1 blocked, 5 inconclusive."""
    if verdict is Verdict.INCONCLUSIVE:
        return _EXIT_CODES[policy.inconclusive]
    return 1 if verdict is Verdict.BLOCKED else 0


def worst_exit_code(decisions: Iterable[Decision]) -> int:
    """Return the exit code of several candidates: blocked before inconclusive before pass."""
    codes = {decision.exit_code for decision in decisions}
    return next((code for code in (1, 5) if code in codes), 0)


def in_order(policy: Policy, candidate: Candidate) -> list[Metric]:
    """Return metrics as a person reads them: the deciding one, the policy's, then by role."""
    named = set(guarded(policy, candidate))
    roles = ("deciding", "guardrail", "success", "tripwire", "none")

    def place(metric: Metric) -> tuple[bool, bool, int, str]:
        role = roles.index(metric.role) if metric.role in roles else len(roles)
        is_primary = metric.metric == candidate.summary.primary_metric
        return not is_primary, metric.metric not in named, role, metric.metric

    return sorted(candidate.metrics, key=place)


def _rule(policy: Policy, candidate: Candidate) -> tuple[Verdict, list[Reason]]:
    """Return what the rule says by itself, as far as the policy goes by it."""
    summary = candidate.summary
    reasons = list(summary.recommendation_reasons or [])
    if not candidate.has_baseline:
        return Verdict.PASS, reasons
    if policy.floors and _has_one_arm(summary):
        return Verdict.PASS, reasons
    if policy.require is Requirement.NON_INFERIORITY:
        if summary.total_tasks:
            return Verdict.PASS, []
        return Verdict.INCONCLUSIVE, reasons
    verdict = _VERDICTS[summary.recommendation]
    if (
        verdict is Verdict.INCONCLUSIVE
        and policy.on_not_worse is NotWorse.PASS
        and "not_worse" in (summary.recommendation_labels or [])
    ):
        allowed = Reason("not_worse_passes", "Not worse, and no better; the policy lets it pass.")
        return Verdict.PASS, [allowed, *reasons]
    return verdict, reasons


def _has_one_arm(summary: Summary) -> bool:
    """Whether nothing was there to compare with, not even on other tasks."""
    codes = {reason.code for reason in summary.recommendation_reasons or []}
    return not summary.total_tasks and bool(codes & ONE_ARM)


def _headline(
    candidate: Candidate,
    overruling: Sequence[Held],
    reasons: Sequence[Reason],
    rest: Sequence[Held],
) -> str:
    """Return what decided in a sentence, and what the marts say of the candidate."""
    # that nothing ran to its end is why there is no difference, or no value
    said = " ".join([*candidate.evidence.failed_arms, candidate.summary.headline or ""]).strip()
    if overruling:
        return f"{overruling[0].reason.sentence} {said}".strip()
    if said:
        return said
    sentences = [*reasons, *(one.reason for one in rest)]
    return sentences[0].sentence if sentences else "Nothing stands against it."
