"""How often a verdict on a judge's word errs, corrected and not.

    .venv/bin/python benchmarks/corrected_judges.py [experiments]

Simulated are paired tasks with scores of 0 and 1, and from 0 to 1, under judges that are good,
lenient, noisy, or kinder to the candidate; people label a sample drawn by lot. Compared are the
recorded reading (the judge's), the corrected one (PPI++, as judge_corrections computes it) and
Rogan-Gladen: how often the 95 % interval holds the truth, and how often a candidate that is no
better (or worse) is called better at 2.5 %. Prints a table; exits 1 where a corrected reading
covers less than 93 % or errs in more than 2.5 % and its own simulation error.
"""

from __future__ import annotations

import sys
from typing import NamedTuple

import numpy as np
from scipy import stats

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]
Booleans = np.ndarray[tuple[int, ...], np.dtype[np.bool_]]


class Judge(NamedTuple):
    """Sensitivity and specificity in either arm; of scores from 0 to 1, bias and noise."""

    name: str
    baseline: tuple[float, float]
    candidate: tuple[float, float]
    biases: tuple[float, float]
    noise: float


JUDGES = (
    Judge("good", (0.98, 0.98), (0.98, 0.98), (0.0, 0.0), 0.05),
    Judge("lenient", (0.97, 0.75), (0.97, 0.75), (0.1, 0.1), 0.1),
    Judge("noisy", (0.7, 0.7), (0.7, 0.7), (0.0, 0.0), 0.3),
    Judge("kind to the candidate", (0.9, 0.9), (0.97, 0.8), (0.0, 0.06), 0.1),
    Judge("hard on the candidate", (0.97, 0.8), (0.9, 0.9), (0.06, 0.0), 0.1),
)
SIZES = ((150, 50), (400, 50), (400, 100))
EFFECTS = (0.0, -0.05)


def binary(
    rng: np.random.Generator, tasks: int, effect: float, judge: Judge
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return truth and judgement of the baseline, then of the candidate."""
    baseline = rng.random(tasks) < 0.7
    again = rng.random(tasks) < 0.15
    candidate = np.where(again, rng.random(tasks) < 0.7 + effect / 0.15, baseline)
    judged = [
        np.where(truth, rng.random(tasks) < hits, rng.random(tasks) > rejections)
        for truth, (hits, rejections) in (
            (baseline, judge.baseline),
            (candidate, judge.candidate),
        )
    ]
    return (
        baseline.astype(float), judged[0].astype(float),
        candidate.astype(float), judged[1].astype(float),
    )  # fmt: skip


def continuous(
    rng: np.random.Generator, tasks: int, effect: float, judge: Judge
) -> tuple[Floats, Floats, Floats, Floats]:
    """Return the same for scores from 0 to 1 (unclipped: the mean is what is asked)."""
    level = rng.normal(0.6, 0.15, tasks)
    arms = [level + shift + rng.normal(0, 0.12, tasks) for shift in (0.0, effect)]
    judged = [
        truth + bias + rng.normal(0, judge.noise, tasks)
        for truth, bias in zip(arms, judge.biases, strict=True)
    ]
    return arms[0], judged[0], arms[1], judged[1]


def powered(gain: Floats, truth: Floats, labelled: Booleans) -> tuple[float, float, float]:
    """Return estimate, error and degrees of freedom, every task its own cluster."""
    f, g, y = gain[~labelled], gain[labelled], truth[labelled]
    n, rest = len(y), len(f)
    spread = gain.var(ddof=1)
    covariance = ((y - y.mean()) * (g - g.mean())).mean()
    weight = float(np.clip(covariance / ((1 + n / rest) * spread), 0, 1)) if spread else 0.0
    lost = 2 if weight else 1
    rectified = y - weight * g
    squares = ((rectified - rectified.mean()) ** 2).sum() / (n * (n - lost))
    error = np.sqrt(squares + weight**2 * f.var(ddof=1) / rest)
    return weight * f.mean() + rectified.mean(), float(error), n - lost


def rogan_gladen(
    arms: tuple[Floats, Floats, Floats, Floats],
    labelled: Booleans,
) -> tuple[float, float, float]:
    """Return the same by sensitivity and specificity; NaN where a class has no label."""
    influence, shares = np.zeros(len(labelled)), []
    for sign, truth, judged in ((-1, arms[0], arms[1]), (1, arms[2], arms[3])):
        human, said = truth[labelled], judged[labelled]
        if not 0 < human.sum() < len(human):
            return np.nan, np.nan, 1
        hits = (human * said).sum() / human.sum()
        rejections = ((1 - human) * (1 - said)).sum() / (1 - human).sum()
        youden = hits + rejections - 1
        if youden <= 0:
            return np.nan, np.nan, 1
        share = (judged.mean() + rejections - 1) / youden
        part = (judged - judged.mean()) / len(judged)
        part[labelled] += (
            -share * (human * said - hits * human) / human.sum()
            + (1 - share)
            * ((1 - human) * (1 - said) - rejections * (1 - human))
            / (1 - human).sum()
        )
        influence += sign * part / youden
        shares.append(share)
    n = int(labelled.sum())
    return shares[1] - shares[0], float(np.sqrt((influence**2).sum() * n / (n - 1))), n - 1


def main(experiments: int) -> int:
    """Simulate, print, and say whether the corrected readings keep their promise."""
    rng = np.random.default_rng(20261201)
    noise = 3 * np.sqrt(0.025 * 0.975 / experiments)
    broken = False
    print("scores, judge, tasks, labelled, effect: coverage and called better; of")
    print(f"{'':57} raw            corrected      Rogan-Gladen   raw, corrected error")
    for kind, world in (("0/1", binary), ("0…1", continuous)):
        for judge in JUDGES:
            for tasks, n in SIZES:
                for effect in EFFECTS:
                    found: dict[str, list[tuple[float, float, float]]] = {
                        "raw": [], "corrected": [], "rogan_gladen": [],
                    }  # fmt: skip
                    for _ in range(experiments):
                        arms = world(rng, tasks, effect, judge)
                        labelled = np.zeros(tasks, bool)
                        labelled[rng.permutation(tasks)[:n]] = True
                        gain = arms[3] - arms[1]
                        error = float(gain.std(ddof=1) / np.sqrt(tasks))
                        found["raw"].append((gain.mean(), error, tasks - 1))
                        found["corrected"].append(powered(gain, arms[2] - arms[0], labelled))
                        if kind == "0/1":
                            found["rogan_gladen"].append(rogan_gladen(arms, labelled))
                    cells, errors = [], []
                    for name, rows in found.items():
                        cover, better, error = judged_by(np.asarray(rows), effect)
                        cells.append(f"{100 * cover:5.1f} {100 * better:5.1f}   ")
                        errors.append(error)
                        if name == "corrected":
                            broken |= cover < 0.93 - noise or better > 0.025 + noise
                    place = f"{kind} {judge.name:24} {tasks:5} {n:5} {effect:+6.2f}"
                    print(f"{place:52}", *cells, " ".join(f"{error:.3f}" for error in errors[:2]))
    return int(broken)


def judged_by(rows: Floats, effect: float) -> tuple[float, float, float]:
    """Return coverage, share called better, and the mean error."""
    if not len(rows):
        return np.nan, np.nan, np.nan
    rows = rows[~np.isnan(rows[:, 0])]
    estimate, error, df = rows.T
    held = abs(estimate - effect) <= stats.t.ppf(0.975, df) * error + 1e-12
    with np.errstate(divide="ignore", invalid="ignore"):
        better = (estimate > 0) & (stats.t.sf(estimate / error, df) <= 0.025)
    return float(held.mean()), float(better.mean()), float(error.mean())


if __name__ == "__main__":
    sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 2000))
