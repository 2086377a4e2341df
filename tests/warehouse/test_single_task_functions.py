"""Tests on the runs of one task, against SciPy and against every arrangement there is."""

from __future__ import annotations

import itertools
import math
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from scipy import stats

from statistical_functions import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]

EDGES = [None, math.nan, math.inf, -math.inf, 0.0, 0.5, 1.0, -1.0, 2.0, 3.5, 1e9, 1e300, -1e308]


def tables() -> list[tuple[int, int, int, int]]:
    """Return passes and runs of both arms: all of few runs, some of many."""
    few = [
        (first, before, second, after)
        for before, after in itertools.product((1, 2, 3, 5, 8), repeat=2)
        for first in range(before + 1)
        for second in range(after + 1)
    ]
    many = [
        (180, 200, 150, 200),
        (5, 1000, 0, 1000),
        (999, 1000, 2, 7),
        (40000, 50000, 39000, 50000),
    ]
    return few + many


def permuted(before: Sequence[float], after: Sequence[float]) -> float:
    """Return the one-sided mid-p value by way of all choices of the second arm's runs."""
    pooled = [Fraction(str(value)) for value in (*before, *after)]
    observed = sum(pooled[len(before) :])
    sums = [sum(chosen) for chosen in itertools.combinations(pooled, len(after))]
    below = sum(each < observed for each in sums)
    return float((below + Fraction(sums.count(observed), 2)) / len(sums))


def ordered(flips: int, passes: int, runs: int) -> float:
    """Return the share of all orders of passes and failures that flip so seldom."""
    orders = list(itertools.combinations(range(runs), passes))
    counts = [
        sum((place in places) != (place - 1 in places) for place in range(1, runs))
        for places in map(set, orders)
    ]
    return sum(count <= flips for count in counts) / len(orders)


def permutations(
    connection: Connection, rows: Iterable[tuple[Sequence[float], Sequence[float]]]
) -> list[float | None]:
    found = []
    for before, after in rows:
        row = connection.execute(
            "select evals_functions.permutation_mid_p_less(%s::float8[], %s::float8[])",
            [list(before), list(after)],
        ).fetchone()
        assert row is not None
        found.append(row[0])
    return found


def test_fishers_test_is_that_of_scipy(connection: Connection) -> None:
    rows = tables()
    exact, middle = [], []
    for first, before, second, after in rows:
        table = [[first, before - first], [second, after - second]]
        exact.append(stats.fisher_exact(table, alternative="greater").pvalue)
        same = stats.hypergeom(before + after, first + second, after)
        middle.append(same.cdf(second - 1) + same.pmf(second) / 2)
    assert evaluate(connection, "fisher_p_value_less", rows) == pytest.approx(exact, rel=1e-9)
    assert evaluate(connection, "fisher_mid_p_less", rows) == pytest.approx(middle, rel=1e-9)


def test_both_tails_of_the_mid_p_add_up_to_one(connection: Connection) -> None:
    rows = [row for row in tables() if row[1] < 100]
    turned = [
        (before - first, before, after - second, after) for first, before, second, after in rows
    ]
    lower = evaluate(connection, "fisher_mid_p_less", rows)
    upper = evaluate(connection, "fisher_mid_p_less", turned)
    assert [one + other for one, other in zip(lower, upper, strict=True)] == pytest.approx(
        [1.0] * len(rows), abs=1e-12
    )


def test_the_hypergeometric_tail_is_that_of_scipy(connection: Connection) -> None:
    rows = [
        (k, marked, drawn, total)
        for marked, drawn, total in (
            (0, 3, 9),
            (4, 4, 9),
            (30, 50, 100),
            (600, 500, 1000),
            (7, 3, 7),
        )
        for k in range(-1, min(marked, drawn) + 2)
    ]
    expected = [stats.hypergeom.cdf(k, total, marked, drawn) for k, marked, drawn, total in rows]
    assert evaluate(connection, "hypergeometric_cdf", rows) == pytest.approx(
        expected, rel=1e-9, abs=1e-300
    )


def test_a_permutation_test_counts_every_arrangement(connection: Connection) -> None:
    rows: list[tuple[Sequence[float], Sequence[float]]] = [
        ((0.5,), (0.25,)), ((0.9, 0.8), (0.1, 0.2)), ((0.1, 0.2), (0.9, 0.8)),
        ((0.1, 0.2, 0.3), (0.1, 0.2, 0.3)), ((0.7, 0.7, 0.7), (0.7, 0.7)),
        ((0.9, 0.91, 0.9), (0.0, 0.01, 0.0)), ((0.25, 0.5, 0.75, 1.0), (0.5, 0.25)),
        ((1.0,), (0.0, 0.25, 0.5, 0.75)), ((0.1, 0.3), (0.2, 0.2)), ((0.6, 0.65, 0.7, 0.3, 0.2),
        (0.1, 0.3, 0.35, 0.4, 0.6)),
    ]  # fmt: skip
    expected = [permuted(*row) for row in rows]
    assert permutations(connection, rows) == pytest.approx(expected, rel=1e-12)


def test_a_permutation_test_is_that_of_scipy(connection: Connection) -> None:
    source = np.random.default_rng(5)
    for before, after in ((3, 3), (2, 6), (6, 2), (5, 4), (6, 6)):
        first, second = source.random(before), source.random(after)
        result = stats.permutation_test(
            (second, first), lambda one, two: one.mean() - two.mean(), n_resamples=np.inf,
            alternative="less",
        )  # fmt: skip
        # without ties SciPy's p counts the observed arrangement whole
        expected = result.pvalue - 0.5 / math.comb(before + after, before)
        assert permutations(connection, [(first, second)]) == pytest.approx([expected], rel=1e-9)


def test_too_many_arrangements_and_missing_values_have_no_p(connection: Connection) -> None:
    rows: list[Any] = [([0.1] * 7, [0.2] * 7), ([], [0.2]), ([0.1, None], [0.2, 0.3])]
    assert permutations(connection, rows) == [None, None, None]
    assert permutations(connection, [([0.1] * 6, [0.2] * 6)]) == pytest.approx(
        [1 - 0.5 / math.comb(12, 6)]
    )


def test_flips_are_counted_over_all_orders(connection: Connection) -> None:
    rows = [
        (flips, passes, runs)
        for runs in range(1, 11)
        for passes in range(runs + 1)
        for flips in range(-1, runs + 1)
    ]
    expected = [ordered(*row) for row in rows]
    assert evaluate(connection, "flips_cdf", rows) == pytest.approx(expected, rel=1e-9, abs=1e-15)


def test_flips_of_many_runs_have_the_mean_that_chance_gives(connection: Connection) -> None:
    for passes, runs in ((40, 100), (3, 200), (500, 1000)):
        shares = evaluate(connection, "flips_cdf", [(flips, passes, runs) for flips in range(runs)])
        mean = sum(1 - share for share in shares)
        assert mean == pytest.approx(2 * passes * (runs - passes) / runs, rel=1e-9)


@pytest.mark.parametrize(
    ("function", "count"),
    [("log_choose", 2), ("flips_cdf", 3), ("hypergeometric_cdf", 4), ("fisher_mid_p_less", 4),
     ("fisher_p_value_less", 4)],
)  # fmt: skip
def test_no_argument_raises(connection: Connection, function: str, count: int) -> None:
    rows = list(itertools.product(EDGES, repeat=count))
    for value in evaluate(connection, function, rows):
        assert value is None or function == "log_choose" or 0 <= value <= 1
