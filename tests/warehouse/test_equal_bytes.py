"""Equal input gives equal bytes, however the server read it and how often dbt built it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

import servers
from planted_histories import plant
from random_records import random_record
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from warehouse_dbt import Dbt

RUNS = 500
AGENTS = {"dented", "growing", "moved"}
MODELS = ("--exclude-resource-type", "test")
# a server that takes other ways, and does as much as it can at once
OTHER_WAYS = {
    "parallel_setup_cost": "0", "parallel_tuple_cost": "0", "work_mem": "64kB",
    "min_parallel_table_scan_size": "0", "max_parallel_workers_per_gather": "4",
}  # fmt: skip
# when a load or a build was, and not what was built
TIMES = {"loaded_at", "first_loaded_at", "started_at", "finished_at", "created_at", "updated_at"}
TABLES = """
select pg_class.oid::regclass::text, array_agg(attname::text order by attnum)
from pg_class
inner join pg_attribute on attrelid = pg_class.oid
where
    relnamespace = 'evals'::regnamespace
    and relkind = 'r'
    and attnum > 0
    and not attisdropped
group by pg_class.oid
"""


def records() -> list[dict[str, Any]]:
    rng = random.Random(41)  # noqa: S311  a seeded test
    planted = [record for record in plant(rng) if record["agent_name"] in AGENTS]
    return [*(random_record(rng, run) for run in range(RUNS)), *planted]


def load(url: str, given: Sequence[dict[str, Any]]) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        RawRows(connection).load(given)


def take_other_ways(url: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        for name, value in OTHER_WAYS.items():
            connection.execute(
                sql.SQL("alter database {} set {} = {}").format(
                    sql.Identifier(connection.info.dbname), sql.Identifier(name), value
                )
            )


def stir(url: str) -> None:
    """Let the rows of every mart lie in another order than they were written."""
    with psycopg.connect(url, autocommit=True) as connection:
        tables = connection.execute(
            "select oid::regclass::text from pg_class where relkind = 'r'"
            " and relnamespace::regnamespace::text in ('evals', 'evals_intermediate')"
        ).fetchall()
        for (table,) in tables:
            connection.execute(
                f"create temporary table stirred as select * from {table} order by random();"
                f" delete from {table}; insert into {table} select * from stirred;"
                " drop table stirred".encode()
            )


def rows(url: str) -> Iterator[tuple[str, list[Any]]]:
    """Return every mart, and its rows as text in an order of their own."""
    with psycopg.connect(url, autocommit=True) as connection:
        for table, columns in connection.execute(TABLES).fetchall():
            shown = ", ".join(f'"{column}"' for column in columns if column not in TIMES)
            query = f"select row({shown})::text as line from {table}"
            yield table, sorted(line for (line,) in connection.execute(query.encode()))


@pytest.mark.slow
def test_marts_do_not_depend_on_the_way_in_which_the_server_reads(
    postgres_server: str, dbt: Dbt
) -> None:
    given = records()
    by_run: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for record in given:
        by_run.setdefault((record["experiment_id"], record.get("source_run_id", "")), []).append(
            record
        )
    shuffled = list(by_run.values())
    random.Random(7).shuffle(shuffled)  # noqa: S311  a seeded test
    with servers.migrated(postgres_server) as first, servers.migrated(postgres_server) as second:
        load(first, given)
        dbt.build(first, *MODELS)
        expected = dict(rows(first))
        assert len(expected["evals.experiment_segment_comparisons"]) > 100

        take_other_ways(second)
        load(second, [record for records_of_run in shuffled for record in records_of_run])
        dbt.build(second, *MODELS)
        for table, found in rows(second):
            assert found == expected[table], table

        take_other_ways(first)
        stir(first)
        dbt.build(first, *MODELS, "--full-refresh")
        for table, found in rows(first):
            assert found == expected[table], table
