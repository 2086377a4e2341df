"""The marts computed a second time, in plain Python, from the same raw rows.

Shares nothing with the SQL but contract.md: exact fractions instead of numeric, dictionaries
instead of joins, and a comparison of version numbers part by part instead of a sort key.
"""

from __future__ import annotations

import csv
import hashlib
import json
import statistics
import uuid
from collections import defaultdict
from datetime import UTC, datetime
from fractions import Fraction
from math import sqrt
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from scipy import stats

from independent_passes import count_passes
from independent_versions import in_order, numbers_among

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping, Sequence

    from raw_rows import Record

_SEEDS = Path(__file__).resolve().parent.parent.parent / "seeds"
FIELDS = {"latency_ms": "latency", "tokens_used": "tokens", "cost_usd": "cost"}
Row = dict[str, Any]
Key = tuple[Any, ...]
Trial = tuple[bool | None, dict[str, tuple[str, Fraction | None]]]


def seed(name: str) -> list[dict[str, str]]:
    """Return a seed's rows as text."""
    with (_SEEDS / f"{name}.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


METRICS = {row["metric"]: row for row in seed("metrics")}
EVALUATORS = {row["evaluator_key"]: row for row in seed("evaluator_metrics")}
ROLES = {row["experiment_group"]: row["role"] for row in seed("experiment_groups")}
SCORES = [name for name, row in METRICS.items() if row["kind"] == "score"]


class Result(NamedTuple):
    """A row of evaluation_results with its scores."""

    key: Key
    row: Row
    values: dict[str, tuple[str, list[Fraction]]]  # metric -> (kind, values of repetitions)
    trials: list[Trial]

    def has_failed(self, metric: str) -> list[bool]:
        """Return for each repetition with a value of the metric whether it failed."""
        kind = self.values[metric][0]
        return [
            said is False
            for said, seen in self.trials
            if seen.get(metric, ("", None))[0] == kind and seen[metric][1] is not None
        ]

    def mean(self, metric: str) -> Fraction | None:
        """Return the mean over repetitions that have a value."""
        values = self.values.get(metric, ("", []))[1]
        return sum(values, Fraction(0)) / len(values) if values else None


def exact(number: float) -> Fraction:
    """Return the decimal number that a person would read."""
    return Fraction(repr(number))


def result_id(key: Key) -> uuid.UUID:
    """Return the id of a result: MD5 of its key as a JSON array."""
    text = json.dumps(list(key), ensure_ascii=False)
    return uuid.UUID(hashlib.md5(text.encode()).hexdigest())  # noqa: S324


def trial_values(
    run: Record, undeclared: Collection[tuple[str, str]] = ()
) -> dict[str, tuple[str, Fraction | None]]:
    """Return the values of one run by metric, with their kind.

    Args:
        run: with scores, score_scales (None or absent: of before 0.2), measurements and fields.
        undeclared: experiments and keys in them of which nobody knows the scale.

    """
    found: dict[str, tuple[str, Fraction | None]] = {}
    for name, value in run["measurements"].items():
        kind = METRICS[name]["kind"] if name in METRICS else "measurement"
        if kind != "score" and name not in FIELDS:
            found[name] = (kind, exact(value))
    for metric, key in _scored_by(run["scores"]).items():
        if has_scale(run, key) or (run["experiment_id"], key) not in undeclared:
            found[metric] = ("score", _scaled(run, key))
    for name, kind in FIELDS.items():
        if run[name] is not None:
            found[name] = (kind, exact(run[name]))
    return found


def _scored_by(recorded: Iterable[str]) -> dict[str, str]:
    """Return the evaluator key that counts for each metric: its own name, else by alphabet."""
    best: dict[str, str] = {}
    for key in sorted(recorded):
        metric = EVALUATORS[key]["metric"] if key in EVALUATORS else key
        is_score = metric not in METRICS or METRICS[metric]["kind"] == "score"
        if is_score and (metric not in best or key == metric):
            best[metric] = key
    return best


def has_scale(run: Record, key: str) -> bool:
    """Whether the run says its scale of a key; one of before 0.2 is on that of the seed."""
    scales = run.get("score_scales")
    return key in EVALUATORS if scales is None else scales.get(key) is not None


def _scaled(run: Record, key: str) -> Fraction | None:
    score, scales = run["scores"][key], run.get("score_scales")
    if score is None or isinstance(score, bool):
        return None if score is None else Fraction(int(score))
    if scales is None:
        seeded = EVALUATORS.get(key, {"scale_min": "0", "scale_max": "1"})
        low, high = Fraction(seeded["scale_min"]), Fraction(seeded["scale_max"])
    else:
        low, high = map(exact, scales.get(key) or (0, 1))
    unit = (exact(score) - low) / (high - low)
    return unit if 0 <= unit <= 1 else None


def dated(run: Record) -> datetime:
    """Return when a run happened, or when it was first loaded."""
    return run["recorded_at"] or run["first_loaded_at"]


def results(runs: Iterable[Record]) -> dict[Key, Result]:
    """Return evaluation_results by key."""
    by_key: dict[Key, list[Record]] = defaultdict(list)
    for run in runs:
        by_key[
            run["experiment_id"], run["task_id"], run["experiment_group"], run["extension_version"]
        ].append(run)
    found = {key: _result(key, trials) for key, trials in by_key.items()}
    for experiment in {key[0] for key in found}:
        mine = [result for key, result in found.items() if key[0] == experiment]
        count_passes(mine, list(METRICS))
    return found


def _result(key: Key, trials: list[Record]) -> Result:
    trials.sort(
        key=lambda run: (
            run["repetition"] is None,
            run["repetition"] or 0,
            dated(run),
            run["source_run_id"].encode(),
            run["source"].encode(),
        )
    )
    in_time = sorted(enumerate(trials), key=lambda item: (dated(item[1]), item[0]))
    latest = in_time[-1][1]
    messages = [run["error_message"] for _, run in in_time if run["error_message"] is not None]
    values: dict[str, tuple[str, list[Fraction]]] = {}
    # a name that is both counts as the score
    seen = [trial_values(run) for run in trials]
    for one in seen:
        for metric, (kind, _) in one.items():
            if metric not in values or kind == "score":
                values[metric] = (kind, [])
    for one in seen:
        for metric, (kind, value) in one.items():
            if kind == values[metric][0] and value is not None:
                values[metric][1].append(value)
    said = [run["success"] for run in trials]
    result = Result(key, {}, values, list(zip(said, seen, strict=True)))
    told = [one for one in said if one is not None]
    result.row.update(
        zip(("experiment_id", "task_id", "experiment_group", "extension_version"), key, strict=True)
    )
    result.row.update(
        result_id=result_id(key),
        model_version=latest["model_version"],
        agent_name=latest["agent_name"],
        dataset_version=latest["dataset_version"],
        baseline_experiment_id=latest["baseline_experiment_id"],
        error_message=messages[-1] if messages else None,
        success_rate=mean(Fraction(one) for one in told),
        repetitions=len(trials),
        said_repetitions=len(told),
        successes=sum(told),
        failed_repetitions=len(told) - sum(told),
        load_id=max(run["load_id"] for run in trials),
        success=all(told) if told else None,
        evaluator_versions=latest["evaluator_versions"],
        metadata=latest["metadata"],
        recorded_at=max(dated(run) for run in trials),
        created_at=min(run["first_loaded_at"] for run in trials),
        updated_at=max(run["loaded_at"] for run in trials),
        **{metric: result.mean(metric) for metric in [*SCORES, *FIELDS]},
    )
    return result


def scores(found: dict[Key, Result]) -> list[Row]:
    """Return evaluation_scores."""
    return [
        {
            "experiment_id": result.key[0],
            "result_id": result_id(result.key),
            "metric": metric,
            "kind": kind,
            "value": result.mean(metric),
            "value_stddev": deviation(values),
            "repetitions": len(values),
            "failed_repetitions": sum(result.has_failed(metric)),
            "passes": sum(value == 1 for value in values),
            "is_binary": set(values) <= {0, 1},
        }
        for result in found.values()
        for metric, (kind, values) in result.values.items()
    ]


def mean(values: Iterable[Fraction | None]) -> Fraction | None:
    """Return the mean of the values there are; None when there are none."""
    present = [value for value in values if value is not None]
    return sum(present, Fraction(0)) / len(present) if present else None


def deviation(values: Sequence[Fraction]) -> float | None:
    """Return the sample standard deviation; None below two values."""
    return statistics.stdev(values) if len(values) > 1 else None


def rollups(found: dict[Key, Result]) -> list[Row]:
    """Return metric_daily_rollups."""
    names = (*SERIES, "metric", "recorded_on")
    groups = _grouped(found, lambda result: (result.row["recorded_at"].astimezone(UTC).date(),))
    return [
        {
            **dict(zip(names, key, strict=True)),
            "sample_count": len(samples),
            "value_sum": sum(value for _, value in samples),
            "value_sum_of_squares": sum(value * value for _, value in samples),
            "value_min": min(value for _, value in samples),
            "value_max": max(value for _, value in samples),
        }
        for key, samples in groups.items()
    ]


SERIES = ("agent_name", "experiment_group", "extension_version", "model_version")


def agent_rollups(found: dict[Key, Result], runs: Iterable[Record]) -> list[Row]:
    """Return agent_daily_rollups: results by the day of their latest run, runs by their own."""
    names = ("agent_name", "experiment_group", "recorded_on")
    counted: dict[Key, dict[str, Any]] = {}

    def day(row: Mapping[str, Any]) -> dict[str, Any]:
        agent = row["agent_name"] or "unknown"
        key = (agent, row["experiment_group"], row["recorded_at"].astimezone(UTC).date())
        zeros = dict.fromkeys(("result_count", "cost_result_count", "run_count"), 0)
        sums = dict.fromkeys(("cost_usd_sum", "run_cost_usd_sum"), Fraction(0))
        return counted.setdefault(key, {**dict(zip(names, key, strict=True)), **zeros, **sums})

    for result in found.values():
        row, cost = day(result.row), result.mean("cost_usd")
        row["result_count"] += 1
        row["cost_result_count"] += cost is not None
        row["cost_usd_sum"] += cost or 0
    for run in runs:
        row = day({**run, "recorded_at": dated(run)})
        row["run_count"] += 1
        row["run_cost_usd_sum"] += exact(run["cost_usd"] or 0)
    return list(counted.values())


def _grouped(
    found: dict[Key, Result], extra: Callable[[Result], tuple[Any, ...]]
) -> dict[Key, list[tuple[Result, Fraction]]]:
    groups: dict[Key, list[tuple[Result, Fraction]]] = defaultdict(list)
    for result in found.values():
        row = result.row
        series = (
            row["agent_name"] or "unknown",
            row["experiment_group"],
            row["extension_version"],
            row["model_version"],
        )
        for metric in result.values:
            value = result.mean(metric)
            if value is not None:
                groups[(*series, metric, *extra(result))].append((result, value))
    return groups


def trends(found: dict[Key, Result]) -> list[Row]:
    """Return version_trends."""
    rows = []
    for key, samples in _grouped(found, lambda _: ()).items():
        values = sorted(value for _, value in samples)
        times = [result.row["recorded_at"] for result, _ in samples]
        rows.append(
            {
                **dict(zip((*SERIES, "metric"), key, strict=True)),
                "sample_count": len(values),
                "avg_value": mean(values),
                **_interval(
                    values, "score" in {result.values[key[-1]][0] for result, _ in samples}
                ),
                "min_value": values[0],
                "max_value": values[-1],
                "stddev_value": deviation(values),
                "p50_value": _quantile(values, Fraction(1, 2)),
                "p95_value": _quantile(values, Fraction(95, 100)),
                "first_recorded_at": min(times),
                "last_recorded_at": max(times),
            }
        )
    _rank(rows)
    return rows


def _interval(values: list[Fraction], is_score: bool) -> Row:
    """Return the interval of a mean, by SciPy; none for a single value."""
    low: float | None = None
    high: float | None = None
    if len(values) > 1:
        centre, error = float(statistics.mean(values)), statistics.stdev(values) / sqrt(len(values))
        half_width = float(stats.t.ppf(0.975, len(values) - 1)) * error
        low, high = centre - half_width, centre + half_width
        if is_score:
            low = max(low, min(0.0, float(values[0])))
            high = min(high, max(1.0, float(values[-1])))
    return {"avg_value_low": low, "avg_value_high": high}


def _quantile(values: list[Fraction], share: Fraction) -> Fraction:
    place = share * (len(values) - 1)
    low = int(place)
    high = min(low + 1, len(values) - 1)
    return values[low] + (values[high] - values[low]) * (place - low)


def _rank(rows: list[Row]) -> None:
    for agent, group in {(row["agent_name"], row["experiment_group"]) for row in rows}:
        mine = [
            row for row in rows if (row["agent_name"], row["experiment_group"]) == (agent, group)
        ]
        seen: dict[str, datetime] = {}
        for row in mine:
            label = row["extension_version"]
            seen[label] = min(seen.get(label, row["first_recorded_at"]), row["first_recorded_at"])
        order, numbers = in_order(seen), numbers_among(seen)
        for row in mine:
            label = row["extension_version"]
            row["version_rank"] = order.index(label) + 1
            row["version_order_rule"] = "semantic" if label in numbers else "first_seen"
            earlier = [
                other["extension_version"]
                for other in mine
                if (other["model_version"], other["metric"])
                == (row["model_version"], row["metric"])
                and order.index(other["extension_version"]) < order.index(label)
            ]
            row["previous_extension_version"] = max(earlier, key=order.index, default=None)
