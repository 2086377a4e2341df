"""Distributions that a plan rests on: Student's t, central and not, and the binomial.

Held against SciPy in tests/loader/planning.
"""

from __future__ import annotations

import math
from functools import cache
from statistics import NormalDist
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

NORMAL: Final = NormalDist()
_TINY: Final = 1e-300
_LARGE: Final = 20
_STEPS: Final = 240
"""Intervals of Simpson's rule over the scaled chi distribution."""


def _beta_fraction(a: float, b: float, x: float) -> float:
    """Return the continued fraction of the incomplete beta function, by Lentz's method."""
    c, d = 1.0, 1.0 - (a + b) * x / (a + 1)
    d = 1 / (d if abs(d) > _TINY else _TINY)
    value = d
    for step in range(1, 20_000):
        for numerator in (
            step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step)),
            -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1)),
        ):
            d = 1 + numerator * d
            d = 1 / (d if abs(d) > _TINY else _TINY)
            c = 1 + numerator / c
            c = c if abs(c) > _TINY else _TINY
            value *= c * d
        if abs(c * d - 1) < 1e-15:  # noqa: PLR2004  one unit in the last place
            break
    return value


def _log_gamma_ratio(a: float) -> float:
    """Return ln(gamma(a + 1/2) / gamma(a)), of large a by its series: nothing cancels."""
    if a < _LARGE:
        return math.lgamma(a + 0.5) - math.lgamma(a)
    return math.log(a) / 2 - 1 / (8 * a) + 1 / (192 * a**3) - 1 / (640 * a**5) + 17 / (14336 * a**7)


def student_t_sf(t: float, freedom: float) -> float:
    """Return P(T > t) of Student's t.

    Args:
        t: any number.
        freedom: degrees of it, above 0.
    """
    if t < 0:
        return 1 - student_t_sf(-t, freedom)
    a, b, x = freedom / 2, 0.5, freedom / (freedom + t * t)
    if t == 0:
        return 0.5
    front = math.exp(
        _log_gamma_ratio(a) - math.log(math.pi) / 2
        - a * math.log1p(t * t / freedom) - b * math.log1p(freedom / (t * t))
    )  # fmt: skip
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(a, b, x) / a / 2
    return (1 - front * _beta_fraction(b, a, t * t / (freedom + t * t)) / b) / 2


@cache
def student_t_isf(p: float, freedom: float) -> float:
    """Return t with P(T > t) = p, for p up to a half, by Newton's method within bounds."""
    low, high = 0.0, 1.0
    while student_t_sf(high, freedom) > p:
        low, high = high, high * 2
    t = min(max(NORMAL.inv_cdf(1 - p), low), high)
    log_front = _log_gamma_ratio(freedom / 2) - math.log(freedom * math.pi) / 2
    for _ in range(200):
        excess = student_t_sf(t, freedom) - p
        low, high = (t, high) if excess > 0 else (low, t)
        density = math.exp(log_front - (freedom + 1) / 2 * math.log1p(t * t / freedom))
        step = t + excess / density if density > _TINY else math.inf
        following = step if low < step < high else (low + high) / 2
        if abs(following - t) <= 1e-14 * max(1.0, t):
            return following
        t = following
    return t


def t_power(shift: float, level: float, freedom: float) -> float:
    """Return how often a one-sided t test at a level sees a shift: noncentral t.

    Integrates the normal over the scaled chi distribution of the estimated deviation.

    Args:
        shift: true mean over its standard error.
        level: below a half.
        freedom: degrees of it; 0 or less can show nothing.
    """
    if freedom <= 0:
        return 0.0
    critical = student_t_isf(level, freedom)
    spread = 1 / math.sqrt(2 * freedom)
    # by the cube root of the scale: smooth at 0 however few the degrees of freedom
    low = math.pow(max(0.0, 1 - 9 * spread), 1 / 3)
    high = math.pow(1 + 11 * spread, 1 / 3)
    half = freedom / 2
    # the density's logarithm is taken from that at 1, where it is largest: nothing cancels
    log_front = math.log(2) + _log_gamma_front(half)
    total = 0.0
    width = (high - low) / _STEPS
    for place in range(_STEPS + 1):
        root = low + place * width
        if root <= 0:
            continue
        scale = root**3
        log_density = log_front - math.log(scale) + half * (2 * math.log(scale) + 1 - scale**2)
        weight = 1 if place in {0, _STEPS} else 4 if place % 2 else 2
        slope = 3 * root * root
        total += weight * slope * math.exp(log_density) * NORMAL.cdf(shift - critical * scale)
    return min(1.0, total * width / 3)


def _log_gamma_front(a: float) -> float:
    """Return ln(a^a exp(-a) / gamma(a)), of large a by Stirling's series."""
    if a < _LARGE:
        return a * math.log(a) - a - math.lgamma(a)
    series = 1 / (12 * a) - 1 / (360 * a**3) + 1 / (1260 * a**5) - 1 / (1680 * a**7)
    return math.log(a / (2 * math.pi)) / 2 - series


def binomial_terms(n: int, p: float) -> Iterator[tuple[int, float]]:
    """Yield (k, P(X = k)) of a binomial, but for what is below 1e-12 in all on either side."""
    if p <= 0 or p >= 1:
        yield (0 if p <= 0 else n), 1.0
        return
    reach = 8 * math.sqrt(n * p * (1 - p)) + 16
    centre = n * p
    for k in range(max(0, math.floor(centre - reach)), min(n, math.ceil(centre + reach)) + 1):
        yield k, math.exp(
            math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)
            + k * math.log(p) + (n - k) * math.log1p(-p)
        )  # fmt: skip


def binomial_at_least(k: int, n: int, p: float) -> float:
    """Return P(X >= k) of a binomial."""
    if k <= 0:
        return 1.0
    return min(1.0, math.fsum(chance for x, chance in binomial_terms(n, p) if x >= k))
