"""A plan: the designs that would see a gain, what they cost, and what they rest on."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, NamedTuple

from ..errors import ConfigurationError, UnknownName, nearest
from ..marts import planning
from ..tools.metric_names import resolve
from ..tools.tables import Column, Kind, Table
from ..warehouse.variables import project_variables
from .design import Component, World

if TYPE_CHECKING:
    from collections.abc import Sequence

    from ..marts.planning import Runs, Spread
    from ..warehouse.connection import Connection

REPETITIONS: Final = (1, 2, 3, 5, 8)
_MOST_REPETITIONS: Final = 1_000
_CURVE: Final = 40
_HOUR_MS: Final = 3_600_000
_LIKE_THESE: Final = "tasks like these"
_MARGIN, _RATIO_MARGIN = 0.05, math.log(1.2)

# What is assumed without history, of what tasks differ by half by chance: 0/1 scores of which
# 16 % differ; a judge from 1 to 5 whose difference has a standard deviation of one level;
# scores whose difference has one of 0.2; latency and cost whose logarithm varies by 0.3 a run.
_ASSUMED: Final = {
    "binary": (0.08, "a 0/1 score of which 16 % of the tasks differ"),
    "ordinal": (0.25**2 / 2, "a judge from 1 to 5 whose difference varies by a level (0.25)"),
    "continuous": (0.2**2 / 2, "a score whose difference varies by 0.2"),
}
METRIC_KINDS: Final = tuple(_ASSUMED)
_RATIO: Final = Component(
    metric="", margin=_RATIO_MARGIN, between=0.0, within=2 * 0.3**2, is_ratio=True,
    is_history=False,
)  # fmt: skip
_RATIOS: Final = ("latency_ms", "cost_usd")


class Asked(NamedTuple):
    """What a plan is for.

    Attributes:
        agent: whose history tells.
        metric: that decides, as a person names it.
        detect: the gain to see: of a score on 0 to 1, of a latency or a cost the share saved.
        power: the chance to see it.
        budget_usd: for both arms; None: none.
        segment_kind: also for each of these parts, `category` or `split`.
        metric_kind: one of `METRIC_KINDS`: what to assume where nothing was measured, of an
            agent without any result too; None: of an agent with results, 0/1.
    """

    agent: str
    metric: str
    detect: float
    power: float = 0.8
    budget_usd: float | None = None
    segment_kind: str | None = None
    metric_kind: str | None = None


class Row(NamedTuple):
    """One design.

    Attributes:
        question: tasks like these, these tasks, within the budget, or a part.
        repetitions: of a task in either arm.
        tasks: paired; None where no number is enough.
        chance: that the rule deploys the gain.
        runs: of both arms.
        usd: of both arms; None where a run's cost is not known.
        hours: of both arms, one run after the other; likewise.
        gain: the least that is seen with the power asked for.
    """

    question: str
    repetitions: int
    tasks: int | None
    chance: float | None
    runs: int | None
    usd: float | None
    hours: float | None
    gain: float | None


@dataclass(frozen=True, slots=True)
class Plan:
    """Designs, the curve of the first, and what they rest on, in sentences."""

    rows: list[Row]
    curve: list[tuple[int, float]]
    """Tasks and the chance, one repetition."""
    notes: list[str]
    curves: dict[int, list[tuple[int, float]]]
    """The same by repetitions, where a picture is asked for; else none."""

    def needed(self) -> dict[int, int]:
        """Return the fewest tasks that reach the power, by repetitions."""
        return {
            row.repetitions: row.tasks
            for row in self.rows
            if row.question == _LIKE_THESE and row.tasks is not None
        }

    def table(self) -> Table:
        """Return the designs for printing."""
        columns = (
            Column("question"),
            Column("repetitions", Kind.INTEGER),
            Column("tasks", Kind.INTEGER),
            Column("chance", Kind.SCORE),
            Column("runs", Kind.INTEGER),
            Column("cost_usd", Kind.USD, "cost"),
            Column("hours", Kind.NUMBER),
            Column("detectable", Kind.SCORE),
        )
        return Table(columns, [tuple(row) for row in self.rows])


def make(connection: Connection, asked: Asked, *, drawn: bool = False) -> Plan:
    """Work out the designs that reach a power under the rule of the verdict.

    Args:
        connection: to the warehouse.
        asked: what for.
        drawn: whether the curves of all repetitions are wanted, for a picture.

    Raises:
        ConfigurationError: no such agent or metric, or the marts are not built.
        WarehouseUnavailable: the server fails.
    """
    metric = resolve(asked.metric)
    runs, found = _history(connection, asked, metric)
    whole = [one for one in found if not one.segment]
    world, notes = _world(whole, metric, asked.metric_kind)
    gain = _gain(world.deciding, asked.detect)
    maker = _Maker(world, runs, gain, asked.power)
    rows = [maker.reaching(_LIKE_THESE, one) for one in maker.repetitions()]
    rows += maker.these_tasks()
    if asked.budget_usd is not None:
        rows += maker.affordable(asked.budget_usd, notes)
    for segment in sorted({one.segment for one in found if one.segment}):
        part = [one for one in found if one.segment == segment]
        if any(one.metric == metric for one in part):
            its = replace(maker, world=_world(part, metric)[0])
            rows.append(its.reaching(f"{asked.segment_kind} {segment}", 1))
    if asked.metric_kind is not None and whole:
        notes.append("What was measured goes before --metric-kind.")
    if world.deciding.within is None:
        notes.append("No task has repeated runs: what repetitions would save is not known.")
    if runs.cost_usd is None:
        notes.append("No run says what it cost: a plan has no price.")
    curve = maker.curve()
    places = [tasks for tasks, _ in curve]
    curves = {one: maker.chances(places, one) for one in maker.repetitions()} if drawn else {}
    return Plan(rows, curve, notes, curves)


def _history(connection: Connection, asked: Asked, metric: str) -> tuple[Runs, Sequence[Spread]]:
    """Return what an agent's runs cost and how they vary; nothing where there are none."""
    try:
        runs = planning.runs(connection, asked.agent)
        return runs, planning.spreads(connection, asked.agent, metric, asked.segment_kind)
    except UnknownName as error:
        if asked.metric_kind is None:
            raise ConfigurationError(
                f"{error}; of an agent without results plan with --metric-kind "
                f"{'|'.join(METRIC_KINDS)}"
            ) from None
    except ConfigurationError:
        if asked.metric_kind is None or planning.is_built(connection):
            raise
    return planning.NO_RUNS, []


def _world(
    found: Sequence[Spread], metric: str, kind: str | None = None
) -> tuple[World, list[str]]:
    """Return what is assumed, and where it comes from."""
    settings = project_variables()
    components = {one.metric: _component(one) for one in found}
    correlations = {
        (min(one.metric, other), max(one.metric, other)): value
        for one in found
        for other, value in one.correlations.items()
    }
    if not components:
        variance, words = _ASSUMED[kind or METRIC_KINDS[0]]
        notes = [
            (
                f"No comparison of this agent yet. Assumed, not measured: {words}, half of that by "
                "chance; latency and cost whose logarithm varies by 0.3 a run, as guardrails."
            )
        ]
        ratios = [replace(_RATIO, metric=name) for name in _RATIOS if name != metric]
        deciding = (
            replace(_RATIO, metric=metric)
            if metric in {*_RATIOS, "tokens_used"}
            else Component(
                metric=metric,
                margin=_MARGIN,
                between=variance,
                within=variance,
                is_binary=kind in {None, "binary"},
                is_history=False,
            )
        )
        guardrails = ratios
    elif metric not in components:
        raise ConfigurationError(
            f"no comparison of this agent has the metric {metric!r}{nearest(metric, components)}; "
            f"there are: {', '.join(sorted(components))}"
        )
    else:
        deciding = components[metric]
        told = next(one for one in found if one.metric == metric)
        guardrails = [components[one.metric] for one in found if one.has_say and one is not told]
        notes = [
            (
                f"Measured on {told.pairs:,} paired tasks of the latest {told.comparisons:,} "
                f"comparisons; guardrails: {', '.join(one.metric for one in guardrails) or 'none'}."
            )
        ]
        if deciding.tasks_per_cluster > 1:
            notes.append(
                f"Tasks come in clusters: {deciding.tasks_per_cluster:.1f} tasks count as one "
                "cluster, and new ones are taken to come likewise."
            )
    world = World(
        deciding,
        guardrails,
        correlations,
        float(settings["alpha"]),
        float(settings["kept_level"]),
        int(settings["minimum_tasks"]),
    )
    return world, notes


def _component(spread: Spread) -> Component:
    return Component(
        metric=spread.metric,
        margin=spread.margin,
        between=spread.between,
        within=spread.within,
        tasks_per_cluster=spread.tasks_per_cluster,
        is_binary=spread.is_binary,
        is_ratio=spread.is_ratio,
    )


def _gain(deciding: Component, detect: float) -> float:
    """Return a gain on the scale of the margin."""
    if not deciding.is_ratio:
        return detect
    if detect >= 1:
        raise ConfigurationError(f"{deciding.metric} cannot fall by {detect:.0%}: give a share")
    return -math.log1p(-detect)


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes rows of one world."""

    world: World
    runs: Runs
    gain: float
    power: float

    def repetitions(self) -> Sequence[int]:
        return REPETITIONS if self.world.deciding.within is not None else (1,)

    def reaching(self, question: str, repetitions: int) -> Row:
        """Return the fewest tasks that reach the power."""
        tasks = self.world.tasks(self.gain, self.power, repetitions)
        if tasks is None:
            return Row(question, repetitions, None, None, None, None, None, None)
        return self._row(question, tasks, repetitions)

    def these_tasks(self) -> list[Row]:
        """Return the fewest repetitions of the tasks there are, by `inference: these_tasks`."""
        tasks = self.runs.tasks
        if self.world.deciding.within is None or tasks < self.world.minimum_tasks:
            return []
        low, high = 1, 2
        while self.world.chance_on_these(self.gain, tasks, high) < self.power:
            low, high = high, high * 2
            if high > _MOST_REPETITIONS:
                return []
        while high - low > 1:
            middle = (low + high) // 2
            if self.world.chance_on_these(self.gain, tasks, middle) >= self.power:
                high = middle
            else:
                low = middle
        chance = self.world.chance_on_these(self.gain, tasks, high)
        return [self._priced("these tasks", tasks, high, chance, None)]

    def affordable(self, budget_usd: float, notes: list[str]) -> list[Row]:
        """Return the design that sees most for the money."""
        price = self.runs.cost_usd
        if not price:
            return []
        rows = [
            self._row("within the budget", tasks, each)
            for each in self.repetitions()
            if (tasks := math.floor(budget_usd / (2 * each * price))) >= self.world.minimum_tasks
        ]
        if not rows:
            notes.append(
                f"{budget_usd:g} US dollars pay for fewer than {self.world.minimum_tasks} tasks."
            )
        return sorted(rows, key=lambda row: -(row.chance or 0))[:1]

    def curve(self) -> list[tuple[int, float]]:
        """Return the chance by tasks, one repetition, from a tenth to twice what is needed."""
        needed = self.world.tasks(self.gain, self.power) or self.world.minimum_tasks * 100
        low, high = max(self.world.minimum_tasks, needed // 10), needed * 2
        places = sorted({round(low + (high - low) * step / (_CURVE - 1)) for step in range(_CURVE)})
        return self.chances(places, 1)

    def chances(self, places: Sequence[int], repetitions: int) -> list[tuple[int, float]]:
        """Return tasks and the chance."""
        return [(tasks, self.world.chance(self.gain, tasks, repetitions)) for tasks in places]

    def _row(self, question: str, tasks: int, repetitions: int) -> Row:
        gain = self.world.gain(self.power, tasks, repetitions)
        if gain is not None and self.world.deciding.is_ratio:
            gain = -math.expm1(-gain)
        chance = self.world.chance(self.gain, tasks, repetitions)
        return self._priced(question, tasks, repetitions, chance, gain)

    def _priced(
        self, question: str, tasks: int, repetitions: int, chance: float, gain: float | None
    ) -> Row:
        runs = 2 * tasks * repetitions
        cost, latency = self.runs.cost_usd, self.runs.latency_ms
        return Row(
            question,
            repetitions,
            tasks,
            chance,
            runs,
            None if cost is None else cost * runs,
            None if latency is None else latency * runs / _HOUR_MS,
            gain,
        )
