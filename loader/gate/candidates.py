"""What the gate judges: candidates by the settings of a policy, with all that it asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from ..errors import ConfigurationError, NothingToJudge, nearest
from ..marts.candidates import by_settings, candidates, experiment_names, of_agent
from ..marts.freshness import freshness, loads_of
from ..marts.names import withdrawal
from ..marts.reading import is_built, reading, why_not_built
from .evidence import declarations, gather

if TYPE_CHECKING:
    from ..marts.freshness import Freshness
    from ..marts.rows import Candidate
    from ..warehouse.connection import Connection
    from .policy import Policy


def look(
    connection: Connection, policy: Policy, experiment_id: str, agent: str | None = None
) -> list[tuple[Candidate, Freshness]]:
    """Return the candidates of an experiment, the latest recorded first, from one snapshot.

    Args:
        connection: as a user that may read the marts.
        policy: whose settings the rule goes by, and what else it asks for.
        experiment_id: the experiment.
        agent: whose tasks; None for all.

    Raises:
        ConfigurationError: the marts are not built, or by another version; no candidate of the
            experiment has tasks of the agent.
        WarehouseUnavailable: the server fails or forbids it.
    """
    with reading(connection, [experiment_id]):
        found = candidates(connection, [experiment_id])
        if agent is not None and found:
            found = of_agent(connection, found, experiment_id, agent)
        ruled = by_settings(connection, policy.settings(), experiment_id, found)
        if not ruled:
            return []
        declared = declarations()
        return [
            (
                replace(candidate, evidence=gather(connection, policy, candidate, declared)),
                freshness(
                    connection,
                    {experiment_id, candidate.summary.baseline_experiment_id or experiment_id},
                ),
            )
            for candidate in ruled
        ]


def require_built(connection: Connection, asked: str) -> None:
    """Raise when there are no marts: how many loads wait for a build, or that nothing is loaded.

    Raises:
        NothingToJudge: there are none; says why.
    """
    if is_built(connection):
        return
    waiting = loads_of(connection)
    if waiting is None:
        raise ConfigurationError(why_not_built(connection))
    if waiting == 0:
        raise NothingToJudge(
            f"no candidate results for {asked}: nothing is loaded yet; did ingest run?"
        )
    raise _waits(asked, waiting)


def refuse_experiment(connection: Connection, experiment_id: str) -> None:
    """Raise: there is nothing of this experiment to judge; says why, and what to do.

    Raises:
        NothingToJudge: always.
    """
    with reading(connection):
        waiting = freshness(connection, {experiment_id}).newer_loads
        names = experiment_names(connection)
        withdrawn = None if experiment_id in names else withdrawal(connection, experiment_id)
        # who may not see how far the marts are built takes every load for a newer one
        if withdrawn is not None and loads_of(connection, experiment_id, withdrawn.load_id) == 0:
            waiting = 0
    if waiting:
        raise _waits(experiment_id, waiting)
    if experiment_id in names:
        raise NothingToJudge(
            f"no candidate results for {experiment_id}: only a control group has results there; "
            "did ingest of the candidate run? Then run evalmart build"
        )
    if withdrawn is not None:
        raise NothingToJudge(f"no candidate results for {experiment_id}: {withdrawn.sentence}")
    raise NothingToJudge(
        f"no candidate results for {experiment_id!r}; did ingest run?"
        f"{nearest(experiment_id, names)}"
    )


def _waits(asked: str, loads: int) -> NothingToJudge:
    are = "load is" if loads == 1 else "loads are"
    return NothingToJudge(
        f"no candidate results for {asked} in the marts yet: {loads:,} {are} waiting; "
        "run evalmart build"
    )
