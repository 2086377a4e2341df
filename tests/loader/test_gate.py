import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest
from click.testing import CliRunner, Result

import gate_marts
from gate_marts import ACCURACY, LATENCY, SUMMARY
from loader.cli.gate import gate, replay
from loader.connection import Connection, connect

NON_INFERIORITY = "version: 1\nrequire: non_inferiority\n"


@pytest.fixture
def connection(database_url: str) -> Connection:
    connection = connect(database_url)
    gate_marts.create(connection)
    return connection


def run_gate(connection: Connection, *arguments: str, policy: str | None = None) -> Result:
    with TemporaryDirectory() as directory:
        if policy is not None:
            file = Path(directory, "policy.yml")
            file.write_text(policy, encoding="utf-8")
            arguments = (*arguments, "--policy", str(file))
        if "--agent" not in arguments:
            arguments = ("--experiment", "exp-1", *arguments)
        return CliRunner().invoke(
            gate, [*arguments, "--database-url", connection.info.dsn], standalone_mode=True
        )


def verdict(connection: Connection, policy: str | None = None) -> tuple[str, int, list[str]]:
    result = run_gate(connection, "--format", "json", policy=policy)
    (answer,) = json.loads(result.stdout)
    assert answer["exit_code"] == result.exit_code
    return answer["verdict"], result.exit_code, [reason["code"] for reason in answer["reasons"]]


def ledger(connection: Connection, columns: str = "*") -> list[tuple[object, ...]]:
    rows = connection.execute(
        f"select {columns} from raw_evals.gate_decisions order by decided_at".encode()
    ).fetchall()
    connection.commit()
    return rows


@pytest.mark.parametrize(
    ("recommendation", "expected"),
    [
        ("deploy", ("pass", 0, ["improvement"])),
        ("reject", ("blocked", 1, ["improvement"])),
        ("needs_review", ("inconclusive", 5, ["improvement"])),
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
        ({"ci_low": -0.05}, ("inconclusive", "margin_not_excluded")),
        ({"ci_low": -0.1, "ci_high": -0.05}, ("inconclusive", "margin_not_excluded")),
        ({"ci_low": -0.1, "ci_high": -0.051}, ("blocked", "harmed")),
        ({"ci_low": None, "ci_high": None}, ("inconclusive", "no_interval")),
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
        ({"ratio_high": 1.2}, "inconclusive"),
        ({"ratio_low": 1.21, "ratio_high": 1.3}, "blocked"),
        ({"ratio_low": 0.5, "ratio_high": 0.6}, "pass"),
        # without a ratio, the difference over the baseline's mean
        ({"ratio_low": None, "ratio_high": None}, "pass"),
        ({"ratio_low": None, "ratio_high": None, "ci_high": 401.0}, "inconclusive"),
        ({"ratio_low": None, "ratio_high": None, "ci_low": 410.0, "ci_high": 450.0}, "blocked"),
        ({"ratio_low": None, "ratio_high": None, "baseline_mean": 0.0}, "inconclusive"),
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
            {**ACCURACY, "ci_low": -0.2},
            {**LATENCY, "ratio_low": 1.5, "ratio_high": 1.6},
        )
        assert verdict(connection, NON_INFERIORITY)[0] == "blocked"


def test_with_improvement_a_policy_can_only_be_stricter_than_the_mart(
    connection: Connection,
) -> None:
    margin = "version: 1\nmetrics: {accuracy: {non_inferiority_margin: %s}}\n"
    with connection:
        gate_marts.store(
            connection, {**SUMMARY, "recommendation": "deploy"}, {**ACCURACY, "ci_low": -0.01}
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
                ["improvement", "no_values"],
            )
            policy = f"version: 1\nmetrics: {{{metric}: {{required: false}}}}\n"
            assert verdict(connection, policy)[0] == "pass"


def test_a_metric_without_any_margin_is_inconclusive(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, {**ACCURACY, "non_inferiority_margin": None})
        found = verdict(connection, "version: 1\nmetrics: {accuracy: {}}\n")
        assert found == ("inconclusive", 5, ["improvement", "no_margin"])
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
        gate_marts.store(
            connection, {**SUMMARY, "recommendation_anytime": "needs_review"}, ACCURACY, LATENCY
        )
        assert verdict(connection)[0] == "pass"
        assert verdict(connection, "version: 1\npeeking: true\n") == (
            "inconclusive",
            5,
            ["improvement", "peeking"],
        )
        assert verdict(connection, NON_INFERIORITY)[0] == "pass"
        assert verdict(connection, NON_INFERIORITY + "peeking: true\n") == (
            "inconclusive",
            5,
            ["margin_not_excluded", "margin_held"],
        )


def test_marts_without_a_recommendation_for_every_look_decide_no_peeking_policy(
    connection: Connection,
) -> None:
    with connection:
        gate_marts.store(connection, {**SUMMARY, "recommendation_anytime": None}, ACCURACY)
        assert verdict(connection)[0] == "pass"
        assert verdict(connection, "version: 1\npeeking: true\n")[0] == "inconclusive"


def test_marts_of_another_version_are_said_to_be(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        connection.execute("alter table evals.experiment_metric_comparisons drop column ci_low")
        connection.commit()
        message = str(run_gate(connection).exception)
        assert "the marts are of another version" in message
        assert "ci_low" in message


def test_the_page_says_verdict_reasons_numbers_and_what_would_decide(
    connection: Connection,
) -> None:
    with connection:
        gate_marts.store(
            connection,
            {
                **SUMMARY,
                "recommendation": "needs_review",
                "required_additional_tasks": 140,
                "required_repetitions": 4,
            },
            LATENCY,
            {**ACCURACY, "flags": ["underpowered"]},
        )
        lines = run_gate(connection).stdout.splitlines()
        markdown = run_gate(connection, "--format", "markdown").stdout
    assert lines[0] == ("INCONCLUSIVE  code-chef 1.2.3 against its baseline, exp-1, 60 tasks")
    assert "  - The weighted improvement is 8.0 %." in lines
    accuracy, latency = (line.split() for line in lines if "…" in line)
    assert accuracy == [
        "accuracy", "60", "0.700", "0.780", "+0.080", "+0.030", "…", "+0.130", "0.0021",
        "0.050", "underpowered",
    ]  # fmt: skip
    assert latency[:1] == ["latency_ms"]
    assert "20 %" in " ".join(latency)
    text = "\n".join(lines)
    assert "What would decide it: about 140 more tasks, or 4 repetitions of these 60." in text
    assert "This is the first look at this candidate." in text
    assert markdown.startswith("### Gate: inconclusive\n")
    assert "| accuracy | 60 |" in markdown


def test_every_look_is_kept_with_what_it_rested_on(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        gate_marts.load(connection, 7, "exp-1", is_built=True)
        for _ in range(2):
            assert "state" not in run_gate(connection).stderr
        gate_marts.load(connection, 9, "exp-1", is_built=True)
        third = run_gate(connection)
        assert "look 3 at this candidate" in third.stdout
        assert "2 states of the data" in third.stdout
        assert "each look is another chance of a false alarm" in third.stderr
        peeking = run_gate(connection, policy="version: 1\npeeking: true\n")
        assert "false alarm" not in peeking.stderr
        rows = ledger(
            connection, "load_id, verdict, exit_code, policy ->> 'peeking', numbers, policy_hash"
        )
    assert [row[:4] for row in rows] == [
        (7, "pass", 0, "false"), (7, "pass", 0, "false"),
        (9, "pass", 0, "false"), (9, "pass", 0, "true"),
    ]  # fmt: skip
    assert rows[0][4]["metrics"][0]["mean_difference"] == 0.08  # type: ignore[index]
    assert len({row[5] for row in rows}) == 2


@pytest.mark.parametrize(
    "statement",
    [
        "update raw_evals.gate_decisions set verdict = 'pass'",
        "delete from raw_evals.gate_decisions",
        "truncate raw_evals.gate_decisions",
        "delete from raw_evals.gate_calibrations",
    ],
)
def test_the_ledger_refuses_to_forget(connection: Connection, statement: str) -> None:
    with connection, pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
        connection.execute(statement.encode())


def test_results_that_the_marts_lack_are_announced(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, {**SUMMARY, "baseline_experiment_id": "reference"}, ACCURACY)
        gate_marts.load(connection, 3, "reference", is_built=True)
        gate_marts.load(connection, 4, "exp-1", is_built=True)
        gate_marts.load(connection, 5, "other", is_built=False)
        assert "newer" not in run_gate(connection).stderr
        gate_marts.load(connection, 6, "reference", is_built=False)
        assert "1 newer load is not in the marts yet" in run_gate(connection).stderr
        # where the build's own ledger is readable, it counts
        connection.execute("create schema evals_staging")
        connection.execute(
            "create table evals_staging.build_watermarks as "
            "select * from (values ('experiment_summaries', 6), "
            "('experiment_metric_comparisons', 5)) as rows (model, built_load_id)"
        )
        connection.commit()
        assert "newer" in run_gate(connection).stderr
        connection.execute("update evals_staging.build_watermarks set built_load_id = 6")
        connection.commit()
        assert "newer" not in run_gate(connection).stderr
        assert [row[0] for row in ledger(connection, "load_id")] == [4, 4, 4, 6]


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
        latest = run_gate(connection)
        assert latest.exit_code == 1
        assert "judged code-chef 1.10.0, the latest of 2 candidates" in latest.stderr
        named = run_gate(connection, "--candidate-version", "1.2.3")
        assert (named.exit_code, named.stderr) == (0, "")
        both = run_gate(connection, policy="version: 1\ncandidates: all\n")
        assert both.exit_code == 1
        assert both.stdout.count("against its baseline") == 2
        wrong = run_gate(connection, "--candidate-version", "1.2.4")
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
        found = run_gate(connection, "--agent", "feature_dev", "--extension-version", "1.2.3")
        assert found.exit_code == 1
        assert "judged exp-2, the latest of 2 experiments with feature_dev 1.2.3" in found.stderr
        agent = run_gate(connection, "--agent", "feature_dve", "--extension-version", "1.2.3")
        assert "did you mean feature_dev?" in str(agent.exception)
        version = run_gate(connection, "--agent", "feature_dev", "--extension-version", "1.2.2")
        assert "did you mean 1.2.3?" in str(version.exception)
        assert run_gate(connection, "--agent", "feature_dev").exit_code == 2


def test_an_unknown_experiment_names_the_nearest_and_is_not_recorded(
    connection: Connection,
) -> None:
    with connection:
        gate_marts.load(connection, 1, "exp-10", is_built=True)
        assert "did you mean exp-10?" in str(run_gate(connection).exception)
        gate_marts.load(connection, 2, "exp-1", is_built=True)
        assert "has no candidate to judge" in str(run_gate(connection).exception)
        assert not ledger(connection)


def test_a_user_who_may_not_record_gets_no_verdict(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        connection.execute("grant usage on schema evals, raw_evals to evals_analyst")
        connection.execute("grant select on all tables in schema evals to evals_analyst")
        connection.execute("grant select on all tables in schema raw_evals to evals_analyst")
        connection.commit()
        result = CliRunner().invoke(
            gate,
            [
                "--experiment", "exp-1", "--database-url",
                f"{connection.info.dsn} options='-c role=evals_analyst'",
            ],
        )  # fmt: skip
        assert "every verdict is recorded" in str(result.exception)
        assert result.stdout == ""
        connection.execute("grant evals_analyst to evals_loader")
        connection.commit()
        result = CliRunner().invoke(
            gate,
            [
                "--experiment", "exp-1", "--database-url",
                f"{connection.info.dsn} options='-c role=evals_loader'",
            ],
        )  # fmt: skip
        connection.execute("revoke evals_analyst from evals_loader")
        connection.commit()
        assert result.exit_code == 0


def test_replay_lists_the_verdicts_that_todays_scores_change(connection: Connection) -> None:
    with connection:
        gate_marts.store(connection, SUMMARY, ACCURACY)
        run_gate(connection)
        run_gate(connection, policy="version: 1\nminimum_pairs: 50\n")
        unchanged = CliRunner().invoke(replay, ["--database-url", connection.info.dsn])
        assert unchanged.exit_code == 0
        assert "No verdict would change." in unchanged.stdout
        assert "0 of 2 verdicts would change" in unchanged.stderr

        gate_marts.store(connection, SUMMARY, {**ACCURACY, "n_pairs": 40, "mean_difference": 0.07})
        arguments = ["--database-url", connection.info.dsn, "--format", "json"]
        changed = CliRunner().invoke(replay, arguments)
        assert changed.exit_code == 1
        (row,) = json.loads(changed.stdout)
        assert (row["verdict"], row["verdict_today"]) == ("pass", "inconclusive")
        assert row["why"].startswith("accuracy: 60 → 40 pairs (+0.08 → +0.07); ")
        assert "the policy asks for 50" in row["why"]

        tomorrow = (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%d")
        assert CliRunner().invoke(replay, [*arguments, "--since", tomorrow]).exit_code == 0

        connection.execute("delete from evals.experiment_summaries")
        connection.commit()
        gone = json.loads(CliRunner().invoke(replay, arguments).stdout)
        assert {row["verdict_today"] for row in gone} == {"cannot be judged"}
        assert len(ledger(connection)) == 2
