"""Everything through PgBouncer in transaction mode, before a server that ends what is slow."""

from __future__ import annotations

import json
import threading
import time
from typing import TYPE_CHECKING

import psycopg
import pytest
from click.testing import CliRunner

import servers
from loader import Recorder
from loader.cli import cli
from loader.errors import WarehouseUnavailable
from loader.warehouse import lease
from loader.warehouse.connection import connect
from poolers import pooler

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from click.testing import Result

_HOSTILE = (
    "statement_timeout = '2s'",
    "lock_timeout = '1s'",
    "idle_session_timeout = '1500ms'",
    "idle_in_transaction_session_timeout = '1500ms'",
)


@pytest.fixture(scope="module")
def urls(postgres_server: str) -> Iterator[tuple[str, str]]:
    """Give an empty database, as it is reached directly and through the pooler."""
    with servers.fresh_database(postgres_server) as direct:
        with psycopg.connect(direct, autocommit=True) as connection:
            for setting in _HOSTILE:
                name = connection.info.dbname
                connection.execute(f"alter database {name} set {setting}".encode())
        with pooler(direct) as through:
            yield direct, through


@pytest.fixture
def through(urls: tuple[str, str]) -> str:
    """Give the same, migrated."""
    run(urls[1], "init")
    return urls[1]


def run(url: str, *arguments: str, exit_code: int = 0) -> Result:
    command, *rest = arguments
    done = CliRunner().invoke(cli, [command, "--database-url", url, *rest])
    assert done.exit_code == exit_code, f"{arguments}: {done.output}"
    return done


def a_file(folder: Path, correction: float | None = None) -> str:
    """Write 60 records of two arms with repetitions; the first with another score, maybe."""
    records = [
        {
            "experiment_id": "exp-pool", "task_id": f"t{task}", "experiment_group": group,
            "extension_version": version, "agent_name": "fixer", "repetition": repetition,
            "source_run_id": f"{group}-{task}-{repetition}", "latency_ms": 100 + task,
            "scores": {"accuracy": (7 * task + repetition) % 5 / 4}, "inputs": {"task": task},
        }
        for task in range(15)
        for group, version in (("baseline", "1.0"), ("code-chef", "2.0"))
        for repetition in (1, 2)
    ]  # fmt: skip
    if correction is not None:
        records[0]["scores"] = {"accuracy": correction}
    path = folder / "results.jsonl"
    path.write_text("".join(f"{json.dumps(each)}\n" for each in records), encoding="utf-8")
    return str(path)


def count(url: str, table: str, where: str = "true") -> int:
    with psycopg.connect(url) as connection:
        row = connection.execute(f"select count(*) from {table} where {where}".encode()).fetchone()
    assert row is not None
    return int(row[0])


def test_nothing_is_prepared_or_set_where_the_next_transaction_is_another_session(
    through: str,
) -> None:
    """As psycopg does from the fifth time on, and as a form set for a session would be."""
    with connect(through) as one, connect(through) as other:
        sessions = set()
        for _ in range(30):
            for connection in (one, other):
                row = connection.execute("select pg_backend_pid(), now()::text, %s", ["x"])
                found = row.fetchone()
                assert found is not None
                assert str(found[1]).endswith("+00")
                sessions.add(found[0])
            one.commit()
            other.commit()
        assert len(sessions) > 1, "every transaction went to the same session"
        assert one.prepare_threshold is None
    with connect(through) as connection:
        left = connection.execute("select count(*) from pg_prepared_statements").fetchone()
    assert left == (0,)


def test_a_database_that_rounds_is_refused_behind_a_pooler(urls: tuple[str, str]) -> None:
    direct, url = urls
    with psycopg.connect(direct, autocommit=True) as connection:
        name = connection.info.dbname
        connection.execute(f"alter database {name} set extra_float_digits = 0".encode())
        _end_sessions(connection)
    try:
        done = run(url, "recent", exit_code=2)
        assert f'alter database "{name}" set extra_float_digits = 1;' in done.output
    finally:
        with psycopg.connect(direct, autocommit=True) as connection:
            connection.execute(f"alter database {name} reset extra_float_digits".encode())
            _end_sessions(connection)


def test_a_lease_keeps_the_other_out_and_is_renewed(
    urls: tuple[str, str], through: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0.5")
    monkeypatch.setattr(lease, "_RENEWED_EVERY", 0.2)
    renewed = "select renewed_at - started_at from lease_of_a_test_staging.builds"
    with lease.held("lease_of_a_test", through) as held:
        with pytest.raises(WarehouseUnavailable, match="another build of this database: evalmart"):
            lease.Lease("lease_of_a_test", through).take()
        time.sleep(2.5)  # longer than any session of the server may idle
        assert held.is_held()
        with psycopg.connect(urls[0]) as connection:
            row = connection.execute(renewed.encode()).fetchone()
    assert row is not None
    assert row[0].total_seconds() > 2
    with lease.held("another_schema", through):  # nobody is in its way
        pass


@pytest.mark.slow
def test_every_command_and_the_recorder_work_behind_a_pooler(
    urls: tuple[str, str], through: str, tmp_path: Path
) -> None:
    direct, _ = urls
    with _noise(through):
        run(through, "ingest", "--file", a_file(tmp_path), "--with-io")
        run(through, "ingest", "--file", a_file(tmp_path, 0.5))
        with Recorder(
            experiment_id="exp-live", experiment_group="baseline", extension_version="1.0",
            database_url=through,
        ) as recorder:  # fmt: skip
            for task in range(40):
                recorder.record(task_id=f"t{task}", scores={"accuracy": 1.0})
                if task == 20:
                    recorder.flush()
                    time.sleep(2)  # the session is ended meanwhile
        assert recorder.spooled_count == 0
        run(through, "build", "--quiet")
    assert count(direct, "raw_evals.evaluation_runs") == 60 + 1 + 40
    assert count(direct, "evals_staging.builds", "status = 'complete' and is_whole") == 1

    of_experiment = ("--experiment", "exp-pool")
    assert "as good as before" in run(through, "summary", *of_experiment).output
    run(through, "compare", *of_experiment)
    run(through, "catalog", *of_experiment)
    run(through, "trend", "--agent", "fixer", "--metric", "accuracy")
    run(through, "regressions")
    run(through, "recent")
    assert "exp-pool" in run(through, "experiments").output
    run(through, "gate", *of_experiment, exit_code=5)
    run(through, "gate", "--agent", "fixer", exit_code=5)
    run(through, "replay")
    run(through, "calibrate", *of_experiment, "--splits", "50")
    run(through, "report", *of_experiment, "-o", str(tmp_path / "report.html"))
    run(through, "report", "--agent", "fixer", "-o", str(tmp_path / "report.md"))
    run(through, "metrics", "--textfile", str(tmp_path / "metrics.prom"))
    run(through, "export", str(tmp_path / "results.csv"))
    run(through, "export", str(tmp_path / "results.parquet"))
    run(through, "doctor")
    run(through, "annotate", *of_experiment, "--task", "t0", "--key", "accuracy", "--score", "0.25",
        "--author", "maria", "--reason", "it guessed")  # fmt: skip
    run(through, "withdraw", *of_experiment, "--task", "t3", "--reason", "wrong dataset", "--yes")
    done = CliRunner().invoke(cli, ["baseline", "set", "exp-pool", "--database-url", through])
    assert done.exit_code == 0, done.output
    run(through, "purge", "--contents-older-than", "1", "--yes")
    _grow_old(direct)
    run(through, "purge", "--older-than", "1", "--yes", "--no-build")
    assert count(direct, "raw_evals.evaluation_runs") == 0


def _grow_old(url: str) -> None:
    """Let every run be of last year; as the owner, who may."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "update raw_evals.evaluation_runs"
            " set recorded_at = now() - interval '1 year', loaded_at = now() - interval '1 year'"
        )


class _noise:  # noqa: N801  used as a context manager
    """Others who use the same pooler, and leave behind in sessions what sessions can hold."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._go_on, daemon=True)

    def __enter__(self) -> None:
        self._thread.start()

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def _go_on(self) -> None:
        while not self._is_over.wait(0.02):
            try:
                with psycopg.connect(self._url, prepare_threshold=None) as connection:
                    connection.execute("select set_config('timezone', 'Asia/Tokyo', false)")
                    connection.execute("set statement_timeout = '1800ms'")
            except psycopg.OperationalError:
                continue


def _end_sessions(connection: psycopg.Connection[tuple[object, ...]]) -> None:
    connection.execute(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where datname = current_database() and pid <> pg_backend_pid()"
    )
