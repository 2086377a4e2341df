"""The command `gate`, the dbt test on `gate_experiment` and the mart of decisions agree."""

from __future__ import annotations

import json
import tempfile
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

import servers
from loader.cli import cli
from loader.gate.verdict import RULE_VERSION
from loader.sources.sample import EXPERIMENT_ID
from raw_rows import RawRows
from sample_marts import ingest, sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

# Experiment → what the gate says, how it ends.
VERDICTS = {
    EXPERIMENT_ID: ("pass", 0),
    "exp-2024-12-003": ("pass", 0),
    "worse": ("blocked", 1),
    # alpha lost 20 points on 30 tasks, beta won 15 on 120: better in all, worse in a part
    "agents": ("inconclusive", 5),
    # one arm: 95 % of 300 tasks
    "only": ("inconclusive", 5),
    # 85 % in both arms
    "equal": ("inconclusive", 5),
}


@pytest.fixture(scope="module")
def url(postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give the sample's marts, and an experiment that is worse in every way."""
    path = tmp_path_factory.mktemp("more") / "more.jsonl"
    path.write_text("\n".join(map(json.dumps, [*worse(), *agents(), *only(), *equal()])))
    with sample_marts(postgres_server) as url:
        ingest(url, path)
        dbt.build(url)
        yield url


def worse() -> Iterator[dict[str, Any]]:
    for task in range(60):
        for group, accuracy, latency in (("baseline", 0.8, 1000), ("code-chef", 0.5, 1900)):
            yield {
                "experiment_id": "worse",
                "task_id": f"t{task}",
                "experiment_group": group,
                "extension_version": "1.0.0",
                "accuracy": accuracy + task % 5 / 100 * (1 if group == "baseline" else 2),
                "latency_ms": latency + 10 * (task % 7),
            }


def record(
    experiment: str, group: str, task: str, accuracy: float, **more: object
) -> dict[str, Any]:
    return {
        "experiment_id": experiment, "task_id": task, "experiment_group": group,
        "extension_version": "1.0.0", "scores": {"accuracy": accuracy}, **more,
    }  # fmt: skip


def agents() -> Iterator[dict[str, Any]]:
    for agent, tasks, change in (("alpha", 30, -0.2), ("beta", 120, 0.15)):
        for task in range(tasks):
            before = 0.5 + task % 7 / 50
            after = before + change + (task % 5 - 2) / 50
            for group, value in (("baseline", before), ("code-chef", after)):
                yield record("agents", group, f"{agent}-{task}", value, agent_name=agent)


def only() -> Iterator[dict[str, Any]]:
    for task in range(300):
        passed = float(task * 7 % 20 < 19)
        yield record("only", "code-chef", f"q{task}", passed, agent_name="nightly", latency_ms=900)


def equal() -> Iterator[dict[str, Any]]:
    for task in range(300):
        for group in ("baseline", "code-chef"):
            # the runs say how they ended, and two tasks matter
            passed = float(task * 7 % 20 < 17)
            yield record("equal", group, f"q{task}", passed, metadata={"critical": task < 2})


def asked(
    url: str, *arguments: str, policy: str = "", options: str = ""
) -> tuple[int, list[dict[str, Any]], str]:
    """Return the exit code, the verdicts and what was said of them."""
    with tempfile.NamedTemporaryFile("w", suffix=".yml") as file:
        file.write(f"version: 1\n{policy}\n")
        file.flush()
        result = CliRunner().invoke(
            cli,
            [
                "gate", *arguments, "--format", "json", "--policy", file.name,
                "--database-url", f"{url} {options}",
            ],
        )  # fmt: skip
    return result.exit_code, json.loads(result.stdout or "[]"), result.stderr


@pytest.fixture(scope="module")
def answers(url: str, dbt: Dbt) -> dict[str, int]:
    """Ask for every verdict, then build the mart of decisions; give the exit codes."""
    codes = {}
    for experiment in VERDICTS:
        result = CliRunner().invoke(
            cli, ["gate", "--experiment", experiment, "--database-url", url]
        )
        codes[experiment] = result.exit_code
    dbt.run(url, "run", "--select", "stg_gate_decisions", "gate_decisions")
    return codes


@pytest.mark.parametrize("experiment", VERDICTS)
def test_command_dbt_test_and_mart_say_the_same(
    experiment: str, url: str, answers: dict[str, int], dbt: Dbt
) -> None:
    verdict, exit_code = VERDICTS[experiment]
    assert answers[experiment] == exit_code
    passed, messages = dbt.attempt(
        url, "test", "--select", "assert_gate_passes",
        "--vars", json.dumps({"gate_experiment": experiment}),
    )  # fmt: skip
    assert passed == (verdict == "pass"), messages
    with psycopg.connect(url) as connection:
        row = connection.execute(
            "select verdict, exit_code, rule_version from evals.gate_decisions"
            " where experiment_id = %s and agent_name is null order by decided_at limit 1",
            [experiment],
        ).fetchone()
    assert row == (verdict, exit_code, RULE_VERSION)


@pytest.mark.parametrize(
    ("arguments", "policy", "expected"),
    [
        (("--experiment", "agents", "--agent", "alpha"), "", ("blocked", 1, 30)),
        (("--experiment", "agents", "--agent", "beta"), "", ("pass", 0, 120)),
        (("--agent", "alpha", "--extension-version", "1.0.0"), "", ("blocked", 1, 30)),
        (("--experiment", "agents"), "segments: {agent: block}", ("blocked", 1, 150)),
        (("--experiment", "agents"), "segments: {agent: ignore}", ("pass", 0, 150)),
        # exact: 285 of 300 is 0.9189 to 0.9717
        (("--experiment", "only"), "floors: {accuracy: 0.9}", ("pass", 0, 0)),
        (("--experiment", "only"), "floors: {accuracy: 0.95}", ("inconclusive", 5, 0)),
        (("--experiment", "only"), "floors: {accuracy: 0.98}", ("blocked", 1, 0)),
        # 255 of 300 is 0.8045 to 0.8884
        (("--experiment", "equal"), "floors: {accuracy: 0.9}", ("blocked", 1, 300)),
        (("--experiment", "equal"), "on_not_worse: pass", ("pass", 0, 300)),
        (("--experiment", "equal"), "critical_tasks: [q0]", ("inconclusive", 5, 300)),
        (("--experiment", "equal"), "planned_repetitions: 2", ("inconclusive", 5, 300)),
        (("--experiment", "worse"), "kept_level: 0.1", ("blocked", 1, 60)),
        (("--experiment", "worse"), "peeking: true", ("blocked", 1, 60)),
        (("--experiment", EXPERIMENT_ID), "candidates: holm", ("pass", 0, None)),
        (("--experiment", EXPERIMENT_ID), "inference: these_tasks", None),
    ],
)
def test_a_policy_is_asked_of_real_marts(
    url: str, arguments: tuple[str, ...], policy: str, expected: tuple[str, int, int | None] | None
) -> None:
    code, answers, said = asked(url, *arguments, policy=policy)
    assert answers, said
    (answer,) = answers
    assert answer["exit_code"] == code
    assert answer["headline"]
    if expected is not None:
        verdict, expected_code, tasks = expected
        assert (answer["verdict"], code) == (verdict, expected_code), answer["reasons"]
        assert tasks in (None, answer["summary"]["total_tasks"])


def test_analysts_who_may_append_get_the_same_verdicts(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("create role gate_of_ci login")
        connection.execute("grant evals_analyst to gate_of_ci")
        connection.execute("grant usage on schema raw_evals to gate_of_ci")
        connection.execute("grant insert on raw_evals.gate_decisions to gate_of_ci")
    try:
        for arguments, policy in (
            (("--experiment", "agents", "--agent", "alpha"), ""),
            (("--experiment", "only"), "floors: {accuracy: 0.9}"),
            (("--experiment", "worse"), "kept_level: 0.1"),
            (("--experiment", "equal"), "planned_repetitions: 2"),
        ):
            owner = asked(url, *arguments, policy=policy)
            analyst = asked(url, *arguments, policy=policy, options="user=gate_of_ci")
            assert analyst[0] == owner[0], analyst[2]
            assert analyst[1][0]["reasons"] == owner[1][0]["reasons"]
    finally:
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("drop owned by gate_of_ci")
            connection.execute("drop role gate_of_ci")


def test_the_dbt_test_does_not_pass_an_unknown_experiment(url: str, dbt: Dbt) -> None:
    passed, _ = dbt.attempt(
        url, "test", "--select", "assert_gate_passes", "--vars", '{"gate_experiment": "nowhere"}'
    )
    assert not passed


def test_a_version_that_changes_inside_an_arm_is_told(postgres_server: str, dbt: Dbt) -> None:
    records = [
        {
            **record,
            "experiment_id": experiment,
            "scores": {"accuracy": record.pop("accuracy")},
            "dataset_version": f"d{place < 60 if experiment == 'changed' else 0}",
        }
        for experiment in ("changed", "constant")
        for place, record in enumerate(worse())
    ]
    with servers.migrated(postgres_server) as url:
        with psycopg.connect(url, autocommit=True) as connection:
            RawRows(connection).load(records)
        dbt.build(url)
        for settings, expected in (
            ({}, True),
            ({"gate_experiment": "constant"}, True),
            ({"gate_experiment": "changed"}, False),
            ({"allow_version_changes": False, "test_all": True}, False),
        ):
            passed, _ = dbt.attempt(
                url, "test", "--select", "assert_versions_are_constant",
                "--vars", json.dumps(settings),
            )  # fmt: skip
            assert passed == expected, settings
