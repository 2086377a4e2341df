"""What people read of the marts is never away, whatever a build has to make of it."""

from __future__ import annotations

import random
import threading
import time
from typing import TYPE_CHECKING, Any, Self

import psycopg
import pytest

import servers
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate
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
"""
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
    """Give a warehouse of a hundred random runs, built once for all tests."""

    def fill(url: str) -> None:
        with connect(url) as connection:
            migrate(connection)
        load(url, range(100))
        dbt.build(url, *MODELS)

    built = servers.template(postgres_server, "unbroken", fill)
    with servers.fresh_database(postgres_server, built) as url:
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
    places = {name: ask(url, f"select ctid, xmin from evals.{name}") for name in tables}
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
        assert ask(url, f"select ctid, xmin from evals.{name}") == places[name], name


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
    [(definition,)] = ask(url, "select pg_get_viewdef('evals_staging.stg_loads'::regclass)")
    run(
        url,
        "create or replace view evals_staging.stg_loads as"
        f" select * from ({definition.rstrip('; ')}) as nothing where false",
    )
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


# of tables that people read, and of views that read several of them
REPLACED = ("load_history", "gate_decisions", "version_trends")
FORGET = f"delete from evals_staging.built_relations where relation_name ~ '{'|'.join(REPLACED)}'"
CROSSED = """
    create view public.crossed as
    select (select count(*) from evals.load_history) as loads,
        (select count(*) from evals.gate_decisions) as decisions,
        (select count(*) from evals.version_trends) as trends;
    create view public.above as select loads from public.crossed;
"""


class Readers:
    """Threads that read in a loop, each with its own transactions, until told to stop."""

    def __init__(self, url: str, *transactions: tuple[str, ...], rest: float = 0.0) -> None:
        """Let a thread read each of these transactions again and again, after a rest."""
        self._rest = rest
        self.errors: list[str] = []
        self.answers: list[int] = [0] * len(transactions)
        self._over = threading.Event()
        self._threads = [
            threading.Thread(target=self._read, args=(url, place, queries))
            for place, queries in enumerate(transactions)
        ]

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _read(self, url: str, place: int, queries: tuple[str, ...]) -> None:
        with psycopg.connect(url) as connection:
            while not self._over.wait(self._rest):
                try:
                    for query in queries:
                        cursor = connection.execute(query.encode())
                        if cursor.description and cursor.fetchall() == [(0,)]:
                            self.errors.append(f"empty: {query}")
                except psycopg.Error as error:
                    self.errors.append(f"{type(error).__name__}: {error}")
                connection.rollback()
                self.answers[place] += 1


def test_readers_that_lock_in_any_order_meet_no_deadlock(url: str, dbt: Dbt) -> None:
    run(url, CROSSED)
    tables = [f"select count(*) >= 0 from evals.{name}" for name in REPLACED]
    pause, view = "select pg_sleep(0.2)::text", "select count(*) from public.crossed"
    with Readers(
        url, (tables[0], pause, view), (view, pause, tables[1]), (tables[2], pause, view), rest=0.4
    ) as readers:
        builds = 0
        while builds < 2 or min(readers.answers) < 4:
            before = dict(ask(url, OIDS))
            run(url, FORGET)
            dbt.build(url, "--select", *REPLACED, *MODELS)
            after = dict(ask(url, OIDS))
            assert all(before[f"evals.{name}"] != after[f"evals.{name}"] for name in REPLACED)
            builds += 1
    assert readers.errors == []


def test_a_build_waits_for_a_reader_and_keeps_nobody_waiting(
    url: str, dbt: Dbt, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(url, CROSSED)
    run(url, FORGET)
    with psycopg.connect(url, application_name="a long report") as reader:
        reader.execute("select * from public.above")
        monkeypatch.setenv("EVALMART_WAIT_SECONDS", "3")
        with Readers(
            f"{url} options='-c statement_timeout=900'", ("table public.crossed",)
        ) as others:
            success, messages = dbt.attempt(url, "build", "--select", *REPLACED, *MODELS)
        assert not success
        said = next(message for message in messages if "evals.load_history has to be" in message)
        assert "a long report (process" in said
        assert "EVALMART_WAIT_SECONDS" in said
        assert others.errors == []
        assert others.answers[0] > 5

        monkeypatch.setenv("EVALMART_WAIT_SECONDS", "120")
        ending = threading.Timer(6, reader.rollback)
        ending.start()
        dbt.build(url, "--select", *REPLACED, *MODELS)
        ending.join()
    assert ask(url, "select count(*) from public.above") == [(1,)]


READ = """
    select format('select count(*) from %I.%I', nspname, relname)
    from pg_class
    inner join pg_namespace on relnamespace = pg_namespace.oid
    where nspname = 'evals' and relkind in ('r', 'v')
"""


def test_readers_of_every_mart_find_it_there_and_filled_whatever_builds_do(
    url: str, dbt: Dbt
) -> None:
    marts = [query for (query,) in ask(url, READ) if ask(url, query) != [(0,)]]
    assert len(marts) > 15
    history = ("select count(*) from evals.score_history",)
    # one statement a transaction, and all in one of a single state
    with (
        Readers(url, *((query,) for query in marts), history, rest=0.05) as readers,
        Readers(url, ("set transaction isolation level repeatable read", *marts)) as states,
    ):
        for first in (100, 200):
            load(url, range(first, first + 20))
            dbt.build(url, *MODELS)
        load(url, range(300, 320))
        writes = "select from evals_staging.builds where status = 'running' and wrote_at < now()"
        killed = []
        for rest in (0.1, 0.4):

            def is_time(rest: float = rest) -> bool:
                return bool(ask(url, writes)) and time.sleep(rest) is None

            killed.append(dbt.kill_while_building(url, is_time))
        assert any(killed)
        dbt.build(url, *MODELS)
        dbt.build(url, *MODELS, "--full-refresh")
    assert readers.errors == states.errors == []
    assert min(readers.answers + states.answers) > 5
