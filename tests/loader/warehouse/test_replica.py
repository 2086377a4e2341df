"""A replica answers what reads marts, and whatever writes says in a sentence that it cannot."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import programs
import servers
from loader.warehouse import embedded as server
from loader.warehouse.doctor import examine_server
from sample_marts import loader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_BACKUP = "/usr/lib/postgresql/15/bin/pg_basebackup"
_READERS = (
    ("summary", "--experiment", "exp-1"), ("compare", "--experiment", "exp-1"), ("experiments",),
    ("trend", "--agent", "a", "--metric", "accuracy"), ("regressions",), ("recent",), ("catalog",),
    ("report", "--experiment", "exp-1", "-o", "-"), ("replay",),
)  # fmt: skip
pytestmark = pytest.mark.slow


@contextmanager
def replica(primary: str) -> Iterator[str]:
    """Start a standby of a server of Debian's; yield how to connect to the same database."""
    programs.program("pg_basebackup", _BACKUP, package="postgresql-15")
    with servers.short_directory() as directory:
        to = directory / "data"
        as_owner: list[str] = []
        if not os.geteuid():
            shutil.chown(directory, "postgres")
            as_owner = ["runuser", "-u", "postgres", "--"]
        subprocess.run(
            [*as_owner, _BACKUP, "-d", primary, "-D", str(to), "-R", "-X", "stream"], check=True
        )
        try:
            here = servers.start_debian(directory)
            yield make_conninfo(here, dbname=psycopg.conninfo.conninfo_to_dict(primary)["dbname"])
        finally:
            server.stop(to)


def _said(url: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loader", arguments[0], "--database-url", url, *arguments[1:]]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_replica_answers_and_takes_nothing(tmp_path: Path) -> None:
    programs.program("initdb", "/usr/lib/postgresql/15/bin/initdb", package="postgresql-15")
    results = tmp_path / "results.jsonl"
    with results.open("w", encoding="utf-8") as stream:
        for number in range(12):
            for arm in ("baseline", "code-chef"):
                record = {"experiment_id": "exp-1", "task_id": f"t-{number}", "agent_name": "a",
                          "experiment_group": arm, "extension_version": "1.0",
                          "scores": {"accuracy": 0.5}}  # fmt: skip
                stream.write(json.dumps(record) + "\n")
    with servers.own("15") as primary:
        loader(primary, "init")
        loader(primary, "ingest", "--file", results)
        loader(primary, "build", "--quiet")
        with replica(primary) as url:
            for arguments in _READERS:
                said = _said(url, *arguments)
                assert said.returncode == 0, said.stderr
            for arguments in (
                ("init",), ("gate", "--experiment", "exp-1"), ("ingest", "--file", str(results)),
                ("build", "--force"),
            ):  # fmt: skip
                said = _said(url, *arguments)
                assert said.returncode == 4, (arguments, said.stdout, said.stderr)
                assert "Traceback" not in said.stderr
                assert "read" in said.stderr or "during recovery" in said.stderr
            found = {each.subject: each.detail for each in examine_server(url)}
    assert found["replica"] == "it only reads: load, build and gate elsewhere"
