"""The compiled loop of `poisson_abundances`: one pixel after the other, in float64."""

from __future__ import annotations

import numpy as np

from .active_set import solve_by_active_set
from .compiled import exact_kernel
from .passive_set import room_for

_TOLERANCE = 1e-7
_MOST_STEPS, _MOST_HALVINGS = 100, 40
_RIDGE = 1e-10


@exact_kernel
def poisson_rows(X, E, valid, A):
    """Fill A (n, r) with the abundances of least divergence of valid rows of X (n, b); return how many missed it."""
    n, b = X.shape
    r = len(E)
    x, m, before = np.empty(b), np.empty(b), np.empty(b)
    a, z, d, f = np.empty(r), np.empty(r), np.empty(r), np.empty(r)
    G, passive = np.empty((r, r)), np.empty(r, np.bool_)
    members, work = room_for(r)
    total = E.sum()
    n_missed = 0
    for i in range(n):
        if not valid[i]:
            A[i] = np.nan
            continue
        light = 0.0
        for j in range(b):
            x[j] = max(X[i, j], 0.0)
            light += x[j]
        a[:] = light / total
        if light == 0.0:
            A[i] = 0.0
            continue
        least = 1e-12 * light
        value = _divergence(x, a, E, m, least)
        reached = False
        for _ in range(_MOST_STEPS):
            _newton(x, m, E, G, f)
            solve_by_active_set(G, f, False, passive, z, members, work)
            value, moved = _towards(x, a, z, d, E, m, before, least, value)
            if moved <= _TOLERANCE * a.sum():
                reached = True
                break
        n_missed += not reached
        A[i] = a
    return n_missed


@exact_kernel
def _divergence(x, a, E, m, least):
    """Fill the model m = a E and return the divergence of x from it, up to what does not depend on a."""
    value = 0.0
    for j in range(len(x)):
        s = 0.0
        for k in range(len(a)):
            s += a[k] * E[k, j]
        m[j] = max(s, least)
        value += m[j]
        if x[j] > 0.0:
            value -= x[j] * np.log(m[j])
    return value


@exact_kernel
def _newton(x, m, E, G, f):
    """Fill the quadratic programme that the divergence is at the model m; a little ridge where x has too few bands."""
    r = len(f)
    for k in range(r):
        s = 0.0
        for j in range(len(x)):
            s += E[k, j] * (2.0 * x[j] / m[j] - 1.0)
        f[k] = s
        for q in range(k + 1):
            s = 0.0
            for j in range(len(x)):
                if x[j] > 0.0:
                    s += E[k, j] * E[q, j] * x[j] / (m[j] * m[j])
            G[k, q] = s
            G[q, k] = s
    trace = 0.0
    for k in range(r):
        trace += G[k, k]
    for k in range(r):
        G[k, k] += _RIDGE * trace


@exact_kernel
def _towards(x, a, z, d, E, m, before, least, value):
    """Move a towards z as far as the divergence falls; return the divergence and the largest move.

    No band with light loses more than nine tenths of its model in one step: where the model is nearly nothing, the
    quadratic programme says nothing about the divergence.
    """
    d[:] = z - a
    before[:] = m
    step = 1.0
    for _ in range(_MOST_HALVINGS):
        for k in range(len(a)):
            z[k] = max(a[k] + step * d[k], 0.0)
        new = _divergence(x, z, E, m, least)
        trusted = new <= value
        for j in range(len(x)):
            trusted = trusted and (x[j] == 0.0 or m[j] > 0.1 * before[j])
        if trusted:
            moved = 0.0
            for k in range(len(a)):
                moved = max(moved, abs(z[k] - a[k]))
                a[k] = z[k]
            return new, moved
        step *= 0.5
    return _divergence(x, a, E, m, least), 0.0
