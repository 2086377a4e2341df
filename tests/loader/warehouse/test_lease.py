"""The lease of a build: one holder, known by name, and lost with its process or its silence."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from click.testing import CliRunner

from loader.cli import cli
from loader.errors import WarehouseUnavailable
from loader.warehouse import lease
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

_HOLD = """
import sys, time
from loader.warehouse import lease
lease._RENEWED_EVERY = 0.1
with lease.held("evals", sys.argv[1]) as held:
    print(held.sessions, flush=True)
    sys.stdin.read()
"""


class Holder:
    """A process that holds the lease until its input ends."""

    def __init__(self, url: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _HOLD, url],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.sessions = self.process.stdout.readline().strip()

    def end(self) -> tuple[int, str]:
        """Let it end; return its exit code and what it said."""
        _, said = self.process.communicate("", timeout=30)
        return self.process.returncode, said


@pytest.fixture
def holder(database_url: str) -> Iterator[Holder]:
    made = Holder(database_url)
    yield made
    if made.process.poll() is None:
        made.process.kill()
    made.process.communicate()


def builds(url: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(
            "select status, holder ->> 'name' from evals_staging.builds order by build_id"
        ).fetchall()


def fall_silent(url: str) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(
            "update evals_staging.builds set renewed_at = renewed_at - interval '61 seconds'"
        )


def begin(connection: psycopg.Connection[Any], token: str, *, whole: bool = True) -> None:
    """Begin as a hook of plain dbt does."""
    connection.execute(
        "select raw_evals.begin_build('evals', jsonb_build_object('name', 'dbt ' || %s::text,"
        " 'token', %s::text, 'sessions', current_setting('application_name')), 'hash', %s, false)",
        [token, token, whole],
    )
    connection.commit()


def test_a_second_builder_is_told_who_builds_and_gives_up(
    holder: Holder, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0.3")
    pid = holder.process.pid
    told = (
        rf"waited 0.3 s for another build of this database: evalmart \w+.* pid {pid} on .*since 2"
    )
    with pytest.raises(WarehouseUnavailable, match=told):
        lease.Lease("evals", database_url).take()
    assert holder.end() == (0, "")
    # it never ran dbt, which says how a build ended
    assert [status for status, _ in builds(database_url)] == ["failed"]


def test_the_lease_of_a_killed_process_is_taken_over_at_once_and_said(
    holder: Holder, database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    holder.process.kill()
    holder.process.wait()
    with lease.held("evals", database_url):
        said = capsys.readouterr().err
        assert said.startswith("a build before did not finish and is taken over: evalmart ")
        assert f" pid {holder.process.pid} on " in said
        assert [status for status, _ in builds(database_url)] == ["lost", "running"]


def test_who_is_taken_over_ends_at_once_and_its_sessions_with_it(
    holder: Holder, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0")
    with psycopg.connect(database_url, application_name=holder.sessions) as its_session:
        its_session.execute("create table half_done ()")
        os.kill(holder.process.pid, signal.SIGSTOP)
        fall_silent(database_url)
        with lease.held("evals", database_url):
            with pytest.raises(psycopg.OperationalError):
                its_session.execute("select 1")
            os.kill(holder.process.pid, signal.SIGCONT)
            assert holder.process.wait(timeout=20) == 4
            assert holder.process.stderr is not None
            assert "another build took over this one" in holder.process.stderr.read()
    with psycopg.connect(database_url) as connection:
        assert connection.execute("select to_regclass('half_done')").fetchone() == (None,)


def test_a_lease_that_is_not_renewed_ends_before_it_can_be_taken(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with lease.held("evals", database_url) as held:
        assert held.is_held()
        late = time.clock_gettime(time.CLOCK_BOOTTIME) + 52
        monkeypatch.setattr(lease, "_now", lambda: late)
        assert not held.is_held()


def test_plain_dbt_is_refused_while_another_is_alive(holder: Holder, database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        with pytest.raises(psycopg.errors.ObjectInUse, match=f"under way: .*{holder.process.pid}"):
            begin(connection, "one")
        connection.rollback()
        # what was never let begin has nothing to close
        connection.execute("select raw_evals.end_build('evals', 'one', false)")
    assert [status for status, _ in builds(database_url)] == ["running"]


def test_plain_dbt_is_alive_while_a_session_of_its_name_is_there(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0")
    with psycopg.connect(database_url, application_name="dbt") as plain:
        begin(plain, "one")
        fall_silent(database_url)
        with pytest.raises(WarehouseUnavailable, match="another build of this database: dbt one"):
            lease.Lease("evals", database_url).take()
    with (
        lease.held("evals", database_url),
        psycopg.connect(database_url) as late,
        pytest.raises(psycopg.errors.ObjectInUse, match="another build took over this one"),
    ):
        late.execute("select raw_evals.end_build('evals', 'one', true)")
    assert [status for status, _ in builds(database_url)] == ["lost", "failed"]


def test_two_who_come_first_at_once_make_one_ledger(database_url: str) -> None:
    programs = [
        subprocess.Popen(
            [sys.executable, "-c", _HOLD, database_url], stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        )
        for _ in range(3)
    ]  # fmt: skip
    assert [program.communicate(timeout=60)[1] for program in programs] == [b"", b"", b""]
    assert [status for status, _ in builds(database_url)] == ["failed"] * 3


def test_the_ledger_keeps_the_latest_thousand(database_url: str) -> None:
    with lease.held("evals", database_url):
        pass
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into evals_staging.builds (status, holder, is_whole, wrote_at)"
            " select 'complete', '{}', true, now() from generate_series(1, 1500)"
        )
    with lease.held("evals", database_url):
        pass
    assert len(builds(database_url)) == 1001


def test_a_limit_on_the_command_line_holds_for_the_command_alone(
    holder: Holder, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    del holder
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "77")
    arguments = ["build", "--wait", "0", "--database-url", database_url, "--select", "stg_loads"]
    done = CliRunner().invoke(cli, arguments)
    assert done.exit_code == 4
    assert os.environ["EVALMART_WAIT_SECONDS"] == "77"


def test_a_role_that_only_loads_takes_no_lease(database_url: str) -> None:
    with lease.held("evals", database_url):
        pass
    for statement in (
        "select raw_evals.take_build('evals', '{}')",
        "select raw_evals.take_build('others', '{}')",
        "select raw_evals.end_build('evals', 'x', true)",
        "update evals_staging.builds set status = 'complete'",
    ):
        with connect(database_url) as connection:
            connection.execute("set local role evals_loader")
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement.encode())
            connection.rollback()
