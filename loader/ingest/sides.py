"""Which side of a comparison the groups of an experiment stand on, said once they are loaded.

An entry of the ledger without rows, as a withdrawal is one: it holds the roles and its change
feed, so that the next build follows it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..tools.sql_files import read_sql
from . import group_roles
from .entries import draw_load_id, server_errors, write_entry

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from ..warehouse.connection import Connection

SOURCE: Final = "roles"
"""`source` of the entries in `raw_evals.loads`."""


class Sides(NamedTuple):
    """The groups that have results in an experiment, by their role there."""

    controls: frozenset[str] = frozenset()
    treatments: frozenset[str] = frozenset()

    @property
    def is_comparison(self) -> bool:
        """Whether both sides are there, so that the experiment compares within itself."""
        return bool(self.controls and self.treatments)


class Standing(NamedTuple):
    """An experiment that has results."""

    experiment: str
    last_load: int


def find(connection: Connection, experiment: str, controls: Collection[str]) -> Sides:
    """Return the groups of an experiment by role; both empty where nothing stands.

    Args:
        connection: to a migrated warehouse.
        experiment: which.
        controls: groups that are a control where no load said otherwise.

    Raises:
        WarehouseUnavailable: the server fails or forbids it.

    """
    with server_errors():
        rows = connection.execute(
            read_sql(__name__, "find_control_agents"), {"experiment_id": experiment}
        ).fetchall()
    found: dict[str, set[str]] = {"control": set(), "treatment": set()}
    for group, _, role in rows:
        found[str(role or ("control" if group in controls else "treatment"))].add(str(group))
    return Sides(frozenset(found["control"]), frozenset(found["treatment"]))


def put(connection: Connection, experiment: str, roles: Mapping[str, str]) -> int:
    """Give groups of an experiment a role; return the entry that says so.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        experiment: which; of it runs stand.
        roles: group → control or treatment.

    Raises:
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    with server_errors(), connection.transaction():
        load_id = draw_load_id(connection)
        told = {"roles": dict(roles)}
        write_entry(connection, load_id, SOURCE, told, experiments=[experiment])
        group_roles.write(connection, load_id, experiment, roles)
    return load_id


def standing(connection: Connection, prefix: str) -> Sequence[Standing]:
    """Return the experiments with standing runs whose id begins so, the last loaded first.

    Args:
        connection: to a migrated warehouse.
        prefix: the beginning of their ids.

    Raises:
        WarehouseUnavailable: the server fails or forbids it.

    """
    with server_errors():
        rows = connection.execute(
            read_sql(__name__, "find_standing"), {"prefix": prefix}
        ).fetchall()
    return [Standing(str(experiment), int(str(load))) for experiment, load in rows]
