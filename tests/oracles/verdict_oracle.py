"""The rule of the verdict, written a second time in plain Python from the pairs of every metric.

Where the written rule leaves room, this is how it is read:

- A p-value is unknown as soon as one of the two readings of a score is, and unknown satisfies no
  condition: "not kept" holds for it.
- Harm of the deciding metric is asked of both readings (the larger p), that it is *not* worse too
  (so the smaller p has to be above the level), and a gain is the lower of the two improvements.
- A family holds all members that have a p-value, however few their tasks; what rejects, or makes a
  trade-off, needs enough of its own. What stops a deploy need not.
- While the direction of the deciding metric is unknown a person decides, whatever else is harmed:
  it may be a trade-off.
- One part of the composite that is all in one cluster leaves its error unknown.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from statistics_oracles import holm
from verdict_members import Case, Composite, Judged, composite, look
from verdict_requirements import Review, required

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from paired_readings import Reading, Settings


@dataclass
class Verdict:
    """What experiment_summaries has to say."""

    recommendation: str
    label: str | None
    route: str | None
    reasons: list[tuple[str, str | None]]
    metrics: dict[str, Judged]
    composite: Composite
    guard_family: dict[str, float | None] = field(default_factory=dict)
    """Holm's p_worse over guardrails and success."""
    trip_family: dict[str, float | None] = field(default_factory=dict)
    """Likewise over tripwires and success."""
    required: int | None = None
    required_for: str | None = None
    required_note: str | None = None


def judge(
    cases: Mapping[str, Case],
    settings: Settings,
    *,
    candidates: int = 1,
    better_holm: float | None = None,
    readings: Mapping[str, Reading] | None = None,
) -> Verdict:
    """Give the verdict on one candidate.

    Args:
        cases: metric → its pairs.
        settings: of the project, or a policy.
        candidates: of the same baseline.
        better_holm: p_better of the deciding metric, adjusted over them.
        readings: of the cases, where they are known already.

    """
    members = {
        name: look(case, settings, readings[name] if readings else None)
        for name, case in sorted(cases.items(), key=_by_name)
    }
    return _Rule(members, settings, candidates, better_holm).verdict()


def _by_name(item: tuple[str, Case]) -> bytes:
    return item[0].encode()


class _Rule:
    """One comparison on its way to a verdict."""

    def __init__(
        self,
        members: dict[str, Judged],
        settings: Settings,
        candidates: int,
        better_holm: float | None,
    ) -> None:
        self.members, self.settings, self.candidates = members, settings, candidates
        roles = [(one.role, one) for one in members.values()]
        self.deciding = next((one for role, one in roles if role == "deciding"), None)
        self.guardrails = [one for role, one in roles if role == "guardrail"]
        self.success = [one for role, one in roles if role == "success"]
        self.tripwires = [one for role, one in roles if role == "tripwire"]
        self.composite = composite(list(members.values()))
        suffix = "_anytime" if settings.peeking else ""
        self.composite_better = getattr(self.composite, "better" + suffix)
        self.composite_worse = getattr(self.composite, "worse" + suffix)
        self.guard_family = _holm([*self.guardrails, *self.success])
        self.trip_family = _holm([*self.tripwires, *self.success])
        self.better = self.deciding.better if self.deciding else None
        if settings.holm_candidates and better_holm is not None:
            self.better = better_holm
        self.is_better = self.better is not None and self.better <= settings.level
        self.is_unknown = bool(self.deciding and self.deciding.metric.direction == "unknown")

    def verdict(self) -> Verdict:
        settings, deciding = self.settings, self.deciding
        rejecting, stopping, forbidding = self._harms(), self._stops(), self._forbidding()
        is_harmed = bool(
            deciding
            and deciding.has_enough()
            and deciding.is_harmed(deciding.worse, settings.level)
        )
        is_trade_off = bool(rejecting) and self.is_better
        reasons: list[tuple[str, str | None]] = []
        route = self._route()
        gains = self._gains()
        if (is_harmed or (rejecting and not is_trade_off)) and not self.is_unknown:
            recommendation, label, route = "reject", None, None
            reasons += [("harmed", deciding.name)] if is_harmed and deciding else []
            reasons += [] if is_trade_off else [(_harm_code(one), one.name) for one in rejecting]
        elif not forbidding and not stopping and not is_trade_off and route:
            recommendation, label = "deploy", None
            assert deciding
            reasons += [("better" if route == "better" else "quality_kept", deciding.name)]
            reasons += gains if route == "quality_kept" else []
        else:
            recommendation, route = "needs_review", None
            label = self._label(is_trade_off=is_trade_off, is_free=not forbidding and not stopping)
            reasons += self._review_reasons(rejecting, forbidding, stopping, label)
        verdict = Verdict(
            recommendation, label, route, [*reasons, *self._notes(route)], self.members,
            self.composite, self.guard_family, self.trip_family,
        )  # fmt: skip
        verdict.required, verdict.required_for, verdict.required_note = required(
            Review(recommendation, label, {code for code, _ in [*forbidding, *stopping]}),
            self.deciding,
            self.guardrails,
            self.settings,
        )
        return verdict

    def _harms(self) -> list[Judged]:
        """Give guardrails and success whose harm rejects, or makes a trade-off."""
        level = self.settings.harm_level
        return [
            one
            for one in [*self.guardrails, *self.success]
            if one.has_enough() and one.is_harmed(self.guard_family[one.name], level)
        ]

    def _stops(self) -> list[tuple[str, str | None]]:
        """Give what is worse though it has no other say."""
        level = self.settings.level
        found: list[tuple[str, str | None]] = [
            ("success_harmed" if one.role == "success" else "tripwire_harmed", one.name)
            for one in self.members.values()
            if one.role in {"success", "tripwire"}
            and one.is_harmed(self.trip_family[one.name], level)
        ]
        if self.composite_worse is not None and self.composite_worse <= level:
            found.append(("composite_worse", None))
        return found

    def _forbidding(self) -> list[tuple[str, str | None]]:
        """Give what keeps the numbers from deciding for a deploy."""
        found: list[tuple[str, str | None]] = []
        deciding = self.deciding
        if deciding is None:
            found.append(("no_pairs", None))
        else:
            if self.is_unknown:
                found.append(("direction_unknown", deciding.name))
            elif deciding.better is None:
                found.append(("no_pairs", deciding.name))
            if not deciding.has_tasks():
                found.append(("too_few_tasks", deciding.name))
            if deciding.reading.usable and not deciding.has_clusters():
                found.append(("few_clusters", deciding.name))
        held = [one for one in self.members.values() if one.role in {"deciding", "guardrail"}]
        minimum = self.settings.minimum_coverage - 1e-12
        found += [("low_coverage", one.name) for one in held if one.coverage < minimum]
        found += [("incomparable_versions", one.name) for one in held if one.n_incomparable]
        return found

    def _route(self) -> str | None:
        settings = self.settings
        if self.is_better and all(one.is_kept(settings.kept_level) for one in self.guardrails):
            return "better"
        return "quality_kept" if self._is_quality_kept() and self._gains() else None

    def _is_quality_kept(self) -> bool:
        level, deciding = self.settings.level, self.deciding
        return bool(
            deciding
            and all(one.is_kept(level) for one in [deciding, *self.guardrails])
            and deciding.least_worse is not None
            and deciding.least_worse > level
        )

    def _gains(self) -> list[tuple[str, str | None]]:
        """Give the guardrails, or the composite, that a change may be made for."""
        family = [one.better for one in self.guardrails] + [self.composite_better]
        adjusted = holm(family)
        least, level = self.settings.minimum_gain, self.settings.gain_level
        found: list[tuple[str, str | None]] = [
            ("gain", one.name)
            for one, p_value in zip(self.guardrails, adjusted[:-1], strict=True)
            if p_value is not None
            and p_value <= level
            and (one.reading.lower.mean or 0) >= least * (one.reading.margin or math.inf)
        ]
        p_value, mean = adjusted[-1], self.composite.mean
        if p_value is not None and p_value <= level and mean is not None and mean >= least:
            found.append(("composite_gain", None))
        return found

    def _label(self, *, is_trade_off: bool, is_free: bool) -> str | None:
        if is_trade_off and not self.is_unknown:
            return "trade_off"
        if is_free and self._is_quality_kept():
            return "not_worse"
        return "worse_within_margin" if self._is_worse_within_margin() else None

    def _is_worse_within_margin(self) -> bool:
        deciding = self.deciding
        return bool(deciding and deciding.is_worse() and deciding.is_kept(self.settings.kept_level))

    def _review_reasons(
        self,
        harmful: list[Judged],
        forbidding: list[tuple[str, str | None]],
        stopping: list[tuple[str, str | None]],
        label: str | None,
    ) -> list[tuple[str, str | None]]:
        found = [
            one
            for one in forbidding
            if one[0] in {"direction_unknown", "no_pairs", "too_few_tasks", "few_clusters"}
        ]
        rest = [one for one in forbidding if one not in found]
        deciding = self.deciding
        if self.is_better and deciding:
            found.append(("better", deciding.name))
        found += [("trade_off", one.name) for one in harmful]
        found += [*rest, *stopping]
        if self.is_better:
            found += [
                ("guardrail_open", one.name)
                for one in self.guardrails
                if one not in harmful and not one.is_kept(self.settings.kept_level)
            ]
        if deciding is None:
            return found
        if label == "not_worse":
            found.append(("quality_kept", deciding.name))
        if self._is_worse_within_margin():
            found.append(("worse_within_margin", deciding.name))
        elif not self.is_better and not deciding.is_worse() and deciding.better is not None:
            found.append(("not_better", deciding.name))
        return found

    def _notes(self, route: str | None) -> list[tuple[str, str | None]]:
        level = self.settings.level
        found: list[tuple[str, str | None]] = []
        if route == "better":
            found += [
                ("kept_not_proven", one.name) for one in self.guardrails if not one.is_kept(level)
            ]
        deciding = self.deciding
        if deciding:
            metric = deciding.metric
            is_assumed = metric.kind == "score" and metric.direction == "higher"
            if not metric.is_declared and is_assumed:
                found.append(("direction_assumed", deciding.name))
            if metric.is_guessed:
                found.append(("deciding_metric_guessed", deciding.name))
        found += [
            ("one_arm_only", one.name)
            for one in self.members.values()
            if one.note == "one_arm_only"
        ]
        if deciding and any(
            one.runs != other.runs and min(one.runs, other.runs) > 0
            for one, other in (pair.arms() for pair in deciding.reading.tasks)
        ):
            found.append(("uneven_repetitions", deciding.name))
        if self.candidates > 1:
            found.append(("several_candidates", deciding.name if deciding else None))
        return found


def _holm(members: Sequence[Judged]) -> dict[str, float | None]:
    adjusted = holm([one.worse for one in members])
    return {one.name: p_value for one, p_value in zip(members, adjusted, strict=True)}


def _harm_code(one: Judged) -> str:
    return "success_harmed" if one.role == "success" else "guardrail_harmed"


def legacy(cases: Mapping[str, Case]) -> tuple[float | None, str]:
    """Apply the seed's old rule: averages alone, relative to the baseline, in per cent."""
    gain, total, is_rejected = 0.0, 0.0, False
    for case in cases.values():
        weight = case.metric.weight
        pairs = [
            (pair.baseline, pair.candidate)
            for pair in case.pairs
            if pair.baseline is not None and pair.candidate is not None and pair.is_comparable
        ]
        if weight <= 0 or not pairs or not case.metric.is_declared:
            continue
        one, other = (math.fsum(arm) / len(pairs) for arm in zip(*pairs, strict=True))
        is_rejected |= case.metric.kind == "score" and other < 0.5 - 1e-12
        if abs(one) <= 1e-12 * max(abs(value) for value, _ in pairs):
            continue
        change = 100 * case.metric.sign * (other - one) / abs(one)
        is_rejected |= change < -20 - 1e-10
        gain, total = gain + weight * change, total + weight
    change = gain / total if total else None
    if is_rejected or (change is not None and change < -5 - 1e-10):
        return change, "reject"
    return change, "deploy" if change is not None and change > 5 + 1e-10 else "needs_review"
