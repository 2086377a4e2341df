"""`gate --floor METRIC=BAR`: the old thresholds by evaluator, with exit code 1."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from test_gate_bars import ONE_ARM, tasks

import gate_marts
import statistical_functions
from gate_calls import answer, codes, ledger, run_gate
from gate_marts import ACCURACY, SUMMARY
from loader.errors import ConfigurationError
from loader.gate.floors import with_floors
from loader.gate.policy_file import parse_policy
from loader.records.vocabulary import Scale

if TYPE_CHECKING:
    from loader.warehouse.connection import Connection

pytestmark = pytest.mark.newest_server

SCALES = {
    "accuracy": Scale("accuracy", 0, 1),
    "agent_routing_accuracy": Scale("accuracy", 0, 1),
    "judge": Scale("helpfulness", 1, 5),
}
FILE = parse_policy({"version": 1, "floors": {"latency": 2000, "cost_usd": 0.1}}, "a file")


@pytest.fixture
def connection(connection: Connection) -> Connection:
    statistical_functions.create(connection)
    return connection


def test_a_missed_floor_blocks_with_exit_1_though_there_is_no_baseline(
    connection: Connection,
) -> None:
    gate_marts.store(connection, ONE_ARM)
    tasks(connection, 30, 60)
    missed = run_gate(connection, "--floor", "accuracy=0.8")
    assert missed.exit_code == 1, missed.output
    assert "on the wrong side of its floor of 0.8" in missed.stdout
    # by the evaluator's key; 30 of 60 is 0.3681 to 0.6319
    assert run_gate(connection, "--floor", "agent_routing_accuracy=0.8").exit_code == 1
    assert run_gate(connection, "--floor", "accuracy=0.3").exit_code == 0
    assert run_gate(connection, "--floor", "accuracy=0.6").exit_code == 5
    block = "inconclusive: block"
    assert run_gate(connection, "--floor", "accuracy=0.6", policy=block).exit_code == 1
    kept = ledger(connection, "exit_code, policy -> 'floors'")
    assert kept == [
        (1, {"accuracy": 0.8}),
        (1, {"accuracy": 0.8}),
        (0, {"accuracy": 0.3}),
        (5, {"accuracy": 0.6}),
        (1, {"accuracy": 0.6}),
    ]


def test_a_floor_that_no_run_has_a_value_for_names_the_nearest_metric(
    connection: Connection,
) -> None:
    gate_marts.store(connection, ONE_ARM)
    tasks(connection, 30, 60)
    found = answer(connection, "--floor", "acuracy=0.8", "--floor", "accuracy=0.3")
    assert found["exit_code"] == 5
    sentence = "The candidate has no value of acuracy, which has a floor (did you mean accuracy?)."
    assert sentence in [reason["sentence"] for reason in found["reasons"]]


def test_a_floor_comes_to_those_of_the_policy_and_can_only_be_stricter_than_a_comparison(
    connection: Connection,
) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    tasks(connection, 51, 60)
    assert run_gate(connection, "--floor", "accuracy=0.7").exit_code == 0
    found = answer(
        connection, "--floor", "accuracy=0.93", policy="floors: {accuracy: 0.7, success: 0.5}"
    )
    assert (found["verdict"], found["policy"]["floors"]) == (
        "blocked",
        {"success": 0.5, "accuracy": 0.93},
    )
    assert codes(found)[0] == "floor_missed"


def test_names_of_a_floor_are_metrics_short_names_and_evaluators_keys() -> None:
    found = with_floors(FILE, ["latency_ms=1500", "judge=0.75", "turns=8"], SCALES)
    assert found.floors == {"cost_usd": 0.1, "latency_ms": 1500, "helpfulness": 0.75, "turns": 8}


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (["accuracy"], "--floor accuracy: write a metric and its bar, such as accuracy=0.8"),
        (["accuracy=high"], "--floor accuracy=high: write a metric and its bar"),
        (["=0.8"], "--floor =0.8: write a metric"),
        (["accuracy=nan"], "--floor accuracy=nan: write a metric"),
        (
            ["judge=4"],
            "--floor judge=4: a bar is on 0 to 1; 4 of 1 to 5 is helpfulness=0.75",
        ),
        (["accuracy=80"], "--floor accuracy=80: a bar is on 0 to 1"),
        (["success=80"], "a bar is on 0 to 1; 80 of 0 to 100 is success=0.8"),
        (["accuracy=0.8", "agent_routing_accuracy=0.7"], "accuracy has a floor already; keep one"),
    ],
)
def test_a_floor_that_makes_no_sense_is_refused(given: list[str], told: str) -> None:
    with pytest.raises(ConfigurationError) as refused:
        with_floors(FILE, given, SCALES)
    assert told in str(refused.value)
