"""Retention: remove runs that are past their time, and tell the marts.

A run goes as a whole, with every version of it, when the latest time it was recorded (or,
if it never said, the time it was first loaded) is before the cutoff, unless a version's
metadata has `"archive": true`. Each batch is one transaction that also writes its ledger
entry (`loads.source` = 'purge', no rows read) and its change feed (`load_experiments`),
so the next build drops exactly what is gone, even after a crash between two batches.
What an experiment was to run, its groups' roles, what its keys mean and its scores as a whole go
with its last run, what people said of a run with the run; the ledger itself stays, and rejected
rows have a retention of their own (`old_rejects`).
"""

from __future__ import annotations

import tempfile
from contextlib import contextmanager
from itertools import islice
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from ..errors import ConfigurationError, WarehouseUnavailable
from ..tools.sql_files import read_sql
from ..tools.tables import Column, Kind, Table
from ..warehouse.connection import be_patient
from .entries import draw_load_id, write_entry

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from ..warehouse.connection import Connection

BATCH_RUNS: Final = 20_000

# One row per expired run, in the order of their key. Their keys are kept on this side, since
# behind a pooler a table of the session is another's in the next transaction.
_FIND = """
create temporary table expired_runs on commit drop as
select
    experiment_id,
    source,
    source_run_id,
    count(*) as version_count,
    coalesce(max(recorded_at), min(loaded_at)) as last_at
from raw_evals.evaluation_runs
group by experiment_id, source, source_run_id
having
    coalesce(max(recorded_at), min(loaded_at)) < now() - make_interval(days => %(days)s)
    and not bool_or(metadata @> '{"archive": true}')
"""
_COPY_KEYS_OUT: Final = """
copy (
    select experiment_id, source, source_run_id
    from expired_runs
    order by experiment_id, source, source_run_id
) to stdout
"""
_CREATE_BATCH: Final = """
create temporary table expired_runs (experiment_id text, source text, source_run_id text)
on commit drop
"""
_COPY_KEYS_IN: Final = "copy expired_runs (experiment_id, source, source_run_id) from stdin"


# Of an experiment without any run nothing is left of what was said of it as a whole.
_REMOVE_TOLD = """
delete from raw_evals.{table} as told
using raw_evals.load_experiments as announced
where
    announced.load_id = %s
    and announced.experiment_id = told.experiment_id
    and not exists (
        select from raw_evals.evaluation_runs as runs
        where runs.experiment_id = told.experiment_id
    )
"""
_TOLD: Final = ("arm_plans", "experiment_group_roles", "score_configs", "summary_scores")

# What people said of a run goes with it.
_REMOVE_ANNOTATIONS = """
delete from raw_evals.annotations as annotations
using raw_evals.load_experiments as announced
where
    announced.load_id = %s
    and announced.experiment_id = annotations.experiment_id
    and not exists (
        select from raw_evals.evaluation_runs as runs
        where
            runs.experiment_id = annotations.experiment_id
            and runs.source = annotations.source
            and runs.source_run_id = annotations.source_run_id
    )
"""


class Keys:
    """The keys of runs, a line each as COPY writes it, in a file that goes with this object."""

    def __init__(self) -> None:
        """Begin without any."""
        self.file = tempfile.TemporaryFile()  # noqa: SIM115  closed with this object

    def __del__(self) -> None:
        """Let the file go."""
        self.file.close()


_NOTHING: Final = Table((), [])


class Expired(NamedTuple):
    """What a purge removes, or would."""

    cutoff: datetime
    runs: int
    versions: int
    experiments: int
    oldest_at: datetime | None
    newest_at: datetime | None
    by_experiment: Table = _NOTHING
    """One row per experiment, the oldest first."""
    keys: Keys | None = None


class Removed(NamedTuple):
    """What a batch removed."""

    runs: int
    versions: int


@contextmanager
def finding(older_than_days: int) -> Iterator[None]:
    """Turn what the driver raises while what is old is looked for into the loader's own errors."""
    try:
        yield
    except psycopg.errors.UndefinedTable:
        raise ConfigurationError(
            "raw_evals does not exist, or is older; run evalmart init"
        ) from None
    except psycopg.errors.DatetimeFieldOverflow:
        raise ConfigurationError(f"{older_than_days} days lead out of the calendar") from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"cannot look for what is old: {error}") from error


@contextmanager
def removing() -> Iterator[None]:
    """Turn what the driver raises while it is removed into the loader's own errors."""
    try:
        yield
    except psycopg.errors.InsufficientPrivilege:
        raise WarehouseUnavailable(
            "this role may not delete from raw_evals; purge as the schema's owner"
        ) from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"purge stopped: {error}") from error


def find(connection: Connection, older_than_days: int) -> Expired:
    """Find the runs that are past retention.

    Args:
        connection: in autocommit mode.
        older_than_days: age at which a run goes; at least 1.

    Raises:
        ConfigurationError: the age is no positive number, or raw_evals does not exist.
        WarehouseUnavailable: the server fails or forbids it.
    """
    if older_than_days < 1:
        raise ConfigurationError("--older-than takes a number of days, at least 1")
    with finding(older_than_days), connection.transaction():
        be_patient(connection)
        connection.execute(_FIND, {"days": older_than_days})
        cursor = connection.cursor(row_factory=class_row(Expired))
        cursor.execute(
            """
            select
                now() - make_interval(days => %s) as cutoff,
                count(*) as runs,
                coalesce(sum(version_count), 0)::bigint as versions,
                count(distinct experiment_id) as experiments,
                min(last_at) as oldest_at,
                max(last_at) as newest_at
            from expired_runs
            """,
            (older_than_days,),
        )
        found = cursor.fetchone()
        if found is None:
            raise WarehouseUnavailable("an aggregate returned no row")
        return found._replace(by_experiment=_by_experiment(connection), keys=_keys(connection))


def _keys(connection: Connection) -> Keys:
    """Return the keys of the runs found."""
    keys = Keys()
    with connection.cursor() as cursor, cursor.copy(_COPY_KEYS_OUT) as blocks:
        for block in blocks:
            keys.file.write(block)
    keys.file.seek(0)
    return keys


def _by_experiment(connection: Connection) -> Table:
    """Return what was found, one row per experiment, oldest first."""
    rows = connection.execute(
        """
        select
            experiment_id,
            count(*) as run_count,
            sum(version_count)::bigint as version_count,
            min(last_at) as oldest_at,
            max(last_at) as newest_at
        from expired_runs
        group by experiment_id
        order by min(last_at), experiment_id
        """
    ).fetchall()
    return Table(
        (
            Column("experiment_id", heading="experiment"),
            Column("run_count", Kind.INTEGER, "runs"),
            Column("version_count", Kind.INTEGER, "versions"),
            Column("oldest_at", Kind.TIMESTAMP, "oldest (UTC)"),
            Column("newest_at", Kind.TIMESTAMP, "newest (UTC)"),
        ),
        rows,
    )


def remove(
    connection: Connection, expired: Expired, batch_runs: int = BATCH_RUNS
) -> Iterator[Removed]:
    """Remove what `find` found; yield what each batch removed, after it is committed.

    Raises:
        WarehouseUnavailable: the server fails or forbids it; earlier batches stay removed.
    """
    keys = expired.keys
    while keys is not None and (batch := list(islice(keys.file, batch_runs))):
        with removing():
            yield _remove_batch(connection, expired.cutoff, batch)


def _remove_batch(connection: Connection, cutoff: datetime, keys: list[bytes]) -> Removed:
    with connection.transaction():
        connection.execute("set local statement_timeout = 0")
        connection.execute(_CREATE_BATCH)
        with connection.cursor() as cursor, cursor.copy(_COPY_KEYS_IN) as copy:
            copy.write(b"".join(keys))
        # as a load does: ids become visible in order, and no load adds a version meanwhile
        load_id = draw_load_id(connection)
        connection.execute("set local evalmart.purging to 'on'")
        found = connection.execute(
            read_sql(__name__, "remove_expired"),
            {"cutoff": cutoff, "load_id": load_id},
        ).fetchone()
        versions, runs, of_loads = found or (0, 0, None)
        removed = Removed(int(str(runs)), int(str(versions)))
        if removed.versions:
            for table in _TOLD:
                statement = sql.SQL(_REMOVE_TOLD).format(table=sql.Identifier(table))
                connection.execute(statement, [load_id])
            connection.execute(_REMOVE_ANNOTATIONS, [load_id])
            told = {"before": cutoff.isoformat(), **removed._asdict(), "of_loads": of_loads}
            # the statement that removed them has announced their experiments
            write_entry(connection, load_id, "purge", told, experiments=())
    return removed
