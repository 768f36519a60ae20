"""Loops over pixels that every search shares, serial and without the interpreter lock."""

from __future__ import annotations

import numpy as np

from .compiled import kernel


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
