from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest
from click.testing import CliRunner
from psycopg.types.json import Jsonb

from loader.cli import cli
from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.ingest import retention
from loader.warehouse import locks
from loader.warehouse.connection import Connection, connect

NOW = datetime.now(UTC)
OLD = NOW - timedelta(days=400)
NEW = NOW - timedelta(days=3)


class Run(NamedTuple):
    run: str
    version: int = 1
    recorded_at: datetime | None = OLD
    loaded_at: datetime = NEW
    experiment: str = "exp-1"
    baseline: str | None = None
    metadata: object = {}


def store(connection: Connection, *runs: Run) -> None:
    for run in runs:
        connection.execute(
            """
            insert into raw_evals.evaluation_runs (
                load_id, experiment_id, source, source_run_id, run_version, content_hash,
                task_id, experiment_group, extension_version, recorded_at, model_version,
                scores, measurements, success, evaluator_versions, feedback, metadata,
                loaded_at, baseline_experiment_id
            )
            values (
                nextval('raw_evals.load_ids'), %s, 'file', %s, %s, gen_random_uuid(), 't',
                'baseline', '1', %s, 'm', '{}', '{}', true, '{}', '{}', %s, %s, %s
            )
            """,
            (
                run.experiment,
                run.run,
                run.version,
                run.recorded_at,
                Jsonb(run.metadata),
                run.loaded_at,
                run.baseline,
            ),
        )


def left(connection: Connection) -> set[tuple[object, ...]]:
    rows = connection.execute("select source_run_id, run_version from raw_evals.evaluation_runs")
    return set(rows.fetchall())


def purge(connection: Connection, days: int = 365, batch: int = 20_000) -> list[retention.Removed]:
    return list(retention.remove(connection, retention.find(connection, days), batch))


@pytest.fixture
def connection(database_url: str) -> Connection:
    return connect(database_url, autocommit=True)


def test_old_runs_go_and_young_ones_stay(connection: Connection) -> None:
    with connection:
        store(connection, Run("old"), Run("young", recorded_at=NEW))
        assert purge(connection) == [retention.Removed(runs=1, versions=1)]
        assert left(connection) == {("young", 1)}


def test_a_run_goes_with_all_its_versions_or_not_at_all(connection: Connection) -> None:
    with connection:
        store(
            connection,
            Run("old", 1),
            Run("old", 2),
            Run("rescored", 1),
            Run("rescored", 2, recorded_at=NEW),
        )
        assert purge(connection) == [retention.Removed(runs=1, versions=2)]
        assert left(connection) == {("rescored", 1), ("rescored", 2)}


def test_a_run_that_never_said_when_is_as_old_as_its_first_load(connection: Connection) -> None:
    with connection:
        store(
            connection,
            Run("old", 1, recorded_at=None, loaded_at=OLD),
            Run("old", 2, recorded_at=None, loaded_at=NEW),
            Run("young", 1, recorded_at=None, loaded_at=NEW),
        )
        purge(connection)
        assert left(connection) == {("young", 1)}


def test_one_archived_version_keeps_the_run(connection: Connection) -> None:
    with connection:
        store(
            connection,
            Run("kept", 1, metadata={"archive": True, "more": 1}),
            Run("kept", 2),
            Run("gone", 1, metadata={"archive": "true"}),
            Run("gone too", 1, metadata={"archive": False}),
        )
        purge(connection)
        assert left(connection) == {("kept", 1), ("kept", 2)}


def test_the_ledger_and_the_change_feed_tell_what_went(connection: Connection) -> None:
    with connection:
        store(
            connection,
            Run("a", experiment="exp-1"),
            Run("b", experiment="exp-2", baseline="exp-1"),
            Run("c", experiment="exp-2", baseline="exp-1"),
            Run("d", experiment="exp-3", recorded_at=NEW),
        )
        purge(connection)
        ledger = connection.execute(
            """
            select source, source_ref ->> 'runs', source_ref ->> 'versions', rows_read,
                rows_loaded, finished_at >= started_at
            from raw_evals.loads
            """
        ).fetchall()
        assert ledger == [("purge", "3", "3", 0, 0, True)]
        feed = connection.execute(
            """
            select feed.experiment_id, feed.baseline_experiment_id
            from raw_evals.load_experiments as feed
            inner join raw_evals.loads using (load_id)
            order by feed.experiment_id
            """
        ).fetchall()
        assert feed == [("exp-1", None), ("exp-2", "exp-1")]


def test_batches_remove_everything_once(connection: Connection) -> None:
    with connection:
        store(connection, *(Run(f"run {number}") for number in range(10)))
        assert [batch.runs for batch in purge(connection, batch=3)] == [3, 3, 3, 1]
        assert left(connection) == set()
        assert purge(connection) == []


def test_a_run_that_got_a_young_version_meanwhile_stays(connection: Connection) -> None:
    with connection:
        store(connection, Run("a"), Run("b"))
        expired = retention.find(connection, 365)
        store(connection, Run("a", 2, recorded_at=NEW))
        assert list(retention.remove(connection, expired)) == [retention.Removed(1, 1)]
        assert left(connection) == {("a", 1), ("a", 2)}


def test_a_batch_waits_for_a_load_that_is_under_way(
    connection: Connection, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with connection, connect(database_url) as load:
        store(connection, Run("a"))
        expired = retention.find(connection, 365)
        locks.try_draw(load)
        monkeypatch.setenv("EVALMART_WAIT_SECONDS", "0.1")
        with pytest.raises(WarehouseUnavailable, match=r"waited 0\.1 s for another load: evalmart"):
            list(retention.remove(connection, expired))
        assert left(connection) == {("a", 1)}


def test_a_role_without_the_right_is_told_so(connection: Connection) -> None:
    with connection:
        store(connection, Run("a"))
        connection.execute("grant select on raw_evals.evaluation_runs to evals_loader")
        expired = retention.find(connection, 365)
        connection.execute("set role evals_loader")
        with pytest.raises(WarehouseUnavailable, match="as the schema's owner"):
            list(retention.remove(connection, expired))
        connection.execute("reset role")
        assert left(connection) == {("a", 1)}


def test_without_a_raw_schema_the_remedy_is_named(empty_database_url: str) -> None:
    with (
        connect(empty_database_url, autocommit=True) as connection,
        pytest.raises(ConfigurationError, match="evalmart init"),
    ):
        retention.find(connection, 365)


@pytest.mark.parametrize("days", [0, -1])
def test_an_age_below_one_day_is_refused(connection: Connection, days: int) -> None:
    with connection, pytest.raises(ConfigurationError, match="at least 1"):
        retention.find(connection, days)


def test_the_command_touches_nothing_without_yes(connection: Connection, database_url: str) -> None:
    with connection:
        store(connection, Run("a"), Run("b", 1), Run("b", 2))
        result = CliRunner().invoke(
            cli, ["purge", "--older-than", "365", "--database-url", database_url]
        )
        assert result.exit_code == 0, result.output
        assert "exp-1" in result.stdout
        assert "would remove 2 runs (3 versions) of 1 experiment" in result.stderr
        assert len(left(connection)) == 3


def test_the_command_removes_with_yes(connection: Connection, database_url: str) -> None:
    with connection:
        store(connection, Run("a"), Run("b", recorded_at=NEW))
        arguments = ["purge", "--older-than", "365", "--yes", "--no-build"]
        result = CliRunner().invoke(cli, [*arguments, "--database-url", database_url])
        assert result.exit_code == 0, result.output
        assert "removed 1 run (1 version)" in result.stderr
        assert left(connection) == {("b", 1)}


def test_the_command_needs_an_age() -> None:
    assert CliRunner().invoke(cli, ["purge"]).exit_code == 2
    assert CliRunner().invoke(cli, ["purge", "--older-than", "0"]).exit_code == 2
