"""What a policy asks beside the comparison: floors, critical tasks, parts, planned runs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from scipy import stats

import gate_marts
import statistical_functions
from gate_calls import answer, codes, run_gate
from gate_marts import ACCURACY, LATENCY, SEGMENT, SUMMARY
from loader.gate.bars import fisher

if TYPE_CHECKING:
    from loader.warehouse.connection import Connection

pytestmark = pytest.mark.newest_server

ONE_ARM: dict[str, object] = {
    **SUMMARY,
    "primary_metric": None,
    "recommendation": "needs_review",
    "recommendation_route": None,
    "headline": "No baseline: exp-1 has no result of a control group.",
    "recommendation_reasons": [
        {"code": "no_baseline", "sentence": "exp-1 has no result of a control group."}
    ],
    "total_tasks": 0,
    "required_note": "no_pairs",
}


@pytest.fixture
def connection(connection: Connection) -> Connection:
    statistical_functions.create(connection)
    return connection


def tasks(connection: Connection, passes: int, count: int, prefix: str = "t") -> None:
    for place in range(count):
        gate_marts.store_task(connection, f"{prefix}{place}", None, [float(place < passes)])


@pytest.mark.parametrize(
    ("passes", "bar", "verdict", "code"),
    [
        # exact, 95 %: 57 of 60 is 0.8608 to 0.9896, 51 of 60 is 0.7343 to 0.9290
        (57, 0.86, "pass", "floor_held"),
        (57, 0.87, "inconclusive", "floor_open"),
        (51, 0.93, "blocked", "floor_missed"),
        (51, 0.9, "inconclusive", "floor_open"),
    ],
)
def test_a_floor_decides_an_experiment_with_one_arm(
    connection: Connection, passes: int, bar: float, verdict: str, code: str
) -> None:
    gate_marts.store(connection, ONE_ARM)
    tasks(connection, passes, 60)
    found = answer(connection, policy=f"floors: {{accuracy: {bar}}}")
    assert found["verdict"] == verdict
    assert sorted(codes(found)) == sorted([code, "no_baseline"])
    (reason,) = (reason for reason in found["reasons"] if reason["code"] == code)
    low, high = {57: (0.8608, 0.9896), 51: (0.7343, 0.9290)}[passes]
    assert (reason["low"], reason["high"]) == pytest.approx((low, high), abs=1e-4)
    assert f"floor of {bar:g}" in reason["sentence"]
    if verdict == "inconclusive":
        assert found["would_decide"] == "more tasks: the interval of accuracy lies across its bar"


def test_without_a_floor_one_arm_is_told_to_get_a_baseline(connection: Connection) -> None:
    gate_marts.store(connection, ONE_ARM)
    found = answer(connection)
    assert (found["verdict"], found["exit_code"]) == ("inconclusive", 5)
    assert found["headline"] == "No baseline: exp-1 has no result of a control group."
    assert "--baseline-experiment ID" in found["would_decide"]


def test_a_floor_can_only_be_stricter_than_a_comparison(connection: Connection) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    tasks(connection, 51, 60)
    blocked = answer(connection, policy="floors: {accuracy: 0.93}")
    assert (blocked["verdict"], codes(blocked)) == ("blocked", ["floor_missed", "better"])
    assert blocked["headline"].startswith(
        "accuracy is 0.85 (0.7343 to 0.929, 60 tasks): on the wrong side of its floor of 0.93. "
    )
    assert answer(connection, policy="floors: {accuracy: 0.7}")["verdict"] == "pass"
    gate_marts.store(connection, {**SUMMARY, "recommendation": "reject"}, ACCURACY)
    assert answer(connection, policy="floors: {accuracy: 0.7}")["verdict"] == "blocked"


def test_a_floor_holds_with_a_missing_score_as_zero_too(connection: Connection) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    tasks(connection, 57, 57)
    for place in range(13):  # crashed: no score at all
        gate_marts.store_task(connection, f"crash{place}", None, [None])
    # 57 of 57 is 0.9373 and more; 57 of 70 is 0.7034 to 0.8972
    found = answer(connection, policy="floors: {accuracy: 0.9}")
    assert found["verdict"] == "inconclusive"
    (level,) = found["evidence"]["levels"]
    assert (level["mean"], level["n_tasks"]) == (1.0, 57)
    assert (level["low"], level["high"]) == pytest.approx((0.7034, 1.0), abs=1e-4)
    assert answer(connection, policy="floors: {accuracy: 0.7}")["verdict"] == "pass"


def test_planned_runs_that_left_no_record_count_as_zero_for_a_floor(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    for place in range(40):
        gate_marts.store_task(connection, f"t{place}", None, [1.0, 1.0])
    policy = "floors: {accuracy: 0.8}\nplanned_repetitions: %s"
    assert answer(connection, policy=policy % 2)["verdict"] == "pass"
    found = answer(connection, policy=policy % 4)
    assert codes(found)[:2] == ["floor_open", "planned_runs_missing"]


def test_for_a_metric_of_which_less_is_better_the_bar_is_a_ceiling(connection: Connection) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY, LATENCY)
    values = [1000.0 + 10 * place for place in range(30)]
    for place, value in enumerate(values):
        gate_marts.store_task(
            connection, f"t{place}", None, [value], metric="latency_ms", kind="latency"
        )
    low, high = stats.t.interval(
        0.95, len(values) - 1, sum(values) / len(values), stats.sem(values)
    )
    found = answer(connection, policy=f"floors: {{latency: {high + 1}}}")
    assert found["verdict"] == "pass"
    (level,) = found["evidence"]["levels"]
    assert (level["low"], level["high"]) == pytest.approx((low, high))
    assert "ceiling" in next(r for r in found["reasons"] if r["code"] == "floor_held")["sentence"]
    assert answer(connection, policy=f"floors: {{latency: {high - 1}}}")["verdict"] != "pass"
    assert answer(connection, policy=f"floors: {{latency_ms: {low - 1}}}")["verdict"] == "blocked"


def test_tasks_of_one_cluster_are_no_independent_evidence_for_a_floor(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    for place in range(60):
        gate_marts.store_task(
            connection, f"t{place}", None, [float(place % 20 != 0)],
            metadata={"cluster_id": f"c{place % 6}"},
        )  # fmt: skip
    found = answer(connection, policy="floors: {accuracy: 0.86}")
    # 57 of 60, as 5.7 of 6: 0.5455 to 0.9969
    (level,) = found["evidence"]["levels"]
    assert level["low"] < 0.56
    assert found["verdict"] == "inconclusive"


def test_a_floor_on_what_is_not_there_is_inconclusive_and_names_the_nearest(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    found = answer(connection, policy="floors: {acuracy: 0.5}")
    assert (found["verdict"], codes(found)) == ("inconclusive", ["no_values", "better"])
    assert "did you mean accuracy?" in found["headline"]


def test_a_floor_on_a_measurement_nobody_declared_has_no_side(connection: Connection) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.store_task(connection, "t", None, [3.0], metric="hops", kind="measurement")
    found = answer(connection, policy="floors: {hops: 2}")
    assert codes(found)[0] == "direction_unknown"
    assert "declare metric hops" in found["would_decide"]


def test_a_metric_is_quoted_for_the_shell_that_a_command_is_pasted_into(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.store_task(connection, "t", None, [3.0], metric="hops;id", kind="measurement")
    found = answer(connection, policy="floors: {'hops;id': 2}")
    assert "declare metric 'hops;id' --direction" in found["would_decide"]
    assert "declare metric 'hops;id' --direction" in json.dumps(found["reasons"])


@pytest.mark.parametrize(
    ("baseline", "candidate", "broke"),
    [
        ([1.0], [0.0], "1 of 1 run passed in the baseline, 0 of 1 in the candidate"),
        ([1.0], [None], "1 of 1 run passed in the baseline, 0 of 1 in the candidate"),
        ([1.0, 1.0], [0.0, 0.0], "2 of 2 runs passed in the baseline, 0 of 2 in the candidate"),
        ([0.0], [0.0], None),
        ([1.0], [1.0], None),
        # Fisher: 4 of 5 against 0 of 5 is p = 0.0238, 3 of 5 against 0 of 5 is 0.0833
        ([1.0] * 4 + [0.0], [0.0] * 5, "(p = 0.024)"),
        ([1.0] * 3 + [0.0] * 2, [0.0] * 5, None),
        ([1.0] * 8, [1.0] * 3 + [0.0] * 5, "(p = 0.013)"),
        # a score between 0 and 1 that fell to 0 by more than 0.05
        ([0.6], [0.0], "its score went from 0.6 to 0"),
        ([0.05], [0.0], None),
        ([0.6], [0.1], None),
    ],
)
def test_a_critical_task_that_broke_blocks(
    connection: Connection, baseline: list[float], candidate: list[float | None], broke: str | None
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.store_task(connection, "refund-7", baseline, candidate)
    gate_marts.store_task(connection, "other", [1.0], [0.0])
    found = answer(connection, policy="critical_tasks: [refund-*]")
    if broke is None:
        assert (found["verdict"], codes(found)) == ("pass", ["better"])
    else:
        assert (found["verdict"], codes(found)) == ("blocked", ["critical_task_broken", "better"])
        assert found["headline"].startswith("The critical task refund-7 broke: ")
        assert broke in found["headline"]


@pytest.mark.parametrize("counts", [(5, 4, 5, 0), (8, 8, 8, 3), (1, 1, 1, 0), (10, 3, 4, 4)])
def test_the_exact_test_of_a_task_is_fishers(counts: tuple[int, int, int, int]) -> None:
    before, passed_before, after, passed_after = counts
    table = [[passed_before, before - passed_before], [passed_after, after - passed_after]]
    assert fisher(*counts) == pytest.approx(stats.fisher_exact(table, "greater").pvalue)


def test_without_a_score_of_0_and_1_a_run_passes_that_ended_well(connection: Connection) -> None:
    gate_marts.store(connection, {**SUMMARY, "primary_metric": "quality"}, ACCURACY)
    gate_marts.store_task(connection, "t", [1.0], [0.0], says_success=True)
    found = answer(connection, policy="critical_tasks: [t]")
    assert codes(found)[0] == "critical_task_broken"


def test_tasks_are_critical_by_their_metadata_unless_a_policy_names_others(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.store_task(connection, "marked", [1.0], [0.0], metadata={"critical": True})
    gate_marts.store_task(connection, "not", [1.0], [0.0], metadata={"critical": "yes"})
    assert answer(connection)["verdict"] == "blocked"
    assert [task["task_id"] for task in answer(connection)["evidence"]["tasks"]] == ["marked"]
    assert answer(connection, policy="critical_tasks: []")["verdict"] == "pass"


def test_a_critical_task_that_was_not_run_or_is_not_there_is_inconclusive(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.store_task(connection, "a_b", [1.0], None)
    gate_marts.store_task(connection, "axb", [1.0], [1.0])
    found = answer(connection, policy="critical_tasks: [a_b, 'c*']")
    assert found["verdict"] == "inconclusive"
    assert codes(found)[:2] == ["critical_task_missing", "critical_task_unknown"]
    assert [task["task_id"] for task in found["evidence"]["tasks"]] == ["a_b"]
    assert "The policy names c* as critical" in found["reasons"][1]["sentence"]


@pytest.mark.parametrize(
    ("choice", "verdict", "found_codes"),
    [
        ("", "inconclusive", ["segment_worse", "better"]),
        ("segments: {category: block}", "blocked", ["segment_worse", "better"]),
        ("segments: {category: ignore}", "pass", ["better"]),
        ("segments: {agent: block}", "inconclusive", ["segment_worse", "better"]),
    ],
)
def test_a_part_that_is_proven_worse_counts_as_the_policy_says(
    connection: Connection, choice: str, verdict: str, found_codes: list[str]
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    physics = {**SEGMENT, "segment_kind": "category", "segment": "physics"}
    gate_marts.store_segment(connection, physics)
    whole = {**physics, "segment": "all", "total_tasks": 60}
    gate_marts.store_segment(connection, whole)
    gate_marts.store_segment(connection, {**physics, "segment": "fine", "is_proven_worse": False})
    found = answer(connection, policy=choice)
    assert (found["verdict"], codes(found)) == (verdict, found_codes)
    if verdict != "pass":
        assert found["headline"].startswith(
            "The category physics is proven worse on accuracy: -20.0 (-28.0 to -12.0), 30 tasks, "
            "adjusted p 0.0002; the policy "
        )


def test_a_part_is_not_proven_at_every_look_and_so_never_blocks_there(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.store_segment(connection, SEGMENT)
    gate_marts.store_judged(connection, {"peeking": True}, {"recommendation": "deploy"})
    found = answer(connection, policy="peeking: true\nsegments: {agent: block}")
    assert found["verdict"] == "inconclusive"


def test_an_arm_that_lacks_planned_runs_is_inconclusive_and_says_the_numbers(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    for place in range(10):
        # more runs of one task stand in for none of another
        gate_marts.store_task(connection, f"t{place}", [1.0] * 3, [1.0] * (9 if place else 1))
    assert answer(connection, policy="planned_repetitions: 0")["verdict"] == "pass"
    assert answer(connection, policy="planned_repetitions: 1")["verdict"] == "pass"
    found = answer(connection, policy="planned_repetitions: 3")
    assert (found["verdict"], codes(found)) == ("inconclusive", ["planned_runs_missing", "better"])
    assert (
        "The candidate has 28 of 30 planned runs (10 tasks, 3 each): 93.3 %; 95 % are asked for."
    ) in found["headline"]
    gate_marts.store_judged(connection, {"minimum_coverage": 0.9}, {"recommendation": "deploy"})
    allowed = "planned_repetitions: 3\nminimum_coverage: 0.9"
    assert answer(connection, policy=allowed)["verdict"] == "pass"


def test_what_is_not_worse_passes_where_the_policy_lets_it(connection: Connection) -> None:
    not_worse = {
        **SUMMARY,
        "recommendation": "needs_review",
        "recommendation_labels": ["not_worse"],
        "headline": "Not worse: accuracy kept within 5 points.",
        "required_note": "no_number_decides",
    }
    gate_marts.store(connection, not_worse, ACCURACY)
    assert answer(connection)["verdict"] == "inconclusive"
    found = answer(connection, policy="on_not_worse: pass")
    assert (found["verdict"], found["label"]) == ("pass", "not_worse")
    assert codes(found)[0] == "not_worse_passes"
    other = {**not_worse, "recommendation_labels": ["worse_within_margin"]}
    gate_marts.store(connection, other, ACCURACY)
    assert answer(connection, policy="on_not_worse: pass")["verdict"] == "inconclusive"


def test_reliability_is_guarded_by_a_margin_of_the_policy(connection: Connection) -> None:
    reliability = {
        **ACCURACY, "metric": "pass_hat_k", "kind": "reliability", "role": "none",
        "non_inferiority_margin": None, "improvement_margin": None, "improvement": -0.4,
        "improvement_low": -0.55, "improvement_high": -0.25, "lower_improvement": None,
    }  # fmt: skip
    gate_marts.store(connection, SUMMARY, ACCURACY, reliability)
    assert answer(connection)["verdict"] == "pass"
    found = answer(connection, policy="metrics: {pass_hat_k: {margin: 0.05}}")
    assert (found["verdict"], codes(found)) == ("blocked", ["harmed", "better"])
    assert "pass_hat_k changes by -55 to -25 points" in found["headline"]


def test_short_names_stand_for_the_built_in_metrics(connection: Connection) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY, LATENCY)
    found = answer(connection, policy="metrics: {latency: {margin: 0.1}}")
    assert codes(found)[0] == "margin_not_excluded"
    assert found["reasons"][0]["metric"] == "latency_ms"
    assert run_gate(connection, policy="metrics: {latency: {margin: 0.2}}").exit_code == 0
