"""What people ask of the marts: each question one select, nothing computed here.

Each function raises what `loader.marts.reading` raises, and `UnknownName` for a name
that is unknown, with the nearest names.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..errors import UnknownName, nearest
from ..tools.metric_names import SHORT_NAMES, resolve
from .names import check_experiment, check_names, distinct
from .reading import fetch, on_marts, reading, select_all

if TYPE_CHECKING:
    from ..tools.tables import Table
    from ..warehouse.connection import Connection


def summary(connection: Connection, experiment_id: str) -> Table:
    """Return `experiment_summaries` of one experiment: a row per candidate version."""
    with reading(connection, [experiment_id]):
        table = select_all(
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
    with reading(connection, [experiment_id]):
        return select_all(
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
    with reading(connection, [experiment_id]):
        table = select_all(
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


def metric_meant(connection: Connection, agent: str, metric: str) -> str:
    """Return the metric of an agent that a name stands for: `latency` is `latency_ms`."""
    if metric not in SHORT_NAMES:
        return metric
    with reading(connection):
        known = distinct(connection, "version_trends", "metric", {"agent_name": agent})
    return resolve(metric, known)


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
        table = select_all(
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
            check_names(connection, "version_trends", {"agent_name": agent, "metric": metric})
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
        return select_all(
            connection,
            "evaluation_results",
            f"{where} order by recorded_at desc, result_id limit %(limit)s",
            {"agent": agent, "group": group, "limit": limit},
        )


def experiments(connection: Connection, limit: int | None = None) -> Table:
    """Return every experiment with its `experiment_summaries`, the latest first.

    An experiment without a candidate's result has no summary yet: its columns are null.
    """
    with reading(connection):
        return fetch(
            connection,
            on_marts(
                """
                with experiments as (select distinct experiment_id from {arm_summaries})

                select * from experiments
                left join {experiment_summaries} using (experiment_id)
                order by
                    last_recorded_at desc nulls last,
                    experiment_id,
                    candidate_group,
                    candidate_version
                limit %(limit)s
                """
            ),
            {"limit": limit},
        )


def _check_task(connection: Connection, experiment_id: str, task_id: str) -> None:
    names = distinct(connection, "evaluation_results", "task_id", {"experiment_id": experiment_id})
    if task_id not in names:
        raise UnknownName(f"no task {task_id!r} in {experiment_id}{nearest(task_id, names)}")
