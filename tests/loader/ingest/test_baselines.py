"""`baseline set`, `show` and `clear`: entries of the ledger, and what is refused."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner, Result

from ingest_support import line, select
from loader.cli import cli

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server

KEPT = "select agent_name, experiment_id, author from raw_evals.agent_baselines order by load_id, 1"
FEED = (
    "select experiment_id, baseline_experiment_id from raw_evals.load_experiments"
    " where experiment_id = %(name)s order by load_id, 2 nulls first"
)


def run(url: str, *arguments: str, exit_code: int = 0) -> Result:
    result = CliRunner().invoke(cli, [*arguments, "--database-url", url])
    assert result.exit_code == exit_code, result.output
    return result


def load(url: str, folder: Path, experiment: str, group: str, *agents: str | None) -> None:
    path = folder / "results.jsonl"
    path.write_bytes(
        b"\n".join(
            line(
                experiment_id=experiment,
                experiment_group=group,
                task_id=f"t{place}",
                agent_name=agent,
                scores={"accuracy": 1},
            )
            for place, agent in enumerate(agents)
        )
    )
    run(url, "ingest", "--file", str(path))


def feed_of(url: str, experiment: str) -> list[tuple[object, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(FEED.encode(), {"name": experiment}).fetchall()


def test_a_baseline_is_of_every_agent_of_the_control_arm_unless_one_is_named(
    database_url: str, tmp_path: Path
) -> None:
    assert run(database_url, "baseline", "show").stdout == "No agent has a baseline.\n"
    load(database_url, tmp_path, "b1", "baseline", "dev", "docs", None)
    load(database_url, tmp_path, "b1", "code-chef", "other")
    load(database_url, tmp_path, "b2", "baseline", "dev")
    result = run(database_url, "baseline", "set", "b1", "--author", "ana")
    assert "b1 is the baseline of docs" in result.stdout
    run(database_url, "baseline", "set", "b2", "--agent", "dev", "--author", "ben")
    run(database_url, "baseline", "clear", "--agent", "docs", "--author", "ben")
    assert select(database_url, KEPT) == [
        ("dev", "b1", "ana"),
        ("docs", "b1", "ana"),
        ("unknown", "b1", "ana"),
        ("dev", "b2", "ben"),
        ("docs", None, "ben"),
    ]
    now = json.loads(run(database_url, "baseline", "show", "--format", "json").stdout)
    assert [(row["agent_name"], row["experiment_id"]) for row in now] == [
        ("dev", "b2"),
        ("docs", None),
        ("unknown", "b1"),
    ]
    ever = json.loads(
        run(database_url, "baseline", "show", "--agent", "dev", "--format", "json").stdout
    )
    assert [row["experiment_id"] for row in ever] == ["b2", "b1"]
    entries = select(
        database_url,
        "select rows_read, experiment_id, source_ref ->> 'baseline' from raw_evals.loads"
        " where source = 'baseline' order by load_id",
    )
    assert entries == [(0, "b1", "b1"), (0, "b2", "b2"), (0, None, None)]


def test_the_change_feed_of_a_load_names_the_baseline_of_its_first_load(
    database_url: str, tmp_path: Path
) -> None:
    load(database_url, tmp_path, "b1", "baseline", "dev")
    load(database_url, tmp_path, "b2", "baseline", "dev")
    load(database_url, tmp_path, "early", "code-chef", "dev")
    run(database_url, "baseline", "set", "b1")
    load(database_url, tmp_path, "x", "code-chef", "dev", "docs")
    load(database_url, tmp_path, "y", "code-chef", "docs")
    load(database_url, tmp_path, "y", "code-chef", "docs", "dev")
    run(database_url, "baseline", "set", "b2")
    load(database_url, tmp_path, "x", "code-chef", "dev", "docs", "dev")
    load(database_url, tmp_path, "early", "code-chef", "dev", "dev")
    load(database_url, tmp_path, "x", "baseline", "dev")
    # once is enough: what b1 changes from then on changes x
    assert feed_of(database_url, "x") == [("x", None), ("x", "b1"), ("x", None), ("x", None)]
    # its agent comes with the second load
    assert feed_of(database_url, "y") == [("y", None), ("y", None), ("y", "b1")]
    assert feed_of(database_url, "early") == [("early", None)] * 2


def test_what_is_refused_says_what_there_is(database_url: str, tmp_path: Path) -> None:
    load(database_url, tmp_path, "exp-12", "baseline", "feature_dev")
    load(database_url, tmp_path, "exp-13", "code-chef", "feature_dev")
    for arguments, told in (
        (("set", "exp-21"), "no experiment 'exp-21' (did you mean exp-13, exp-12?)"),
        (("set", "exp-12", "--agent", "feature-dev"), "(did you mean feature_dev?)"),
        (("set", "exp-13"), "exp-13 has no run of a control group, only of code-chef"),
        (("clear", "--agent", "feature_dev"), "no baseline was set for 'feature_dev'"),
        (("show", "--agent", "feature_dev"), "agents with one: none"),
    ):
        assert told in run(database_url, "baseline", *arguments, exit_code=2).stderr
    run(database_url, "withdraw", "--experiment", "exp-12", "--reason", "wrong")
    told = run(database_url, "baseline", "set", "exp-12", exit_code=2).stderr
    assert "all runs of exp-12 are withdrawn" in told
    assert select(database_url, KEPT) == []
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.RestrictViolation),
    ):
        connection.execute("truncate raw_evals.agent_baselines")


def test_a_role_that_a_load_said_makes_a_control(database_url: str, tmp_path: Path) -> None:
    path = tmp_path / "r.jsonl"
    path.write_bytes(line(experiment_id="e", experiment_group="old", agent_name="dev"))
    run(database_url, "ingest", "--file", str(path), "--control", "old", "--treatment", "new")
    assert "e is the baseline of dev" in run(database_url, "baseline", "set", "e").stdout
