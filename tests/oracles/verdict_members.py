"""Who has a say in a verdict, by which numbers, and what they weigh together."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

import paired_readings
from paired_readings import Metric, Pair, Reading, Settings
from paired_tests import anytime, quantile, tail

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMES = ("better", "worse", "lost")


class Case(NamedTuple):
    """The pairs of one metric of one comparison."""

    name: str
    pairs: list[Pair]
    metric: Metric

    @property
    def metric_name(self) -> str:
        """Give the last word of the name."""
        return self.name.rpartition(" ")[2]


@dataclass(frozen=True)
class Judged:
    """A metric, its two readings, and its say."""

    name: str
    metric: Metric
    settings: Settings
    """In force; those of the metric are what it was read with."""
    reading: Reading
    role: str
    note: str | None
    coverage: float
    n_incomparable: int
    better: float | None
    worse: float | None
    lost: float | None
    least_worse: float | None
    """The smaller of the two readings' p_worse: above a level, it is worse in neither."""

    def is_better(self) -> bool:
        return self.better is not None and self.better <= self.settings.level

    def is_worse(self) -> bool:
        return self.worse is not None and self.worse <= self.settings.level

    def is_kept(self, level: float) -> bool:
        return self.lost is not None and self.lost <= level

    def is_harmed(self, p_value: float | None, level: float) -> bool:
        """Say whether it is worse at this level, and beyond what is kept."""
        mean = self.reading.recorded.mean
        return (
            p_value is not None
            and p_value <= level
            and mean is not None
            and mean < 0
            and not self.is_kept(self.settings.kept_level)
        )

    def has_enough(self) -> bool:
        return self.has_tasks() and self.has_clusters()

    def has_tasks(self) -> bool:
        return len(self.reading.usable) >= self.settings.minimum_tasks

    def has_clusters(self) -> bool:
        names = paired_readings.clusters_of(self.reading.usable)
        sizes = np.unique(np.array(names), return_counts=True)[1] if names else np.array([1])
        groups = len(names) ** 2 / float((sizes**2).sum())
        return groups >= self.settings.minimum_clusters - 1e-9

    def finding(self) -> str:
        """Give the one word that the mart has."""
        settings = self.settings
        if self.metric.direction == "unknown":
            recorded = self.reading.recorded
            if recorded.better is None or recorded.worse is None:
                return "open"
            p_value = min(1, 2 * min(recorded.better, recorded.worse))
            return "changed" if p_value <= settings.alpha else "unchanged"
        words = {
            "better": self.is_better(),
            "harmed": self.is_harmed(self.worse, settings.level),
            "worse": self.is_worse(),
            "proven_kept": self.is_kept(settings.level),
            "kept": self.is_kept(settings.kept_level),
        }
        return next((word for word, holds in words.items() if holds), "open")


@dataclass
class Composite:
    """Improvements in margins, weighed; None is undefined."""

    mean: float | None = None
    error: float | None = None
    freedom: float | None = None
    low: float | None = None
    high: float | None = None
    better: float | None = None
    worse: float | None = None
    better_anytime: float | None = None
    worse_anytime: float | None = None


def role_of(case: Case) -> tuple[str, str | None]:
    """Say what a metric's say is, and why it has none."""
    metric = case.metric
    has_margin = metric.is_declared and metric.margin is not None and metric.margin > 0
    values = [[pair.baseline for pair in case.pairs], [pair.candidate for pair in case.pairs]]
    is_lone = any(all(value is None for value in arm) for arm in values)
    told: dict[tuple[str, str | None], bool] = {
        ("deciding", None): metric.is_deciding,
        ("none", "reliability"): metric.kind == "reliability",
        ("success", None): metric.kind == "success",
        ("none", "direction_unknown"): metric.direction == "unknown",
        ("tripwire", None): metric.kind == "score" and not has_margin,
        ("none", "no_margin"): not has_margin,
        ("none", "one_arm_only"): metric.kind != "score" and is_lone,
    }
    return next((role for role, holds in told.items() if holds), ("guardrail", None))


def look(case: Case, settings: Settings, reading: Reading | None = None) -> Judged:
    """Read one metric by the p-values in force."""
    metric = case.metric
    reading = reading or paired_readings.read(case.pairs, metric)
    role, note = role_of(case)
    suffix = "_anytime" if settings.peeking else ""
    larger = {name: reading.larger(name + suffix) for name in NAMES}
    both = [reading.recorded, reading.completed]
    least = [getattr(one, "worse" + suffix) for one in both if one is not None]
    if role == "deciding" and settings.is_about_these_tasks and not settings.peeking:
        larger = {name: reading.larger_fixed(name) for name in NAMES}
        least = [one.worse for one in (reading.fixed, reading.fixed_completed) if one is not None]
    if metric.direction == "unknown":
        larger, least = dict.fromkeys(NAMES), [None]
    known = [p for p in least if p is not None]
    coverage = paired_readings.coverages(case.pairs, metric.settings.planned_dataset)[
        "pair_coverage"
    ]
    assert isinstance(coverage, float)
    return Judged(
        case.metric_name, metric, settings, reading, role, note, coverage,
        sum(not pair.is_comparable for pair in case.pairs),
        larger["better"], larger["worse"], larger["lost"],
        min(known) if len(known) == len(least) else None,
    )  # fmt: skip


def composite(members: Sequence[Judged]) -> Composite:
    """Weigh improvements in margins; the error is what leaving a cluster out does to them."""
    parts = [
        one
        for one in members
        if one.role in {"deciding", "guardrail"}
        and (one.metric.weight > 0 or one.role == "deciding")
        and one.metric.direction != "unknown"
        and one.reading.margin
        and len(one.reading.gains) > 1
    ]
    if len(parts) < 2:
        return Composite()
    others = sum(one.metric.weight for one in parts if one.role == "guardrail")
    weights = [one.metric.weight or others for one in parts]

    clusters = {task: name for one in parts for task, name in one.reading.clusters.items()}
    names, sizes = np.unique(list(clusters.values()), return_counts=True)
    groups = len(clusters) ** 2 / float((sizes**2).sum())
    gains, left_out, total = 0.0, np.zeros(len(names)), sum(weights)
    for part, weight in zip(parts, weights, strict=True):
        values = np.array(list(part.reading.gains.values()))
        places = np.searchsorted(names, [part.reading.clusters[one] for one in part.reading.gains])
        counts = np.bincount(places, minlength=len(names))
        sums = np.bincount(places, values, len(names))
        scale = weight / total / (part.reading.margin or 1)
        gains += scale * float(values.mean())
        rest = len(values) - counts
        means = (values.sum() - sums) / np.where(rest > 0, rest, np.nan)
        # what a cluster has no part of, it does not move
        left_out += scale * np.where(counts > 0, means, values.mean())
    mean, settings = gains, parts[0].metric.settings
    found = Composite(mean, freedom=groups - 1 if len(names) > 1 else None)
    if len(names) < 2 or np.isnan(left_out).any():
        return found
    squares = float(((left_out - mean) ** 2).sum())
    error = math.sqrt((len(names) - 1) / len(names) * squares)
    if error <= 1e-12 * max(abs(mean), 1):
        found.error = 0.0
        found.better = found.better_anytime = 0.5**groups if mean > 1e-12 else 1.0
        found.worse = found.worse_anytime = 0.5**groups if mean < -1e-12 else 1.0
        return found
    found.error = error
    half = quantile(settings.alpha, groups - 1) * error
    found.low, found.high = mean - half, mean + half
    found.better = tail(mean / error, groups - 1)
    found.worse = tail(-mean / error, groups - 1)
    bounds = settings.alpha, settings.planned_tasks
    found.better_anytime = anytime(mean / error, groups, *bounds)
    found.worse_anytime = anytime(-mean / error, groups, *bounds)
    return found
