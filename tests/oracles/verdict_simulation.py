"""Random experiments as raw records, and the pairs of every metric that they amount to."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import TYPE_CHECKING, Any

from independent_marts import METRICS, exact
from paired_readings import Metric, Pair, Settings
from verdict_members import Case

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np

Record = dict[str, Any]
BASELINE, CANDIDATE = "baseline", "code-chef"
CONTROL = "0.9"
"""Version of the baseline."""
# what a team may declare beside the shipped metrics: kind, direction, weight, tie margin, margin
DECLARED: dict[str, tuple[str, str, float, float, float | None]] = {
    "toxicity": ("score", "lower", 0.1, 0.02, 0.05),
    "tone": ("score", "higher", 0, 0.05, None),
    "turns": ("measurement", "lower", 0.05, 0, 0.5),
    "depth": ("measurement", "higher", 0, 0, None),
}
DECLARED |= {
    name: (
        row["kind"], row["direction"], float(row["weight"]), float(row["tie_margin"]),
        float(row["non_inferiority_margin"]),
    )
    for name, row in METRICS.items()
}  # fmt: skip
ORDER = [*METRICS, *(name for name in DECLARED if name not in METRICS)]
FIELDS = {"latency_ms": "latency", "tokens_used": "tokens", "cost_usd": "cost"}


@dataclass
class Experiment:
    """Raw records of a baseline and its candidates, and what was planned."""

    name: str
    records: list[Record] = field(default_factory=list)
    plans: dict[str, tuple[int | None, int | None]] = field(default_factory=dict)
    """Version → planned repetitions and tasks."""

    def versions(self) -> list[str]:
        """Give the candidates."""
        return sorted(
            {
                record["extension_version"]
                for record in self.records
                if record["experiment_group"] == CANDIDATE
            }
        )

    def planned_tasks(self, version: str) -> int | None:
        """Give the tasks that either arm was to run, where a plan says so."""
        planned = [self.plans.get(arm, (None, None))[1] for arm in (CONTROL, version)]
        return max((tasks for tasks in planned if tasks is not None), default=None)


def experiments(rng: np.random.Generator, count: int) -> list[Experiment]:
    """Draw experiments of every shape that a verdict has to cope with."""
    return [_draw(rng, f"e{place:04d}") for place in range(count)]


@dataclass
class _Shape:
    """What is drawn once for an experiment."""

    rng: np.random.Generator
    n: int
    runs: int
    metrics: set[str]
    missing: float
    crashes: float
    is_binary: bool
    zeros: float
    lone: set[str]
    """What one arm alone records."""
    says_success: bool
    discord: float


def _draw(rng: np.random.Generator, name: str) -> Experiment:
    n = int(rng.choice([1, 3, 8, 12, 20, 40, 60, 80, 120, 150]))
    optional = [
        ("completeness", 0.4), ("toxicity", 0.25), ("tone", 0.25), ("style", 0.35),
        ("hallucination_rate", 0.2), ("turns", 0.2), ("depth", 0.15), ("steps", 0.15),
        ("latency_ms", 0.5), ("cost_usd", 0.4), ("tokens_used", 0.2), ("accuracy", 0.75),
    ]  # fmt: skip
    metrics = {metric for metric, share in optional if rng.random() < share}
    shape = _Shape(
        rng,
        n,
        int(rng.choice([1, 1, 1, 2, 3])),
        metrics,
        float(rng.choice([0, 0, 0, 0, 0, 0.01, 0.02, 0.1])),
        float(rng.choice([0, 0, 0, 0.03, 0.2])),
        bool(rng.random() < 0.6),
        float(rng.choice([0, 0, 0, 0, 0.02, 0.2, 1])),
        {metric for metric in sorted(metrics & {"latency_ms", "turns"}) if rng.random() < 0.1},
        bool(rng.random() < 0.7),
        float(rng.choice([0.0, 0.05, 0.1, 0.3])),
    )
    experiment = Experiment(name)
    tasks = _tasks(shape, is_clustered=bool(rng.random() < 0.3))
    experiment.records += _arm(shape, name, CONTROL, tasks, {})
    for place in range(int(rng.choice([1, 1, 1, 2, 3]))):
        gain = float(rng.choice([-0.3, -0.15, -0.05, 0, 0, 0.05, 0.15, 0.3]))
        saving = float(rng.choice([-0.5, -0.1, 0, 0, 0.1, 0.3, 0.6]))
        change = {
            metric: saving if metric in {*FIELDS, "turns"} else gain for metric in shape.metrics
        }
        if rng.random() < 0.4:
            odd = sorted(shape.metrics)[int(rng.integers(len(shape.metrics)))] if metrics else ""
            change[odd] = float(rng.choice([-0.3, 0.0, 0.3]))
        if rng.random() < 0.15:
            change = dict.fromkeys(change, 0.0) | {"identical": 1.0}
        change["success"] = float(rng.choice([0, 0, 0, 0, 0, -0.3]))
        experiment.records += _arm(shape, name, f"1.{place}", tasks, change)
    if rng.random() < 0.15:
        for version in [CONTROL, *experiment.versions()]:
            planned = shape.runs + int(rng.random() < 0.2)
            experiment.plans[version] = planned, int(n + rng.integers(0, 2))
    return experiment


def _tasks(shape: _Shape, *, is_clustered: bool) -> list[Record]:
    rng, groups = shape.rng, max(1, shape.n // int(shape.rng.integers(1, 8)))
    conflict, other_data = (0.05 * float(rng.random() < 0.1) for _ in range(2))
    return [
        {
            "task_id": f"t{place:04d}",
            "base": {metric: float(rng.normal(0, 1)) for metric in [*ORDER, "style", "steps"]},
            "cluster": f"c{rng.integers(groups)}" if is_clustered and rng.random() < 0.9 else None,
            "agent": str(rng.choice(["a", "a", "b"])),
            "dataset": "d1" if rng.random() >= other_data else "odd",
            "evaluator": "1" if rng.random() >= conflict else "odd",
        }
        for place in range(shape.n)
    ]


def _arm(
    shape: _Shape, name: str, version: str, tasks: list[Record], change: Mapping[str, float]
) -> list[Record]:
    rng, is_baseline = shape.rng, version == CONTROL
    records = []
    knows_evaluator = is_baseline or bool(rng.random() < 0.9)
    for task in tasks:
        if rng.random() < shape.missing / 2:
            continue
        for run in range(shape.runs - (1 if shape.runs > 1 and rng.random() < 0.03 else 0)):
            record: Record = {
                "experiment_id": name,
                "task_id": task["task_id"],
                "experiment_group": BASELINE if is_baseline else CANDIDATE,
                "extension_version": version,
                "repetition": run + 1,
                "agent_name": task["agent"],
                "metadata": {"cluster_id": task["cluster"]} if task["cluster"] else {},
                "success": None,
                "scores": {},
                "measurements": {},
                "dataset_version": _version(task["dataset"], version),
                "evaluator_versions": (
                    {"completeness": _version(task["evaluator"], version)}
                    if knows_evaluator
                    else {}
                ),
            }
            _fill(shape, record, task, change)
            records.append(record)
    return records


def _version(known: str, version: str) -> str:
    return version if known == "odd" else known


def _fill(shape: _Shape, record: Record, task: Record, change: Mapping[str, float]) -> None:
    rng = shape.rng
    crashed = rng.random() < shape.crashes - change.get("success", 0)
    if shape.says_success:
        record["success"] = not crashed
    is_baseline = record["experiment_group"] == BASELINE
    for metric in sorted(shape.metrics):
        if metric in shape.lone and is_baseline:
            continue
        base, shift = task["base"].get(metric, 0.0), change.get(metric, 0.0)
        if metric in FIELDS:
            rate = 5 + 0.5 * base + (0 if "identical" in change else 0.2 * rng.normal()) - shift
            if rng.random() < (shape.zeros if metric != "latency_ms" else 0):
                record[metric] = 0
            elif rng.random() >= shape.missing:
                value = float(2.718281828 ** min(rate, 9))
                record[metric] = round(value) if metric == "tokens_used" else round(value, 3)
        elif metric in {"turns", "depth", "steps"}:
            if rng.random() >= shape.missing:
                noise = 0 if "identical" in change else float(rng.normal(0, 0.5))
                record["measurements"][metric] = round(6 + base - 2 * shift + noise, 2)
        else:
            is_gone = crashed if rng.random() < 0.8 else rng.random() < shape.missing
            record["scores"][metric] = None if is_gone else _score(shape, metric, base, shift)


def _score(shape: _Shape, metric: str, base: float, shift: float) -> float:
    rng, sign = shape.rng, -1 if metric in {"toxicity", "hallucination_rate"} else 1
    if shape.is_binary or metric == "toxicity":
        solved = base < 0.4
        if rng.random() < shape.discord:
            solved = bool(rng.random() < 0.65)
        if rng.random() < abs(shift):
            solved = sign * shift > 0
        return int(solved)
    spread = 0.0 if shape.discord == 0 else 0.08
    value = 0.6 + 0.15 * base + sign * shift / 2 + float(rng.normal(0, 1)) * spread
    return round(min(1.0, max(0.0, value)), int(rng.choice([2, 2, 6])))


def cases(
    experiment: Experiment, version: str, settings: Settings, agent: str | None = None
) -> dict[str, Case]:
    """Give the pairs of each metric of one candidate, or of one agent's tasks."""
    arms: dict[str, dict[str, list[Record]]] = {CONTROL: defaultdict(list), version: {}}
    arms[version] = defaultdict(list)
    for record in experiment.records:
        if record["extension_version"] in arms:
            arms[record["extension_version"]][record["task_id"]].append(record)
    tasks = sorted({*arms[CONTROL], *arms[version]})
    found: dict[str, list[Pair]] = defaultdict(list)
    kinds: dict[str, str] = {}
    one_sided = set()
    for task in tasks:
        one, other = arms[CONTROL].get(task, []), arms[version].get(task, [])
        told = other or one
        values = [_values(runs) for runs in (one, other)]
        for metric in {*values[0], *values[1]}:
            kinds[metric] = next(arm[metric][0] for arm in values if metric in arm)
            pair = _pair(experiment, task, metric, (one, other), values)
            if agent is None or told[0]["agent_name"] == agent:
                found[metric].append(pair)
                known = ["completeness" in runs[0]["evaluator_versions"] if runs else None
                         for runs in (one, other)]  # fmt: skip
                if metric == "completeness" and None not in known and known[0] != known[1]:
                    scored = pair.baseline is not None and pair.candidate is not None
                    one_sided |= {metric} if scored else set()
    everything = set(kinds)
    deciding, is_guessed = _deciding(everything, kinds)
    if agent is None:
        settings = replace(settings, planned_dataset=experiment.planned_tasks(version))
    return {
        metric: Case(
            f"{experiment.name} {version} {metric}",
            pairs,
            replace(
                _metric(metric, kinds[metric], settings),
                is_deciding=metric == deciding,
                is_guessed=metric == deciding and is_guessed,
                is_one_sided=metric in one_sided,
            ),
        )
        for metric, pairs in found.items()
    }


def _metric(name: str, kind: str, settings: Settings) -> Metric:
    if name in DECLARED:
        _, direction, weight, tie_margin, margin = DECLARED[name]
        return Metric(kind, direction, tie_margin, margin, weight, settings=settings)
    direction = "higher"
    if kind == "measurement" or name == "hallucination_rate":
        direction = "unknown"
    return Metric(kind, direction, 0, None, is_declared=kind == "success", settings=settings)


def _deciding(names: set[str], kinds: Mapping[str, str]) -> tuple[str | None, bool]:
    """Name accuracy, else the first declared score, else the first by name, else success."""
    if "accuracy" in names:
        return "accuracy", False
    declared = [name for name in ORDER if name in names and kinds[name] == "score"]
    rest = sorted(name for name in names if kinds[name] == "score" and name not in declared)
    rest.sort(key=lambda name: name == "hallucination_rate")
    if declared or rest:
        return [*declared, *rest][0], not declared
    return ("success" if "success" in names else None), False


def _values(runs: Sequence[Record]) -> dict[str, tuple[str, list[Fraction]]]:
    """Give the values of the runs of one task in one arm, by metric."""
    found: dict[str, tuple[str, list[Fraction]]] = {}
    for run in runs:
        for name, value in run["scores"].items():
            values = found.setdefault(name, ("score", []))[1]
            values += [] if value is None else [exact(value)]
        for name, value in run["measurements"].items():
            found.setdefault(name, ("measurement", []))[1].append(exact(value))
        for name, kind in FIELDS.items():
            if run.get(name) is not None:
                found.setdefault(name, (kind, []))[1].append(exact(run[name]))
        if run["success"] is not None:
            found.setdefault("success", ("success", []))[1].append(Fraction(int(run["success"])))
    return found


def _pair(
    experiment: Experiment,
    task: str,
    metric: str,
    arms: tuple[list[Record], list[Record]],
    values: list[dict[str, tuple[str, list[Fraction]]]],
) -> Pair:
    columns: dict[str, Any] = {}
    for name, runs, found in zip(("baseline", "candidate"), arms, values, strict=True):
        _, mine = found.get(metric, ("", []))
        columns[name] = float(sum(mine, Fraction(0)) / len(mine)) if mine else None
        columns[f"{name}_repetitions"] = len(mine)
        columns[f"{name}_stddev"] = statistics.stdev(mine) if len(mine) > 1 else None
        planned = experiment.plans.get(runs[0]["extension_version"], (None,))[0] if runs else None
        is_outcome = metric == "success"
        columns[f"{name}_runs"] = len(mine) if is_outcome else max(len(runs), planned or 0)
        columns[f"{name}_runs"] *= bool(runs)
        columns[f"{name}_explained"] = 0 if is_outcome else sum(
            run["success"] is False and not _has_value(run, metric) for run in runs
        )  # fmt: skip
    one, other = arms
    is_comparable = True
    clusters = [arm[0]["metadata"].get("cluster_id") for arm in (other, one) if arm]
    if one and other:
        is_comparable = one[0]["dataset_version"] == other[0]["dataset_version"]
        versions = [arm[0]["evaluator_versions"].get(metric) for arm in arms]
        is_comparable &= None in versions or versions[0] == versions[1]
    cluster = next((name for name in clusters if name), None)
    return Pair(task, cluster_id=cluster, is_comparable=is_comparable, **columns)


def _has_value(run: Record, metric: str) -> bool:
    if metric in FIELDS:
        return run.get(metric) is not None
    return run["scores"].get(metric, run["measurements"].get(metric)) is not None
