"""The loops over pixels, serial and without the interpreter lock; callers run them over blocks in threads."""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .quadratic import solve_best_subset, solve_by_active_set, solve_by_table

UNCONSTRAINED, NON_NEGATIVE, SUM_TO_ONE, SHADE = 0, 1, 2, 3


@kernel
def dot_rows(X, axes, out):
    """Write out = X axes' for rows X (n, b) and axes (k, b): two rows and four axes at a time, to share loads."""
    n, b = X.shape
    k = axes.shape[0]
    zero = X.dtype.type(0.0)
    for i in range(0, n - n % 2, 2):
        m = 0
        while m + 4 <= k:
            s0, s1, s2, s3, t0, t1, t2, t3 = zero, zero, zero, zero, zero, zero, zero, zero
            for j in range(b):
                x, y = X[i, j], X[i + 1, j]
                s0 += axes[m, j] * x
                s1 += axes[m + 1, j] * x
                s2 += axes[m + 2, j] * x
                s3 += axes[m + 3, j] * x
                t0 += axes[m, j] * y
                t1 += axes[m + 1, j] * y
                t2 += axes[m + 2, j] * y
                t3 += axes[m + 3, j] * y
            out[i, m], out[i, m + 1], out[i, m + 2], out[i, m + 3] = s0, s1, s2, s3
            out[i + 1, m], out[i + 1, m + 1], out[i + 1, m + 2], out[i + 1, m + 3] = t0, t1, t2, t3
            m += 4
        while m < k:
            s0, t0 = zero, zero
            for j in range(b):
                s0 += axes[m, j] * X[i, j]
                t0 += axes[m, j] * X[i + 1, j]
            out[i, m], out[i + 1, m] = s0, t0
            m += 1
    for i in range(n - n % 2, n):
        for m in range(k):
            s0 = zero
            for j in range(b):
                s0 += axes[m, j] * X[i, j]
            out[i, m] = s0


@kernel
def project_rows(X, axes, offset, out):
    """Write out[i] = axes @ X[i] - offset for every row; a value that is not finite spreads to its whole row."""
    dot_rows(X, axes, out)
    for i in range(len(out)):
        for k in range(out.shape[1]):
            out[i, k] -= offset[k]


@kernel
def abundances_of_rows(X, Q, R, G, P, c, P1, c1, constraint, use_table, most, A):
    """Solve every row of X (n, b) for its abundances A (n, r); rows that are not finite become NaN.

    Q (rank, b) has orthonormal rows and E = R' Q; G = R' R. P, c and P1, c1 are the tables without and with sum one.
    `most` above zero bounds the number of endmembers in a pixel; the tables must be there then.
    """
    r = R.shape[1]
    rank = R.shape[0]
    Y = np.empty((len(X), rank), X.dtype)
    dot_rows(X, Q, Y)
    f, a = np.empty(r), np.empty(r)
    g, z, L = np.empty(r), np.empty(r), np.empty((r, r))
    passive = np.empty(r, np.bool_)
    for i in range(len(X)):
        finite = True
        for m in range(rank):
            finite = finite and np.isfinite(Y[i, m])
        if not finite:
            for k in range(r):
                A[i, k] = np.nan
            continue
        for k in range(r):
            s = 0.0
            for m in range(rank):
                s += R[m, k] * Y[i, m]
            f[k] = s
        if constraint == UNCONSTRAINED:
            for k in range(r):
                s = 0.0
                for m in range(rank):
                    s += P[0, k, m] * Y[i, m]
                a[k] = s
        elif most > 0:
            free = constraint != SUM_TO_ONE
            solve_best_subset(G, f, P, c, P1, c1, most, free, constraint != NON_NEGATIVE, a, z)
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
def residual_of_rows(X, E, A, residual, squares):
    """Write the root mean square of X[i] - A[i] E over the bands (NaN where A is) and the sum of squares of X[i]."""
    n, b = X.shape
    r = len(E)
    difference = np.empty(b, X.dtype)
    for i in range(n):
        if np.isnan(A[i, 0]):
            residual[i], squares[i] = np.nan, 0.0
            continue
        size = X.dtype.type(0.0)
        for j in range(b):
            difference[j] = X[i, j]
            size += X[i, j] * X[i, j]
        for k in range(r):
            weight = A[i, k]
            if weight != 0.0:
                for j in range(b):
                    difference[j] -= weight * E[k, j]
        s = X.dtype.type(0.0)
        for j in range(b):
            s += difference[j] * difference[j]
        residual[i], squares[i] = np.sqrt(s / b), size


@kernel
def solve_tiles(X, valid, E, Q, R, G, P, c, P1, c1, constraint, use_table, most, tile, A, residual, squares):
    """Solve the rows of X tile by tile and take their residuals while the tile is still in cache; not valid is NaN."""
    n = len(X)
    for top in range(0, n, tile):
        end = min(top + tile, n)
        abundances_of_rows(X[top:end], Q, R, G, P, c, P1, c1, constraint, use_table, most, A[top:end])
        for i in range(top, end):
            if not valid[i]:
                for k in range(A.shape[1]):
                    A[i, k] = np.nan
        residual_of_rows(X[top:end], E, A[top:end], residual[top:end], squares[top:end])


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
def mean_3x3(Z, lattice, out):
    """Write the mean over the valid 3x3 neighbours of every `lattice`-th pixel of Z (h, w, k).

    NaN marks an invalid pixel and stays NaN.
    """
    h, w, k = Z.shape
    total = np.empty(k)
    for i in range(0, h, lattice):
        for j in range(0, w, lattice):
            to = out[i // lattice, j // lattice]
            if np.isnan(Z[i, j, 0]):
                for m in range(k):
                    to[m] = np.nan
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
                to[m] = total[m] / count
