"""The table of the pivoting: how the abundances of every passive set follow from f = R'y; see `quadratic`.

Each set is inverted by its own Cholesky factor: as exact as LAPACK and, for matrices this small, ten times as fast.
"""

from __future__ import annotations

import numpy as np

from .compiled import exact_kernel
from .passive_set import factor_within


@exact_kernel
def pivot_table(G: np.ndarray, summed: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return, for every passive set, the T and t that map f to z = f T + t: abundances inside the set, slacks outside.

    The slack of an index outside is its gradient, (G a - f)_i, with the multiplier of the sum where there is one: the
    set is optimal where no z is negative.

    Parameters
    ----------
    G : ndarray of float64, shape (r, r), in C order
        Gram matrix of the endmembers, r at most `TABLE_LIMIT`.
    summed : bool
        Whether sum(a) = 1 holds.

    Returns
    -------
    T : ndarray, shape (2**r, r, width)
        ``width`` is r rounded up to a multiple of four; columns beyond r are zero.
    t : ndarray, shape (2**r, width)
    """
    r, width = len(G), -(-len(G) // 4) * 4
    T, t = np.zeros((1 << r, r, width)), np.zeros((1 << r, width))
    _fill(G, summed, T, t)
    return T, t


@exact_kernel
def no_table() -> tuple[np.ndarray, np.ndarray]:
    """Return what stands in the place of a table that is not needed."""
    return np.zeros((1, 1, 1)), np.zeros((1, 1))


@exact_kernel
def _fill(G: np.ndarray, summed: bool, T: np.ndarray, t: np.ndarray) -> None:
    """Fill in what f becomes in every set, one f at a time, and what is added to it."""
    r = len(G)
    members, W, P = np.empty(r, np.int64), np.empty((r, r)), np.empty((r, r))
    u, c = np.empty(r), np.empty(r)
    for code in range(1 << r):
        n = _invert_within(G, code, members, W, P, u)
        c[:] = 0.0
        if not summed:
            n = 0
        if n > 0:
            _hold_sum(P, c)
        for j in range(r):
            _put(G, P[j], j, code, n, T[code, j])
        _put(G, c, -1, code, n, t[code])


@exact_kernel
def _invert_within(G: np.ndarray, code: int, members: np.ndarray, W: np.ndarray, P: np.ndarray, u: np.ndarray) -> int:
    """Fill P with the inverse of G within a set, zeros outside, as W'W with W the inverse of the Cholesky factor.

    Returns how many are in the set. The factor is made where the inverse comes to lie.
    """
    n, U = 0, P
    for i in range(len(G)):
        if (code >> i) & 1:
            members[n] = i
            n += 1
    factor_within(G, members, 0, n, U, u)
    for b in range(n):
        W[b, b] = 1.0 / U[b, b]
        for a in range(b + 1, n):
            total = 0.0
            for m in range(b, a):
                total += U[m, a] * W[m, b]
            W[a, b] = -total / U[a, a]
    P[:] = 0.0
    for a in range(n):
        for b in range(a + 1):
            total = 0.0
            for m in range(a, n):
                total += W[m, a] * W[m, b]
            P[members[a], members[b]] = P[members[b], members[a]] = total
    return n


@exact_kernel
def _hold_sum(P: np.ndarray, c: np.ndarray) -> None:
    """Turn the inverse P of a set into P and c of P f + c, whose sum is one."""
    r, whole = len(c), 0.0
    for i in range(r):
        for j in range(r):
            c[i] += P[i, j]
        whole += c[i]
    for i in range(r):
        for j in range(r):
            P[i, j] -= c[i] * c[j] / whole
    for i in range(r):
        c[i] /= whole


@exact_kernel
def _put(G: np.ndarray, a: np.ndarray, j: int, code: int, n: int, z: np.ndarray) -> None:
    """Write abundances a inside the set and, outside, their gradient G a with the j-th f taken off.

    Where the sum is held, n > 0, the gradients are less the mean of the n inside: the multiplier of the sum.
    """
    r, inside = len(G), 0.0
    for i in range(r):
        gradient = -1.0 if i == j else 0.0
        for m in range(r):
            gradient += G[i, m] * a[m]
        if (code >> i) & 1:
            z[i] = a[i]
            inside += gradient
        else:
            z[i] = gradient
    if n > 0:
        for i in range(r):
            if not (code >> i) & 1:
                z[i] -= inside / n
