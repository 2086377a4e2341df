"""A version of an agent beside the one before it: what the gate reads of its history.

Reads `version_trends`, `version_regressions` and `evaluation_results`; computes nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, TypeVar

from ..errors import NothingToJudge, nearest
from .reading import fetch, on_marts, reading, typed
from .regressions import of_version
from .rows import Candidate, History, Regression, Step, Summary

if TYPE_CHECKING:
    from ..tools.tables import Table
    from ..warehouse.connection import Connection

_Row = TypeVar("_Row", Step, Regression)


class Tried(NamedTuple):
    """A group that ran a version of an agent."""

    experiment_group: str
    experiment_id: str
    """The latest experiment of it."""
    task_count: int


def candidates_of(connection: Connection, agent: str, version: str) -> list[Candidate]:
    """Return a version as a candidate without a baseline: one per group, the latest first.

    Raises:
        ConfigurationError: the marts are not built, or by another version.
        WarehouseUnavailable: the server fails or forbids it.
    """
    with reading(connection):
        tried = _tried(connection, agent, version)
        steps = _by_group(
            fetch(
                connection,
                on_marts(
                    "select * from {version_trends} where agent_name = %(agent)s"
                    " and extension_version = %(version)s order by metric, model_version"
                ),
                {"agent": agent, "version": version},
            ),
            Step,
        )
        regressions = _by_group(of_version(connection, agent, version), Regression)
    found = []
    for group in tried:
        history = History(
            agent_name=agent,
            experiment_group=group.experiment_group,
            extension_version=version,
            task_count=group.task_count,
            steps=steps.get(group.experiment_group, []),
            regressions=regressions.get(group.experiment_group, []),
        )
        found.append(Candidate(_summary(group, version), [], history, has_baseline=False))
    return found


def require_version(connection: Connection, agent: str, version: str) -> None:
    """Raise `NothingToJudge`: no result is of this version of this agent; names near ones."""
    with reading(connection):
        known = connection.execute(
            on_marts(
                """
                select agent_name, extension_version from {version_trends}
                union distinct
                select agent_name, candidate_version from {evaluation_comparison_view}
                """
            )
        ).fetchall()
    versions = [str(there) for name, there in known if name == agent]
    agents = {str(name) for name, _ in known if name is not None}
    raise NothingToJudge(
        f"no candidate results for {agent} {version}{nearest(version, versions)}; did ingest run?"
        if versions
        else f"no candidate results for an agent {agent!r}{nearest(agent, agents)}; did ingest run?"
    )


def latest_version(connection: Connection, agent: str) -> str:
    """Return the version of an agent that a treatment group ran last.

    Raises:
        NothingToJudge: no candidate's result is of this agent; names the nearest ones.
    """
    with reading(connection):
        row = connection.execute(
            on_marts(
                "select candidate_version from {evaluation_comparison_view} where agent_name = %s"
                " order by candidate_recorded_at desc nulls last, candidate_version desc limit 1"
            ),
            (agent,),
        ).fetchone()
        if row is not None:
            return str(row[0])
        names = connection.execute(
            on_marts(
                "select distinct agent_name from {evaluation_comparison_view}"
                " where agent_name is not null"
            )
        ).fetchall()
    raise NothingToJudge(
        f"no candidate results for an agent {agent!r}; did ingest run?"
        f"{nearest(agent, [str(name) for (name,) in names])}"
    )


def _tried(connection: Connection, agent: str, version: str) -> list[Tried]:
    rows = connection.execute(
        on_marts(
            """
            select
                experiment_group,
                (array_agg(experiment_id order by recorded_at desc, experiment_id desc))[1],
                count(distinct task_id)
            from {evaluation_results}
            where
                -- said so that it can go by the index on agent_name
                (agent_name = %(agent)s or (agent_name is null and %(agent)s = 'unknown'))
                and extension_version = %(version)s
            group by experiment_group
            order by max(recorded_at) desc, experiment_group
            """
        ),
        {"agent": agent, "version": version},
    ).fetchall()
    return [Tried(str(group), str(name), int(str(count))) for group, name, count in rows]


def _by_group(table: Table, kind: type[_Row]) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in table.records():
        found.setdefault(str(row["experiment_group"]), []).append(typed(row, kind))
    return found


def _summary(group: Tried, version: str) -> Summary:
    """Return what names the candidate; nothing was compared with a baseline."""
    return Summary(
        experiment_id=group.experiment_id,
        candidate_group=group.experiment_group,
        candidate_version=version,
        baseline_experiment_id=None,
        agent_name=None,
        primary_metric=None,
        total_tasks=group.task_count,
        recommendation="none",
        recommendation_reasons=[],
        recommendation_labels=[],
        recommendation_route=None,
        headline=None,
        legacy_recommendation=None,
        required_additional_tasks=None,
        required_for=None,
        required_note=None,
        required_repetitions=None,
        last_recorded_at=None,
    )
