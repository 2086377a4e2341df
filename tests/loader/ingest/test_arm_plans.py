"""How much arms were to run: from LangSmith and the runner, written once, purged in the end."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from ingest_support import load_records, record, run_load, select
from langsmith_server import Fault, LangSmithServer, Row
from loader.ingest import arm_plans, retention
from loader.ingest.load import load
from loader.records.checker import Defaults
from loader.runner.arms import Arm, Settings
from loader.runner.session import run_missing
from loader.runner.stopping import Question
from loader.runner.targets import CallableTarget
from loader.runner.tasks import read_tasks
from loader.sources import ArmPlan
from loader.sources.langsmith import LangSmith, LangSmithSource, Wishes
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary
from memory_source import MemorySource

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from loader.ingest.summary import LoadSummary

pytestmark = pytest.mark.newest_server

DEFAULTS = Defaults(experiment_id="exp", experiment_group="code-chef", extension_version="1.0.0")
START = datetime.now(UTC) - timedelta(hours=1)
LATER = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
ARM = ("exp", "code-chef", "1.0.0")
PLANS = (
    "select experiment_id, experiment_group, extension_version, planned_repetitions, planned_tasks"
    " from raw_evals.arm_plans order by load_id, experiment_group"
)
TOUCHED = "select load_id, experiment_id from raw_evals.load_experiments order by 1"


class Planned(MemorySource):
    """Records of which it is known how many there were to be."""

    def __init__(self, records: Sequence[dict[str, object]], *plans: ArmPlan) -> None:
        super().__init__(records)
        self._plans = plans

    def plans(self) -> Sequence[ArmPlan]:
        return self._plans


def plan(repetitions: int | None, tasks: int | None, group: str = "baseline") -> ArmPlan:
    return ArmPlan("exp-1", group, "1.0.0", repetitions, tasks)


def take(
    url: str,
    client: LangSmith,
    project: str = "one",
    **wishes: Any,  # noqa: ANN401
) -> tuple[LoadSummary, LangSmithSource]:
    source = LangSmithSource(client, project, Wishes(DEFAULTS, **wishes))
    with connect(url) as connection:
        return load(connection, source, read_vocabulary(), DEFAULTS, accept_feedback=True), source


def experiment(
    server: LangSmithServer, examples: int = 5, runs: int = 4, **metadata: object
) -> tuple[Row, Row]:
    """Make a dataset and an experiment with two runs of each of its first examples."""
    dataset = server.add_dataset("scenarios")
    session = server.add_session(
        "one", reference_dataset_id=dataset["id"], extra={"metadata": metadata},
        start_time=START.isoformat(),
    )  # fmt: skip
    for number in range(examples):
        example = server.add_example(dataset, {"q": number}, {}, {})
        for _ in range(2 if number < runs else 0):
            server.add_run(session, START, reference_example_id=example["id"])
    return dataset, session


# ---- any load ----


def test_a_plan_is_written_with_its_load_and_not_again_until_it_changes(database_url: str) -> None:
    records = [record()]
    assert run_load(database_url, Planned(records, plan(3, 10))).loaded == 1
    assert select(database_url, PLANS) == [("exp-1", "baseline", "1.0.0", 3, 10)]
    assert run_load(database_url, Planned(records, plan(3, 10))).unchanged == 1
    assert len(select(database_url, PLANS)) == len(select(database_url, TOUCHED)) == 1
    # what changed touches the experiment, though no run did
    changed = run_load(database_url, Planned(records, plan(5, None)))
    assert (changed.loaded, changed.unchanged) == (0, 1)
    assert select(database_url, PLANS)[1:] == [("exp-1", "baseline", "1.0.0", 5, None)]
    assert select(database_url, TOUCHED)[1:] == [(changed.load_id, "exp-1")]
    # nothing known is no plan, and a load that cannot know leaves it alone
    load_records(database_url, records)
    other = [record(experiment_group="code-chef")]
    run_load(database_url, Planned(other, plan(None, None, "code-chef")))
    assert len(select(database_url, PLANS)) == 2
    # a load that brings runs says its plan again: it stays when the first load is withdrawn
    more = run_load(database_url, Planned([record(task_id="t-2")], plan(5, None)))
    assert more.loaded == 1
    assert select(database_url, PLANS)[2:] == [("exp-1", "baseline", "1.0.0", 5, None)]


def test_an_arm_without_runs_and_a_load_that_is_refused_have_no_plan(database_url: str) -> None:
    plans = (plan(3, 10), plan(3, 10, "code-chef"), plan(1, 1, "not\0storable"))
    sound, broken = record(), record(success="yes")
    assert run_load(database_url, Planned([sound, broken], *plans), strict=True).is_refused
    assert select(database_url, PLANS) == []
    run_load(database_url, Planned([sound, broken], *plans))
    assert select(database_url, PLANS) == [("exp-1", "baseline", "1.0.0", 3, 10)]


def test_a_plan_goes_with_the_last_run_of_its_experiment(database_url: str) -> None:
    old = "2020-01-01T00:00:00Z"
    records = [
        record(recorded_at=old), record(experiment_group="code-chef", recorded_at=old),
        record(experiment_id="exp-2", recorded_at=old), record(experiment_id="exp-2", task_id="t2"),
    ]  # fmt: skip
    plans = [plan(3, 10), plan(3, 10, "code-chef"), plan(2, 2)._replace(experiment_id="exp-2")]
    run_load(database_url, Planned(records, *plans))
    with connect(database_url, autocommit=True) as connection:
        removed = list(retention.remove(connection, retention.find(connection, 365), 1))
    assert sum(batch.runs for batch in removed) == 3
    assert select(database_url, PLANS) == [("exp-2", "baseline", "1.0.0", 2, 2)]


# ---- LangSmith ----


def test_a_finished_experiment_says_its_repetitions_and_its_dataset_the_tasks(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    dataset, _ = experiment(
        stand_in, num_repetitions=3, dataset_version=LATER, dataset_splits=["base"]
    )
    _, source = take(database_url, connect_langsmith())
    assert select(database_url, PLANS) == [(*ARM, 3, 5)]
    without_run, partial = source.notes()
    assert without_run == "1 example of the dataset without a run."
    assert "partial: 8 of 15 runs finished (5 examples, 3 times each)" in partial
    assert source.reference()["requests"] == 5
    assert [path for _, path in stand_in.log].count("/examples/count") == 1
    # examples that came later, or are of a split that was not run, were not to be run
    stand_in.add_example(dataset, {}, {}, {"dataset_split": "train"})
    stand_in.add_example(dataset, {}, {}, {})["created_at"] = "2999-01-01T00:00:00Z"
    take(database_url, connect_langsmith())
    assert select(database_url, PLANS) == [(*ARM, 3, 5)]


def test_examples_that_are_fetched_are_not_counted_by_another_request(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    dataset, _ = experiment(stand_in, dataset_version=LATER, dataset_splits=["base", "hard"])
    stand_in.add_example(dataset, {}, {}, {"dataset_split": ["train", "hard"]})
    stand_in.add_example(dataset, {}, {}, {"dataset_split": ["train"]})
    take(database_url, connect_langsmith(), dataset="scenarios")
    assert select(database_url, PLANS) == [(*ARM, None, 6)]
    assert stand_in.counts()["/examples/count"] == 0


def test_a_crashed_experiment_is_held_against_its_dataset_as_it_began(
    database_url: str, stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    experiment(stand_in)
    for example in list(stand_in.examples.values())[:4]:
        example["created_at"] = (START - timedelta(days=1)).isoformat()
    take(database_url, connect_langsmith())
    assert select(database_url, PLANS) == [(*ARM, None, 4)]


@pytest.mark.parametrize("trouble", ["no dataset", "no such route", "refused", "other tasks"])
def test_what_nobody_says_is_not_known(
    database_url: str,
    stand_in: LangSmithServer,
    connect_langsmith: Callable[[], LangSmith],
    trouble: str,
) -> None:
    _, session = experiment(stand_in)
    if trouble == "no dataset":
        session["reference_dataset_id"] = None
    elif trouble == "other tasks":  # two examples each
        for number, run in enumerate(stand_in.runs.values()):
            run["extra"] = {"metadata": {"task_id": f"t{number // 4}"}}
    else:
        status = 404 if trouble == "no such route" else 403
        stand_in.faults.append(Fault("/examples/count", times=99, status=status))
    summary, source = take(database_url, connect_langsmith())
    assert summary.loaded == 8
    assert select(database_url, PLANS) == []
    assert source.notes() == []


def test_of_several_arms_in_one_project_nobody_said_whose_the_repetitions_are(
    stand_in: LangSmithServer, connect_langsmith: Callable[[], LangSmith]
) -> None:
    session = stand_in.add_session("one", extra={"metadata": {"num_repetitions": 2}})
    for group in ("baseline", "code-chef"):
        stand_in.add_run(session, extra={"metadata": {"task_id": "t", "experiment_group": group}})
    source = LangSmithSource(
        connect_langsmith(), "one", Wishes(Defaults(experiment_id="e", extension_version="1"))
    )
    assert len(list(source.rows())) == 2
    assert source.plans() == []


# ---- the runner ----


def run(
    url: str, settings: Settings, count: int = 4, groups: Sequence[str] = ("code-chef",),
    *, question: bool = False,
) -> None:  # fmt: skip
    def right(outputs: dict[str, Any]) -> dict[str, object]:
        return {"key": "accuracy", "score": float(bool(outputs))}

    tasks = read_tasks([{"task_id": f"t{number}", "prompt": "?"} for number in range(count)])
    arms = [Arm(CallableTarget(lambda prompt: prompt), group, "1.0.0") for group in groups]
    asked = Question(
        experiment_id="exp", baseline_experiment_id="exp", baseline_group="baseline",
        candidate=arms[-1], database_url=url,
    )  # fmt: skip
    asyncio.run(
        run_missing(
            arms, tasks, [right], settings, database_url=url,
            stop_when_decided=asked if question else None,
        )
    )  # fmt: skip


def test_the_runner_keeps_what_it_is_to_run(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
    settings = Settings(experiment_id="exp", repetitions=2)
    run(database_url, settings)
    assert select(database_url, PLANS) == [(*ARM, 2, 4)]
    loads = select(database_url, "select count(*) from raw_evals.loads")
    run(database_url, settings)
    assert select(database_url, PLANS) == [(*ARM, 2, 4)]
    assert select(database_url, "select count(*) from raw_evals.loads") == loads
    # fewer than before, so that nothing is missing: what is planned changes all the same
    run(database_url, replace(settings, repetitions=1), count=3)
    assert select(database_url, PLANS)[1:] == [(*ARM, 1, 3)]
    [(*counts, source)] = select(
        database_url,
        "select rows_read, rows_loaded, source from raw_evals.loads order by load_id desc limit 1",
    )
    assert (counts, source) == ([0, 0], "run")


@pytest.mark.slow
def test_both_arms_have_a_plan_and_what_may_stop_early_is_not_to_run_every_task(
    database_url: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("EVALMART_HOME", str(tmp_path))
    groups = ("baseline", "code-chef")
    run(database_url, Settings(experiment_id="exp"), groups=groups, question=True)
    assert select(database_url, PLANS) == [
        ("exp", group, "1.0.0", 1, None) for group in groups
    ]  # fmt: skip


def test_a_plan_ahead_of_its_runs_is_a_load_without_rows(database_url: str) -> None:
    with connect(database_url) as connection:
        assert arm_plans.announce(connection, "run", [plan(2, 3)])
        assert not arm_plans.announce(connection, "run", [plan(2, 3)])
    assert select(database_url, PLANS) == [("exp-1", "baseline", "1.0.0", 2, 3)]
    assert [row[1] for row in select(database_url, TOUCHED)] == ["exp-1"]
