"""How an agent's results vary, and what its runs cost: what a plan is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from .names import check_names
from .reading import fetch, is_built, reading, statement, typed

if TYPE_CHECKING:
    from ..warehouse.connection import Connection

__all__ = ["NO_RUNS", "Runs", "Spread", "is_built", "runs", "spreads"]
_COMPARISONS: Final = 10
"""The latest of them tell how an agent varies today."""
_PAIRS: Final = 5_000
"""So many of their tasks tell what repetitions differ in, and how metrics move together."""
_RESULTS: Final = 5_000
_FEWEST_CORRELATED: Final = 20


class Spread(msgspec.Struct, frozen=True, kw_only=True):
    """How one metric varies in the latest comparisons; `segment` is empty for all tasks.

    `between` and `within` are variances on the scale of the margin: of what tasks differ in,
    clusters included, and of one run in each arm, None without repetitions.
    """

    segment: str
    metric: str
    has_say: bool
    comparisons: int
    pairs: int
    between: float
    within: float | None
    tasks_per_cluster: float
    margin: float
    is_binary: bool
    is_ratio: bool
    correlations: dict[str, float]


class Runs(msgspec.Struct, frozen=True, kw_only=True):
    """Means of an agent's latest results, a run; `tasks` are those of its latest experiment."""

    results: int
    cost_usd: float | None
    latency_ms: float | None
    tasks: int


NO_RUNS: Final = Runs(results=0, cost_usd=None, latency_ms=None, tasks=0)
"""Of an agent that has none."""


def spreads(
    connection: Connection, agent: str, metric: str, segment_kind: str | None
) -> list[Spread]:
    """Return the metrics that have a say on an agent, and one more, as they vary.

    Args:
        connection: to the warehouse.
        agent: whose.
        metric: told even where it has no say.
        segment_kind: also for each of these parts, `category` or `split`; None: not.

    Raises what `loader.marts.reading` raises.
    """
    parameters = {
        "agent": agent,
        "metric": metric,
        "segment_kind": segment_kind,
        "comparisons": _COMPARISONS,
        "pairs": _PAIRS,
        "fewest_correlated": _FEWEST_CORRELATED,
    }
    with reading(connection):
        found = fetch(connection, statement("planning_components"), parameters)
    return [typed(row, Spread) for row in found.records()]


def runs(connection: Connection, agent: str) -> Runs:
    """Return what a run of an agent costs and takes.

    Raises:
        ConfigurationError: no result is of the agent, or the marts are not built.
        WarehouseUnavailable: the server fails.
    """
    with reading(connection):
        found = fetch(connection, statement("planning_runs"), {"agent": agent, "results": _RESULTS})
        told = typed(found.records()[0], Runs)
        if not told.results:
            check_names(connection, "evaluation_results", {"agent_name": agent})
    return told
