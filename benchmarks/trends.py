"""How early is a drift found, how often is a false alarm raised, and what does asking cost.

    python benchmarks/trends.py [--agents 5] [--tasks 300]

On a private embedded server: agents of 50 versions in which nothing changes, as many of 20
versions that lose five points at the sixteenth, and as many that lose a point a version from the
eleventh on; four metrics each. Counts the series with an alert, and beside it those that the rule
"5 points below the previous version" flags. Then builds after 1,000 new results of one version,
counts the rows of other agents and versions that were written again, and asks for a trend over
90 days, with its plan.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Final

from build import MAXIMUM_QUERY_MS, Bench, bench, milliseconds, report

from loader.connection import connect

if TYPE_CHECKING:
    from loader.connection import Connection

QUIET_VERSIONS: Final = 50
DRIFT_VERSIONS: Final = 24
DRIFT_FROM: Final = 10
DROP_VERSIONS: Final = 20
DROP_AT: Final = 15
MAXIMUM_FALSE_ALARMS: Final = 0.02
MAXIMUM_NOT_FOUND: Final = 0.15
"""A fall at its own version; a drift within six versions."""
# What is kept by version, and must not be written again for the others.
VERSION_TABLES: Final = (
    "int_version_statistics",
    "int_version_moments",
    "int_version_comparisons",
)

# Scores with a difficulty per task and noise per run (sd 0.15), normal by Box and Muller.
_PLANT = """
insert into raw_evals.evaluation_runs (
    load_id, experiment_id, source, source_run_id, run_version, content_hash, task_id,
    experiment_group, extension_version, recorded_at, model_version, agent_name, scores,
    measurements, success, evaluator_versions, feedback, metadata
)
select
    %(load_id)s,
    %(name)s || '-' || agent || '/' || version,
    'file',
    'run-' || task,
    1,
    md5(%(name)s || agent || '/' || version || '/' || task)::uuid,
    'task-' || task,
    'code-chef',
    '1.' || version || '.0',
    now() - make_interval(days => 60 - version),
    'model-1',
    %(name)s || '-' || agent,
    jsonb_object_agg(
        metric,
        round(least(1, greatest(0,
            0.55 + 0.2 * (task * 37 %% 101) / 100.0
            - 0.01 * greatest(0, version - %(drift_from)s + 1)
            - 0.05 * (version >= %(drop_at)s)::integer
            + 0.15 * sqrt(-2 * ln(1 - random())) * cos(2 * pi() * random())
        ))::numeric, 4)
    ),
    '{}',
    true,
    '{}',
    '{}',
    '{}'
from generate_series(%(first_agent)s::integer, %(agents)s::integer) as agent
cross join generate_series(%(first_version)s::integer, %(versions)s::integer - 1) as version
cross join generate_series(1, %(tasks)s::integer) as task
cross join unnest(
    array['accuracy', 'completeness', 'efficiency', 'integration_quality']
) as metric
group by agent, version, task
"""
_ANNOUNCE = """
with rows as (
    select count(*) as row_count
    from raw_evals.evaluation_runs
    where load_id = %(load_id)s
),

announced as (
    insert into raw_evals.load_experiments (load_id, experiment_id)
    select distinct load_id, experiment_id
    from raw_evals.evaluation_runs
    where load_id = %(load_id)s
)

insert into raw_evals.loads (
    load_id, source, loader_version, started_at, finished_at,
    rows_read, rows_loaded, rows_unchanged, rows_rejected
)
select %(load_id)s, 'file', 'bench', now(), now(), row_count, row_count, 0, 0
from rows
"""
# Share of series: with an alert, and with a version 5 points below the one before.
_SERIES = """
with series as (
    select
        agent_name,
        metric,
        bool_or(
            avg_value - previous_avg_value < -0.05 and version_rank between %(low)s and %(high)s
        ) as is_below
    from evals.version_trends
    where agent_name like %(name)s || '-%%'
    group by agent_name, metric
),

alerts as (
    select distinct alerts.agent_name, alerts.metric
    from evals.metric_alerts as alerts
    inner join evals.version_trends as trends
        on
            alerts.agent_name = trends.agent_name
            and alerts.metric = trends.metric
            and alerts.found_version = trends.extension_version
    where trends.version_rank between %(low)s and %(high)s
)

select
    avg((alerts.metric is not null)::integer)::float8,
    avg(is_below::integer)::float8,
    count(*)
from series
left join alerts using (agent_name, metric)
"""
_WINDOW = """
select
    extension_version,
    sum(sample_count),
    sum(value_sum) / sum(sample_count),
    min(value_min),
    max(value_max)
from evals.metric_daily_rollups
where
    agent_name = 'quiet-1'
    and metric = 'accuracy'
    and recorded_on >= current_date - 90
group by extension_version
"""


def plant(run: Bench, name: str, **options: int) -> None:
    """Load one kind of history."""
    run.loads += 1
    values = {
        "first_agent": 1,
        "first_version": 0,
        "drift_from": 10_000,
        "drop_at": 10_000,
        **options,
        "name": name,
        "load_id": run.loads,
    }
    with connect(run.url) as connection, connection.transaction():
        connection.execute("select setseed(0.42)")
        connection.execute(_PLANT.encode(), values)
        connection.execute(_ANNOUNCE.encode(), values)


def shares(connection: Connection, name: str, low: int, high: int) -> tuple[float, float, int]:
    """Return the share of series with an alert, that of the old rule, and how many there are."""
    row = connection.execute(
        _SERIES.encode(), {"name": name, "low": low, "high": high}
    ).fetchone() or (0, 0, 0)
    return float(str(row[0])), float(str(row[1])), int(str(row[2]))


def foreign_rows(connection: Connection, since: int) -> int:
    """Return how many rows of other agents or versions than the new one a build wrote."""
    total = 0
    for table in VERSION_TABLES:
        row = connection.execute(
            f"select count(*) from evals_intermediate.{table}"
            " where xmin::text::bigint >= %s"
            " and (agent_name, extension_version) != ('quiet-1', %s)".encode(),
            (since, f"1.{QUIET_VERSIONS}.0"),
        ).fetchone() or (0,)
        total += int(str(row[0]))
    return total


def alarms(connection: Connection, name: str, low: int, high: int, floor: float) -> bool:
    """Report the share of series not found, or with a false alarm, beside the naive rule's."""
    found, below, count = shares(connection, name, low, high)
    if name == "quiet":
        print(f"{count} series of {QUIET_VERSIONS} versions in which nothing changes:")
        print(f"    5 points below the previous version: {below:.1%} raise an alarm")
        return report("false alarms", found, floor, "of series")
    print(f"{count} series, {name}, versions {low} to {high}:")
    print(f"    5 points below the previous version: {below:.1%} are found")
    return report("not found", 1 - found, floor, "of series")


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--tasks", type=int, default=300)
    options = parser.parse_args()
    size = {"agents": options.agents, "tasks": options.tasks}
    with bench() as run:
        plant(run, "quiet", versions=QUIET_VERSIONS, **size)
        plant(run, "dropped", versions=DROP_VERSIONS, drop_at=DROP_AT, **size)
        plant(run, "drifting", versions=DRIFT_VERSIONS, drift_from=DRIFT_FROM, **size)
        first = run.build()
        print(f"first build: {first.execution:.1f} s")
        with connect(run.url) as connection:
            is_met = alarms(connection, "quiet", 1, QUIET_VERSIONS, MAXIMUM_FALSE_ALARMS)
            at = DROP_AT + 1
            is_met &= alarms(connection, "dropped", at, at, MAXIMUM_NOT_FOUND)
            at = DRIFT_FROM + 1
            is_met &= alarms(connection, "drifting", at, at + 5, MAXIMUM_NOT_FOUND)
        plant(
            run,
            "quiet",
            agents=1,
            first_version=QUIET_VERSIONS,
            versions=QUIET_VERSIONS + 1,
            tasks=1_000,
        )
        with connect(run.url) as connection:
            row = connection.execute("select pg_current_xact_id()::text::bigint").fetchone()
        again = run.build()
        print(
            f"build after 1,000 new results of one version: {again.execution:.1f} s, "
            f"{again.execution / first.execution:.2f} of the first"
        )
        for seconds, node in run.slowest:
            print(f"    {seconds:5.2f} s  {node}")
        with connect(run.url) as connection:
            is_met &= report(
                "rows of others", foreign_rows(connection, int(str((row or (0,))[0]))), 0, "written"
            )
            is_met &= report(
                "90-day trend",
                milliseconds(connection, lambda asked: asked.execute(_WINDOW).fetchall()),
                MAXIMUM_QUERY_MS,
                "ms",
            )
            for (line,) in connection.execute(f"explain (analyze, costs off) {_WINDOW}".encode()):
                print(f"    {line}")
    return 0 if is_met else 1


if __name__ == "__main__":
    sys.exit(main())
