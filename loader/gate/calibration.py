"""Is the gate honest? How often it would call a difference where there is none.

Runs of one task by one version differ by chance alone. `calibrate` deals each task's runs at
random into two halves, compares the halves with the marts' own paired test, and counts how
often that finds a difference: at level alpha it may do so in a share alpha of the splits.
Everything happens in SQL, and the same seed gives the same splits on every server.

A split deals each task by itself, so it cannot show what moves all tasks of a day at once.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import psycopg
from psycopg import sql
from psycopg.types.json import Jsonb

from ..errors import ConfigurationError, WarehouseUnavailable
from ..marts import questions
from ..marts.reading import why_not_built
from ..marts.states import schema_name, snapshot
from ..marts.trials import gather_values, load_id_of
from ..tools.sql_files import read_sql
from ..tools.tables import Column, Kind, Table
from ..tools.version import __version__
from ..warehouse.seeds import read_vocabulary

if TYPE_CHECKING:
    from collections.abc import Callable

    from ..warehouse.connection import Connection

# Rows that one statement sorts: bounds its temporary files, not the result.
_CHUNK_ROWS: Final = 4_000_000


class Calibration(NamedTuple):
    """What a calibration found: a row per arm and metric."""

    table: Table
    exceeding: int
    """Rows whose rate is above the nominal level, chance excluded."""


@dataclass(slots=True)
class _Series:
    """One metric of one arm, and what the splits so far found."""

    experiment_group: str
    extension_version: str
    metric: str
    run_count: int
    task_count: int = 0
    comparisons: int = 0
    false_alarms: int = 0


def calibrate(  # noqa: PLR0913  each is an option of the command
    connection: Connection,
    experiment_id: str,
    *,
    splits: int = 1_000,
    seed: int = 1,
    alpha: float = 0.05,
    progress: Callable[[int], object] = lambda _: None,
) -> Calibration | None:
    """Count differences between halves of the same runs; append the result to raw. Commits.

    Args:
        connection: to the warehouse.
        experiment_id: whose arms, each by itself.
        splits: how often the runs are dealt.
        seed: decides how; the same seed deals the same.
        alpha: the level of the test.
        progress: called with the number of splits done so far.

    Returns:
        None when no two runs of a task by one version can be compared.

    Raises:
        ConfigurationError: the marts are not built, or there is no such experiment.
        WarehouseUnavailable: the server fails or forbids it.
    """
    questions.summary(connection, experiment_id)
    functions = sql.Identifier(f"{schema_name()}_functions")
    try:
        with snapshot(connection, [experiment_id], writes=True):
            series = _prepare(connection, experiment_id)
            runs = sum(each.run_count for each in series.values())
            step = max(1, _CHUNK_ROWS // max(1, runs))
            for first in range(1, splits + 1, step) if series else ():
                last = min(splits, first + step - 1)
                for row in connection.execute(
                    sql.SQL(read_sql(__name__, "count_splits")).format(functions=functions),
                    {"first": first, "last": last, "seed": seed, "alpha": alpha},
                ):
                    _add(series, row)
                progress(last)
            recorded = connection.execute(
                sql.SQL(read_sql(__name__, "record_calibration")).format(functions=functions),
                {
                    "calibration_id": uuid.uuid4(),
                    "experiment_id": experiment_id,
                    "loader_version": __version__,
                    "load_id": load_id_of(connection, experiment_id),
                    "seed": seed,
                    "splits": splits,
                    "alpha": alpha,
                    "counts": Jsonb([asdict(each) for each in series.values()]),
                },
            ).fetchall()
        connection.commit()
    except psycopg.errors.InvalidSchemaName:
        connection.rollback()
        raise ConfigurationError(why_not_built(connection)) from None
    except (psycopg.errors.UndefinedFunction, psycopg.errors.UndefinedColumn) as error:
        raise ConfigurationError(
            f"the marts are of another version ({error.diag.message_primary}); run evalmart build"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise WarehouseUnavailable(
            f"{error.diag.message_primary}; calibrate as a role that has evals_gate, to read the "
            "marts and to record the result"
        ) from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"the calibration failed: {error}") from error
    return _calibration(recorded) if recorded else None


def _prepare(connection: Connection, experiment_id: str) -> dict[int, _Series]:
    """Gather the values to deal; return the arms and metrics that they are of, by number."""
    metrics = {key: scale.metric for key, scale in read_vocabulary().scales.items()}
    # compiling takes longer than these plans run; sorts and hashes of a chunk fit in memory
    connection.execute("set local jit = off")
    connection.execute("set local work_mem = '128MB'")
    gather_values(connection, experiment_id, metrics)
    rows: list[tuple[Any, ...]] = connection.execute(
        """
        select series, experiment_group, extension_version, metric, count(*)
        from calibration_values
        group by series, experiment_group, extension_version, metric
        order by series
        """
    ).fetchall()
    return {row[0]: _Series(*row[1:]) for row in rows}


def _add(series: dict[int, _Series], row: tuple[Any, ...]) -> None:
    """Add what one chunk of splits found."""
    number, tasks, comparisons, alarms = row
    each = series[number]
    each.task_count = max(each.task_count, tasks)
    each.comparisons += comparisons
    each.false_alarms += alarms


def _calibration(rows: list[tuple[Any, ...]]) -> Calibration:
    """Return the recorded rows as a table, percentages for people in the last columns."""
    findings = [
        _finding(comparisons=row[5], low=row[8], high=row[9], alpha=row[10]) for row in rows
    ]
    columns = (
        Column("experiment_group", heading="group"),
        Column("extension_version", heading="version"),
        Column("metric"),
        Column("task_count", Kind.INTEGER, "tasks"),
        Column("run_count", Kind.INTEGER, "runs"),
        Column("comparisons", Kind.INTEGER),
        Column("false_alarms", Kind.INTEGER, "false alarms"),
        Column("rate", Kind.SCORE),
        Column("rate_low", Kind.SCORE, "from"),
        Column("rate_high", Kind.SCORE, "to"),
        Column("alpha", Kind.SCORE, "nominal"),
        Column("finding"),
    )
    table = Table(columns, [(*row, text) for row, text in zip(rows, findings, strict=True)])
    return Calibration(table, findings.count("too many"))


def _finding(*, comparisons: int, low: float, high: float, alpha: float) -> str:
    """Return what the interval of a rate says about the nominal level."""
    if not comparisons:
        return "cannot be told"
    if low > alpha:
        return "too many"
    return "fewer" if high < alpha else "as it should be"
