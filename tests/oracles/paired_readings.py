"""The two readings of a metric's pairs, and what an improvement is, in plain Python."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from paired_tests import NOISE, Evidence, FixedTasks, Sample, evidence, fixed_tasks

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Array = NDArray[np.float64]

RATIO_KINDS = {"latency", "tokens", "cost"}
WIDEST_LOGARITHM = 300
SHARE_KINDS = {"score", "success", "reliability"}


@dataclass(frozen=True)
class Settings:
    """The vars of the project that a verdict depends on."""

    alpha: float = 0.05
    kept_level: float = 0.2
    default_score_margin: float = 0.05
    default_ratio_margin: float = 0.2
    minimum_tasks: int = 10
    minimum_clusters: float = 3
    minimum_coverage: float = 0.95
    minimum_gain: float = 0.25
    planned_tasks: float = 500
    """After which the bounds for many looks are narrowest."""
    peeking: bool = False
    is_about_these_tasks: bool = False
    holm_candidates: bool = False
    planned_dataset: int | None = None
    """Tasks that the data set has, where known."""

    @property
    def level(self) -> float:
        """Of each side of the deciding metric."""
        return self.alpha / 2

    @property
    def harm_level(self) -> float:
        """Of harm on anything else."""
        return self.alpha / 20

    @property
    def gain_level(self) -> float:
        """Of a gain of anything else."""
        return self.alpha / 100


@dataclass(frozen=True)
class Pair:
    """One task in both arms; None is a missing value."""

    task_id: str
    baseline: float | None
    candidate: float | None
    cluster_id: str | None = None
    is_comparable: bool = True
    baseline_repetitions: int = 1
    """Runs with a value, where there is one."""
    candidate_repetitions: int = 1
    baseline_stddev: float | None = None
    candidate_stddev: float | None = None
    baseline_runs: int = 1
    """Runs, or planned runs if those are more; 0 where the arm lacks the task."""
    candidate_runs: int = 1
    baseline_explained: int = 0
    """Runs without a value that say that they failed."""
    candidate_explained: int = 0

    def arms(self) -> tuple[Arm, Arm]:
        """Give baseline and candidate alike."""
        return (
            Arm(
                self.baseline,
                self.baseline_repetitions if self.baseline is not None else 0,
                self.baseline_stddev,
                self.baseline_runs,
                self.baseline_explained,
            ),
            Arm(
                self.candidate,
                self.candidate_repetitions if self.candidate is not None else 0,
                self.candidate_stddev,
                self.candidate_runs,
                self.candidate_explained,
            ),
        )


class Arm(NamedTuple):
    """One task in one arm."""

    value: float | None
    scored: int
    stddev: float | None
    given_runs: int
    explained: int

    @property
    def runs(self) -> int:
        """Runs that ought to have a value."""
        return max(self.given_runs, self.scored)

    def completed(self, missing: float) -> float:
        """Give the mean over all runs, each without a value at `missing`."""
        if self.runs == 0:
            return missing
        known = 0.0 if self.value is None else self.value
        share = 1 - self.scored / self.runs
        return known * (1 - share) + missing * share

    def variance(self, missing: float) -> tuple[float, int]:
        """Give the variance of the runs, those without a value at `missing`, and their number."""
        if self.runs < 2:
            return 0.0, self.runs
        gaps, value = self.runs - self.scored, self.value or 0.0
        mean = (self.scored * value + gaps * missing) / self.runs
        squares = max(self.scored - 1, 0) * (self.stddev or 0.0) ** 2
        squares += self.scored * (value - mean) ** 2 + gaps * (missing - mean) ** 2
        return squares / (self.runs - 1), self.runs


@dataclass(frozen=True)
class Metric:
    """What the seed says of a metric, who it is in its comparison, and the settings."""

    kind: str = "score"
    direction: str = "higher"
    tie_margin: float = 0.0
    margin: float | None = 0.05
    """As the seed has it: none for what is not declared."""
    weight: float = 0.0
    is_declared: bool = True
    is_deciding: bool = False
    is_guessed: bool = False
    is_one_sided: bool = False
    """One arm alone knows the version of its evaluator."""
    settings: Settings = field(default_factory=Settings)

    @property
    def sign(self) -> int:
        """Give -1 where lower is better."""
        return -1 if self.direction == "lower" else 1

    @property
    def is_ratio(self) -> bool:
        """Whether relative changes count."""
        return self.kind in RATIO_KINDS

    def allowed(self) -> float | None:
        """Give the margin as a share or in the metric's unit."""
        if self.margin is not None and self.margin > 0:
            return self.margin
        if self.kind in SHARE_KINDS:
            return self.settings.default_score_margin
        return self.settings.default_ratio_margin if self.is_ratio else None


class Reading(NamedTuple):
    """Both readings of one metric."""

    tasks: list[Pair]
    usable: list[Pair]
    """Comparable pairs with both values."""
    recorded: Evidence
    completed: Evidence | None
    """Missing scores at the worst end; None for what has one reading."""
    fixed: FixedTasks
    fixed_completed: FixedTasks | None
    margin: float | None
    is_fallback: bool
    n_excluded: int
    gains: dict[str, float]
    """Improvement by task, as recorded."""
    clusters: dict[str, str]

    def larger(self, name: str) -> float | None:
        """Give the p-value that both readings satisfy."""
        return _larger(self.recorded, self.completed, name)

    def larger_fixed(self, name: str) -> float | None:
        """Give the p-value for these tasks that both readings satisfy."""
        return _larger(self.fixed, self.fixed_completed, name)

    @property
    def lower(self) -> Evidence:
        """Give the reading with the lower improvement; of two alike, the one known less well."""
        if self.completed is None or self.recorded.mean is None or self.completed.mean is None:
            return self.recorded
        if abs(self.completed.mean - self.recorded.mean) <= NOISE:
            is_vaguer = (self.completed.error or 0) > (self.recorded.error or 0)
            return self.completed if is_vaguer else self.recorded
        return min(self.recorded, self.completed, key=lambda one: one.mean or 0.0)


def _larger(one: object, other: object | None, name: str) -> float | None:
    first = getattr(one, name)
    if other is None or first is None:
        return first  # type: ignore[no-any-return]
    second = getattr(other, name)
    return None if second is None else max(first, second)


def clusters_of(pairs: Sequence[Pair]) -> list[str]:
    """Name each pair's cluster; a task without one is its own."""
    return [
        f"task {pair.task_id}" if pair.cluster_id is None else f"cluster {pair.cluster_id}"
        for pair in pairs
    ]


def differences(baseline: Array, candidate: Array) -> Array:
    """Subtract; what rounding leaves of equal values is 0."""
    found = candidate - baseline
    found[abs(found) <= NOISE * np.maximum(abs(baseline), abs(candidate))] = 0
    return found


def read(pairs: Sequence[Pair], metric: Metric) -> Reading:
    """Read the pairs of one metric as recorded, and scores with what is missing as the worst."""
    comparable = [pair for pair in pairs if pair.is_comparable]
    usable = [
        pair for pair in comparable if pair.baseline is not None and pair.candidate is not None
    ]
    sample, kept, is_fallback, n_excluded = _recorded(usable, metric)
    alpha, planned = metric.settings.alpha, metric.settings.planned_tasks
    recorded = evidence(sample, alpha, planned)
    if metric.is_ratio and not is_fallback and recorded.low is not None:
        # nothing that a ratio may not be is an interval
        assert recorded.high is not None
        if recorded.high - recorded.low > 2 * WIDEST_LOGARITHM:
            recorded = recorded._replace(low=None, high=None)
    completed = None
    if metric.kind == "score":
        completed = evidence(_completed(comparable, metric), alpha, planned)
    fixed = FixedTasks()
    fixed_completed = None
    if metric.kind in {"score", "success", "measurement"} and recorded.mean is not None:
        spreads = [_spread(pair) for pair in usable]
        fixed = fixed_tasks(recorded.mean, spreads, sample.margin, alpha)
    if completed is not None and completed.mean is not None:
        worst = 1.0 if metric.direction == "lower" else 0.0
        all_runs = [
            (*pair.arms()[0].variance(worst), *pair.arms()[1].variance(worst))
            for pair in comparable
        ]
        fixed_completed = fixed_tasks(completed.mean, all_runs, sample.margin, alpha)
    gains = {pair.task_id: float(gain) for pair, gain in zip(kept, sample.gains, strict=True)}
    named = dict(zip((pair.task_id for pair in kept), sample.clusters, strict=True))
    return Reading(
        list(pairs), usable, recorded, completed, fixed, fixed_completed, sample.margin,
        is_fallback, n_excluded, gains, named,
    )  # fmt: skip


def _spread(pair: Pair) -> tuple[float, int, float, int]:
    one, other = pair.arms()
    return (one.stddev or 0) ** 2, one.scored, (other.stddev or 0) ** 2, other.scored


def _recorded(usable: list[Pair], metric: Metric) -> tuple[Sample, list[Pair], bool, int]:
    baseline = np.array([pair.baseline for pair in usable], dtype=float)
    candidate = np.array([pair.candidate for pair in usable], dtype=float)
    scale = float(max(abs(baseline).max(initial=0), abs(candidate).max(initial=0)))
    allowed = metric.allowed()
    if not metric.is_ratio:
        is_binary = (
            metric.kind in {"score", "success"}
            and len(usable) > 0
            and all(_is_binary(pair.baseline, pair.candidate) for pair in usable)
            and all(max(arm.scored for arm in pair.arms()) <= 1 for pair in usable)
            and len(set(clusters_of(usable))) == len(usable)
        )
        gains = metric.sign * differences(baseline, candidate)
        is_share = metric.kind in SHARE_KINDS
        sample = Sample(
            gains, clusters_of(usable), allowed, scale, is_share=is_share, is_binary=is_binary
        )
        return sample, usable, False, 0
    assert allowed is not None
    is_zero = (baseline == 0) & (candidate == 0)
    kept = is_zero | ((baseline > 0) & (candidate > 0))
    n_excluded = int((~kept).sum())
    limit = 1 - metric.settings.minimum_coverage
    if n_excluded > limit * len(usable) + 1e-9:
        size = abs(float(baseline.mean()))
        if size <= NOISE * float(abs(baseline).max()):
            return Sample(np.array([]), [], allowed, 0), [], True, n_excluded
        gains = metric.sign * differences(baseline, candidate) / size
        sample = Sample(gains, clusters_of(usable), allowed, scale / size)
        return sample, usable, True, n_excluded
    pairs = [pair for pair, is_kept in zip(usable, kept, strict=True) if is_kept]
    logs = np.array(
        [np.log(pair.candidate / pair.baseline) if pair.baseline else 0.0 for pair in pairs]
    )
    margin = float(np.log1p(allowed) if metric.sign < 0 else -np.log1p(-allowed))
    sample = Sample(metric.sign * logs, clusters_of(pairs), margin, 1.0)
    return sample, pairs, False, n_excluded


def _completed(comparable: list[Pair], metric: Metric) -> Sample:
    """Read a missing score as the worst: 0, or 1 where lower is better."""
    worst = 1.0 if metric.direction == "lower" else 0.0
    arms = [pair.arms() for pair in comparable]
    baseline = np.array([one.completed(worst) for one, _ in arms], dtype=float)
    candidate = np.array([other.completed(worst) for _, other in arms], dtype=float)
    names = clusters_of(comparable)
    is_binary = (
        len(arms) > 0
        and all(_is_binary(*both) for both in zip(baseline, candidate, strict=True))
        and all(max(one.runs, other.runs) <= 1 for one, other in arms)
        and len(set(names)) == len(names)
    )
    gains = metric.sign * differences(baseline, candidate)
    scale = float(max(abs(baseline).max(initial=0), abs(candidate).max(initial=0)))
    return Sample(gains, names, metric.allowed(), scale, is_share=True, is_binary=is_binary)


def _is_binary(*values: object) -> bool:
    return all(value in {0, 1} for value in values)


def coverages(pairs: Sequence[Pair], planned_tasks: int | None) -> dict[str, object]:
    """Give the share of runs that are explained, per arm, and the least with that of the tasks."""
    shares: list[float | None] = []
    for place in (0, 1):
        arms = [pair.arms()[place] for pair in pairs]
        present = [arm for arm in arms if arm.runs > 0]
        covered = [min(1.0, (arm.scored + arm.explained) / arm.runs) for arm in present]
        shares.append(float(np.mean(covered)) if covered else None)
    met = sum(pair.is_comparable and min(arm.runs for arm in pair.arms()) > 0 for pair in pairs)
    tasks = met / max(len(pairs), planned_tasks or 0)
    return {
        "baseline_coverage": shares[0],
        "candidate_coverage": shares[1],
        "pair_coverage": min([tasks, *(share for share in shares if share is not None)]),
    }
