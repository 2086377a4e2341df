"""What people ask of the marts: each question one select, nothing computed here.

Every query is parameterised; the schema is `EVALMART_SCHEMA`, else `evals`. Each function
raises `ConfigurationError` when the marts are not built or a name is unknown (with the
nearest names), `WarehouseUnavailable` when the server fails.
"""

from __future__ import annotations

import difflib
import os
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, LiteralString

import psycopg
from psycopg import sql
from psycopg.pq import TransactionStatus

from loader.errors import ConfigurationError, WarehouseUnavailable
from loader.grants import missing_right
from loader.tables import Column, Kind, Table
from loader.unbuilt import is_loaded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from loader.connection import Connection

NOT_BUILT: Final = "the marts are not built; run python -m loader build"


def schema_name() -> str:
    """Return the schema of the marts."""
    return os.environ.get("EVALMART_SCHEMA") or "evals"


@contextmanager
def reading(connection: Connection) -> Iterator[None]:
    """Read from one snapshot; turn what the server says into the loader's errors."""
    is_first = connection.info.transaction_status is TransactionStatus.IDLE
    try:
        with connection.transaction():
            if is_first:
                connection.execute("set transaction isolation level repeatable read, read only")
            yield
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
        raise ConfigurationError(NOT_BUILT) from None
    except (psycopg.errors.UndefinedColumn, psycopg.errors.UndefinedFunction) as error:
        raise ConfigurationError(
            f"the marts are of another version ({error.diag.message_primary}); "
            "run python -m loader build --full-refresh"
        ) from None
    except psycopg.errors.InsufficientPrivilege as error:
        raise missing_right(connection, error) from None
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"reading the marts failed: {error}") from error


def nearest(name: str, names: Iterable[str]) -> str:
    """Return ` (did you mean …?)`, or nothing when no name is near."""
    found = difflib.get_close_matches(name, list(names), n=3, cutoff=0.6)
    return f" (did you mean {', '.join(found)}?)" if found else ""


def mart_names(connection: Connection) -> list[str]:
    """Return the names of every relation in the marts' schema, sorted."""
    rows = connection.execute(
        """
        select class.relname::text
        from pg_class as class
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where
            namespace.nspname = %s
            and class.relkind in ('r', 'p', 'v', 'm')
            and not class.relispartition
        order by class.relname::text collate "C"
        """,
        (schema_name(),),
    ).fetchall()
    if not rows:
        raise ConfigurationError(NOT_BUILT)
    return [str(name) for (name,) in rows]


def mart_columns(connection: Connection, mart: str) -> list[tuple[str, str]]:
    """Return a mart's columns as (name, PostgreSQL type), in their order."""
    rows = connection.execute(
        """
        select
            attribute.attname::text,
            format_type(attribute.atttypid, attribute.atttypmod)
        from pg_attribute as attribute
        inner join pg_class as class on attribute.attrelid = class.oid
        inner join pg_namespace as namespace on class.relnamespace = namespace.oid
        where
            namespace.nspname = %s
            and class.relname = %s
            and attribute.attnum > 0
            and not attribute.attisdropped
        order by attribute.attnum
        """,
        (schema_name(), mart),
    ).fetchall()
    return [(str(name), str(kind)) for name, kind in rows]


def summary(connection: Connection, experiment_id: str) -> Table:
    """Return `experiment_summaries` of one experiment: a row per candidate version."""
    with reading(connection):
        table = _select(
            connection,
            "experiment_summaries",
            "where experiment_id = %(experiment_id)s order by candidate_group, candidate_version",
            {"experiment_id": experiment_id},
        )
        if not table.rows:
            check_experiment(connection, experiment_id)
        return table


def metrics(connection: Connection, experiment_id: str) -> Table:
    """Return `experiment_metric_comparisons` of one experiment, who has most say first."""
    with reading(connection):
        return _select(
            connection,
            "experiment_metric_comparisons",
            """
            where experiment_id = %(experiment_id)s
            order by
                candidate_group,
                candidate_version,
                array_position(array['deciding', 'guardrail', 'success', 'tripwire'], role)
                    nulls last,
                weight desc,
                metric
            """,
            {"experiment_id": experiment_id},
        )


def comparison(
    connection: Connection,
    experiment_id: str,
    task_id: str | None = None,
    limit: int | None = None,
) -> Table:
    """Return `evaluation_comparison_view` of one experiment, the worst losses first.

    Args:
        connection: to the warehouse.
        experiment_id: whose tasks.
        task_id: only this task.
        limit: at most so many rows; None for all.
    """
    with reading(connection):
        table = _select(
            connection,
            "evaluation_comparison_view",
            """
            where
                experiment_id = %(experiment_id)s
                and (%(task_id)s::text is null or task_id = %(task_id)s)
            order by primary_difference nulls last, task_id, candidate_group, candidate_version
            limit %(limit)s
            """,
            {"experiment_id": experiment_id, "task_id": task_id, "limit": limit},
        )
        if not table.rows:
            check_experiment(connection, experiment_id)
            if task_id is not None:
                _check_task(connection, experiment_id, task_id)
        return table


def trend(
    connection: Connection,
    agent: str,
    metric: str,
    group: str | None = None,
    days: int | None = None,
) -> Table:
    """Return `version_trends` of one agent and metric, in the order of versions.

    Args:
        connection: to the warehouse.
        agent: the agent's name.
        metric: a metric's name.
        group: only this experiment group.
        days: only versions that were recorded in the last so many days.
    """
    with reading(connection):
        table = _select(
            connection,
            "version_trends",
            """
            where
                agent_name = %(agent)s
                and metric = %(metric)s
                and (%(group)s::text is null or experiment_group = %(group)s)
                and (
                    %(days)s::integer is null
                    or last_recorded_at >= now() - make_interval(days => %(days)s)
                )
            order by experiment_group, version_rank, extension_version, model_version
            """,
            {"agent": agent, "metric": metric, "group": group, "days": days},
        )
        if not table.rows:
            _check_trend(connection, {"agent_name": agent, "metric": metric})
        return table


def recent(
    connection: Connection, agent: str | None = None, group: str | None = None, limit: int = 20
) -> Table:
    """Return the latest rows of `evaluation_results`, newest first."""
    conditions = [
        text
        for text, value in (
            ("agent_name = %(agent)s", agent),
            ("experiment_group = %(group)s", group),
        )
        if value is not None
    ]
    where = "where " + " and ".join(conditions) if conditions else ""
    with reading(connection):
        return _select(
            connection,
            "evaluation_results",
            f"{where} order by recorded_at desc limit %(limit)s",
            {"agent": agent, "group": group, "limit": limit},
        )


def experiments(connection: Connection, limit: int | None = None) -> Table:
    """Return every experiment with its `experiment_summaries`, the latest first.

    An experiment without a candidate's result has no summary yet: its columns are null.
    """
    with reading(connection):
        return fetch(
            connection,
            sql.SQL(
                """
                with experiments as (select distinct experiment_id from {arms})

                select * from experiments
                left join {summaries} using (experiment_id)
                order by
                    last_recorded_at desc nulls last,
                    experiment_id,
                    candidate_group,
                    candidate_version
                limit %(limit)s
                """
            ).format(
                arms=sql.Identifier(schema_name(), "arm_summaries"),
                summaries=sql.Identifier(schema_name(), "experiment_summaries"),
            ),
            {"limit": limit},
        )


def kind_of(name: str, type_oid: int = 0) -> Kind:
    """Return what a column's values mean: marts carry units in the names of columns."""
    for ending, kind in _ENDINGS.items():
        if name.endswith(ending):
            return kind
    return _TYPES.get(type_oid, Kind.TEXT)


# The first that fits counts.
_ENDINGS: Final = {
    "weighted_improvement_pct": Kind.PERCENT,
    "improvement_pct": Kind.POINTS,
    "_pct": Kind.PERCENT,
    "_ms": Kind.MILLISECONDS,
    "_usd": Kind.USD,
    "tokens_used": Kind.TOKENS,
    "_at": Kind.TIMESTAMP,
    "accuracy": Kind.SCORE,
    "completeness": Kind.SCORE,
    "efficiency": Kind.SCORE,
    "integration_quality": Kind.SCORE,
    "primary_difference": Kind.CHANGE,
    "winner": Kind.OUTCOME,
    "recommendation": Kind.OUTCOME,
}
# PostgreSQL's fixed type numbers (pg_type.dat): bool; int8, int2, int4; floats and numeric.
_TYPES: Final = {
    16: Kind.BOOLEAN,
    **dict.fromkeys((20, 21, 23), Kind.INTEGER),
    **dict.fromkeys((700, 701, 1700), Kind.NUMBER),
    1184: Kind.TIMESTAMP,
}


def _select(
    connection: Connection, mart: str, rest: LiteralString, parameters: Mapping[str, object]
) -> Table:
    """Return every column of a mart's rows; `rest` is where, order and limit."""
    mart_name = sql.Identifier(schema_name(), mart)
    query = sql.SQL("select * from {} ").format(mart_name) + sql.SQL(rest)
    return fetch(connection, query, parameters)


def fetch(connection: Connection, query: sql.Composed, parameters: Mapping[str, object]) -> Table:
    """Return a query's rows; columns get their kinds by name and type."""
    cursor = connection.execute(query, parameters)
    columns = tuple(
        Column(column.name, kind_of(column.name, column.type_code))
        for column in cursor.description or ()
    )
    return Table(columns, cursor.fetchall())


def check_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise, with the nearest names, when there is no such experiment."""
    mart = sql.Identifier(schema_name(), "evaluation_results")
    found = connection.execute(
        sql.SQL("select from {} where experiment_id = %s limit 1").format(mart), (experiment_id,)
    ).fetchone()
    if found is None:
        if is_loaded(connection, experiment_id):
            raise ConfigurationError(
                f"{experiment_id} is loaded but not built yet; run python -m loader build"
            )
        names = _distinct(connection, "evaluation_results", "experiment_id", {})
        raise ConfigurationError(
            f"no experiment {experiment_id!r}{nearest(experiment_id, names)}; "
            "python -m loader experiments lists them"
            if names
            else f"no experiment {experiment_id!r}: nothing is loaded, or the marts are not built"
        )


def _check_task(connection: Connection, experiment_id: str, task_id: str) -> None:
    names = _distinct(connection, "evaluation_results", "task_id", {"experiment_id": experiment_id})
    if task_id not in names:
        raise ConfigurationError(f"no task {task_id!r} in {experiment_id}{nearest(task_id, names)}")


def _check_trend(connection: Connection, names: Mapping[str, str]) -> None:
    """Raise for the first of agent and metric that no version has."""
    known: dict[str, str] = {}
    for column, name in names.items():
        present = _distinct(connection, "version_trends", column, known)
        if name not in present:
            raise ConfigurationError(
                f"no {column.removesuffix('_name')} {name!r}{nearest(name, present)}; "
                f"there are: {', '.join(present) or 'none'}"
            )
        known[column] = name


def _distinct(
    connection: Connection, mart: str, column: str, where: Mapping[str, str]
) -> Sequence[str]:
    """Return a column's distinct values by skipping through its index, sorted."""
    conditions = sql.SQL("").join(
        sql.SQL(" and {} = {}").format(sql.Identifier(name), sql.Placeholder(name))
        for name in where
    )
    query = sql.SQL(
        """
        with recursive names as (
            (
                select {column} as name from {mart}
                where {column} is not null{conditions}
                order by {column} limit 1
            )
            union all
            select (
                select {column} from {mart}
                where {column} > names.name{conditions}
                order by {column} limit 1
            )
            from names
            where names.name is not null
        )

        select name from names where name is not null
        """
    ).format(
        column=sql.Identifier(column),
        mart=sql.Identifier(schema_name(), mart),
        conditions=conditions,
    )
    return [str(name) for (name,) in connection.execute(query, where).fetchall()]
