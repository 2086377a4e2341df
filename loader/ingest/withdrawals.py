"""Taking back: an entry of the ledger that leaves out what was loaded before it, or lifts that.

Nothing is deleted. A withdrawal covers the versions of runs, the plans and the annotations of a
slice of one experiment that have a lower load id than its own; a run falls back to its latest
version that none covers. Each entry draws a load id and writes the change feed as a load does,
so that builds, watermarks and `--as-of` need to know nothing of it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError
from ..records import checks
from ..tools.sql_files import read_sql
from ..tools.tables import Column, Kind, Table
from . import naming
from .entries import ANNOTATION, draw_load_id, server_errors, write_entry
from .naming import COLUMNS, exists

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

SOURCE: Final = "withdrawal"
"""`source` of the entries in `raw_evals.loads`."""
_INSERT = """
insert into raw_evals.withdrawals (
    load_id, experiment_id, undone_load_id, withdrawn_load_id, annotation_id,
    experiment_group, extension_version, task_id, source_run_ids, author, reason
)
values (
    %(load_id)s, %(experiment)s, %(undone)s, %(load)s, %(annotation)s,
    %(group)s, %(version)s, %(task)s, %(run_ids)s, %(author)s, %(reason)s
)
"""


class Slice(NamedTuple):
    """What is meant: what agrees with every part that is not None."""

    load: int | None = None
    experiment: str | None = None
    group: str | None = None
    version: str | None = None
    task: str | None = None
    annotation: int | None = None

    def values(self) -> dict[str, object]:
        """Return it as the parameters of a statement."""
        parts = self._asdict()
        names = {column: parts[part] for part, column in COLUMNS.items() if part in parts}
        return {"load_id": self.load, "annotation_id": self.annotation, **names}

    def __str__(self) -> str:
        """Return it in words."""
        said = [f"{name} {value}" for name, value in self._asdict().items() if value is not None]
        return ", ".join(said)


class Written(NamedTuple):
    """An entry that was made."""

    load_id: int
    experiment: str


class Found(NamedTuple):
    """What a slice has left to withdraw."""

    arms: Table
    """One row per arm, with counts of runs."""
    annotations: Mapping[str, int]
    """How many, by experiment."""
    told: frozenset[str]
    """Experiments with what a load said of them as a whole, such as what an arm was to run."""

    def experiments(self) -> list[str]:
        """Return the experiments of any."""
        of_runs = map(str, self.arms.values("experiment_id"))
        return sorted({*of_runs, *self.annotations, *self.told})


def find(connection: Connection, meant: Slice) -> Found:
    """Return what a slice has left to withdraw.

    Args:
        connection: to a migrated warehouse.
        meant: the slice.

    Raises:
        ConfigurationError: nothing of that name was loaded (with the nearest names), or all of
            it is withdrawn already.
        WarehouseUnavailable: the server fails or forbids it.

    """
    values = meant.values()
    with server_errors():
        rows = (
            connection.execute(read_sql(__name__, "find_slice"), values).fetchall()
            if meant.annotation is None
            else []
        )
        annotations = {
            str(experiment): int(str(count))
            for experiment, count in connection.execute(
                read_sql(__name__, "count_annotations"), values
            )
        }
        told = frozenset(
            str(experiment)
            for (experiment,) in connection.execute(read_sql(__name__, "find_told"), values)
        )
        if not rows and not annotations and not told:
            raise ConfigurationError(_why_nothing(connection, meant))
    columns = (
        Column("experiment_id", heading="experiment"),
        Column("experiment_group", heading="group"),
        Column("extension_version", heading="version"),
        Column("run_count", Kind.INTEGER, "runs"),
        Column("version_count", Kind.INTEGER, "versions"),
        Column("gone_count", Kind.INTEGER, "leave the marts"),
        Column("back_count", Kind.INTEGER, "go back to an earlier version"),
    )
    return Found(Table(columns, rows), annotations, told)


def withdraw(
    connection: Connection, meant: Slice, reason: str, author: str | None
) -> list[Written]:
    """Withdraw a slice, experiment by experiment; return the entries.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        meant: what; at least its load or its experiment.
        reason: why, for who reads the ledger.
        author: who.

    Raises:
        ConfigurationError: as `find`, or the reason is empty.
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    _check(reason, author)
    written = []
    with server_errors(), connection.transaction():
        first_id = draw_load_id(connection)
        for place, experiment in enumerate(find(connection, meant).experiments()):
            # each id names one entry, so that it can be lifted alone
            load_id = draw_load_id(connection) if place else first_id
            entry = meant._replace(experiment=experiment)
            _write(connection, load_id, entry, reason=reason, author=author)
            written.append(Written(load_id, experiment))
    return written


def withdraw_runs(
    connection: Connection,
    gone: Mapping[str, Sequence[str]],
    project_id: str,
    reason: str,
    author: str | None,
) -> list[Written]:
    """Withdraw single runs that a service no longer has; return the entries.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        gone: ids of runs by experiment; of each at least one.
        project_id: of the service, where they were.
        reason: why, for who reads the ledger.
        author: who.

    Raises:
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    _check(reason, author)
    written = []
    with server_errors(), connection.transaction():
        for experiment, runs in sorted(gone.items()):
            load_id = draw_load_id(connection)
            entry = Slice(experiment=experiment)
            _write(
                connection, load_id, entry,
                reason=reason, author=author, run_ids=list(runs), gone_from=project_id,
            )  # fmt: skip
            written.append(Written(load_id, experiment))
    return written


def undo(
    connection: Connection, withdrawals: Sequence[int], reason: str, author: str | None
) -> list[Written]:
    """Lift withdrawals; return the entries that do.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        withdrawals: their load ids.
        reason: why, for who reads the ledger.
        author: who.

    Raises:
        ConfigurationError: one is no withdrawal in force; says which are.
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    _check(reason, author)
    written = []
    with server_errors(), connection.transaction():
        first_id = draw_load_id(connection)
        in_force = {
            int(str(number)): str(experiment)
            for number, experiment in connection.execute(
                "select load_id, experiment_id from raw_evals.withdrawals_in_force"
            )
        }
        unknown = [str(number) for number in withdrawals if number not in in_force]
        if unknown:
            there = ", ".join(map(str, sorted(in_force))) or "none"
            raise ConfigurationError(
                f"no withdrawal {', '.join(unknown)} is in force; there are: {there} "
                "(withdraw --list tells them)"
            )
        for place, number in enumerate(dict.fromkeys(withdrawals)):
            load_id = draw_load_id(connection) if place else first_id
            entry = Slice(experiment=in_force[number])
            _write(connection, load_id, entry, reason=reason, author=author, undone=number)
            written.append(Written(load_id, in_force[number]))
    return written


def entries(connection: Connection) -> Table:
    """Return every withdrawal, the latest first, and what lifted it."""
    with server_errors():
        rows = connection.execute(read_sql(__name__, "list_withdrawals")).fetchall()
    return Table(
        (
            Column("withdrawal", Kind.TEXT),
            Column("experiment_id", heading="experiment"),
            Column("experiment_group", heading="group"),
            Column("extension_version", heading="version"),
            Column("task_id", heading="task"),
            Column("withdrawn_load_id", Kind.TEXT, "load"),
            Column("annotation_id", Kind.TEXT, "annotation"),
            Column("withdrawn_runs", Kind.INTEGER, "runs"),
            Column("author"),
            Column("reason"),
            Column("withdrawn_at", Kind.TIMESTAMP, "at (UTC)"),
            Column("undone_by", Kind.TEXT, "undone by"),
            Column("undone_because", heading="because"),
        ),
        rows,
    )


def _write(  # noqa: PLR0913  the parts of an entry
    connection: Connection,
    load_id: int,
    entry: Slice,
    *,
    reason: str,
    author: str | None,
    undone: int | None = None,
    run_ids: list[str] | None = None,
    gone_from: str | None = None,
) -> None:
    said = {"reason": reason, "author": author, "undone": undone}
    values = {"load_id": load_id, "run_ids": run_ids, **entry._asdict(), **said}
    connection.execute(_INSERT, values)
    runs = None if run_ids is None else len(run_ids)
    told = {**entry._asdict(), **said, "runs": runs, "gone_from": gone_from}
    del told["experiment"]  # it has a column of its own
    source_ref = {name: value for name, value in told.items() if value is not None}
    write_entry(connection, load_id, SOURCE, source_ref, experiments=[str(entry.experiment)])


def _why_nothing(connection: Connection, meant: Slice) -> str:
    """Say why a slice has nothing to withdraw: an unknown name with its nearest, or no more."""
    already = f"all of {meant} is withdrawn already; withdraw --list tells by whom"
    if meant.annotation is not None:
        known = exists(connection, "annotations", {"annotation_id": meant.annotation})
        return already if known else f"no annotation {meant.annotation}; annotate --list has them"
    within: dict[str, object] = {}
    if meant.load is not None:
        within = {"load_id": meant.load}
        found = connection.execute(
            "select source from raw_evals.loads where load_id = %(load_id)s", within
        ).fetchone()
        if found is None:
            return f"no load {meant.load}{_nearest_load(connection, meant.load)}"
        if found[0] == SOURCE:
            return f"load {meant.load} is a withdrawal; lift it with withdraw --undo {meant.load}"
        if found[0] == ANNOTATION:
            return already
        if not exists(connection, "evaluation_runs", within):
            return f"load {meant.load} ({found[0]}) has no runs"
    return naming.unknown(connection, meant._asdict(), within) or already


def _nearest_load(connection: Connection, load: int) -> str:
    rows = connection.execute(
        "select load_id::text from raw_evals.loads where rows_loaded > 0"
        " order by abs(load_id - %s), load_id limit 3",
        [load],
    ).fetchall()
    near = ", ".join(str(number) for (number,) in rows)
    return f" (did you mean {near}?)" if near else ": nothing is loaded"


def _check(reason: str, author: str | None) -> None:
    if not reason.strip():
        raise ConfigurationError("--reason says nothing; say why, for who reads the ledger")
    for field, text in (("--reason", reason), ("--author", author)):
        if any(checks.unstorable([text], field)):
            raise ConfigurationError(f"{field} holds what PostgreSQL cannot store")
