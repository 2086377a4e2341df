"""What people read of the marts is never away, whatever a build has to make of it."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any

import psycopg
import pytest

import servers
from random_records import random_record
from raw_rows import RawRows

if TYPE_CHECKING:
    from collections.abc import Iterator

    from warehouse_dbt import Dbt

Connection = psycopg.Connection[Any]
SCHEMAS = "('evals', 'evals_staging', 'evals_intermediate')"
MODELS = ("--exclude-resource-type", "test")
OIDS = f"""
    select format('%s.%s', nspname, relname), pg_class.oid::bigint
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where relkind in ('r', 'v') and nspname in {SCHEMAS}
"""  # noqa: S608  no value of anybody's
# What changes a relation that is not temporary, by whoever does it.
WATCH = """
create table public.changes (command text, relation text);
create function public.note_change() returns event_trigger language plpgsql as $note$
declare
    one record;
begin
    if tg_event = 'sql_drop' then
        for one in select * from pg_event_trigger_dropped_objects() where not is_temporary
        loop
            insert into public.changes values (tg_tag, one.object_identity);
        end loop;
    else
        for one in select * from pg_event_trigger_ddl_commands() loop
            insert into public.changes values (tg_tag, one.object_identity);
        end loop;
    end if;
end
$note$;
create event trigger note_drops on sql_drop execute function public.note_change();
create event trigger note_commands on ddl_command_end execute function public.note_change();
"""


@pytest.fixture
def url(postgres_server: str, dbt: Dbt) -> Iterator[str]:
    """Give a warehouse of a hundred random runs, built once."""
    with servers.migrated(postgres_server) as url:
        load(url, range(100))
        dbt.build(url, *MODELS)
        yield url


def load(url: str, runs: range) -> None:
    rng = random.Random(runs.start)  # noqa: S311  a seeded test
    with psycopg.connect(url, autocommit=True) as connection:
        RawRows(connection).load(random_record(rng, run) for run in runs)


def ask(url: str, query: str) -> list[tuple[Any, ...]]:
    with psycopg.connect(url, autocommit=True) as connection:
        return connection.execute(query.encode()).fetchall()


def run(url: str, statements: str) -> None:
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(statements.encode())


def test_a_build_without_news_neither_drops_nor_makes_nor_writes(url: str, dbt: Dbt) -> None:
    tables = [
        name for (name,) in ask(url, "select relname from pg_class where relkind = 'r'"
                                     " and relnamespace = 'evals'::regnamespace")
    ]  # fmt: skip
    places = {name: ask(url, f"select ctid, xmin from evals.{name}") for name in tables}  # noqa: S608
    run(url, WATCH)
    before = ask(url, OIDS)

    dbt.build(url, *MODELS)
    dbt.build(url, *MODELS, "--full-refresh")

    assert sorted(ask(url, OIDS)) == sorted(before)
    changes = ask(
        url,
        "select command, relation from public.changes where relation !~ '^pg_temp'"
        " and command !~ 'FUNCTION|GRANT|COMMENT|SCHEMA|ANALYZE'"
        " and relation !~ 'evals_staging\\.(build|kept)'",
    )
    assert changes == []
    for name in tables:
        assert ask(url, f"select ctid, xmin from evals.{name}") == places[name], name  # noqa: S608


def test_what_a_build_replaces_takes_along_the_views_that_read_it(url: str, dbt: Dbt) -> None:
    run(url, """
        create role view_reader;
        create schema mine;
        create view mine.below as select experiment_id, load_id from evals.load_history;
        create view mine.above as select experiment_id from mine.below;
        comment on column mine.above.experiment_id is 'it''s mine';
        grant select (experiment_id) on mine.above to view_reader;
        create materialized view mine.kept as select count(*) as loads from mine.below;
        create unique index on mine.kept (loads);
        create view mine.odd as select strange from (select 1 as strange) as one
        cross join evals.load_history;
        grant select on evals.load_history to view_reader;
        -- as another version may have made it
        alter table evals.load_history add column another_version integer;
        create view mine.unkept as select another_version from evals.load_history;
    """)  # fmt: skip
    try:
        before = ask(url, "select 'evals.load_history'::regclass::oid::bigint")
        dbt.build(url, *MODELS)

        assert ask(url, "select 'evals.load_history'::regclass::oid::bigint") != before
        assert ask(url, "select count(*) from mine.above") == ask(
            url, "select count(*) from evals.load_history"
        )
        assert ask(url, "select loads from mine.kept") == ask(
            url, "select count(*) from evals.load_history"
        )
        assert ask(url, "select count(*) from pg_indexes where schemaname = 'mine'") == [(1,)]
        assert ask(url, "select col_description('mine.above'::regclass, 1)") == [("it's mine",)]
        assert ask(url, "select has_column_privilege('view_reader', 'mine.above', 'experiment_id',"
                        " 'select'), has_table_privilege('view_reader', 'evals.load_history',"
                        " 'select')") == [(True, True)]  # fmt: skip
        assert ask(url, "select to_regclass('mine.unkept') is null") == [(True,)]
        assert ask(url, "select obj_description('evals.load_history'::regclass) like 'One row per%'"
                   ) == [(True,)]  # fmt: skip
    finally:
        run(url, "drop owned by view_reader; drop role view_reader")


def test_a_view_that_somebody_changed_is_put_right_where_it_is(url: str, dbt: Dbt) -> None:
    first = ask(url, OIDS)
    run(url, """
        create or replace view evals_staging.stg_loads as
        select * from (select load_id, experiment_id, source, loader_version, rows_read,
            rows_loaded, rows_unchanged, rows_rejected, values_set_aside::bigint, source_ref,
            started_at, finished_at from raw_evals.loads) as nothing where false;
    """)  # fmt: skip
    dbt.build(url, *MODELS)
    assert ask(url, "select count(*) from evals_staging.stg_loads") == [(1,)]
    assert sorted(ask(url, OIDS)) == sorted(first)

    # and one with other columns, which views read
    run(url, """
        create or replace view evals.score_history as
        select *, 1 as more from (table evals.score_history) as history;
        create view public.reads_it as select metric from evals.score_history;
    """)  # fmt: skip
    dbt.build(url, *MODELS)
    assert ask(url, "select count(*) > 0 from public.reads_it") == [(True,)]
    assert ask(url, "select count(*) from pg_attribute where attname = 'more'"
                    " and attrelid = 'evals.score_history'::regclass") == [(0,)]  # fmt: skip
