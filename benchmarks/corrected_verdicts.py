"""How often the whole rule errs on a judge's word, raw and corrected by what people say.

    .venv/bin/python benchmarks/corrected_verdicts.py [experiments]

Simulated are paired tasks with scores of 0 and 1, and from 0 to 1, that a judge gives: a good
one, one lenient to both arms, a noisy one, one kinder to the candidate, one kinder to the
baseline, and one that grows kinder the later it judges, the candidate after the baseline. People
label tasks drawn by lot. Beside the score stand latency, cost and success, which do not change;
the rule is that of `verdict_rule`, a composite included where scores are raw. Asked is how often
a candidate that is no better, or worse by its margin, is deployed, how often one that is better
by 15 points is, and how often the interval holds the truth.

Prints a table; exits 1 where corrected verdicts deploy falsely in more than 2.5 %, or intervals
hold less than 93 %, beyond three errors of the simulation.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import verdict_worlds as worlds
from scipy import special
from verdict_rule import LEVEL, Metric, Tests, judge

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    Floats = NDArray[np.floating[Any]]
    Flags = NDArray[np.bool_]
    Arms = tuple[Floats, Floats, Floats, Floats]
    """Truth and judgement of the baseline, then of the candidate; a row an experiment."""

FEWEST: Final = 0.93
"""The least that an interval holds."""
MOST: Final = 0.025
MARGIN: Final = 0.05
SIZES: Final = ((150, 75), (400, 100))
EFFECTS: Final = (0.0, -MARGIN, 0.15)
"""No better, worse by the margin, and better."""
AT_ONCE: Final = 2_000_000


class Judge(NamedTuple):
    """How a judge errs: sensitivity and specificity, bias of scores, by arm; noise; drift."""

    name: str
    baseline: tuple[float, float] = (0.95, 0.9)
    candidate: tuple[float, float] = (0.95, 0.9)
    biases: tuple[float, float] = (0.0, 0.0)
    noise: float = 0.1
    drift: float = 0.0
    """What it loses of its specificity, and adds to scores, from the first task to the last."""


JUDGES: Final = (
    Judge("good", (0.98, 0.98), (0.98, 0.98), noise=0.05),
    Judge("lenient", (0.97, 0.75), (0.97, 0.75), (0.1, 0.1)),
    Judge("noisy", (0.7, 0.7), (0.7, 0.7), noise=0.3),
    Judge("kind to the candidate", (0.9, 0.9), (0.97, 0.6), (0.0, 0.06)),
    Judge("kind to the baseline", (0.97, 0.6), (0.9, 0.9), (0.06, 0.0)),
    Judge("drifting", drift=0.3),
)


@dataclass
class Corrected(Metric):
    """A deciding score of which people labelled a sample: prediction-powered, as in the marts."""

    truth: Floats = field(default_factory=lambda: np.empty(0))
    labelled: Flags = field(default_factory=lambda: np.empty(0, dtype=bool))

    def measure(self, *, peeking: bool = False) -> None:
        """Test it by what people say; a correction holds at one look."""
        if peeking:
            raise ValueError("a correction holds at one look")
        estimate, error, freedom = self.estimate()
        # what has no error proves nothing
        error = np.where(error > 1e-12, error, np.inf)
        tails = {
            "better": special.stdtr(freedom, -estimate / error),
            "worse": special.stdtr(freedom, estimate / error),
            "lost": special.stdtr(freedom, -(estimate + self.margin) / error),
        }
        n = self.gains.shape[1]
        self.tests = [Tests(estimate, error, **tails, n=n, groups=float(n))]

    def estimate(self) -> tuple[Floats, Floats, Floats]:
        """Give estimate, error and degrees of freedom (PPI++, every task its own cluster)."""
        one = self.labelled.astype(float)
        n = one.sum(axis=1)
        rest = one.shape[1] - n
        human = (self.truth * one).sum(axis=1) / n
        judged = (self.gains * one).sum(axis=1) / n
        imputed = (self.gains * (1 - one)).sum(axis=1) / rest
        off_human, off_judged = self.truth - human[:, None], self.gains - judged[:, None]
        covariance = (off_human * off_judged * one).sum(axis=1) / n
        spread = self.gains.var(axis=1, ddof=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            weight = np.where(spread > 0, covariance / ((1 + n / rest) * spread), 0)
        weight = np.clip(weight, 0, 1)
        lost = np.where(weight > 0, 2, 1)
        rectified = (off_human - weight[:, None] * off_judged) * one
        squares = (rectified**2).sum(axis=1) / (n * (n - lost))
        others = (((self.gains - imputed[:, None]) * (1 - one)) ** 2).sum(axis=1)
        error = np.sqrt(squares + weight**2 * others / ((rest - 1) * rest))
        return human + weight * (imputed - judged), error, n - lost


def binary(rng: np.random.Generator, shape: tuple[int, int], effect: float, judge: Judge) -> Arms:
    """Draw scores of 0 and 1: 15 % to 25 % of the tasks are tried anew by the candidate."""
    anew = max(0.15, 2.5 * abs(effect))
    baseline = rng.random(shape) < 0.6
    candidate = np.where(
        rng.random(shape) < anew, rng.random(shape) < 0.6 + effect / anew, baseline
    )
    found = []
    for truth, (hits, rejections), late in (
        (baseline, judge.baseline, 0.0), (candidate, judge.candidate, 0.5),
    ):  # fmt: skip
        kindness = rejections - judge.drift * _progress(shape, late)
        judged = np.where(truth, rng.random(shape) < hits, rng.random(shape) > kindness)
        found += [truth.astype(float), judged.astype(float)]
    return found[0], found[1], found[2], found[3]


def continuous(
    rng: np.random.Generator, shape: tuple[int, int], effect: float, judge: Judge
) -> Arms:
    """Draw scores from 0 to 1 (unclipped: the mean is what is asked)."""
    level = rng.normal(0.6, 0.15, shape)
    found = []
    for shift, bias, late in ((0.0, judge.biases[0], 0.0), (effect, judge.biases[1], 0.5)):
        truth = level + shift + rng.normal(0, 0.12, shape)
        drift = 0.3 * judge.drift * _progress(shape, late)
        found += [truth, truth + bias + drift + rng.normal(0, judge.noise, shape)]
    return found[0], found[1], found[2], found[3]


def _progress(shape: tuple[int, int], late: float) -> Floats:
    """Return how far through its work a judge is at each task, 0 to 1."""
    return np.broadcast_to(late + np.linspace(0, 0.5, shape[1]), shape)


class Cell(NamedTuple):
    """What was simulated, and what was found: shares of experiments."""

    kind: str
    judge: str
    tasks: int
    labels: int
    effect: float
    raw_deploys: float
    deploys: float
    raw_covers: float
    covers: float

    def is_broken(self, count: int) -> bool:
        """Say whether the corrected verdicts break their promise, beyond the simulation's error."""
        noise = 3 * np.sqrt(MOST * (1 - MOST) / count)
        slack = 3 * np.sqrt(FEWEST * (1 - FEWEST) / count)
        return self.covers < FEWEST - slack or (self.effect <= 0 and self.deploys > MOST + noise)


def cells(count: int, sizes: tuple[tuple[int, int], ...] = SIZES) -> Iterator[Cell]:
    """Simulate every judge on every kind of score, `count` experiments a cell."""
    for kind, world in (("0/1", binary), ("0…1", continuous)):
        for one in JUDGES:
            for tasks, labels in sizes:
                for effect in EFFECTS:
                    seed = [20261201, tasks, round(1000 * effect) + 1000, JUDGES.index(one)]
                    rng = np.random.default_rng([*seed, kind == "0/1"])
                    most = max(1, AT_ONCE // tasks)
                    parts = [
                        _part(rng, world(rng, (min(most, count - done), tasks), effect, one),
                              labels, effect, is_binary=kind == "0/1")
                        for done in range(0, count, most)
                    ]  # fmt: skip
                    shares = [
                        float(np.concatenate(flags).mean()) for flags in zip(*parts, strict=True)
                    ]
                    yield Cell(kind, one.name, tasks, labels, effect, *shares)


def _part(
    rng: np.random.Generator, arms: Arms, labels: int, effect: float, *, is_binary: bool
) -> tuple[Flags, Flags, Flags, Flags]:
    """Judge experiments: deployed raw, corrected; covered raw, corrected."""
    shape = arms[0].shape
    gains, truth = arms[3] - arms[1], arms[2] - arms[0]
    labelled = rng.permuted(np.broadcast_to(np.arange(shape[1]) < labels, shape).copy(), axis=1)
    success = worlds.success(rng, shape)
    ratios = [worlds.ratio(rng, shape, 0.3) for _ in range(2)]
    raw = Metric("deciding", gains, MARGIN, is_binary=is_binary)
    corrected = Corrected("deciding", gains, MARGIN, truth=truth, labelled=labelled)
    # what a score is read otherwise for is in no composite
    alone = [Metric("guardrail", one.gains, one.margin, is_share=False) for one in ratios]
    deployed = [
        judge([raw, *ratios, success]).deploy,
        judge([corrected, *alone, success]).deploy,
    ]
    estimate, error, freedom = corrected.estimate()
    known = [
        (gains.mean(axis=1), gains.std(axis=1, ddof=1) / np.sqrt(shape[1]), shape[1] - 1.0),
        (estimate, error, freedom),
    ]
    covered = [
        abs(mean - effect) <= special.stdtrit(df, 1 - LEVEL) * spread + 1e-12
        for mean, spread, df in known
    ]
    return deployed[0], deployed[1], covered[0], covered[1]


def main(count: int) -> int:
    """Simulate, print, and say whether corrected verdicts keep their promise."""
    print(f"{count:,} experiments a row; deployed and covered in per cent, raw and corrected")
    print(f"{'scores':6} {'judge':24} tasks labels effect   deployed        covered")
    broken = False
    for cell in cells(count):
        is_broken = cell.is_broken(count)
        broken |= is_broken
        shares = (cell.raw_deploys, cell.deploys, cell.raw_covers, cell.covers)
        first, second, third, fourth = (f"{100 * value:6.2f}" for value in shares)
        print(
            f"{cell.kind:6} {cell.judge:24} {cell.tasks:5} {cell.labels:6} {cell.effect:+6.2f} "
            f"{first} {second}   {third} {fourth}{'  broken' if is_broken else ''}",
            flush=True,
        )
    return int(broken)


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 20_000))
