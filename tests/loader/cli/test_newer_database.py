"""A database that a later evalmart has migrated is read and written by no command of this one."""

from __future__ import annotations

import json
import logging
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import make_conninfo

import servers
from loader import Recorder
from loader.cli import COMMANDS, cli
from loader.errors import ConfigurationError
from loader.recording import spool
from loader.recording.spool import replay_waiting
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate, require_current
from loader.warehouse.raw_version import known_version

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.newest_server

LATER = known_version() + 2
SENTENCE = (
    f"this database is at version {LATER}, this evalmart knows {known_version()}: upgrade evalmart"
)
ARM = ("--experiment-id", "e", "--experiment-group", "baseline", "--extension-version", "1")
RECORD = {
    "experiment_id": "e", "experiment_group": "baseline", "extension_version": "1",
    "task_id": "t", "scores": {"accuracy": 0.5},
}  # fmt: skip
# Command → its arguments; RUNS and TASKS stand for files, OUT for one to write.
ARGUMENTS = {
    "init": [],
    "ingest": ["--file", "RUNS"],
    "run": [*ARM, "--tasks", "TASKS", "--command", "cat"],
    "compare-models": [
        "--experiment-id", "e", "--tasks", "TASKS", "--endpoint", "http://127.0.0.1:9/v1",
        "--model", "b", "--baseline-endpoint", "http://127.0.0.1:9/v1", "--baseline-model", "a",
    ],
    "build": [],
    "summary": ["--experiment", "e"],
    "catalog": [],
    "compare": ["--experiment", "e"],
    "trend": ["--agent", "a", "--metric", "accuracy"],
    "regressions": [],
    "recent": [],
    "experiments": [],
    "gate": ["--experiment", "e"],
    "replay": [],
    "calibrate": ["--experiment", "e"],
    "report": ["--experiment", "e", "-o", "OUT"],
    "push": ["--experiment", "e", "--dry-run"],
    "metrics": ["--textfile", "OUT"],
    "export": ["OUT.csv", "--mart", "experiment_summaries"],
    "baseline": ["set", "e"],
    "annotate": [
        "--experiment", "e", "--task", "t", "--key", "accuracy", "--score", "0", "--author", "a",
        "--reason", "r",
    ],
    "withdraw": ["--experiment", "e", "--reason", "r", "--yes"],
    "purge": ["--older-than", "1", "--yes"],
    "env": [],
    "doctor": [],
    "check": ["--no-build", "--database-url", "URL"],
    "docs": ["-o", "OUT.html"],
    "ci": ["--commit", "abc1234", "--branch", "b", "--out", "LEFT", "--", "--file", "RUNS"],
    "plan": ["--agent", "a", "--metric", "accuracy", "--detect", "0.05"],
    "label": ["--experiment", "e", "--output", "OUT.csv"],
    "serve": ["--port", "0"],
}  # fmt: skip
ELSEWHERE = {
    "comment", "dashboards", "declare", "projects", "datasets", "sample", "schema", "stop",
}  # fmt: skip
FINDINGS = {"check", "doctor"}
"""What says the version among others."""


def _say_version(connection: psycopg.Connection, version: int) -> None:
    """Say it as `init` does."""
    told = sql.Literal(f"raw schema of evalmart, version {version}")
    connection.execute(sql.SQL("comment on schema raw_evals is {}").format(told))


def _make_later(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "insert into raw_evals.schema_version (version, name) values (%s, 'later')", [LATER]
        )
        _say_version(connection, LATER)


@pytest.fixture(scope="module")
def later_url(postgres_server: str) -> Iterator[str]:
    """Give a database as `init` of a later program leaves it."""
    with servers.migrated(postgres_server) as url:
        _make_later(url)
        yield url


def _everything(url: str) -> dict[str, int]:
    """Return what there is, and how many rows each table and sequence has."""
    with psycopg.connect(url) as connection:
        names = connection.execute(
            """
            select nspname, relname
            from pg_class
            inner join pg_namespace on relnamespace = pg_namespace.oid
            where
                nspname not like 'pg\\_%' and nspname != 'information_schema'
                and relkind in ('r', 'v', 'm', 'S')
            """
        ).fetchall()
        found = {}
        for schema, name in names:
            count = sql.SQL("select count(*) from {}").format(sql.Identifier(schema, name))
            row = connection.execute(count).fetchone()
            assert row is not None
            found[f"{schema}.{name}"] = int(row[0])
        drawn = connection.execute("select last_value, is_called::int from raw_evals.load_ids")
        found["load ids drawn"] = sum(drawn.fetchone() or ())
        return found


def test_every_command_is_known_to_touch_a_database_or_none() -> None:
    assert {*ARGUMENTS} | ELSEWHERE == {*COMMANDS}


@pytest.mark.parametrize("command", ARGUMENTS)
def test_a_command_refuses_a_newer_database_in_a_sentence_and_writes_nothing(
    later_url: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LANGSMITH_API_KEY", "no-key-of-anybody")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LANGSMITH_ENDPOINT", "http://127.0.0.1:9")
    (tmp_path / "runs.jsonl").write_text(json.dumps(RECORD))
    (tmp_path / "tasks.jsonl").write_text(json.dumps({"task_id": "t", "inputs": {"q": "?"}}))
    outputs = {"OUT": "out.md", "OUT.csv": "out.csv", "OUT.html": "out.html"}
    files = {"RUNS": "runs.jsonl", "TASKS": "tasks.jsonl", **outputs}
    named = {word: str(tmp_path / name) for word, name in files.items()} | {"URL": later_url}
    named["LEFT"] = f"{tmp_path}-left"  # a pipeline is told what went wrong
    words = [named.get(word, word) for word in ARGUMENTS[command]]
    before = _everything(later_url)
    result = CliRunner(env={"DATABASE_URL": later_url}).invoke(cli, [command, *words])
    assert result.exit_code == 2, result.output
    if command in FINDINGS:
        assert f"version {LATER} of {known_version()}" in result.output
        assert "upgrade evalmart" in result.output
    else:
        assert SENTENCE in result.stderr
    assert "Traceback" not in result.output
    assert _everything(later_url) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["runs.jsonl", "tasks.jsonl"]


def test_who_may_not_read_raw_is_told_too(later_url: str) -> None:
    with psycopg.connect(later_url) as connection:
        connection.execute(
            "do $$ begin create role reader_of_later login; exception"
            " when duplicate_object then null; end $$"
        )
    url = make_conninfo(later_url, user="reader_of_later")
    result = CliRunner().invoke(cli, ["experiments", "--database-url", url])
    assert (result.exit_code, SENTENCE in result.stderr) == (2, True)


def test_a_recorder_keeps_its_records_on_disk_until_program_and_database_agree(
    database_url: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
    _make_later(database_url)
    before = _everything(database_url)
    with caplog.at_level(logging.WARNING):
        recorder = Recorder(
            database_url=database_url,
            experiment_id="e",
            experiment_group="baseline",
            extension_version="1",
        )
        with recorder:
            recorder.record(task_id="t", scores={"accuracy": 0.5})
    assert SENTENCE in caplog.text
    assert _everything(database_url) == before
    assert spool.waiting()
    assert replay_waiting(database_url) == 0

    with psycopg.connect(database_url) as connection:
        connection.execute("delete from raw_evals.schema_version where version = %s", [LATER])
        _say_version(connection, known_version())
    assert replay_waiting(database_url) == 1
    assert _everything(database_url)["raw_evals.evaluation_runs"] == 1
    assert not spool.waiting()


def test_an_init_says_the_version_to_everybody_and_a_foreign_comment_says_nothing(
    empty_database_url: str,
) -> None:
    with connect(empty_database_url) as connection:
        migrate(connection)
        row = connection.execute(
            "select obj_description('raw_evals'::regnamespace, 'pg_namespace')"
        ).fetchone()
        assert row == (f"raw schema of evalmart, version {known_version()}",)
        connection.execute("comment on schema raw_evals is 'version 999, says Ana'")
        connection.commit()
    with connect(empty_database_url) as connection:
        require_current(connection)
        connection.execute("insert into raw_evals.schema_version (version, name) values (99, 'x')")
        with pytest.raises(ConfigurationError, match="this database is at version 99, this"):
            require_current(connection)
