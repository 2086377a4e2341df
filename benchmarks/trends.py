"""How early is a fall found, how often is a false alarm raised, and against what else.

    python benchmarks/trends.py [--agents 5] [--quiet-agents 20] [--tasks 300]

On a private embedded server: agents of 50 versions in which nothing changes, as many of 20
versions that lose five points at the sixteenth, and as many that lose a point a version from the
eleventh on; four metrics each. Counts the series with an alert; beside it those that the rule
"5 points below the previous version" flags, and those in which Apache Otava, asked after every
version, reports a fall (if it installs, in an environment of its own).
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from typing import TYPE_CHECKING, Final, NamedTuple

from measures import report
from private_warehouse import REPOSITORY, Warehouse, warehouse

if TYPE_CHECKING:
    from collections.abc import Iterator

QUIET_VERSIONS: Final = 50
DRIFT_VERSIONS: Final = 24
DRIFT_FROM: Final = 10
DROP_VERSIONS: Final = 20
DROP_AT: Final = 15
MAXIMUM_FALSE_ALARMS: Final = 0.02
MINIMUM_FOUND: Final = 0.85
OTAVA: Final = "apache-otava==0.8.0"

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
from generate_series(1, %(agents)s::integer) as agent
cross join generate_series(0, %(versions)s::integer - 1) as version
cross join generate_series(1, %(tasks)s::integer) as task
cross join unnest(
    array['accuracy', 'completeness', 'efficiency', 'integration_quality']
) as metric
group by agent, version, task
"""
# Every series: its averages in order, and the versions, counted from one, at which an alert began.
_SERIES = """
with alerts as (
    select
        alerts.agent_name,
        alerts.metric,
        array_agg(trends.version_rank order by trends.version_rank) as found
    from evals.metric_alerts as alerts
    inner join evals.version_trends as trends
        on
            alerts.agent_name = trends.agent_name
            and alerts.metric = trends.metric
            and alerts.found_version = trends.extension_version
    group by alerts.agent_name, alerts.metric
)

select
    split_part(trends.agent_name, '-', 1),
    array_agg(trends.avg_value order by trends.version_rank),
    coalesce(max(alerts.found), '{}')
from evals.version_trends as trends
left join alerts using (agent_name, metric)
where trends.kind = 'score'
group by trends.agent_name, trends.metric
"""


class Series(NamedTuple):
    """An agent's metric over its versions."""

    kind: str
    averages: list[float]
    alerts: list[int]
    """Versions, counted from one, at which an alert was found."""

    def steps_down(self) -> list[int]:
        """Return the versions five points below the one before."""
        pairs = zip(self.averages, self.averages[1:], strict=False)
        return [version for version, (old, new) in enumerate(pairs, 2) if new - old < -0.05]


def main() -> int:
    """Return 1 when a floor is missed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--agents", type=int, default=5)
    parser.add_argument("--quiet-agents", type=int, default=20)
    parser.add_argument("--tasks", type=int, default=300)
    options = parser.parse_args()
    planted = {"agents": options.agents, "tasks": options.tasks}
    quiet = {"agents": options.quiet_agents, "tasks": options.tasks}
    with warehouse() as run:
        plant(run, "quiet", **quiet, versions=QUIET_VERSIONS)
        plant(run, "dropped", **planted, versions=DROP_VERSIONS, drop_at=DROP_AT)
        plant(run, "drifting", **planted, versions=DRIFT_VERSIONS, drift_from=DRIFT_FROM)
        print(f"first build: {run.build().execution:.1f} s")
        series = [Series(*row) for row in run.rows(_SERIES)]  # type: ignore[arg-type]
        reported = otava(run, [one.averages for one in series])
    return 0 if all(judge(series, reported)) else 1


def plant(run: Warehouse, name: str, **options: int) -> None:
    """Load one kind of history."""
    unchanged = {"drift_from": 10_000, "drop_at": 10_000}
    run.load(_PLANT, {**unchanged, **options, "name": name})


def otava(run: Warehouse, averages: list[list[float]]) -> list[list[int]] | None:
    """Return the versions at which Otava reports a fall, None where it does not install."""
    environment = run.directory / "otava"
    python = environment / "bin" / "python"
    trouble = (
        subprocess.run([sys.executable, "-m", "venv", str(environment)], check=False).returncode
        or subprocess.run(
            [str(python), "-m", "pip", "install", "--quiet", OTAVA],
            check=False,
            capture_output=True,
        ).returncode
    )
    if trouble:
        print(f"{OTAVA} does not install here: not compared")
        return None
    answer = subprocess.run(
        [str(python), str(REPOSITORY / "benchmarks" / "otava_falls.py")],
        input="\n".join(json.dumps(values) for values in averages),
        check=True,
        capture_output=True,
        text=True,
    )
    return [json.loads(line) for line in answer.stdout.splitlines()]


def judge(series: list[Series], reported: list[list[int]] | None) -> Iterator[bool]:
    """Report the shares of series that are found, or raise a false alarm, for every method."""
    drop, drift = DROP_AT + 1, DRIFT_FROM + 1
    for label, kind, low, high, least in (
        (f"nothing planted in {QUIET_VERSIONS} versions: any alarm", "quiet", 1, 10_000, None),
        ("5 points: found at that version", "dropped", drop, drop, MINIMUM_FOUND),
        ("5 points: found within four versions", "dropped", drop, drop + 3, MINIMUM_FOUND),
        ("5 points: any alarm before", "dropped", 1, drop - 1, None),
        ("1 point a version: found within six", "drifting", drift, drift + 5, MINIMUM_FOUND),
        ("1 point a version: any alarm before", "drifting", 1, drift - 1, None),
    ):
        places = [place for place, one in enumerate(series) if one.kind == kind]
        share = sum(holds(series[place].alerts, low, high) for place in places) / len(places)
        yield report(
            f"{label}, share of {len(places)}",
            share,
            MAXIMUM_FALSE_ALARMS if least is None else least,
            is_floor=least is not None,
        )
        naive = sum(holds(series[place].steps_down(), low, high) for place in places)
        print(f"    {naive / len(places):.3f} by 5 points below the previous version")
        if reported:
            theirs = sum(holds(reported[place], low, high) for place in places)
            print(f"    {theirs / len(places):.3f} by Apache Otava")


def holds(versions: list[int], low: int, high: int) -> bool:
    """Return whether any of the versions lies within the bounds."""
    return any(low <= version <= high for version in versions)


if __name__ == "__main__":
    sys.exit(main())
