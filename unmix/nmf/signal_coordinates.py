"""Pixels in few coordinates: every usable row of X on the directions that matter, where anchors are sought.

Linear: y = V'x, V the r leading directions of the second moment E[x x'] (the truncated SVD).
Affine: z = [V'(x - mean), c], V the r-1 leading principal axes and c the length of the longest V'(x - mean), so that
a simplex of r vertices becomes r linearly independent vectors.

Zero rows and rows that are not finite are left out. Moments and coordinates are float64, in units of the longest row,
and take n r numbers. It fails where a material is so rare or faint that it lies outside the leading directions.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .threads import one_blas_thread

_BLOCK = 1 << 19
_TIE = 1e-12
_ROUNDING = {np.dtype(np.float32): 1e-5, np.dtype(np.float64): 1e-10}


@dataclass(frozen=True)
class SignalCoordinates:
    """Coordinates of the usable rows, and which rows of X those are.

    Parameters
    ----------
    points : ndarray of float64, shape (m, r)
        The longest row of X has length one.
    rows : ndarray of int64, shape (m,)
        Ascending.
    rounding : float
        Lengths below this are the rounding of the data.
    rank_name : str
        What the number of independent points is called.
    """

    points: np.ndarray
    rows: np.ndarray
    rounding: float
    rank_name: str


@dataclass(frozen=True)
class Moments:
    """First and second moments of the usable rows of X.

    Parameters
    ----------
    rows : ndarray of int64, shape (m,)
    mean : ndarray of float64, shape (b,)
    second : ndarray of float64, shape (b, b)
        Mean of x x'.
    longest : float
        Length of the longest row.
    """

    rows: np.ndarray
    mean: np.ndarray
    second: np.ndarray
    longest: float

    @property
    def covariance(self) -> np.ndarray:
        return self.second - np.outer(self.mean, self.mean)


def moments_of(X: np.ndarray) -> Moments:
    """Return the moments of the rows of X (n, b) that are finite and not zero."""
    with one_blas_thread():
        return _moments(X)


def _moments(X: np.ndarray) -> Moments:
    n, b = X.shape
    total, second, longest = np.zeros(b), np.zeros((b, b)), 0.0
    usable = []
    for top in range(0, n, _rows(b)):
        part = X[top : top + _rows(b)].astype(np.float64)
        with np.errstate(all="ignore"):
            squared = np.einsum("ij,ij->i", part, part)
        keep = np.isfinite(squared) & (squared > 0)
        if not keep.all():
            part, squared = part[keep], squared[keep]
        usable.append(top + np.flatnonzero(keep))
        total += part.sum(axis=0)
        second += part.T @ part
        longest = max(longest, float(squared.max(initial=0.0)))
    rows = np.concatenate(usable)
    if not len(rows):
        raise DataError("X has no row that is finite and not zero.")
    return Moments(rows, total / len(rows), second / len(rows), float(np.sqrt(longest)))


def linear_coordinates(X: np.ndarray, r: int, moments: Moments) -> SignalCoordinates:
    """Return the usable rows of X on the r leading directions of their second moment."""
    axes = _leading(moments.second, r)
    points = _project(X, moments, np.zeros(X.shape[1]), axes)
    return SignalCoordinates(points, moments.rows, _ROUNDING[X.dtype], "rank")


def affine_coordinates(X: np.ndarray, r: int, moments: Moments) -> SignalCoordinates:
    """Return the usable rows of X on their r-1 leading principal axes, with a constant beside them."""
    axes = _leading(moments.covariance, r - 1)
    points = _project(X, moments, moments.mean, axes, spare=1)
    points[:, r - 1] = np.sqrt(np.einsum("ij,ij->i", points[:, : r - 1], points[:, : r - 1]).max()) or 1.0
    return SignalCoordinates(points, moments.rows, _ROUNDING[X.dtype], "affine rank")


def successive_points(coordinates: SignalCoordinates, r: int) -> np.ndarray:
    """Return r linearly independent points by literal successive projection, as positions among the usable rows.

    Raises
    ------
    DataError
        The points span fewer than r dimensions; the message says how many.
    """
    rest = coordinates.points.copy()
    chosen: list[int] = []
    for step in range(r):
        lengths = np.sqrt(np.einsum("ij,ij->i", rest, rest))
        farthest = first_largest(lengths)
        if lengths[farthest] <= coordinates.rounding:
            known = f"the data have {coordinates.rank_name} {step}"
            raise DataError(f"r={r} anchors asked for, but {known}. Ask for at most {step}.")
        chosen.append(farthest)
        direction = rest[farthest] / lengths[farthest]
        rest -= np.outer(rest @ direction, direction)
    return np.array(chosen, np.int64)


def first_largest(values: np.ndarray, tie: float = _TIE) -> int:
    """Return the position of the largest value; values within `tie` of it count as equal, and the first one wins."""
    return int(np.argmax(values >= values.max() - tie))


def eigenvalues(matrix: np.ndarray) -> np.ndarray:
    """Return the eigenvalues of a symmetric matrix, largest first, never negative."""
    with one_blas_thread():
        return np.maximum(np.linalg.eigvalsh(matrix)[::-1], 0.0)


def _leading(matrix: np.ndarray, count: int) -> np.ndarray:
    """Return the leading eigenvectors (count, b), each with its largest entry positive."""
    with one_blas_thread():
        axes = np.linalg.eigh(matrix)[1][:, ::-1].T[:count]
    signs = np.sign(axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)])
    return axes * signs[:, None]


def _project(X: np.ndarray, moments: Moments, origin: np.ndarray, axes: np.ndarray, spare: int = 0) -> np.ndarray:
    """Return axes @ (x - origin) of every usable row in units of the longest row, with `spare` columns left free.

    Equal rows get equal coordinates to the last bit, so that ties are ties.
    """
    from .kernels import project_rows

    axes = np.ascontiguousarray(axes)
    points = np.empty((len(moments.rows), len(axes) + spare))
    step = _rows(X.shape[1])
    for top in range(0, len(points), step):
        rows = moments.rows[top : top + step]
        whole = rows[-1] - rows[0] == len(rows) - 1
        values = X[rows[0] : rows[-1] + 1] if whole else X[rows]
        part = np.empty((len(rows), len(axes)))
        project_rows(values, axes, axes @ origin, part)
        points[top : top + step, : len(axes)] = part / moments.longest
    return points


def _rows(n_bands: int) -> int:
    """Return how many rows are turned into float64 at once."""
    return max(1, _BLOCK // n_bands)
