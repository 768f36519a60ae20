"""The inner loops of the multiplicative update of a beta-divergence, serial and without the interpreter lock."""

from __future__ import annotations

import numpy as np

from .compiled import kernel

_NEWTON_STEPS = 6
_LARGEST_FACTOR = 1e6


@kernel
def multiply_divergence(
    M: np.ndarray,
    start: int,
    stop: int,
    P: np.ndarray,
    Q: np.ndarray,
    slope: np.ndarray,
    curvature: np.ndarray,
    fixed: np.ndarray,
    beta: float,
    least: float,
) -> None:
    """Multiply M by the factor that minimises the majoriser of the beta-divergence and the terms, for beta below 2.

    P and Q (r, at least stop - start) are the two parts of the loss's gradient, Q - P. No value goes below `least`.
    """
    wide = slope.shape[1] > 1
    for k in range(len(M)):
        if fixed[k]:
            continue
        for i in range(start, stop):
            place = i if wide else 0
            h = np.float64(M[k, i])
            p, q = np.float64(P[k, i - start]), np.float64(Q[k, i - start])
            g, c = np.float64(slope[k, place]), np.float64(curvature[k, place]) * h
            M[k, i] = max(h * min(_factor(p, q, g, c, beta), _LARGEST_FACTOR), least)


@kernel
def _factor(p: float, q: float, g: float, c: float, beta: float) -> float:
    """Return t > 0 where q t^max(beta - 1, 0) - p t^(beta - 2) + g + c (t - 1) vanishes, or a point before it from 1.

    The left side is increasing and concave: Newton from the left and the chord from the right never pass the root.
    """
    if q + g <= 0.0 and c <= 0.0:
        return 1.0
    if c == 0.0 and g >= 0.0:
        power = 1.0 / (2.0 - beta) if beta < 1.0 else 1.0
        return (p / (q + g)) ** power
    if beta == 1.0:
        half = 0.5 * (q + g - c)
        root = np.sqrt(half * half + c * p)
        return (root - half) / c if half <= 0.0 and c > 0.0 else p / (root + half)
    t, value = 1.0, q - p + g
    if value > 0.0:
        left = (p / (q + max(g, 0.0))) ** (1.0 / (2.0 - beta))
        if beta > 1.0:
            left = max(left, 1.0 - value / (q * (beta - 1.0) + c))
            t = _root_of_log_bound(p, q, g, c)
        value = _slope_at(t, p, q, g, c, beta)
        for _ in range(_NEWTON_STEPS):
            if not (0.0 < left < t and value > 0.0):
                break
            value_left = _slope_at(left, p, q, g, c, beta)
            if not value_left < 0.0:
                break
            t -= value * (t - left) / (value - value_left)
            left -= value_left / _rise_at(left, p, q, c, beta)
            value = _slope_at(t, p, q, g, c, beta)
        return t if p > 0.0 or beta > 1.0 else max(0.0, (c - q - g) / c) if c > 0.0 else 0.0
    for _ in range(_NEWTON_STEPS):
        rise = _rise_at(t, p, q, c, beta)
        if not rise > 0.0:
            break
        t -= min(_slope_at(t, p, q, g, c, beta), 0.0) / rise
    return t


@kernel
def _root_of_log_bound(p: float, q: float, g: float, c: float) -> float:
    """Return the root of q t + g + c (t - 1) - p / t, which lies between the factor's root and one."""
    half, square = 0.5 * (g - c), q + c
    root = np.sqrt(half * half + square * p)
    return (root - half) / square if half <= 0.0 else p / (root + half)


@kernel
def _rise_at(t: float, p: float, q: float, c: float, beta: float) -> float:
    rise = c + p * (2.0 - beta) * t ** (beta - 3.0)
    return rise + q * (beta - 1.0) * t ** (beta - 2.0) if beta > 1.0 else rise


@kernel
def _slope_at(t: float, p: float, q: float, g: float, c: float, beta: float) -> float:
    grows = q * t ** (beta - 1.0) if beta > 1.0 else q
    return grows - p * t ** (beta - 2.0) + g + c * (t - 1.0)
