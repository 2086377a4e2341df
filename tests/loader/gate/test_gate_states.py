"""Every state between an empty database and a verdict, in one warehouse: the cause comes first."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, NamedTuple

import pytest
from click.testing import CliRunner

import servers
from loader.cli import cli
from loader.warehouse.connection import connect
from role_logins import login
from sample_marts import loader

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from click.testing import Result

    from warehouse_dbt import Dbt

_ARMS = ("baseline", "code-chef")


class Said(NamedTuple):
    """What a command did."""

    code: int
    first: str
    """The first line of what went wrong, else of what it says."""
    whole: str


def _said(url: str, *arguments: str) -> Said:
    result: Result = CliRunner().invoke(cli, [*arguments, "--database-url", url])
    lines = [line for line in result.stderr.splitlines() if not line.startswith("note:")]
    if not lines:
        lines = [line for line in result.stdout.splitlines() if line.strip()]
    return Said(result.exit_code, lines[0] if lines else "", result.output)


def _records(experiment: str, arms: Sequence[str], **more: object) -> Iterator[dict[str, object]]:
    for number in range(12):
        for arm in arms:
            yield {
                "experiment_id": experiment,
                "task_id": f"task-{number}",
                "experiment_group": arm,
                "extension_version": "1.0",
                "agent_name": "feature_dev",
                "recorded_at": "2025-03-01T00:00:00Z",
                **more,
            }


def _ingest(url: str, path: Path, records: Iterator[dict[str, object]]) -> None:
    lines = [json.dumps(record) + "\n" for record in records]
    path.write_text("".join(lines), encoding="utf-8")
    loader(url, "ingest", "--file", path)


def _all(*streams: Iterator[dict[str, object]]) -> Iterator[dict[str, object]]:
    for stream in streams:
        yield from stream


@pytest.fixture(scope="module")
def warehouse(
    postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[str]:
    """Give a warehouse with an experiment in each state; built once, and loaded once after."""
    folder = tmp_path_factory.mktemp("states")
    score = {"scores": {"accuracy": 0.5}}
    with servers.migrated(postgres_server) as url:
        _ingest(
            url,
            folder / "built.jsonl",
            _all(
                _records("whole", _ARMS, **score),
                _records("candidate-only", _ARMS[1:], **score),
                _records("control-only", _ARMS[:1], **score),
                _records("half-late", _ARMS[:1], **score),
                _records("taken-back", _ARMS, **score),
                _records("all-broken", _ARMS, success=False),
                _records("broken", _ARMS[:1], **score),
                _records("broken", _ARMS[1:], success=False),
                _records("apart", _ARMS[:1], **score),
                ({**one, "task_id": f"other-{one['task_id']}"}
                 for one in _records("apart", _ARMS[1:], **score)),
                _records("bare", _ARMS),
            ),
        )  # fmt: skip
        withdraw = ("withdraw", "--experiment", "taken-back", "--yes", "--reason", "by mistake")
        loader(url, *withdraw)
        dbt.build(url)
        late = _all(_records("late", _ARMS, **score), _records("half-late", _ARMS[1:], **score))
        _ingest(url, folder / "late.jsonl", late)
        yield url


def test_before_init_the_first_thing_said_is_to_run_it(empty_database_url: str) -> None:
    for command in ("gate", "summary", "compare"):
        said = _said(empty_database_url, command, "--experiment", "exp-1")
        assert (said.code, said.first) == (
            2,
            "Error: the schema raw_evals does not exist; run: evalmart init",
        ), command
    assert "evalmart init" in _said(empty_database_url, "experiments").first


def test_before_any_load_what_is_missing_is_a_load(database_url: str) -> None:
    said = _said(database_url, "gate", "--experiment", "exp-1")
    assert (said.code, said.first) == (
        5,
        "Error: no candidate results for exp-1: nothing is loaded yet; did ingest run?",
    )
    for command in (("summary", "--experiment", "exp-1"), ("regressions",), ("experiments",)):
        said = _said(database_url, *command)
        assert said.code == 2
        assert said.first == "Error: nothing is loaded yet; did ingest run? Then run evalmart build"


def test_before_the_first_build_the_loads_that_wait_are_counted(
    database_url: str, tmp_path: Path
) -> None:
    _ingest(database_url, tmp_path / "some.jsonl", _records("exp-1", _ARMS))
    gate = _said(database_url, "gate", "--experiment", "exp-1")
    assert gate.code == 5
    assert gate.first == (
        "Error: no candidate results for exp-1 in the marts yet: 1 load is waiting; "
        "run evalmart build"
    )
    summary = _said(database_url, "summary", "--experiment", "exp-1")
    told = "Error: the marts are not built; run evalmart build (1 load is waiting)"
    assert (summary.code, summary.first) == (2, told)


@pytest.mark.parametrize(
    ("experiment", "sentence"),
    [
        ("late", "no candidate results for late in the marts yet: 1 load is waiting; run evalmart"),
        ("half-late", "no candidate results for half-late in the marts yet: 1 load is waiting"),
        ("control-only", "no candidate results for control-only: only a control group has results"),
        ("taken-back", "no candidate results for taken-back: every run of taken-back was withdraw"),
        ("whol", "no candidate results for 'whol'; did ingest run? (did you mean whole?)"),
        ("zzz", "no candidate results for 'zzz'; did ingest run?"),
    ],
)
def test_what_cannot_be_judged_ends_with_5_and_one_sentence(
    warehouse: str, experiment: str, sentence: str
) -> None:
    said = _said(warehouse, "gate", "--experiment", experiment)
    assert said.code == 5
    assert said.first.startswith(f"Error: {sentence}")
    assert "INCONCLUSIVE" not in said.whole
    with connect(warehouse) as connection:
        query = "select from raw_evals.gate_decisions where experiment_id = %s"
        assert connection.execute(query, (experiment,)).fetchone() is None


@pytest.mark.parametrize(
    ("experiment", "cause", "remedy"),
    [
        ("candidate-only", "No baseline: candidate-only has no result of a control group.",
         "What would decide it: a baseline: load its results into candidate-only as a control"),
        ("apart", "Nothing is shared: none of the 12 tasks of the candidate is among the 12",
         "What would decide it: tasks that both arms have"),
        ("bare", "Nothing to compare: no run has a score or a measurement.",
         "What would decide it: values that both arms have"),
        ("broken", "Every run of code-chef 1.0 in broken failed (12 of 12). Nothing to compare",
         "What would decide it: runs that come to an end"),
        ("all-broken", "Every run of baseline 1.0 in all-broken failed (12 of 12). Every run of",
         "What would decide it: runs that come to an end"),
    ],
)  # fmt: skip
def test_an_open_verdict_opens_with_its_cause_and_names_one_remedy(
    warehouse: str, experiment: str, cause: str, remedy: str
) -> None:
    said = _said(warehouse, "gate", "--experiment", experiment)
    lines = [line.strip() for line in said.whole.splitlines() if line.strip()]
    lines = [line for line in lines if not line.startswith("note:")]
    assert said.code == 5
    assert lines[0].startswith("INCONCLUSIVE")
    assert lines[1].startswith(cause)
    assert said.whole.count(lines[1]) == 1, "said twice"
    (told,) = [line for line in lines if line.startswith("What would decide it")]
    assert told.startswith(remedy)


@pytest.mark.parametrize("command", ["summary", "compare"])
@pytest.mark.parametrize(
    ("experiment", "code", "sentence"),
    [
        ("late", 2, "Error: late is loaded but not built yet; run evalmart build"),
        ("taken-back", 2, "Error: every run of taken-back was withdrawn by "),
        ("whol", 2, "Error: no experiment 'whol' (did you mean whole?)"),
        ("candidate-only", 0, "candidate-only has no result of a control group"),
        ("apart", 0, "Nothing is shared: none of the 12 tasks of the candidate"),
    ],
)
def test_pages_name_the_same_causes(
    warehouse: str, command: str, experiment: str, code: int, sentence: str
) -> None:
    said = _said(warehouse, command, "--experiment", experiment)
    assert said.code == code
    assert sentence in (said.first if code else said.whole)


def test_a_gate_that_may_read_little_says_the_same(warehouse: str) -> None:
    with login(warehouse, "evals_gate") as url:
        for experiment, sentence in (
            ("late", "in the marts yet: 1 load is waiting; run evalmart build"),
            ("control-only", "only a control group has results there"),
            ("taken-back", "every run of taken-back was withdrawn"),
            ("whol", "(did you mean whole?)"),
        ):
            said = _said(url, "gate", "--experiment", experiment)
            assert said.code == 5
            assert sentence in said.first


def test_a_whole_experiment_gets_its_verdict(warehouse: str) -> None:
    said = _said(warehouse, "gate", "--experiment", "whole", "--format", "json")
    (verdict,) = json.loads(said.whole[said.whole.index("[") :])
    assert (said.code, verdict["verdict"]) == (5, "inconclusive")
    assert verdict["evidence"]["failed_arms"] == []
