"""What was believed: the history of a score, and the marts as of a time before it changed."""

from __future__ import annotations

import time
from datetime import datetime
from math import isclose
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

from loader.errors import ConfigurationError
from loader.marts import questions
from loader.marts.as_of import believed
from loader.warehouse.connection import connect
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader.tools.tables import Table
    from warehouse_dbt import Dbt

pytestmark = pytest.mark.newest_server

Connection = psycopg.Connection[Any]


def records(shift: float) -> list[dict[str, Any]]:
    return [
        {
            "experiment_id": experiment,
            "task_id": f"t{task}",
            "experiment_group": group,
            "extension_version": "1.0.0" if experiment == "first" else "1.1.0",
            "agent_name": "a",
            "recorded_at": datetime.fromisoformat("2026-01-01T00:00:00+00:00"),
            "scores": {"accuracy": round(0.5 + task / 100 + shift * (group == "code-chef"), 4)},
            "latency_ms": 100.0 + task,
        }
        for experiment in ("first", "second", "other")
        for task in range(12)
        for group in ("baseline", "code-chef")
    ]


QUESTIONS: dict[str, tuple[dict[str, str], Callable[[Connection], Table]]] = {
    "experiment_summaries": (
        {"experiment": "first"},
        lambda asked: questions.summary(asked, "first"),
    ),
    "evaluation_comparison_view": (
        {"experiment": "first"},
        lambda asked: questions.comparison(asked, "first"),
    ),
    "version_trends": ({"agent": "a"}, lambda asked: questions.trend(asked, "a", "accuracy")),
}


def shown(url: str) -> list[Table]:
    """Return what summary, compare and trend read, every column of it."""
    with connect(url) as connection:
        return [ask(connection) for _, ask in QUESTIONS.values()]


def believed_then(
    moment: datetime, url: str, wanted: Sequence[str] = tuple(QUESTIONS)
) -> list[Table]:
    answers: list[Table] = []
    for mart in wanted:
        about, ask = QUESTIONS[mart]
        with believed(moment, [mart], url, **about), connect(url) as connection:
            answers.append(ask(connection))
    return answers


def test_what_was_believed_then_is_what_the_marts_showed_then(database_url: str, dbt: Dbt) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        raw = RawRows(connection)
        beginning = now(connection)
        raw.load(records(0.05))
        dbt.build(database_url)
        before = shown(database_url)
        moment = now(connection)
        time.sleep(0.05)
        raw.load(records(-0.2))
        dbt.build(database_url)
        assert not same(shown(database_url), before)
        assert same(believed_then(moment, database_url), before)
        with pytest.raises(ConfigurationError, match=r"^as of 20.*: no agent 'a'; there are: none"):
            believed_then(beginning, database_url, ["version_trends"])
        assert not schemas(connection), "nothing is left behind"
        assert_history(connection, moment)


def same(answers: list[Table], others: list[Table]) -> bool:
    """Compare every value; a sum of floats depends on the order in which a plan adds."""
    return all(
        one.columns == two.columns
        and len(one.rows) == len(two.rows)
        and all(
            isclose(left, right, rel_tol=1e-9, abs_tol=1e-12)
            if isinstance(left, float) and isinstance(right, float)
            else left == right
            for first, second in zip(one.rows, two.rows, strict=True)
            for left, right in zip(first, second, strict=True)
        )
        for one, two in zip(answers, others, strict=True)
    )


def assert_history(connection: Connection, moment: datetime) -> None:
    """Every score has two versions, the first of which ends where the second begins."""
    rows = connection.execute(
        "select task_id, value, run_version, is_current, valid_from, valid_to"
        " from evals.score_history"
        " where experiment_id = 'first' and metric = 'accuracy' and experiment_group = 'code-chef'"
        " order by task_id, run_version"
    ).fetchall()
    assert len(rows) == 24
    for first, second in zip(rows[::2], rows[1::2], strict=True):
        assert (first[2:4], second[2:4]) == ((1, False), (2, True))
        assert first[1] - second[1] == pytest.approx(0.25)
        assert first[4] < moment < first[5] == second[4]
        assert second[5] is None
    [counts] = connection.execute(
        "select count(*),"
        " count(distinct (experiment_id, source, source_run_id, run_version, metric))"
        " from evals.score_history"
    )
    assert counts[0] == counts[1] == 2 * 2 * len(records(0))


def now(connection: Connection) -> datetime:
    row = connection.execute("select clock_timestamp()").fetchone()
    assert row is not None
    moment: datetime = row[0]
    return moment


def schemas(connection: Connection) -> list[Any]:
    return connection.execute(
        sql.SQL("select nspname from pg_namespace where nspname like {}").format("%as_of%")
    ).fetchall()
