"""The functions that a verdict is made with, against mpmath, SciPy and a plain search."""

from __future__ import annotations

import itertools
import math
import random
from fractions import Fraction
from typing import TYPE_CHECKING, Any

import pytest
from mpmath import mp, mpf
from scipy import stats

import distribution_oracles as oracle
from statistical_functions import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]

LARGEST = 1.7976931348623157e308
EDGES = [
    None, math.nan, math.inf, -math.inf, 0.0, 5e-324, -1e-310, 1e-100, 0.05, 0.5, 1.0, -1.0, 2.0,
    3.5, 30.0, 1e9, 1e15, 1e100, 1e300, LARGEST, -LARGEST,
]  # fmt: skip


def assert_close(
    values: Iterable[float],
    expected: Iterable[mpf | float],
    rows: Sequence[object],
    tolerance: float = 1e-11,
) -> None:
    """Hold every value against the expected one; below 1e-300 a zero is right."""
    with mp.workdps(40):
        wrong = [
            (row, value, wanted)
            for row, value, wanted in zip(rows, values, expected, strict=True)
            if value is None
            or abs(mpf(value) - wanted) > (tolerance * abs(wanted) if wanted > 1e-300 else 1e-299)
        ]
    assert wrong == []


def mid_p(k: int, n: int) -> Fraction:
    """P(X > k) + P(X = k) / 2, counted."""
    above = sum(math.comb(n, count) for count in range(max(k + 1, 0), n + 1))
    at = math.comb(n, k) if 0 <= k <= n else 0
    return (above + Fraction(at, 2)) / 2**n


def test_mid_p_is_counted_exactly(connection: Connection) -> None:
    rows = [(k, n) for n in (0, 1, 2, 3, 8, 31, 200) for k in range(-2, n + 3, 1 + n // 20)]
    expected = [
        mpf(share.numerator) / share.denominator for share in itertools.starmap(mid_p, rows)
    ]
    assert_close(evaluate(connection, "mid_p_greater", rows), expected, rows, 1e-13)
    rows = [(0, 0), (25, 25), (0, 25), (4, 4)]
    assert evaluate(connection, "mid_p_greater", rows) == pytest.approx(
        [0.5, 2**-26, 1 - 2**-26, 2**-5], rel=1e-14
    )


def test_mid_p_of_many_tasks_is_that_of_scipy(connection: Connection) -> None:
    rows = [
        (n // 2 + int(z * math.sqrt(n) / 2), n)
        for n in (1000, 12345, 10**6, 10**8)
        for z in (-30, -8, -2, -0.3, 0, 1, 4, 12, 35)
    ]
    expected = [(beta_sf(k, n) + beta_sf(k - 1, n)) / 2 for k, n in rows]
    assert_close(evaluate(connection, "mid_p_greater", rows), expected, rows)
    # by SciPy's own sum of the two terms; it loses digits in the far tail
    rows = [(k, n) for k, n in rows if n < 10**7]
    expected = [float(stats.binom.sf(k, n, 0.5) + stats.binom.pmf(k, n, 0.5) / 2) for k, n in rows]
    assert evaluate(connection, "mid_p_greater", rows) == pytest.approx(expected, rel=1e-9)
    assert evaluate(connection, "mid_p_greater", [(5000, 5000), (1e15, 1e15)]) == [0, 0]


def beta_sf(k: int, n: int) -> mpf:
    return oracle.beta_inc(k + 1, n - k, 0.5) if 0 <= k < n else mpf(int(k < 0))


def test_both_sides_of_mid_p_add_up_to_1(connection: Connection) -> None:
    rows = [(wins, 37) for wins in range(38)]
    better = evaluate(connection, "mid_p_greater", rows)
    worse = evaluate(connection, "mid_p_greater", [(n - wins, n) for wins, n in rows])
    assert [one + other for one, other in zip(better, worse, strict=True)] == pytest.approx(
        [1] * 38, rel=1e-14
    )


def tango_p_value(b: float, c: float, n: float, delta: float) -> mpf:
    """Give the upper tail of the score, its nuisance parameter found by a search."""
    with mp.workdps(40):
        low, high = max(mpf(0), -mpf(delta)), (1 - mpf(delta)) / 2
        for _ in range(140):
            q = (low + high) / 2
            both = (b / (q + mpf(delta)) if b else 0) + (c / q if c else 0)
            same = 2 * (n - b - c) / (1 - 2 * q - mpf(delta)) if n > b + c else 0
            low, high = (q, high) if both > same else (low, q)
        variance = n * (2 * low + delta - mpf(delta) ** 2)
        return mp.erfc((b - c - n * mpf(delta)) / mp.sqrt(variance) / mp.sqrt(2)) / 2


def test_tango_p_value_is_exact_into_its_far_tails(connection: Connection) -> None:
    tables = [
        (0, 0, 1), (0, 0, 73), (1, 0, 1), (0, 1, 1), (3, 0, 5), (5, 5, 10), (20, 7, 200),
        (0, 3, 1000), (121, 59, 400), (17, 90, 107), (200, 0, 1000), (0, 134, 300),
        (30000, 10000, 10**6), (900, 40, 1000),
    ]  # fmt: skip
    rows = [(*table, delta) for table in tables for delta in (-0.7, -0.1, -0.05, 0.05, 0.2)]
    expected = list(itertools.starmap(tango_p_value, rows))
    assert_close(evaluate(connection, "tango_p_value", rows), expected, rows)
    # nothing differs: z^2 = n m / (1 - m)
    p_lost = evaluate(connection, "tango_p_value", [(0, 0, 73, -0.05), (0, 0, 9, 0)])
    assert p_lost == pytest.approx([stats.norm.sf(math.sqrt(73 * 0.05 / 0.95)), 0.5], rel=1e-12)
    # at no difference it is McNemar's statistic
    plain = evaluate(connection, "tango_p_value", [(25, 4, 90, 0)])
    assert plain == pytest.approx([stats.norm.sf(21 / math.sqrt(29))], rel=1e-12)


def test_t_is_exact_below_one_degree_of_freedom_and_for_tiny_errors(connection: Connection) -> None:
    degrees = [1e-9, 1e-3, 0.02, 0.2, 0.5, 0.9, 1, 1.07, 2.5, 8.3]
    magnitudes = [1e-12, 0.01, 1, 3, 1e3, 1e8, 1e20, 1e100, 1e200, 1e307]
    rows = list(itertools.product(magnitudes, degrees))
    expected = [oracle.student_t_p_value(t, df) / 2 for t, df in rows]
    assert_close(evaluate(connection, "student_t_sf", rows), expected, rows)
    rows = [(-t, df) for t, df in rows]
    expected = [1 - half for half in expected]
    assert_close(evaluate(connection, "student_t_sf", rows), expected, rows)


def test_powers_are_those_of_mpmath_and_never_fail(connection: Connection) -> None:
    exponents = [0, 1e-9, 0.5, 1, 2.75, 9.99, 73, 1000.5, 1e6, 1e300]
    rows = list(itertools.product([0.0, 1e-300, 0.05, 0.5, 0.95, 1 - 2**-53, 1], exponents))
    with mp.workdps(40):
        expected = [mpf(base) ** mpf(g) if base or g else mpf(1) for base, g in rows]
    assert_close(evaluate(connection, "power_of", rows), expected, rows, 1e-13)
    halves = [(g,) for g in exponents]
    expected = [mpf("0.5") ** mpf(g) for g in exponents]
    assert_close(evaluate(connection, "half_power", halves), expected, halves, 1e-13)
    assert evaluate(connection, "half_power", [(7,), (-3,), (-5000,), (math.inf,)]) == [
        2**-7, 8, LARGEST, 0,
    ]  # fmt: skip
    assert evaluate(connection, "power_of", [(-0.1, 2), (0, -1), (2, 5000), (2, -5000)]) == [
        None, None, LARGEST, 0,
    ]  # fmt: skip


def test_no_argument_raises_and_nothing_unknown_becomes_a_number(connection: Connection) -> None:
    for function, arity in (("mid_p_greater", 2), ("tango_p_value", 4), ("power_of", 2)):
        rows = list(itertools.product(EDGES if arity < 4 else EDGES[::2], repeat=arity))
        for row, value in zip(rows, evaluate(connection, function, rows), strict=True):
            assert value is None or not math.isnan(value), (function, row)
            if any(argument is None or math.isnan(argument) for argument in row):
                assert value is None, (function, row, value)
            if value is not None and function != "power_of":
                assert 0 <= value <= 1, (function, row, value)


# ------------------------------------------------------------- Mann-Kendall


# ------------------------------------------------------------ required_tasks

Numbers = list[float | None]


def required(
    connection: Connection,
    n: float | None,
    *lists: Numbers | None,
    power: float | None = 0.8,
) -> int | None:
    row = connection.execute(
        "select evals_functions.required_tasks(%s::float8, "
        + ", ".join(["%s::float8[]"] * 6)
        + ", %s::float8)",
        [n, *lists, power],
    ).fetchone()
    assert row is not None
    return row[0]


def chance(m: int, n: int, lists: Sequence[Numbers]) -> float:
    product = 1.0
    for improvement, deviation, offset, slope, other_offset, other_slope in zip(
        *lists, strict=True
    ):
        error = deviation / math.sqrt(m)
        bound = offset + slope * error
        if other_offset is not None and other_slope is not None:
            bound = max(bound, other_offset + other_slope * error)
        if deviation == 0:
            product *= improvement > bound
        else:
            deviate = (improvement - bound) * m / (deviation * math.sqrt(m - n))
            product *= math.erfc(-deviate / math.sqrt(2)) / 2
    return product


def first_that_decides(n: int, lists: Sequence[Numbers], power: float) -> int | None:
    """Walk the whole grid."""
    for step in itertools.count(1):
        m = math.ceil(n * Fraction(103, 100) ** step)
        if m > 100 * n:
            return None
        found = chance(m, n, lists)
        assert abs(found - power) > 1e-12, "a case on the edge tests rounding"
        if found >= power:
            return m - n
    return None


def random_lists(source: random.Random, n: int, *, may_fall: bool) -> list[Numbers]:
    lists: list[Numbers] = [[] for _ in range(6)]
    for _ in range(source.choice([1, 1, 2, 3, 5])):
        margin = source.choice([0.05, 0.1823])
        deviation = source.choice([0.0, 0.05, 0.3, 0.5, 1.0])
        has_other = source.random() < 0.4
        offset = source.choice([0.0, -margin, margin])
        values = [
            offset + deviation * source.uniform(-0.1, 2) / math.sqrt(n) + source.choice([0, 1e-3]),
            deviation,
            offset,
            source.choice([0.0, 0.8416, 1.96]) * (source.choice([1, -1]) if may_fall else 1),
            margin / 4 if has_other else None,
            source.choice([0.0, 2.9]) if has_other else None,
        ]
        for numbers, value in zip(lists, values, strict=True):
            numbers.append(value)
    return lists


def test_required_tasks_is_the_first_of_the_grid_that_decides(connection: Connection) -> None:
    source = random.Random(20261128)  # noqa: S311  test data
    answers = []
    for case in range(400):
        n = source.choice([1, 2, 3, 10, 20, 37, 100, 150, 1000, 20000])
        power = source.choice([0.8, 0.8, 0.9, 0.5, 0.3])
        lists = random_lists(source, n, may_fall=case % 4 == 0)
        wanted = first_that_decides(n, lists, power)
        assert required(connection, n, *lists, power=power) == wanted, (n, lists, power)
        answers.append(wanted)
    assert answers.count(None) > 50
    assert len(set(answers)) > 50


def test_required_tasks_agrees_with_the_table_of_the_verdict(connection: Connection) -> None:
    # all tasks are yet to come: 7.85 (sd / delta)^2 for a gain, within a step of the grid
    for deviation, gain in ((0.316, 0.08), (0.5, 0.08), (0.11, 0.08), (0.3, 0.05)):
        found = required(connection, 1, [gain], [deviation], [0], [1.959964], None, None)
        tasks = 7.85 * (deviation / gain) ** 2
        if tasks < 97:
            assert found is not None
            assert tasks * 0.98 - 1 <= found + 1 <= tasks * 1.05 + 1


def test_required_tasks_without_an_answer_is_null(connection: Connection) -> None:
    one: list[Numbers] = [[0.1], [0.3], [0.0], [1.96], [None], [None]]
    assert required(connection, 50, *one) is not None
    assert required(connection, 50, *one[:4], None, None) == required(connection, 50, *one)
    assert required(connection, 50, *one[:4], [-math.inf], [0.0]) == required(connection, 50, *one)
    assert required(connection, 50, [-0.1], *one[1:]) is None
    assert required(connection, 50, [0.0], [0.0], [0.0], [0.0], None, None) is None
    assert required(connection, 50, [0.1], [0.0], [0.0], [0.0], None, None) == 2
    for place in range(4):
        for wrong in (None, [], [None], [math.nan], [math.inf], [1e300], [0.1, 0.1]):
            lists = [*one]
            lists[place] = wrong
            assert required(connection, 50, *lists) is None, (place, wrong)
    for n in (None, 0.0, -1.0, math.nan, math.inf, 1e300):
        assert required(connection, n, *one) is None
    for power in (None, 0.0, 1.0, math.nan):
        assert required(connection, 50, *one, power=power) is None


def test_required_tasks_of_extremes_does_not_raise(connection: Connection) -> None:
    numbers = [0.0, 5e-324, -1e-310, 1e-95, 0.05, -1.0, 1e89, -1e89, 1e90, LARGEST, -math.inf]
    cases = list(itertools.product(numbers, repeat=3))
    columns = list(zip(*cases, strict=True))
    for n in (1, 77, 9e12):
        connection.execute(
            "select evals_functions.required_tasks(%s, array[i], array[sd], array[c], array[c], "
            "array[sd], array[i], 0.8) from unnest(%s::float8[], %s::float8[], %s::float8[]) "
            "as cases (i, sd, c)",
            [n, *map(list, columns)],
        )
