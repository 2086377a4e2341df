"""Pairs of results and what they add up to, computed a second time in plain Python."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING, NamedTuple

import statistics_oracles
from independent_marts import (
    EVALUATORS,
    FIELDS,
    METRICS,
    ROLES,
    SCORES,
    Key,
    Result,
    Row,
    deviation,
    mean,
    result_id,
)
from independent_versions import in_order
from statistics_cases import Case

if TYPE_CHECKING:
    from datetime import datetime


class Pair(NamedTuple):
    """A row of evaluation_comparison_view, and what only int_results_paired says."""

    candidate: Result | None
    baseline: Result | None
    row: Row


_NOT_SHOWN = ("is_metric_guessed", "one_sided_metrics")


def shown(compared: list[Pair]) -> list[Row]:
    """Return evaluation_comparison_view."""
    return [
        {name: value for name, value in pair.row.items() if name not in _NOT_SHOWN}
        for pair in compared
    ]


def paired(compared: list[Pair]) -> list[Row]:
    """Return int_results_paired."""
    keys = ("experiment_id", "task_id", "candidate_group", "candidate_version")
    names = (*keys, "primary_metric", "not_comparable_reason", *_NOT_SHOWN)
    return [{name: pair.row[name] for name in names} for pair in compared]


def pairs(found: dict[Key, Result], primary: str = "accuracy") -> list[Pair]:
    """Return the pairs of all comparisons."""
    arms: dict[Key, list[Result]] = defaultdict(list)
    for result in found.values():
        if ROLES[result.key[2]] == "treatment":
            arms[result.key[0], result.key[2], result.key[3]].append(result)
    compared: list[Pair] = []
    for (experiment, group, version), candidates in arms.items():
        linked = [one for one in candidates if one.row["baseline_experiment_id"] is not None]
        latest = max(
            linked, key=lambda one: (one.row["load_id"], one.key[1].encode()), default=None
        )
        control = latest.row["baseline_experiment_id"] if latest else experiment
        controls = [
            one
            for one in found.values()
            if one.key[0] == control and ROLES[one.key[2]] == "control"
        ]
        seen: dict[str, datetime] = {}
        for one in controls:
            seen[one.key[3]] = min(
                seen.get(one.key[3], one.row["recorded_at"]), one.row["recorded_at"]
            )
        order = in_order(seen)
        reach = [one for one in controls if one.key[3] == version] or controls
        own = {one.key[1]: one for one in candidates}
        metric, is_guessed = _primary_metric([*candidates, *controls], primary)
        for task in {*own, *(one.key[1] for one in reach)}:
            same = [one for one in controls if one.key[1] == task and one.key[3] == version]
            any_version = sorted(
                (one for one in controls if one.key[1] == task),
                key=lambda one: order.index(one.key[3]),
            )
            baseline = same[0] if same else any_version[-1] if any_version else None
            row = {
                "experiment_id": experiment,
                "task_id": task,
                "candidate_group": group,
                "candidate_version": version,
                "baseline_experiment_id": control,
                "primary_metric": metric,
                "is_metric_guessed": is_guessed,
            }
            compared.append(Pair(own.get(task), baseline, row))
    for pair in compared:
        _compare(pair)
    return compared


def metric_cases(found: dict[Key, Result]) -> dict[Key, tuple[Case, bool]]:
    """Return what each row of experiment_metric_comparisons is computed from.

    With it: whether the name is of one kind, not a score here and a measurement there.
    """
    compared: dict[Key, list[Pair]] = defaultdict(list)
    for pair in pairs(found):
        names = ("experiment_id", "candidate_group", "candidate_version")
        compared[tuple(pair.row[name] for name in names)].append(pair)
    cases = {}
    for key, members in compared.items():
        row = members[0].row
        one_sided = {name for pair in members for name in pair.row["one_sided_metrics"] or ()}
        for metric, kinds in _metrics_of(members).items():
            is_deciding = metric == row["primary_metric"]
            case = Case(
                f"{key} {metric}",
                [_of_metric(pair, metric) for pair in members if _has(pair, metric)],
                replace(
                    _metric(metric, min(kinds)),
                    is_deciding=is_deciding,
                    is_guessed=is_deciding and row["is_metric_guessed"],
                    is_one_sided=metric in one_sided,
                ),
            )
            cases[*key, metric] = (case, len(kinds) == 1)
    return cases


def _values(result: Result) -> dict[str, tuple[str, list[Fraction]]]:
    """Return the values of a result by metric, how its runs ended among them."""
    said = [Fraction(success) for success, _ in result.trials if success is not None]
    return result.values | ({"success": ("success", said)} if said else {})


def _metrics_of(members: list[Pair]) -> dict[str, set[str]]:
    found: dict[str, set[str]] = defaultdict(set)
    for pair in members:
        for arm in (pair.baseline, pair.candidate):
            for metric, (kind, _) in _values(arm).items() if arm else ():
                found[metric].add(kind)
    return found


def _has(pair: Pair, metric: str) -> bool:
    return any(arm and metric in _values(arm) for arm in (pair.baseline, pair.candidate))


def _metric(name: str, kind: str) -> statistics_oracles.Metric:
    seed = METRICS.get(name)
    if seed is None:
        direction = {"measurement": "unknown"}.get(kind, "higher")
        return statistics_oracles.Metric(kind, direction, margin=None, is_declared=False)
    margins = (float(seed["tie_margin"]), float(seed["non_inferiority_margin"]))
    weight = float(seed["weight"])
    return statistics_oracles.Metric(kind, seed["direction"], *margins, weight)


def _of_metric(pair: Pair, metric: str) -> statistics_oracles.Pair:
    candidate, baseline, row = pair
    is_comparable = row["not_comparable_reason"] != "dataset_version_differs"
    if candidate and baseline:
        is_comparable &= metric not in _conflicting_metrics(pair)
        kinds = {_values(arm)[metric][0] for arm in (candidate, baseline) if metric in _values(arm)}
        is_comparable &= len(kinds) == 1
    clusters = [arm.row["metadata"].get("cluster_id") for arm in (candidate, baseline) if arm]
    values: dict[str, float | int | None] = {}
    for name, arm in (("baseline", baseline), ("candidate", candidate)):
        kind, repeated = _values(arm).get(metric, ("", [])) if arm else ("", [])
        value = mean(repeated)
        values[name] = None if value is None else float(value)
        values[f"{name}_repetitions"] = len(repeated)
        values[f"{name}_stddev"] = deviation(repeated)
        values[f"{name}_runs"] = len(arm.trials) if arm else 0
        values[f"{name}_explained"] = 0
        if metric == "success":
            values[f"{name}_runs"] = len(repeated)
        elif arm:
            failed = sum(success is False for success, _ in arm.trials)
            scored = sum(arm.has_failed(metric)) if kind else 0
            values[f"{name}_explained"] = failed - scored
    return statistics_oracles.Pair(
        row["task_id"],
        cluster_id=next((cluster for cluster in clusters if cluster), None),
        is_comparable=is_comparable,
        **values,
    )


def _primary_metric(arms: list[Result], primary: str) -> tuple[str | None, bool]:
    """Return the metric that decides between two arms, and whether nobody named it."""
    kinds: dict[str, set[str]] = defaultdict(set)
    for result in arms:
        for metric, (kind, _) in result.values.items():
            kinds[metric].add(kind)
    is_said = any(result.row["success_rate"] is not None for result in arms)
    if primary in kinds or (primary == "success" and is_said):
        return primary, False
    names = {metric for metric, found in kinds.items() if "score" in found}
    declared = [metric for metric in METRICS if metric in names]
    if declared:
        return declared[0], False
    if names:
        return min(names, key=str.encode), True
    return ("success" if is_said else None), False


def _reason(pair: Pair) -> str | None:
    candidate, baseline = pair.candidate, pair.baseline
    if baseline is None:
        return "no_baseline_result"
    if candidate is None:
        return "no_candidate_result"
    datasets = {candidate.row["dataset_version"], baseline.row["dataset_version"]}
    if len(datasets - {None}) > 1:
        return "dataset_version_differs"
    if pair.row["primary_metric"] in _conflicting_metrics(pair):
        return "evaluator_version_differs"
    return None


def _conflicting_metrics(pair: Pair) -> set[str]:
    """Return the metrics that two versions of one evaluator scored."""
    assert pair.baseline
    assert pair.candidate
    others = pair.candidate.row["evaluator_versions"]
    return {
        EVALUATORS[key]["metric"] if key in EVALUATORS else key
        for key, version in pair.baseline.row["evaluator_versions"].items()
        if others.get(key, version) != version
    }


def _one_sided_metrics(pair: Pair) -> list[str] | None:
    """Return the metrics with two values whose evaluator's version one arm alone recorded."""
    if pair.candidate is None or pair.baseline is None:
        return None
    keys = [set(arm.row["evaluator_versions"]) for arm in (pair.candidate, pair.baseline)]
    named = {EVALUATORS[key]["metric"] if key in EVALUATORS else key for key in keys[0] ^ keys[1]}
    both = [
        metric
        for metric in sorted(named)
        if all(arm.mean(metric) is not None for arm in (pair.candidate, pair.baseline))
    ]
    return both or None


def _compare(pair: Pair) -> None:
    candidate, baseline, row = pair
    row["not_comparable_reason"] = _reason(pair)
    row["is_comparable"] = row["not_comparable_reason"] is None
    row["one_sided_metrics"] = _one_sided_metrics(pair)
    row["candidate_result_id"] = result_id(candidate.key) if candidate else None
    row["baseline_result_id"] = result_id(baseline.key) if baseline else None
    row["baseline_version"] = baseline.key[3] if baseline else None
    row["winner"] = None
    row["primary_difference"] = None
    for metric in [*SCORES, *FIELDS]:
        row[f"candidate_{metric}"] = candidate.mean(metric) if candidate else None
        row[f"baseline_{metric}"] = baseline.mean(metric) if baseline else None
        name = metric.split("_")[0] if metric in FIELDS else metric
        name += "_reduction_pct" if metric in FIELDS else "_improvement_pct"
        row[name] = _gain(pair, metric) if row["is_comparable"] else None
    metric = row["primary_metric"]
    if candidate and baseline and metric:
        new, old = candidate.mean(metric), baseline.mean(metric)
        if new is not None and old is not None:
            row["primary_difference"] = _sign(metric) * (new - old)
            if row["is_comparable"]:
                margin = Fraction(METRICS[metric]["tie_margin"]) if metric in METRICS else 0
                gain = row["primary_difference"]
                row["winner"] = (
                    "candidate" if gain > margin else "baseline" if gain < -margin else "tie"
                )


def _sign(metric: str) -> int:
    return -1 if metric in METRICS and METRICS[metric]["direction"] == "lower" else 1


def _gain(pair: Pair, metric: str) -> Fraction | None:
    """Return percentage points for scores, else per cent of the baseline; positive is better."""
    assert pair.candidate is not None
    assert pair.baseline is not None
    new, old = pair.candidate.mean(metric), pair.baseline.mean(metric)
    if new is None or old is None:
        return None
    gain = 100 * _sign(metric) * (new - old)
    if pair.candidate.values[metric][0] == "score":
        return gain
    return gain / abs(old) if old else None


def summaries(compared: list[Pair]) -> list[Row]:
    """Return experiment_summaries."""
    arms: dict[Key, list[Pair]] = defaultdict(list)
    for pair in compared:
        row = pair.row
        arms[row["experiment_id"], row["candidate_group"], row["candidate_version"]].append(pair)
    return [_summary(key, arm) for key, arm in arms.items()]


def _summary(key: Key, arm: list[Pair]) -> Row:
    both = [pair for pair in arm if pair.candidate and pair.baseline]
    usable = [pair for pair in both if pair.row["is_comparable"]]
    winners = [pair.row["winner"] for pair in both]
    times = [one.row["recorded_at"] for pair in arm for one in pair[:2] if isinstance(one, Result)]
    row: Row = dict(
        zip(("experiment_id", "candidate_group", "candidate_version"), key, strict=True)
    )
    row.update(
        baseline_experiment_id=arm[0].row["baseline_experiment_id"],
        primary_metric=arm[0].row["primary_metric"],
        total_tasks=len(both),
        candidate_wins=winners.count("candidate"),
        baseline_wins=winners.count("baseline"),
        ties=winners.count("tie"),
        undecided_tasks=winners.count(None),
        incomparable_tasks=len(both) - len(usable),
        baseline_only_tasks=sum(pair.candidate is None for pair in arm),
        candidate_only_tasks=sum(pair.baseline is None for pair in arm),
        first_recorded_at=min(times),
        last_recorded_at=max(times),
    )
    for name in [
        *(f"{metric}_improvement_pct" for metric in SCORES),
        *(f"{metric.split('_')[0]}_reduction_pct" for metric in FIELDS),
    ]:
        row[f"avg_{name}"] = mean(pair.row[name] for pair in usable)
    # a conflict of evaluators takes one metric out of a pair, not the pair
    row.update(_legacy([one for one in both if _reason(one) != "dataset_version_differs"]))
    return row


def _legacy(pairs: list[Pair]) -> Row:
    weight_sum, gain_sum, rejected = Fraction(0), Fraction(0), False
    for metric, settings in METRICS.items():
        weight = Fraction(settings["weight"])
        arms = [
            (pair.baseline.mean(metric), pair.candidate.mean(metric))
            for pair in pairs
            if pair.baseline and pair.candidate and metric not in _conflicting_metrics(pair)
        ]
        arms = [one for one in arms if one[0] is not None and one[1] is not None]
        if not weight or not arms:
            continue
        old, new = (mean(one[place] for one in arms) for place in range(2))
        assert old is not None
        assert new is not None
        gain = 100 * _sign(metric) * (new - old) / abs(old) if old else None
        if gain is not None and gain < -20:
            rejected = True
        if settings["kind"] == "score" and new < Fraction(1, 2):
            rejected = True
        if gain is not None:
            weight_sum += weight
            gain_sum += weight * gain
    weighted = gain_sum / weight_sum if weight_sum else None
    verdict = "needs_review"
    if rejected or (weighted is not None and weighted < -5):
        verdict = "reject"
    elif weighted is not None and weighted > 5:
        verdict = "deploy"
    return {"weighted_improvement_pct": weighted, "legacy_recommendation": verdict}
