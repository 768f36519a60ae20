"""Preconditioned successive projection: the data are made round first, then successive projection is run on them.

Problem: X ~ A E with pure pixels (papers: columns). The error of successive projection grows with the square of the
condition of E. On the r leading directions, y = V'x, the ellipsoid of least volume that is centred at the origin and
holds every pixel,

    min -log det B  subject to  y'B y <= 1 for every pixel,  B positive definite,

satisfies E B E' = I without noise, so E B^(1/2) is perfectly conditioned, whatever E is, and successive projection runs
on B^(1/2) y. Gillis and Vavasis 2015.

The ellipsoid is found through its dual, max log det sum_i u_i y_i y_i' over weights u (D-optimal design), by the
Wolfe-Atwood steps of Todd and Yildirim 2007 (Khachiyan's algorithm with steps away from points), on a small set of
pixels to which those that stick out are added until none does.

It fails where a material is never pure, where outliers or bright mixtures own the ellipsoid, and it makes the noise of
weak directions as long as the signal of strong ones.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConvergenceWarning, warn
from .abundances import as_matrix
from .anchors import require_rank_possible, successive_projection
from .signal_coordinates import SignalCoordinates, linear_coordinates, moments_of, successive_points

_TOLERANCE = 1e-5
_MOST_STEPS = 50_000
_REFRESH = 200
_ADDED = 64


def preconditioned_successive_projection(X: ArrayLike, r: int) -> np.ndarray:
    """Choose r rows of X as anchors by successive projection preconditioned with the enclosing ellipsoid (PSPA).

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Data, one pixel a row. Rows that are zero or not finite are never chosen. Ties go to the lowest index.
    r : int
        Number of anchors, at most the rank of X. A single anchor is the longest row.

    Returns
    -------
    ndarray of int64, shape (r,)
        Row indices in the order found. Without noise all anchors are equally long once preconditioned, so that their
        order means nothing.

    Raises
    ------
    OptionError
        r is below 1 or above the number of rows or bands.
    DataError
        The rank of X is below r; the message says what it is.

    References
    ----------
    Gillis and Vavasis 2015, SIAM J. Optim. 25(1), 677-698; Todd and Yildirim 2007, Discrete Appl. Math. 155(13),
    1731-1744.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import preconditioned_successive_projection
    >>> preconditioned_successive_projection([[4.0, 0.0], [0.0, 0.1], [2.0, 0.05]], 2)
    array([0, 1])
    """
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    r = int(r)
    if r == 1:
        return successive_projection(X, 1)
    linear = linear_coordinates(X, r, moments_of(X))
    start = successive_points(linear, r)
    Y = linear.points @ np.linalg.inv(linear.points[start])
    round_points = Y @ np.linalg.cholesky(enclosing_ellipsoid(Y, start))
    return linear.rows[successive_points(SignalCoordinates(round_points, linear.rows, 0.0, "rank"), r)]


def enclosing_ellipsoid(Y: np.ndarray, start: np.ndarray, tolerance: float = _TOLERANCE) -> np.ndarray:
    """Return the ellipsoid y'B y <= 1 of least volume around the origin that holds every row of Y, as B (r, r).

    Parameters
    ----------
    Y : ndarray of float64, shape (m, r)
        Points; r at least 2.
    start : ndarray of int, shape (r,)
        Rows of Y that are linearly independent.
    tolerance : float
        No row sticks out by more than this, as a share of y'B y.
    """
    r = Y.shape[1]
    support, weights = start, np.full(len(start), 1 / len(start))
    while True:
        weights = _design(Y[support], weights, tolerance / 2)
        support, weights = support[weights > 0], weights[weights > 0]
        inverse = np.linalg.inv((Y[support].T * weights) @ Y[support])
        sizes = np.einsum("ij,ij->i", Y @ inverse, Y)
        sizes[support] = 0.0
        outside = np.flatnonzero(sizes > r * (1 + tolerance))
        if not len(outside):
            return inverse / r
        worst = outside[np.argsort(-sizes[outside], kind="stable")[:_ADDED]]
        support, weights = np.concatenate([support, worst]), np.concatenate([weights, np.zeros(len(worst))])


def _design(C: np.ndarray, weights: np.ndarray, tolerance: float) -> np.ndarray:
    """Return the weights u (k,), sum one, that maximise log det sum u_i c_i c_i' to the tolerance, from given ones.

    With sizes w_i = c_i' M^-1 c_i, M = sum u_i c_i c_i', the optimum has w <= r, and w = r wherever u > 0. Each step
    moves weight towards the point that sticks out most, or away from the one that lies deepest inside.
    """
    r = C.shape[1]
    u = weights.copy()
    for step in range(_MOST_STEPS):
        if step % _REFRESH == 0:
            u /= u.sum()
            inverse = np.linalg.inv((C.T * u) @ C)
            w = np.einsum("ij,ij->i", C @ inverse, C)
        out = int(np.argmax(w))
        deep = int(np.argmin(np.where(u > 0, w, np.inf)))
        if max(w[out] - r, r - w[deep]) <= tolerance * r:
            return u
        towards = w[out] - r > r - w[deep]
        j = out if towards else deep
        size = w[j]
        if towards:
            share = (size - r) / (r * (size - 1))
        else:
            most = u[j] / (1 - u[j])
            share = -min((r - size) / (r * (size - 1)), most) if size > 1 else -most
        u *= 1 - share
        u[j] = 0.0 if not towards and share == -most else u[j] + share
        scale = share / (1 - share + share * size)
        along = inverse @ C[j]
        w = (w - scale * (C @ along) ** 2) / (1 - share)
        inverse = (inverse - scale * np.outer(along, along)) / (1 - share)
    warn(
        "the enclosing ellipsoid was not found to its tolerance; the last one is used to precondition the data.",
        ConvergenceWarning,
    )
    return u
