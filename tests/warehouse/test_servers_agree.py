"""The oldest supported server builds what the newest one builds: every row of every relation.

The newest is held against independent computations by the other tests here. This one carries
that over: the same raw rows, of everything that they build from, are built on both, in two
builds, so that each server also replaces what it has built before.
"""

from __future__ import annotations

import random
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np
import psycopg
import pytest
from psycopg import sql

import servers
import verdict_cases
import verdict_simulation
from close_values import agrees
from loader.marts import catalog, evidence, exported, questions, regressions
from loader.marts.leaving import runs as leaving
from planted_histories import plant
from random_records import random_record
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

Connection = psycopg.Connection[Any]
EXPERIMENTS = 15
RUNS = 1_000
AGENTS = {"quiet-00", "quiet-01", "dented", "growing", "moved", "down", "slowed"}
ASKED = ("e1", "linked", "e0000", "e0001", "e0002")
"""Experiments with candidates: of random records, and of the simulation."""
# when a build did it, and where: not what was built
LEDGERS = (
    "builds",
    "built_relations",
    "build_changes",
    "build_watermarks",
    "build_fingerprints",
    "build_numbers",
    "build_stamps",
)


def raw_rows(connection: Connection) -> Iterator[int]:
    """Load a life of random records, the verdict's cases, random experiments and histories.

    Yields:
        The last load before each half, once it is loaded.
    """
    raw = RawRows(connection)
    rng = random.Random(20261129)  # noqa: S311  a seeded test
    cases = [case.records for case in verdict_cases.cases()]
    simulated = verdict_simulation.experiments(np.random.default_rng(29), EXPERIMENTS)
    experiments = [*cases, *(one.records for one in simulated)]
    histories = [record for record in plant(rng) if record["agent_name"] in AGENTS]
    said = random.Random(7)  # noqa: S311  a seeded test
    last = 0
    # the second half also has a third of the first one's runs again, with other values
    for half, runs in enumerate((range(RUNS), range(RUNS // 3))):
        raw.load(random_record(rng, run) for run in runs)
        raw.load(record for records in experiments[half::2] for record in records)
        asked = [run for run in raw.current() if run["experiment_id"] in ASKED]
        for run in said.sample(asked, 20):
            raw.annotate(run, "accuracy", said.choice([0.0, 0.25, 1.0]), "ana")
        newest = raw.load(histories[half::2])
        yield last
        last = newest


def copy_raw(source: Connection, target: Connection, after: int) -> None:
    """Copy what was loaded after a load."""
    tables = source.execute(
        "select relname::text from pg_class where relnamespace = 'raw_evals'::regnamespace"
        " and relkind in ('r', 'p') and not relispartition"
        " and relname not in ('schema_version', 'load_turn')"
    ).fetchall()
    for (table,) in tables:
        name = sql.Identifier("raw_evals", table)
        columns = sql.SQL(", ").join(
            sql.Identifier(column)
            for (column,) in source.execute(
                "select attname::text from pg_attribute where attrelid = %s::regclass"
                " and attnum > 0 and not attisdropped and attgenerated = '' order by attnum",
                (f"raw_evals.{table}",),
            )
        )
        out = sql.SQL("copy (select {} from {} where load_id > {}) to stdout").format(
            columns, name, sql.Literal(after)
        )
        into = sql.SQL("copy {} ({}) from stdin").format(name, columns)
        with source.cursor().copy(out) as given, target.cursor().copy(into) as taken:
            for block in given:
                taken.write(block)


@pytest.fixture(scope="module")
def built(dbt: Dbt) -> Iterator[tuple[Connection, Connection]]:
    """Give the newest server's warehouse, and the oldest one's, of the same raw rows."""
    if len(servers.available()) == 1:
        pytest.skip("one version of the server is here")
    newest, oldest = (servers.shared(name) for name in servers.available())
    with (
        servers.migrated(newest) as one,
        servers.migrated(oldest) as other,
        psycopg.connect(one, autocommit=True) as first,
        psycopg.connect(other, autocommit=True) as second,
    ):
        for last in raw_rows(first):
            copy_raw(first, second, last)
            for url, connection in ((one, first), (other, second)):
                connection.execute("analyze")
                dbt.build(url)
        yield first, second


def relations(connection: Connection) -> list[tuple[str, str]]:
    rows = connection.execute(
        "select relnamespace::regnamespace::text, relname::text from pg_class"
        # a step that is a view shows in the table that is made of it
        " where relnamespace::regnamespace::text like 'evals%'"
        " and (relkind = 'r' or relkind = 'v' and relnamespace = 'evals'::regnamespace)"
    ).fetchall()
    return sorted((schema, name) for schema, name in rows if name not in LEDGERS)


def rows_of(connection: Connection, schema: str, name: str) -> list[dict[str, Any]]:
    """Return rows in an order that no floating number decides unless nothing else can."""
    cursor = connection.execute(sql.SQL("select * from {}").format(sql.Identifier(schema, name)))
    columns = [column.name for column in cursor.description or ()]
    rows = [dict(zip(columns, row, strict=True)) for row in cursor]

    def exact(row: dict[str, Any]) -> tuple[str, ...]:
        inexact = (float, Decimal, list, dict)
        return tuple("" if isinstance(it, inexact) else str(it) for it in row.values())

    def rounded(row: dict[str, Any]) -> tuple[str, ...]:
        return tuple(f"{it:.6g}" for it in row.values() if isinstance(it, float | Decimal))

    return sorted(rows, key=lambda row: (exact(row), rounded(row)))


def test_both_servers_answer_the_same(built: tuple[Connection, Connection]) -> None:
    def answers(connection: Connection) -> dict[str, Any]:
        there = questions.experiments(connection)
        assert set(ASKED) <= set(there.values("experiment_id"))
        of_all: dict[str, Any] = {
            "experiments": there.rows,
            "trend": questions.trend(connection, "dented", "accuracy").rows,
            "tasks": regressions.tasks(connection).rows,
            "metrics": [row[0] for row in catalog.metrics_seen(connection).rows],
            # these say no order
            "arms": sorted(exported.arms(connection), key=str),
            "results": sorted(exported.results(connection, (1.0, 1000.0), (0.01, 1.0)), key=str),
            "segments": [evidence.segment_verdicts(connection, name).rows for name in ASKED],
        }
        with connection.transaction():
            edits = [edit for name in ASKED for edit in leaving.edits(connection, name)]
            of_all["edits leaving"] = msgspec.to_builtins(edits)
            for name in ASKED:
                arms = leaving.arms(connection, name)
                contents = [run for arm in arms for run in leaving.runs(connection, arm)]
                of_all |= {
                    f"arms leaving of {name}": msgspec.to_builtins(arms),
                    f"runs leaving of {name}": msgspec.to_builtins(contents),
                }
        for name in ASKED:
            judged = "select * from evals.judge(%s, %s) order by 1, 2, 3"
            of_all |= {
                f"summary of {name}": questions.summary(connection, name).rows,
                f"metrics of {name}": questions.metrics(connection, name).rows,
                f"comparison of {name}": questions.comparison(connection, name).rows,
                f"judged {name}": connection.execute(
                    judged, (name, '{"kept_level": 0.1}')
                ).fetchall(),
            }
        return of_all

    def plain(value: object) -> object:
        if isinstance(value, tuple | list):
            return [plain(each) for each in value]
        return float(value) if isinstance(value, Decimal) else value

    one, other = map(answers, built)
    assert [asked for asked, found in one.items() if not found] == []
    for asked, found in one.items():
        assert agrees(plain(found), plain(other[asked])), asked


def test_both_servers_build_the_same(built: tuple[Connection, Connection]) -> None:
    first, second = built
    names = relations(first)
    assert names == relations(second)
    assert len(names) > 30
    empty = set()
    for schema, name in names:
        one, other = rows_of(first, schema, name), rows_of(second, schema, name)
        assert len(one) == len(other), name
        if not one:
            empty.add(name)
        for row, same in zip(one, other, strict=True):
            assert row.keys() == same.keys(), name
            different = {
                column: (value, same[column])
                for column, value in row.items()
                if not agrees(same[column], value)
            }
            assert not different, (name, row)
    assert not empty & {"experiment_summaries", "metric_alerts", "experiment_segment_verdicts"}
