"""Does a build cost what is new, or what is there? Prints ratios; fails when a floor is missed.

    python benchmarks/build.py [--results 1000000]

On a private embedded server: build after 1,000 new results on top of 10,000, then the same on
top of a million (1,000 results an experiment: 500 tasks in two arms, seven metrics; a version
lasts five experiments). dbt's start-up, the same at any size, is reported apart. Then times
what the reading commands ask of the marts.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from loader import marts, server
from loader.connection import connect, environment
from loader.migrate import migrate

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from loader.connection import Connection

REPOSITORY = Path(__file__).resolve().parent.parent
SMALL = 10_000
PER_EXPERIMENT = 1_000
BUILDS = 3
MAXIMUM_RATIO = 1.3
MAXIMUM_QUERY_MS = 50.0

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
_LEDGER = """
insert into raw_evals.loads (
    load_id, source, loader_version, started_at, finished_at,
    rows_read, rows_loaded, rows_unchanged, rows_rejected
)
values (%(load_id)s, 'file', 'bench', now(), now(), %(rows)s, %(rows)s, 0, 0)
"""
_FEED = """
insert into raw_evals.load_experiments (load_id, experiment_id)
select %(load_id)s, 'bench-' || to_char(experiment, 'fm00000')
from generate_series(%(first)s::integer, %(last)s::integer) as experiment
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


class Build(NamedTuple):
    """What a build took."""

    execution: float
    """Seconds from dbt's first statement to its last."""
    startup: float
    """Seconds that dbt took to start and end."""
    pages: float
    """Pages of 8 kB that the server touched: the work done, however busy the machine is."""


class Bench:
    """A private database that grows, and builds of it."""

    def __init__(self, directory: Path) -> None:
        """Start a server in this directory."""
        self.directory = directory
        self.url = server.start(directory / "postgres")
        self.experiments = 0
        self.loads = 0
        shutil.copyfile(REPOSITORY / "profiles.yml.example", directory / "profiles.yml")
        with connect(self.url) as connection:
            migrate(connection)

    def grow(self, results: int) -> None:
        """Load so many new results, in experiments of a thousand."""
        count = results // PER_EXPERIMENT
        self.loads += 1
        values = {
            "load_id": self.loads,
            "first": self.experiments,
            "last": self.experiments + count - 1,
            "rows": count * PER_EXPERIMENT,
        }
        self.experiments += count
        with connect(self.url) as connection, connection.transaction():
            for statement in (_EXPERIMENTS, _LEDGER, _FEED):
                connection.execute(statement.encode(), values)

    def build(self) -> Build:
        """Run `dbt build` in a new process."""
        pages = self._pages()
        began = time.monotonic()
        subprocess.run(
            [
                str(Path(sys.executable).with_name("dbt")),
                "--quiet",
                "build",
                *("--project-dir", str(REPOSITORY), "--profiles-dir", str(self.directory)),
                *("--exclude-resource-type", "unit_test"),
            ],
            env={
                **os.environ,
                **environment(self.url),
                "DBT_TARGET_PATH": str(self.directory / "target"),
                "DBT_LOG_PATH": str(self.directory / "logs"),
            },
            check=True,
        )
        elapsed = time.monotonic() - began
        found = json.loads((self.directory / "target" / "run_results.json").read_text())
        self.slowest = sorted(
            ((node["execution_time"], node["unique_id"]) for node in found["results"]), reverse=True
        )[:5]
        return Build(found["elapsed_time"], elapsed - found["elapsed_time"], self._pages() - pages)

    def _pages(self) -> float:
        time.sleep(1)  # the server counts what a session did some time after it ends
        with connect(self.url) as connection:
            row = connection.execute(
                "select blks_hit + blks_read from pg_stat_database"
                " where datname = current_database()"
            ).fetchone()
        return float(str((row or (0,))[0]))

    def build_after_a_thousand(self, total: int) -> Build:
        """Build after 1,000 new results a few times; return and print the least: noise adds."""
        builds = []
        for _ in range(BUILDS):
            self.grow(PER_EXPERIMENT)
            builds.append(self.build())
        least = Build(*(min(column) for column in zip(*builds, strict=True)))
        print(
            f"build after 1,000 new results on {total:>9,}: {least.execution:6.2f} s"
            f" and {least.pages:,.0f} pages (dbt start-up {least.startup:.2f} s, not counted)"
        )
        for seconds, name in self.slowest:
            print(f"    {seconds:5.2f} s  {name}")
        return least


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, default=1_000_000)
    large = parser.parse_args().results
    with bench() as run:
        run.grow(SMALL)
        print(f"first build of {SMALL:,} results: {run.build().execution:.2f} s")
        small = run.build_after_a_thousand(SMALL)
        run.grow(large - run.experiments * PER_EXPERIMENT)
        print(f"build of all the rest of {large:,} results: {run.build().execution:.2f} s")
        with connect(run.url, autocommit=True) as connection:
            connection.execute("vacuum analyze")  # autovacuum's work, so as not to wait for it
            connection.execute("select pg_stat_reset()")
        big = run.build_after_a_thousand(large)
        unit = f"times the cost at {SMALL:,}"
        is_met = report("build", big.execution / small.execution, MAXIMUM_RATIO, unit)
        print(f"    pages touched: {big.pages / small.pages:.2f} times")
        with connect(run.url) as connection:
            scanned = connection.execute(_SCANNED).fetchone()
            is_met &= report(
                "full scans", float(str((scanned or (0,))[0])), 0, "large tables read in full"
            )
            for name, ask in questions(run.experiments).items():
                is_met &= report(
                    name, milliseconds(connection, ask), MAXIMUM_QUERY_MS, "ms at that size"
                )
    return 0 if is_met else 1


@contextlib.contextmanager
def bench() -> Iterator[Bench]:
    """Yield a bench; stop its server and remove its files at the end."""
    with tempfile.TemporaryDirectory(prefix="evalmart-") as name:
        directory = Path(name)
        directory.chmod(0o755)  # the server may run as another user
        try:
            yield Bench(directory)
        finally:
            server.stop(directory / "postgres")


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


def milliseconds(connection: Connection, ask: Callable[[Connection], object]) -> float:
    """Return the median time of a question, its rows fetched, after one to warm up."""
    times = []
    for _ in range(8):
        began = time.perf_counter()
        ask(connection)
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times[1:])


def report(name: str, value: float, floor: float, unit: str) -> bool:
    """Print a measurement against its floor; return whether it is met."""
    is_met = value <= floor
    print(f"{name:<16} {value:8.2f} (at most {floor:g}) {unit}  {'ok' if is_met else 'MISSED'}")
    return is_met


if __name__ == "__main__":
    sys.exit(main())
