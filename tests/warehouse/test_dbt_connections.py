"""dbt's connections: kept over the nodes of a build, and as new for each of them."""

from __future__ import annotations

import multiprocessing
import time
from types import SimpleNamespace
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

if TYPE_CHECKING:
    from collections.abc import Iterator

    from loader.warehouse.dbt_connections import KeptConnections


@pytest.fixture
def connections(database_url: str) -> Iterator[KeptConnections]:
    from dbt.adapters.postgres.connections import PostgresCredentials

    from loader.warehouse.dbt_connections import KeptConnections

    told = conninfo_to_dict(database_url)
    credentials = PostgresCredentials(
        host=str(told["host"]), port=int(str(told.get("port", 5432))), user=str(told["user"]),
        password=str(told.get("password", "")), database=str(told["dbname"]), schema="evals",
        search_path="pg_catalog", role="pg_monitor",
    )  # fmt: skip
    profile = SimpleNamespace(credentials=credentials)
    made = KeptConnections(profile, multiprocessing.get_context("spawn"))
    yield made
    made.cleanup_all()


def ask(connections: KeptConnections, statement: str) -> object:
    _, cursor = connections.add_query(statement, auto_begin=False)
    return cursor.fetchone()[0] if cursor.description else None


def pid_of_node(connections: KeptConnections, name: str) -> int:
    connections.set_connection_name(name)
    return int(str(ask(connections, "select pg_backend_pid()")))


def test_a_connection_serves_one_node_after_the_other_and_forgets_each(
    connections: KeptConnections,
) -> None:
    first = pid_of_node(connections, "model.a")
    ask(connections, "reset role")
    connections.begin()
    ask(connections, "create temporary table left_behind (a integer)")
    ask(connections, "set statement_timeout = 12345")
    connections.commit()
    connections.release()
    assert pid_of_node(connections, "model.that_fails") == first
    ask(connections, "reset role")
    ask(connections, "create schema half_done")
    connections.release()

    assert pid_of_node(connections, "model.b") == first
    assert ask(connections, "select to_regclass('pg_temp.left_behind') is null") is True
    assert ask(connections, "select to_regnamespace('half_done') is null") is True
    assert ask(connections, "show statement_timeout") == "0"
    # what the profile asks for stays
    assert ask(connections, "show search_path") == "pg_catalog"
    assert ask(connections, "select current_role") == "pg_monitor"


def test_a_connection_that_the_server_ended_is_replaced(
    connections: KeptConnections, database_url: str
) -> None:
    first = pid_of_node(connections, "model.a")
    connections.release()
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [first])

    assert pid_of_node(connections, "model.b") != first


def test_a_connection_that_broke_inside_a_node_is_closed(
    connections: KeptConnections, database_url: str
) -> None:
    first = pid_of_node(connections, "model.a")
    with psycopg.connect(database_url, autocommit=True) as other:
        other.execute("select pg_terminate_backend(%s, 5000)", [first])
    connections.release()

    assert pid_of_node(connections, "model.b") != first


def test_connections_are_closed_at_the_end(connections: KeptConnections, database_url: str) -> None:
    first = pid_of_node(connections, "model.a")
    connections.release()
    connections.cleanup_all()
    with psycopg.connect(database_url, autocommit=True) as other:
        gone = other.execute(
            "select pg_sleep(0.2), count(*) = 0 from pg_stat_activity where pid = %s", [first]
        ).fetchone()
    assert gone is not None
    assert gone[1] is True


def test_nothing_is_committed_once_the_build_may_be_another_s(
    connections: KeptConnections, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dbt_common.exceptions import DbtDatabaseError

    is_held = True
    own = SimpleNamespace(sessions="evalmart build 1", is_held=lambda: is_held)
    monkeypatch.setattr(type(connections), "lease", own)
    connections.set_connection_name("model.a")
    ask(connections, "reset role")
    connections.begin()
    assert ask(connections, "show application_name") == "evalmart build 1"
    ask(connections, "create schema done")
    connections.commit()
    ask(connections, "reset role")
    connections.begin()
    ask(connections, "create schema half_done")
    is_held = False
    with pytest.raises(DbtDatabaseError, match="taken over by another"):
        connections.commit()
    connections.release()

    connections.set_connection_name("model.b")
    assert ask(connections, "select to_regnamespace('done') is not null") is True
    assert ask(connections, "select to_regnamespace('half_done') is null") is True


def test_no_limit_of_the_server_ends_a_model(
    connections: KeptConnections, database_url: str
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        name = owner.info.dbname
        for limit in ("statement_timeout", "idle_in_transaction_session_timeout"):
            owner.execute(f"alter database {name} set {limit} = '100ms'".encode())
    connections.set_connection_name("model.a")
    connections.begin()
    ask(connections, "select pg_sleep(0.3)")
    time.sleep(0.3)
    assert ask(connections, "select 1") == 1
    connections.commit()
    assert ask(connections, "show statement_timeout") == "100ms"
