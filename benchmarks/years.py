"""What does a new night cost where years are kept, and what does asking for a trend cost.

    python benchmarks/years.py [--results 1000000]

On a private embedded server: ten agents of 50 versions each, every version evaluated night after
night on a suite of 1,000 tasks (two metrics), as many nights as make the results. Then builds
after one more night of one agent's newest version: counts the rows of other agents, versions and
experiments that were written again, and prints how many rows of each large table were read. At
last asks for a trend over 90 days, with the plans.
"""

from __future__ import annotations

import argparse
import sys
import time
from typing import TYPE_CHECKING, Final

from measures import report
from private_warehouse import MAXIMUM_QUERY_MS, Warehouse, milliseconds, warehouse

from loader.marts import questions
from loader.warehouse.connection import connect

if TYPE_CHECKING:
    from collections.abc import Callable

    from loader.warehouse.connection import Connection

AGENTS: Final = 10
VERSIONS: Final = 50
TASKS: Final = 1_000
LARGE: Final = 100_000
"""Rows from which on a table must not be read in full."""

# Version 40 of every third agent is five points worse; a task has its own difficulty.
_NIGHTS = """
insert into raw_evals.evaluation_runs (
    load_id, experiment_id, source, source_run_id, run_version, content_hash, task_id,
    experiment_group, extension_version, repetition, recorded_at, model_version, agent_name,
    scores, measurements, latency_ms, success, evaluator_versions, feedback, metadata
)
select
    %(load_id)s,
    'agent-' || agent || '/' || version || '/' || night,
    'file',
    'run-' || task,
    1,
    md5(agent || '/' || version || '/' || night || '/' || task)::uuid,
    'task-' || task,
    'code-chef',
    '1.' || version || '.0',
    1,
    date_trunc('day', now())
    - make_interval(days => %(days)s - version * %(nights)s - night, secs => task),
    'model-1',
    'agent-' || agent,
    jsonb_build_object(
        'accuracy',
        round(least(1, greatest(0,
            0.6 + 0.2 * (task * 37 %% 101) / 100.0 + 0.3 * (random() - 0.5)
            - 0.05 * (agent %% 3 = 0 and version >= 40)::integer
        ))::numeric, 4)
    ),
    '{}',
    500 + (task * 37 + version * 11 + agent) %% 3000,
    true,
    '{}',
    '{}',
    '{}'
from generate_series(1, %(agents)s::integer) as agent
cross join generate_series(%(first_version)s::integer, %(versions)s::integer - 1) as version
cross join generate_series(%(first_night)s::integer, %(nights)s::integer - 1) as night
cross join generate_series(1, %(tasks)s::integer) as task
"""
# Tables of results: name, object (another one where a build made it anew), whether by version.
_TABLES = """
select
    format('%I.%I', columns.table_schema, columns.table_name) as name,
    format('%I.%I', columns.table_schema, columns.table_name)::regclass::oid,
    count(*) filter (where columns.column_name in ('agent_name', 'extension_version')) = 2
from information_schema.columns
inner join information_schema.tables using (table_schema, table_name)
where
    columns.table_schema in ('evals', 'evals_intermediate')
    and tables.table_type = 'BASE TABLE'
group by columns.table_schema, columns.table_name
having count(*) filter (where columns.column_name in ('experiment_id', 'extension_version')) > 0
order by name
"""
_READS = """
select
    format('%I.%I', schemaname, stats.relname),
    reltuples::bigint,
    seq_tup_read,
    coalesce(idx_tup_fetch, 0)
from pg_stat_user_tables as stats
inner join pg_class as tables on stats.relid = tables.oid
where reltuples >= {least}
order by reltuples desc
"""
_TREND = """
select *
from evals.version_trends
where
    agent_name = 'agent-3'
    and metric = 'accuracy'
    and last_recorded_at >= now() - interval '90 days'
order by experiment_group, version_rank, extension_version, model_version
"""
_WINDOW = """
select
    extension_version,
    sum(sample_count) as sample_count,
    sum(value_sum) / sum(sample_count) as avg_value,
    min(value_min) as min_value,
    max(value_max) as max_value
from evals.metric_daily_rollups
where
    agent_name = 'agent-3'
    and metric = 'accuracy'
    and recorded_on >= current_date - 90
group by extension_version
"""


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--results", type=int, default=1_000_000)
    results = parser.parse_args().results
    nights = max(1, results // (AGENTS * VERSIONS * TASKS))
    with warehouse() as run:
        size = {"tasks": TASKS, "days": VERSIONS * nights, "nights": nights}
        run.load(
            _NIGHTS,
            {**size, "agents": AGENTS, "versions": VERSIONS, "first_version": 0, "first_night": 0},
        )
        first = run.build()
        total = AGENTS * VERSIONS * nights * TASKS
        print(f"first build of {total:,} results: {first.execution:.1f} s")
        print(*first.slowest(8), sep="\n")
        run.settle()
        run.rows("select pg_stat_reset()::text")
        before = {str(name): oid for name, oid, _ in run.rows(_TABLES)}
        since = run.rows("select pg_current_xact_id()::text")[0][0]
        run.load(
            _NIGHTS,
            {
                **size,
                "agents": 1,
                "nights": nights + 1,
                "first_night": nights,
                "versions": VERSIONS,
                "first_version": VERSIONS - 1,
            },
        )
        again = run.build()
        print(f"build after {TASKS:,} new results: {again.execution:.1f} s")
        print(*again.slowest(8), sep="\n")
        is_met = is_confined(run, before, str(since), str(nights))
        with connect(run.url) as connection:
            for name, ask in asked_questions().items():
                is_met &= report(f"{name}, ms", milliseconds(connection, ask), MAXIMUM_QUERY_MS)
            for query in (_TREND, _WINDOW):
                print()
                for (line,) in connection.execute(f"explain (analyze, buffers) {query}".encode()):
                    print(f"    {line}")
    return 0 if is_met else 1


def is_confined(run: Warehouse, before: dict[str, object], since: str, night: str) -> bool:
    """Report what the build wrote and read; return whether it kept to the new night's version."""
    time.sleep(1)  # the server counts what a session did some time after it ends
    reads = run.rows(_READS.format(least=LARGE))
    foreign = whole = written = 0
    for table, oid, is_of_version in run.rows(_TABLES):
        if before[str(table)] != oid:
            whole += number(run, f"select count(*) from {table}")
            continue
        own = (
            f"agent_name = 'agent-1' and extension_version = '1.{VERSIONS - 1}.0'"
            if is_of_version
            else f"experiment_id = 'agent-1/{VERSIONS - 1}/{night}'"
        )
        new = f"select count(*) from {table} where xmin::text::bigint >= {since}"
        count = number(run, f"{new} and not ({own})")
        written += number(run, f"{new} and ({own})")
        if count:
            print(f"    {count} rows of others written in {table}")
        foreign += count
    print(f"tables that every build makes anew hold {whole:,} rows")
    is_met = report("rows of the new night's version written", written, TASKS, is_floor=True)
    print("rows read by the build, of large tables:")
    in_full = 0
    for table, size, scanned, fetched in reads:
        print(f"    {table:<45} {size:>12,}: {scanned:>10,} in scans, {fetched:>10,} by index")
        in_full += int(str(scanned)) >= int(str(size))
    is_met &= report("large tables read in full", in_full, 0)
    return is_met & report("rows of other agents, versions, experiments written", foreign, 0)


def number(run: Warehouse, query: str) -> int:
    """Return the one number that a query answers."""
    return int(str(run.rows(query)[0][0]))


def asked_questions() -> dict[str, Callable[[Connection], object]]:
    """Return the questions about a trend, by name."""
    return {
        "trend": lambda asked: questions.trend(asked, "agent-3", "accuracy"),
        "trend over 90 days": lambda asked: questions.trend(asked, "agent-3", "accuracy", days=90),
        "90 days of daily rollups": lambda asked: asked.execute(_WINDOW).fetchall(),
    }


if __name__ == "__main__":
    sys.exit(main())
