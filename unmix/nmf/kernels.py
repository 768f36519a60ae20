"""Loops over pixels that every search shares, serial and without the interpreter lock."""

from __future__ import annotations

import numpy as np

from .compiled import exact_kernel, kernel
from .prefetch import fetch_row, rows_ahead


@kernel
def dot_rows(X, axes, out, ahead):
    """Write out = X axes' (n, k) for rows X (n, b) and axes (k, b); asks for the rows `ahead` rows on, zero for none.

    Two rows by six axes at a time: what is loaded is used several times while it is in a register, and each row comes
    from memory once. Places beyond the last row or axis repeat it and are written twice.
    """
    last, end = len(X) - 1, len(axes) - 1
    b, zero = X.shape[1], X.dtype.type(0.0)
    for i in range(0, last + 1, 2):
        i1 = min(i + 1, last)
        if ahead > 0:
            fetch_row(X, i + ahead)
            fetch_row(X, i1 + ahead)
        for k in range(0, end + 1, 6):
            k1, k2, k3, k4, k5 = min(k + 1, end), min(k + 2, end), min(k + 3, end), min(k + 4, end), min(k + 5, end)
            s0, s1, s2, s3, s4, s5 = zero, zero, zero, zero, zero, zero
            t0, t1, t2, t3, t4, t5 = zero, zero, zero, zero, zero, zero
            for j in range(b):
                x, y = X[i, j], X[i1, j]
                e0, e1, e2, e3, e4, e5 = axes[k, j], axes[k1, j], axes[k2, j], axes[k3, j], axes[k4, j], axes[k5, j]
                s0 += e0 * x
                s1 += e1 * x
                s2 += e2 * x
                s3 += e3 * x
                s4 += e4 * x
                s5 += e5 * x
                t0 += e0 * y
                t1 += e1 * y
                t2 += e2 * y
                t3 += e3 * y
                t4 += e4 * y
                t5 += e5 * y
            out[i, k], out[i, k1], out[i, k2], out[i, k3], out[i, k4], out[i, k5] = s0, s1, s2, s3, s4, s5
            out[i1, k], out[i1, k1], out[i1, k2], out[i1, k3], out[i1, k4], out[i1, k5] = t0, t1, t2, t3, t4, t5


@kernel
def dot_new_rows(X, axes, out):
    """Write out = X axes' for rows that are not in the cache yet."""
    dot_rows(X, axes, out, rows_ahead(X))


@exact_kernel
def subtract_mixtures(X, i, stop, M, E, work):
    """Write X - M'E of four rows from i to work (4, b), zeros from `stop` on.

    M (r, n); E has rows of zeros up to a multiple of three, `padded_endmembers`. Sums keep their order, so that a row's
    answer does not depend on its place among the four.
    """
    last, b = len(M) - 1, X.shape[1]
    i1, i2, i3 = min(i + 1, stop - 1), min(i + 2, stop - 1), min(i + 3, stop - 1)
    w0, w1, w2, w3 = work[0], work[1], work[2], work[3]
    for k in range(0, last + 1, 3):
        k1, k2 = min(k + 1, last), min(k + 2, last)
        a0, a1, a2, a3 = M[k, i], M[k, i1], M[k, i2], M[k, i3]
        c0, c1, c2, c3 = M[k1, i], M[k1, i1], M[k1, i2], M[k1, i3]
        d0, d1, d2, d3 = M[k2, i], M[k2, i1], M[k2, i2], M[k2, i3]
        if k == 0:
            for j in range(b):
                e, f, g = E[0, j], E[1, j], E[2, j]
                w0[j] = X[i, j] - (a0 * e + c0 * f + d0 * g)
                w1[j] = X[i1, j] - (a1 * e + c1 * f + d1 * g)
                w2[j] = X[i2, j] - (a2 * e + c2 * f + d2 * g)
                w3[j] = X[i3, j] - (a3 * e + c3 * f + d3 * g)
            continue
        for j in range(b):
            e, f, g = E[k, j], E[k + 1, j], E[k + 2, j]
            w0[j] -= a0 * e + c0 * f + d0 * g
            w1[j] -= a1 * e + c1 * f + d1 * g
            w2[j] -= a2 * e + c2 * f + d2 * g
            w3[j] -= a3 * e + c3 * f + d3 * g
    work[stop - i :] = 0.0


def padded_endmembers(E: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return E (r, b) with rows of zeros up to a multiple of three, for `subtract_mixtures`."""
    padded = np.zeros((-(-len(E) // 3) * 3, E.shape[1]), dtype)
    padded[: len(E)] = E
    return padded


@kernel
def project_rows(X, axes, offset, out):
    """Write out[i] = axes @ X[i] - offset for every row; a value that is not finite spreads to its whole row."""
    dot_new_rows(X, axes, out)
    for i in range(len(out)):
        for k in range(out.shape[1]):
            out[i, k] -= offset[k]


@kernel
def project_places(X, places, axes, out):
    """Write out[i] = axes @ X[places[i]]; a few rows at a time are copied together in the cache."""
    n, b = len(places), X.shape[1]
    near = np.empty((16, b), X.dtype)
    for top in range(0, n, len(near)):
        size = min(len(near), n - top)
        for u in range(size):
            place = places[top + u]
            for j in range(b):
                near[u, j] = X[place, j]
        dot_rows(near[:size], axes, out[top : top + size], 0)


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
