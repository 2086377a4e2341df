"""The whole rule on a judge's word: corrected it keeps its promise where raw it does not."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

import independent_corrections
from independent_corrections import Task

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import corrected_verdicts

_COUNT = 2_000


def test_what_is_simulated_is_what_the_marts_compute() -> None:
    rng = np.random.default_rng(3)
    judge = corrected_verdicts.JUDGES[3]
    for world in (corrected_verdicts.binary, corrected_verdicts.continuous):
        arms = world(rng, (4, 150), 0.15, judge)
        labelled = rng.permuted(np.tile(np.arange(150) < 80, (4, 1)), axis=1)
        metric = corrected_verdicts.Corrected(
            "deciding", arms[3] - arms[1], truth=arms[2] - arms[0], labelled=labelled
        )
        metric.measure()
        estimate, error, freedom = metric.estimate()
        for place in range(4):
            tasks = [
                Task(
                    str(task), [arms[1][place, task]], [arms[3][place, task]],
                    [(arms[1][place, task], arms[0][place, task])]
                    if labelled[place, task] else [],
                    [(arms[3][place, task], arms[2][place, task])]
                    if labelled[place, task] else [],
                )
                for task in range(150)
            ]  # fmt: skip
            expected = independent_corrections.powered(tasks, 0.05)
            found = {
                "improvement": estimate[place],
                "improvement_error": error[place],
                "degrees_of_freedom": freedom[place],
                "p_better": metric.tests[0].better[place],
                "p_lost": metric.tests[0].lost[place],
            }
            assert found == pytest.approx({name: expected[name] for name in found}, rel=1e-9)


@pytest.mark.slow
def test_corrected_verdicts_deploy_falsely_no_more_than_the_rule_and_intervals_hold() -> None:
    cells = list(corrected_verdicts.cells(_COUNT, sizes=((400, 100),)))
    broken = [cell for cell in cells if cell.is_broken(_COUNT)]
    assert not broken
    raw = {
        (cell.kind, cell.judge): cell.raw_deploys for cell in cells if cell.effect == 0
    }  # fmt: skip
    for kind in ("0/1", "0…1"):
        # what the correction is for
        assert raw[kind, "kind to the candidate"] > 0.9
        assert raw[kind, "drifting"] > 0.5
        assert raw[kind, "good"] < 0.05
    # a candidate that is better is found, whatever its judge
    assert min(cell.deploys for cell in cells if cell.effect > 0) > 0.9
