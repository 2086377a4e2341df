"""Who waits for whom: a writer for a writer, who is named, up to a limit; for a reader nobody."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import servers
from ingest_support import load_records, record, select
from loader.errors import WarehouseUnavailable
from loader.ingest import entries
from loader.warehouse import locks
from loader.warehouse.connection import be_patient, connect
from loader.warehouse.migrate import migrate, migrations
from recorders import blocked
from role_logins import login

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

_TIMEOUTS = (
    "statement_timeout", "lock_timeout", "idle_session_timeout",
    "idle_in_transaction_session_timeout",
)  # fmt: skip


@pytest.fixture
def hurried_url(database_url: str) -> Iterator[str]:
    """Give a database whose server ends whatever takes longer than a moment."""
    name = conninfo_to_dict(database_url)["dbname"]
    with psycopg.connect(database_url, autocommit=True) as owner:
        for timeout in _TIMEOUTS:
            owner.execute(f"alter database \"{name}\" set {timeout} to '300ms'".encode())
    yield database_url
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute(f'alter database "{name}" reset all'.encode())


@contextmanager
def reading_everything(url: str) -> Iterator[psycopg.Connection[Any]]:
    """Keep a transaction open that has read every relation, and every lock that is anyone's."""
    with psycopg.connect(url) as reader:
        for schema, name in reader.execute(
            "select schemaname, tablename from pg_tables where schemaname ~ '^(raw_evals|evals)'"
            " union select schemaname, viewname from pg_views where schemaname ~ '^evals'"
        ).fetchall():
            reader.execute(f'select from {schema}."{name}" limit 1'.encode())
        for key in (7_043_116_201, 7_043_116_202, 7_043_116_203):
            reader.execute("select pg_advisory_xact_lock(%s)", [key])
        reader.execute("select pg_advisory_xact_lock(1448496717, hashtext('evals_functions'))")
        yield reader


def test_a_load_waits_for_no_build_and_for_no_init(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "2")
    with connect(database_url) as building:
        building.execute("select raw_evals.take_build('evals', '{\"name\": \"a test\"}')")
        building.commit()
        locks.lock_schema(building)
        assert load_records(database_url, [record()]).loaded == 1


def test_a_reader_stops_neither_load_nor_build_nor_init(
    database_url: str, dbt: Dbt, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "5")
    load_records(database_url, [record()])
    dbt.build(database_url)
    with reading_everything(database_url), ThreadPoolExecutor(1) as pool:
        assert load_records(database_url, [record(task_id="t-2")]).loaded == 1
        with connect(database_url) as connection:
            assert migrate(connection) == []
        pool.submit(dbt.build, database_url).result(timeout=120)
    found = select(database_url, "select count(*) from evals.evaluation_trials")
    assert found == [(2,)]


def test_nobody_takes_an_advisory_lock() -> None:
    texts = {
        path: path.read_text(encoding="utf-8")
        for folder in ("loader", "macros", "models", "functions")
        for path in (servers.REPOSITORY / folder).rglob("*.*")
        if path.suffix in {".py", ".sql"}
        # what was applied stays as it was
        and not re.match(r"00(0\d|1[0-2])_", path.name)
    }
    assert not [path for path, text in texts.items() if re.search(r"pg_(try_)?advisory", text)]


@pytest.mark.parametrize("role", ["evals_analyst", "evals_gate", "evals_loader"])
def test_no_reader_of_the_turn_can_hold_it(database_url: str, role: str) -> None:
    with login(database_url, role) as url, psycopg.connect(url) as reader:
        for mode in ("access share", "row share", "exclusive"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                reader.execute(f"lock table raw_evals.load_turn in {mode} mode".encode())
            reader.rollback()


def test_who_waits_for_a_load_says_for_whom_and_since_when(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with connect(database_url) as other, ThreadPoolExecutor(1) as pool:
        locks.try_draw(other)
        waiting = pool.submit(load_records, database_url, [record()])
        time.sleep(3.5)
        assert not waiting.done()
        other.commit()
        assert waiting.result(timeout=30).loaded == 1
    said = capsys.readouterr().err
    assert re.fullmatch(
        r"waiting for another load: evalmart in \S+ pid \d+ on \S+ "
        r"\(user \w+, server process \d+\), since \d{4}-\d\d-\d\d [\d:]+ \w+ "
        r"\(for 600 s at most\)\n",
        said,
    )


def test_a_command_gives_up_at_its_limit_with_code_4(database_url: str, tmp_path: Path) -> None:
    file = tmp_path / "a.jsonl"
    file.write_text('{"experiment_id":"e","task_id":"t","experiment_group":"baseline",'
                    '"extension_version":"1"}\n')  # fmt: skip
    command = [sys.executable, "-m", "loader", "ingest", "--file", str(file), "--database-url"]
    environment = {**os.environ, "EVALMART_WAIT_SECONDS": "1"}
    with blocked(database_url):
        ended = subprocess.run(
            [*command, database_url],
            env=environment, capture_output=True, text=True, check=False,
        )  # fmt: skip
    assert ended.returncode == 4
    assert "waited 1 s for another load: evalmart in " in ended.stderr
    assert "Traceback" not in ended.stderr
    assert select(database_url, "select count(*) from raw_evals.loads") == [(0,)]


def test_a_role_that_may_not_know_since_when_is_told_for_whom(database_url: str) -> None:
    with (
        login(database_url, "evals_loader") as first,
        login(database_url, "evals_loader") as second,
        connect(first) as holding,
        connect(second) as asking,
    ):
        locks.try_draw(holding)
        assert locks.try_draw(asking, 10) is None
        told = locks.load_holder(asking)
        assert told is not None
        assert re.fullmatch(
            r"evalmart in \S+ pid \d+ on .* \(user test_\w+, server process \d+\)", told
        )
        holding.rollback()
        assert locks.load_holder(asking) is None


def test_no_timeout_of_a_server_ends_a_wait(hurried_url: str) -> None:
    with connect(hurried_url) as other, ThreadPoolExecutor(2) as pool:
        be_patient(other)
        locks.try_draw(other)
        waiting = [
            pool.submit(load_records, hurried_url, [record(task_id=f"t-{n}")]) for n in range(2)
        ]
        time.sleep(2.5)
        other.commit()
        assert [each.result(timeout=30).loaded for each in waiting] == [1, 1]


def test_a_recorder_waits_in_silence_and_not_as_long(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    began = time.monotonic()
    with (
        blocked(database_url),
        connect(database_url) as connection,
        entries.patience(2.5),
        pytest.raises(WarehouseUnavailable, match=r"another load did not end in 2.5 s: evalmart"),
    ):
        entries.draw_load_id(connection)
    assert 2.4 < time.monotonic() - began < 60
    assert capsys.readouterr().err == ""


def test_an_init_that_has_to_wait_for_a_reader_lets_loads_pass(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last = migrations()[-1]
    change = last._replace(
        version=last.version + 1,
        statements="alter table raw_evals.loads add column added text",
    )
    with connect(empty_database_url) as connection:
        migrate(connection)
    with monkeypatch.context() as patch, psycopg.connect(empty_database_url) as reader:
        patch.setattr("loader.warehouse.migrate.migrations", lambda: [*migrations_of_now, change])
        reader.execute("select from raw_evals.loads")
        applied: list[str] = []

        def init() -> None:
            with connect(empty_database_url) as connection:
                applied.extend(migrate(connection))

        thread = threading.Thread(target=init)
        thread.start()
        for number in range(4):
            time.sleep(0.5)
            assert thread.is_alive()
            began = time.monotonic()
            assert load_records(empty_database_url, [record(task_id=f"t-{number}")]).loaded == 1
            assert time.monotonic() - began < 20
        reader.rollback()
        thread.join(timeout=30)
        assert applied == [change.name]
    assert "waiting for the raw schema: a session without a name (user " in capsys.readouterr().err


def test_an_init_gives_up_at_its_limit_and_leaves_the_schema_as_it_was(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "1")
    with connect(database_url) as first, connect(database_url) as second:
        locks.lock_schema(first)
        with pytest.raises(WarehouseUnavailable, match=r"waited 1 s for the raw schema: evalmart"):
            migrate(second)


migrations_of_now = migrations()
