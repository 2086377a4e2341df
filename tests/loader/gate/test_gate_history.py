"""The gate of an agent's release: its comparison with a baseline, and with the version before."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import gate_marts
from gate_marts import ACCURACY, REGRESSION, STEP, SUMMARY
from loader.cli.gate import gate, replay
from loader.warehouse.connection import Connection


@pytest.fixture
def policy(tmp_path: Path) -> Path:
    return tmp_path / "policy.yml"


def run(connection: Connection, *arguments: str, policy: Path | None = None) -> Result:
    named = () if policy is None else ("--policy", str(policy))
    version = () if "--extension-version" in arguments else ("--extension-version", "1.2.3")
    return CliRunner().invoke(
        gate,
        [
            "--agent", "feature_dev", *version, *arguments, *named,
            "--database-url", connection.info.dsn,
        ],
    )  # fmt: skip


def answer(connection: Connection, policy: Path | None = None) -> tuple[str, int, list[str]]:
    result = run(connection, "--format", "json", policy=policy)
    (found,) = json.loads(result.stdout)
    assert found["exit_code"] == result.exit_code
    return found["verdict"], result.exit_code, [reason["code"] for reason in found["reasons"]]


@pytest.mark.parametrize(
    ("severity", "expected"),
    [
        ("critical", ("blocked", 1, ["regression_blocks", "better"])),
        ("high", ("blocked", 1, ["regression_blocks", "better"])),
        ("medium", ("inconclusive", 5, ["regression_needs_review", "better"])),
        (None, ("inconclusive", 5, ["regression_needs_review", "better"])),
        ("low", ("pass", 0, ["better", "regression_allowed"])),
    ],
)
def test_a_regression_counts_beside_the_comparison_with_the_baseline(
    connection: Connection, severity: str | None, expected: tuple[str, int, list[str]]
) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store_history(connection, STEP, {**REGRESSION, "severity": severity})
        assert answer(connection) == expected
        assert answer(connection)[1] == expected[1], "a second look says the same"


def test_a_verdict_on_an_experiment_leaves_the_history_aside(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store_history(connection, STEP, REGRESSION)
        result = CliRunner().invoke(
            gate, ["--experiment", "exp-1", "--database-url", connection.info.dsn]
        )
        assert result.exit_code == 0
        assert "1.2.2" not in result.stdout


def test_a_regression_that_may_be_chance_or_is_of_another_arm_does_not_count(
    connection: Connection,
) -> None:
    expected = ("pass", 0, ["better", "no_regression"])
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store_history(connection, STEP, {**REGRESSION, "is_significant": False})
        assert answer(connection) == expected
        gate_marts.store_history(connection, STEP, {**REGRESSION, "experiment_group": "baseline"})
        assert answer(connection) == expected


def test_no_history_makes_a_rejected_candidate_pass(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, {**SUMMARY, "recommendation": "reject"}, ACCURACY)
        gate_marts.store_history(connection, STEP)
        assert answer(connection)[:2] == ("blocked", 1)


def test_the_policy_says_from_which_severity_on(connection: Connection, policy: Path) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store_history(connection, STEP, REGRESSION)
        for text, verdict in (
            ("regression_block: critical", "inconclusive"),
            ("regression_block: never\nregression_review: critical", "pass"),
            ("regression_block: low", "blocked"),
        ):
            policy.write_text(f"version: 1\n{text}\n", encoding="utf-8")
            assert answer(connection, policy)[0] == verdict, text


def test_the_page_the_json_and_the_ledger_say_what_regressed(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.store_history(connection, STEP, REGRESSION)
        sentence = (
            "accuracy on m is worse than in 1.2.2 by more than chance: -0.1 (-0.14 to -0.06), "
            "12.5 % worse, n = 60, adjusted p 0.0004, severity high; "
            "the policy blocks from high."
        )
        page = run(connection)
        assert page.stdout.startswith("BLOCKED  code-chef 1.2.3 against its baseline, exp-1")
        assert f"  {sentence} More accurate (+8 points" in page.stdout
        assert f"  - {sentence}\n" in page.stdout
        (found,) = json.loads(run(connection, "--format", "json").stdout)
        assert found["reasons"][0]["sentence"] == sentence
        assert found["history"]["regressions"][0]["change_pct"] == -12.5
        rows = connection.execute(
            "select verdict, reasons -> 0 ->> 'sentence',"
            " numbers -> 'history' -> 'regressions' -> 0 ->> 'metric'"
            " from raw_evals.gate_decisions"
        ).fetchall()
        assert rows == [("blocked", sentence, "accuracy")] * 2


def test_without_a_baseline_the_history_alone_answers(connection: Connection) -> None:
    with connection:
        gate_marts.store_history(connection, STEP)
        passed = run(connection)
        assert passed.exit_code == 0
        assert passed.stdout.startswith("PASS  feature_dev 1.2.3 (code-chef) against 1.2.2, 1 task")
        assert "none of 1 metric got worse by more than chance" in passed.stdout
        assert "judged by its regressions against the version before alone" in passed.stderr
        gate_marts.store_history(connection, STEP, REGRESSION)
        blocked = run(connection)
        assert blocked.exit_code == 1
        (line,) = (line.split() for line in blocked.stdout.splitlines() if "0.800" in line)
        assert line == ["accuracy", "m", "60", "0.800", "0.700", "high"]
        rows = connection.execute(
            "select experiment_id, candidate_group, candidate_version, exit_code"
            " from raw_evals.gate_decisions order by decided_at"
        ).fetchall()
        assert rows == [("nightly-7", "code-chef", "1.2.3", code) for code in (0, 1)]


def test_a_version_that_nothing_precedes_is_inconclusive(
    connection: Connection, policy: Path
) -> None:
    with connection:
        first = {**STEP, "previous_extension_version": None, "change_method": None}
        gate_marts.store_history(connection, first)
        assert answer(connection) == ("inconclusive", 5, ["no_comparison"])
        gate_marts.store_history(connection, {**STEP, "change_method": None})
        assert "nothing of it can be compared with 1.2.2" in run(connection).stdout
        gate_marts.store_history(connection, STEP)
        policy.write_text("version: 1\nminimum_pairs: 61\n", encoding="utf-8")
        assert answer(connection, policy) == ("inconclusive", 5, ["minimum_pairs", "no_regression"])


def test_an_unknown_version_group_or_agent_names_the_nearest(connection: Connection) -> None:
    with connection:
        gate_marts.store_history(connection, STEP)
        version = run(connection, "--extension-version", "1.2.4")
        assert "did you mean 1.2.3?" in str(version.exception)
        group = run(connection, "--candidate-group", "code-chief")
        assert "did you mean code-chef?" in str(group.exception)
        assert not connection.execute("select from raw_evals.gate_decisions").fetchall()


def test_replay_judges_the_history_of_today(connection: Connection) -> None:
    with connection:
        gate_marts.store_history(connection, STEP)
        run(connection)
        gate_marts.store(connection, {**SUMMARY, "agent_name": "feature_dev"}, ACCURACY)
        run(connection)
        arguments = ["--database-url", connection.info.dsn, "--format", "json"]
        assert CliRunner().invoke(replay, arguments).exit_code == 0
        gate_marts.store_history(connection, STEP, REGRESSION)
        changed = CliRunner().invoke(replay, arguments)
        assert changed.exit_code == 5
        rows = json.loads(changed.stdout)
        assert [(row["experiment_id"], row["verdict_today"]) for row in rows] == [
            ("nightly-7", "blocked"), ("exp-1", "blocked"),
        ]  # fmt: skip
        assert all("severity high" in row["why"] for row in rows)
        assert {row["causes"] for row in rows} == {"scores"}
