"""Whom the gate judges: the latest or who is named, and what it says where there is nobody."""

from __future__ import annotations

import pytest

import gate_marts
from gate_calls import answer, call_gate, codes, run_gate
from gate_marts import ACCURACY, SEGMENT, SUMMARY
from loader.errors import NothingToJudge
from loader.warehouse.connection import Connection, connect

pytestmark = pytest.mark.newest_server

MIXED: dict[str, object] = {**SUMMARY, "agent_name": None, "total_tasks": 150}
ALPHA: dict[str, object] = {
    **ACCURACY, "n_pairs": 30, "mean_difference": -0.2, "improvement": -0.2,
    "improvement_low": -0.28, "improvement_high": -0.12, "improvement_pct": -20.0,
    "lower_improvement": -0.2, "finding": "harmed",
}  # fmt: skip


def mixed(connection: Connection) -> None:
    """Alpha lost 20 points on its 30 tasks, beta won 15 on 120: together 8 were won."""
    gate_marts.store(connection, MIXED, {**ACCURACY, "n_pairs": 150})
    gate_marts.store_segment(connection, SEGMENT, ALPHA)
    beta = {**SEGMENT, "segment": "beta", "recommendation": "deploy", "is_proven_worse": False,
            "total_tasks": 120, "headline": "More accurate (+15 points)."}  # fmt: skip
    gate_marts.store_segment(connection, beta, {**ACCURACY, "n_pairs": 120})
    # the view of made-up marts has the experiment's agent from its summary
    gate_marts.store_task(connection, "t1", [1.0], [1.0], agent="alpha")
    connection.execute("update evals.evaluation_pairs set candidate_recorded_at = now()")
    connection.commit()


def test_an_agent_is_judged_by_its_own_tasks(connection: Connection) -> None:
    mixed(connection)
    found = answer(connection, "--experiment", "exp-1", "--agent", "alpha")
    assert (found["verdict"], found["exit_code"], found["agent"]) == ("blocked", 1, "alpha")
    assert found["headline"] == "Less accurate (-20 points, p = .0001)."
    assert found["summary"]["total_tasks"] == 30
    assert [metric["n_pairs"] for metric in found["metrics"]] == [30]
    beta = answer(connection, "--experiment", "exp-1", "--agent", "beta")
    assert (beta["verdict"], beta["summary"]["total_tasks"]) == ("pass", 120)
    page = run_gate(connection, "--experiment", "exp-1", "--agent", "alpha")
    assert page.stdout.startswith(
        "BLOCKED  code-chef 1.2.3 against its baseline, exp-1, 30 tasks of alpha\n"
    )
    assert "judged the tasks of alpha alone" in page.stderr
    whole = answer(connection)
    assert (whole["verdict"], codes(whole)) == ("inconclusive", ["segment_worse", "better"])
    assert "The agent alpha is proven worse" in whole["headline"]
    rows = connection.execute(
        "select agent_name, verdict from raw_evals.gate_decisions order by decided_at"
    ).fetchall()
    assert rows == [
        ("alpha", "blocked"), ("beta", "pass"), ("alpha", "blocked"), (None, "inconclusive"),
    ]  # fmt: skip
    assert answer(connection, "--experiment", "exp-1", "--agent", "alpha")["looks"] == 3


def test_an_agent_and_its_version_are_judged_by_its_own_tasks_too(connection: Connection) -> None:
    mixed(connection)
    for version in (("--extension-version", "1.2.3"), ()):
        found = answer(connection, "--agent", "alpha", *version)
        assert (found["verdict"], found["agent"]) == ("blocked", "alpha")


def test_an_agent_by_itself_is_the_whole_experiment(connection: Connection) -> None:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    whole = {**SEGMENT, "segment": "feature_dev", "total_tasks": 60}
    gate_marts.store_segment(connection, whole, ALPHA)
    found = answer(connection, "--experiment", "exp-1", "--agent", "feature_dev")
    assert (found["verdict"], found["agent"]) == ("pass", None)
    assert found["summary"]["total_tasks"] == 60


def test_an_agent_that_an_experiment_does_not_have_names_the_nearest(
    connection: Connection,
) -> None:
    mixed(connection)
    result = run_gate(connection, "--experiment", "exp-1", "--agent", "alpa")
    assert result.exit_code == 2
    assert "did you mean alpha?" in result.stderr
    assert "there are: alpha, beta" in result.stderr


def test_the_settings_of_a_policy_reach_an_agents_part(connection: Connection) -> None:
    mixed(connection)
    judged = {"segment": "agent:alpha", "recommendation": "deploy", "headline": "Kept."}
    gate_marts.store_judged(connection, {"kept_level": 0.5}, judged)
    arguments = ("--experiment", "exp-1", "--agent", "alpha")
    found = answer(connection, *arguments, policy="kept_level: 0.5")
    assert (found["verdict"], found["headline"]) == ("pass", "Kept.")


def refused(connection: Connection, code: int, *arguments: str) -> str:
    result = run_gate(connection, *arguments)
    assert result.exit_code == code, result.output
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    rows = connection.execute("select from raw_evals.gate_decisions").fetchall()
    connection.commit()
    assert not rows, "what was not judged is not recorded"
    return line


def test_before_any_result_there_is_nothing_to_judge(database_url: str) -> None:
    with connect(database_url) as connection:
        line = refused(connection, 5)
        assert line == (
            "Error: no candidate results for exp-1: nothing is loaded yet; did ingest run?"
        )
        gate_marts.load(connection, 1, "exp-1", is_built=False)
        gate_marts.load(connection, 2, "exp-1", is_built=False)
        line = refused(connection, 5)
        assert line == (
            "Error: no candidate results for exp-1 in the marts yet: 2 loads are waiting; "
            "run evalmart build"
        )


def test_an_experiment_without_a_candidate_says_what_is_missing(connection: Connection) -> None:
    gate_marts.load(connection, 1, "exp-10", is_built=True)
    unknown = refused(connection, 5)
    assert "no candidate results for 'exp-1'; did ingest run? (did you mean exp-10?)" in unknown
    gate_marts.load(connection, 2, "exp-1", is_built=False)
    waiting = refused(connection, 5)
    assert "no candidate results for exp-1 in the marts yet: 1 load is waiting" in waiting
    assert "evalmart build" in waiting
    gate_marts.load(connection, 3, "exp-1", is_built=True)
    assert "only a control group has results there" in refused(connection, 5)
    agent = refused(connection, 5, "--agent", "alpha")
    assert "no candidate results for an agent 'alpha'; did ingest run?" in agent


def test_a_database_without_the_raw_schema_says_to_run_init(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        result = run_gate(connection)
    assert result.exit_code == 2
    assert "run: evalmart init" in result.stderr


def test_arms_that_share_no_task_are_shown_by_examples(connection: Connection) -> None:
    gate_marts.store(
        connection,
        {
            **SUMMARY,
            "recommendation": "needs_review",
            "headline": "Nothing is shared: none of the 5 tasks of the candidate is among the 4.",
            "recommendation_reasons": [{"code": "nothing_shared", "sentence": "Nothing shared."}],
            "total_tasks": 0,
            "baseline_only_tasks": 4,
            "candidate_only_tasks": 5,
            "required_note": "no_pairs",
        },
    )
    for place in range(4):
        gate_marts.store_task(connection, f"q{place}", [1.0], None)
    for place in range(5):
        gate_marts.store_task(connection, f"Q-{place}", None, [1.0])
    found = answer(connection)
    assert found["verdict"] == "inconclusive"
    assert "the baseline has q0, q1, q2; the candidate has Q-0, Q-1, Q-2" in found["would_decide"]


@pytest.mark.parametrize(
    ("summary", "expected"),
    [
        (
            {"required_note": "trade_off", "recommendation_labels": ["trade_off"]},
            "a person, who weighs what was gained against what was lost",
        ),
        (
            {
                "required_note": "low_coverage",
                "recommendation_reasons": [
                    {"code": "low_coverage", "sentence": "…", "metric": "correct"}
                ],
            },
            "the missing values: correct. Evaluate or repeat those runs",
        ),
        (
            {
                "required_note": "harm",
                "recommendation_reasons": [
                    {"code": "tripwire_harmed", "sentence": "…", "metric": "politeness"}
                ],
            },
            "a person, who looks at politeness; more tasks do not make it better",
        ),
        ({"required_note": "no_number_decides"}, "a person: as it stands no number of tasks"),
        ({"required_note": "few_clusters"}, "more tasks from other clusters"),
        (
            {"required_note": None, "required_additional_tasks": 1, "required_for": "reject"},
            "about 1 more task, to show that it is worse",
        ),
        (
            {"required_note": None, "required_additional_tasks": 80, "required_for": "not_worse"},
            "about 80 more tasks, to show that it is not worse by more than the margin",
        ),
        (
            {
                "required_note": None,
                "required_additional_tasks": 80,
                "recommendation_reasons": [
                    {"code": "direction_unknown", "sentence": "…", "metric": "refusals"}
                ],
            },
            "the direction of refusals: evalmart declare metric refusals",
        ),
    ],
)
def test_what_would_decide_is_the_obstacle_that_is_there(
    connection: Connection, summary: dict[str, object], expected: str
) -> None:
    gate_marts.store(connection, {**SUMMARY, "recommendation": "needs_review", **summary}, ACCURACY)
    found = answer(connection)
    assert found["verdict"] == "inconclusive"
    assert found["would_decide"].startswith(expected)
    has_number = any(char.isdigit() for char in found["would_decide"])
    assert has_number == (summary["required_note"] is None and "direction" not in expected)


def test_the_latest_candidate_is_judged_unless_another_is_named(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store(
            connection,
            {
                **SUMMARY,
                "candidate_version": "1.10.0",
                "recommendation": "reject",
                "last_recorded_at": "2025-03-02T00:00:00+00:00",
            },
            ACCURACY,
        )
        latest = call_gate(connection)
        assert latest.exit_code == 1
        assert "judged code-chef 1.10.0, the latest of 2 candidates" in latest.stderr
        named = call_gate(connection, "--candidate-version", "1.2.3")
        assert (named.exit_code, named.stderr) == (0, "")
        both = call_gate(connection, policy="version: 1\njudge: all\n")
        assert both.exit_code == 1
        assert both.stdout.count("against its baseline") == 2
        wrong = call_gate(connection, "--candidate-version", "1.2.4")
        assert wrong.exit_code != 0
        assert "did you mean 1.2.3?" in str(wrong.exception)


def test_an_agent_and_a_version_find_their_latest_experiment(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store(
            connection,
            {
                **SUMMARY,
                "experiment_id": "exp-2",
                "recommendation": "reject",
                "last_recorded_at": "2025-04-01T00:00:00+00:00",
            },
            ACCURACY,
        )
        found = call_gate(connection, "--agent", "feature_dev", "--extension-version", "1.2.3")
        assert found.exit_code == 1
        assert "judged exp-2, the latest of 2 experiments with feature_dev 1.2.3" in found.stderr
        agent = call_gate(connection, "--agent", "feature_dve", "--extension-version", "1.2.3")
        assert "did you mean feature_dev?" in str(agent.exception)
        assert isinstance(agent.exception, NothingToJudge)
        version = call_gate(connection, "--agent", "feature_dev", "--extension-version", "1.2.2")
        assert "did you mean 1.2.3?" in str(version.exception)
        latest = call_gate(connection, "--agent", "feature_dev")
        assert latest.exit_code == 1
        assert "judged feature_dev 1.2.3, the latest" in latest.stderr
        missing = call_gate(connection, "--agent", "feature_dve")
        assert "did you mean feature_dev?" in str(missing.exception)
