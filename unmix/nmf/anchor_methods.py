"""Anchors by name: every method that chooses rows of X, under one signature, for teaching, comparison and as a start.

Two methods find vertices that are medians of several rows; here they answer with the row nearest to each median.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from ..errors import OptionError
from .abundances import as_matrix
from .adaptive import adaptive_anchors, lift_at_equal_brightness
from .anchors import require_rank_possible, smoothed_successive_projection, successive_projection
from .n_findr import nfindr
from .preconditioned import preconditioned_successive_projection
from .signal_coordinates import eigenvalues, first_largest, linear_coordinates, moments_of, successive_points
from .snpa import successive_nonnegative_projection
from .vca import vertex_component_analysis

_SMOOTHED_SHARE = 0.005


def smoothed_anchors(X: ArrayLike, r: int) -> np.ndarray:
    """Choose the r rows of X nearest to the vertices of smoothed successive projection, 0.5 % of the rows a vertex.

    Below 400 rows a vertex is one row and the algorithm literal.
    """
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    coordinates = linear_coordinates(X, int(r), moments_of(X))
    successive_points(coordinates, int(r))
    Y = coordinates.points
    vertices, members = smoothed_successive_projection(Y, int(r), max(1, int(_SMOOTHED_SHARE * len(Y))))
    return coordinates.rows[[nearest_row(Y, v, m) for v, m in zip(vertices, members, strict=True)]]


def adaptive_rows(X: ArrayLike, r: int) -> np.ndarray:
    """Choose the r rows of X nearest to the vertices of the search whose smoothing follows the noise (`adaptive`).

    Rows of a matrix have no neighbours: nothing is averaged over 3x3 pixels, as it is in an image.
    """
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    r = int(r)
    if r == 1:
        return successive_projection(X, 1)
    moments = moments_of(X)
    coordinates = linear_coordinates(X, r, moments)
    successive_points(coordinates, r)
    alone = np.full((2 * len(coordinates.points), 1, r), np.nan)
    alone[::2, 0] = coordinates.points
    lift = lift_at_equal_brightness(alone, coordinates.points.mean(axis=0))
    left = eigenvalues(moments.covariance)[r:] / moments.longest**2
    misfit = eigenvalues(moments.second)[r : r + 1].sum() / moments.longest**2
    anchors = adaptive_anchors(lift, float(np.median(left)) if len(left) else 0.0, float(misfit))
    Z = lift.F.reshape(-1, r - 1)
    nearest = [nearest_row(Z, v[: r - 1], m) for v, m in zip(anchors.vertices, anchors.members, strict=True)]
    return coordinates.rows[np.array(nearest) // 2]


def nearest_row(Z: np.ndarray, vertex: np.ndarray, rows: np.ndarray) -> int:
    """Return that of the given rows of Z which is nearest to the vertex; ties go to the lowest index."""
    rows = np.sort(rows)
    return int(rows[first_largest(-np.sqrt(((Z[rows] - vertex) ** 2).sum(axis=1)))])


ANCHOR_METHODS: dict[str, Callable[..., np.ndarray]] = {
    "spa": successive_projection,
    "pspa": preconditioned_successive_projection,
    "snpa": successive_nonnegative_projection,
    "vca": vertex_component_analysis,
    "nfindr": nfindr,
    "smoothed": smoothed_anchors,
    "adaptive": adaptive_rows,
}
"""Functions of (X, r) that return row indices (r,); those in `RANDOM_METHODS` take a seed too."""

RANDOM_METHODS = ("vca",)


def find_anchors(X: ArrayLike, r: int, method: str = "spa", *, seed: int = 0) -> np.ndarray:
    """Choose r rows of X as anchors by a method given by name.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Data, one pixel a row. Rows that are zero or not finite are never chosen. Ties go to the lowest index.
    r : int
        Number of anchors, at most the rank of X.
    method : {'spa', 'pspa', 'snpa', 'vca', 'nfindr', 'smoothed', 'adaptive'}
        Literal, preconditioned and non-negative successive projection; vertex component analysis; N-FINDR; the rows
        nearest to the medians of smoothed successive projection, and of the search that follows the noise.
    seed : int
        Random methods only (``vca``).

    Returns
    -------
    ndarray of int64, shape (r,)
        Row indices in the order found.

    Raises
    ------
    OptionError
        The method is not known; r is below 1 or above the number of rows or bands.
    DataError
        The rank of X is below r; the message says what it is.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import find_anchors
    >>> find_anchors([[1.0, 1.0], [0.0, 3.0], [2.0, 0.0], [0.0, 0.0]], 2, "nfindr")
    array([1, 2])
    """
    if not isinstance(method, str) or method not in ANCHOR_METHODS:
        raise OptionError(f"method={method!r} is not known. Use one of {', '.join(ANCHOR_METHODS)}.")
    if method in RANDOM_METHODS:
        return ANCHOR_METHODS[method](X, r, seed=seed)
    return ANCHOR_METHODS[method](X, r)
