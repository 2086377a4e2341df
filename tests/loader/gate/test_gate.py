"""What a policy makes of the rule, metric by metric, and the exit code of each verdict."""

import json

import pytest

import gate_marts
from gate_calls import call_gate
from gate_marts import ACCURACY, LATENCY, SUMMARY
from loader.warehouse.connection import Connection

pytestmark = pytest.mark.newest_server

NON_INFERIORITY = "version: 1\nrequire: non_inferiority\n"


def verdict(connection: Connection, policy: str | None = None) -> tuple[str, int, list[str]]:
    result = call_gate(connection, "--format", "json", policy=policy)
    (answer,) = json.loads(result.stdout)
    assert answer["exit_code"] == result.exit_code
    return answer["verdict"], result.exit_code, [reason["code"] for reason in answer["reasons"]]


@pytest.mark.parametrize(
    ("recommendation", "expected"),
    [
        ("deploy", ("pass", 0, ["better"])),
        ("reject", ("blocked", 1, ["better"])),
        ("needs_review", ("inconclusive", 5, ["better"])),
    ],
)
def test_the_default_policy_says_what_the_mart_recommends(
    connection: Connection, recommendation: str, expected: tuple[str, int, list[str]]
) -> None:
    with connection:
        gate_marts.store(connection, {**SUMMARY, "recommendation": recommendation}, ACCURACY)
        assert verdict(connection) == expected


@pytest.mark.parametrize(("choice", "exit_code"), [("exit5", 5), ("block", 1), ("pass", 0)])
def test_a_policy_decides_what_becomes_of_an_inconclusive_case(
    connection: Connection, choice: str, exit_code: int
) -> None:
    with connection:
        gate_marts.store(connection, {**SUMMARY, "recommendation": "needs_review"}, ACCURACY)
        policy = f"version: 1\ninconclusive: {choice}\n"
        assert verdict(connection, policy)[:2] == ("inconclusive", exit_code)


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ({}, ("pass", "margin_held")),
        ({"improvement_low": -0.05}, ("inconclusive", "margin_not_excluded")),
        (
            {"improvement_low": -0.1, "improvement_high": -0.05},
            ("inconclusive", "margin_not_excluded"),
        ),
        ({"improvement_low": -0.1, "improvement_high": -0.051}, ("blocked", "harmed")),
        ({"improvement_low": None, "improvement_high": None}, ("inconclusive", "no_interval")),
        # with missing scores as 0 the improvement is 9 points less, and its low end -0.06
        ({"lower_improvement": -0.01}, ("inconclusive", "margin_not_excluded")),
        ({"flags": ["low_coverage"]}, ("inconclusive", "low_coverage")),
        ({"flags": ["underpowered"]}, ("pass", "margin_held")),
    ],
)
def test_non_inferiority_holds_a_score_to_its_margin(
    connection: Connection, metric: dict[str, object], expected: tuple[str, str]
) -> None:
    with connection:
        gate_marts.store(
            connection, {**SUMMARY, "recommendation": "needs_review"}, {**ACCURACY, **metric}
        )
        found = verdict(connection, NON_INFERIORITY)
        assert (found[0], found[2]) == (expected[0], [expected[1]])


@pytest.mark.parametrize(
    ("metric", "expected"),
    [
        ({}, "pass"),
        # ln 1.2 is 0.18232
        ({"improvement_low": -0.1824}, "inconclusive"),
        ({"improvement_low": -0.1823}, "pass"),
        ({"improvement_low": -0.3, "improvement_high": -0.1824}, "blocked"),
        ({"improvement_low": 0.5, "improvement_high": 0.7}, "pass"),
        # with zeros, a share of the baseline's mean instead of a log
        ({"is_difference_instead": True, "improvement_low": -0.19}, "pass"),
        ({"is_difference_instead": True, "improvement_low": -0.2}, "inconclusive"),
        (
            {"is_difference_instead": True, "improvement_low": -0.4, "improvement_high": -0.21},
            "blocked",
        ),
        ({"improvement_low": None, "improvement_high": None}, "inconclusive"),
    ],
)
def test_a_lower_is_better_metric_is_held_to_a_share_of_the_baseline(
    connection: Connection, metric: dict[str, object], expected: str
) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, {**LATENCY, **metric})
        assert verdict(connection, NON_INFERIORITY)[0] == expected


def test_one_harmed_metric_outweighs_any_number_of_open_ones(connection: Connection) -> None:
    with connection:
        gate_marts.store(
            connection,
            SUMMARY,
            {**ACCURACY, "improvement_low": -0.2},
            {**LATENCY, "improvement_low": -0.47, "improvement_high": -0.4},
        )
        assert verdict(connection, NON_INFERIORITY)[0] == "blocked"


def test_with_improvement_a_policy_can_only_be_stricter_than_the_mart(
    connection: Connection,
) -> None:
    margin = "version: 1\nmetrics: {accuracy: {non_inferiority_margin: %s}}\n"
    with connection:
        gate_marts.store(
            connection,
            {**SUMMARY, "recommendation": "deploy"},
            {**ACCURACY, "improvement_low": -0.01},
        )
        assert verdict(connection, margin % 0.05)[0] == "pass"
        assert verdict(connection, margin % 0.005)[0] == "inconclusive"
        gate_marts.store(connection, {**SUMMARY, "recommendation": "needs_review"}, ACCURACY)
        assert verdict(connection, margin % 1)[0] == "inconclusive"
        gate_marts.store(connection, {**SUMMARY, "recommendation": "reject"}, ACCURACY)
        assert verdict(connection, margin % 1)[0] == "blocked"


def test_a_required_metric_without_values_is_inconclusive(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY, {**LATENCY, "n_pairs": 0})
        for metric in ("latency_ms", "never_heard_of"):
            policy = f"version: 1\nmetrics: {{{metric}: {{}}}}\n"
            assert verdict(connection, policy) == (
                "inconclusive",
                5,
                ["no_values", "better"],
            )
            policy = f"version: 1\nmetrics: {{{metric}: {{required: false}}}}\n"
            assert verdict(connection, policy)[0] == "pass"


def test_a_metric_without_any_margin_is_inconclusive(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, {**ACCURACY, "non_inferiority_margin": None})
        found = verdict(connection, "version: 1\nmetrics: {accuracy: {}}\n")
        assert found == ("inconclusive", 5, ["no_margin", "better"])
        assert verdict(connection, NON_INFERIORITY) == ("inconclusive", 5, ["no_metric"])


def test_too_few_pairs_or_too_little_coverage_keep_a_pass_back(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, {**ACCURACY, "pair_coverage": 0.9})
        assert verdict(connection, "version: 1\nminimum_pairs: 60\n")[0] == "pass"
        assert verdict(connection, "version: 1\nminimum_pairs: 61\n")[0] == "inconclusive"
        assert verdict(connection, "version: 1\nminimum_coverage: 0.9\n")[0] == "pass"
        assert verdict(connection, "version: 1\nminimum_coverage: 0.91\n")[0] == "inconclusive"
        gate_marts.store(connection, SUMMARY)
        assert verdict(connection, "version: 1\nminimum_pairs: 1\n")[0] == "inconclusive"
        gate_marts.store(connection, {**SUMMARY, "recommendation": "reject"}, ACCURACY)
        assert verdict(connection, "version: 1\nminimum_pairs: 61\n")[0] == "blocked"


def test_peeking_goes_by_the_bounds_that_hold_at_every_look(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY, LATENCY)
        settings: dict[str, object] = {"peeking": True}
        gate_marts.store_judged(connection, settings, {"headline": "Not decided at every look."})
        assert verdict(connection)[0] == "pass"
        assert verdict(connection, "version: 1\npeeking: true\n") == (
            "inconclusive",
            5,
            ["not_better"],
        )
        assert verdict(connection, NON_INFERIORITY)[0] == "pass"
        # -0.06 lies beyond 0.05, as e^0.165 does not beyond 1.2
        assert verdict(connection, NON_INFERIORITY + "peeking: true\n") == (
            "inconclusive",
            5,
            ["margin_not_excluded", "margin_held"],
        )


@pytest.mark.parametrize(
    ("text", "settings"),
    [
        ("kept_level: 0.1", {"kept_level": 0.1}),
        ("minimum_coverage: 0.5", {"minimum_coverage": 0.5}),
        ("inference: these_tasks", {"inference": "these_tasks"}),
        ("candidates: holm", {"candidates": "holm"}),
        ("peeking: true\nkept_level: 0.1", {"peeking": True, "kept_level": 0.1}),
    ],
)
def test_a_changed_setting_is_asked_of_the_rule_itself(
    connection: Connection, text: str, settings: dict[str, object]
) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store_judged(
            connection,
            settings,
            {"recommendation": "reject", "headline": "Worse.", "required_note": "decided"},
        )
        result = call_gate(connection, "--format", "json", policy=f"version: 1\n{text}\n")
        (answer,) = json.loads(result.stdout)
        assert (answer["verdict"], result.exit_code) == ("blocked", 1)
        assert answer["headline"] == "Worse."
        assert verdict(connection)[0] == "pass", "the marts' own settings stay as they are"


def test_marts_without_the_rule_as_a_function_are_of_another_version(
    connection: Connection,
) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        connection.execute("drop function evals.judge")
        connection.commit()
        assert verdict(connection)[0] == "pass"
        found = call_gate(connection, policy="version: 1\nkept_level: 0.1\n")
        assert "the marts are of another version" in str(found.exception)


def test_marts_of_another_version_are_said_to_be(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        connection.execute("alter table evals.experiment_metric_comparisons drop column finding")
        connection.commit()
        message = str(call_gate(connection).exception)
        assert "the marts are of another version" in message
        assert "finding" in message
