"""A database of any earlier schema becomes what a new one of the same records is.

`tests/support/first_release` has what version 0.1.0 itself wrote for two files of records, and
the files. Rows of tables that came later are those that a person may write by hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from psycopg import sql

import hand_rows
import servers
from ingest_support import load_file
from loader.warehouse.connection import connect
from loader.warehouse.migrate import current_version, migrate, migrations

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from warehouse_dbt import Dbt

FOLDER = Path(__file__).parents[1] / "support" / "first_release"
RUNS, CORRECTED = FOLDER / "runs.jsonl", FOLDER / "corrected.jsonl"
FIRST_RELEASE = 2
"""The version of the raw schema that 0.1.0 had."""
LATEST = len(migrations())
"""The version of this program; `migrations` are numbered without a gap."""


def _at_version(url: str, version: int) -> None:
    """Make a database as `init` of that version left it, and give it 0.1.0's rows."""
    with psycopg.connect(url) as connection:
        connection.execute(
            "create schema raw_evals; create table raw_evals.schema_version ("
            " version integer primary key, name text not null,"
            " applied_at timestamptz not null default now())"
        )
        for migration in migrations()[:version]:
            connection.execute(migration.statements.encode())
            connection.execute(
                "insert into raw_evals.schema_version (version, name) values (%s, %s)",
                migration[:2],
            )
            if migration.version == FIRST_RELEASE:
                connection.execute((FOLDER / "raw.pgsql").read_bytes())
        if version >= FIRST_RELEASE + 1:
            _add_later_rows(connection)


def _add_later_rows(connection: psycopg.Connection[Any]) -> None:
    """Put a row into each table that 0.1.0 did not have, as far as this version has its columns."""
    for table, row in hand_rows.ROWS.items():
        found = connection.execute(
            "select attname from pg_attribute where attnum > 0 and not attisdropped and"
            " attrelid = to_regclass(%s)",
            (f"raw_evals.{table}",),
        ).fetchall()
        columns = {name for (name,) in found}
        if not columns or _rows(connection, table):
            continue
        load = {"load_id": 2} if "load_id" in columns else {}
        kept = {name: value for name, value in row.items() if name in columns}
        connection.execute(hand_rows.written(table, load | kept).encode())


def _tables(connection: psycopg.Connection[Any]) -> list[str]:
    found = connection.execute(
        "select relname from pg_class where relkind = 'r'"
        " and relnamespace = 'raw_evals'::regnamespace and relname != 'schema_version'"
    ).fetchall()
    return sorted(name for (name,) in found)


def _columns(connection: psycopg.Connection[Any], relation: str) -> list[str]:
    found = connection.execute(
        "select attname from pg_attribute where attrelid = %s::regclass and attnum > 0"
        " and not attisdropped order by attname",
        (relation,),
    ).fetchall()
    return [name for (name,) in found]


def _rows(
    connection: psycopg.Connection[Any], table: str, columns: list[str] | None = None
) -> list[str]:
    """Return the rows of a raw table as texts, sorted; of those columns alone."""
    chosen = columns or _columns(connection, f"raw_evals.{table}")
    query = sql.SQL("select row({})::text from {} order by 1").format(
        sql.SQL(", ").join(map(sql.Identifier, chosen)), sql.Identifier("raw_evals", table)
    )
    return [text for (text,) in connection.execute(query).fetchall()]


_SHAPE = """
select
    'column',
    attrelid::regclass::text,
    attname || ' ' || format_type(atttypid, atttypmod) || ' ' || attnotnull || ' '
    || coalesce(pg_get_expr(adbin, adrelid), '-') || ' ' || coalesce(attacl::text, '-')
from pg_attribute
inner join pg_class on attrelid = pg_class.oid
left join pg_attrdef on attrelid = adrelid and attnum = adnum
where relnamespace = 'raw_evals'::regnamespace and attnum > 0 and not attisdropped
union all
select 'relation', oid::regclass::text, relkind::text || coalesce(relacl::text, '-')
from pg_class where relnamespace = 'raw_evals'::regnamespace
union all
select 'constraint', conrelid::regclass::text, conname || ' ' || pg_get_constraintdef(oid)
from pg_constraint where connamespace = 'raw_evals'::regnamespace
union all
select 'index', indexrelid::regclass::text, pg_get_indexdef(indexrelid)
from pg_index
inner join pg_class on indexrelid = pg_class.oid
where relnamespace = 'raw_evals'::regnamespace
union all
select
    'function',
    oid::regprocedure::text,
    md5(pg_get_functiondef(oid)) || coalesce(proacl::text, '-')
from pg_proc where pronamespace = 'raw_evals'::regnamespace
union all
select 'trigger', tgrelid::regclass::text, pg_get_triggerdef(pg_trigger.oid)
from pg_trigger
inner join pg_class on tgrelid = pg_class.oid
where relnamespace = 'raw_evals'::regnamespace
union all
select 'view', viewname, md5(definition) from pg_views where schemaname = 'raw_evals'
union all
select 'schema', nspname, obj_description(oid, 'pg_namespace') || coalesce(nspacl::text, '-')
from pg_namespace where nspname = 'raw_evals'
"""


def _shape(connection: psycopg.Connection[Any]) -> set[tuple[object, ...]]:
    """Return all that makes the raw schema, but its rows."""
    return {*connection.execute(_SHAPE.encode()).fetchall()}


@pytest.mark.parametrize("version", range(FIRST_RELEASE, LATEST))
def test_a_schema_of_any_earlier_version_becomes_the_newest_and_keeps_every_row(
    empty_database_url: str, database_url: str, version: int
) -> None:
    _at_version(empty_database_url, version)
    with connect(empty_database_url) as connection, connect(database_url) as new:
        columns = {name: _columns(connection, f"raw_evals.{name}") for name in _tables(connection)}
        before = {name: _rows(connection, name, columns[name]) for name in columns}
        assert all(before[name] for name in columns.keys() - {"load_turn"}), before.keys()
        assert migrate(connection) == [each.name for each in migrations()[version:]]
        assert current_version(connection) == LATEST
        after = {name: _rows(connection, name, columns[name]) for name in columns}
        assert after == before
        assert _shape(connection) == _shape(new)


def test_what_0_1_0_loaded_is_known_again(empty_database_url: str) -> None:
    _at_version(empty_database_url, FIRST_RELEASE)
    with connect(empty_database_url) as connection:
        migrate(connection)
    again = load_file(empty_database_url, CORRECTED)
    assert (again.loaded, again.unchanged, again.rejected) == (0, 1, 3)
    # which files were loaded, 0.1.0 did not keep: the corrected run is what the file says again
    again = load_file(empty_database_url, RUNS)
    assert (again.loaded, again.unchanged, again.rejected) == (1, 59, 0)
    again = load_file(empty_database_url, CORRECTED)
    assert (again.loaded, again.unchanged, again.rejected) == (0, 1, 3)


@pytest.fixture(scope="module")
def both(postgres_server: str, dbt: Dbt) -> Iterator[Mapping[str, str]]:
    """Give the upgraded database and a new one of the same files, built; by name."""
    with (
        servers.fresh_database(postgres_server) as upgraded,
        servers.migrated(postgres_server) as new,
    ):
        _at_version(upgraded, FIRST_RELEASE)
        with psycopg.connect(upgraded, autocommit=True) as connection:
            connection.execute((FOLDER / "marts.pgsql").read_bytes())
            connection.execute(
                "create schema ana;"
                "create view ana.stays as"
                " select experiment_id, recommendation from evals.experiment_summaries;"
                "create view ana.goes as"
                " select experiment_id, legacy_weighted_improvement_pct"
                " from evals.experiment_summaries;"
                "grant select on evals.experiment_summaries, ana.stays to public"
            )
        with connect(upgraded) as connection:
            migrate(connection)
        for path in (RUNS, CORRECTED):
            load_file(new, path)
        dbt.build(upgraded)
        dbt.build(new)
        yield {"upgraded": upgraded, "new": new}


# By design the same records give other rows: 0.1.0 took a run that does not say success for one,
# which stays (here all runs of one experiment, with an agent of its own); the ledger says when
# they were loaded, and by which program.
_SAID = {"experiment_id": "exp-said", "agent_name": "feature_dev"}
_TIMES = {
    "created_at", "finished_at", "first_loaded_at", "loaded_at", "loader_version", "scored_at",
    "started_at", "updated_at", "valid_from", "valid_to",
}  # fmt: skip
_OTHER = {
    # null in rows of before, which are on the scales of the seed, as these are
    "evaluation_trials": {"score_scales"},
    # where the files lay
    "load_history": {"source_ref"},
}
_ASKED_FOR = {"gate_decisions"}
"""What somebody did beside loading; `ingest` of the same files makes none of it."""


def _mart(connection: psycopg.Connection[Any], mart: str) -> list[dict[str, object]]:
    columns = _columns(connection, f"evals.{mart}")
    told = [name for name in _SAID if name in columns]
    query = sql.SQL("select to_jsonb(mart) - %s::text[] from {} as mart where {}").format(
        sql.Identifier("evals", mart),
        sql.SQL(" and ").join(
            [sql.SQL("true"), *(sql.SQL("{} = %s").format(sql.Identifier(name)) for name in told)]
        ),
    )
    left_out = [*_TIMES, *_OTHER.get(mart, ())]
    found = connection.execute(query, [left_out, *(_SAID[name] for name in told)]).fetchall()
    return sorted((row for (row,) in found), key=lambda row: json.dumps(row, sort_keys=True))


def _differing(
    old: list[dict[str, object]], new: list[dict[str, object]]
) -> dict[str, tuple[object, object]]:
    """Return which columns differ, each with the values of one row; with the number of rows."""
    counts = {"rows": (len(old), len(new))} if len(old) != len(new) else {}
    return counts | {
        name: (one.get(name), two.get(name))
        for one, two in zip(old, new, strict=False)
        for name in one.keys() | two.keys()
        if one.get(name) != two.get(name)
    }


@pytest.mark.newest_server
def test_upgraded_marts_are_those_of_the_same_records_ingested_anew(
    both: Mapping[str, str],
) -> None:
    with connect(both["upgraded"]) as upgraded, connect(both["new"]) as new:
        names = upgraded.execute(
            "select relname::text from pg_class where relnamespace = 'evals'::regnamespace"
            " and relkind in ('r', 'v') order by 1"
        ).fetchall()
        marts = {str(name) for (name,) in names}
        for name in marts:
            assert _columns(upgraded, f"evals.{name}") == _columns(new, f"evals.{name}"), name
        compared = {name: (_mart(upgraded, name), _mart(new, name)) for name in marts - _ASKED_FOR}
        differing = {name: _differing(*pair) for name, pair in compared.items()}
        told = [f"{name}: {found}" for name, found in sorted(differing.items()) if found]
        assert told == []
        filled = {name for name, pair in compared.items() if pair[0]}
        assert {"experiment_summaries", "evaluation_trials", "load_history"} <= filled


@pytest.mark.newest_server
def test_views_and_grants_of_others_stay_where_what_they_read_is_still_there(
    both: Mapping[str, str],
) -> None:
    with psycopg.connect(both["upgraded"]) as connection:
        views = connection.execute("select viewname from pg_views where schemaname = 'ana'")
        assert views.fetchall() == [("stays",)]
        granted = connection.execute(
            "select has_table_privilege('public', name, 'select')"
            " from unnest(array['evals.experiment_summaries', 'ana.stays']) as name"
        )
        assert granted.fetchall() == [(True,), (True,)]
        rows = connection.execute("select * from ana.stays order by 1").fetchall()
        assert [experiment for experiment, _ in rows] == ["exp-said", "exp-unsaid"]
