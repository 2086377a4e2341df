"""How much arms were to run: kept beside the runs, so that what left no record is missed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import psycopg

from ..errors import WarehouseUnavailable
from ..records import checks
from ..records.bounds import LONGEST_IDENTIFIER, LONGEST_LABEL, are_short
from ..tools.sql_files import read_sql
from .entries import draw_load_id, write_entry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..sources import ArmPlan
    from ..warehouse.connection import Connection


def insert(
    connection: Connection, load_id: int, plans: Sequence[ArmPlan], *, with_runs: bool = True
) -> set[str]:
    """Write the plans that are new or have changed; return their experiments.

    Args:
        connection: inside the transaction of the load.
        load_id: the load.
        plans: one for an arm.
        with_runs: leave out arms that have no run.

    """
    longest = (LONGEST_IDENTIFIER, LONGEST_LABEL, LONGEST_LABEL)
    sound = [
        plan
        for plan in plans
        if not any(checks.unstorable(list(plan[:3]), "plan"))
        and are_short(*zip(plan[:3], longest, strict=True))
    ]
    if not sound:
        return set()
    experiments, groups, versions, repetitions, tasks = map(list, zip(*sound, strict=True))
    rows = connection.execute(
        read_sql(__name__, "insert_plans"),
        {
            "load_id": load_id,
            "experiments": experiments,
            "groups": groups,
            "versions": versions,
            "repetitions": repetitions,
            "tasks": tasks,
            "with_runs": with_runs,
        },
    ).fetchall()
    return {str(experiment_id) for (experiment_id,) in rows}


def announce(connection: Connection, source: str, plans: Sequence[ArmPlan]) -> bool:
    """Write plans ahead of the runs, as a load without rows; return whether any had changed.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        source: the `source` of the runs to come.
        plans: one for an arm.

    Raises:
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    try:
        with connection.transaction():
            load_id = draw_load_id(connection)
            experiments = insert(connection, load_id, plans, with_runs=False)
            if not experiments:
                raise psycopg.Rollback
            planned = {"planned": [plan._asdict() for plan in plans]}
            write_entry(connection, load_id, source, planned, experiments=experiments)
    except psycopg.Error as error:
        raise WarehouseUnavailable(f"keeping what is planned failed: {error}") from error
    return bool(experiments)
