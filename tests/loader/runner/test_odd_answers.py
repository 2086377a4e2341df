"""Odd answers, evaluators and tasks: a failure is a result, and the limit of money holds."""

from __future__ import annotations

import asyncio
import json
import random
import shlex
import sys
from dataclasses import replace
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from chat_server import ChatServer, Fault, sums
from loader.cli import cli
from loader.errors import ConfigurationError
from loader.runner.answers import Answer, CallFailed
from loader.runner.budget import Budget
from loader.runner.outcome import Stop
from loader.runner.targets import CallableTarget, CommandTarget, load_callable
from loader.runner.tasks import Task, read_tasks
from runner_calls import SETTINGS, model, rows, run

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

pytestmark = pytest.mark.newest_server


def deep(levels: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(levels):
        value = [value]
    return value


class UnspeakableError(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no")


class Truthless:
    def __bool__(self) -> bool:
        raise ValueError("ambiguous")


class Nameless(dict[str, Any]):
    def get(self, *_: object) -> Any:  # noqa: ANN401
        raise KeyError("no")


def raised(error: BaseException) -> Callable[[], object]:
    def fail() -> object:
        raise error

    return fail


HUGE = 10**400
NUMBERS: list[Any] = [
    float("nan"), float("inf"), float("-inf"), 1e308, HUGE, -HUGE, -1, 0.5, "12", True, [1], {},
    Decimal("1.5"), 2**63, -(2**63), 10**5000,
]  # fmt: skip
ANSWERS: list[Callable[[], object]] = [
    *(lambda number=number: {"output": "x", "tokens_used": number} for number in NUMBERS),
    *(lambda number=number: {"output": "x", "cost_usd": number} for number in NUMBERS),
    *(
        lambda number=number, name=name: {"output": "x", "usage": {name: number}}
        for name in ("prompt_tokens", "total_tokens", "cached_tokens")
        for number in NUMBERS
    ),
    *(
        lambda number=number: Answer(
            outputs={"output": number}, latency_ms=number, tokens_used=number, cost_usd=number
        )
        for number in NUMBERS
    ),
    *(lambda levels=levels: deep(levels) for levels in (150, 300, 900, 5000)),
    *(lambda levels=levels: {"output": 1, "metadata": {"a": deep(levels)}} for levels in (300,)),
    lambda: "\ud800 half", lambda: {"\udfff": "\udfff"}, lambda: {"output": {1: 2, None: 3}},
    lambda: {"error": "\ud800\0"}, lambda: {"error": "\udcff" * 3000},
    lambda: "x" * 5_000_000, lambda: {"output": 1, "metadata": {"a": "y" * 5_000_000}},
    lambda: {"output": Truthless()}, lambda: {"error": Truthless()}, lambda: {"model": Truthless()},
    Nameless, lambda: Nameless(output=1), object, lambda: {1, 2}, lambda: None,
    lambda: b"\xff", lambda: Answer(outputs="text", latency_ms="soon", metadata=[1]),  # type: ignore[arg-type]
    raised(SystemExit(3)), raised(KeyboardInterrupt()), raised(GeneratorExit()),
    raised(StopIteration()), raised(UnspeakableError()), raised(MemoryError()),
    raised(RecursionError()), raised(CallFailed("\ud800", latency_ms=float("nan"))),
    raised(asyncio.CancelledError()),
]  # fmt: skip


@pytest.mark.parametrize("is_async", [False, True])
def test_whatever_a_function_answers_is_a_result(database_url: str, *, is_async: bool) -> None:
    def answer(task_id: str) -> object:
        return ANSWERS[int(task_id)]()

    async def later(task_id: str) -> object:
        await asyncio.sleep(0)
        return ANSWERS[int(task_id)]()

    given = [{"task_id": str(number), "prompt": "?"} for number in range(len(ANSWERS))]
    target = CallableTarget(later if is_async else answer)
    settings = replace(SETTINGS, timeout_seconds=30.0, with_outputs=True)
    outcome = run(database_url, target, given, settings)
    assert (outcome.made, outcome.stop) == (len(ANSWERS), None)
    assert outcome.failed > 20
    there = rows(database_url, "task_id, success, error_message")
    assert len({task for task, _, _ in there}) == len(ANSWERS)
    assert all(error for _, success, error in there if success is False)


EVALUATIONS: list[Callable[[], object]] = [
    *(lambda number=number: number for number in NUMBERS),
    *(lambda number=number: {"key": "k", "score": number} for number in NUMBERS),
    lambda: {"key": "k" * 200, "score": 1}, lambda: {"key": "\u00e9" * 100, "score": 1},
    lambda: {"key": "\0", "score": 1}, lambda: {"key": " ", "score": 1},
    lambda: {"key": "\ud800", "score": 1}, lambda: {"key": "a.b", "score": float("nan")},
    lambda: {"key": "k", "value": {"deep": deep(900)}}, lambda: {"key": "k", "comment": "\ud800\0"},
    lambda: {"key": "k", "comment": "c" * 5_000_000}, lambda: {"key": "k", "value": "\ud800"},
    lambda: [{"key": str(number), "score": 1} for number in range(300)], Truthless,
    list, object, raised(SystemExit()), raised(KeyboardInterrupt()),
    raised(UnspeakableError()), raised(RecursionError()), raised(GeneratorExit()),
]  # fmt: skip


def test_whatever_an_evaluator_says_costs_no_answer(database_url: str) -> None:
    def odd(inputs: Mapping[str, Any]) -> object:
        return EVALUATIONS[int(inputs["prompt"])]()

    async def later(inputs: Mapping[str, Any]) -> object:
        return EVALUATIONS[int(inputs["prompt"])]()

    numbers = range(len(EVALUATIONS))
    given = [{"task_id": f"t{number}", "prompt": str(number)} for number in numbers]
    target = CallableTarget(lambda prompt: prompt)
    settings = replace(SETTINGS, timeout_seconds=30.0)
    outcome = run(database_url, target, given, settings, (odd, later))
    assert (outcome.succeeded, outcome.failed) == (len(EVALUATIONS), 0)
    assert {row[0] for row in rows(database_url, "success")} == {True}


def test_a_key_that_cannot_name_a_score_is_said(database_url: str) -> None:
    def long_key(outputs: object) -> dict[str, object]:
        del outputs
        return {"key": "k" * 129, "score": 1}

    target = CallableTarget(lambda prompt: prompt)
    outcome = run(database_url, target, sums(1), evaluators=(long_key,))
    assert outcome.succeeded == 1
    [name] = outcome.fruitless
    assert "cannot name a score" in outcome.evaluators[name].commonest()[0]
    [(scores, metadata)] = rows(database_url, "scores, metadata")
    assert scores == {}
    assert "at most 128 bytes" in metadata["run"]["evaluations"]["k" * 128]["error"]


COMMANDS = {
    "[" * 100_000: "nested too deeply",
    "[" * 400 + "]" * 400: "200 levels deep",
    '{"output": 1, "cost_usd": 1' + "0" * 400 + "}": None,
    '{"output": 1, "tokens_used": NaN}': "no whole number",
    '{"output": 1, "tokens_used": 1e400}': "no whole number",
    '{"output": 1, "tokens_used": 9' + "9" * 5000 + "}": "did not print JSON",
    '{"output": "\\ud800"}': None,
    '"\\u0000"': None,
    '{"error": "\\ud800"}': "\\ud800",
}


def test_whatever_a_command_prints_is_a_result(database_url: str, tmp_path: Path) -> None:
    printed = list(COMMANDS)
    (tmp_path / "all.json").write_text(json.dumps(printed))
    program = (
        "import json, sys; task = json.load(sys.stdin); "
        f"print(json.load(open({str(tmp_path / 'all.json')!r}))[int(task['task_id'])])"
    )
    command = f"{shlex.quote(sys.executable)} -I -c {shlex.quote(program)}"
    given = [{"task_id": str(number), "prompt": "?"} for number in range(len(printed))]
    settings = replace(SETTINGS, timeout_seconds=30.0, concurrency=2)
    outcome = run(database_url, CommandTarget(command), given, settings, ())
    assert outcome.made == len(printed)
    errors = dict(rows(database_url, "task_id, error_message"))
    for number, wanted in enumerate(COMMANDS.values()):
        found = errors[str(number)]
        assert found is None if wanted is None else wanted in found


def test_a_command_that_prints_without_end_is_given_up(database_url: str) -> None:
    settings = replace(SETTINGS, timeout_seconds=30.0)
    outcome = run(database_url, CommandTarget("yes"), sums(1), settings, ())
    [(error,)] = rows(database_url, "error_message")
    assert (outcome.failed, error) == (
        1, "the command printed more than 16,777,216 bytes; print only the answer",
    )  # fmt: skip


def test_odd_numbers_of_an_endpoint_cost_no_answer(database_url: str, chat: ChatServer) -> None:
    odd = ["NaN", "1e400", "-5", '"7"', "[1]", "1" + "0" * 400, "2.0"]
    bodies = [
        f'{{"choices": [{{"message": {{"content": "1"}}}}], "usage": {{"prompt_tokens": {number}, '
        f'"completion_tokens": 2, "total_tokens": {number}}}}}'
        for number in odd
    ]
    bodies += [
        '{"model": [1], "usage": "much", "choices": [{"message": {"content": "\\ud800"}}]}',
        '{"choices": [{"message": {"content": null, "tool_calls": [{"a": %s}]}}]}'
        % ("[" * 900 + "]" * 900),
        "[" * 100_000,
    ]
    chat.faults.extend(Fault(200, body=body.encode()) for body in bodies)
    settings = replace(SETTINGS, concurrency=1, timeout_seconds=30.0)
    outcome = run(database_url, model(chat, attempts=1), sums(len(bodies)), settings, ())
    assert (outcome.made, outcome.failed) == (len(bodies), 2)
    tokens = [row[0] for row in rows(database_url, "tokens_used")]
    assert tokens == [*[None] * 6, 2, None, None, None]


@pytest.mark.parametrize("seed", range(40))
def test_an_odd_cost_never_lets_more_be_spent(seed: int) -> None:
    """After the first cost that is known, no run passes the limit, whatever others say."""
    chance = random.Random(seed)  # noqa: S311  the same every time
    odd = [-0.9, -1e9, float("nan"), float("-inf"), None]
    budget = Budget(1.0)
    spent = 0.0

    async def call() -> bool:
        nonlocal spent
        reserved = await budget.reserve(None)
        if reserved is None:
            return False
        said = chance.choice([0.9, 0.3, *odd]) if spent else 0.3
        spent += abs(said) if said in (0.9, 0.3, -0.9) else 0.0
        answer = Answer(outputs={}, latency_ms=1, cost_usd=said)
        await budget.settle(
            reserved,
            answer.known_cost_usd,
            may_be_charged=answer.known_cost_usd is None,
            is_bounded=False,
            odd_cost_usd=answer.odd_cost_usd,
        )
        return True

    async def main() -> None:
        for _ in range(100):
            if not await call():
                return
        raise AssertionError("the limit was never reached")

    asyncio.run(main())
    assert budget.spent_usd >= 0
    assert spent <= 1.0 + 0.9  # the last may be dearer than any before


@pytest.mark.parametrize("said", [-0.9, float("inf"), HUGE, -HUGE])
def test_the_limit_holds_where_every_cost_is_odd(database_url: str, said: float) -> None:
    target = CallableTarget(lambda prompt: {"output": prompt, "cost_usd": said})
    settings = replace(SETTINGS, max_cost_usd=1.0, concurrency=4)
    outcome = run(database_url, target, sums(20), settings, ())
    assert (outcome.made, outcome.stop) == (1, Stop.COST)
    assert outcome.cost_usd is None


def test_a_failed_answer_costs_what_it_says(database_url: str) -> None:
    target = CallableTarget(lambda prompt: {"error": prompt, "cost_usd": 0.4})
    settings = replace(SETTINGS, max_cost_usd=1.0, concurrency=1)
    outcome = run(database_url, target, sums(20), settings, ())
    assert (outcome.failed, outcome.stop, outcome.unknown_costs) == (2, Stop.COST, 0)
    assert outcome.cost_usd == pytest.approx(0.8)


@pytest.mark.parametrize("name", ["builtins:str", "builtins:dict", "builtins:max"])
def test_a_target_that_hides_its_parameters_is_refused(name: str) -> None:
    with pytest.raises(ConfigurationError, match=r"parameter|must take"):
        load_callable(name)


def test_a_task_that_cannot_be_kept_is_refused_before_anything_is_paid(database_url: str) -> None:
    asked: list[str] = []

    def ask(prompt: str) -> None:
        asked.append(prompt)

    target = CallableTarget(ask)
    with pytest.raises(ConfigurationError, match="task_id is 600 bytes long"):
        run(database_url, target, [*sums(1), {"task_id": "t" * 600, "prompt": "?"}])
    assert asked == []
    with pytest.raises(ConfigurationError, match="levels deep"):
        read_tasks([Task("t", {"a": deep(300)})])


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"task_id": "\xff"}', b'{"task_id": "t", "prompt": 1e999}', b"\0"]
)
def test_odd_files_of_tasks_are_a_sentence(
    database_url: str, tmp_path: Path, content: bytes
) -> None:
    path = tmp_path / "tasks.jsonl"
    path.write_bytes(content + b"\n" + content)
    arguments = [
        "run", "--tasks", str(path), "--target", "json:dumps", "--experiment-id", "e",
        "--experiment-group", "baseline", "--extension-version", "1",
        "--database-url", database_url,
    ]  # fmt: skip
    result = CliRunner().invoke(cli, arguments)
    assert result.exit_code == 2, result.output
    assert "Traceback" not in result.output
