"""Comparisons to check the statistics on: random ones, and every one that is known to be nasty."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from statistics_oracles import Metric, Pair, compare, wilson
from verdict_members import Case

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    Values = Sequence[float | None] | NDArray[np.float64]

# Differences cancel digits: they are as exact as the values they come from.
OF_DIFFERENCES = {
    "mean_difference", "ci_low", "ci_high", "cs_low", "cs_high",
    "mean_difference_missing_as_zero", "worst_case_low", "best_case_high",
    "improvement", "improvement_low", "improvement_high", "improvement_missing_as_zero",
    "improvement_sequence_low", "improvement_sequence_high",
    "fixed_tasks_low", "fixed_tasks_high", "composite_improvement", "composite_low",
    "composite_high",
}  # fmt: skip
MEASUREMENT = Metric("measurement", margin=0.0)
LATENCY = Metric("latency", "lower", 0, 0.2)


def mismatches(case: Case, row: Mapping[str, Any]) -> list[tuple[object, ...]]:
    """Compare one built row with SciPy and statsmodels; 1e-9 relative."""
    values = [value for pair in case.pairs for value in (pair.baseline, pair.candidate)]
    scale = max((abs(value) for value in values if value is not None), default=1.0)
    return disagreements(case.name, expected_columns(case), row, scale)


def expected_columns(case: Case) -> dict[str, Any]:
    """Give every column of one comparison that does not depend on the other metrics."""
    expected = cast("dict[str, Any]", compare(case.pairs, case.metric))
    if case.metric.kind == "score":
        for arm in ("baseline", "candidate"):
            expected[f"{arm}_mean_low"], expected[f"{arm}_mean_high"] = wilson(
                expected[f"{arm}_mean"],
                expected["effective_clusters"],
                case.metric.settings.alpha,
            )
    return expected


def disagreements(
    label: str, expected: Mapping[str, Any], row: Mapping[str, Any], scale: float
) -> list[tuple[object, ...]]:
    """Compare the columns that both have; 1e-9 relative."""
    found: list[tuple[object, ...]] = []
    for name, value in expected.items():
        if name.startswith("_") or name not in row:
            continue
        built = row[name]
        if value is None or built is None or isinstance(value, str | list | bool):
            if value != built:
                found.append((label, name, value, built))
            continue
        allowed = 1e-9 * abs(value)
        allowed += 1e-13 * scale if name in OF_DIFFERENCES else 1e-300
        allowed += {"pair_correlation": 1e-12}.get(name, 1e-15 if "_mean_" in name else 0)
        allowed += 1e-11 if name.endswith("_pct") else 0
        allowed += 1e-15 * scale**2 if name.startswith("variance") else 0
        allowed += 1e-15 if name == "relative_change" else 0
        if name == "effect_size_dz":
            allowed += 1e-13 * abs(scale / (expected["stddev_difference"] or 1))
        if not abs(value - built) <= allowed:
            found.append((label, name, value, built))
    return found


def paired(
    baseline: Values,
    candidate: Values,
    clusters: Sequence[str | None] | None = None,
    **columns: Sequence[object],
) -> list[Pair]:
    """Pair two arms task by task; NaN and None are missing."""
    return [
        Pair(
            f"t{place:04d}",
            _present(one),
            _present(other),
            None if clusters is None else clusters[place],
            **{name: values[place] for name, values in columns.items()},  # type: ignore[arg-type]
        )
        for place, (one, other) in enumerate(zip(baseline, candidate, strict=True))
    ]


def _present(value: float | None) -> float | None:
    return None if value is None or math.isnan(value) else float(value)


def random_cases(rng: np.random.Generator, count: int) -> list[Case]:
    """Draw comparisons of every kind, with ties, clusters, repetitions and holes."""
    return [_random_case(rng, place) for place in range(count)]


def _random_case(rng: np.random.Generator, place: int) -> Case:
    n = int(rng.choice([2, 3, 5, 10, 25, 60, 150]))
    kind = str(rng.choice(["binary", "score", "repeated", "ratio", "measurement"]))
    clusters = None
    if rng.random() < 0.45:
        groups = max(1, n // int(rng.integers(1, 6)))
        clusters = [
            f"c{value}" if rng.random() < 0.9 else None for value in rng.integers(0, groups, n)
        ]
    columns: dict[str, Sequence[object]] = {}
    if kind == "binary":
        one = (rng.random(n) < 0.7).astype(float)
        other = np.where(rng.random(n) < 0.25, rng.random(n) < 0.8, one).astype(float)
        metric = Metric(tie_margin=0.05)
    elif kind == "ratio":
        one = np.exp(rng.normal(7, 1, n))
        other = one * np.exp(rng.normal(-0.1, 0.3, n))
        one[rng.random(n) < 0.03] = 0
        name = str(rng.choice(["latency", "cost", "tokens"]))
        metric = Metric(name, str(rng.choice(["lower", "lower", "higher"])), 0, 0.2)
    elif kind == "measurement":
        one = rng.normal(0, 5, n)
        other = one + rng.normal(1, 2, n)
        metric = Metric("measurement", margin=1.0)
    else:
        one = np.clip(rng.normal(0.7, 0.2, n), 0, 1).round(int(rng.choice([1, 2, 12])))
        other = np.clip(one + rng.normal(0.02, 0.1, n), 0, 1).round(int(rng.choice([1, 2, 12])))
        direction = str(rng.choice(["higher", "lower"]))
        metric = Metric(tie_margin=float(rng.choice([0, 0.05])), direction=direction)
    if kind == "repeated":
        columns = _repetitions(rng, n)
    if rng.random() < 0.5:
        one = np.where(rng.random(n) < 0.08, np.nan, one)
        other = np.where(rng.random(n) < 0.08, np.nan, other)
    if rng.random() < 0.2:
        columns["is_comparable"] = [bool(value) for value in rng.random(n) > 0.1]
    return Case(f"random {place} {kind} n={n}", paired(one, other, clusters, **columns), metric)


def _repetitions(rng: np.random.Generator, n: int) -> dict[str, Sequence[object]]:
    baseline = [int(value) for value in rng.integers(1, 6, n)]
    spreads = rng.random(n) * 0.2
    return {
        "baseline_repetitions": baseline,
        "candidate_repetitions": [int(value) for value in rng.integers(2, 6, n)],
        "baseline_stddev": [
            None if count == 1 else float(spread)
            for count, spread in zip(baseline, spreads, strict=True)
        ],
        "candidate_stddev": [float(value) for value in rng.random(n) * 0.2],
    }


def nasty_cases(rng: np.random.Generator) -> list[Case]:
    """Give the cases in which a formula divides by zero, overflows or invents certainty."""
    return [*_small(), *_degenerate(rng), *_clustered(rng), *_scaled(rng), *_ratios()]


def _small() -> list[Case]:
    score = Metric()
    return [
        Case("only one baseline value", paired([0.5], [None]), score),
        Case("all null", paired([None] * 5, [None] * 5), score),
        Case("only the candidate", paired([None] * 6, [0.5] * 6), score),
        Case("only the baseline", paired([0.5] * 6, [None] * 6), score),
        Case("one score", paired([0.5], [0.7]), score),
        Case("one win", paired([0], [1]), score),
        Case("one tie", paired([1], [1]), score),
        Case("two scores", paired([0.5, 0.2], [0.7, 0.1]), score),
        Case("two that cancel", paired([1, 0], [0, 1]), score),
        Case("two equal differences", paired([0.5, 0.25], [0.75, 0.5]), score),
    ]


def _degenerate(rng: np.random.Generator) -> list[Case]:
    score = Metric()
    scores = rng.random(40).round(2)
    repeated: dict[str, Sequence[object]] = {
        "baseline_repetitions": [3] * 8,
        "candidate_repetitions": [3] * 8,
        "baseline_stddev": [0.1] * 8,
        "candidate_stddev": [0.1] * 8,
    }
    return [
        Case("binary ties", paired([1, 0] * 20, [1, 0] * 20), score),
        Case("score ties", paired([0.3, 0.8] * 20, [0.3, 0.8] * 20), score),
        Case("binary wins", paired([0] * 30, [1] * 30), score),
        Case("binary losses", paired([1] * 30, [0] * 30), score),
        Case("all wins", paired(rng.random(30) * 0.4, 0.5 + rng.random(30) * 0.4), score),
        Case(
            "four differences of 0.1",
            paired([0.1, 0.2, 0.3, 0.7], [0.2, 0.30000000000000004, 0.4, 0.7999999999999999]),
            score,
        ),
        Case("constant shift with noise", paired(scores, scores + 0.1), score),
        Case("constant shift of 1e9", paired(scores, scores + 1e9), Metric("measurement")),
        Case(
            "differences at the tie margin",
            paired([0.6, 0.8, 0.35], [0.65, 0.85, 0.3]),
            Metric(tie_margin=0.05),
        ),
        Case("baseline of zero", paired([0.0] * 12, rng.random(12)), score),
        Case("identical repetitions", paired([0.5] * 8, [0.5] * 8, **repeated), score),
        Case(
            "missing values turn the sign",
            paired(
                [0.5] * 20 + [0.9] * 20, [0.6 + 0.001 * step for step in range(20)] + [None] * 20
            ),
            score,
        ),
        Case(
            "nothing comparable", paired(scores, scores, is_comparable=[False] * 40), score
        ),
    ]  # fmt: skip


def _clustered(rng: np.random.Generator) -> list[Case]:
    score = Metric()
    scores = rng.random(40).round(2)
    return [
        Case("one cluster", paired(scores, rng.random(40), ["a"] * 40), score),
        Case(
            "190 of 200 in one cluster",
            paired(rng.random(200), rng.random(200), ["a"] * 190 + [None] * 10),
            score,
        ),
        Case("two clusters", paired(scores, rng.random(40), ["a", "b"] * 20), score),
        Case("clusters alike", paired(scores, scores + 0.25, ["a", "b"] * 20), score),
        Case(
            "binary clusters",
            paired(
                (scores > 0.5).astype(float),
                (rng.random(40) > 0.4).astype(float),
                [f"c{place // 4}" for place in range(40)],
            ),
            score,
        ),
        Case("clusters without values", paired(scores, [None] * 40, ["a", "b"] * 20), score),
    ]


def _scaled(rng: np.random.Generator) -> list[Case]:
    wide = Metric("measurement", margin=0.5)
    groups = [f"c{place // 5}" for place in range(60)]
    far = 1e9 + rng.normal(0, 1, 60), 1e9 + rng.normal(0.3, 1, 60)
    cases = [
        Case("offset of 1e9", paired(*far), wide),
        Case("offset of 1e9 in clusters", paired(*far, groups), wide),
        Case("offset of one arm", paired(rng.normal(0, 1, 60), far[1]), wide),
        Case("mixed scales", paired([1e-120] * 10, 1e148 * rng.random(10)), MEASUREMENT),
        Case("mixed ratio", paired([1e-120] * 10, 1e148 * (1 + rng.random(10))), LATENCY),
    ]
    for scale in (1e-120, 1e148):
        one, other = scale * rng.random(30), scale * rng.random(30)
        cases += [
            Case(f"values of {scale}", paired(one, other), MEASUREMENT),
            Case(f"values of {scale} in clusters", paired(one, other, groups[:30]), MEASUREMENT),
            Case(f"ratio of {scale}", paired(one + scale, other + scale), LATENCY),
        ]
    return cases


def _ratios() -> list[Case]:
    return [
        Case("constant ratio", paired([10.0, 20, 30], [12.0, 24, 36]), LATENCY),
        Case("ratio with zeros", paired([0.0, 0, 5], [1.0, 0, 6]), LATENCY),
        Case("ratio of zeros", paired([0.0] * 4, [1.0] * 4), LATENCY),
        Case("ratio of one pair", paired([1.0, 0, 0], [2.0, 0, 0]), LATENCY),
        Case("ratio of ties", paired([5.0, 7, 9] * 5, [5.0, 7, 9] * 5), LATENCY),
    ]
