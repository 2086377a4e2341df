"""Baselines of agents: the experiment that those which name none are compared with.

An entry of the ledger without rows says it, append-only. It counts for experiments whose first
load comes after it: those of before keep what they were compared with.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError, nearest
from ..records import checks
from ..tools.sql_files import read_sql
from ..tools.tables import Column, Kind, Table
from . import naming
from .entries import Counts, draw_load_id, insert_load, server_errors

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from ..warehouse.connection import Connection

SOURCE: Final = "baseline"
"""`source` of the entries in `raw_evals.loads`."""
_INSERT = """
insert into raw_evals.agent_baselines (load_id, agent_name, experiment_id, author)
values (%s, %s, %s, %s)
"""


class Written(NamedTuple):
    """An entry that was made."""

    load_id: int
    agents: Sequence[str]


def set_baseline(
    connection: Connection,
    experiment: str,
    agent: str | None,
    author: str | None,
    controls: Collection[str],
) -> Written:
    """Make an experiment the baseline of an agent, or of every agent of its control arm.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        experiment: one with runs of a control group.
        agent: whose; None: of all that have runs there. `unknown` is of runs that name none.
        author: who says so.
        controls: groups that are a control where no load said otherwise.

    Raises:
        ConfigurationError: the experiment is unknown (with the nearest names), or has no
            control arm, or none of that agent.
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    with server_errors(), connection.transaction():
        load_id = draw_load_id(connection)
        agents = _agents(connection, experiment, controls)
        if agent is not None and agent not in agents:
            raise ConfigurationError(
                f"{experiment} has no control run of the agent {agent!r}{nearest(agent, agents)}; "
                f"there are: {', '.join(agents)}"
            )
        chosen = agents if agent is None else [agent]
        _write(connection, load_id, chosen, experiment, author)
    return Written(load_id, chosen)


def clear(connection: Connection, agent: str, author: str | None) -> Written:
    """Say that an agent has no baseline from now on.

    Args:
        connection: to a migrated warehouse, without an open transaction.
        agent: whose.
        author: who says so.

    Raises:
        ConfigurationError: it has none; names the agents that have one.
        WarehouseUnavailable: the server fails or forbids it; nothing is written.

    """
    with server_errors(), connection.transaction():
        load_id = draw_load_id(connection)
        rows = connection.execute(read_sql(__name__, "list_baselines"), {"agent": None})
        there = [str(row[0]) for row in rows if row[1] is not None]
        if agent not in there:
            raise ConfigurationError(_no_baseline(agent, there))
        _write(connection, load_id, [agent], None, author)
    return Written(load_id, [agent])


def entries(connection: Connection, agent: str | None = None) -> Table:
    """Return the baseline of every agent; of one agent, those it ever had, the latest first.

    Args:
        connection: to a migrated warehouse.
        agent: whose; None for all.

    Raises:
        ConfigurationError: the agent never had one; names those that did.
        WarehouseUnavailable: the server fails or forbids it.

    """
    with server_errors():
        rows = connection.execute(read_sql(__name__, "list_baselines"), {"agent": agent}).fetchall()
        if agent is not None and not rows:
            known = connection.execute("select distinct agent_name from raw_evals.agent_baselines")
            raise ConfigurationError(_no_baseline(agent, sorted(str(name) for (name,) in known)))
    return Table(
        (
            Column("agent_name", heading="agent"),
            Column("experiment_id", heading="baseline"),
            Column("set_at", Kind.TIMESTAMP, "since (UTC)"),
            Column("replaced_at", Kind.TIMESTAMP, "until"),
            Column("author"),
            Column("remark"),
        ),
        rows,
    )


def link(connection: Connection, load_id: int) -> None:
    """Write in the change feed of a load which baselines its experiments are compared with.

    Args:
        connection: inside the transaction of the load, its runs and feed written.
        load_id: the load.

    """
    is_any = connection.execute("select from raw_evals.agent_baselines limit 1").fetchone()
    if is_any is not None:
        connection.execute(read_sql(__name__, "insert_links"), {"load_id": load_id})


def _agents(connection: Connection, experiment: str, controls: Collection[str]) -> list[str]:
    """Return the agents of an experiment's control arm, by name."""
    unknown = naming.unknown(connection, {"experiment": experiment})
    if unknown:
        raise ConfigurationError(unknown)
    rows = connection.execute(
        read_sql(__name__, "find_control_agents"), {"experiment_id": experiment}
    ).fetchall()
    if not rows:
        raise ConfigurationError(
            f"all runs of {experiment} are withdrawn; withdraw --list tells by whom"
        )
    agents = {
        str(agent)
        for group, agent, role in rows
        if (role or ("control" if group in controls else "")) == "control"
    }
    if not agents:
        groups = ", ".join(sorted({str(row[0]) for row in rows}))
        raise ConfigurationError(
            f"{experiment} has no run of a control group, only of {groups}: a candidate meets the "
            "control arm of its baseline; load the runs that are to be one into an experiment of "
            f"their own, with ingest --control {groups.split(', ', maxsplit=1)[0]}"
        )
    return sorted(agents)


def _write(
    connection: Connection,
    load_id: int,
    agents: Sequence[str],
    experiment: str | None,
    author: str | None,
) -> None:
    if any(checks.unstorable([author or ""], "--author")):
        raise ConfigurationError("--author holds what PostgreSQL cannot store")
    told = {"agents": list(agents), "baseline": experiment, "author": author}
    # no change feed: nothing that was loaded before is compared with another
    insert_load(connection, load_id, SOURCE, told, experiment=experiment, counts=Counts())
    connection.cursor().executemany(
        _INSERT, [(load_id, name, experiment, author) for name in agents]
    )


def _no_baseline(agent: str, there: Sequence[str]) -> str:
    known = ", ".join(there) or "none"
    return f"no baseline was set for {agent!r}{nearest(agent, there)}; agents with one: {known}"
