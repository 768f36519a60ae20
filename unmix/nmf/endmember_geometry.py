"""What every pixel's programme needs of the endmembers, and how alike they are.

Compiled: for a few pixels, preparing one call of numpy after the other took longer than solving.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from .compiled import exact_kernel

_LEAST_SINGULAR = 1e-10


class Geometry(NamedTuple):
    """E' = Q R and G = R'R; the condition of G with its endmembers at one length, and the closest two by their cosine.

    `least` and `most` are the ends of that spectrum; endmembers of length zero count in the condition alone. `dark` is
    the first that is zero in every band, -1 without one. Where E is not `finite` nothing else is known.
    """

    finite: bool
    dark: int
    Q: np.ndarray
    R: np.ndarray
    G: np.ndarray
    least: float
    most: float
    condition: float
    closest: tuple[int, int]
    cosine: float


@exact_kernel
def geometry(E):
    """Return the `Geometry` of endmembers E (r, b)."""
    finite, dark = _values_of(E)
    if not finite:
        empty = np.empty((0, 0))
        return Geometry(False, dark, empty, empty, empty, 0.0, 0.0, np.inf, (0, 0), 0.0)
    basis, upper = np.linalg.qr(E.T)
    Q, R = np.ascontiguousarray(basis), np.ascontiguousarray(upper)
    G = np.ascontiguousarray(R.T) @ R
    lit = np.flatnonzero(np.diag(G) > 0.0)
    cosines = np.empty((len(lit), len(lit)))
    closest, cosine = (0, 0), -np.inf
    for a in range(len(lit)):
        for b in range(len(lit)):
            i, j = lit[a], lit[b]
            cosines[a, b] = G[i, j] / np.sqrt(G[i, i] * G[j, j])
            if a < b and cosines[a, b] > cosine:
                closest, cosine = (i, j), cosines[a, b]
    least, most = 1.0, 1.0
    if len(lit) > 1:
        spectrum = np.linalg.eigvalsh(cosines)
        least, most = spectrum[0], spectrum[-1]
    condition = most / least if least > 0.0 and len(lit) == len(G) else np.inf
    return Geometry(True, dark, Q, R, G, least, most, condition, closest, cosine)


@exact_kernel
def _values_of(E):
    """Say whether all values are finite, and which row is the first without any but zero, -1 where there is none."""
    finite, dark = True, -1
    for i in range(len(E)):
        lit = False
        for value in E[i]:
            finite &= np.isfinite(value)
            lit |= value != 0.0
        if dark < 0 and not lit:
            dark = i
    return finite, dark


@exact_kernel
def solutions_with_all(R):
    """Return M, M1 and m1: M y is least |y - R a|, M1 y + m1 the same with sum(a) = 1."""
    M = _inverse_of_triangle(R) if _is_regular(R) else np.ascontiguousarray(np.linalg.pinv(R, _LEAST_SINGULAR))
    r, rank = M.shape
    along, column = np.zeros(rank), np.zeros(r)
    for i in range(r):
        for j in range(rank):
            along[j] += M[i, j]
    total = 0.0
    for i in range(r):
        for j in range(rank):
            column[i] += M[i, j] * along[j]
        total += column[i]
    M1 = np.empty((r, rank))
    for i in range(r):
        column[i] /= total if total != 0.0 else 1.0
        for j in range(rank):
            M1[i, j] = M[i, j] - column[i] * along[j]
    return M, M1, column


@exact_kernel
def inverse_of(M):
    """Return M M': the inverse of G where M is that of R."""
    r, rank = M.shape
    H = np.zeros((r, r))
    for i in range(r):
        for j in range(r):
            for k in range(rank):
                H[i, j] += M[i, k] * M[j, k]
    return H


@exact_kernel
def _is_regular(R):
    """Say whether no endmember lies among those before it, as far as numbers can tell."""
    rank, r = R.shape
    for j in range(r):
        length = 0.0
        for i in range(min(j + 1, rank)):
            length += R[i, j] ** 2
        if j >= rank or abs(R[j, j]) <= _LEAST_SINGULAR * np.sqrt(length):
            return False
    return True


@exact_kernel
def _inverse_of_triangle(R):
    """Return the inverse of R, upper triangular, a row after the other from the last."""
    r = len(R)
    M = np.zeros((r, r))
    for i in range(r - 1, -1, -1):
        M[i, i] = 1.0
        for k in range(i + 1, r):
            for j in range(k, r):
                M[i, j] -= R[i, k] * M[k, j]
        for j in range(i, r):
            M[i, j] /= R[i, i]
    return M
