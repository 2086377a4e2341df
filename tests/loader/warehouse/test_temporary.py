"""Schemas of a process that was ended: the next command drops them, and none that is in use."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from psycopg import sql

from loader.warehouse import temporary
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NAME = "evals_as_of_0123456789ab"
_HOLDER = f"""
import signal, sys, time
from loader.warehouse import temporary
# a shell that runs these tests in the background has them ignored
signal.signal(signal.SIGINT, signal.default_int_handler)
signal.signal(signal.SIGHUP, signal.SIG_DFL)
with temporary.held("{NAME}", sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the commands of a test a folder of their own."""
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
    return tmp_path


@contextmanager
def holder(url: str) -> Iterator[subprocess.Popen[str]]:
    """Start a process that holds a temporary warehouse with a mart in it."""
    command = [sys.executable, "-c", _HOLDER, url]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        with connect(url) as connection:
            connection.execute(f"create schema {NAME}".encode())
            connection.execute(f"create table {NAME}.experiment_summaries ()".encode())
        try:
            yield process
        finally:
            process.kill()


def schemas(url: str) -> list[str]:
    with connect(url) as connection:
        rows = connection.execute(
            "select nspname from pg_namespace where nspname like '%as_of%' order by 1"
        ).fetchall()
    return [str(name) for (name,) in rows]


def loader(url: str, *words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "loader", *words, "--database-url", url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_next_command_drops_what_a_killed_one_left_and_says_so(
    database_url: str, home: Path
) -> None:
    with holder(database_url) as process:
        process.kill()
        process.wait()
    assert schemas(database_url) == [NAME, f"{NAME}_staging"]
    done = loader(database_url, "withdraw", "--list")
    assert f"dropped what processes that were ended had left behind: {NAME}" in done.stderr
    assert schemas(database_url) == []
    assert list((home / "as_of").iterdir()) == []
    assert loader(database_url, "withdraw", "--list").stderr == ""


def test_one_that_is_in_use_is_never_dropped(database_url: str) -> None:
    with holder(database_url):
        with connect(database_url) as connection:
            # however long its process has said nothing
            connection.execute(
                f"update {NAME}_staging.held_by set renewed_at = '-infinity'".encode()
            )
            connection.commit()
            assert temporary.clear(connection) == []
        assert loader(database_url, "withdraw", "--list").stderr == ""
        assert schemas(database_url) == [NAME, f"{NAME}_staging"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_process_that_is_told_to_end_leaves_nothing(database_url: str, number: int) -> None:
    with holder(database_url) as process:
        process.send_signal(number)
        process.wait(timeout=30)
        assert schemas(database_url) == []


def test_a_process_of_another_machine_is_gone_when_it_has_been_silent_for_long(
    database_url: str,
) -> None:
    with connect(database_url) as connection:
        for silence, number in (("1 minute", 1), ("1 hour", 2)):
            name = f"evals_as_of_{number:012d}"
            connection.execute(f"create schema {name}_staging".encode())
            lease = sql.Identifier(f"{name}_staging", "held_by")
            connection.execute(sql.SQL(temporary._LEASE).format(lease=lease))  # noqa: SLF001
            connection.execute(
                sql.SQL("insert into {} values ('elsewhere', 1, '', now() - {}::interval)").format(
                    lease, silence
                )
            )
        connection.commit()
        assert temporary.clear(connection) == ["evals_as_of_000000000002"]
        assert schemas(database_url) == ["evals_as_of_000000000001_staging"]


def test_what_has_no_lease_is_given_time_and_then_dropped(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute(f"create schema {NAME}_intermediate".encode())
        connection.commit()
        assert temporary.clear(connection) == []
        connection.execute(
            f"update {NAME}_staging.held_by set renewed_at = now() - interval '1 hour'".encode()
        )
        connection.commit()
        assert temporary.clear(connection) == [NAME]
    assert schemas(database_url) == []


def test_a_process_says_again_and_again_that_it_is_there(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(temporary, "_RENEW_SECONDS", 0.05)
    query = f"select renewed_at from {NAME}_staging.held_by".encode()
    with temporary.held(NAME, database_url), connect(database_url, autocommit=True) as connection:
        first = connection.execute(query).fetchone()
        deadline = time.monotonic() + 20
        while connection.execute(query).fetchone() == first:
            assert time.monotonic() < deadline
            time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.newest_server
def test_as_of_that_is_killed_in_the_middle_leaves_nothing_after_the_next_command(
    database_url: str, home: Path
) -> None:
    environment = {**os.environ, "DATABASE_URL": database_url}
    words = ["summary", "--experiment", "none", "--as-of", "2025-01-01"]
    with subprocess.Popen(
        [sys.executable, "-m", "loader", *words], env=environment, stderr=subprocess.DEVNULL
    ) as process:
        deadline = time.monotonic() + 50
        while len(schemas(database_url)) < 3:  # dbt is at work
            assert time.monotonic() < deadline
            assert process.poll() is None
            time.sleep(0.1)
        process.kill()
    loader(database_url, "withdraw", "--list")
    time.sleep(2)  # its dbt notices too, and makes nothing more
    assert schemas(database_url) == []
    assert list((home / "as_of").iterdir()) == []
