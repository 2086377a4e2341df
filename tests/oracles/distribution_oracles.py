"""Distribution functions to 30 digits, computed another way than in the database.

Incomplete beta: the continued fraction of Abramowitz and Stegun 26.5.8 by the modified Lentz
algorithm in mpmath, on the side of the mean where it converges. Quantiles are judged by the
probability that they really have.
"""

from __future__ import annotations

from functools import cache

from mpmath import mp, mpf

Number = float | mpf
_DIGITS = 40
_HALF = mpf("0.5")


@cache
def beta_inc(a: Number, b: Number, x: Number, *, upper: bool = False) -> mpf:
    """Give I_x(a, b), or its complement, for a, b > 0 and 0 <= x <= 1."""
    with mp.workdps(_DIGITS):
        return _tail(mpf(a), mpf(b), mpf(x), 1 - mpf(x), upper=upper)


@cache
def student_t_p_value(t: Number, df: Number) -> mpf:
    """Give P(|T| > |t|)."""
    with mp.workdps(_DIGITS):
        square, freedom = mpf(t) ** 2, mpf(df)
        total = freedom + square
        return _tail(freedom / 2, _HALF, freedom / total, square / total, upper=False)


@cache
def student_t_quantile_error(quantile: float, q: float, df: float) -> mpf:
    """Give the relative error of a quantile: (area - wanted area) / (t f(t)), to first order."""
    with mp.workdps(_DIGITS):
        square, freedom, t = mpf(quantile) ** 2, mpf(df), abs(mpf(quantile))
        x, y = freedom / (freedom + square), square / (freedom + square)
        area = _tail(freedom / 2, _HALF, x, y, upper=False)
        slope = t * mp.exp(
            mp.loggamma((freedom + 1) / 2)
            - mp.loggamma(freedom / 2)
            - mp.log(freedom * mp.pi) / 2
            - (freedom + 1) / 2 * mp.log1p(square / freedom)
        )
        return abs(area / 2 - min(mpf(q), 1 - mpf(q))) / slope


@cache
def beta_quantile_error(quantile: float, q: float, a: float, b: float) -> mpf:
    """Give the relative error of a quantile: (probability - q) / (x f(x)), to first order."""
    with mp.workdps(_DIGITS):
        x, y = mpf(quantile), 1 - mpf(quantile)
        probability = _tail(mpf(a), mpf(b), x, y, upper=False)
        return abs(probability - mpf(q)) * y / mp.exp(_log_prefix(mpf(a), mpf(b), x, y))


def _tail(a: mpf, b: mpf, x: mpf, y: mpf, *, upper: bool) -> mpf:
    if x == 0 or y == 0:
        return mpf((x == 0) == upper)
    if x * (a + b) > a:
        return _tail(b, a, y, x, upper=not upper)
    lower = mp.exp(_log_prefix(a, b, x, y)) / a * _continued_fraction(a, b, x)
    return 1 - lower if upper else lower


def _log_prefix(a: mpf, b: mpf, x: mpf, y: mpf) -> mpf:
    log_beta = mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)
    return a * mp.log(x) + b * mp.log(y) - log_beta


def _continued_fraction(a: mpf, b: mpf, x: mpf) -> mpf:
    c = mpf(1)
    d = 1 / (1 - (a + b) * x / (a + 1))
    value = d
    for m in range(1, 200_000):
        even = m * (b - m) * x / ((a - 1 + 2 * m) * (a + 2 * m))
        d = 1 / (1 + even * d)
        c = 1 + even / c
        value *= c * d
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 1 + 2 * m))
        d = 1 / (1 + odd * d)
        c = 1 + odd / c
        value *= c * d
        if abs(c * d - 1) < mpf("1e-30"):
            return value
    message = "the continued fraction did not converge"
    raise ArithmeticError(message)
