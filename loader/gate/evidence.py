"""What a policy asks of the marts beyond the rule: levels, critical tasks, parts, planned runs.

Read only where the policy asks for it. Intervals come from the marts' own functions.
"""

from __future__ import annotations

from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from ..marts import conditions
from ..marts.evidence import examples, failed_arms, set_aside
from ..marts.judges import seen_judges
from ..marts.rows import Arm, Candidate, Evidence, Level, Part, SeenJudge, Task
from ..tools.metric_names import resolve
from ..warehouse.seeds import read_seed, read_vocabulary, seed_path
from ..warehouse.variables import project_variables
from .policy import MARKED, OnSegment, Policy

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ..marts.conditions import Side
    from ..warehouse.connection import Connection


class Declarations(NamedTuple):
    """What the project says, read once for all candidates."""

    variables: Mapping[str, Any]
    """The vars of `dbt_project.yml`."""
    metrics: Mapping[str, Declared]


class Declared(NamedTuple):
    """What the seed `metrics` says of a metric."""

    direction: str
    tie_margin: float


def gather(
    connection: Connection, policy: Policy, candidate: Candidate, declared: Declarations
) -> Evidence:
    """Return what a policy asks for beyond the rule; to be called while reading the marts."""
    summary = candidate.summary
    variables = declared.variables
    alpha = float(variables.get("alpha", 0.05))
    primary = candidate.metric(summary.primary_metric)
    seed = declared.metrics.get(summary.primary_metric or "")
    key = {
        "experiment": summary.experiment_id,
        "group_name": summary.candidate_group,
        "version": summary.candidate_version,
        "agent": candidate.agent,
        "alpha": alpha,
        "planned": policy.planned_repetitions,
        "planned_tasks": float(variables.get("planned_tasks", 500)),
        "peeking": policy.peeking,
    }
    sources = {summary.experiment_id, summary.baseline_experiment_id or summary.experiment_id}
    tasks, unmatched = _tasks(connection, policy, candidate, key)
    metrics = conditions.metrics_of_arm(connection, key) if policy.floors else set()
    return Evidence(
        parts=_parts(connection, policy, candidate, key),
        levels=_levels(connection, policy, candidate, key, declared.metrics, metrics),
        metrics=sorted(metrics),
        tasks=tasks,
        unmatched_tasks=unmatched,
        arms=_arms(connection, policy, key),
        judges=_judges(connection, policy, candidate, key, sorted(sources)),
        set_aside=set_aside(connection, sources),
        failed_arms=failed_arms(
            connection, sources, summary.candidate_group, summary.candidate_version
        )
        if candidate.has_baseline
        else [],
        examples=_examples(connection, candidate),
        tie_margin=seed.tie_margin if seed else 0.0,
        direction=primary.direction if primary else "higher",
        alpha=alpha,
        minimum_coverage=float(variables.get("minimum_coverage", 0.95)),
    )


def declarations() -> Declarations:
    """Return the project's vars, and what its seed says of metrics: nothing where it is not there.

    Raises:
        ConfigurationError: there is no project, or the team's folder has a fault.
    """
    rows = read_seed("metrics") if seed_path("metrics").is_file() else []
    return Declarations(
        project_variables(),
        {row["metric"]: Declared(row["direction"], float(row["tie_margin"] or 0)) for row in rows},
    )


def _levels(  # noqa: PLR0913, PLR0917  what a level is of
    connection: Connection,
    policy: Policy,
    candidate: Candidate,
    key: Mapping[str, object],
    declared: Mapping[str, Declared],
    metrics: set[str],
) -> list[Level]:
    if not policy.floors:
        return []
    known = metrics | set(conditions.PSEUDO)
    directions = {
        name: _direction(candidate, name, declared)
        for name in {resolve(named, known) for named in policy.floors}
    }
    found = []
    for metric, n_tasks, mean, low, high, kind in conditions.levels(connection, key, directions):
        direction = directions[metric]
        if direction == "assumed":
            direction = "unknown" if kind == "measurement" else "higher"
        level = {
            "metric": metric, "direction": direction, "n_tasks": n_tasks or 0,
            "mean": mean, "low": low, "high": high,
        }  # fmt: skip
        found.append(msgspec.convert(level, Level))
    return found


def _direction(candidate: Candidate, name: str, declared: Mapping[str, Declared]) -> str:
    """Return which way is better: as the marts say, else the seed; `assumed` if nobody says."""
    metric = candidate.metric(name)
    if metric is not None:
        return metric.direction
    if name in declared:
        return declared[name].direction
    return "higher" if name in conditions.PSEUDO else "assumed"


def _tasks(
    connection: Connection, policy: Policy, candidate: Candidate, key: Mapping[str, object]
) -> tuple[list[Task], list[str]]:
    """Return the critical tasks, and the names that no task has."""
    if not policy.critical_tasks or not candidate.has_baseline:
        return [], []
    names = [name for name in policy.critical_tasks if name != MARKED]
    summary = candidate.summary
    rows = conditions.critical_tasks(
        connection,
        key,
        metric=summary.primary_metric,
        experiments=sorted(
            {summary.experiment_id, summary.baseline_experiment_id or summary.experiment_id}
        ),
        patterns=[_like(name) for name in names],
        marked=MARKED in policy.critical_tasks,
    )
    tasks = [_task(*row) for row in rows]
    ids = [task.task_id for task in tasks]
    unmatched = [
        name for name in names if not any(fnmatchcase(task_id, _glob(name)) for task_id in ids)
    ]
    return tasks, unmatched


def _task(task_id: str, baseline: Side, candidate: Side, is_quarantined: bool) -> Task:
    # a side without a value is binary as far as it goes: its runs may all have crashed
    sides = (baseline.is_binary, candidate.is_binary)
    is_binary = True in sides and False not in sides
    baseline_runs, baseline_passes = _counts(baseline, is_binary=is_binary)
    candidate_runs, candidate_passes = _counts(candidate, is_binary=is_binary)
    return Task(
        task_id=task_id,
        baseline_runs=baseline_runs,
        baseline_passes=baseline_passes,
        candidate_runs=candidate_runs,
        candidate_passes=candidate_passes,
        is_binary=is_binary,
        baseline_value=baseline.value,
        candidate_value=candidate.value,
        has_candidate=candidate.runs is not None,
        has_baseline=baseline.runs is not None,
        is_quarantined=is_quarantined,
    )


def _counts(side: Side, *, is_binary: bool) -> tuple[int, int]:
    """Return how many runs could pass, and how many did."""
    if is_binary:
        crashed = max(0, (side.failed or 0) - (side.failed_scored or 0))
        return (side.scored or 0) + crashed, side.passes or 0
    return side.said or 0, side.successes or 0


def _like(name: str) -> str:
    r"""Return a pattern of `*` and `?` as SQL has it; what else is special stands for itself."""
    escaped = name.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
    return escaped.replace("*", "%").replace("?", "_")


def _glob(name: str) -> str:
    """Return a pattern in which only `*` and `?` are special."""
    return name.replace("[", "[[]")


def _parts(
    connection: Connection, policy: Policy, candidate: Candidate, key: Mapping[str, object]
) -> list[Part]:
    # an agent is a part itself; categories and splits go across agents
    kinds = [
        kind
        for kind in ("agent", "category", "split")
        if getattr(policy.segments, kind) is not OnSegment.IGNORE
    ]
    if not kinds or candidate.agent is not None or not candidate.has_baseline:
        return []
    return conditions.worse_parts(connection, key, kinds)


def _arms(connection: Connection, policy: Policy, key: Mapping[str, object]) -> list[Arm]:
    return conditions.planned_runs(connection, key) if policy.planned_repetitions else []


def _judges(
    connection: Connection,
    policy: Policy,
    candidate: Candidate,
    key: Mapping[str, object],
    experiments: Sequence[str],
) -> list[SeenJudge]:
    """Return the judges of the metrics that the policy admits judges for."""
    known = [metric.metric for metric in candidate.metrics]
    asked = {resolve(name, known) for name in policy.judges}
    if not asked or not candidate.has_baseline:
        return []
    keys = {
        name: scale.metric
        for name, scale in read_vocabulary().scales.items()
        if scale.metric in asked
    }
    return seen_judges(
        connection, key, experiments, {**keys, **{name: name for name in asked - keys.keys()}}
    )


def _examples(connection: Connection, candidate: Candidate) -> dict[str, list[str]]:
    """Return three tasks of each arm where the arms share none."""
    summary = candidate.summary
    if summary.total_tasks or not summary.baseline_only_tasks or not candidate.has_baseline:
        return {}
    return examples(connection, msgspec.to_builtins(summary))
