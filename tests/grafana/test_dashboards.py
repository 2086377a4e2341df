from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

import dashboard_queries
from dashboard_queries import DASHBOARDS, Query
from dashboard_reader import READER, Rows, Values, create_reader, fill, run
from grafana.build_dashboards import HERE
from grafana_sql import TimeRange, interpolate
from sample_marts import sample_marts

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NUMBERS = {20, 21, 23, 700, 701, 1700}  # int8, int2, int4, float4, float8, numeric
_TIMES = {1082, 1114, 1184}  # date, timestamp, timestamptz
_TEXTS = {25, 1043, 18, 19}
_SHOWN_AS_TEXT = {16}  # boolean
_TASK = "checkout-api/fix-race-in-retry"
_ALONE = json.dumps({
    "experiment_id": "alone", "task_id": "t-1", "experiment_group": "code-chef",
    "extension_version": "1.0.0", "scores": {"accuracy": 0.5},
})  # fmt: skip
"""A run that nothing is compared with."""

pytestmark = [pytest.mark.newest_server, pytest.mark.slow]


@pytest.fixture(scope="module")
def warehouse(postgres_server: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Give a database with the sample, a run alone, rejected rows and a verdict, built."""
    directory = tmp_path_factory.mktemp("bad")
    with sample_marts(postgres_server) as url:
        for arguments in (
            ["ingest", "--file", str(_bad(directory))],
            ["gate", "--experiment", "exp-2025-01-001"],
            ["build", "--quiet"],
        ):
            _loader(url, *arguments)
        create_reader(url)
        yield url


def _bad(directory: Path) -> Path:
    path = directory / "bad.txt"
    path.write_text(f'{{"task_id": "no-experiment"}}\nnot json\n{_ALONE}\n', encoding="utf-8")
    return path


def _loader(url: str, *arguments: str) -> None:
    source = ["--format", "jsonl"] if arguments[-1].endswith("bad.txt") else []
    done = subprocess.run(
        [sys.executable, "-m", "loader", arguments[0], "--database-url", url,
         *arguments[1:], *source],
        capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    told = done.stdout[-3000:] + done.stderr[-3000:]
    expected = {"gate": {0, 1, 5}, "ingest": {0, 3}}.get(arguments[0], {0})
    assert done.returncode in expected, told


@pytest.fixture
def reader(warehouse: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    """Give a connection of the login that Grafana uses."""
    with psycopg.connect(make_conninfo(warehouse, user=READER), autocommit=True) as connection:
        yield connection


def test_overrides_and_axes_name_columns_that_exist(
    reader: psycopg.Connection[tuple[Any, ...]],
) -> None:
    for path in DASHBOARDS:
        values = {**fill(reader, path), "task": _TASK}
        for panel, query in zip(
            dashboard_queries.load(path)["panels"], dashboard_queries.panels(path), strict=False
        ):
            columns = set(run(reader, query, values).types)
            for override in panel["fieldConfig"]["overrides"]:
                if override["matcher"]["id"] == "byName":
                    assert override["matcher"]["options"] in columns, panel["title"]
            if "xField" in panel["options"]:
                assert panel["options"]["xField"] in columns, panel["title"]


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_every_panel_gets_rows_of_the_type_it_needs(
    path: Path, reader: psycopg.Connection[tuple[Any, ...]]
) -> None:
    values = {**fill(reader, path), "task": _TASK}
    for query in dashboard_queries.panels(path):
        given = run(reader, query, values)
        assert given.rows, f"{query.title} is empty"
        _check(query, given)


@pytest.mark.parametrize("path", DASHBOARDS, ids=lambda path: path.stem)
def test_nothing_fails_when_there_is_nothing_to_choose_from(
    path: Path, reader: psycopg.Connection[tuple[Any, ...]]
) -> None:
    values: Values = {"task": ""}
    for item, query in dashboard_queries.variables(path):
        if query is not None:
            values[item["name"]] = [] if item["multi"] else "it's \\ nothing"
    for _, query in dashboard_queries.variables(path):
        if query is not None:
            run(reader, query, values)
    for query in dashboard_queries.panels(path):
        run(reader, query, values)


def _check(query: Query, given: Rows) -> None:
    numbers, times = given.of_type(_NUMBERS), given.of_type(_TIMES)
    texts = given.of_type(_TEXTS)
    known = {*numbers, *times, *texts, *given.of_type(_SHOWN_AS_TEXT)}
    assert set(given.types) == known, f"{query.title}: Grafana would show {given.types} as bytes"
    match query.kind:
        case "timeseries":
            assert query.shape == "time_series"
            assert "time" in {*times, *numbers}
            seconds = [at.timestamp() if "time" in times else at for at in given.column("time")]
            assert seconds == sorted(seconds), f"{query.title}: long series must be in order"
            assert set(numbers) - {"time"}
        case "stat" if query.title == "Verdict":
            assert texts == list(given.types) == ["recommendation", "headline"]
            ((recommendation, headline),) = given.rows
            assert recommendation in {"deploy", "needs_review", "reject"}
            assert headline
        case "stat":
            assert len(given.rows) == 1
            assert set(numbers) == set(given.types)
            assert all(value is not None for value in given.rows[0])
        case "barchart":
            assert len(texts) == 1
            assert len(numbers) == len(given.types) - 1
            assert any(value is not None for name in numbers for value in given.column(name))
        case "xychart":
            assert list(given.types) == ["metric", "improvement", "place"]
            assert numbers == ["improvement", "place"]
        case "annotation":
            assert "time" in times
            assert "text" in texts
        case "table":
            assert len(given.types) > 1
        case _:
            pytest.fail(f"no rule for {query.kind}")


def test_the_forest_draws_every_metric_as_one_line_through_its_estimate(
    reader: psycopg.Connection[tuple[Any, ...]],
) -> None:
    path = HERE / "dashboards" / "experiments.json"
    values = {**fill(reader, path), "task": _TASK}
    forest = next(query for query in dashboard_queries.panels(path) if query.kind == "xychart")
    lines: dict[str, list[tuple[float, float]]] = {}
    for metric, improvement, place in run(reader, forest, values).rows:
        lines.setdefault(metric, []).append((improvement, place))
    assert lines.pop("no change") == [(0, 0), (0, len(lines) + 1)]
    assert {"accuracy", "latency_ms", "cost_usd"} <= set(lines)
    for metric, points in lines.items():
        assert len({place for _, place in points}) == 1, metric
        (one, _), (estimate, _), (other, _) = points
        assert min(one, other) < estimate < max(one, other), metric


def test_alerts_give_one_number_and_labels_and_fire_when_they_should(
    warehouse: str, reader: psycopg.Connection[tuple[Any, ...]]
) -> None:
    day = TimeRange(*(datetime.now(UTC) + timedelta(hours=hours) for hours in (-24, 1)))
    firing = {}
    for query, limit in dashboard_queries.alerts():
        given = Rows(reader.execute(interpolate(query.sql, {}, day).encode()))
        assert given.of_type(_NUMBERS) == ["value"]
        assert set(given.types) - {"value"} == set(given.of_type(_TEXTS))
        firing[query.title] = sum(value > limit for value in given.column("value"))
    with psycopg.connect(warehouse) as owner:
        row = owner.execute("select count(*) from evals.metric_alerts where is_open").fetchone()
    assert row is not None
    assert firing == {
        "An agent got worse": row[0], "No results came in": 0, "Rows were rejected": 1,
    }  # fmt: skip


def test_the_reader_reads_marts_and_can_do_nothing_else(
    reader: psycopg.Connection[tuple[Any, ...]],
) -> None:
    reader.execute("select from evals.experiment_summaries")
    for statement in (
        "select from raw_evals.rejected_rows",
        "select from evals_staging.metrics",
        "delete from evals.experiment_summaries",
        "create table evals.mine (n integer)",
    ):
        with pytest.raises(
            (psycopg.errors.InsufficientPrivilege, psycopg.errors.ReadOnlySqlTransaction)
        ):
            reader.execute(statement)
