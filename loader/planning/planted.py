"""A gate tried on losses planted in a team's own results: which of them it would have seen."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from ..errors import ConfigurationError
from ..marts import planted as marts
from ..tools.metric_names import resolve
from ..tools.tables import Column, Kind, Table

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from ..marts.planted import Comparison, Facts, Level
    from ..warehouse.connection import Connection

TRIALS: Final = 200
_POINTS: Final = (0.01, 0.02, 0.03, 0.05, 0.1)
_SHARES: Final = (0.05, 0.1, 0.2, 0.3, 0.5)
_SHORT: Final = 0.9
"""Less of a loss than this share was planted: the scale ended, and people are told."""


class Asked(NamedTuple):
    """What is tried.

    Attributes:
        agent: whose comparison.
        metric: that losses are planted on, as a person names it.
        loss: one more loss; None: only the usual ones.
        experiment: of which; None: the latest.
        trials: of each loss.
        seed: decides what is drawn.
    """

    agent: str
    metric: str
    loss: float | None = None
    experiment: str | None = None
    trials: int = TRIALS
    seed: int = 1


class Row(NamedTuple):
    """One loss.

    Attributes:
        loss: asked for: of a score on 0 to 1, of a latency or a cost the share added.
        planted: what came of it, where the end of a scale let less happen.
        seen: share of the trials that were rejected; at a loss of 0 a false alarm.
        low: of its interval, 95 %.
        high: of it.
        reviewed: share that a person would have looked at.
        deployed: share that would have passed.
    """

    loss: float
    planted: float
    seen: float
    low: float
    high: float
    reviewed: float
    deployed: float


@dataclass(frozen=True, slots=True)
class Planted:
    """Losses, what was seen of them, and the same in sentences."""

    rows: list[Row]
    sentences: list[str]
    notes: list[str]

    def table(self) -> Table:
        """Return the losses for printing."""
        columns = (
            Column("loss", Kind.SCORE),
            Column("planted", Kind.SCORE),
            Column("seen", Kind.SCORE),
            Column("seen_low", Kind.SCORE, "from"),
            Column("seen_high", Kind.SCORE, "to"),
            Column("reviewed", Kind.SCORE, "to review"),
            Column("deployed", Kind.SCORE, "let through"),
        )
        return Table(columns, [tuple(row) for row in self.rows])


def make(
    connection: Connection,
    asked: Asked,
    settings: Mapping[str, Any],
    progress: Callable[[int], object] = lambda _: None,
) -> Planted:
    """Try the rule on losses planted in an agent's own results.

    Args:
        connection: to the warehouse.
        asked: what is tried.
        settings: of the rule, as a policy changes them.
        progress: called with the number of trials done so far.

    Raises:
        ConfigurationError: there is no such agent, comparison or metric, the marts are not
            built, or the policy asks of these very tasks.
        WarehouseUnavailable: the server fails.
    """
    if settings.get("inference") == "these_tasks":
        raise ConfigurationError(
            "a trial draws other tasks like these, and the policy asks of these tasks alone "
            "(inference: these_tasks): nothing can be told of it"
        )
    comparison = marts.latest_comparison(connection, asked.agent, asked.experiment)
    if comparison is None:
        raise ConfigurationError(
            f"no comparison of {asked.agent}{f' in {asked.experiment}' if asked.experiment else ''}"
            " with two paired tasks: there is nothing to plant a loss in"
        )
    facts, levels = marts.try_losses(
        connection,
        comparison,
        asked.agent,
        resolve(asked.metric),
        lambda facts: _losses(facts, asked.loss),
        trials=range(1, asked.trials + 1),
        seed=asked.seed,
        settings=settings,
        progress=progress,
    )
    losses = _losses(facts, asked.loss)
    rows = [
        _row(connection, loss, level, is_ratio=facts.is_ratio)
        for loss, level in zip(losses, levels, strict=True)
    ]
    return Planted(rows, _sentences(rows, facts), _notes(rows, facts, comparison, asked))


def _losses(facts: Facts, more: float | None) -> Sequence[float]:
    usual: tuple[float, ...] = _SHARES if facts.is_ratio else _POINTS
    if facts.kind not in {"score", "success"} and not facts.is_ratio:
        if more is None:
            raise ConfigurationError(
                "what loss of it would matter nobody knows: give --detect, in its own unit"
            )
        usual = (more / 2, more, 2 * more)
    return sorted({0.0, *usual, *(() if more is None else (more,))})


def _row(connection: Connection, loss: float, level: Level, *, is_ratio: bool) -> Row:
    planted = level.lost / level.tasks if level.tasks else 0.0
    low, high = marts.wilson(connection, level.rejected, level.trials)
    return Row(
        loss,
        math.expm1(planted) if is_ratio else planted,
        level.rejected / level.trials,
        low,
        high,
        level.reviewed / level.trials,
        level.deployed / level.trials,
    )


def _sentences(rows: Sequence[Row], facts: Facts) -> list[str]:
    """Return what people ask for first."""
    told = [
        f"{_size(row.loss, facts)} with probability {row.seen:.2f} "
        f"({row.low:.2f} to {row.high:.2f})"
        for row in rows
        if row.loss
    ]
    none = rows[0]
    return [
        f"You would have seen a loss of {', '.join(told)}.",
        (
            f"With no loss at all: a false alarm with probability {none.seen:.3f} ({none.low:.3f} "
            f"to {none.high:.3f}), and let through with {none.deployed:.3f}."
        ),
    ]


def _notes(rows: Sequence[Row], facts: Facts, comparison: Comparison, asked: Asked) -> list[str]:
    drawn = f"{facts.tasks:,} tasks"
    if facts.units != facts.tasks:
        drawn += f" in {facts.units:,} clusters"
    notes = [
        (
            f"Drawn from {comparison.experiment_id}, {comparison.candidate_group} "
            f"{comparison.candidate_version}: {drawn}, {asked.trials:,} trials of each loss, "
            f"seed {asked.seed}. Seen is a verdict of reject."
        )
    ]
    if any(row.planted < _SHORT * row.loss for row in rows):
        notes.append(
            "Less was planted than asked for where scores were at the end of their scale already: "
            "read the column planted."
        )
    return notes


def _size(loss: float, facts: Facts) -> str:
    if facts.is_ratio:
        return f"{100 * loss:g} %"
    if facts.kind in {"score", "success"}:
        return f"{100 * loss:g} {'point' if loss == 0.01 else 'points'}"  # noqa: PLR2004  one
    return f"{loss:g}"
