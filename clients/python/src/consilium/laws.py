"""Quantiles of the normal law and of Student's t, so that intervals need no other package."""

from __future__ import annotations

import math
from statistics import NormalDist


def normal_quantile(probability: float) -> float:
    """The value below which a standard normal variable lies with this probability."""
    return NormalDist().inv_cdf(probability)


def t_quantile(probability: float, df: float) -> float:
    """The same for Student's t with `df` degrees of freedom, by bisection on its distribution."""
    if probability < 0.5:
        return -t_quantile(1.0 - probability, df)
    low, high = 0.0, 2.0
    while t_below(high, df) < probability and high < 1e12:
        high *= 2.0
    for _ in range(200):
        middle = 0.5 * (low + high)
        if middle in (low, high):
            break
        low, high = (middle, high) if t_below(middle, df) < probability else (low, middle)
    return 0.5 * (low + high)


def t_below(t: float, df: float) -> float:
    """The probability that Student's t lies below `t` (Abramowitz and Stegun 26.7.1)."""
    tail = 0.5 * _beta(df / (df + t * t), 0.5 * df, 0.5)
    return 1.0 - tail if t > 0 else tail


def _beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function by its continued fraction (DLMF 8.17.22)."""
    if x <= 0.0 or x >= 1.0:
        return 0.0 if x <= 0.0 else 1.0
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _beta(1.0 - x, b, a)
    tiny = 1e-300
    front = math.exp(a * math.log(x) + b * math.log1p(-x) + math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b))
    # Lentz's method, as modified by Thompson and Barnett (1986).
    ratio, d = 1.0, 1.0 - (a + b) * x / (a + 1.0)
    d = 1.0 / (d if abs(d) > tiny else tiny)
    value = d
    for m in range(1, 500):
        for part in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1.0 + part * d
            d = 1.0 / (d if abs(d) > tiny else tiny)
            ratio = 1.0 + part / (ratio if abs(ratio) > tiny else tiny)
            step = d * ratio
            value *= step
        if abs(step - 1.0) < 1e-15:
            break
    return front * value / a
