"""The successive non-negative projection algorithm: anchors that the ones before cannot mix.

Problem: X ~ A E with pure pixels and abundances of sum at most one (papers: columns). Like successive projection, but
the residual of a pixel is its distance to the convex hull of the anchors found and the origin,

    K <- K + argmax_i min |x_i - h X_K|^2  subject to h >= 0, sum(h) <= 1,

not to their span. What other anchors mix is never an anchor, so it keeps working where endmembers are nearly dependent
(and in theory where they are dependent), with smaller error under noise than SPA. Gillis 2014.

It fails, as SPA does, where a material is never pure, and where brightness varies: it is bright mixtures that lie
outside the hull, and a dark material is never far from the origin.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .abundances import AbundanceProblem, as_matrix
from .anchors import require_rank_possible
from .signal_coordinates import first_largest, linear_coordinates, moments_of, successive_points

_BLOCK, _FIRST = 1 << 16, 1 << 12
_SLACK = 1e-9
_TABLE_CONDITION = 1e10


def successive_nonnegative_projection(X: ArrayLike, r: int) -> np.ndarray:
    """Choose r rows of X as anchors by the successive non-negative projection algorithm (SNPA).

    Distances are taken on the r leading directions of X.

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
    Gillis 2014, SIAM J. Imaging Sci. 7(2), 1420-1450.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import successive_nonnegative_projection
    >>> X = [[4.0, 0.0, 0.0], [0.0, 3.0, 0.0], [2.0, 1.0, 0.0], [0.0, 1.0, 2.0]]
    >>> successive_nonnegative_projection(X, 3)
    array([0, 1, 3])
    """
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    r = int(r)
    coordinates = linear_coordinates(X, r, moments_of(X))
    successive_points(coordinates, r)
    Y = coordinates.points
    distances = np.sqrt(np.einsum("ij,ij->i", Y, Y))
    chosen = [first_largest(distances)]
    while len(chosen) < r:
        _shorten(distances, Y, Y[chosen])
        chosen.append(first_largest(distances))
    return coordinates.rows[chosen]


def _shorten(distances: np.ndarray, Y: np.ndarray, E: np.ndarray) -> None:
    """Bring distances of the rows of Y (n, r) to a smaller hull up to date for E (k, r), where one may be the largest.

    A distance to the hull of more anchors is never longer: rows that were already nearer than the farthest is now are
    left as they are.
    """
    problem = _mixing_problem(E)
    first = np.argpartition(-distances, min(_FIRST, len(Y)) - 1)[:_FIRST]
    distances[first] = _to_hull(problem, Y[first])
    farthest = distances[first].max()
    due = distances >= farthest - _SLACK
    due[first] = False
    later = np.flatnonzero(due)
    for top in range(0, len(later), _BLOCK):
        rows = later[top : top + _BLOCK]
        distances[rows] = _to_hull(problem, Y[rows])


def _to_hull(problem: AbundanceProblem, Y: np.ndarray) -> np.ndarray:
    """Return the distance of every row of Y (n, r) to the convex hull of the problem's endmembers and the origin."""
    rest = Y - problem.solve(Y) @ problem.E
    return np.sqrt(np.einsum("ij,ij->i", rest, rest))


def _mixing_problem(E: np.ndarray) -> AbundanceProblem:
    """Return the programme with sum at most one; anchors that are nearly alike are no cause for a warning here."""
    from .programme import SHADE, programme_for
    from .quadratic import TABLE_LIMIT

    G = E @ E.T
    norms = np.sqrt(np.diag(G))
    use_table = len(E) <= TABLE_LIMIT and bool(np.linalg.cond(G / np.outer(norms, norms)) <= _TABLE_CONDITION)
    Q, R = np.eye(E.shape[1]), np.ascontiguousarray(E.T)
    return AbundanceProblem(E, "shade", Q, programme_for(R, G, SHADE, False, use_table))
