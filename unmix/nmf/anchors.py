"""Anchors by successive projection: the pixels that are pure, found one after the other.

Problem: X ~ A E with pure pixels, so that the rows of E are among the rows of X (papers: columns). Every row of X lies
in the convex hull of those and zero, so the row of largest norm is a vertex. Take it, project everything onto its
orthogonal complement, repeat: r steps, no parameter, exact without noise.

Literal form: Araujo et al. 2001; Gillis and Vavasis 2014, IEEE TPAMI 36(4), 698-714. Residual norms are updated in
place of the residuals, |P x|^2 <- |P x|^2 - (q'x)^2; the best candidates are recomputed in float64 before one is
chosen. Smoothed form: Nadisic, Gillis and Kervazo 2021 (arXiv 2110.05528), the median of the p pixels that go
farthest. It fails where a material is never pure, and (literal form) where noise or outliers go farther than materials;
a dark material is never far from zero: lift the data first (`subspace`).
"""

from __future__ import annotations

import numbers
from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError
from .abundances import as_matrix

_CANDIDATES = 100
_RANK_TOLERANCE = 1e-10
_LOOK = 4096


def successive_projection(X: ArrayLike, r: int) -> np.ndarray:
    """Choose r rows of X as anchors by the literal successive projection algorithm.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Data, one pixel a row. Rows that are zero or not finite are never chosen. Ties go to the lowest index.
    r : int
        Number of anchors, at most the rank of X.

    Returns
    -------
    ndarray of int64, shape (r,)
        Row indices in the order found.

    Raises
    ------
    OptionError
        r is below 1 or above the number of rows or bands.
    DataError
        The rank of X is below r; the message says what it is.

    References
    ----------
    Gillis and Vavasis 2014, IEEE TPAMI 36(4), 698-714.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import successive_projection
    >>> successive_projection([[1.0, 1.0], [0.0, 3.0], [2.0, 0.0], [0.0, 0.0]], 2)
    array([1, 2])
    """
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    norms = _squared_norms(X)
    largest = norms.max()
    if largest <= 0:
        raise DataError("X has no row that is finite and not zero.")
    basis = np.empty((0, X.shape[1]))
    chosen: list[int] = []
    for step in range(int(r)):
        index, rest = _farthest(X, norms, basis, largest)
        length = np.linalg.norm(rest)
        if length**2 <= _RANK_TOLERANCE * largest * (1 if X.dtype == np.float32 else 1e-10):
            raise DataError(f"r={r} anchors asked for, but the data have rank {step}. Ask for at most {step}.")
        direction = rest / length
        chosen.append(index)
        basis = np.vstack([basis, direction])
        norms -= (X @ direction.astype(X.dtype)).astype(np.float64) ** 2
        norms[np.isnan(norms)] = -np.inf
    return np.array(chosen, np.int64)


def _squared_norms(X: np.ndarray) -> np.ndarray:
    """Return the squared norm of each row in float64, minus infinity where a row is not finite."""
    norms = np.einsum("ij,ij->i", X, X).astype(np.float64)
    norms[~np.isfinite(norms)] = -np.inf
    return norms


def _farthest(X: np.ndarray, norms: np.ndarray, basis: np.ndarray, largest: float) -> tuple[int, np.ndarray]:
    """Return the row with the largest residual and that residual, judged in float64 among the best candidates.

    Candidates are the best rows and the first of those that rounding cannot tell from the best.
    """
    count = min(_CANDIDATES, len(norms))
    best_rows = np.argpartition(-norms, count - 1)[:count]
    rounding = 32 * np.finfo(X.dtype).eps * largest
    near = np.union1d(best_rows, np.flatnonzero(norms >= norms[best_rows].max() - rounding)[:_CANDIDATES])
    near = near[norms[near] > -np.inf]
    rest = X[near].astype(np.float64)
    for _ in range(2):
        rest -= (rest @ basis.T) @ basis
    lengths = np.einsum("ij,ij->i", rest, rest)
    best = int(np.argmax(lengths >= lengths.max() * (1 - 1e-12)))
    return int(near[best]), rest[best]


def smoothed_successive_projection(Z: ArrayLike, r: int, p: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Choose r vertices, each the median of the p rows that go farthest in the direction of the farthest residual.

    Parameters
    ----------
    Z : array_like, shape (n_pixels, d)
        Data, usually lifted; d at least r. NaN rows are never chosen.
    r : int
        Number of vertices.
    p : int
        Number of rows behind each vertex, at most n_pixels; 1 is the literal algorithm.

    Returns
    -------
    vertices : ndarray of float64, shape (r, d)
    members : list of r ndarrays of int64
        Row indices behind each vertex, farthest first.

    Raises
    ------
    OptionError
        r or p is not a whole number that the shape of Z can hold.
    DataError
        The rank of Z is below r; the message says what it is.

    References
    ----------
    Nadisic, Gillis and Kervazo 2021, arXiv 2110.05528.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import smoothed_successive_projection
    >>> Z = np.array([[4.0, 0.1], [4.2, 0.0], [3.9, 0.1], [0.0, 2.0], [0.2, 2.1], [0.1, 1.9], [1.0, 1.0]])
    >>> vertices, members = smoothed_successive_projection(Z, 2, 3)
    >>> vertices
    array([[4. , 0.1],
           [0.1, 2. ]])
    """
    Z = as_matrix(Z, "Z")
    require_rank_possible(r, *Z.shape)
    if isinstance(p, bool) or not isinstance(p, (int, np.integer)) or not 1 <= p <= len(Z):
        raise OptionError(f"p={p!r}: the number of rows behind a vertex is a whole number from 1 to {len(Z)}.")
    norms = _squared_norms(Z)
    largest = float(norms.max())
    if largest <= 0:
        raise DataError("no row is finite and not zero.")
    basis = np.empty((0, Z.shape[1]))
    vertices, members = [], []
    for step in range(int(r)):
        _, direction = _farthest(Z, norms, basis, largest)
        rows = farthest_rows(Z, direction, p)
        vertex = median_of_rows(Z[rows])
        rest = vertex - (vertex @ basis.T) @ basis
        length = np.linalg.norm(rest)
        if length <= 1e-9 * max(float(np.linalg.norm(vertex)), 1e-300):
            raise DataError(f"{r} endmembers asked for, but the data have rank {step}. Ask for at most {step}.")
        vertices.append(vertex)
        members.append(rows)
        basis = np.vstack([basis, rest / length])
        norms -= (Z @ basis[-1].astype(Z.dtype)).astype(np.float64) ** 2
        norms[np.isnan(norms)] = -np.inf
    return np.array(vertices), members


def farthest_rows(Z: np.ndarray, direction: np.ndarray, p: int) -> np.ndarray:
    """Return the p rows of Z with the largest product with `direction`, farthest first; ties go to the lowest index.

    A strided look at the rows gives a bound that some 2 p of them pass; one pass collects those, and only they are
    ordered. Where the bound was too high or too low, it is moved.
    """
    from .kernels import rows_above

    n, direction = len(Z), np.ascontiguousarray(direction, Z.dtype)
    rows, scores = np.empty(min(n, 8 * p + 1024), np.int64), np.empty(min(n, 8 * p + 1024), Z.dtype)
    look = Z[:: max(1, n // _LOOK)] @ direction
    look = np.sort(look[np.isfinite(look)])[::-1]
    wanted = 2.0 * p + n // _LOOK
    while True:
        place = int(wanted * len(look) / n)
        bound = look[place] if place < len(look) else -np.inf
        count = rows_above(Z, direction, Z.dtype.type(bound), rows, scores)
        if count > len(rows):
            rows, scores = np.empty(n, np.int64), np.empty(n, Z.dtype)
        elif count >= min(p, n) or bound == -np.inf:
            break
        else:
            wanted *= 4
    found, score = rows[:count], scores[:count]
    order = np.lexsort((found, -score))[:p]
    return found[order]


def median_of_rows(rows: np.ndarray) -> np.ndarray:
    """Return the median of each column, float64, NaN of no rows: sorted as rows, in a seventh of `np.median`'s time."""
    ordered, n = np.sort(np.ascontiguousarray(rows.T), axis=1), len(rows)
    if n == 0:
        return np.full(rows.shape[1], np.nan)
    return 0.5 * (ordered[:, (n - 1) // 2].astype(np.float64) + ordered[:, n // 2])


def grow_volume(
    Z: np.ndarray, vertices: np.ndarray, members: list[np.ndarray], p: int, sweeps: int = 10
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Move each vertex in turn to the p-row median that makes the simplex largest, until none moves.

    With the other vertices fixed, volume is linear in the one that moves: |h(z)| with h the row of the inverse vertex
    matrix, so the best rows are the farthest along +h or -h (N-FINDR's search, Winter 1999, with medians).
    """

    def farthest(direction: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        rows = farthest_rows(Z, direction, p)
        return median_of_rows(Z[rows]), rows

    return grow_by(farthest, vertices, members, sweeps)


def grow_by(
    farthest: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    vertices: np.ndarray,
    members: list[np.ndarray],
    sweeps: int,
) -> tuple[np.ndarray, list[np.ndarray]]:
    """Do the sweeps of `grow_volume`; ``farthest(direction)`` returns a vertex and the rows behind it.

    Where there are fewer `members` than vertices, the vertices before them are known and stay.
    """
    vertices, members = vertices.copy(), list(members)
    n_known, n_free = len(vertices) - len(members), len(members)
    still = -1  # vertices looked at since one moved, itself not counted
    for turn in range(sweeps * n_free):
        k, still = turn % n_free, still + 1
        direction = np.linalg.inv(vertices)[:, n_known + k]
        best = 1.0 + 1e-9
        for sign in (1.0, -1.0):
            vertex, rows = farthest(sign * direction)
            volume = abs(float(vertex @ direction))
            if volume > best:
                best, still = volume, 0
                vertices[n_known + k], members[k] = vertex, rows
        if still >= n_free - 1:
            break
    return vertices, members


def require_rank_possible(r: int, n_rows: int, n_columns: int) -> None:
    """Refuse a number of anchors that the shape of the data cannot hold."""
    if isinstance(r, bool) or not isinstance(r, numbers.Real) or r < 1 or r % 1 != 0:
        raise OptionError(f"r={r!r}: the number of anchors is a whole number of at least 1.")
    if r > min(n_rows, n_columns):
        raise OptionError(f"r={r} needs at least {r} rows and {r} columns; X has {n_rows} and {n_columns}.")
