"""N-FINDR: the r pixels whose simplex has the largest volume.

Problem: pixels that mix r endmembers with abundances of sum one lie in a simplex of r-1 dimensions, and no simplex of
pixels is larger than that of the pure ones (papers: columns):

    max_K |det [Z_K]|,   Z = [V'(x - mean), 1], V the r-1 leading principal axes.

With the other vertices fixed the determinant is linear in the one that moves: replacing vertex k by pixel z multiplies
the volume by |h'z| with h column k of the inverse vertex matrix. Each vertex in turn moves to the pixel that makes the
simplex largest, until none moves; the start is successive projection. Volume never falls. Winter 1999.

It finds dark materials too. It fails where a material is never pure, where brightness varies (the largest simplex then
has bright and dark pixels of one material as vertices), and a single outlier is always a vertex; the maximum found is
one over single moves, not over all sets.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .abundances import as_matrix
from .anchors import require_rank_possible, successive_projection
from .signal_coordinates import affine_coordinates, first_largest, moments_of, successive_points

_GAIN = 1e-9


def nfindr(X: ArrayLike, r: int) -> np.ndarray:
    """Choose r rows of X as anchors by N-FINDR: the simplex of largest volume.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Data, one pixel a row. Rows that are zero or not finite are never chosen. Ties go to the lowest index.
    r : int
        Number of anchors, at most one more than the number of dimensions the rows span around their mean. A single
        anchor has no simplex: it is the longest row.

    Returns
    -------
    ndarray of int64, shape (r,)
        Row indices; vertex k is the one that replaced the k-th of successive projection.

    Raises
    ------
    OptionError
        r is below 1 or above the number of rows or bands.
    DataError
        The rows span fewer than r-1 dimensions around their mean; the message says how many anchors they can give.

    References
    ----------
    Winter 1999, Proc. SPIE 3753, 266-275.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import nfindr
    >>> nfindr([[0.1, 0.1], [0.9, 0.1], [0.4, 0.3], [0.1, 0.8]], 2)
    array([1, 3])
    """
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    r = int(r)
    if r == 1:
        return successive_projection(X, 1)
    coordinates = affine_coordinates(X, r, moments_of(X))
    vertices = grow_simplex(coordinates.points, successive_points(coordinates, r))
    return coordinates.rows[vertices]


def grow_simplex(Z: np.ndarray, vertices: np.ndarray) -> np.ndarray:
    """Move each vertex (r,) in turn to the row of Z (m, r) that makes |det Z[vertices]| largest, until none moves."""
    vertices = vertices.copy()
    moved = True
    while moved:
        moved = False
        for k in range(len(vertices)):
            gains = np.abs(Z @ np.linalg.inv(Z[vertices])[:, k])
            best = first_largest(gains, _GAIN)
            if gains[best] > 1 + _GAIN:
                vertices[k], moved = best, True
    return vertices
