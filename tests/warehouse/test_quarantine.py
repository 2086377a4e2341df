"""Quarantine: a verdict leaves tasks out, counts them, and cannot hide a critical one."""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

import servers
from close_values import agrees
from task_warehouse import Lived

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Record = dict[str, Any]

DAY = datetime(2026, 3, 10, 23, 30, tzinfo=UTC)
TASKS = 60
OUT = frozenset({"w0", "w1", "w4"})
"""What the quarantine below leaves out of an experiment."""
ENTRIES = """
insert into evals_staging.quarantine (agent_name, task_id, reason, until) values
    ('*', 'w0', 'times out', null),
    ('dev', 'w1', 'the reference is wrong', '2026-12-31'),
    ('other', 'w2', 'of another agent', null),
    ('*', 'w3', 'was mended', '2026-03-09'),
    ('*', 'w4', 'its last day', '2026-03-10'),
    ('*', 'z0', 'broken', null), ('*', 'z1', 'broken', null)
"""
LATER = "2026-03-11T00:00:00+00:00"


def ward(
    experiment: str, *, without: frozenset[str] = frozenset(), **fields: Record
) -> Iterator[Record]:
    """Give two arms: the candidate is better, but on the first tasks, which broke."""
    source = random.Random(4)  # noqa: S311  test data
    for task in range(TASKS):
        name = f"w{task}"
        for group, gain in (("baseline", 0.0), ("code-chef", -0.6 if task < 5 else 0.15)):
            for repetition in range(2):
                score = min(1, max(0, 0.7 + gain + source.gauss(0, 0.05)))
                record = {
                    "experiment_id": experiment,
                    "experiment_group": group,
                    "extension_version": "1.0.0",
                    "agent_name": "dev",
                    "task_id": name,
                    "repetition": repetition,
                    "success": True,
                    "latency_ms": source.randint(900, 1100),
                    "scores": {"accuracy": round(score, 4), "tone": round(source.random(), 4)},
                    "metadata": {"category": f"c{task % 3}"},
                    "recorded_at": DAY.isoformat(),
                }
                if name not in without:
                    yield record | fields.get(name, {})


def records() -> Iterator[Record]:
    yield from ward("ward")
    yield from ward("trimmed", without=OUT)
    yield from ward("late", w4={"recorded_at": LATER})
    yield from ward("critical", w0={"metadata": {"category": "c0", "critical": True}})
    for group in ("baseline", "code-chef"):
        for task in ("z0", "z1"):
            yield {
                "experiment_id": "hidden", "experiment_group": group, "task_id": task,
                "extension_version": "1.0.0", "scores": {"accuracy": 1}, "success": True,
            }  # fmt: skip


@pytest.fixture(scope="module")
def lived(
    postgres_server: str, dbt: Dbt, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Lived]:
    with servers.migrated(postgres_server) as url:
        warehouse = Lived(url, dbt)
        warehouse.ingest(records(), tmp_path_factory.mktemp("records"))
        warehouse.build_with(ENTRIES)
        yield warehouse


def summary(lived: Lived, experiment: str) -> dict[str, Any]:
    (row,) = lived.rows("experiment_summaries", f"experiment_id = '{experiment}'")
    return row


def codes(row: dict[str, Any]) -> list[str]:
    return [reason["code"] for reason in row["recommendation_reasons"]]


@pytest.mark.parametrize(
    ("mart", "key"),
    [
        ("experiment_summaries", ("candidate_group",)),
        ("experiment_metric_comparisons", ("metric",)),
        ("experiment_segment_comparisons", ("segment_kind", "segment", "metric")),
        ("experiment_segment_verdicts", ("segment_kind", "segment")),
    ],
)
def test_what_is_left_out_counts_as_if_it_were_not_there(
    lived: Lived, mart: str, key: tuple[str, ...]
) -> None:
    """But for what says so: of the counts apart, the reasons that name them, and flags."""
    apart = {"flags", "recommendation_reasons", "expired_quarantines", "experiment_id",
             "baseline_experiment_id"}  # fmt: skip
    found, expected = (
        {
            tuple(row[name] for name in key): row
            for row in lived.rows(mart, f"experiment_id = '{experiment}'")
        }
        for experiment in ("ward", "trimmed")
    )
    assert found.keys() == expected.keys()
    assert found
    for name, row in found.items():
        for column, value in row.items():
            if column not in apart and not column.startswith(("quarantined", "n_quarantined")):
                assert agrees(value, expected[name][column]), (name, column)


def test_the_count_and_what_became_of_it_stand_in_the_marts(lived: Lived) -> None:
    row = summary(lived, "ward")
    assert (row["quarantined_tasks"], row["quarantined_worse"], row["quarantined_better"]) == (
        3, 3, 0,
    )  # fmt: skip
    assert (row["expired_quarantines"], row["total_tasks"]) == (1, TASKS - 3)
    assert row["recommendation"] == "deploy"
    assert "quarantined_tasks" in codes(row)
    metrics = {
        each["metric"]: each
        for each in lived.rows("experiment_metric_comparisons", "experiment_id = 'ward'")
    }
    accuracy = metrics["accuracy"]
    assert [accuracy[f"n_quarantined{end}"] for end in ("", "_worse", "_better")] == [3, 3, 0]
    assert "quarantined_tasks" in accuracy["flags"]
    assert metrics["latency_ms"]["n_quarantined"] == 3
    tasks = lived.rows(
        "evaluation_comparison_view", "experiment_id = 'ward' and quarantine_reason is not null"
    )
    states = {
        row["task_id"]: (row["is_quarantined"], row["is_quarantine_expired"]) for row in tasks
    }
    assert states == {
        "w0": (True, False), "w1": (True, False), "w3": (False, True), "w4": (True, False),
    }  # fmt: skip
    assert {row["winner"] for row in tasks} == {"baseline"}


def test_an_entry_holds_for_its_last_day_and_not_for_the_next(lived: Lived) -> None:
    row = summary(lived, "late")
    assert (row["quarantined_tasks"], row["expired_quarantines"]) == (2, 2)


def test_a_critical_task_in_quarantine_is_never_deployed_without_a_person(lived: Lived) -> None:
    row = summary(lived, "critical")
    assert row["recommendation"] == "needs_review"
    assert row["required_note"] == "critical_task_quarantined"
    assert "critical_task_quarantined" in codes(row)
    assert "a critical task is in quarantine" in row["headline"]
    assert "quarantine" in lived.run("gate", "--experiment", "critical", exit_code=5)
    parts = lived.rows("experiment_segment_verdicts", "experiment_id = 'critical'")
    assert parts
    assert not [row for row in parts if row["recommendation"] == "deploy"]


def test_where_all_is_in_quarantine_the_summary_says_so(lived: Lived) -> None:
    row = summary(lived, "hidden")
    assert codes(row) == ["all_quarantined"]
    assert row["headline"] == "Nothing to compare: all tasks are in quarantine (2)."
    assert (row["total_tasks"], row["quarantined_tasks"]) == (0, 2)
    assert "quarantine.csv" in lived.run("summary", "--experiment", "hidden")


def test_every_place_says_what_was_left_out(lived: Lived, tmp_path: Path) -> None:
    said = "3 tasks quarantined: left out of the verdict; 3 of them got worse and 0 better."
    expired = "1 task whose quarantine has run out: counted again."
    told = " ".join(lived.run("summary", "--experiment", "ward").split())
    assert said in told
    assert expired in told
    for name in ("report.html", "report.md"):
        lived.run("report", "--experiment", "ward", "--output", str(tmp_path / name))
        text = " ".join((tmp_path / name).read_text().split())
        assert said in text
        assert expired in text
    (gate,) = json.loads(lived.run("gate", "--experiment", "ward", "--format", "json"))
    assert gate["summary"]["quarantined_tasks"] == 3
    sentences = [reason["sentence"] for reason in gate["reasons"] if "quarantine" in reason["code"]]
    told = "3 tasks are quarantined: left out of the verdict; by accuracy, 3 of them got worse"
    assert sentences == [f"{told} and 0 better."]
    shown = lived.run("compare", "--experiment", "ward", "--task", "w1")
    assert "the reference is wrong" in shown
    assert "left out" in shown


def test_a_policy_that_names_a_task_in_quarantine_as_critical_is_not_passed(
    lived: Lived, tmp_path: Path
) -> None:
    policy = tmp_path / "policy.yml"
    policy.write_text("version: 1\ncritical_tasks: [w1]\n")
    output = lived.run(
        "gate", "--experiment", "ward", "--policy", str(policy), "--format", "json", exit_code=5
    )
    (gate,) = json.loads(output)
    reasons = {reason["code"]: reason["sentence"] for reason in gate["reasons"]}
    assert "The critical task w1 is in quarantine" in reasons["critical_task_quarantined"]


def test_a_task_that_leaves_quarantine_counts_with_the_next_build(lived: Lived) -> None:
    lived.change("delete from evals_staging.quarantine where task_id in ('w0', 'w1', 'w3', 'w4')")
    lived.build()
    row = summary(lived, "ward")
    assert (row["quarantined_tasks"], row["expired_quarantines"]) == (0, 0)
    assert row["total_tasks"] == TASKS
    assert row["baseline_wins"] >= 5
