"""The distribution functions of the database against mpmath, SciPy and statsmodels."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING, Any

import pytest
from mpmath import mp, mpf
from scipy import special, stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.proportion import proportion_confint

import distribution_oracles as oracle
import statistical_functions
from statistical_functions import evaluate

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import psycopg

    Connection = psycopg.Connection[Any]

PROBABILITIES = [1e-300, 1e-100, 1e-20, 1e-9, 1e-4, 0.005, 0.025, 0.2, 0.4, 0.49, 0.4999999]
UPPER_PROBABILITIES = [0.5000001, 0.51, 0.7, 0.8, 0.9, 0.975, 0.995, 0.99999, 1 - 2**-40]
DEGREES = [0.5, 0.7, 1, 1.5, 2, 3, 4.4, 9, 29, 99.5, 1000, 12345.6, 99999, 1e5, 1e6, 1e7]


def relative_error(value: float, expected: mpf | float) -> mpf:
    with mp.workdps(40):
        if expected == 0:
            return mpf(abs(value))
        return abs(mpf(value) - expected) / abs(expected)


def assert_close(
    values: Iterable[float],
    expected: Iterable[mpf | float],
    rows: Sequence[object],
    tolerance: float,
) -> None:
    wrong = [
        (row, value, float(wanted))
        for row, value, wanted in zip(rows, values, expected, strict=True)
        if value is None
        or (abs(wanted) >= 1e-300 and relative_error(value, wanted) > tolerance)
        or (abs(wanted) < 1e-300 and value > 1e-299)
    ]
    assert wrong == []


def test_two_sided_p_value_of_t_is_exact_to_1e_12(connection: Connection) -> None:
    magnitudes = [1e-10, 1e-5, 0.01, 0.3, 0.7, 1, 1.96, 2.5, 4, 8, 15, 25, 36, 100, 1e3, 1e5, 1e10]
    rows = list(itertools.product(magnitudes, DEGREES))
    expected = [oracle.student_t_p_value(t, df) for t, df in rows]
    assert_close(evaluate(connection, "student_t_p_value", rows), expected, rows, 1e-12)


def test_tails_of_t_are_halves_of_its_two_sided_p_value(connection: Connection) -> None:
    rows = list(itertools.product([-30, -2.5, -1e-3, 0, 1e-8, 0.4, 2, 7], [0.5, 1, 3.3, 40, 1e6]))
    halves = [oracle.student_t_p_value(t, df) / 2 for t, df in rows]
    upper = [1 - half if t < 0 else half for half, (t, _) in zip(halves, rows, strict=True)]
    lower = [half if t < 0 else 1 - half for half, (t, _) in zip(halves, rows, strict=True)]
    assert_close(evaluate(connection, "student_t_sf", rows), upper, rows, 1e-12)
    assert_close(evaluate(connection, "student_t_cdf", rows), lower, rows, 1e-12)
    # SciPy itself is exact to nine digits at 1e-8 and one degree of freedom
    reference = [float(stats.t.sf(t, df)) for t, df in rows]
    assert evaluate(connection, "student_t_sf", rows) == pytest.approx(reference, rel=1e-8)


def test_quantile_of_t_is_exact_to_1e_11(connection: Connection) -> None:
    rows = [
        (q, df)
        for q, df in itertools.product(PROBABILITIES + UPPER_PROBABILITIES, DEGREES)
        if q > 1e-50 or df > 1
    ]
    quantiles = evaluate(connection, "student_t_ppf", rows)
    wrong = [
        (row, quantile)
        for row, quantile in zip(rows, quantiles, strict=True)
        if (quantile < 0) != (row[0] < 0.5)
        or oracle.student_t_quantile_error(quantile, *row) > mpf("1e-11")
    ]
    assert wrong == []


def incomplete_beta_rows() -> list[tuple[float, float, float]]:
    small, large = [0.25, 0.3, 0.5, 0.9, 1, 2.5, 10, 77, 1000], [1e4, 3e5, 5e6]
    rows: list[tuple[float, float, float]] = []
    for a, b in [*itertools.product(small, small), *itertools.product([0.5, 3, *large], large)]:
        mean = a / (a + b)
        deviation = math.sqrt(a * b / (a + b + 1)) / (a + b)
        spread = [mean + z * deviation for z in (-33, -8, -3, -1, 0, 0.5, 2, 5, 12, 30)]
        fixed = [1e-300, 1e-20, 1e-5, 0.1, 0.5, 0.69, 0.9, 0.999] if max(a, b) <= 1000 else []
        rows += [(a, b, x) for x in [*spread, *fixed] if 0 < x < 1]
    return rows


@pytest.mark.slow
def test_incomplete_beta_is_exact_to_1e_12(connection: Connection) -> None:
    rows = incomplete_beta_rows()
    lower = [oracle.beta_inc(*row) for row in rows]
    upper = [oracle.beta_inc(*row, upper=True) for row in rows]
    assert_close(beta_tails(connection, rows), lower, rows, 1e-12)
    assert_close(beta_tails(connection, rows, upper=True), upper, rows, 1e-12)


def test_incomplete_beta_of_huge_parameters_is_nearly_as_exact(connection: Connection) -> None:
    rows = [
        (a, b, a / (a + b) + z * math.sqrt(a * b / (a + b + 1)) / (a + b))
        for a, b in [(9e7, 9e7), (1.1e8, 1.1e8), (1e9, 2e8)]
        for z in (-6, -1, 0, 2)
    ]
    expected = [oracle.beta_inc(*row) for row in rows]
    assert_close(beta_tails(connection, rows), expected, rows, 1e-11)
    rows = [(1e12, 1e12, 0.5 + z / math.sqrt(8e12)) for z in (-6, -1, 0, 2)]
    expected = [float(special.ndtr((x - 0.5) * math.sqrt(8e12))) for _, _, x in rows]
    assert_close(beta_tails(connection, rows), expected, rows, 1e-9)


def beta_tails(
    connection: Connection, rows: list[tuple[float, float, float]], *, upper: bool = False
) -> list[float]:
    """Give a tail of the beta distribution; the function takes x and 1 - x."""
    query = """
        select evals_functions.beta_tail(a, b, x, 1 - x, %s)
        from unnest(%s::float8[], %s::float8[], %s::float8[])
            with ordinality as cases (a, b, x, position)
        order by position
    """
    columns = [list(map(float, column)) for column in zip(*rows, strict=True)]
    return [value for (value,) in connection.execute(query, [upper, *columns])]


def test_quantile_of_beta_is_exact_to_1e_11(connection: Connection) -> None:
    shapes = [0.25, 0.5, 1, 3, 20.5, 400, 1e5]
    # above 1/2 a quantile is the difference to 1 of one below, as exact as float8 can say
    rows = [
        (q, a, b)
        for q, a, b in itertools.product(
            [1e-100, 1e-9, 0.005, 0.025, 0.3, 0.5, 0.8, 0.975, 0.99999], shapes, shapes
        )
        if q > 1e-50 or a >= 1
    ]
    quantiles = evaluate(connection, "beta_ppf", rows)
    wrong = [
        (row, quantile)
        for row, quantile in zip(rows, quantiles, strict=True)
        if quantile < 0.999 and oracle.beta_quantile_error(quantile, *row) > mpf("1e-11")
    ]
    assert wrong == []


def test_normal_distribution_is_exact_to_1e_12(connection: Connection) -> None:
    points = [(sign * x / 8,) for x in range(295) for sign in (1, -1)]
    with mp.workdps(40):
        upper = [mp.erfc(mpf(x) / mp.sqrt(2)) / 2 for (x,) in points]
        lower = [mp.erfc(-mpf(x) / mp.sqrt(2)) / 2 for (x,) in points]
        complement = [mp.erfc(mpf(x)) for (x,) in points]
    assert_close(evaluate(connection, "normal_sf", points), upper, points, 1e-12)
    assert_close(evaluate(connection, "normal_cdf", points), lower, points, 1e-12)
    assert_close(evaluate(connection, "erfc", points), complement, points, 1e-14)
    probabilities = [(q,) for q in PROBABILITIES + UPPER_PROBABILITIES]
    expected = [float(special.ndtri(q)) for (q,) in probabilities]
    assert_close(evaluate(connection, "normal_ppf", probabilities), expected, probabilities, 1e-12)


def test_elementary_functions_keep_their_digits(connection: Connection) -> None:
    points = [(sign * 10.0**power,) for power in range(-20, 0) for sign in (1, -1)]
    points += [(0.4,), (-0.7,), (3.3,), (30.0,)]
    assert_close(
        evaluate(connection, "log1p", points), [math.log1p(x) for (x,) in points], points, 4e-16
    )
    assert_close(
        evaluate(connection, "expm1", points), [math.expm1(x) for (x,) in points], points, 1e-15
    )
    positive = [(x,) for x in (1e-310, 1e-9, 0.3, 0.5, 3.3, 9.99, 10, 77.7, 1e5, 1e16, 1e300)]
    with mp.workdps(40):
        expected = [mp.loggamma(x) for (x,) in positive]
    assert_close(evaluate(connection, "log_gamma", positive), expected, positive, 1e-13)
    pairs = [(a, b) for (a,), (b,) in itertools.combinations(positive[1:-1], 2)]
    with mp.workdps(60):
        beta = [mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(mpf(a) + mpf(b)) for a, b in pairs]
    assert_close(evaluate(connection, "log_beta", pairs), beta, pairs, 1e-12)


def test_upper_tail_of_the_binomial_is_exact_to_1e_12(connection: Connection) -> None:
    rows = [
        (k, n, p)
        for n in (0, 1, 2, 7, 50, 3000, 10**6)
        for k in (-1, 0, 0.5, 1, n // 3, n // 2, n - 1, n, n + 1)
        for p in (0, 1e-9, 0.1, 0.5, 0.93, 1)
    ]
    expected = [oracle_binomial_sf(*row) for row in rows]
    assert_close(evaluate(connection, "binomial_sf", rows), expected, rows, 1e-12)


def oracle_binomial_sf(k: float, n: float, p: float) -> mpf:
    successes = math.floor(k)
    if not 0 <= successes < n:
        return mpf(int(successes < 0))
    return oracle.beta_inc(successes + 1, n - successes, p)


def test_exact_tests_are_those_of_scipy_and_statsmodels(connection: Connection) -> None:
    counts = [0, 1, 2, 3, 9, 20, 121, 500]
    rows = list(itertools.product(counts, counts))
    expected = [
        float(stats.binomtest(wins, wins + losses).pvalue) if wins + losses else 1.0
        for wins, losses in rows
    ]
    assert_close(evaluate(connection, "sign_test_p_value", rows), expected, rows, 1e-11)
    expected = [float(mcnemar([[0, b], [c, 0]], exact=True).pvalue) for b, c in rows if b + c]
    rows = [(b, c) for b, c in rows if b + c]
    assert_close(evaluate(connection, "mcnemar_p_value", rows), expected, rows, 1e-11)


def test_intervals_of_a_proportion_are_those_of_statsmodels(connection: Connection) -> None:
    rows = [
        (k, n, alpha)
        for n in (1, 2, 29, 148, 1000, 10**6)
        for k in sorted({0, 1, n // 10, n // 2, n - 1, n})
        for alpha in (0.01, 0.05, 0.2)
    ]
    for name, method in (("wilson", "wilson"), ("clopper_pearson", "beta")):
        bounds = [proportion_confint(k, n, alpha, method) for k, n, alpha in rows]
        # statsmodels subtracts nearly equal numbers for the lower bound of 1 in a million
        for side, position in (("lower", 0), ("upper", 1)):
            values = evaluate(connection, f"{name}_{side}", rows)
            expected = [float(bound[position]) for bound in bounds]
            assert values == pytest.approx(expected, rel=1e-9, abs=1e-15)
    assert evaluate(connection, "wilson_lower", [(0, 0, 0.05)]) == [0]
    assert evaluate(connection, "wilson_upper", [(0, 0, 0.05)]) == [1]


def tango_score(b: float, c: float, n: float, delta: float) -> mpf:
    """Score statistic with the nuisance parameter found by a search of the likelihood."""
    with mp.workdps(30):
        low, high = max(mpf(0), -mpf(delta)), (1 - mpf(delta)) / 2

        def slope(q: mpf) -> mpf:
            # derivative of b ln(q + delta) + c ln q + (n - b - c) ln(1 - 2 q - delta)
            both = (b / (q + delta) if b else 0) + (c / q if c else 0)
            same = 2 * (n - b - c) / (1 - 2 * q - delta) if n > b + c else 0
            return both - same

        for _ in range(110):
            middle = (low + high) / 2
            if slope(middle) > 0:
                low = middle
            else:
                high = middle
        variance = n * (2 * low + delta - mpf(delta) ** 2)
        return (b - c - n * mpf(delta)) / mp.sqrt(variance)


def test_tango_bounds_solve_an_independent_search_of_the_likelihood(connection: Connection) -> None:
    z = mpf(special.ndtri(0.975))
    rows = [
        (b, c, n, 0.05)
        for b, c, n in [
            (1, 0, 1), (0, 1, 1), (3, 0, 5), (5, 5, 10), (5, 0, 5), (20, 7, 200), (0, 3, 1000),
            (121, 59, 400), (4, 0, 100), (17, 90, 107), (1, 1, 100000), (30, 60, 91),
        ]
    ]  # fmt: skip
    for name, target in (("tango_lower", z), ("tango_upper", -z)):
        for row, bound in zip(rows, evaluate(connection, name, rows), strict=True):
            if abs(bound) < 1:
                slightly = 1e-10 if target > 0 else -1e-10
                inner, outer = bound + slightly, bound - slightly
                assert abs(tango_score(*row[:3], inner)) <= abs(target) * (1 + mpf("1e-12"))
                assert abs(tango_score(*row[:3], outer)) >= abs(target) * (1 - mpf("1e-12"))
    rows = [(0, 0, n, 0.05) for n in (1, 10, 250)]
    expected = [float(z**2 / (n + z**2)) for _, _, n, _ in rows]
    assert evaluate(connection, "tango_upper", rows) == pytest.approx(expected, rel=1e-12)
    assert evaluate(connection, "tango_lower", rows) == pytest.approx(
        [-value for value in expected], rel=1e-12
    )
    assert evaluate(connection, "tango_lower", [(0, 4, 4, 0.05), (0, 0, 0, 0.05)]) == [-1, -1]


def test_tango_bounds_hold_at_the_ends_of_what_can_be_counted(connection: Connection) -> None:
    """The score passes its quantile within some steps of float8 around the bound."""
    rows = [
        (10**6, 1, 10**9, 0.05), (10**9, 0, 10**9, 0.05), (0, 10**9 - 1, 10**9, 0.05),
        (99999, 1, 100000, 0.05), (1, 999, 1000, 0.5), (0, 10**6 - 1, 10**6, 1e-9),
        (1, 0, 10**8, 1e-6), (5, 5, 10, 1e-12), (5, 0, 5, 1e-15), (500, 500, 1000, 1e-300),
        (5, 5, 10, 0.999), (3, 2, 10, 1 - 1e-12),
    ]  # fmt: skip
    lower = evaluate(connection, "tango_lower", rows)
    upper = evaluate(connection, "tango_upper", rows)
    for (b, c, n, alpha), low, high in zip(rows, lower, upper, strict=True):
        z = -mpf(special.ndtri(alpha / 2))
        assert -1 <= low < (b - c) / n
        assert (b - c) / n < high <= 1 or high == 1 == b / n
        for bound, target in ((low, z), (high, -z)):
            if abs(bound) < 1:
                step, close = 4 * math.ulp(bound), z * mpf("1e-12")
                assert tango_score(b, c, n, bound - step) >= target - close
                assert tango_score(b, c, n, bound + step) <= target + close
    ties = [(0, 0, n, alpha) for n in (1, 10**6, 10**12) for alpha in (1e-12, 0.05, 0.999)]
    squares = [(float(special.ndtri(alpha / 2)) ** 2, n) for _, _, n, alpha in ties]
    expected = [square / (n + square) for square, n in squares]
    assert evaluate(connection, "tango_upper", ties) == pytest.approx(expected, rel=1e-12)


def test_tango_score_of_zero_is_the_mcnemar_statistic(connection: Connection) -> None:
    rows = [(b, c, n, 0.0) for b, c, n in [(5, 2, 9), (1, 0, 1), (20, 70, 300)]]
    expected = [(b - c) / math.sqrt(b + c) for b, c, _, _ in rows]
    assert evaluate(connection, "tango_score", rows) == pytest.approx(expected, rel=1e-13)


# What gbstats 0.8.0, GrowthBook's package, answers: SequentialTwoSidedTTest of two samples
# whose sizes add up to n. Its pandas is older than the one of these tests, so it runs apart.
# n, alpha, planned tasks, sd, estimate, half the width of the interval, p
GBSTATS = [
    (10, 0.05, 200, 1.0, 1.1, 1.4922135151363731, 0.2119085429644157),
    (20, 0.05, 200, 0.8000000000000004, 0.7, 0.6896131374039454, 0.04525145501911276),
    (60, 0.05, 200, 0.9, 0.19999999999999996, 0.3717656149266284, 0.6477697070505645),
    (150, 0.01, 100, 0.6, -0.09999999999999998, 0.17539215907228212, 0.5968875524480554),
    (200, 0.05, 200, 1.0, 0.25, 0.21462168594134223, 0.011614031091554932),
    (1000, 0.05, 200, 1.0, 0.1200000000000001, 0.09970757718046236, 0.005683804716040414),
    (5000, 0.1, 5000, 3.0, 0.1499999999999999, 0.11726398244674985, 0.01226142577030856),
    (40000, 0.001, 1000, 1.8, 0.050000000000000044, 0.040590591507029386, 5.227629020135254e-06),
]  # fmt: skip


def test_confidence_sequence_is_that_of_growthbook(connection: Connection) -> None:
    halves = evaluate(
        connection,
        "confidence_sequence_halfwidth",
        [(sd, n, alpha, planned) for n, alpha, planned, sd, *_ in GBSTATS],
    )
    assert halves == pytest.approx([half for *_, half, _ in GBSTATS], rel=1e-12)
    p_values = evaluate(
        connection,
        "confidence_sequence_p_value",
        [(estimate, sd, n, alpha, planned) for n, alpha, planned, sd, estimate, *_ in GBSTATS],
    )
    assert p_values == pytest.approx([p_value for *_, p_value in GBSTATS], rel=1e-12)


def test_confidence_sequence_is_the_published_formula(connection: Connection) -> None:
    rows = [
        (stddev, n, 0.05, planned)
        for stddev, n, planned in itertools.product((0.3, 1e148, 1e-120), (2, 90, 10**6), (1, 500))
    ]
    expected = []
    for stddev, n, alpha, planned in rows:
        rho2 = (-2 * math.log(alpha) + math.log(1 - 2 * math.log(alpha))) / planned
        root = math.sqrt(n * rho2 + 1)
        expected.append(
            math.sqrt(2 * (n * rho2 + 1) / (n**2 * rho2) * math.log(root / alpha)) * stddev
        )
    values = evaluate(connection, "confidence_sequence_halfwidth", rows)
    assert values == pytest.approx(expected, rel=1e-12, abs=0)
    # at an estimate of exactly half the width, the anytime-valid p-value is alpha
    at_bound = [(half, *row) for half, row in zip(values, rows, strict=True)]
    p_values = evaluate(connection, "confidence_sequence_p_value", at_bound)
    assert p_values == pytest.approx([0.05] * len(rows), rel=1e-9)


def test_repeated_run_metrics_are_the_counts_of_subsets(connection: Connection) -> None:
    rows = [(n, c, k) for n in (1, 2, 5, 12, 200) for c in range(0, n + 1, 1 + n // 9) for k in (1, 2, 5, 10) if k <= n]  # fmt: skip  # noqa: E501
    at_least_one = [1 - math.comb(n - c, k) / math.comb(n, k) for n, c, k in rows]
    every_one = [math.comb(c, k) / math.comb(n, k) for n, c, k in rows]
    call = "select {0}.pass_at_k(%s, %s, %s), {0}.pass_hat_k(%s, %s, %s)"
    statement = call.format(statistical_functions.SCHEMA).encode()
    for row, first, second in zip(rows, at_least_one, every_one, strict=True):
        found = connection.execute(statement, [*row, *row]).fetchone()
        assert found == pytest.approx((first, second), rel=1e-12, abs=1e-15)
    assert connection.execute(statement, [3, 1, 4, 3, 1, 4]).fetchone() == (None, None)
    largest = 2**62
    for row in itertools.product([-1, 0, 1, 5, largest], repeat=3):
        if row[0] == largest and min(row[1:]) > 5:
            continue
        connection.execute(statement, [*row, *row])


def test_worked_examples_come_out_as_published(connection: Connection) -> None:
    tables = [(121, 59), (70, 59), (80, 59), (30, 60), (10, 30), (10, 10)]
    assert evaluate(connection, "mcnemar_p_value", tables) == pytest.approx(
        [0.000004, 0.378688, 0.089452, 0.00206, 0.002221, 1], abs=5e-7
    )
    proportions = [(15, 148, 0.05), (0, 20, 0.05), (1, 29, 0.05)]
    assert evaluate(connection, "wilson_lower", proportions) == pytest.approx(
        [0.0624, 0, 0.0061], abs=5e-5
    )
    assert evaluate(connection, "wilson_upper", proportions) == pytest.approx(
        [0.1605, 0.1611, 0.1718], abs=5e-5
    )
    assert evaluate(connection, "student_t_p_value", [(-4.0621, 9)]) == pytest.approx(
        [0.002833], abs=5e-7
    )
    row = connection.execute("select evals_functions.pass_at_k(200, 20, 10)").fetchone()
    assert row is not None
    assert row[0] == pytest.approx(0.6602256, abs=5e-8)
