"""What a policy can ask of the marts beyond the rule: levels, critical tasks, parts, planned runs.

Each is one select, to be made while reading the marts. Intervals come from the marts' own
functions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

from .reading import on_marts, statement, typed
from .rows import Arm, Part

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection

    Key = Mapping[str, object]
    """The candidate: experiment, group, version, and the agent whose tasks count."""


PSEUDO: Final = ("success", "pass_hat_k", "pass_at_k")
"""Metrics that are no scores: they come of how runs ended, or of other metrics."""


class Side(NamedTuple):
    """One arm of a task: its runs, and those with a value of the deciding metric."""

    runs: int | None
    failed: int | None
    said: int | None
    successes: int | None
    value: float | None
    scored: int | None
    failed_scored: int | None
    passes: int | None
    is_binary: bool | None


class Bounds(NamedTuple):
    """The mean of a metric in the candidate's arm, and the interval that it is known within.

    Bounds hold as recorded and with a missing score at the worst end of its scale.
    """

    metric: str
    n_tasks: int | None
    mean: float | None
    low: float | None
    high: float | None
    kind: str | None


def metrics_of_arm(connection: Connection, key: Key) -> set[str]:
    """Return the metrics that the candidate's arm has."""
    rows = connection.execute(
        on_marts(
            "select distinct metric from {evaluation_scores} where experiment_id = %(experiment)s"
            " and experiment_group = %(group_name)s and extension_version = %(version)s"
        ),
        key,
    ).fetchall()
    return {str(name) for (name,) in rows}


def levels(connection: Connection, key: Key, directions: Mapping[str, str]) -> list[Bounds]:
    """Return the means of some metrics of the candidate's arm.

    Args:
        connection: to the warehouse.
        key: the candidate; alpha, peeking, planned and planned_tasks beside it.
        directions: metric → which way is better.
    """
    rows: list[Any] = connection.execute(
        statement("levels"),
        {
            **key,
            "names": list(directions),
            "directions": list(directions.values()),
            "pseudo": list(PSEUDO),
        },
    ).fetchall()
    return [Bounds(*row) for row in rows]


def critical_tasks(  # noqa: PLR0913  each narrows the tasks down
    connection: Connection,
    key: Key,
    *,
    metric: str | None,
    experiments: Sequence[str],
    patterns: Sequence[str],
    marked: bool,
) -> list[tuple[str, Side, Side, bool]]:
    """Return tasks with their baseline and candidate, and whether they are in quarantine.

    Args:
        connection: to the warehouse.
        key: the candidate.
        metric: the one that decides.
        experiments: of the candidate and its baseline.
        patterns: which tasks, as `like` has them.
        marked: those too whose metadata says `critical`.
    """
    rows: list[Any] = connection.execute(
        statement("critical_tasks"),
        {
            **key,
            "metric": metric,
            "experiments": list(experiments),
            "patterns": list(patterns),
            "marked": marked,
        },
    ).fetchall()
    width = 1 + len(Side._fields)
    return [(str(row[0]), Side(*row[1:width]), Side(*row[width:-1]), bool(row[-1])) for row in rows]


def worse_parts(connection: Connection, key: Key, kinds: Sequence[str]) -> list[Part]:
    """Return the segments of some kinds in which the candidate is proven worse."""
    rows = connection.execute(statement("worse_parts"), {**key, "kinds": list(kinds)}).fetchall()
    return [typed(row, Part) for (row,) in rows]


def planned_runs(connection: Connection, key: Key) -> list[Arm]:
    """Return the runs of each arm, of a task at most as many as `planned`."""
    rows = connection.execute(statement("planned_runs"), key).fetchall()
    return [
        Arm(arm=str(arm), runs=int(str(runs)), tasks=int(str(tasks))) for arm, runs, tasks in rows
    ]
