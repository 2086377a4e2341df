"""Is the verdict honest, and fast? Prints measurements and floors; fails when one is missed.

    python benchmarks/verdicts.py [--experiments 4000] [--pairs 1000000] [--table NAME]

First the rule itself, on thousands of simulated experiments a cell: how often it is wrong where
nothing changed, how often it finds a gain or harm, what it trades, whether the promised number of
tasks decides, and its use on these tasks, of many candidates, at many looks, stopped when decided
and with floors. No database: the rule is written a second time in verdict_rule, which tests hold
against the marts.

Then, on a private embedded server: simulated pairs go where the marts read theirs, dbt builds the
statistics, and intervals are asked how often they hold the truth. Last, the database time of a
million pairs in a thousand experiments.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

import verdict_promises
import verdict_tables
import verdict_uses
from measures import report
from private_warehouse import Warehouse, warehouse

from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from verdict_tables import Line

MINIMUM_COVERAGE = 0.93
# 1.3 times what the models took while a metric had one reading, in turn on the same cores
MAXIMUM_SECONDS = 9.5
PER_EXPERIMENT = 1_000
STATISTICS = (
    "int_metric_pair_moments",
    "int_metric_comparison_estimates",
    "int_metric_evidence",
    "comparisons",
)
TABLES: dict[str, Callable[[int], Iterator[Line]]] = {
    "nothing_changed": verdict_tables.nothing_changed,
    "power": verdict_tables.power,
    "harm": verdict_tables.harm,
    "trade_offs": verdict_tables.trade_offs,
    "monotonicity": verdict_tables.monotonicity,
    "promises": verdict_promises.promises,
    "these_tasks": verdict_uses.these_tasks,
    "candidates": verdict_uses.candidates,
    "looking": verdict_uses.looking,
    "stopping": verdict_uses.stopping,
    "floors": verdict_uses.floors,
}

# One row a task; correlated arms, all of one difficulty. normal() is Box and Muller's.
_DRAWS = """
create or replace function pg_temp.normal() returns float8 language sql as
'select sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())';
drop table if exists draws;
select setseed(%(seed)s);
create temp table draws as
select
    scenario.name as scenario,
    experiment,
    task,
    scenario.cluster_size,
    (random() < 0.75)::integer::float8 as one,
    (random() < 0.75)::integer::float8 as another,
    random() < scenario.discordant as is_redrawn,
    least(1, greatest(0, 0.75 + 0.1 * pg_temp.normal())) as score,
    0.08 * pg_temp.normal() as score_change,
    exp(7 + 0.5 * pg_temp.normal()) as latency,
    exp(0.3 * pg_temp.normal()) as latency_change,
    exp(0.2 * pg_temp.normal()) as cost_change
from unnest(%(names)s::text[], %(sizes)s::int[], %(discordant)s::float8[], %(clusters)s::int[])
    as scenario (name, size, discordant, cluster_size)
cross join generate_series(1, %(experiments)s) as experiment
cross join generate_series(1, scenario.size) as task;
"""
_PAIRS = """
insert into evals_intermediate.int_metric_pairs (
    experiment_id, task_id, candidate_group, candidate_version, metric, kind, direction,
    cluster_id, baseline_value, candidate_value,
    baseline_repetitions, candidate_repetitions, is_comparable, baseline_runs, candidate_runs,
    baseline_explained_runs, candidate_explained_runs, is_declared, is_deciding,
    is_metric_guessed, is_evaluator_one_sided, is_quarantined, is_critical
)
select
    scenario || '-' || experiment, 't' || task, 'code-chef', '1', metrics.metric,
    metrics.kind, metrics.direction,
    case
        when cluster_size < 0 then 'c' || floor(sqrt(task))
        when cluster_size > 0 then 'c' || task / cluster_size
    end,
    metrics.baseline, metrics.candidate, 1, 1, true,
    1, 1, 0, 0, true, metrics.metric = 'accuracy', false, false, false, false
from draws
cross join lateral (
    values
    ('accuracy', 'score', 'higher', one,
        case when is_redrawn then another else one end),
    ('completeness', 'score', 'higher', score,
        least(1, greatest(0, score + score_change))),
    ('latency_ms', 'latency', 'lower', latency, latency * latency_change),
    ('cost_usd', 'cost', 'lower', latency / 1e5, latency / 1e5 * cost_change)
) as metrics (metric, kind, direction, baseline, candidate)
"""


class Simulation:
    """A warehouse in which only the statistics are built, from simulated pairs."""

    def __init__(self, run: Warehouse) -> None:
        """Build the marts empty."""
        self.run = run
        self.rows = run.rows
        run.dbt("build", "--exclude-resource-type", "unit_test", "--exclude-resource-type", "test")

    def build(self) -> dict[str, float]:
        """Build anew all that follows from the pairs; return the seconds of each model."""
        return self.run.dbt("run", "--select", "int_metric_pair_moments+", "--full-refresh").nodes

    def simulate(self, scenarios: dict[str, tuple[int, float, int]], experiments: int) -> None:
        """Replace the pairs by simulated ones and build.

        Args:
            scenarios: name → tasks, share of tasks whose accuracy is drawn anew, and cluster
                size (0 none, -1 growing).
            experiments: of each scenario.

        """
        values = {
            "seed": 0.42,
            "names": list(scenarios),
            "sizes": [size for size, _, _ in scenarios.values()],
            "discordant": [share for _, share, _ in scenarios.values()],
            "clusters": [size for _, _, size in scenarios.values()],
            "experiments": experiments,
        }
        with connect(self.run.url) as connection, connection.transaction():
            connection.execute("truncate evals_intermediate.int_metric_pairs")
            for statement in _DRAWS.strip().rstrip(";").split(";\n"):
                used = {name: values[name] for name in values if f"%({name})s" in statement}
                connection.execute(statement.encode(), used or None)
            connection.execute(_PAIRS.encode())
        with connect(self.run.url, autocommit=True) as connection:
            connection.execute("analyze evals_intermediate.int_metric_pairs")
        self.build()


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--experiments", type=int, default=4000, help="simulated, of each cell")
    parser.add_argument("--pairs", type=int, default=1_000_000, help="in the timed build; 0: none")
    parser.add_argument("--table", action="append", choices=list(TABLES), help="only this one")
    arguments = parser.parse_args()
    results = [
        show(line)
        for name in arguments.table or TABLES
        for line in TABLES[name](arguments.experiments)
    ]
    if arguments.pairs:
        with warehouse() as run:
            simulation = Simulation(run)
            results += [*coverage(simulation, 1200), *speed(simulation, arguments.pairs)]
    print(f"{len(results) - sum(results)} of {len(results)} floors missed")
    return 0 if all(results) else 1


def show(line: Line) -> bool:
    """Print a measurement beside its floor or limit; return whether it holds."""
    if line.bound is None:
        print(f"{line.name:<95} {line.value:8.4f}", flush=True)
        return True
    return report(line.name, line.value, line.bound, is_floor=line.is_floor)


def coverage(run: Simulation, experiments: int) -> Iterator[bool]:
    """Ask how often intervals hold the truth, which is 0."""
    run.simulate(
        {"few tasks": (12, 0.3, 0), "4 % discordant": (100, 0.04, 0), "clusters": (300, 0.15, -1)},
        experiments,
    )
    for name, metric, rate, undefined in run.rows(
        """
        select
            split_part(experiment_id, '-', 1), metric,
            avg((ci_low <= 0 and ci_high >= 0)::integer)::float8,
            avg((ci_low is null)::integer)::float8
        from evals.experiment_metric_comparisons
        where kind = 'score'
        group by 1, 2
        order by 1, 2
        """,
    ):
        label = f"{name}, {metric}: coverage (no interval {float(str(undefined)):.3f})"
        yield report(label, float(str(rate)), MINIMUM_COVERAGE, is_floor=True)


def speed(run: Simulation, pairs: int) -> Iterator[bool]:
    """Time the comparisons of many pairs."""
    experiments = pairs // PER_EXPERIMENT
    run.simulate({"big": (PER_EXPERIMENT // 4, 0.15, 0)}, experiments)
    seconds = run.build()
    for name, value in sorted(seconds.items(), key=lambda one: -one[1]):
        print(f"    {value:6.2f} s  {name}")
    whole = sum(value for name, value in seconds.items() if name.endswith(STATISTICS))
    yield report(f"experiment_metric_comparisons of {pairs:,} pairs, s", whole, MAXIMUM_SECONDS)


if __name__ == "__main__":
    sys.exit(main())
