"""The loops over pixels, serial and without the interpreter lock; callers run them over blocks in threads."""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .quadratic import solve_by_active_set, solve_by_table

UNCONSTRAINED, NON_NEGATIVE, SUM_TO_ONE, SHADE = 0, 1, 2, 3


@kernel
def project_rows(X, axes, offset, out):
    """Write out[i] = axes @ X[i] - offset for every row; a value that is not finite spreads to its whole row."""
    n, b = X.shape
    for i in range(n):
        for k in range(axes.shape[0]):
            s = X.dtype.type(0.0)
            for j in range(b):
                s += axes[k, j] * X[i, j]
            out[i, k] = s - offset[k]


@kernel
def abundances_of_rows(X, Q, R, G, P, c, P1, c1, constraint, use_table, A):
    """Solve every row of X (n, b) for its abundances A (n, r); rows that are not finite become NaN.

    Q (r, b) has orthonormal rows and E = R' Q; G = R' R. P, c and P1, c1 are the tables without and with sum one.
    """
    n, b = X.shape
    r = R.shape[1]
    rank = R.shape[0]
    y, f, a = np.empty(rank), np.empty(r), np.empty(r)
    g, z, L = np.empty(r), np.empty(r), np.empty((r, r))
    passive = np.empty(r, np.bool_)
    for i in range(n):
        finite = True
        for k in range(rank):
            s = X.dtype.type(0.0)
            for j in range(b):
                s += Q[k, j] * X[i, j]
            y[k] = s
            finite = finite and np.isfinite(s)
        if not finite:
            for k in range(r):
                A[i, k] = np.nan
            continue
        for k in range(r):
            s64 = 0.0
            for m in range(rank):
                s64 += R[m, k] * y[m]
            f[k] = s64
        if constraint == UNCONSTRAINED:
            for k in range(r):
                s64 = 0.0
                for m in range(r):
                    s64 += P[0, k, m] * f[m]
                a[k] = s64
        else:
            summed = constraint == SUM_TO_ONE
            if not summed:
                _solve(G, f, P, c, False, use_table, a, g, z, passive, L)
                total = 0.0
                for k in range(r):
                    total += a[k]
                summed = constraint == SHADE and total > 1.0
            if summed:
                _solve(G, f, P1, c1, True, use_table, a, g, z, passive, L)
        for k in range(r):
            A[i, k] = a[k]


@kernel
def _solve(G, f, P, c, summed, use_table, a, g, z, passive, L):
    if not (use_table and solve_by_table(G, f, P, c, summed, a, g)):
        solve_by_active_set(G, f, summed, a, g, z, passive, L)


@kernel
def residual_of_rows(X, E, A, out):
    """Write the root mean square of X[i] - A[i] E over the bands (n,); NaN where A is NaN."""
    n, b = X.shape
    r = len(E)
    difference = np.empty(b, X.dtype)
    for i in range(n):
        if np.isnan(A[i, 0]):
            out[i] = np.nan
            continue
        for j in range(b):
            difference[j] = X[i, j]
        for k in range(r):
            weight = A[i, k]
            if weight != 0.0:
                for j in range(b):
                    difference[j] -= weight * E[k, j]
        s = X.dtype.type(0.0)
        for j in range(b):
            s += difference[j] * difference[j]
        out[i] = np.sqrt(s / b)


@kernel
def rows_above(Z, direction, least, rows, scores):
    """Collect the rows of Z whose product with `direction` is at least `least`; return how many there are.

    Stops short, with a count above their number, where `rows` and `scores` cannot hold them all.
    """
    n, k = Z.shape
    count = 0
    for i in range(n):
        s = Z.dtype.type(0.0)
        for m in range(k):
            s += Z[i, m] * direction[m]
        if s >= least:
            if count == len(rows):
                return count + 1
            rows[count], scores[count] = i, s
            count += 1
    return count


@kernel
def mean_3x3(Z, out):
    """Write the mean over each pixel's valid 3x3 neighbours (h, w, k); NaN marks an invalid pixel and stays NaN."""
    h, w, k = Z.shape
    total = np.empty(k)
    for i in range(h):
        for j in range(w):
            if np.isnan(Z[i, j, 0]):
                for m in range(k):
                    out[i, j, m] = np.nan
                continue
            count = 0
            total[:] = 0.0
            for u in range(max(i - 1, 0), min(i + 2, h)):
                for v in range(max(j - 1, 0), min(j + 2, w)):
                    if not np.isnan(Z[u, v, 0]):
                        count += 1
                        for m in range(k):
                            total[m] += Z[u, v, m]
            for m in range(k):
                out[i, j, m] = total[m] / count
