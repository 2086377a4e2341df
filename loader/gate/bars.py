"""What a policy asks beside the comparison: floors, critical tasks, parts, planned runs."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from ..errors import nearest
from ..marts.rows import Reason
from ..tools.metric_names import declaring, resolve
from .policy import OnSegment, Policy
from .verdict import Held, Verdict

if TYPE_CHECKING:
    from ..marts.rows import Candidate, Evidence, Level, Part, Task

_EFFECTS = {OnSegment.BLOCK: Verdict.BLOCKED, OnSegment.REVIEW: Verdict.INCONCLUSIVE}


def hold_floors(policy: Policy, candidate: Candidate) -> list[Held]:
    """Hold the candidate's means to the bars: proven above, proven below, or neither."""
    levels = {level.metric: level for level in candidate.evidence.levels}
    found = []
    for named, bar in policy.floors.items():
        name = resolve(named, levels)
        level = levels.get(name)
        if level is None or level.mean is None:
            compared = [metric.metric for metric in candidate.metrics]
            near = nearest(name, [*candidate.evidence.metrics, *compared])
            sentence = f"The candidate has no value of {name}, which has a floor{near}."
            found.append(Held(Verdict.INCONCLUSIVE, Reason("no_values", sentence, name)))
        else:
            found.append(_hold_floor(level, bar))
    return found


def _hold_floor(level: Level, bar: float) -> Held:
    word = "ceiling" if level.direction == "lower" else "floor"
    tasks = f"{level.n_tasks:,} {'task' if level.n_tasks == 1 else 'tasks'}"
    if level.direction == "unknown":
        return Held(
            Verdict.INCONCLUSIVE,
            Reason(
                "direction_unknown",
                f"{level.metric} has a bar of {bar:g}, but nobody said whether more of it is "
                f"better: {declaring(level.metric, '--direction lower')} (or higher), then build.",
                level.metric,
            ),
        )
    if level.low is None or level.high is None:
        return Held(
            Verdict.INCONCLUSIVE,
            Reason(
                "floor_open",
                f"{level.metric} is {level.mean:.4g}, but has no interval to hold to its {word} "
                f"of {bar:g} ({tasks}).",
                level.metric,
            ),
        )
    ends = f"{level.metric} is {level.mean:.4g} ({level.low:.4g} to {level.high:.4g}, {tasks})"
    # turned so that more is better
    sign = -1 if level.direction == "lower" else 1
    low, high = sorted((sign * level.low, sign * level.high))
    if low > sign * bar:
        verdict, code, rest = Verdict.PASS, "floor_held", "on the right side of"
    elif high < sign * bar:
        verdict, code, rest = Verdict.BLOCKED, "floor_missed", "on the wrong side of"
    else:
        verdict, code, rest = Verdict.INCONCLUSIVE, "floor_open", "on both sides of"
    return Held(
        verdict,
        Reason(
            code, f"{ends}: {rest} its {word} of {bar:g}.", level.metric,
            low=level.low, high=level.high, margin=bar,
        ),
    )  # fmt: skip


def hold_critical_tasks(candidate: Candidate) -> list[Held]:
    """Return the critical tasks that broke, were not run, or are not there at all."""
    evidence = candidate.evidence
    found = []
    for task in evidence.tasks:
        broken = _broken(task, evidence)
        if broken is not None:
            sentence = f"The critical task {task.task_id} broke: {broken}."
            found.append(Held(Verdict.BLOCKED, Reason("critical_task_broken", sentence)))
        elif not task.has_candidate and task.has_baseline:
            sentence = f"The candidate did not run the critical task {task.task_id}."
            found.append(Held(Verdict.INCONCLUSIVE, Reason("critical_task_missing", sentence)))
        if task.is_quarantined:
            sentence = (
                f"The critical task {task.task_id} is in quarantine, which leaves it out of the "
                "verdict."
            )
            found.append(Held(Verdict.INCONCLUSIVE, Reason("critical_task_quarantined", sentence)))
    found += [
        Held(
            Verdict.INCONCLUSIVE,
            Reason(
                "critical_task_unknown",
                f"The policy names {name} as critical, and no task of either arm is called so.",
            ),
        )
        for name in evidence.unmatched_tasks
    ]
    return found


def _broken(task: Task, evidence: Evidence) -> str | None:
    """Say how a critical task broke; None if it did not.

    It broke where it has runs in both arms and

    - every run of the baseline passed and none of the candidate did; or
    - fewer runs passed, by a one-sided exact test (Fisher) at `alpha`; or
    - the deciding metric, not just 0 and 1 on this task, fell by more than its tie margin to the
      worst end of its scale: 0, or 1 where less is better.
    """
    before, after = task.baseline_runs, task.candidate_runs
    if before and after:
        counts = (
            f"{task.baseline_passes} of {before} {'run' if before == 1 else 'runs'} passed in the "
            f"baseline, {task.candidate_passes} of {after} in the candidate"
        )
        if task.baseline_passes == before and not task.candidate_passes:
            return counts
        p_value = fisher(before, task.baseline_passes, after, task.candidate_passes)
        if p_value <= evidence.alpha:
            return f"{counts} (p = {p_value:.2g})"
    if task.is_binary or task.baseline_value is None or task.candidate_value is None:
        return None
    worst = 1.0 if evidence.direction == "lower" else 0.0
    fall = abs(task.baseline_value - worst)
    if task.candidate_value == worst and fall > evidence.tie_margin:
        return f"its score went from {task.baseline_value:.3g} to {task.candidate_value:.3g}"
    return None


def fisher(before: int, passed_before: int, after: int, passed_after: int) -> float:
    """Return Fisher's exact one-sided p: so few of the passes in the second arm by chance."""
    passed = passed_before + passed_after
    ways = math.comb(before + after, passed)
    return (
        sum(
            math.comb(after, few) * math.comb(before, passed - few)
            for few in range(max(0, passed - before), passed_after + 1)
        )
        / ways
    )


def hold_parts(policy: Policy, candidate: Candidate) -> list[Held]:
    """Return the parts of the tasks that are proven worse, as far as the policy minds."""
    found = []
    primary = candidate.metric(candidate.summary.primary_metric)
    pairs = primary.n_pairs if primary else candidate.summary.total_tasks
    for part in candidate.evidence.parts:
        effect = OnSegment(getattr(policy.segments, part.segment_kind))
        # a part of all tasks is the whole, which has its own verdict
        is_whole = part.total_tasks >= pairs
        if not part.is_proven_worse or effect is OnSegment.IGNORE or is_whole:
            continue
        if policy.peeking:
            effect = OnSegment.REVIEW  # its proof does not hold at every look
        rest = "blocks" if effect is OnSegment.BLOCK else "asks for a person"
        found.append(
            Held(
                _EFFECTS[effect],
                Reason(
                    "segment_worse",
                    f"The {part.segment_kind} {part.segment} is proven worse{_change(part)}; "
                    f"the policy {rest}.",
                    part.primary_metric,
                    p=part.p_worse_bh,
                ),
            )
        )
    return found


def _change(part: Part) -> str:
    texts = [f" on {part.primary_metric}" if part.primary_metric else ""]
    if part.improvement_pct is not None:
        texts.append(f": {part.improvement_pct:+.1f}")
        if part.improvement_low_pct is not None and part.improvement_high_pct is not None:
            texts.append(f" ({part.improvement_low_pct:+.1f} to {part.improvement_high_pct:+.1f})")
    tasks = f", {part.total_tasks:,} {'task' if part.total_tasks == 1 else 'tasks'}"
    p_value = f", adjusted p {part.p_worse_bh:.2g}" if part.p_worse_bh is not None else ""
    return "".join(texts) + tasks + p_value


def hold_plan(policy: Policy, candidate: Candidate) -> list[Held]:
    """Return the arms that lack more of their planned runs than coverage allows."""
    planned = policy.planned_repetitions
    least = policy.minimum_coverage or candidate.evidence.minimum_coverage
    found = []
    for arm in candidate.evidence.arms:
        wanted = planned * arm.tasks
        if planned and wanted and arm.runs < least * wanted - 1e-9:
            found.append(
                Held(
                    Verdict.INCONCLUSIVE,
                    Reason(
                        "planned_runs_missing",
                        f"The {arm.arm} has {arm.runs:,} of {wanted:,} planned runs "
                        f"({arm.tasks:,} {'task' if arm.tasks == 1 else 'tasks'}, {planned:,} "
                        f"each): {100 * arm.runs / wanted:.1f} %; {100 * least:.3g} % are asked "
                        "for.",
                    ),
                )
            )
    return found
