"""The rule that simulations apply to thousands of experiments at once is the written one."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

import paired_readings
import verdict_oracle
from paired_readings import Pair, Settings
from statistics_oracles import adjust, holm
from verdict_members import Case

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "benchmarks"))
import verdict_rule
import verdict_worlds as worlds
from verdict_rule import Metric

pytestmark = pytest.mark.slow

COUNT = 24


def case_of(name: str, metric: Metric, row: int) -> Case:
    """Make pairs of the improvements of one experiment."""
    kind = "latency" if metric.margin == worlds.RATIO_MARGIN else "score"
    kind = "success" if metric.role == "success" else kind
    pairs = []
    for task, gain in enumerate(metric.gains[row]):
        cluster = None if metric.clusters is None else f"c{metric.clusters[task]}"
        one: float | None = 0.5
        other: float | None = 0.5 + gain
        if kind == "latency":
            one, other = 1.0, math.exp(-gain)
        elif np.isnan(gain):
            assert metric.completed is not None
            one, other = -metric.completed[row, task], None
        elif metric.is_binary:
            one, other = (float(gain <= 0), float(gain >= 0))
        pairs.append(Pair(f"t{task:04d}", one, other, cluster))
    margin = {"latency": 0.2, "score": 0.05}.get(kind)
    described = paired_readings.Metric(
        kind,
        "lower" if kind == "latency" else "higher",
        0,
        None if metric.role == "tripwire" else margin,
        metric.weight,
        is_declared=metric.role != "tripwire",
        is_deciding=metric.role == "deciding",
    )
    return Case(name, pairs, described)


def drawn() -> list[list[Metric]]:
    """Draw experiments of every kind that is simulated."""
    rng = np.random.default_rng(4)
    found = []
    for n in (8, 15, 40, 120):
        for gain in (-0.15, 0.0, 0.1, 0.2):
            deciding = worlds.discordant(rng, (COUNT, n), 0.25, gain)
            saving = worlds.ratio(rng, (COUNT, n), 0.3, float(rng.choice([-0.3, 0, 0.4])))
            score = worlds.continuous(rng, (COUNT, n), float(rng.choice([-0.08, 0, 0.05])))
            wire = worlds.discordant(rng, (COUNT, n), 0.3, min(gain, 0), "tripwire")
            found += [
                [deciding],
                [deciding, saving, score],
                [deciding, saving, score, wire, worlds.success(rng, (COUNT, n), 0.9, 0.1)],
                [worlds.continuous(rng, (COUNT, n), gain / 4, role="deciding"), saving, score],
                [worlds.unscored(rng, (COUNT, n), 1, 0.7, 0.04)],
            ]
    found += [[worlds.clustered(rng, COUNT, [5] * 8 + [12, 3], 0.6, gain)] for gain in (0.0, 0.15)]
    return found


def test_the_simulated_rule_is_the_written_one() -> None:
    wrong, seen = [], set()
    for place, metrics in enumerate(drawn()):
        for peeking in (False, True):
            found = verdict_rule.judge(metrics, peeking=peeking)
            for row in range(COUNT // 8 if len(metrics) > 1 else COUNT // 4):
                cases = {
                    f"m{number}": case_of(f"m{number}", one, row)
                    for number, one in enumerate(metrics)
                }
                verdict = verdict_oracle.judge(cases, Settings(peeking=peeking))
                expected = (
                    verdict.recommendation == "deploy",
                    verdict.recommendation == "reject",
                    verdict.label == "trade_off",
                    verdict.label == "not_worse",
                    verdict.route == "quality_kept",
                )
                built = tuple(
                    bool(flags[row])
                    for flags in (
                        found.deploy, found.reject, found.trade_off, found.not_worse, found.by_gain,
                    )
                )  # fmt: skip
                seen.add(expected)
                if built != expected:
                    wrong.append((place, peeking, row, expected, built))
    assert not wrong, wrong[:5]
    assert len(seen) == 6


def test_holm_is_that_of_statsmodels() -> None:
    rng = np.random.default_rng(2)
    for size in (0, 1, 2, 7):
        p_values = [None if rng.random() < 0.2 else float(rng.random()) ** 3 for _ in range(size)]
        for one, other in zip(holm(p_values), adjust(p_values, "holm"), strict=True):
            assert one == other or abs(one - other) < 1e-15
