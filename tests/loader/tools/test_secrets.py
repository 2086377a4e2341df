"""What is secret stays so: whole, in part, cut, written otherwise, and in everything kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import servers
from loader.errors import ConfigurationError
from loader.runner.answers import CallFailed
from loader.tools import secrets
from loader.warehouse.connection import connect, connection_string

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

pytestmark = pytest.mark.newest_server

KEY = "sk-planted-0123456789abcdef-XYZ"
PASSWORD = "p@ss/w0rd:planted?#%"  # noqa: S105  planted, to look for it
BEGINNINGS = (KEY[:8], PASSWORD[:8], quote(PASSWORD, safe="")[:8])


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(secrets, "_remembered", set())
    monkeypatch.setenv("EVAL_ENDPOINT_KEY", KEY)
    monkeypatch.setenv("DATABASE_URL", f"postgresql://me:{quote(PASSWORD, safe='')}@host/db")


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("told", [
    KEY, f"key {KEY}.", f"Bearer {KEY}", f"{KEY}{KEY}", f'{{"key": "{KEY}"}}', KEY[:8], KEY[:20],
    f"401 for {KEY[:12]}…", PASSWORD, PASSWORD[:9],
    quote(PASSWORD, safe=""), json.dumps(PASSWORD), f"password={PASSWORD} x",
    f"host=h password='{PASSWORD}'",
    f"postgresql://me:{PASSWORD}@host/db", f"postgresql://me:{quote(PASSWORD, safe='')}@host/db",
])  # fmt: skip
def test_a_known_secret_is_taken_out_in_every_form(told: str) -> None:
    for text in (
        secrets.redact(told),
        secrets.redact(f"a {told}\nb"),
        secrets.without_known(f"x {told}"),
    ):
        assert not [part for part in BEGINNINGS if part in text]
        assert KEY[-8:] not in text
        assert secrets.MARK in text


@pytest.mark.usefixtures("planted")
@pytest.mark.parametrize("text", [
    "nothing here", "sk-live", "me@host", "https://host:8080/path", "the password is not printed",
    "postgresql://me@host:5432/db", "pass word", "",
])  # fmt: skip
def test_what_is_no_secret_stays(text: str) -> None:
    assert secrets.redact(text) == text


@settings(max_examples=100, deadline=None)
@given(before=st.text(max_size=700), after=st.text(max_size=700), cut=st.integers(1, 700))
def test_no_cut_leaves_eight_characters_of_a_key(before: str, after: str, cut: int) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("EVAL_ENDPOINT_KEY", KEY)
        text = before + KEY + after
        for shown in (
            secrets.redact(text)[:cut],
            secrets.redact(text)[-cut:],
            secrets.redact(text[:cut]),
            secrets.redact(text[-cut:]),
            str(CallFailed(text)),
        ):
            parts = {KEY[place : place + 8] for place in range(len(KEY) - 7)}
            kept = {part for part in parts if part in shown}
            allowed = {part for part in parts if part in before or part in after}
            inside = {KEY[place : place + 8] for place in range(1, len(KEY) - 8)}
            assert kept <= allowed | inside


def test_a_short_password_is_taken_out_where_it_is_a_word(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(secrets, "_remembered", set())
    monkeypatch.setenv("PGPASSWORD", "hunter2")
    assert secrets.redact("it is hunter2, not hunter22") == "it is ***, not hunter22"


@pytest.mark.parametrize("url", [
    "postgresql://me:pa/ss-planted@host/db", "postgresql://me:pa@ss-planted@host/db",
    "postgresql://me:1234/ss-planted@host/db", "postgresql://me:pa?ss-planted@host/db",
    "postgresql://me:pa#ss-planted/@host/db", "postgresql://me:pa%zzss-planted@host/db",
    "postgresql://me:ss-planted@host:port/db", "postgresql://me:ss-planted@[host/db",
    "host=h password=a ss-planted", "host=h port=x password=ss-planted",
    "dbname=postgresql://me:ss-planted@h/db", "mysql://me:ss-planted@host/db",
])  # fmt: skip
def test_a_connection_string_that_can_be_misread_is_refused_and_not_repeated(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for given_by in ("option", "environment"):
        monkeypatch.setenv("DATABASE_URL", url)
        with pytest.raises(ConfigurationError) as raised:
            connection_string(url if given_by == "option" else None)
        assert "planted" not in str(raised.value)
        assert "ss-" not in str(raised.value)
        assert raised.value.__suppress_context__ or raised.value.__context__ is None


@pytest.mark.parametrize("url", [
    "postgresql://me@host/db", "postgresql://me:p%40ss%2F@host:5432/db?sslmode=require",
    "postgresql:///db?host=/tmp", "postgresql:///db?host=/tmp&user=me@example",
    "postgresql://a:1,b:2/db", "host=h user=me password='a b@/c' dbname=d", "service=s",
    "postgresql://[::1]:5432/db", "postgres://me@host", "dbname=me@home",
])  # fmt: skip
def test_what_can_be_read_in_one_way_is_taken(url: str) -> None:
    assert connection_string(url) == url


class Watched:
    """Every command line that is to be seen while something runs."""

    def __init__(self) -> None:
        self.seen: set[str] = set()
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._look)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._over.wait(0.2):
            for path in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    self.seen.add(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
                except OSError:
                    continue


@pytest.fixture
def environment(empty_database_url: str) -> Iterator[Mapping[str, str]]:
    from psycopg.conninfo import conninfo_to_dict

    parts: dict[str, Any] = conninfo_to_dict(empty_database_url)
    url = (
        f"postgresql://{parts['user']}:{quote(PASSWORD, safe='')}@/{parts['dbname']}"
        f"?host={quote(parts['host'], safe='')}&port={parts['port']}"
    )
    with servers.short_directory() as home:
        yield {
            **os.environ, "EVALMART_HOME": str(home), "DATABASE_URL": url,
            "PYTHONPATH": str(servers.REPOSITORY), "EVAL_ENDPOINT_KEY": KEY,
            "LANGSMITH_API_KEY": f"lsv2_pt_{KEY}", "LANGSMITH_ENDPOINT": "nowhere",
        }  # fmt: skip


_LEAKS = """
import os, sys
key, url = os.environ["EVAL_ENDPOINT_KEY"], os.environ["DATABASE_URL"]
asked = sys.stdin.read()
place = int(asked.split("place ")[1].split('"')[0])
sys.stderr.write("x" * place + key + "y" * max(480 - place, 0) + " " + url)
sys.exit(1)
"""


@pytest.mark.slow
def test_a_planted_key_and_password_are_found_nowhere(
    empty_database_url: str, environment: Mapping[str, str], tmp_path: Path
) -> None:
    (tmp_path / "leaks.py").write_text(_LEAKS)
    (tmp_path / "judge.py").write_text(
        "import os\n"
        "def leaky(outputs):\n"
        "    raise ValueError('x' * 1990 + os.environ['EVAL_ENDPOINT_KEY'])\n"
    )
    tasks = [{"task_id": f"t{number}", "prompt": f"place {number * 7}"} for number in range(40, 70)]
    (tmp_path / "tasks.jsonl").write_text("".join(f"{json.dumps(task)}\n" for task in tasks))
    run = [
        "run", "--tasks", "tasks.jsonl", "--experiment-id", "exp-1", "--extension-version", "1",
        "--with-io", "--output", "runs.jsonl", "--command", f"{sys.executable} leaks.py",
    ]  # fmt: skip
    away = {**environment, "DATABASE_URL": environment["DATABASE_URL"].replace("port=", "port=1")}
    recorder = (
        "from loader import Recorder\n"
        "import os\n"
        "with Recorder(experiment_id='exp-2', experiment_group='baseline', extension_version='1')"
        " as recorder:\n"
        "    recorder.record(task_id='t', scores={'accuracy': 1})\n"
    )
    commands: list[tuple[list[str], Mapping[str, str]]] = [
        (["init"], environment),
        ([*run, "--experiment-group", "baseline"], environment),
        ([*run, "--experiment-group", "code-chef", "--evaluator", "judge:leaky"], environment),
        (["build"], environment),
        (["doctor"], environment),
        (["compare", "--experiment", "exp-1", "--format", "csv"], environment),
        (["gate", "--experiment", "exp-1", "--format", "json"], environment),
        (["report", "--experiment", "exp-1", "-o", "report.html"], environment),
        (["metrics", "--textfile", "evalmart.prom"], environment),
        (["export", "trials.csv", "--mart", "evaluation_trials"], environment),
        (["--debug", "summary", "--experiment", "exp-1"], away),
    ]
    told = []
    with Watched() as watched:
        for arguments, given_environment in commands:
            done = subprocess.run(
                [sys.executable, "-m", "loader", *arguments], cwd=tmp_path, env=given_environment,
                capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
            )  # fmt: skip
            assert done.returncode != 70, done.stdout + done.stderr
            told += [done.stdout, done.stderr]
        done = subprocess.run(
            [sys.executable, "-c", recorder], cwd=tmp_path, env=away, capture_output=True,
            text=True, check=True,
        )  # fmt: skip
        told += [done.stdout, done.stderr]
    assert "status 1" in "".join(told)
    places = {"output": "\n".join(told), "processes": "\n".join(watched.seen)}
    assert "loader.warehouse.dbt_process" in places["processes"]
    with connect(empty_database_url) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables"
            " where schemaname !~ '^(pg_|information)'"
        ).fetchall()
        assert len(tables) > 50
        for (table,) in tables:
            rows = connection.execute(f"select t::text from {table} as t").fetchall()  # type: ignore[arg-type]
            places[str(table)] = "\n".join(str(row) for row in rows)
    home = Path(environment["EVALMART_HOME"])
    assert list(home.rglob("*.spool"))
    assert list(home.rglob("dbt/target/run/**/*.sql"))
    for folder in (home, tmp_path):
        for path in folder.rglob("*"):
            if path.is_file():
                places[str(path)] = path.read_text(errors="replace")
    assert "the command ended with status 1" in places["raw_evals.evaluation_runs"]
    hits = {place: [part for part in BEGINNINGS if part in text] for place, text in places.items()}
    assert {place: parts for place, parts in hits.items() if parts} == {}
