"""Does a build cost what is new, or what is there? Prints ratios; fails when a floor is missed.

    python benchmarks/build.py [--results 1000000]

On two private embedded servers: build after 1,000 new results on top of 10,000 and on top of a
million, in turn (1,000 results an experiment: 500 tasks in two arms, seven metrics; a version
lasts five experiments). dbt's start-up, the same at any size, is reported apart. Then adds to the
small ones an experiment of many tasks and one of four times as many, to which a thousand results
more come later, and times what the reading commands ask of the marts.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, NamedTuple

from measures import report
from private_warehouse import (
    MAXIMUM_QUERY_MS,
    Build,
    Warehouse,
    milliseconds,
    warehouse,
)

from loader.marts import questions
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from loader.warehouse.connection import Connection

SMALL = 10_000
TASKS = 500
PER_EXPERIMENT = 2 * TASKS
BUILDS = 4
MAXIMUM_RATIO = 1.3
TIMES = 4
"""How many more tasks the larger of the two experiments of many tasks has."""
MAXIMUM_GROWTH = 4.4
MAXIMUM_AGAIN = 1.3

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
cross join generate_series(%(first_task)s::integer, %(last_task)s::integer) as task
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

    build: Build
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
        self._load(first, self.experiments - 1, 1, TASKS)

    def begin(self, results: int) -> None:
        """Load and build so many results at once."""
        self.grow(results)
        print(f"first build of {results:>9,} results: {self.run.build().execution:7.2f} s")
        self.run.settle()
        self.run.rows("select pg_stat_reset()::text")

    def add_a_thousand(self) -> Cost:
        """Load 1,000 new results and build."""
        self.grow(PER_EXPERIMENT)
        before = self._pages()
        build = self.run.build()
        return Cost(build, self._pages() - before)

    def add_tasks(self, experiment: int, first_task: int, last_task: int) -> float:
        """Load these tasks of one experiment and build; return the seconds."""
        self._load(experiment, experiment, first_task, last_task)
        seconds = self.run.build().execution
        print(f"tasks {first_task:>6,} to {last_task:>6,} of one experiment: {seconds:7.2f} s")
        self.run.settle()
        return seconds

    def _load(self, first: int, last: int, first_task: int, last_task: int) -> None:
        values = {"first": first, "last": last, "first_task": first_task, "last_task": last_task}
        self.run.load(_EXPERIMENTS, values)

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
    results = parser.parse_args().results
    with warehouse() as one, warehouse() as other:
        small, large = Growth(one), Growth(other)
        small.begin(SMALL)
        large.begin(results)
        # in turn, so that both meet the machine as it is
        costs = [(small.add_a_thousand(), large.add_a_thousand()) for _ in range(BUILDS)]
        on_small, on_large = zip(*costs, strict=True)
        seconds = least(SMALL, on_small), least(results, on_large)
        pages = [min(cost.pages for cost in arm) for arm in (on_small, on_large)]
        print(f"pages touched: {pages[1] / pages[0]:.2f} times")
        is_met = report(
            f"build, times the cost at {SMALL:,}", seconds[1] / seconds[0], MAXIMUM_RATIO
        )
        is_met &= report("large tables read in full", float(str(other.rows(_SCANNED)[0][0])), 0)
        is_met &= many_tasks(small, results // 200)
        with connect(other.url) as connection:
            for name, ask in asked_questions(large.experiments).items():
                is_met &= report(f"{name}, ms", milliseconds(connection, ask), MAXIMUM_QUERY_MS)
    return 0 if is_met else 1


def many_tasks(growth: Growth, tasks: int) -> bool:
    """Add an experiment of so many tasks and a larger one; return whether the floors hold."""
    base = growth.experiments + 1000
    few = growth.add_tasks(base, 1, tasks)
    many = growth.add_tasks(base + 100, 1, TIMES * tasks)
    again = growth.add_tasks(base + 100, TIMES * tasks + 1, TIMES * tasks + TASKS)
    is_met = report(f"an experiment of {TIMES} times as many tasks", many / few, MAXIMUM_GROWTH)
    return is_met & report("1,000 results more of it, times its first", again / many, MAXIMUM_AGAIN)


def least(results: int, costs: Sequence[Cost]) -> float:
    """Print every build's seconds from first statement to last; return the least: noise adds."""
    builds = [cost.build for cost in costs]
    print(
        f"builds after 1,000 new results on {results:>9,}:",
        ", ".join(f"{build.execution:.2f}" for build in builds),
        f"s (dbt start-up {min(build.startup for build in builds):.2f} s, not counted)",
    )
    print(*builds[-1].slowest(), sep="\n")
    return min(build.execution for build in builds)


def asked_questions(experiments: int) -> dict[str, Callable[[Connection], object]]:
    """Return what the reading commands ask, by command."""
    middle = f"bench-{experiments // 2:05}"
    return {
        "summary": lambda connection: questions.summary(connection, middle),
        "compare": lambda connection: questions.comparison(connection, middle),
        "trend": lambda connection: questions.trend(connection, "agent-1", "accuracy"),
        "recent": questions.recent,
        "recent --agent": lambda connection: questions.recent(connection, agent="agent-2"),
        "recent --group": lambda connection: questions.recent(connection, group="baseline"),
        "experiments": lambda connection: questions.experiments(connection, 100),
    }


if __name__ == "__main__":
    sys.exit(main())
