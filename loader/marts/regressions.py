"""What got worse: alerts of an agent, and the tasks behind a regression.

Reads the marts `metric_alerts`, `version_regressions` and `regression_tasks`; computes nothing.
Raises what `loader.marts.reading` raises.
"""

from __future__ import annotations

from datetime import datetime  # noqa: TC003  the fields of a row are read at run time
from typing import TYPE_CHECKING, NamedTuple

from psycopg.rows import class_row

from ..errors import ConfigurationError, nearest
from .names import check_names
from .reading import fetch, on_marts, reading, statement

if TYPE_CHECKING:
    from ..tools.tables import Table
    from ..warehouse.connection import Connection


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
        found = fetch(
            connection,
            on_marts(
                """
                select * from {metric_alerts}
                where
                    (%(agent)s::text is null or agent_name = %(agent)s)
                    and (
                        %(since)s::timestamptz is null
                        or is_open
                        or found_at >= %(since)s
                    )
                order by is_open desc, found_at desc, agent_name, metric, began_version
                """
            ),
            {"agent": agent, "since": _first_seen(connection, agent, since)},
        )
        return _known(connection, agent, found)


def tasks(connection: Connection, agent: str | None = None, since: str | None = None) -> Table:
    """Return `regression_tasks`, the latest version and the worst task first.

    Args:
        connection: to the warehouse.
        agent: only this agent.
        since: a version; only those first recorded with it or later.
    """
    with reading(connection):
        found = fetch(
            connection,
            statement("regression_tasks"),
            {"agent": agent, "since": _first_seen(connection, agent, since)},
        )
        return _known(connection, agent, found)


def of_version(connection: Connection, agent: str, version: str) -> Table:
    """Return the significant rows of `version_regressions` of one version, the worst first.

    For a gate: a row means that a metric got worse than in the version before by more than
    chance, all metrics of the version taken together. No row means nothing of the kind.
    """
    with reading(connection):
        return fetch(
            connection,
            on_marts(
                """
                select * from {version_regressions}
                where
                    agent_name = %(agent)s
                    and extension_version = %(version)s
                    and is_significant
                order by change_pct, metric, experiment_group, model_version
                """
            ),
            {"agent": agent, "version": version},
        )


def _first_seen(connection: Connection, agent: str | None, version: str | None) -> datetime | None:
    """Return when a version was first recorded; None without a version."""
    if version is None:
        return None
    query = on_marts(
        """
        select extension_version::text, min(first_recorded_at) as first_at
        from {version_trends}
        where %(agent)s::text is null or agent_name = %(agent)s
        group by extension_version
        """
    )
    cursor = connection.cursor(row_factory=class_row(_Seen)).execute(query, {"agent": agent})
    seen = {row.extension_version: row.first_at for row in cursor}
    if version not in seen:
        raise ConfigurationError(f"no version {version!r}{nearest(version, seen)}")
    return seen[version]


def _known(connection: Connection, agent: str | None, found: Table) -> Table:
    """Return what was found; of an agent that no version is of, nothing is no answer."""
    if not found.rows and agent is not None:
        check_names(connection, "version_trends", {"agent_name": agent})
    return found
