"""The gate of a role that may read the marts and append decisions, and of odd servers."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import gate_marts
import statistical_functions
from gate_calls import run_gate
from gate_marts import ACCURACY, SUMMARY

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from loader.warehouse.connection import Connection


_SECRET = "s3cret-word"  # noqa: S105  planted, to look for it in messages


@pytest.fixture
def connection(connection: Connection) -> Connection:
    gate_marts.store(connection, SUMMARY, ACCURACY)
    gate_marts.load(connection, 7, "exp-1", is_built=True)
    return connection


@pytest.fixture
def role(connection: Connection) -> Iterator[str]:
    """Give a role that may log in and nothing else."""
    name = f"ci_{uuid.uuid4().hex[:12]}"
    connection.execute(f"create role {name} login".encode())
    connection.commit()
    yield name
    connection.rollback()
    connection.execute(f"drop owned by {name}".encode())
    connection.execute(f"drop role {name}".encode())
    connection.commit()


def grant(connection: Connection, *statements: str) -> None:
    for statement in statements:
        connection.execute(statement.encode())
    connection.commit()


def analysts_rights(connection: Connection) -> None:
    """Grant what a build grants to evals_analyst."""
    grant(
        connection,
        "grant usage on schema evals to evals_analyst",
        "grant select on all tables in schema evals to evals_analyst",
    )


def test_reading_the_marts_and_appending_decisions_is_enough(
    connection: Connection, role: str
) -> None:
    analysts_rights(connection)
    statistical_functions.create(connection)
    grant(
        connection,
        f"grant evals_analyst to {role}",
        f"grant usage on schema raw_evals to {role}",
        f"grant insert on raw_evals.gate_decisions to {role}",
    )
    gate_marts.store_judged(connection, {"kept_level": 0.1}, {"recommendation": "deploy"})
    gate_marts.store_task(connection, "t1", [1.0], [1.0])
    options = f"user={role}"
    for policy in ("", "kept_level: 0.1", "floors: {accuracy: 0.01}", "planned_repetitions: 1"):
        result = run_gate(connection, policy=policy, options=options)
        assert result.exit_code == 0, result.output
        assert "This role may not read how often this candidate was looked at." in result.stdout
    rows = connection.execute(
        "select load_id, rule_version, length(settings_hash) from raw_evals.gate_decisions"
    ).fetchall()
    assert rows == [(7, 2, 64)] * 4
    (plain,) = json.loads(run_gate(connection, "--format", "json", options=options).stdout)
    assert plain["looks"] is None


def test_each_missing_right_is_named_with_the_statement_that_grants_it(
    connection: Connection, role: str
) -> None:
    analysts_rights(connection)
    options = f"user={role}"
    said = []
    for _ in range(4):
        result = run_gate(connection, options=options)
        if result.exit_code == 0:
            break
        assert result.exit_code == 4
        assert result.stdout == ""
        assert len(result.stderr.splitlines()) == 1
        _, found, statements = result.stderr.strip().partition("as an administrator run: ")
        assert found, result.stderr
        said.append(statements)
        # what is said is what helps
        grant(connection, *statements.split(";")[:-1])
    assert said == [f"grant evals_gate to {role};"]
    assert run_gate(connection, options=options).exit_code == 0


def test_the_functions_beside_the_marts_are_named_where_they_are_needed(
    connection: Connection, role: str
) -> None:
    analysts_rights(connection)
    statistical_functions.create(connection)
    gate_marts.store_task(connection, "t1", [1.0], [1.0])
    grant(
        connection,
        f"grant evals_gate to {role}",
        "revoke execute on function evals.judge from public",
        "revoke usage on schema evals_functions from evals_analyst",
    )
    functions = run_gate(connection, policy="floors: {accuracy: 0.5}", options=f"user={role}")
    assert functions.exit_code == 4
    assert f"run: grant usage on schema evals_functions to {role};" in functions.stderr
    judge = run_gate(connection, policy="kept_level: 0.1", options=f"user={role}")
    assert judge.exit_code == 4
    assert f"grant execute on function judge to {role};" in judge.stderr


def test_without_the_right_to_append_there_is_no_verdict(connection: Connection) -> None:
    analysts_rights(connection)
    grant(
        connection,
        "grant usage on schema raw_evals to evals_analyst",
        "grant select on all tables in schema raw_evals to evals_analyst",
    )
    result = run_gate(connection, options="options='-c role=evals_analyst'")
    assert result.exit_code == 4
    assert "every verdict is recorded" in result.stderr
    assert "run: grant evals_gate to evals_analyst;" in result.stderr
    assert result.stdout == ""


def test_replay_names_the_right_to_read_the_ledger(connection: Connection, role: str) -> None:
    analysts_rights(connection)
    grant(
        connection,
        f"grant evals_analyst to {role}",
        f"grant usage on schema raw_evals to {role}",
        f"grant select on raw_evals.schema_version to {role}",
    )
    process = subprocess.run(
        [
            sys.executable, "-m", "loader", "replay",
            "--database-url", make_conninfo(connection.info.dsn, user=role),
        ],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 4
    assert f"run: grant select on raw_evals.gate_decisions to {role};" in process.stderr


def test_a_servers_odd_settings_change_no_verdict(connection: Connection) -> None:
    for setting, value in (
        ("datestyle", "German, DMY"),
        ("intervalstyle", "sql_standard"),
        ("timezone", "Asia/Kathmandu"),
        ("extra_float_digits", "-3"),
    ):
        statement = f"alter database {connection.info.dbname} set {setting} to '{value}'"
        connection.execute(statement.encode())
    connection.commit()
    first = run_gate(connection)
    assert first.exit_code == 0, first.output
    second = run_gate(connection, "--format", "json")
    (plain,) = json.loads(second.stdout)
    assert plain["looks"] == 2
    assert plain["summary"]["last_recorded_at"] == "2025-03-01T00:00:00+00:00"


def test_what_the_server_says_unexpectedly_is_one_line_and_code_70(
    connection: Connection, tmp_path: Path
) -> None:
    connection.execute("drop table raw_evals.schema_version")
    connection.execute("create table raw_evals.schema_version (version text)")
    connection.execute("insert into raw_evals.schema_version values ('one')")
    connection.commit()
    process = subprocess.run(
        [
            sys.executable, "-m", "loader", "gate", "--experiment", "exp-1",
            "--database-url", make_conninfo(connection.info.dsn, password=_SECRET),
        ],
        env={**os.environ, "EVALMART_HOME": str(tmp_path)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert process.returncode == 70
    assert process.stdout == ""
    (line,) = process.stderr.splitlines()
    assert line.startswith("unexpected ")
    (file,) = (tmp_path / "errors").iterdir()
    assert str(file) in line
    assert file.stat().st_mode & 0o777 == 0o600
    assert psycopg.errors.DatatypeMismatch.__name__ in file.read_text()
    assert _SECRET not in file.read_text() + line
