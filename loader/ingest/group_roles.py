"""Which role a group has in one experiment: kept beside the runs, where a load says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from psycopg import sql

from ..tools.sql_files import read_sql

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..warehouse.connection import Connection


def insert(
    connection: Connection, load_id: int, roles: Mapping[str, str], tables: Sequence[str]
) -> set[str]:
    """Write roles that are new, have changed or are of new runs; return their experiments.

    Args:
        connection: inside the transaction of the load.
        load_id: the load.
        roles: group → control or treatment.
        tables: temporary tables that hold the experiments of the load's rows.

    """
    if not roles or not tables:
        return set()
    parts = [
        sql.SQL("select distinct experiment_id from {}").format(sql.Identifier(table))
        for table in tables
    ]
    experiments = [row[0] for row in connection.execute(sql.SQL(" union ").join(parts)).fetchall()]
    rows = connection.execute(
        read_sql(__name__, "insert_roles"),
        {
            "load_id": load_id,
            "experiments": experiments,
            "groups": list(roles),
            "roles": list(roles.values()),
        },
    ).fetchall()
    return {str(experiment_id) for (experiment_id,) in rows}


def write(connection: Connection, load_id: int, experiment: str, roles: Mapping[str, str]) -> None:
    """Write the roles of groups of one experiment.

    Args:
        connection: inside the transaction of the entry.
        load_id: the entry.
        experiment: whose groups.
        roles: group → control or treatment.

    """
    connection.cursor().executemany(
        "insert into raw_evals.experiment_group_roles"
        " (load_id, experiment_id, experiment_group, role) values (%s, %s, %s, %s)",
        [(load_id, experiment, group, role) for group, role in roles.items()],
    )
