from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import psycopg
import pytest

import servers
from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.warehouse import embedded as server
from loader.warehouse.connection import connect, connection_string, environment, is_embedded

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.newest_server

_SECRET = "correct-horse-battery"  # noqa: S105  planted, to look for it in messages


def test_an_option_beats_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://one@h/environment")
    assert connection_string("postgresql://two@h/option").endswith("option")
    assert connection_string().endswith("environment")


@pytest.mark.parametrize("name", ["DATABASE_URL", "PGHOST", "PGSERVICE", "PGDATABASE", "PGPORT"])
def test_any_named_server_turns_the_embedded_one_off(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert is_embedded()
    monkeypatch.setenv(name, "x")
    assert not is_embedded()


def test_libpq_variables_lead_to_their_server(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in environment(database_url).items():
        monkeypatch.setenv(name, value)
    with connect() as connection:
        assert connection.info.dbname == psycopg.conninfo.conninfo_to_dict(database_url)["dbname"]


def test_a_malformed_url_is_a_configuration_error_without_its_password() -> None:
    with pytest.raises(ConfigurationError, match="--database-url is not") as caught:
        connect(f"postgresql://user:{_SECRET}@[host/database")
    assert _SECRET not in "".join(traceback.format_exception(caught.value))


def test_an_unreachable_server_is_named_without_its_password(tmp_path: Path) -> None:
    with pytest.raises(WarehouseUnavailable, match="cannot connect") as caught:
        connect(f"host={tmp_path} user=u password={_SECRET} dbname=d")
    assert _SECRET not in "".join(traceback.format_exception(caught.value))


def test_env_never_prints_the_password(database_url: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "loader", "env", "--database-url", database_url],
        env={**os.environ, "PGPASSWORD": _SECRET},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "export PGHOST=" in done.stdout
    assert "export PGDATABASE=" in done.stdout
    assert _SECRET not in done.stdout + done.stderr


@pytest.mark.slow
def test_commands_that_want_the_server_at_once_start_one() -> None:
    with servers.short_directory() as directory:
        data = directory / "data"
        with ThreadPoolExecutor(4) as pool:
            started = set(pool.map(lambda _: server.start(data), range(4)))
        assert len(started) == 1
        assert server.running(data) in started
        with psycopg.connect(started.pop()) as connection:
            assert connection.info.server_version >= 180_000
        assert server.stop(data)
        assert server.running(data) is None
        assert not server.stop(data)
        assert server.start(data)  # the same data, once more
        server.stop(data)


@pytest.mark.slow
def test_a_killed_server_starts_again_with_its_data() -> None:
    with servers.short_directory() as directory:
        data = directory / "data"
        try:
            with psycopg.connect(server.start(data)) as connection:
                connection.execute("create table kept (id integer)")
                connection.commit()
                pid = int((data / "postmaster.pid").read_text().split()[0])
                os.kill(pid, signal.SIGKILL)
            while server.running(data):
                time.sleep(0.01)
            with psycopg.connect(server.start(data)) as connection:
                connection.execute("select from kept")
        finally:
            server.stop(data)


@pytest.fixture
def odd_database_url(empty_database_url: str) -> str:
    """Give a database whose own defaults write dates, times and numbers in other forms."""
    with psycopg.connect(empty_database_url, autocommit=True) as connection:
        name = connection.info.dbname
        for setting, value in (
            ("datestyle", "German, DMY"),
            ("intervalstyle", "sql_standard"),
            ("extra_float_digits", "-3"),
            ("timezone", "Asia/Kathmandu"),
            ("bytea_output", "escape"),
            ("standard_conforming_strings", "off"),
            ("escape_string_warning", "off"),
        ):
            connection.execute(f"alter database {name} set {setting} to '{value}'".encode())
    return empty_database_url


def test_a_servers_odd_settings_do_not_reach_what_is_read(odd_database_url: str) -> None:
    query = (
        "select '2025-03-01 12:30+00'::timestamptz, '1 day 2 hours'::interval, 0.1::float8,"
        " '2025-03-01 12:30+00'::timestamptz::text, '\\n', '1 day 2 hours'::interval::text"
    )
    moment = datetime(2025, 3, 1, 12, 30, tzinfo=UTC)
    for autocommit in (False, True):
        with connect(odd_database_url, autocommit=autocommit) as connection:
            connection.rollback()
            row = connection.execute(query.encode()).fetchone()
            assert row == (
                moment, timedelta(days=1, hours=2), 0.1,
                "2025-03-01 12:30:00+00", "\\n", "1 day 02:00:00",
            )  # fmt: skip


def test_a_child_process_gets_the_same_forms(
    odd_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGOPTIONS", "-c statement_timeout=0")
    variables = environment(odd_database_url)
    assert variables["PGOPTIONS"].startswith("-c statement_timeout=0 -c datestyle=ISO,MDY")
    monkeypatch.setenv("PGOPTIONS", variables["PGOPTIONS"])
    with psycopg.connect(odd_database_url) as child:
        row = child.execute(
            "select '2025-03-01'::date::text, '1 day 2 hours'::interval::text, 0.1::float8 * 3"
        ).fetchone()
        assert row == ("2025-03-01", "1 day 02:00:00", 0.1 * 3)
    assert "PGOPTIONS" not in environment(odd_database_url), "they are there already"


def test_a_server_with_usual_settings_needs_no_options(empty_database_url: str) -> None:
    assert "PGOPTIONS" not in environment(empty_database_url)
