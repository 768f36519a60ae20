"""The quadratic programme min |y - R a|^2 within one passive set: its Cholesky factor, its solution, its gradient."""

from __future__ import annotations

import numpy as np

from .compiled import exact_kernel

LENGTHS, GRADIENT, TARGET, SOLUTION, PART, ONES, FACTOR = range(7)
"""The rows of the work space: those of the factor come last."""


@exact_kernel
def room_for(r):
    """Return work space for one pixel of r endmembers, made once for many: places for members, and numbers in rows.

    Taking memory costs as much as solving a small set, and handing on a named tuple of arrays even more.
    """
    return np.empty(r + 1, np.int64), np.empty((FACTOR + r, r))


@exact_kernel
def measure(G, f, summed, lengths):
    """Write what gradients are measured by; return the largest of f so measured.

    It is the endmember's own length where its abundance may be of any size, one with the sum.
    """
    scale = 0.0
    for i in range(len(f)):
        lengths[i] = 1.0 if summed or G[i, i] <= 0.0 else np.sqrt(G[i, i])
        scale = max(scale, abs(f[i]) / lengths[i])
    return scale


@exact_kernel
def gradient(G, f, a, members, n, summed, g):
    """Write the gradient g = G a - f, a zero but for n members; return the multiplier of the sum, zero without one."""
    r = len(f)
    for i in range(r):
        g[i] = -f[i]
    for q in range(n):
        m = members[q]
        for i in range(r):
            g[i] += a[m] * G[m, i]
    total = 0.0
    if summed:
        for q in range(n):
            total += g[members[q]]
    return -total / n if summed and n > 0 else 0.0


@exact_kernel
def factor_within(G, members, known, n, U, u):
    """Fill U with the Cholesky factor of G within n members, U'U, of which `known` columns are there already.

    Returns False where the members are dependent. Innermost loops run along memory.
    """
    for c in range(known, n):
        m = members[c]
        for i in range(c):
            u[i] = G[m, members[i]]
        rest = G[m, m]
        for i in range(c):
            u[i] /= U[i, i]
            for j in range(i + 1, c):
                u[j] -= u[i] * U[i, j]
            U[i, c] = u[i]
            rest -= u[i] * u[i]
        if rest <= 1e-13 * G[m, m]:
            return False
        U[c, c] = np.sqrt(rest)
    return True


@exact_kernel
def solve_members(f, members, n, summed, work, z):
    """Write the solution within n members to their places in z; their factor is in the work space."""
    U, u, ones = work[FACTOR:], work[PART], work[ONES]
    for i in range(n):
        u[i] = f[members[i]]
    _solve_factored(U, u, n)
    if summed:
        total, weight = 0.0, 0.0
        for i in range(n):
            ones[i] = 1.0
        _solve_factored(U, ones, n)
        for i in range(n):
            total += u[i]
            weight += ones[i]
        for i in range(n):
            u[i] += (1.0 - total) / weight * ones[i]
    for i in range(n):
        z[members[i]] = u[i]


@exact_kernel
def _solve_factored(U, u, n):
    """Solve U'U x = u in place."""
    for i in range(n):
        u[i] /= U[i, i]
        for j in range(i + 1, n):
            u[j] -= u[i] * U[i, j]
    for i in range(n - 1, -1, -1):
        total = u[i]
        for j in range(i + 1, n):
            total -= U[i, j] * u[j]
        u[i] = total / U[i, i]
