from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import psycopg
import pytest

from loader.errors import ConfigurationError
from loader.warehouse.connection import connect
from loader.warehouse.dbt import build
from loader.warehouse.migrate import current_version, migrate, migrations, require_current

if TYPE_CHECKING:
    from collections.abc import Sequence

_RAW_ROW = """
insert into raw_evals.evaluation_runs (
    load_id, experiment_id, source, source_run_id, run_version, content_hash,
    task_id, experiment_group, extension_version, model_version,
    scores, measurements, success, evaluator_versions, feedback, metadata
) values (
    currval('raw_evals.load_ids'), 'e', 'file', 'r', 1, gen_random_uuid(),
    't', 'baseline', '1.0.0', 'unknown', '{}', '{}', true, '{}', '[]', '{}'
)
"""


def _as(role: str, url: str, statements: Sequence[str]) -> None:
    with psycopg.connect(url) as connection:
        connection.execute(f"set role {role}")
        for statement in statements:
            connection.execute(statement)


def test_migrations_are_numbered_without_a_gap() -> None:
    assert [migration.version for migration in migrations()] == list(
        range(1, len(migrations()) + 1)
    )


def test_a_second_init_applies_nothing(empty_database_url: str) -> None:
    with connect(empty_database_url) as connection:
        assert current_version(connection) == 0
        with pytest.raises(ConfigurationError, match="evalmart init"):
            require_current(connection)
        assert migrate(connection) == [migration.name for migration in migrations()]
        assert migrate(connection) == []
        require_current(connection)


def test_inits_at_once_apply_each_migration_once(empty_database_url: str) -> None:
    def init(_: int) -> list[str]:
        with connect(empty_database_url) as connection:
            return migrate(connection)

    with ThreadPoolExecutor(6) as pool:
        applied = [name for names in pool.map(init, range(6)) for name in names]
    assert applied == [migration.name for migration in migrations()]


def test_a_newer_schema_is_left_alone(database_url: str) -> None:
    with connect(database_url) as connection:
        connection.execute("insert into raw_evals.schema_version (version, name) values (999, 'x')")
        connection.commit()
        with pytest.raises(ConfigurationError, match="upgrade evalmart"):
            migrate(connection)
        with pytest.raises(ConfigurationError, match="upgrade evalmart"):
            require_current(connection)


def test_a_build_begins_only_on_the_schema_of_this_program(empty_database_url: str) -> None:
    with pytest.raises(ConfigurationError, match=r"does not exist; run: evalmart init"):
        build((), empty_database_url)
    with connect(empty_database_url) as connection:
        migrate(connection)
        connection.execute("delete from raw_evals.schema_version where version > 9")
        connection.commit()
    with pytest.raises(ConfigurationError, match=r"at version 9 of \d+; run: evalmart init"):
        build((), empty_database_url)


def test_the_loader_role_may_append_and_read_raw(database_url: str) -> None:
    _as(
        "evals_loader",
        database_url,
        [
            "select raw_evals.draw_load_id()",
            _RAW_ROW,
            "select count(*) from raw_evals.evaluation_runs",
        ],
    )


@pytest.mark.parametrize(
    "statement",
    [
        "update raw_evals.evaluation_runs set success = false",
        "delete from raw_evals.evaluation_runs",
        "truncate raw_evals.evaluation_runs",
        "delete from raw_evals.loads",
        "update raw_evals.loads set rows_read = 0",
        "drop table raw_evals.loads",
        "insert into raw_evals.schema_version (version, name) values (9, 'x')",
        "create table raw_evals.extra (id integer)",
    ],
)
def test_the_loader_role_may_not_change_or_delete(database_url: str, statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _as("evals_loader", database_url, [statement])


def test_the_analyst_role_may_not_read_raw(database_url: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _as("evals_analyst", database_url, ["select from raw_evals.evaluation_runs"])


def test_the_ledger_refuses_counters_that_do_not_add_up(database_url: str) -> None:
    with (
        psycopg.connect(database_url) as connection,
        pytest.raises(psycopg.errors.CheckViolation, match="loads_conserve_rows"),
    ):
        connection.execute(
            """
            insert into raw_evals.loads (
                load_id, source, loader_version, started_at, finished_at,
                rows_read, rows_loaded, rows_unchanged, rows_rejected
            ) values (1, 'file', '0', now(), now(), 3, 1, 1, 0)
            """
        )
