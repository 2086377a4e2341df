"""What got worse: alerts of an agent, and the tasks behind a regression.

Reads the marts `metric_alerts`, `version_regressions` and `regression_tasks`; computes nothing.
Raises what `loader.marts.reading` raises.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  the fields of a row are read at run time
from typing import TYPE_CHECKING, LiteralString, NamedTuple

from psycopg import sql
from psycopg.rows import class_row

from loader.errors import ConfigurationError, nearest
from loader.marts.reading import fetch, reading, schema_name

if TYPE_CHECKING:
    from collections.abc import Mapping

    from loader.tables import Table
    from loader.warehouse.connection import Connection


class _Seen(NamedTuple):
    extension_version: str
    first_at: datetime


def alerts(connection: Connection, agent: str | None = None, since: str | None = None) -> Table:
    """Return `metric_alerts`, open ones first, then the latest.

    Args:
        connection: to the warehouse.
        agent: only this agent.
        since: a version; only alerts found at it or later, and those still open.
    """
    with reading(connection):
        return _mart(
            connection,
            "metric_alerts",
            """
            where
                (%(agent)s::text is null or agent_name = %(agent)s)
                and (
                    %(since)s::timestamptz is null
                    or is_open
                    or found_at >= %(since)s
                )
            order by is_open desc, found_at desc, agent_name, metric, began_version
            """,
            {"agent": agent, "since": _first_seen(connection, agent, since)},
        )


def tasks(connection: Connection, agent: str | None = None, since: str | None = None) -> Table:
    """Return `regression_tasks`, the latest version and the worst task first.

    Args:
        connection: to the warehouse.
        agent: only this agent.
        since: a version; only those first recorded with it or later.
    """
    with reading(connection):
        return _mart(
            connection,
            "regression_tasks",
            """
            inner join (
                select
                    agent_name, experiment_group, extension_version, model_version, metric,
                    first_recorded_at
                from {regressions}
            ) as regressions
            using (agent_name, experiment_group, extension_version, model_version, metric)
            where
                (%(agent)s::text is null or agent_name = %(agent)s)
                and (
                    %(since)s::timestamptz is null
                    or regressions.first_recorded_at >= %(since)s
                )
            order by
                regressions.first_recorded_at desc, agent_name, metric, abs(change) desc, task_id
            """,
            {"agent": agent, "since": _first_seen(connection, agent, since)},
        )


def of_version(connection: Connection, agent: str, version: str) -> Table:
    """Return the significant rows of `version_regressions` of one version, the worst first.

    For a gate: a row means that a metric got worse than in the version before by more than
    chance, all metrics of the version taken together. No row means nothing of the kind.
    """
    with reading(connection):
        return _mart(
            connection,
            "version_regressions",
            """
            where
                agent_name = %(agent)s
                and extension_version = %(version)s
                and is_significant
            order by change_pct, metric, experiment_group, model_version
            """,
            {"agent": agent, "version": version},
        )


def _first_seen(connection: Connection, agent: str | None, version: str | None) -> datetime | None:
    """Return when a version was first recorded; None without a version."""
    if version is None:
        return None
    query = sql.SQL(
        """
        select extension_version::text, min(first_recorded_at) as first_at
        from {}
        where %(agent)s::text is null or agent_name = %(agent)s
        group by extension_version
        """
    ).format(sql.Identifier(schema_name(), "version_trends"))
    cursor = connection.cursor(row_factory=class_row(_Seen)).execute(query, {"agent": agent})
    seen = {row.extension_version: row.first_at for row in cursor}
    if version not in seen:
        raise ConfigurationError(f"no version {version!r}{nearest(version, seen)}")
    return seen[version]


def _mart(
    connection: Connection, mart: str, rest: LiteralString, parameters: Mapping[str, object]
) -> Table:
    marts = {"regressions": sql.Identifier(schema_name(), "version_regressions")}
    query = sql.SQL("select {mart}.* from {schema}.{mart} ").format(
        schema=sql.Identifier(schema_name()), mart=sql.Identifier(mart)
    ) + sql.SQL(rest).format(**marts)
    return fetch(connection, query, parameters)
