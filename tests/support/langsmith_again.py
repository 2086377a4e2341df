"""Ingesting a project of the stand-in again and again, as the command does."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner, Result

from loader.cli import cli
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from langsmith_server import LangSmithServer

Row = dict[str, Any]
START = datetime.now(UTC) - timedelta(hours=5)
ARM = ("--experiment-id", "exp", "--experiment-group", "code-chef", "--extension-version", "1.0.0")
STANDING = """
select distinct on (runs.experiment_id, runs.source_run_id)
    runs.experiment_id, runs.source_run_id, runs.run_version, runs.repetition, runs.content_hash
from raw_evals.evaluation_runs as runs
inner join raw_evals.standing_versions
    using (experiment_id, source, source_run_id, run_version)
order by runs.experiment_id, runs.source_run_id, runs.run_version desc
"""


class Project:
    """One project, and the database that it is ingested into."""

    def __init__(self, database_url: str, name: str = "large", arm: tuple[str, ...] = ARM) -> None:
        """Ingest nothing yet."""
        self.url = database_url
        self._arguments = ("--project", name, *arm)

    def command(self, *options: str, exit_code: int = 0) -> Result:
        """Run `ingest` as it is written; check its exit code."""
        arguments = ["ingest", *self._arguments, *options, "--database-url", self.url]
        result = CliRunner().invoke(cli, arguments)
        assert result.exit_code == exit_code, result.output
        return result

    def ingest(self, *options: str, exit_code: int = 0) -> Row:
        """Run `ingest`; return its summary."""
        result = self.command(*options, "--summary-format", "json", exit_code=exit_code)
        summary: Row = json.loads(result.stdout)
        return summary

    def counts(self, *options: str) -> tuple[int, int, int]:
        """Ingest; return how many were read, loaded and unchanged."""
        told = self.ingest(*options)
        return told["read"], told["loaded"], told["unchanged"]

    def select(self, statement: str) -> list[tuple[Any, ...]]:
        """Run a query; return its rows."""
        with connect(self.url) as connection:
            return connection.execute(statement.encode()).fetchall()

    def standing(self) -> list[tuple[Any, ...]]:
        """Return the current version of every run that counts."""
        return self.select(STANDING)

    def numbers(self) -> dict[str, int]:
        """Return the repetition of every run that counts."""
        return {run: number for _, run, _, number, _ in self.standing()}

    def reference(self) -> Row:
        """Return what the last load kept of its source."""
        [(found,)] = self.select(
            "select source_ref from raw_evals.loads where source = 'langsmith'"
            " order by load_id desc limit 1"
        )
        reference: Row = found
        return reference


def serve(stand_in: LangSmithServer, backend: str) -> None:
    """Let the stand-in answer one run query only, or both."""
    stand_in.backend = backend
    stand_in.flags = {"ch_query_enabled": backend != "v2", "sdb_query_enabled": backend != "v1"}


def add(stand_in: LangSmithServer, task: str, minute: float, **given: Any) -> Row:  # noqa: ANN401
    """Add a run of a task to the only project, so many minutes after `START`."""
    [session] = stand_in.sessions.values()
    return stand_in.add_run(
        session, START + timedelta(minutes=minute), extra={"metadata": {"task_id": task}}, **given
    )
