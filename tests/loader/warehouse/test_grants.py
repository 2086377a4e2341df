"""Every role against every statement that it must not run, whatever has happened before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

import forbidden
import servers
from ingest_support import load_records, record
from loader.ingest import retention, withdrawals
from loader.warehouse.connection import connect
from loader.warehouse.migrate import migrate, migrations
from raw_rows import RawRows
from role_logins import login

if TYPE_CHECKING:
    from warehouse_dbt import Dbt

DRAW = "select raw_evals.draw_load_id()"
ROLES = ("nobody", "evals_analyst", "evals_gate", "evals_loader")
_ROLES_OF_BEFORE = """
grant usage on schema raw_evals to evals_loader;
grant select, insert on all tables in schema raw_evals to evals_loader;
grant usage on all sequences in schema raw_evals to evals_loader;
revoke insert on raw_evals.schema_version from evals_loader;
"""


def broken(url: str) -> tuple[int, list[str]]:
    """Return how many statements were tried, and those that were not refused."""
    tried = 0
    found = []
    with psycopg.connect(url, autocommit=True) as owner:
        for role in ROLES:
            with (
                login(url, *([] if role == "nobody" else [role])) as own_url,
                psycopg.connect(own_url) as session,
            ):
                for statement in set(forbidden.statements(owner, role, session.info.user)):
                    tried += 1
                    trouble = forbidden.succeeded(session, statement)
                    if trouble is not None:
                        found.append(f"{role}: {trouble}")
    return tried, found


def records() -> list[dict[str, object]]:
    return [
        record(
            experiment_group=group,
            task_id=f"t-{task}",
            agent_name="a",
            recorded_at=f"{year}-01-01T00:00:00Z",
            scores={"accuracy": 0.1 * task},
        )
        for task in range(6)
        for group, year in (("baseline", 2020), ("code-chef", 2026))
    ]


def test_no_role_runs_what_it_must_not_after_anything(postgres_server: str, dbt: Dbt) -> None:
    with servers.migrated(postgres_server) as url:
        load_records(url, records())
        dbt.build(url)
        tried, found = broken(url)
        assert not found
        assert tried > 4000
        dbt.build(url, "--full-refresh")
        with connect(url, autocommit=True) as connection:
            list(retention.remove(connection, retention.find(connection, 1000)))
            meant = withdrawals.Slice(experiment="exp-1", task="t-1")
            withdrawals.withdraw(connection, meant, "a test", None)
            RawRows(connection).load([{**record(task_id="t-9"), "scores": {"accuracy": 1}}])
        dbt.build(url)
        assert broken(url)[1] == []


def test_no_role_keeps_a_right_of_an_earlier_version(postgres_server: str) -> None:
    with servers.fresh_database(postgres_server) as url:
        migrate_to(url, 12)
        with connect(url) as connection:
            migrate(connection)
        tried, found = broken(url)
        assert not found
        assert tried > 1500


def test_the_statements_succeed_where_a_right_is_given_and_init_takes_it_back(
    database_url: str,
) -> None:
    with psycopg.connect(database_url, autocommit=True) as owner:
        owner.execute("grant update, insert on raw_evals.loads to evals_loader")
        owner.execute("grant usage on sequence raw_evals.load_ids to evals_loader")
        owner.execute("grant create on schema raw_evals to evals_loader")
    found = "\n".join(broken(database_url)[1])
    for statement in (
        'update raw_evals."loads" set load_id = null where false: done',
        'lock table raw_evals."loads" in exclusive mode nowait: done',
        f'{DRAW}; insert into raw_evals."loads" (finished_at) select now() where false: done',
        "select nextval('raw_evals.load_ids'): done",
        "create table raw_evals.mine (): done",
    ):
        assert f"evals_loader: {statement}" in found
    with connect(database_url) as connection:
        migrate(connection)
    assert broken(database_url)[1] == []


def migrate_to(url: str, version: int) -> None:
    """Make the raw schema as it was at a version, with the rights that roles had then."""
    with psycopg.connect(url) as connection:
        connection.execute("create schema raw_evals")
        connection.execute(
            "create table raw_evals.schema_version (version integer primary key,"
            " name text not null, applied_at timestamptz not null default now())"
        )
        for migration in migrations()[:version]:
            connection.execute(migration.statements.encode())
            connection.execute(
                "insert into raw_evals.schema_version (version, name) values (%s, %s)",
                (migration.version, migration.name),
            )
        connection.execute(_ROLES_OF_BEFORE)
