"""Distributions of a plan, held against SciPy."""

import pytest
from scipy import stats

from loader.planning import distributions, paired_proportions

_FREEDOMS = [0.7, 1, 2.5, 9, 30, 299.4, 10_000, 1_000_000]


@pytest.mark.parametrize("freedom", _FREEDOMS)
def test_students_t_is_scipys(freedom: float) -> None:
    for t in (-3.0, 0.0, 1e-6, 0.5, 2.0, 7.5):
        expected = stats.t.sf(t, freedom)
        assert distributions.student_t_sf(t, freedom) == pytest.approx(expected, rel=1e-9)
    for p in (0.2, 0.025, 0.0005):
        expected = stats.t.isf(p, freedom)
        assert distributions.student_t_isf(p, freedom) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("freedom", [2, 4.3, 9, 30, 299.4, 10_000])
def test_the_power_of_a_t_test_is_scipys(freedom: float) -> None:
    for shift in (0.0, 0.3, 1.0, 2.8, 5.0):
        for level in (0.2, 0.025):
            expected = stats.nct.sf(stats.t.isf(level, freedom), freedom, shift)
            found = distributions.t_power(shift, level, freedom)
            assert found == pytest.approx(expected, rel=1e-9, abs=1e-9)


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (12, 0.0), (12, 1.0), (40, 0.3), (5_000, 0.02)])
def test_the_binomial_is_scipys(n: int, p: float) -> None:
    for k in {0, 1, n // 3, n // 2, n}:
        expected = stats.binom.sf(k - 1, n, p)
        found = distributions.binomial_at_least(k, n, p)
        assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize(("tasks", "share", "gain"), [(30, 0.4, 0.2), (60, 0.2, 0.1), (25, 0, 0)])
def test_counted_power_is_that_of_every_outcome(tasks: int, share: float, gain: float) -> None:
    better = kept = 0.0
    for wins in range(tasks + 1):
        for losses in range(tasks + 1 - wins):
            chance = stats.multinomial.pmf(
                [wins, losses, tasks - wins - losses],
                tasks,
                [(share + gain) / 2, (share - gain) / 2, 1 - share],
            )
            mid_p = stats.binom.sf(wins, wins + losses, 0.5)
            mid_p += stats.binom.pmf(wins, wins + losses, 0.5) / 2
            better += chance * (mid_p <= 0.025)
            kept += chance * (paired_proportions.p_lost(wins, losses, tasks, 0.05) <= 0.2)
    found = paired_proportions.better_power(tasks, share, gain, 0.025)
    assert found == pytest.approx(better, abs=1e-7)
    found = paired_proportions.kept_power(tasks, share, gain, 0.05, 0.2)
    assert found == pytest.approx(kept, abs=1e-7)


def test_the_margins_test_is_that_of_the_rule() -> None:
    p_lost = paired_proportions.p_lost
    # verdict.md: where no task differs, kept from 14 tasks, proven kept from 73
    assert p_lost(0, 0, 13, 0.05) > 0.2 >= p_lost(0, 0, 14, 0.05)
    assert p_lost(0, 0, 72, 0.05) > 0.025 - 1e-3
    assert p_lost(0, 0, 73, 0.05) <= 0.025
