"""TLS with an authority of one's own: every way in goes by it, and a wrong one is one sentence."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, NamedTuple

import psycopg
import pytest

from loader import Recorder
from loader.warehouse.connection import connect, environment
from loader.warehouse.doctor import examine_server
from tls_server import HOST, TlsServer, tls_server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow
_PASSWORD = "of-one-test"  # noqa: S105  of a server that ends with it
_EXPERIMENT = "exp-1"


class Way(NamedTuple):
    """How one comes in, all but the password."""

    server: TlsServer
    url: str

    def other(self, **changes: str) -> str:
        return psycopg.conninfo.make_conninfo(self.url, **changes)


@pytest.fixture(scope="module")
def way() -> Iterator[Way]:
    with tls_server() as server:
        with psycopg.connect(server.inside, autocommit=True) as connection:
            connection.execute(f"create role evalmart login password '{_PASSWORD}'".encode())
            connection.execute("create database evaluations owner evalmart")
        url = (
            f"postgresql://evalmart@{HOST}:{server.port}/evaluations"
            f"?sslmode=verify-full&sslrootcert={server.authority}&channel_binding=require"
        )
        yield Way(server, url)


def _command(url: str, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    environ = {**os.environ, "DATABASE_URL": url, **variables}
    return subprocess.run(
        [sys.executable, "-m", "loader", *arguments],
        env=environ, capture_output=True, text=True, check=False,
    )  # fmt: skip


def _done(url: str, *arguments: str, **variables: str) -> str:
    done = _command(url, *arguments, **variables)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_command_the_recorder_and_dbt_check_who_answers(
    way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The password comes from a file, which a child reads for itself."""
    file = tmp_path / "passwords"
    file.write_text(f"*:*:*:evalmart:{_PASSWORD}\n", encoding="utf-8")
    file.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(file))
    results = tmp_path / "results.jsonl"
    with results.open("w", encoding="utf-8") as stream:
        for number in range(12):
            for arm in ("baseline", "code-chef"):
                record = {"experiment_id": _EXPERIMENT, "task_id": f"t-{number}",
                          "experiment_group": arm, "extension_version": "1.0",
                          "scores": {"accuracy": 0.5}}  # fmt: skip
                stream.write(json.dumps(record) + "\n")
    _done(way.url, "init")
    _done(way.url, "ingest", "--file", str(results))
    with Recorder(
        experiment_id=_EXPERIMENT, experiment_group="code-chef", extension_version="1.1",
        database_url=way.url,
    ) as recorder:  # fmt: skip
        recorder.record(task_id="t-1", scores={"accuracy": 1.0})
    _done(way.url, "build", "--quiet")
    assert "code-chef" in _done(way.url, "summary", "--experiment", _EXPERIMENT)
    assert _command(way.url, "gate", "--experiment", _EXPERIMENT).returncode == 5
    with psycopg.connect(way.server.inside, dbname="evaluations") as connection:
        counted = connection.execute("select count(*) from raw_evals.evaluation_runs").fetchone()
    assert counted == (25,)
    variables = environment(way.url)
    assert variables["PGSSLMODE"] == "verify-full"
    assert variables["PGSSLROOTCERT"] == str(way.server.authority)
    assert variables["PGCHANNELBINDING"] == "require"
    assert "PGPASSWORD" not in variables, "a token that was renewed would not be read"


def test_the_variables_of_libpq_say_the_same_as_the_url(
    way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PGPASSWORD", _PASSWORD)
    monkeypatch.setenv("PGSSLMODE", "verify-full")
    monkeypatch.setenv("PGSSLROOTCERT", str(way.server.authority))
    plain = f"postgresql://evalmart@{HOST}:{way.server.port}/evaluations"
    with connect(plain) as connection:
        assert connection.pgconn.ssl_in_use
    assert environment(plain)["PGPASSWORD"] == _PASSWORD
    monkeypatch.setenv("PGSSLROOTCERT", str(way.server.stranger))
    failed = _command(plain, "experiments")
    assert failed.returncode == 4
    assert "certificate verify failed" in failed.stderr


@pytest.mark.parametrize("arguments", [("init",), ("build",), ("gate", "--experiment", "x"),
                                       ("ingest", "--file", os.devnull)])  # fmt: skip
def test_another_authority_ends_a_command_with_a_sentence(
    way: Way, arguments: tuple[str, ...]
) -> None:
    url = way.other(sslrootcert=str(way.server.stranger))
    failed = _command(url, *arguments, PGPASSWORD=_PASSWORD)
    assert failed.returncode == 4, failed.stderr
    (line,) = failed.stderr.splitlines()
    assert line.startswith("Error: the server is not believed to be itself: ")
    assert "certificate verify failed; sslrootcert has to name the authority" in line
    assert _PASSWORD not in failed.stderr


def test_another_name_of_the_host_is_refused(way: Way) -> None:
    failed = _command(way.other(host="127.0.0.1"), "experiments", PGPASSWORD=_PASSWORD)
    assert failed.returncode == 4
    assert 'does not match host name "127.0.0.1"' in failed.stderr


def test_doctor_tells_who_is_believed(way: Way, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", _PASSWORD)

    def tls(url: str) -> tuple[bool | None, str]:
        (found,) = [each for each in examine_server(url) if each.subject == "TLS"]
        return found.passed, found.detail

    assert tls(way.url) == (True, "encrypted")
    passed, detail = tls(f"postgresql://evalmart@{HOST}:{way.server.port}/evaluations")
    assert passed is None
    assert detail == "encrypted, and anybody's: sslmode is prefer"
