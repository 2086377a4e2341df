"""Are the statistics honest, and fast? Prints rates and seconds; fails when a floor is missed.

    python benchmarks/verdicts.py [--pairs 1000000] [--experiments 300]

On a private embedded server: simulated pairs, seeded, go where the marts read theirs, dbt builds
the statistics, and the marts are asked how often they were wrong. Nothing changed in any
simulated experiment unless it says so. Then the database time of a million pairs in a thousand
experiments.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING

from private_warehouse import Warehouse, report, warehouse

from loader.connection import connect

if TYPE_CHECKING:
    from collections.abc import Iterator

MAXIMUM_ERROR = 0.05
MINIMUM_COVERAGE = 0.93
MAXIMUM_SECONDS = 10.0
PER_EXPERIMENT = 1_000
LOOKS = (20, 50, 100, 150, 200, 300, 400, 500)
STATISTICS = ("int_metric_pair_moments", "int_metric_comparison_estimates", "comparisons")

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
    cluster_id, tie_margin, non_inferiority_margin, weight, baseline_value, candidate_value,
    baseline_repetitions, candidate_repetitions, is_comparable
)
select
    scenario || '-' || experiment || {suffix}, 't' || task, 'code-chef', '1', metrics.metric,
    metrics.kind, metrics.direction,
    case
        when cluster_size < 0 then 'c' || floor(sqrt(task))
        when cluster_size > 0 then 'c' || task / cluster_size
    end,
    metrics.tie, metrics.margin, metrics.weight, metrics.baseline, metrics.candidate, 1, 1, true
from draws
cross join lateral (
    values
    ('accuracy', 'score', 'higher', 0.05, 0.05, 0.3, one,
        case when is_redrawn then another else one end),
    ('completeness', 'score', 'higher', 0.05, 0.05, 0.25, score,
        least(1, greatest(0, score + score_change))),
    ('latency_ms', 'latency', 'lower', 0, 0.2, 0.15, latency, latency * latency_change),
    ('cost_usd', 'cost', 'lower', 0, 0.2, 0, latency / 1e5, latency / 1e5 * cost_change)
) as metrics (metric, kind, direction, tie, margin, weight, baseline, candidate)
{where}
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

    def simulate(
        self,
        scenarios: dict[str, tuple[int, float, int]],
        experiments: int,
        looks: tuple[int, ...] = (),
    ) -> None:
        """Replace the pairs by simulated ones and build.

        Args:
            scenarios: name → tasks, share of tasks whose accuracy is drawn anew, and cluster
                size (0 none, -1 growing).
            experiments: of each scenario.
            looks: numbers of first tasks, each an experiment of its own; all tasks if none.

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
            for look in looks or (0,):
                where = f"where task <= {look}" if look else ""
                suffix = f"'-{look}'"
                connection.execute(_PAIRS.format(suffix=suffix, where=where).encode())
        with connect(self.run.url, autocommit=True) as connection:
            connection.execute("analyze evals_intermediate.int_metric_pairs")
        self.build()


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=1_000_000)
    parser.add_argument("--experiments", type=int, default=300)
    arguments = parser.parse_args()
    with warehouse() as run:
        simulation = Simulation(run)
        results = [
            *false_verdicts(simulation, arguments.experiments),
            *coverage(simulation, 4 * arguments.experiments),
            *peeking(simulation, arguments.experiments),
            *speed(simulation, arguments.pairs),
        ]
    return 0 if all(results) else 1


def false_verdicts(run: Simulation, experiments: int) -> Iterator[bool]:
    """Ask how often nothing is called something."""
    run.simulate({f"n{size}": (size, 0.15, 0) for size in (20, 100, 300)}, experiments)
    for name, verdict, rate, legacy in run.rows(
        """
        select
            split_part(experiment_id, '-', 1), verdicts.verdict,
            avg((recommendation = verdicts.verdict)::integer)::float8,
            avg((legacy_recommendation = verdicts.verdict)::integer)::float8
        from evals_intermediate.int_experiment_verdicts
        cross join (values ('deploy'), ('reject')) as verdicts (verdict)
        where not is_anytime
        group by 1, 2
        order by 1, 2
        """,
    ):
        label = f"{name}: {verdict} although nothing changed (legacy {legacy:.3f})"
        yield report(label, float(str(rate)), MAXIMUM_ERROR)


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


def peeking(run: Simulation, experiments: int) -> Iterator[bool]:
    """Ask how often any of many looks alarms."""
    run.simulate({"peek": (max(LOOKS), 0.15, 0)}, experiments, LOOKS)
    for name, rate in run.rows(
        """
        with alarms as (
            select
                split_part(experiment_id, '-', 2) as experiment,
                bool_or(p_anytime <= 0.05) as is_anytime_alarm,
                bool_or(p_value <= 0.05) as is_fixed_alarm
            from evals.experiment_metric_comparisons
            where metric = 'accuracy'
            group by 1
        ),
        verdicts as (
            select split_part(experiment_id, '-', 2) as experiment,
                bool_or(recommendation = 'deploy') as is_deployed,
                bool_or(recommendation = 'reject') as is_rejected
            from evals_intermediate.int_experiment_verdicts
            where is_anytime
            group by 1
        )
        select 'p_anytime', avg(is_anytime_alarm::integer)::float8 from alarms
        union all
        select 'deploy', avg(is_deployed::integer)::float8 from verdicts
        union all
        select 'reject', avg(is_rejected::integer)::float8 from verdicts
        union all
        select 'fixed p_value, for comparison', avg(is_fixed_alarm::integer)::float8 from alarms
        """,
    ):
        label = f"{len(LOOKS)} looks: false alarm by {name}"
        if str(name).startswith("fixed"):
            print(f"{label:<70} {float(str(rate)):8.3f}")
        else:
            yield report(label, float(str(rate)), MAXIMUM_ERROR)


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
