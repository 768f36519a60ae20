"""The second pass of a refinement over all bands, A'R with R = X - A E: serial, without the interpreter lock.

Four rows by three endmembers at a time: what is loaded is used several times while it is in a register. Places beyond
the last row or endmember repeat it and count for nothing.
"""

from __future__ import annotations

import numpy as np

from .compiled import kernel
from .kernels import subtract_mixtures

ROWS = 4
_SHORT_SUM = 32


@kernel
def gather_rows(
    X: np.ndarray, start: int, stop: int, M: np.ndarray, E: np.ndarray, work: np.ndarray, S: np.ndarray, out: np.ndarray
) -> float:
    """Add M R (r, b) to out, R = X[start:stop] - M'E, and return |R|^2.

    E is padded for `subtract_mixtures`, work is (4, b), S has the shape of E; sums of a few rows are kept in the data's
    dtype, all others in float64.
    """
    error = 0.0
    for low in range(start, stop, _SHORT_SUM):
        high = min(low + _SHORT_SUM, stop)
        S[:] = 0.0
        for i in range(low, high, ROWS):
            subtract_mixtures(X, i, high, M, E, work)
            error += _energy(work)
            _add_products(M, i, high, work, S)
        for k in range(len(out)):
            for j in range(out.shape[1]):
                out[k, j] += S[k, j]
    return error


@kernel
def _energy(work: np.ndarray) -> float:
    """Return the sum of squares of a few rows."""
    total, b = work.dtype.type(0.0), work.shape[1]
    for i in range(len(work)):
        for j in range(b):
            total += work[i, j] * work[i, j]
    return np.float64(total)


@kernel
def _add_products(M: np.ndarray, i: int, stop: int, work: np.ndarray, S: np.ndarray) -> None:
    """Add the products of four columns of M from i with the rows of work, which are zero from `stop` on."""
    last, b = len(M) - 1, work.shape[1]
    i1, i2, i3 = min(i + 1, stop - 1), min(i + 2, stop - 1), min(i + 3, stop - 1)
    for k in range(0, last + 1, 3):
        k1, k2 = min(k + 1, last), min(k + 2, last)
        a0, a1, a2, a3 = M[k, i], M[k, i1], M[k, i2], M[k, i3]
        c0, c1, c2, c3 = M[k1, i], M[k1, i1], M[k1, i2], M[k1, i3]
        d0, d1, d2, d3 = M[k2, i], M[k2, i1], M[k2, i2], M[k2, i3]
        for j in range(b):
            w0, w1, w2, w3 = work[0, j], work[1, j], work[2, j], work[3, j]
            S[k, j] += a0 * w0 + a1 * w1 + a2 * w2 + a3 * w3
            S[k + 1, j] += c0 * w0 + c1 * w1 + c2 * w2 + c3 * w3
            S[k + 2, j] += d0 * w0 + d1 * w1 + d2 * w2 + d3 * w3
