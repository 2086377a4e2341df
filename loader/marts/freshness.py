"""On which loads the marts rest, and what has come since, as far as a role may see."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from psycopg import sql

from ..warehouse.grants import may_read
from .reading import on_marts
from .states import schema_name

if TYPE_CHECKING:
    from ..warehouse.connection import Connection

# The incremental models that a verdict is read from.
_MODELS: Final = ("experiment_metric_comparisons", "experiment_summaries")


class Freshness(NamedTuple):
    """On which loads of an experiment and its baseline a verdict rests."""

    load_id: int
    """The latest one that the marts hold."""
    newer_loads: int
    """How many came after it, as far as this role may see."""


def freshness(connection: Connection, experiments: set[str]) -> Freshness:
    """Return the latest load of some experiments that the marts hold, and what came after.

    To be called while reading the marts.
    """
    built = _built_load_id(connection)
    names = list(experiments)
    if built is None:
        query = on_marts(
            "select coalesce(max(load_id), 0)::bigint from {evaluation_results}"
            " where experiment_id = any(%s)"
        )
        built = _number(connection.execute(query, (names,)).fetchone())
    if not may_read(connection, "load_experiments"):
        return Freshness(built, 0)
    row = connection.execute(
        """
        select
            coalesce(max(load_id) filter (where load_id <= %(built)s), 0)::bigint,
            count(distinct load_id) filter (where load_id > %(built)s)
        from raw_evals.load_experiments
        where experiment_id = any(%(experiments)s)
        """,
        {"built": built, "experiments": names},
    ).fetchone()
    load_id, newer = row or (0, 0)
    return Freshness(int(str(load_id)), int(str(newer)))


def loads_of(
    connection: Connection, experiment_id: str | None = None, after: int = 0
) -> int | None:
    """Return how many loads there are, of one experiment or all; None where not to be seen.

    Args:
        connection: to the warehouse.
        experiment_id: only those of this one.
        after: only those after this load.
    """
    if not may_read(connection, "load_experiments"):
        return None
    return _number(
        connection.execute(
            "select count(distinct load_id) from raw_evals.load_experiments"
            " where (%(name)s::text is null or experiment_id = %(name)s)"
            " and load_id > %(after)s",
            {"name": experiment_id, "after": after},
        ).fetchone()
    )


def is_loaded(connection: Connection, experiment_id: str) -> bool:
    """Tell whether raw has runs that count; False where this role may not look."""
    if not all(may_read(connection, name) for name in ("evaluation_runs", "withdrawn_versions")):
        return False
    found = connection.execute(
        """
        select from raw_evals.evaluation_runs as runs
        where
            runs.experiment_id = %s
            and not exists (
                select from raw_evals.withdrawn_versions as withdrawn
                where
                    withdrawn.experiment_id = runs.experiment_id
                    and withdrawn.source = runs.source
                    and withdrawn.source_run_id = runs.source_run_id
                    and withdrawn.run_version = runs.run_version
            )
        limit 1
        """,
        (experiment_id,),
    ).fetchone()
    return found is not None


def _built_load_id(connection: Connection) -> int | None:
    """Return the load up to which the marts are built; None where this role may not see it."""
    schema = f"{schema_name()}_staging"
    if not may_read(connection, "build_watermarks", schema):
        return None
    query = sql.SQL(
        "select min(built_load_id) from {} where model = any(%s) having count(*) = %s"
    ).format(sql.Identifier(schema, "build_watermarks"))
    row = connection.execute(query, (list(_MODELS), len(_MODELS))).fetchone()
    return None if row is None else _number(row)


def _number(row: tuple[object, ...] | None) -> int:
    return int(str(row[0])) if row else 0
