from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

import servers
from loader import server
from loader.connection import connect, connection_string, environment, is_embedded
from loader.errors import ConfigurationError, WarehouseUnavailable

if TYPE_CHECKING:
    from pathlib import Path

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
