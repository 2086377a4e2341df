"""Judges held against a policy: whether each was admitted, and scores corrected for it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Final

from ..errors import ConfigurationError
from ..marts.rows import Reason
from ..tools.metric_names import resolve
from .policy import Inference, JudgeCorrection, JudgePolicy, Policy
from .verdict import Held, Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable

    from ..marts.rows import Bridge, Candidate, Correction, Metric, SeenJudge

_CORRECTED_ROLES: Final = {"deciding", "guardrail"}
# A limit that is met but for rounding is met.
_NOISE: Final = 1e-12


def hold_judges(policy: Policy, candidate: Candidate) -> list[Held]:
    """Hold the judges of a candidate's scores against what the policy asks of them."""
    if not policy.judges and policy.judge_correction is JudgeCorrection.RAW:
        return []
    return [
        *_hold_admissions(policy, candidate),
        *_hold_corrections(policy, candidate),
        *_hold_bridges(policy, candidate),
        *_sensitivity(candidate),
    ]


def _sensitivity(candidate: Candidate) -> list[Held]:
    """Say which bias of its judge would turn what is shown of the deciding metric."""
    metric = candidate.metric(candidate.summary.primary_metric)
    if metric is None or not candidate.has_baseline:
        return []
    better, kept = tipping_bias(metric)
    turned = [
        f"{claim} if its judge favours the candidate by {100 * bias:.3g} points"
        for claim, bias in (("better", better), ("not worse than its margin", kept))
        if bias is not None
    ]
    if not turned:
        return []
    more = "more than it was corrected for" if _is_corrected(candidate, metric) else "or more"
    sentence = f"{metric.metric} is no longer {', no longer '.join(turned)}, {more}."
    return [_held(Verdict.PASS, "judge_bias_would_turn", sentence, metric.metric)]


def _is_corrected(candidate: Candidate, metric: Metric) -> bool:
    return any(one.metric == metric.metric and one.holds for one in candidate.evidence.corrections)


def _hold_admissions(policy: Policy, candidate: Candidate) -> list[Held]:
    known = [metric.metric for metric in candidate.metrics]
    found = []
    for name, asked in policy.judges.items():
        metric = resolve(name, known)
        if candidate.metric(metric) is None:
            continue  # what is not there decides nothing
        judges = [judge for judge in candidate.evidence.judges if judge.metric == metric]
        if not judges:
            sentence = f"No run says which evaluator gave {metric}, so no judge of it is admitted."
            found.append(_held(Verdict.INCONCLUSIVE, "judge_not_admitted", sentence, metric))
        for judge in judges:
            faults = _faults(asked, judge)
            if faults:
                sentence = f"{_named(judge)} is not admitted: {'; '.join(faults)}."
                found.append(_held(Verdict.INCONCLUSIVE, "judge_not_admitted", sentence, metric))
            else:
                sentence = f"{_named(judge)} is admitted: {_shown(judge)}."
                found.append(_held(Verdict.PASS, "judge_admitted", sentence, metric))
    return found


def _faults(asked: JudgePolicy, judge: SeenJudge) -> list[str]:
    """Return what a judge has not shown."""
    if judge.n_labels < asked.min_labels:
        return [f"people scored {judge.n_labels:,} of its runs, {asked.min_labels:,} are asked for"]
    found = []
    if asked.min_kappa is not None and (
        judge.kappa is None or judge.kappa < asked.min_kappa - _NOISE
    ):
        told = "cannot be told" if judge.kappa is None else f"is {judge.kappa:.2f}"
        found.append(f"its kappa with people {told}, {asked.min_kappa:.2f} is asked for")
    limit = asked.max_bias_between_arms
    if limit is not None and (
        judge.bias_between_arms is None or abs(judge.bias_between_arms) > limit + _NOISE
    ):
        told = (
            "labels of one arm say nothing of its bias between arms"
            if judge.bias_between_arms is None
            else f"it favours candidates by {_points(judge.bias_between_arms)}{_ends(judge)}"
        )
        found.append(f"{told}, {100 * limit:.3g} points are allowed")
    return found


def _hold_corrections(policy: Policy, candidate: Candidate) -> list[Held]:
    if policy.judge_correction is JudgeCorrection.RAW or not candidate.has_baseline:
        return []
    corrections = {one.metric: one for one in candidate.evidence.corrections}
    is_asked = policy.judge_correction is JudgeCorrection.CORRECTED
    found = []
    for metric in candidate.metrics:
        one = corrections.get(metric.metric)
        if metric.kind != "score" or (one is None and metric.role not in _CORRECTED_ROLES):
            continue
        obstacle = _obstacle(policy, candidate, one)
        if obstacle is None and one is not None:
            found.append(_held(Verdict.PASS, "judge_corrected", _correction(one), metric.metric))
            continue
        must = is_asked and metric.role in _CORRECTED_ROLES
        # bounds that there are none of leave the rule without evidence, and it should say so
        must |= one is not None and one.holds and candidate.agent is None
        verdict = Verdict.INCONCLUSIVE if must else Verdict.PASS
        sentence = f"{metric.metric} is not corrected for its judge: {obstacle}."
        found.append(_held(verdict, "judge_uncorrected", sentence, metric.metric))
    return found


def _obstacle(  # noqa: PLR0911  one return per obstacle reads best
    policy: Policy, candidate: Candidate, one: Correction | None
) -> str | None:
    """Return why a score is not corrected; None if it is."""
    if candidate.agent is not None:
        return "labels are of all tasks, not of one agent's"
    if one is None or not one.n_labelled_tasks:
        arm = " of both arms" if one is not None and one.n_labelled_in_one_arm else ""
        return f"people scored no task{arm}"
    if "no_variance" in one.notes:
        labels = f"{one.n_labelled_tasks:,} tasks"
        return f"what people said of {labels} differs between the arms nowhere, or all alike"
    if not one.holds:
        more = one.required_labelled_tasks
        wanted = "" if more is None else f"; about {more:,} would show its margin"
        return f"people scored {one.n_labelled_tasks:,} of {one.n_pairs:,} tasks{wanted}"
    if policy.peeking:
        return "a correction holds at one look, and the policy says peeking"
    if policy.inference is Inference.THESE_TASKS:
        return "a correction speaks of tasks like these, and the policy of these tasks"
    return None


def _hold_bridges(policy: Policy, candidate: Candidate) -> list[Held]:
    """Say across which versions of its judge a score is compared, or why it cannot be.

    It decides nothing here: what is not bridged has incomparable pairs, which stop the rule.
    """
    if policy.judge_correction is JudgeCorrection.RAW or not candidate.has_baseline:
        return []
    found = []
    for one in candidate.evidence.bridges:
        why = _no_bridge(policy, candidate, one)
        versions = f"{one.baseline_judge_version} and {one.candidate_judge_version}"
        if why is None:
            gain = f"{_points(one.improvement or 0.0)}{_interval(one)}"
            sentence = (
                f"{one.metric} improves by {gain} across the versions {versions} of its judge "
                f"{one.evaluator_key}: of {one.n_bridge_answers:,} answers that both scored the "
                f"second gave {_points(one.judge_difference or 0.0)} more, which are taken off."
            )
            found.append(_held(Verdict.PASS, "judge_bridged", sentence, one.metric))
        else:
            sentence = (
                f"{one.metric} cannot be compared across the versions {versions} of its judge "
                f"{one.evaluator_key}: {why}."
            )
            found.append(_held(Verdict.PASS, "judge_not_bridged", sentence, one.metric))
    return found


def _no_bridge(  # noqa: PLR0911  one return per obstacle reads best
    policy: Policy, candidate: Candidate, one: Bridge
) -> str | None:
    """Return why there is no bridge; None if there is one."""
    if candidate.agent is not None:
        return "a bridge is of all tasks, not of one agent's"
    if "several_versions" in one.notes:
        return "more than one pair of versions scored the two arms"
    if not one.n_bridge_answers:
        return "no answer was scored by both"
    if not one.holds:
        return f"only {one.n_bridge_tasks:,} tasks have an answer that both scored"
    if policy.peeking:
        return "a bridge holds at one look, and the policy says peeking"
    if policy.inference is Inference.THESE_TASKS:
        return "a bridge speaks of tasks like these, and the policy of these tasks"
    return None


def _interval(one: Bridge | Correction) -> str:
    if one.improvement_low is None or one.improvement_high is None:
        return ""
    return f" ({100 * one.improvement_low:+.3g} to {100 * one.improvement_high:+.3g})"


def _correction(one: Correction) -> str:
    raw = "nothing" if one.recorded_improvement is None else _points(one.recorded_improvement)
    return (
        f"{one.metric} improves by {raw} as recorded, by {_points(one.improvement or 0.0)}"
        f"{_interval(one)} corrected by what people said of {one.n_labelled_tasks:,} of "
        f"{one.n_pairs:,} tasks."
    )


def read_biases(given: Iterable[str]) -> dict[str, float]:
    """Read biases of judges: `accuracy=0.08` takes that one to favour candidates by 8 points.

    Raises:
        ConfigurationError: one is not of that form, or beyond -1 to 1; names it.
    """
    found: dict[str, float] = {}
    for text in given:
        name, _, number = text.partition("=")
        try:
            bias = float(number)
        except ValueError:
            bias = math.nan
        if not name.strip() or not -1 <= bias <= 1:
            raise ConfigurationError(
                f"--judge-bias {text}: write a score and points of 0 to 1, such as accuracy=0.08"
            )
        found[resolve(name.strip())] = bias
    return found


def tipping_bias(metric: Metric) -> tuple[float | None, float | None]:
    """Return by how much a judge would have to favour the candidate to turn what is shown.

    The first turns "better", the second "the margin is kept": points of 0 to 1, None where
    that is not shown. It is the low end of the interval, and that and the margin.
    """
    low = metric.improvement_low
    if metric.kind != "score" or low is None:
        return None, None
    if metric.lower_improvement is not None and metric.improvement is not None:
        low -= max(0.0, metric.improvement - metric.lower_improvement)
    kept = None if metric.improvement_margin is None else low + metric.improvement_margin
    return (low if low > 0 else None), (kept if kept is not None and kept > 0 else None)


def _named(judge: SeenJudge) -> str:
    version = f" version {judge.judge_version}" if judge.judge_version else ""
    return f"The judge {judge.evaluator_key}{version} of {judge.metric}"


def _shown(judge: SeenJudge) -> str:
    kappa = "" if judge.kappa is None else f", kappa {judge.kappa:.2f}"
    bias = (
        ""
        if judge.bias_between_arms is None
        else f", favours candidates by {_points(judge.bias_between_arms)}{_ends(judge)}"
    )
    return f"{judge.n_labels:,} labels{kappa}{bias}"


def _ends(judge: SeenJudge) -> str:
    if judge.bias_between_arms_low is None or judge.bias_between_arms_high is None:
        return ""
    low, high = judge.bias_between_arms_low, judge.bias_between_arms_high
    return f" ({100 * low:+.3g} to {100 * high:+.3g})"


def _points(value: float) -> str:
    return f"{100 * value:+.3g} points"


def _held(verdict: Verdict, code: str, sentence: str, metric: str) -> Held:
    return Held(verdict, Reason(code, sentence, metric))
