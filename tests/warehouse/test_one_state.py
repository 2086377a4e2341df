"""Whoever asks during builds, killed ones among them, is answered from one state that existed."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, NamedTuple, Self

import msgspec

from ingest_support import load_records
from loader.errors import WarehouseUnavailable
from loader.gate import judge
from loader.gate.policy_file import read_policy
from loader.marts import questions
from loader.marts.pages import read_experiment
from loader.marts.reading import reading
from loader.prometheus.families import read_metrics
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    import pytest

    from loader.warehouse.connection import Connection
    from warehouse_dbt import Dbt

_TASKS = 12
_CHANGES, _STAYS = "exp-changes", "exp-stays"


def records(experiment: str, gain: float) -> list[dict[str, object]]:
    return [
        {
            "experiment_id": experiment, "experiment_group": group, "extension_version": version,
            "task_id": f"t{task}", "agent_name": "fixer", "source_run_id": f"{group}-{task}",
            "scores": {"accuracy": 0.5 + task / 100 + (gain if group == "code-chef" else 0)},
            "latency_ms": 1000 + task - 500 * gain * (group == "code-chef"),
            "recorded_at": "2026-01-02T03:04:05Z",
        }
        for task in range(_TASKS)
        for group, version in (("baseline", "1.0"), ("code-chef", "2.0"))
    ]  # fmt: skip


def summary(connection: Connection, experiment: str) -> object:
    """Ask as the command does: the verdict, its metrics and the tasks."""
    with reading(connection, [experiment]):
        return [
            questions.summary(connection, experiment).records(),
            questions.metrics(connection, experiment).records(),
            questions.comparison(connection, experiment).records(),
        ]


def verdict(connection: Connection, experiment: str) -> object:
    found = judge.judge(connection, read_policy(None), judge.Asked(experiment=experiment))
    return [msgspec.to_builtins(answer.decision.candidate) for answer in found.answers]


def page(connection: Connection, experiment: str) -> object:
    return read_experiment(connection, experiment)._asdict()


def metrics(connection: Connection, experiment: str) -> object:
    del experiment
    return [
        (sample.name, sample.labels, sample.value)
        for family in read_metrics(connection)
        for sample in family.samples
    ]


class Asked(NamedTuple):
    question: str
    experiment: str
    began: float
    ended: float
    answer: str


# Of the fleet, or of an agent, whatever experiment it is asked for.
_OF_ALL = ("page", "metrics")
QUESTIONS: dict[str, Callable[[Connection, str], object]] = {
    "summary": summary,
    "verdict": verdict,
    "page": page,
    "metrics": metrics,
}


def answers(url: str) -> dict[tuple[str, str], str]:
    """Ask everything while nothing happens."""
    with connect(url) as connection:
        return {
            (name, experiment): told(ask(connection, experiment))
            for name, ask in QUESTIONS.items()
            for experiment in (_CHANGES, _STAYS)
        }


def told(answer: object) -> str:
    text = repr(answer)
    assert len(text) > 100
    return text


class Readers:
    """Those who ask again and again, and keep what they were told."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._is_over = threading.Event()
        self.asked: list[Asked] = []
        self.refused: list[tuple[str, str, str]] = []
        self.broken: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._ask, args=(name, experiment))
            for name in QUESTIONS
            for experiment in ([_CHANGES] if name in _OF_ALL else [_CHANGES, _STAYS])
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, name: str, experiment: str) -> None:
        while not self._is_over.is_set():
            began = time.monotonic()
            try:
                with connect(self._url) as connection:
                    answer = told(QUESTIONS[name](connection, experiment))
            except WarehouseUnavailable as error:
                self.refused.append((name, experiment, str(error)))
            except BaseException as error:  # noqa: BLE001  looked at by the test
                self.broken.append(error)
                return
            else:
                self.asked.append(Asked(name, experiment, began, time.monotonic(), answer))
            time.sleep(0.05)


def has_begun(url: str, load_id: int) -> bool:
    """Whether the build has put a load into the results, and not yet into what comes after."""
    with connect(url) as connection:
        row = connection.execute(
            "select built_load_id from evals_staging.build_watermarks"
            " where model = 'evaluation_results'"
        ).fetchone()
    return row == (load_id,)


def test_every_answer_is_of_one_state_that_existed(
    dbt: Dbt, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "300")
    for experiment in (_CHANGES, _STAYS):
        load_records(database_url, records(experiment, 0.3))
    dbt.build(database_url)
    states = [answers(database_url)]
    spans = []
    with Readers(database_url) as readers:
        load_records(database_url, records(_CHANGES, -0.3))
        spans.append(time.monotonic())
        dbt.build(database_url)
        spans.append(time.monotonic())
        states.append(answers(database_url))

        third = load_records(database_url, records(_CHANGES, 0.1)).load_id
        assert third is not None
        assert dbt.kill_while_building(database_url, lambda: has_begun(database_url, third))
        time.sleep(1)
        dbt.build(database_url)
        states.append(answers(database_url))

    assert not readers.broken
    for asked in readers.asked:
        existed = [state[asked.question, asked.experiment] for state in states]
        assert asked.answer in existed, f"{asked.question} of {asked.experiment}: {asked.answer}"
    for name in QUESTIONS:
        found = {each.answer for each in readers.asked if each[:2] == (name, _CHANGES)}
        assert len(found) > 1, f"{name} was never asked of more than one state"
    # who asks about what the build does not touch does not wait for it
    for name in ("summary", "verdict"):
        durations = [
            each.ended - each.began
            for each in readers.asked
            if each[:2] == (name, _STAYS) and spans[0] < each.began < spans[1]
        ]
        assert len(durations) > 3
    assert len({each.answer for each in readers.asked if each[:2] == ("summary", _STAYS)}) == 1
    told_so = {refusal for name, experiment, refusal in readers.refused if experiment == _CHANGES}
    assert any("the last build did not finish (by " in refusal for refusal in told_so)
    assert all("run evalmart build" in refusal for refusal in told_so)
    # what was recorded is what was seen
    with connect(database_url) as connection:
        recorded = connection.execute(
            "select distinct numbers - 'evidence' from raw_evals.gate_decisions"
            " where experiment_id = %s",
            [_CHANGES],
        ).fetchall()
    assert 2 <= len(recorded) <= len(states)
