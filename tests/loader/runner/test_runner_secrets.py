"""Keys are used and never kept: not in raw, spool, logs, messages or tracebacks."""

from __future__ import annotations

import asyncio
import io
import logging
import traceback
from typing import TYPE_CHECKING, Any

import pytest

from chat_server import ChatServer, Fault, sums
from loader.errors import LoaderError
from loader.runner.arms import Arm, Settings
from loader.runner.chat import ChatTarget
from loader.runner.session import run_missing
from loader.runner.targets import CallableTarget, CommandTarget
from loader.runner.tasks import read_tasks
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from langsmith_server import LangSmithServer
    from loader.runner.targets import Target

pytestmark = pytest.mark.newest_server

KEY = "sk-planted-0123456789abcdef"
VARIABLE = "EVAL_ENDPOINT_KEY"


@pytest.fixture(autouse=True)
def planted(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
    monkeypatch.setenv(VARIABLE, KEY)


def run(url: str, target: Target, *evaluators: Callable[..., object]) -> None:
    given = Settings(experiment_id="exp-1", timeout_seconds=2.5, with_outputs=True)
    tasks = read_tasks(sums(6))
    arm = Arm(target, "baseline", "1.0.0")
    asyncio.run(run_missing([arm], tasks, evaluators, given, database_url=url))


def everything(url: str, home: Path) -> str:
    """Return all that was kept: every table of raw, every file."""
    kept = []
    with connect(url) as connection:
        tables = connection.execute(
            "select table_name from information_schema.tables where table_schema = 'raw_evals'"
        ).fetchall()
        for (table,) in tables:
            rows = connection.execute(f"select t::text from raw_evals.{table} as t").fetchall()
            kept += [str(row) for row in rows]
    kept += [path.read_text(errors="replace") for path in home.rglob("*") if path.is_file()]
    return "\n".join(kept)


def leaky(outputs: Mapping[str, Any]) -> float:
    raise ValueError(f"the judge refused {KEY}: {outputs}")


def remark(outputs: Mapping[str, Any]) -> dict[str, object]:
    return {"key": "remark", "score": None, "value": f"seen {KEY}", "comment": f"{KEY} {outputs}"}


def test_a_key_is_kept_nowhere_whatever_the_endpoint_does(
    database_url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    caplog.set_level(logging.DEBUG)
    with ChatServer(key=KEY) as chat:
        chat.faults.extend(
            [
                Fault(act="echo"),
                Fault(400, body=f'{{"error": "bad key {KEY}"}}'.encode()),
                Fault(500, body=f"trace: Authorization: Bearer {KEY}".encode()),
                Fault(act="hang"),
                Fault(act="reset"),
                Fault(act="truncate"),
            ]
        )
        target = ChatTarget(chat.url, "good", key_variable=VARIABLE, first_wait=0.01)
        run(database_url, target, leaky, remark)
        assert chat.authorizations[0] == f"Bearer {KEY}"
    kept = everything(database_url, tmp_path)
    assert "you sent Bearer ***" in kept
    assert "the judge refused ***" in kept
    captured = capfd.readouterr()
    for place in (kept, caplog.text, captured.out, captured.err):
        assert KEY not in place


def test_a_key_is_in_no_traceback_even_with_its_variables(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with ChatServer(key="another") as chat:
        target = ChatTarget(chat.url, "good", key_variable=VARIABLE)
        refused = ChatTarget("http://127.0.0.1:9/v1", "good", key_variable=VARIABLE, attempts=1)
        for bad in (target, refused):
            with pytest.raises(LoaderError) as raised:
                run(database_url, bad)
            text = io.StringIO()
            shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
            shown.print(file=text)
            assert "run_missing" in text.getvalue()
            assert KEY not in text.getvalue()
            assert KEY not in str(raised.value)
    assert KEY not in caplog.text


def test_what_functions_and_commands_let_slip_is_not_kept(
    database_url: str, tmp_path: Path
) -> None:
    def slip(prompt: str) -> str:
        if "0 +" in prompt:
            return f"my key is {KEY}"
        raise RuntimeError(f"401 for {KEY}")

    run(database_url, CallableTarget(slip))
    command = CommandTarget(f"echo {KEY} >&2; exit 1")
    given = Settings(experiment_id="exp-2")
    asyncio.run(
        run_missing(
            [Arm(command, "baseline", "1")], read_tasks(sums(2)), [], given,
            database_url=database_url,
        )
    )  # fmt: skip
    kept = everything(database_url, tmp_path)
    assert "401 for ***" in kept
    assert KEY not in kept


def test_a_key_goes_to_no_endpoint_it_was_not_meant_for(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with ChatServer() as chat:
        run(database_url, ChatTarget(chat.url, "good"))
        assert set(chat.authorizations) == {None}


def test_a_run_is_traced_so_that_both_can_be_joined(
    database_url: str, tmp_path: Path, stand_in: LangSmithServer
) -> None:
    with ChatServer(key=KEY) as chat:
        chat.faults.append(Fault(act="echo"))
        target = ChatTarget(chat.url, "good", key_variable=VARIABLE)
        arm = Arm(target, "code-chef", "1.1.0")
        asyncio.run(
            run_missing(
                [arm], read_tasks(sums(3)), [], Settings(experiment_id="exp-1"),
                database_url=database_url, trace=True,
            )
        )  # fmt: skip
    with connect(database_url) as connection:
        rows = connection.execute(
            "select metadata ->> 'langsmith_run_id', task_id from raw_evals.evaluation_runs"
        ).fetchall()
    assert len(stand_in.runs) == 3
    for run_id, task_id in rows:
        metadata = stand_in.runs[str(run_id)]["extra"]["metadata"]
        assert metadata["task_id"] == task_id
        assert metadata["experiment_id"] == "exp-1"
        assert metadata["experiment_group"] == "code-chef"
        assert metadata["extension_version"] == "1.1.0"
    assert KEY not in str(stand_in.runs)
    assert KEY not in everything(database_url, tmp_path)
