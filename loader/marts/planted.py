"""An agent's comparison drawn anew, many times, with losses planted: what the rule says of each."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING, Final

import msgspec
from psycopg.types.json import Jsonb

from ..errors import ConfigurationError, nearest
from .names import check_experiment, check_names
from .reading import fetch, on_marts, reading, statement, typed

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..warehouse.connection import Connection

_CHUNKS: Final = 10
"""So often progress is told."""
_CHUNK_ROWS: Final = 2_000_000
"""Pairs that one statement plants losses on: bounds its memory, not the result."""


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """The comparison that trials are drawn from."""

    experiment_id: str
    candidate_group: str
    candidate_version: str


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """What there is to draw from: `units` are clusters of tasks, and tasks that stand alone.

    `good_share` is the mean of both arms, of 1 the best; None where no pair has the metric.
    """

    units: int | None
    tasks: int
    metrics: list[str] | None
    has_composite: bool
    kind: str
    is_ratio: bool
    is_binary: bool
    good_share: float | None


class Level(msgspec.Struct, kw_only=True):
    """What the rule said of the trials with one planted loss.

    `lost` is the sum over `tasks` of what was planted, on the scale of the margin: of a score in
    0 to 1, of a ratio a logarithm.
    """

    level: int
    trials: int = 0
    rejected: int = 0
    reviewed: int = 0
    deployed: int = 0
    lost: float = 0.0
    tasks: int = 0


def latest_comparison(
    connection: Connection, agent: str, experiment_id: str | None
) -> Comparison | None:
    """Return the latest comparison of an agent, of one experiment where it is named.

    Raises:
        ConfigurationError: no result is of the agent or experiment, or the marts are not built.
        WarehouseUnavailable: the server fails.
    """
    with reading(connection):
        if experiment_id is not None:
            check_experiment(connection, experiment_id)
        asked = {"agent": agent, "experiment_id": experiment_id}
        found = fetch(connection, statement("latest_comparison"), asked).records()
        if not found:
            check_names(connection, "evaluation_results", {"agent_name": agent})
            return None
    return typed(found[0], Comparison)


def try_losses(  # noqa: PLR0913  each is an option of the command
    connection: Connection,
    comparison: Comparison,
    agent: str,
    metric: str,
    losses: Callable[[Facts], Sequence[float]],
    *,
    trials: range,
    seed: int,
    settings: Mapping[str, object],
    progress: Callable[[int], object] = lambda _: None,
) -> tuple[Facts, list[Level]]:
    """Return what the rule says of trials with each of some losses.

    A trial draws units with replacement, each with all its tasks, runs and metrics, and tosses
    which arm is the candidate's: then nothing differs but by chance (a bootstrap of pairs under
    the null hypothesis of a randomization test; Efron and Tibshirani 1993, chapters 6 and 16).
    The same draws serve every loss. Trial 0 is the comparison as it is. Keeps nothing.

    Args:
        connection: to the warehouse.
        comparison: of which.
        agent: whose part of it.
        metric: that the losses are planted on.
        losses: asked once for them: of a score points of 0 to 1, of a ratio a share of it.
        trials: by their numbers.
        seed: decides what is drawn.
        settings: of the rule, as `evals.judge` takes them.
        progress: called with the number of trials done so far.

    Raises:
        ConfigurationError: no pair has the metric, or it has no say; or the marts are not built.
        WarehouseUnavailable: the server fails.
    """
    key = {**msgspec.to_builtins(comparison), "agent": agent, "metric": metric}
    with reading(connection, [comparison.experiment_id], writes=True):
        facts = _prepare(connection, key, metric)
        asked = list(losses(facts))
        parameters = {
            **key,
            "units": facts.units,
            "has_composite": facts.has_composite,
            "losses": asked,
            "rates": [min(1.0, loss / (facts.good_share or 1.0)) for loss in asked],
            "seed": seed,
            "settings": Jsonb({**settings, **key}),
        }
        levels = [Level(level=place) for place in range(len(asked))]
        for first, end in pairwise(_places(trials, facts.tasks * len(asked))):
            chunk = {**parameters, "first": first, "last": end - 1}
            for row in fetch(connection, statement("trial_verdicts"), chunk).records():
                _add(levels, typed(row, Level))
            progress(end - trials.start)
    return facts, levels


def wilson(connection: Connection, count: int, total: int) -> tuple[float, float]:
    """Return Wilson's interval of a share, 95 %, by the marts' own functions."""
    query = on_marts(
        """
        select
            {functions}.wilson_lower(%(count)s, %(total)s, 0.05) as low,
            {functions}.wilson_upper(%(count)s, %(total)s, 0.05) as high
        """
    )
    with reading(connection):
        ((low, high),) = fetch(connection, query, {"count": count, "total": total}).rows
    return float(str(low)), float(str(high))


def _prepare(connection: Connection, key: Mapping[str, object], metric: str) -> Facts:
    """Fill the temporary tables that trials are drawn from."""
    # compiling takes longer than these plans run; nothing has statistics yet, and joins would loop
    connection.execute("set local jit = off")
    connection.execute("set local work_mem = '128MB'")
    connection.execute("set local enable_nestloop = off")
    for name in ("trial_pairs", "trial_units", "trial_targets"):
        connection.execute(statement(name), key)
        connection.execute(f"analyze {name}")
    connection.execute("set local enable_nestloop = on")
    facts = typed(fetch(connection, statement("trial_facts"), {}).records()[0], Facts)
    there = facts.metrics or []
    if metric not in there:
        raise ConfigurationError(
            f"the metric {metric!r} has no say there{nearest(metric, there)}; "
            f"those that have: {', '.join(sorted(there)) or 'none'}"
        )
    return facts


def _places(trials: range, rows: int) -> list[int]:
    """Return where chunks of the trials begin, and their end."""
    step = max(1, min(-(-len(trials) // _CHUNKS), _CHUNK_ROWS // max(1, rows)))
    return [*range(trials.start, trials.stop, step), trials.stop]


def _add(levels: Sequence[Level], found: Level) -> None:
    """Add what one chunk found."""
    level = levels[found.level]
    for name in ("trials", "rejected", "reviewed", "deployed", "lost", "tasks"):
        setattr(level, name, getattr(level, name) + getattr(found, name))
