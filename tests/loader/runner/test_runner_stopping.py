"""Sequential stopping: the quick look states the bounds of the marts, and decides by them."""

from __future__ import annotations

import asyncio
import math
import statistics
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from chat_server import WRONG_EVERY, ChatServer, sums
from loader.marts.rows import Metric
from loader.runner.arms import Arm, Settings
from loader.runner.chat import ChatTarget
from loader.runner.session import run_missing
from loader.runner.stopping import Question, StoppingRule, decided, project_variables
from loader.runner.tasks import read_tasks
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary
from statistical_functions import create

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "benchmarks"))
import verdict_uses

if TYPE_CHECKING:
    from collections.abc import Mapping

pytestmark = pytest.mark.newest_server

COUNT = 40


def right(outputs: Mapping[str, Any], reference_outputs: Mapping[str, Any]) -> dict[str, object]:
    score = float(outputs["output"] == reference_outputs["output"])
    return {"key": "agent_routing_accuracy", "score": score}


def expected_bounds(differences: list[float]) -> tuple[float, float]:
    """Return the confidence sequence of Waudby-Smith et al. (2021), after its formula."""
    settings = project_variables()
    alpha, planned = settings.get("alpha", 0.05), settings.get("planned_tasks", 100)
    rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned
    n = len(differences)
    root = math.sqrt(n * rho2 + 1)
    half = math.sqrt(2 * (n * rho2 + 1) / (n * n * rho2) * math.log(root / alpha))
    half *= statistics.stdev(differences)
    mean = statistics.fmean(differences)
    return mean - half, mean + half


def test_a_look_at_the_raw_runs_gives_the_bounds_of_the_formula(database_url: str) -> None:
    with connect(database_url) as connection:
        create(connection)
    with ChatServer() as chat:
        arms = [
            Arm(ChatTarget(chat.url, "weak"), "baseline", "1.0.0"),
            Arm(ChatTarget(chat.url, "good"), "code-chef", "1.1.0"),
        ]
        settings = Settings(experiment_id="exp-1", repetitions=2)
        tasks = read_tasks(sums(COUNT))
        asyncio.run(run_missing(arms, tasks, [right], settings, database_url=database_url))
    question = Question(
        experiment_id="exp-1",
        baseline_experiment_id="exp-1",
        baseline_group="baseline",
        candidate=arms[1],
        database_url=database_url,
    )
    estimate = StoppingRule(question, read_vocabulary()).estimate()
    assert estimate is not None
    assert (estimate.metric, estimate.pairs) == ("accuracy", COUNT)
    differences = [float(number % WRONG_EVERY == 0) for number in range(COUNT)]
    assert (estimate.low, estimate.high) == pytest.approx(expected_bounds(differences), rel=1e-9)


def metric(low: float | None, high: float | None, **others: object) -> Metric:
    fields: dict[str, object] = {
        name: None for name in Metric.__struct_fields__ if name not in ("method", "flags")
    }
    fields |= {"metric": "accuracy", "kind": "score", "direction": "higher", "n_pairs": 50}
    fields |= {"mean_difference": 0.01, "non_inferiority_margin": 0.05}
    fields |= {"role": "deciding", "is_of_ratio_kind": False}
    return msgspec.convert({**fields, "cs_low": low, "cs_high": high, **others}, Metric)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (metric(0.01, 0.1), "better"),
        (metric(-0.1, -0.01), "worse"),
        (metric(-0.04, 0.04), "no different (within 0.05)"),
        (metric(-0.1, 0.1), None),
        (metric(None, None), None),
        (metric(0.01, 0.1, n_pairs=5), None),
        (metric(0.01, 0.1, metric="latency_ms", kind="latency", direction="lower"), "worse"),
        (metric(-0.04, 0.04, kind="latency"), None),
    ],
)
def test_bounds_decide_when_they_leave_no_doubt(given: Metric, said: str | None) -> None:
    sentence = decided([given])
    assert (sentence is None) if said is None else (sentence is not None and said in sentence)


@pytest.mark.parametrize(
    ("bounds", "recommendation", "ends"),
    [
        ((0.01, 0.1), "deploy", True),
        # a guardrail is not kept yet, or is harmed
        ((0.01, 0.1), "needs_review", False),
        ((-0.1, -0.01), "needs_review", True),
        ((-0.1, -0.01), "reject", True),
        ((-0.04, 0.04), "needs_review", True),
    ],
)
def test_a_gain_ends_a_run_only_when_every_guardrail_is_kept(
    bounds: tuple[float, float], recommendation: str, *, ends: bool
) -> None:
    assert (decided([metric(*bounds)], recommendation) is not None) is ends


_COUNT = 800
# two standard errors of a share that is to be 2.5 %
_SLACK = 2 * math.sqrt(0.025 * 0.975 / _COUNT)


@pytest.mark.slow
@pytest.mark.parametrize("is_guarded", [False, True])
def test_stopping_errs_no_more_than_it_may_and_saves_what_the_guide_says(
    *, is_guarded: bool
) -> None:
    nothing = verdict_uses.stopped("test nothing", 0.0, _COUNT, is_guarded=is_guarded)
    assert nothing.deploys <= 0.025 + _SLACK
    assert nothing.rejects <= 0.0275 + _SLACK
    better = verdict_uses.stopped("test better", 0.1, _COUNT, is_guarded=is_guarded)
    worse = verdict_uses.stopped("test worse", -0.1, _COUNT, is_guarded=is_guarded)
    assert better.rejects <= 0.01
    assert worse.deploys <= 0.01
    for one, share in ((better, better.deploys), (worse, worse.rejects)):
        assert share >= 0.98
        assert one.decided >= 0.98
        assert one.saved == pytest.approx(0.77, abs=0.03)
