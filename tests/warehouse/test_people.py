"""What people say of runs counts in every mart, and history knows who said it and when."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import servers
from ingest_support import load_records
from loader.ingest import said, withdrawals
from loader.ingest.annotations import annotate
from loader.ingest.withdrawals import Slice
from loader.warehouse.connection import connect
from loader.warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

GUIDE = servers.REPOSITORY / "docs" / "follow-an-agent.md"


def records() -> list[dict[str, object]]:
    """Return two runs of each of twelve tasks, which the judge finds right."""
    return [
        {
            "experiment_id": "e",
            "task_id": f"t{task}",
            "experiment_group": group,
            "extension_version": "1.0.0",
            "source_run_id": f"{group}-{task}-{repetition}",
            "repetition": repetition,
            "model_version": "small" if group == "baseline" else "large",
            "recorded_at": f"2026-0{1 + task % 2}-15T00:00:00Z",
            "agent_name": "a",
            "scores": {"accuracy": 1, "helpful": 3},
            "score_scales": {"helpful": [1, 5]},
            "cost_usd": 0.25,
        }
        for task in range(12)
        for group in ("baseline", "code-chef")
        for repetition in (1, 2)
    ]


def say(url: str, score: str, author: str = "ana", **parts: str) -> int:
    values = {"experiment": "e", "task": "t0", "key": "accuracy", "score": score,
              "author": author, "reason": f"{author} read it", **parts}  # fmt: skip
    with connect(url) as connection:
        outcome = annotate(connection, [said.from_options(values)], read_vocabulary())
    assert not outcome.faults
    assert outcome.load_id is not None
    return outcome.load_id


def rows(url: str, statement: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(statement.encode()).fetchall()


def test_what_people_say_counts_in_place_of_the_judges_score(database_url: str, dbt: Dbt) -> None:
    load_records(database_url, records())
    say(database_url, "0", group="code-chef")
    first = say(database_url, "1", "ben", run="code-chef-0-1")
    say(database_url, "0.5", "ben", run="code-chef-0-1")
    say(database_url, "5", key="helpful", task="t1", group="baseline")
    say(database_url, "1", key="tone", task="t1", group="baseline")
    dbt.build(database_url)
    shown = (
        "select source_run_id, metric, value, judge_value, human_value, annotators,"
        " annotation_spread from evals.run_scores where annotators > 0 order by 1, 2"
    )
    assert rows(database_url, shown) == [
        ("baseline-1-1", "helpful", 1, 0.5, 1, 1, 0),
        ("baseline-1-1", "tone", 1, None, 1, 1, 0),
        ("baseline-1-2", "helpful", 1, 0.5, 1, 1, 0),
        ("baseline-1-2", "tone", 1, None, 1, 1, 0),
        ("code-chef-0-1", "accuracy", 0.25, 1, 0.25, 2, 0.5),
        ("code-chef-0-2", "accuracy", 0, 1, 0, 1, 0),
    ]
    results = (
        "select accuracy from evals.evaluation_results where task_id = 't0' order by"
        " experiment_group"
    )
    assert rows(database_url, results) == [(1,), (0.125,)]
    difference = (
        "select mean_difference from evals.experiment_metric_comparisons where metric = 'accuracy'"
    )
    [(found,)] = rows(database_url, difference)
    assert found == pytest.approx(-0.875 / 12)
    # one row a run and metric, and each value is what its result is the mean of
    counts = "select count(*), count(distinct (source_run_id, metric)) from evals.run_scores"
    assert rows(database_url, counts) == [(48 * 3 + 2,) * 2]
    differences = (
        "select max(abs(scores.value - means.value)) from evals.evaluation_scores as scores"
        " inner join (select result_id, metric, avg(value) as value from evals.run_scores"
        " group by 1, 2) as means using (result_id, metric)"
    )
    assert rows(database_url, differences) == [(0,)]
    # one said again takes the place of the first, and all go with the experiment
    assert_history(database_url, first)
    with connect(database_url) as connection:
        withdrawals.withdraw(
            connection, Slice(experiment="e", group="code-chef", task="t0"), "x", None
        )
    load_records(database_url, records())
    dbt.build(database_url)
    assert {name for name, *_ in rows(database_url, shown)} == {"baseline-1-1", "baseline-1-2"}
    assert rows(database_url, results) == [(1,), (1,)]


def assert_history(url: str, first: int) -> None:
    history = rows(
        url,
        "select value_source, author, reason, value, is_current, valid_from, valid_to, load_id"
        " from evals.score_history"
        " where source_run_id = 'code-chef-0-1' and metric = 'accuracy' order by load_id",
    )
    assert [row[:5] for row in history] == [
        ("score", None, None, 1, True),
        ("annotation", "ana", "ana read it", 0, True),
        ("annotation", "ben", "ben read it", 1, False),
        ("annotation", "ben", "ben read it", 0.5, True),
    ]
    assert history[2][7] == first
    assert history[2][6] == history[3][5]
    assert [row[6] is None for row in history] == [True, True, False, True]


def test_a_withdrawn_version_ends_and_the_one_before_begins_again(
    database_url: str, dbt: Dbt
) -> None:
    one = {**records()[0], "scores": {"accuracy": 0}}
    load_records(database_url, [one])
    load_records(database_url, [{**one, "scores": {"accuracy": 1}}])
    said_at = say(database_url, "0.5")
    with connect(database_url) as connection:
        [entry] = withdrawals.withdraw(connection, Slice(load=2), "x", None)
        withdrawals.withdraw(connection, Slice(load=said_at), "x", None)
        withdrawals.undo(connection, [entry.load_id], "y", None)
        withdrawals.withdraw(connection, Slice(experiment="e"), "z", None)
    dbt.build(database_url)
    spans = rows(
        database_url,
        "select value_source, run_version, value, next_load_id, is_current"
        " from evals.score_history where metric = 'accuracy' order by valid_from, 1",
    )
    assert spans == [
        ("score", 1, 0, 2, False),
        ("score", 2, 1, 4, False),
        ("annotation", None, 0.5, 5, False),
        ("score", 1, 0, 6, False),
        ("score", 2, 1, 7, False),
    ]


def test_what_a_correct_answer_costs_by_model_and_month_is_one_query(
    database_url: str, dbt: Dbt
) -> None:
    load_records(database_url, records())
    say(database_url, "0", group="code-chef")
    dbt.build(database_url)
    queries = re.findall(r"```sql\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    [query] = [text for text in queries if "run_scores" in text]
    january, february = (datetime(2026, month, 1, tzinfo=UTC).date() for month in (1, 2))
    assert rows(database_url, query) == [
        ("large", january, 10, 3.0, 0.3),
        ("large", february, 12, 3.0, 0.25),
        ("small", january, 12, 3.0, 0.25),
        ("small", february, 12, 3.0, 0.25),
    ]
