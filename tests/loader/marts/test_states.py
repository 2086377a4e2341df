"""Readers of relations that others are put in the place of, and of builds that are under way."""

from __future__ import annotations

import threading
from typing import Any

import psycopg
import pytest

from loader.errors import WarehouseUnavailable
from loader.marts.states import snapshot
from loader.tools.sql_files import read_sql
from loader.warehouse.connection import connect

_ROWS = 500
_SCHEMAS = "create schema evals; create schema evals_staging; create schema evals_functions"
# As dbt's hook makes it, see macros/ledger/builds.sql.
_ASKED = """
create function evals_functions.build_in_the_way(
    experiments text [], out status text, out holder jsonb,
    out started_at timestamptz, out is_alive boolean
) returns setof record stable security definer set search_path = pg_catalog, pg_temp language sql
as $$ select * from raw_evals.build_in_the_way('evals', experiments) $$
"""
_SWAP = """
create table evals.other as select * from evals.results;
drop view evals.shown;
drop table evals.results;
alter table evals.other rename to results;
create view evals.shown as select * from evals.results
"""


@pytest.fixture
def marts(database_url: str) -> str:
    """Give a database with marts made by hand, built once up to the load 1."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(_SCHEMAS.encode())
        connection.execute(
            f"create table evals.results as select * from generate_series(1, {_ROWS})"
        )
        connection.execute("create view evals.shown as select * from evals.results")
        connection.execute("select raw_evals.create_builds('evals')")
        connection.execute(_ASKED)
        connection.execute(
            "create table evals_staging.build_watermarks (model text, built_load_id bigint,"
            " started_at timestamptz, finished_at timestamptz)"
        )
        connection.execute("insert into evals_staging.build_watermarks values"
                           " ('evaluation_trials', 1)")  # fmt: skip
        connection.execute(
            "insert into evals_staging.builds (status, holder, wrote_at, is_whole, built_load_id)"
            " values ('complete', '{}', now(), true, 1)"
        )
        load(connection, 1, "old")
    return database_url


def load(
    connection: psycopg.Connection[Any], load_id: int, experiment: str, *, of: str = ""
) -> None:
    # the ledger's entry is of no interest here
    connection.execute("set session_replication_role = replica")
    connection.execute(
        "insert into raw_evals.load_experiments (load_id, experiment_id, baseline_experiment_id)"
        " values (%s, %s, nullif(%s, ''))",
        [load_id, experiment, of],
    )


def build(
    url: str, status: str, *, is_whole: bool = True, upto: int = 2, renewed: str = "0s"
) -> None:
    """Leave a build in the ledger as it would be after it put a load into the marts."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("update evals_staging.build_watermarks set built_load_id = %s", [upto])
        connection.execute(
            "insert into evals_staging.builds"
            " (status, holder, wrote_at, is_whole, built_load_id, renewed_at)"
            ' values (%s, \'{"name": "evalmart build", "renews": true}\', now(), %s, %s,'
            " now() - %s::interval)",
            [status, is_whole, upto if status == "complete" else 0, renewed],
        )


def ask(url: str, *experiments: str, part_will_do: bool = False) -> int:
    with (
        connect(url) as connection,
        snapshot(connection, experiments or None, part_will_do=part_will_do),
    ):
        row = connection.execute("select count(*) from evals.shown").fetchone()
    assert row is not None
    return int(str(row[0]))


def test_a_reader_never_meets_a_mart_that_is_not_there_or_empty(marts: str) -> None:
    is_over = threading.Event()
    swaps = 0

    def swap() -> None:
        nonlocal swaps
        while not is_over.is_set():
            with psycopg.connect(marts) as connection:
                connection.execute(_SWAP.encode())
            swaps += 1

    swapper = threading.Thread(target=swap)
    swapper.start()
    try:
        with connect(marts) as connection:
            for _ in range(150):
                with snapshot(connection):
                    for mart in ("shown", "results", "shown"):
                        found = connection.execute(
                            f"select count(*) from evals.{mart}".encode()
                        ).fetchone()
                        assert found == (_ROWS,)
    finally:
        is_over.set()
        swapper.join()
    assert swaps > 20


def test_what_was_replaced_while_rights_were_asked_is_not_taken_for_forbidden(marts: str) -> None:
    """Rights are told of the newest state, relations of an older one: none would be locked."""
    parameters = {"marts": "evals", "steps": "evals_functions"}
    relations = read_sql("loader.marts.states", "relations")
    with psycopg.connect(marts) as reader:
        reader.execute("set transaction isolation level repeatable read")
        assert reader.execute(relations, parameters).fetchone() == (
            ["results", "shown"], True, True,
        )  # fmt: skip
        with psycopg.connect(marts) as swapper:
            swapper.execute(_SWAP.encode())
        assert reader.execute(relations, parameters).fetchone() == ([], True, False)
    with psycopg.connect(marts) as reader:
        assert reader.execute(relations, parameters).fetchone() == (
            ["results", "shown"], True, True,
        )  # fmt: skip


def test_who_asks_about_what_a_build_touches_waits_for_it(
    marts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0.2")
    with psycopg.connect(marts, autocommit=True) as connection:
        load(connection, 2, "new")
        load(connection, 1, "compared", of="new")
        load(connection, 3, "later")
    build(marts, "running")
    told = "waited 0.2 s for the build under way: evalmart build, since"
    for asked in (("new",), ("compared",), ("old", "new"), ()):
        with pytest.raises(WarehouseUnavailable, match=told):
            ask(marts, *asked)
    assert ask(marts, "old") == _ROWS
    assert ask(marts, "later") == _ROWS, "the build does not hold that load"


def test_the_wait_ends_with_the_build(marts: str) -> None:
    with psycopg.connect(marts, autocommit=True) as connection:
        load(connection, 2, "new")
        build(marts, "running")
        finish = threading.Timer(
            0.5, connection.execute, ["update evals_staging.builds set status = 'complete'"]
        )
        finish.start()
        assert ask(marts, "new") == _ROWS
        finish.join()


@pytest.mark.parametrize("status", ["failed", "lost", "running"])
def test_after_a_build_that_did_not_finish_nothing_is_mixed(marts: str, status: str) -> None:
    with psycopg.connect(marts, autocommit=True) as connection:
        load(connection, 2, "new")
    build(marts, status, renewed="58s")
    told = r"the last build did not finish \(by evalmart build, since .*\): run evalmart"
    for asked in (("new",), ()):
        with pytest.raises(WarehouseUnavailable, match=told):
            ask(marts, *asked)
    assert ask(marts, "old") == _ROWS


def test_after_a_build_of_some_models_what_it_touched_is_of_two_states(marts: str) -> None:
    build(marts, "complete", is_whole=False, upto=1)
    assert ask(marts) == _ROWS, "it built what was built already"
    with psycopg.connect(marts, autocommit=True) as connection:
        load(connection, 2, "new")
    build(marts, "complete", is_whole=False)
    for asked in (("new",), ()):
        with pytest.raises(WarehouseUnavailable, match="of some models only"):
            ask(marts, *asked)
    assert ask(marts, "old") == _ROWS
    # who has built just what it reads may read it
    assert ask(marts, "new", part_will_do=True) == _ROWS
    build(marts, "complete")
    assert ask(marts, "new") == _ROWS


def test_a_build_with_other_settings_touches_everything(
    marts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0")
    build(marts, "running", upto=1)
    assert ask(marts, "old") == _ROWS
    with psycopg.connect(marts, autocommit=True) as connection:
        connection.execute(
            "update evals_staging.builds set replaces_all = true where status = 'running'"
        )
    with pytest.raises(WarehouseUnavailable, match="the build under way"):
        ask(marts, "old")


def test_within_a_snapshot_another_is_the_same(marts: str) -> None:
    with connect(marts) as connection, snapshot(connection, ["old"]):
        with psycopg.connect(marts) as other:
            other.execute("delete from evals.results")
        with snapshot(connection):
            assert connection.execute("select count(*) from evals.results").fetchone() == (_ROWS,)


def test_a_reader_writes_nothing_unless_it_says_so(marts: str) -> None:
    for writes in (False, True):
        with connect(marts) as connection:
            try:
                with snapshot(connection, writes=writes):
                    connection.execute("create temporary table kept ()")
                    connection.execute("insert into evals.results values (0)")
                assert writes
            except psycopg.errors.ReadOnlySqlTransaction:
                assert not writes


def test_a_role_that_sees_marts_alone_waits_as_all_do(
    marts: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0")
    with psycopg.connect(marts, autocommit=True) as connection:
        load(connection, 2, "new")
        connection.execute(
            "grant usage on schema evals, evals_functions to evals_analyst;"
            " grant select on evals.shown to evals_analyst"
        )
    build(marts, "running")
    with connect(marts) as connection:
        connection.execute("set role evals_analyst")
        connection.commit()
        with snapshot(connection, ["old"]):
            found = connection.execute("select count(*) from evals.shown").fetchone()
        assert found == (_ROWS,)
        with (
            pytest.raises(WarehouseUnavailable, match="the build under way: evalmart build"),
            snapshot(connection, ["new"]),
        ):
            pass
