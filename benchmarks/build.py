"""Does a build cost what is new, or what is there? Prints ratios; fails when a floor is missed.

    python benchmarks/build.py [--results 1000000]

On a private embedded server: build after 1,000 new results on top of 10,000, then the same on
top of a million (1,000 results an experiment: 500 tasks in two arms, seven metrics; a version
lasts five experiments). dbt's start-up, the same at any size, is reported apart. Then times
what the reading commands ask of the marts.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from private_warehouse import MAXIMUM_QUERY_MS, Warehouse, milliseconds, report, warehouse

from loader import marts
from loader.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.connection import Connection

SMALL = 10_000
PER_EXPERIMENT = 1_000
BUILDS = 3
MAXIMUM_RATIO = 1.3

_EXPERIMENTS = """
insert into raw_evals.evaluation_runs (
    load_id, experiment_id, source, source_run_id, run_version, content_hash, task_id,
    experiment_group, extension_version, repetition, recorded_at, model_version, agent_name,
    scores, measurements, latency_ms, tokens_used, cost_usd, success, error_message,
    dataset_version, evaluator_versions, feedback, baseline_experiment_id, metadata
)
select
    %(load_id)s,
    'bench-' || to_char(experiment, 'fm00000'),
    'file',
    'run-' || task || '-' || arm.name,
    1,
    md5(experiment || '/' || task || '/' || arm.name)::uuid,
    'task-' || task,
    arm.name,
    '1.' || experiment / 5 || '.0',
    1,
    '2026-01-01T00:00:00Z'::timestamptz + make_interval(hours => experiment, secs => task),
    'model-1',
    'agent-' || experiment %% 4,
    jsonb_build_object(
        'accuracy', ((task * 7 + experiment + arm.shift) %% 101) / 100.0,
        'completeness', ((task * 11 + experiment + arm.shift) %% 101) / 100.0,
        'efficiency', ((task * 13 + experiment + arm.shift) %% 101) / 100.0,
        'integration_quality', ((task * 17 + experiment + arm.shift) %% 101) / 100.0
    ),
    '{}',
    500 + (task * 37 + experiment * 11 + arm.shift) %% 3000,
    1000 + (task * 53 + experiment * 7 + arm.shift) %% 5000,
    (100 + (task * 29 + experiment * 3 + arm.shift) %% 900) / 100000.0,
    task %% 50 != 0,
    null,
    null,
    '{}',
    '{}',
    null,
    '{"category": "bench"}'
from generate_series(%(first)s::integer, %(last)s::integer) as experiment
cross join generate_series(1, 500) as task
cross join (values ('baseline', 0), ('code-chef', 5)) as arm (name, shift)
"""
_SCANNED = """
select count(*)
from pg_stat_user_tables
where
    relname in (
        'evaluation_runs', 'evaluation_trials', 'evaluation_results', 'evaluation_scores',
        'evaluation_comparison_view', 'int_results_paired'
    )
    and seq_tup_read >= 10000
"""


class Cost(NamedTuple):
    """What a build after 1,000 new results cost."""

    seconds: float
    """From dbt's first statement to its last."""
    pages: float
    """Pages of 8 kB that the server touched: the work done, however busy the machine is."""


class Growth:
    """A warehouse to which experiments of a thousand results are added."""

    def __init__(self, run: Warehouse) -> None:
        """Start empty."""
        self.run = run
        self.experiments = 0

    def grow(self, results: int) -> None:
        """Load so many new results."""
        first = self.experiments
        self.experiments += results // PER_EXPERIMENT
        self.run.load(_EXPERIMENTS, {"first": first, "last": self.experiments - 1})

    def cost_of_a_thousand(self, total: int) -> Cost:
        """Build after 1,000 new results a few times; return and print the least: noise adds."""
        builds, pages = [], []
        for _ in range(BUILDS):
            self.grow(PER_EXPERIMENT)
            before = self._pages()
            builds.append(self.run.build())
            pages.append(self._pages() - before)
        least = Cost(min(build.execution for build in builds), min(pages))
        startup = min(build.startup for build in builds)
        print(
            f"build after 1,000 new results on {total:>9,}: {least.seconds:6.2f} s"
            f" and {least.pages:,.0f} pages (dbt start-up {startup:.2f} s, not counted)"
        )
        print(*builds[-1].slowest(), sep="\n")
        return least

    def _pages(self) -> float:
        time.sleep(1)  # the server counts what a session did some time after it ends
        rows = self.run.rows(
            "select blks_hit + blks_read from pg_stat_database where datname = current_database()"
        )
        return float(str(rows[0][0]))


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, default=1_000_000)
    large = parser.parse_args().results
    with warehouse() as run:
        growth = Growth(run)
        growth.grow(SMALL)
        print(f"first build of {SMALL:,} results: {run.build().execution:.2f} s")
        small = growth.cost_of_a_thousand(SMALL)
        growth.grow(large - growth.experiments * PER_EXPERIMENT)
        print(f"build of all the rest of {large:,} results: {run.build().execution:.2f} s")
        run.settle()
        run.rows("select pg_stat_reset()::text")
        big = growth.cost_of_a_thousand(large)
        print(f"pages touched: {big.pages / small.pages:.2f} times")
        is_met = report(
            f"build, times the cost at {SMALL:,}", big.seconds / small.seconds, MAXIMUM_RATIO
        )
        is_met &= report("large tables read in full", float(str(run.rows(_SCANNED)[0][0])), 0)
        with connect(run.url) as connection:
            for name, ask in questions(growth.experiments).items():
                is_met &= report(f"{name}, ms", milliseconds(connection, ask), MAXIMUM_QUERY_MS)
    return 0 if is_met else 1


def questions(experiments: int) -> dict[str, Callable[[Connection], object]]:
    """Return what the reading commands ask, by command."""
    middle = f"bench-{experiments // 2:05}"
    return {
        "summary": lambda connection: marts.summary(connection, middle),
        "compare": lambda connection: marts.comparison(connection, middle),
        "trend": lambda connection: marts.trend(connection, "agent-1", "accuracy"),
        "recent": marts.recent,
        "recent --agent": lambda connection: marts.recent(connection, agent="agent-2"),
        "recent --group": lambda connection: marts.recent(connection, group="baseline"),
        "experiments": lambda connection: marts.experiments(connection, 100),
    }


if __name__ == "__main__":
    sys.exit(main())
