"""What a run says at its end: what failed and why, what it cost, what was there before."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from chat_server import sums
from loader.cli.run_options import exit_code, last_word
from loader.errors import ConfigurationError
from loader.ingest.withdrawals import Slice, withdraw
from loader.runner.arms import Arm, Settings
from loader.runner.session import run_missing
from loader.runner.targets import CallableTarget
from loader.runner.tasks import read_tasks
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from loader.runner.outcome import Outcome

pytestmark = pytest.mark.newest_server

SETTINGS = Settings(experiment_id="exp-1", timeout_seconds=5.0)


def run(
    url: str,
    function: Callable[..., object],
    count: int = 3,
    evaluators: Sequence[Callable[..., object]] = (),
    model: str = "adder",
    **settings: Any,  # noqa: ANN401  those of Settings
) -> Outcome:
    arm = Arm(CallableTarget(function, model_version=model), "baseline", "1.0.0")
    given = read_tasks(sums(count))
    chosen = replace(SETTINGS, **settings)
    return asyncio.run(run_missing([arm], given, evaluators, chosen, database_url=url))


def stored(url: str, columns: str) -> list[tuple[Any, ...]]:
    with connect(url) as connection:
        return connection.execute(
            f"select {columns} from raw_evals.evaluation_runs "
            "order by task_id, repetition, source_run_id, run_version"
        ).fetchall()


def add(prompt: str) -> str:
    return prompt


def judge(outputs: Mapping[str, Any]) -> float:
    if "0" in outputs["output"]:
        raise KeyError(f"no verdict from {os.environ['JUDGE_API_KEY']}")
    return 1.0


def test_what_failed_is_counted_with_its_commonest_errors(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("JUDGE_API_KEY", "very-secret")

    def fail(task_id: str, prompt: str) -> str:
        number = int(task_id.partition("-")[2])
        if number < 4:
            raise TimeoutError("busy with very-secret")
        if number == 4:
            raise ValueError("x" * 300 + "\nmore")
        return prompt

    def fine(outputs: Mapping[str, Any]) -> bool:
        return bool(outputs)

    outcome = run(database_url, fail, 12, (judge, fine), repetitions=2)
    said = last_word(outcome, None)
    assert "24 of 24 missing runs made: 14 answered, 10 failed" in said
    assert "10 of 24 answers failed; 5 of 12 tasks have none:\n" in said
    assert "\n  8 \u00d7 TimeoutError: busy with ***\n" in said
    assert f"\n  2 \u00d7 ValueError: {'x' * 87}…\n" in said
    assert f"4 of 14 scores by {__name__}:judge failed:\n" in said
    assert "\n  4 \u00d7 KeyError: 'no verdict from ***'" in said
    assert "very-secret" not in said
    assert "fine" not in said
    assert exit_code(outcome) == 0
    assert '"cost_usd":null,"unknown_costs":24' in msgspec.json.encode(outcome).decode()


def test_when_everything_failed_the_exit_code_says_so(database_url: str) -> None:
    def fail(prompt: str) -> str:
        raise OSError(prompt)

    outcome = run(database_url, fail, 5)
    assert exit_code(outcome) == 3
    said = last_word(outcome, None)
    assert "5 of 5 answers failed; 5 of 5 tasks have none" in said
    assert "\n  and 2 other errors\n" in said
    assert said.endswith("nothing came of it: every answer failed")
    assert "cost unknown" in said  # whatever it did before it failed
    assert exit_code(run(database_url, fail, 5)) == 0  # nothing was to be made

    def no_judge(outputs: Mapping[str, Any]) -> float:
        raise OSError(outputs)

    outcome = run(database_url, add, 5, (no_judge,), experiment_id="exp-2")
    assert exit_code(outcome) == 3
    assert last_word(outcome, None).endswith("nothing came of it: no evaluator gave a score")


def test_a_cost_that_nobody_knows_is_not_zero(database_url: str) -> None:
    outcome = run(database_url, add)
    assert (outcome.cost_usd, outcome.unknown_costs) == (None, 3)
    assert "cost unknown, 0 tokens" in last_word(outcome, None)
    assert stored(database_url, "cost_usd") == [(None,)] * 3

    def some(task_id: str) -> dict[str, object]:
        return {"output": "x", **({"cost_usd": 0.25} if task_id != "sum-1" else {})}

    outcome = run(database_url, some, experiment_id="exp-2")
    assert (outcome.cost_usd, outcome.unknown_costs) == (0.5, 1)
    assert "$0.5000 and 1 of unknown cost" in last_word(outcome, None)

    def free(prompt: str) -> dict[str, object]:
        return {"output": prompt, "cost_usd": 0}

    outcome = run(database_url, free, experiment_id="exp-3")
    assert "$0.0000, 0 tokens" in last_word(outcome, None)


def test_a_limit_that_cannot_hold_is_said_once_and_keeps_nobody_waiting(
    database_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    together = threading.Barrier(3)

    def wait(task_id: str, prompt: str) -> str:
        if task_id != "sum-0":
            together.wait(5)  # the others run at once
        return prompt

    outcome = run(database_url, wait, 4, max_cost_usd=1.0)
    assert (outcome.succeeded, outcome.is_limit_blind) == (4, True)
    (warning,) = [message for message in caplog.messages if "cannot hold" in message]
    assert warning.startswith("the limit of $1 (--max-cost-usd) cannot hold")
    assert "--max-cost-usd 1 could not hold" in last_word(outcome, 1.0)


def test_a_limit_holds_where_runs_say_what_they_cost(database_url: str) -> None:
    def dear(prompt: str) -> dict[str, object]:
        return {"output": prompt, "cost_usd": 0.4}

    outcome = run(database_url, dear, 5, max_cost_usd=1.0)
    assert (outcome.succeeded, outcome.stop, outcome.is_limit_blind) == (2, "cost", False)
    assert exit_code(outcome) == 5


def test_runs_that_are_there_are_added_to_replaced_or_refused(database_url: str) -> None:
    run(database_url, add, on_existing="refuse")
    with pytest.raises(ConfigurationError, match=r"exp-1, baseline 1\.0\.0 has 3 runs of 3 tasks"):
        run(database_url, add, on_existing="refuse")
    added = run(database_url, add, 4, on_existing="add", repetitions=2)
    assert (added.planned, added.already_done, added.succeeded) == (8, 3, 8)
    assert "has 3 runs of 3 tasks already: these are further repetitions" in last_word(added, None)
    numbers = stored(database_url, "task_id, repetition, run_version")
    assert numbers == [
        *((f"sum-{task}", number, 1) for task in range(3) for number in (1, 2, 3)),
        ("sum-3", 1, 1),
        ("sum-3", 2, 1),
    ]
    with connect(database_url) as connection:
        plan = connection.execute(
            "select planned_repetitions from raw_evals.arm_plans order by load_id"
        ).fetchall()
    assert plan == [(1,), (2,)]
    replaced = run(
        database_url, add, 2, on_existing="replace", repetitions=2, model="better-adder"
    )  # fmt: skip
    assert (replaced.planned, replaced.already_done) == (4, 2)
    versions = stored(database_url, "task_id, repetition, run_version, model_version")
    assert [row for row in versions if row[2] == 2] == [
        (f"sum-{task}", number, 2, "better-adder") for task in (0, 1) for number in (1, 2)
    ]
    assert run(database_url, add, 1, repetitions=3, model="adder", experiment_id="exp-1b").made == 3
    with pytest.raises(ConfigurationError, match="--retry-failed"):
        run(database_url, add, on_existing="add", retry_failed=True)


def test_two_runs_that_add_at_once_do_not_overwrite_each_other(database_url: str) -> None:
    begun = threading.Barrier(2)

    def together(prompt: str) -> str:
        begun.wait(20)  # both have seen what is there
        return prompt

    threads = [
        threading.Thread(
            target=run, args=(database_url, together, 2), kwargs={"on_existing": "add"}
        )
        for _ in range(2)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert stored(database_url, "task_id, repetition, run_version") == [
        ("sum-0", 1, 1), ("sum-0", 1, 1), ("sum-1", 1, 1), ("sum-1", 1, 1)
    ]  # fmt: skip
    assert run(database_url, add, 2, repetitions=2).planned == 0


def test_a_failure_that_was_added_is_made_anew_as_the_same_run(database_url: str) -> None:
    def fail(prompt: str) -> str:
        raise OSError(prompt)

    run(database_url, add, 2)
    run(database_url, fail, 2, on_existing="add")
    retried = run(database_url, add, 2, repetitions=2, retry_failed=True)
    assert (retried.planned, retried.already_done, retried.succeeded) == (2, 2, 2)
    assert stored(database_url, "task_id, repetition, run_version, success") == [
        (f"sum-{task}", number, version, is_fine)
        for task in (0, 1)
        for number, version, is_fine in ((1, 1, True), (2, 1, False), (2, 2, True))
    ]


def test_what_was_withdrawn_is_missing(database_url: str) -> None:
    run(database_url, add, 3)
    with connect(database_url) as connection:
        withdraw(connection, Slice(experiment="exp-1", task="sum-1"), "a wrong key", None)
    again = run(database_url, add, 3)
    assert (again.planned, again.already_done) == (1, 2)
    assert [row for row in stored(database_url, "task_id, run_version") if row[1] == 2] == [
        ("sum-1", 2)
    ]


@pytest.mark.slow
def test_the_command_ends_with_3_when_all_failed(database_url: str, tmp_path: Path) -> None:
    tasks = tmp_path / "tasks.json"
    tasks.write_text('[{"task_id": "t", "prompt": "p"}]')
    arguments = [
        "run", "--tasks", str(tasks), "--experiment-id", "e", "--experiment-group", "baseline",
        "--extension-version", "1", "--on-existing", "add", "--command", "echo broken >&2; exit 7",
    ]  # fmt: skip
    result = subprocess.run(
        [sys.executable, "-m", "loader", *arguments],
        env={**os.environ, "DATABASE_URL": database_url},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 3, result.stderr
    assert "  1 \u00d7 the command ended with status 7: broken" in result.stdout
