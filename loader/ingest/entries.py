"""Entries of the ledger: their ids, and those of what was planned, withdrawn, annotated, purged."""

from __future__ import annotations

import time
from contextlib import contextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import TYPE_CHECKING, Final, NamedTuple

import psycopg
from psycopg.types.json import Jsonb

from ..errors import ConfigurationError, WarehouseUnavailable
from ..tools.version import __version__
from ..warehouse import locks
from ..warehouse.connection import be_patient
from ..warehouse.waiting import wait_for
from . import statements

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from ..warehouse.connection import Connection


PATIENCE: Final[ContextVar[float | None]] = ContextVar("patience", default=None)
"""Seconds, where a program that records must not wait as long as a command, nor write to stderr."""
ANNOTATION: Final = "annotation"
"""`source` of the entries in `raw_evals.loads` that hold what people said of runs."""


class Counts(NamedTuple):
    """What became of what was read: read = loaded + unchanged + rejected."""

    read: int = 0
    loaded: int = 0
    unchanged: int = 0
    rejected: int = 0
    set_aside: int = 0
    reject_counts: Mapping[str, int] = MappingProxyType({})
    """Those rejected, by reason code."""
    rejects_left_out: int = 0
    """Of those rejected: rows that are counted and not kept."""


@contextmanager
def patience(seconds: float) -> Iterator[None]:
    """Within it, loads wait so long for others, and tell nobody of it."""
    token = PATIENCE.set(seconds)
    try:
        yield
    finally:
        PATIENCE.reset(token)


def draw_load_id(connection: Connection) -> int:
    """Take the turn of loads and draw an id, to be committed with what is written under it.

    Ids become visible in order: who draws later waits for the end of this transaction.

    Args:
        connection: inside a transaction.

    Raises:
        WarehouseUnavailable: another load did not end in the time of `wait_for`, or of
            `patience`; names it.

    """
    # free as a rule; a server's timeouts are lifted only where there is somebody to wait for
    drawn = locks.try_draw(connection)
    if drawn is not None:
        return drawn
    be_patient(connection)
    found: list[int] = []

    def attempt() -> bool:
        number = locks.try_draw(connection, locks.PATIENCE_MS)
        found.extend([] if number is None else [number])
        return number is not None

    seconds = PATIENCE.get()
    if seconds is None:
        wait_for(attempt, lambda: locks.load_holder(connection), "another load")
        return found[0]
    until = time.monotonic() + seconds
    while not attempt():
        if time.monotonic() >= until:
            holder = locks.load_holder(connection) or "who began it is not known"
            raise WarehouseUnavailable(f"another load did not end in {seconds:g} s: {holder}")
    return found[0]


def write_entry(  # noqa: PLR0913  the columns of an entry
    connection: Connection,
    load_id: int,
    source: str,
    source_ref: Mapping[str, object],
    *,
    experiments: Iterable[str],
    counts: Counts | None = None,
) -> None:
    """Write an entry of the ledger and its change feed.

    Args:
        connection: inside the transaction that drew the id.
        load_id: the id.
        source: what made the entry.
        source_ref: what it is about; no secrets.
        experiments: those that a build has to make anew.
        counts: of the rows read; none were if not given.

    """
    touched = list(experiments)
    only = touched[0] if len(touched) == 1 else None
    insert_load(connection, load_id, source, source_ref, experiment=only, counts=counts or Counts())
    connection.cursor().executemany(
        "insert into raw_evals.load_experiments (load_id, experiment_id) values (%s, %s)",
        [(load_id, experiment_id) for experiment_id in touched],
    )


def insert_load(  # noqa: PLR0913  as above
    connection: Connection,
    load_id: int,
    source: str,
    source_ref: Mapping[str, object],
    *,
    experiment: str | None,
    counts: Counts,
) -> None:
    """Write an entry as `write_entry` does, without its change feed; `experiment` is the only one.

    None stands for none, or several.
    """
    values: dict[str, object] = {
        "load_id": load_id,
        "source": source,
        "source_ref": Jsonb(dict(source_ref)),
        "experiment_id": experiment,
        "loader_version": __version__,
        **counts._asdict(),
        "reject_counts": Jsonb(dict(counts.reject_counts)),
    }
    connection.execute(statements.INSERT_LOAD, values)


@contextmanager
def server_errors() -> Iterator[None]:
    """Turn what the driver raises into the loader's own errors."""
    try:
        yield
    except (
        psycopg.errors.UndefinedColumn,
        psycopg.errors.UndefinedFunction,
        psycopg.errors.UndefinedTable,
    ):
        raise ConfigurationError(
            "this database has no raw schema, or an older one; run `evalmart init`"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise ConfigurationError(
            f"{error.diag.message_primary}; it needs the rights of the role evals_loader, "
            "which `evalmart init` creates"
        ) from None
    except psycopg.Error as error:
        message = error.diag.message_primary or str(error)
        raise WarehouseUnavailable(
            f"the database failed, nothing was written: {message}"
        ) from error
