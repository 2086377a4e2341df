"""Where the runs of an arm came from, for what is written back there."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from .reading import on_marts, reading

if TYPE_CHECKING:
    from ..warehouse.connection import Connection


class Origin(NamedTuple):
    """A project of LangSmith that runs were loaded from."""

    project_id: str
    project: str
    endpoint: str
    """The address that it was read at; empty if not known."""


def langsmith_projects(
    connection: Connection, experiment_id: str, group: str, version: str
) -> list[Origin]:
    """Return the projects that an arm's runs were loaded from, by name; each once.

    Raises what `loader.marts.reading` raises.
    """
    with reading(connection):
        rows = connection.execute(
            on_marts(
                """
                select distinct on (trials.metadata #>> '{{langsmith,project_id}}')
                    trials.metadata #>> '{{langsmith,project_id}}',
                    trials.metadata #>> '{{langsmith,project}}',
                    coalesce(loads.source_ref ->> 'endpoint', '')
                from {evaluation_trials} as trials
                inner join {load_history} as loads on trials.load_id = loads.load_id
                where
                    trials.experiment_id = %s
                    and trials.experiment_group = %s
                    and trials.extension_version = %s
                    and trials.source = 'langsmith'
                    and trials.metadata #>> '{{langsmith,project_id}}' is not null
                order by 1, trials.load_id desc
                """
            ),
            (experiment_id, group, version),
        ).fetchall()
    origins = [Origin(*(str(part) for part in row)) for row in rows]
    return sorted(origins, key=lambda origin: (origin.project, origin.project_id))
