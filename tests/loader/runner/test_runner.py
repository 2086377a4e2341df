"""The runner: against a real server, a real database and real commands."""

from __future__ import annotations

import asyncio
import shlex
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from chat_server import ChatServer, sums
from loader.errors import ConfigurationError
from loader.runner.arms import Arm
from loader.runner.budget import Budget
from loader.runner.session import run_missing
from loader.runner.targets import CallableTarget, CommandTarget, load_callable
from loader.runner.tasks import read_tasks
from loader.warehouse.connection import connect
from runner_calls import PRICE, SETTINGS, model, right, rows, run

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from loader.runner.outcome import Outcome
    from loader.runner.scoring import ScoredExample, ScoredRun

pytestmark = pytest.mark.newest_server


async def brief(run: ScoredRun, example: ScoredExample) -> bool:
    del example
    await asyncio.sleep(0)
    return len(run.outputs["output"]) < 10


def crash(run: ScoredRun) -> float:
    raise ValueError(f"cannot judge {run.outputs['output']}")


def size(outputs: Mapping[str, Any]) -> str:
    if outputs["output"] == "9":
        raise ValueError("no idea")
    return " short " if len(outputs["output"]) < 10 else "long"


def test_a_run_is_timed_counted_priced_and_scored(database_url: str, chat: ChatServer) -> None:
    chat.delay = 0.05
    outcome = run(
        database_url, model(chat, price=PRICE), evaluators=(right, brief, crash, size),
        settings=replace(SETTINGS, agent_name="adder"),
    )  # fmt: skip
    assert (outcome.planned, outcome.succeeded, outcome.failed) == (5, 5, 0)
    (first, *others) = rows(
        database_url,
        "source, task_id, repetition, model_version, agent_name, scores, tokens_used, "
        "round(cost_usd::numeric, 9)::float8, success, metadata, evaluator_versions, labels, "
        "latency_ms",
    )
    assert len(others) == 4
    assert first[:5] == ("run", "sum-0", 1, "good", "adder")
    assert first[5] == {"accuracy": 1.0, "brief": 1.0, "crash": None}
    assert first[6:9] == (10, 0.015, True)
    assert first[9]["category"] == "sums"
    assert first[9]["run"]["answered_model"] == "good-2025-01-31"
    assert first[9]["run"]["evaluations"]["crash"]["error"] == "ValueError: cannot judge 1"
    assert "inputs" not in first[9]["run"]
    assert set(first[10]) == {"accuracy", "brief", "crash", "size"}
    assert all("@" in version for version in first[10].values())
    assert first[11] == {"size": "short"}
    assert "size" not in first[9]["run"]["evaluations"]
    assert all(50 <= row[-1] < 1000 for row in (first, *others))
    assert outcome.cost_usd == pytest.approx(0.075)


def test_a_second_run_makes_only_what_is_missing(database_url: str, chat: ChatServer) -> None:
    run(database_url, model(chat))
    assert len(chat.requests) == 5
    again = run(database_url, model(chat))
    assert (again.planned, again.already_done) == (0, 5)
    more = run(database_url, model(chat), sums(7), settings=replace(SETTINGS, repetitions=2))
    assert (more.planned, more.already_done) == (9, 5)
    assert len(chat.requests) == 14
    there = rows(database_url, "task_id, repetition, run_version")
    assert there == [(f"sum-{task}", number, 1) for task in range(7) for number in (1, 2)]


def test_another_model_under_the_same_name_is_refused(database_url: str, chat: ChatServer) -> None:
    run(database_url, model(chat))
    with pytest.raises(ConfigurationError, match="already has runs of good"):
        run(database_url, model(chat, "weak"))


def test_calls_that_may_have_been_billed_count_with_their_bound() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        first = await budget.reserve(0.6)
        assert first == 0.6
        waiting = asyncio.ensure_future(budget.reserve(0.6))
        await asyncio.sleep(0)
        assert not waiting.done()
        await budget.settle(first, None, may_be_charged=True)
        assert await waiting is None
        assert await budget.reserve(0.4) == 0.4
        assert budget.spent_usd == 0

    asyncio.run(main())


def test_functions_are_run_whatever_they_take_and_return(database_url: str) -> None:
    async def later(prompt: str) -> dict[str, object]:
        await asyncio.sleep(0)
        return {"output": prompt.upper(), "usage": {"prompt_tokens": 3, "completion_tokens": 4}}

    assert run(database_url, CallableTarget(later), sums(2), evaluators=()).succeeded == 2
    assert rows(database_url, "tokens_used") == [(7,), (7,)]

    def failing(inputs: dict[str, Any], task_id: str) -> str:
        if task_id == "sum-1":
            raise KeyError("no such tool")
        return str(inputs["prompt"])

    settings = replace(SETTINGS, experiment_id="exp-2")
    outcome = run(database_url, CallableTarget(failing), sums(3), settings, ())
    assert (outcome.succeeded, outcome.failed) == (2, 1)

    def slow(prompt: str) -> str:
        time.sleep(0.6)
        return prompt

    settings = replace(SETTINGS, experiment_id="exp-3", timeout_seconds=0.1)
    assert run(database_url, CallableTarget(slow), sums(1), settings, ()).failed == 1
    assert load_callable("json:dumps").name == "json:dumps"
    for name in ("json", "json:nothing", "no_such_module:f", "json:__doc__"):
        with pytest.raises(ConfigurationError):
            load_callable(name)


_ADD = """
import json, re, sys, time
task = json.load(sys.stdin)
assert "expected_output" not in json.dumps(task)
left, right = map(int, re.findall(r"\\d+", task["inputs"]["prompt"]))
if left == 1: sys.exit("out of order")
if left == 2: print("no JSON"); sys.exit()
if left == 3: time.sleep(60)
print(json.dumps({"output": str(left + right), "tokens_used": 9, "cost_usd": 0.25}))
"""


def test_a_shell_command_is_given_json_and_gives_json(database_url: str, tmp_path: Path) -> None:
    script = tmp_path / "add.py"
    script.write_text(_ADD)
    command = f"{shlex.quote(sys.executable)} -I {shlex.quote(str(script))}"
    started = time.monotonic()
    outcome = run(
        database_url, CommandTarget(command, "adder-1"), settings=replace(
            SETTINGS, timeout_seconds=6
        )
    )  # fmt: skip
    assert time.monotonic() - started < 40
    assert (outcome.succeeded, outcome.failed) == (2, 3)
    there = rows(database_url, "model_version, scores, tokens_used, cost_usd, error_message")
    assert there[0] == ("adder-1", {"accuracy": 1.0}, 9, 0.25, None)
    assert there[1][4] == "the command ended with status 1: out of order"
    assert there[2][4] == "the command did not print JSON: no JSON"
    assert there[3][4] == "no answer within 6 seconds"


def test_what_breaks_the_contract_is_left_out_and_said(database_url: str) -> None:
    def off_scale(outputs: Mapping[str, Any]) -> dict[str, object]:
        return {"key": "accuracy", "score": 7, "comment": str(outputs)}

    def odd(prompt: str) -> dict[str, object]:
        return {"output": prompt, "cost_usd": -1, "tokens_used": 5}

    settings = replace(SETTINGS, with_outputs=True)
    outcome = run(database_url, CallableTarget(odd), sums(1), settings, (off_scale,))
    assert outcome.succeeded == 1
    ((scores, cost, metadata),) = rows(database_url, "scores, cost_usd, metadata")
    assert (scores, cost) == ({"accuracy": None}, None)
    assert set(metadata["left_out"]) == {"scores.accuracy", "cost_usd"}
    (comment,) = rows(database_url, "comments")[0]
    assert comment == {"accuracy": "{'output': 'What is 0 + 1?'}"}


def test_what_an_evaluator_or_a_task_says_oddly_costs_no_answer(database_url: str) -> None:
    def odd(outputs: Mapping[str, Any]) -> list[dict[str, object]]:
        del outputs
        return [{"key": "tone", "value": "good\0"}]

    metadata = {"langsmith": {"example_id": "no id of theirs"}, "half": "\ud800"}
    tasks = [{**task, "metadata": metadata} for task in sums(1)]
    outcome = run(database_url, CallableTarget(lambda prompt: prompt), tasks, SETTINGS, (odd,))
    assert outcome.succeeded == 1
    ((success, kept),) = rows(database_url, "success, metadata")
    assert success is True
    # by it a file of such runs is known
    assert kept["run"]["target"]


def test_inputs_and_outputs_are_told_apart_always_and_kept_on_demand(database_url: str) -> None:
    def shout(prompt: str) -> str:
        return prompt.upper()

    columns = "inputs_id, outputs_id, reference_outputs_id"
    run(database_url, CallableTarget(shout), sums(1))
    settings = replace(SETTINGS, experiment_id="exp-2", with_outputs=True)
    with connect(database_url) as connection:
        assert connection.execute("select from raw_evals.contents").fetchall() == []
    run(database_url, CallableTarget(shout), sums(1), settings)
    first, second = rows(database_url, columns)
    assert first == second
    with connect(database_url) as connection:
        kept = dict(
            connection.execute("select content_id, content from raw_evals.contents").fetchall()
        )
    assert [kept[content_id] for content_id in first] == [
        {"prompt": "What is 0 + 1?"},
        {"output": "WHAT IS 0 + 1?"},
        {"output": "1"},
    ]


@pytest.mark.parametrize("output", [object(), "x" * 5_000_000, float("nan")])
def test_an_output_that_cannot_be_kept_costs_nothing_else(
    database_url: str, output: object
) -> None:
    outcome = run(database_url, CallableTarget(lambda prompt: output), sums(1))  # noqa: ARG005
    assert outcome.succeeded == 1
    ((scores, success, outputs_id, metadata),) = rows(
        database_url, "scores, success, outputs_id, metadata"
    )
    assert (scores, success, outputs_id) == ({"accuracy": 0.0}, True, None)
    assert len(metadata["left_out"]) == 1


def test_cancelling_keeps_what_was_answered(database_url: str, chat: ChatServer) -> None:
    chat.delay = 0.02

    async def main() -> Outcome:
        arm = Arm(model(chat), "baseline", "1.0.0")
        work = asyncio.ensure_future(
            run_missing([arm], read_tasks(sums(500)), (right,), SETTINGS, database_url=database_url)
        )
        while len(chat.requests) < 30:  # noqa: ASYNC110  the server is no asyncio program
            await asyncio.sleep(0.01)
        work.cancel()
        return await work

    outcome = asyncio.run(main())
    assert outcome.stop == "interrupted"
    made = outcome.succeeded + outcome.failed
    assert made >= 15
    assert len(rows(database_url, "1")) == made
    again = run(database_url, model(chat), sums(40))
    assert again.already_done == made
    assert len(rows(database_url, "1")) == 40


def test_both_arms_take_turns_task_by_task(database_url: str, chat: ChatServer) -> None:
    arms = [
        Arm(model(chat, "weak"), "baseline", "1.0.0"),
        Arm(model(chat, "good"), "code-chef", "1.1.0"),
    ]
    settings = replace(SETTINGS, concurrency=1, repetitions=2)
    asyncio.run(
        run_missing(arms, read_tasks(sums(2)), (right,), settings, database_url=database_url)
    )
    assert [request["model"] for request in chat.requests] == ["weak", "good"] * 4
