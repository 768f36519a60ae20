"""Anchors beside known ones: successive projection that starts from fixed vertices, and sweeps that leave them.

Rows of Z (n_pixels, r) are lifted pixels, last column one; see `subspace`. Fixed vertices are taken first and deflated,
so that the free ones are what they do not explain; then each free vertex moves while the simplex grows.
"""

from __future__ import annotations

import numpy as np

from ..errors import DataError
from .anchors import farthest_rows, grow_volume, median_of_rows

_SWEEPS = 10
_LEAST_APART = 1e-6


def anchors_beside(Z: np.ndarray, fixed: np.ndarray, r: int, p: int) -> tuple[np.ndarray, list[np.ndarray]]:
    """Find the r - k anchors that k fixed vertices leave open.

    Parameters
    ----------
    Z : ndarray, shape (n_pixels, r)
        Lifted pixels; NaN rows are never chosen.
    fixed : ndarray, shape (k, r)
        Known vertices, lifted alike; k less than r.
    r : int
        Number of vertices in all.
    p : int
        Number of pixels whose median is one free vertex.

    Returns
    -------
    vertices : ndarray of float64, shape (r, r)
        The fixed ones first, as they were given.
    members : list of r - k ndarrays of int64
        The pixels behind each free vertex.

    Raises
    ------
    DataError
        Two fixed vertices are the same to this image, or the data have too low a rank.
    """
    basis = _orthonormal(fixed, np.empty((0, Z.shape[1])))
    if len(basis) < len(fixed):
        raise DataError(
            "two of the known endmembers cannot be told apart in this image. Give fewer, or a larger n_endmembers."
        )
    vertices, members = list(np.asarray(fixed, np.float64)), []
    known = np.isfinite(Z[:, 0])
    for _ in range(r - len(fixed)):
        rest = Z - (Z @ basis.T.astype(Z.dtype)) @ basis.astype(Z.dtype)
        lengths = np.where(known, np.einsum("ij,ij->i", rest, rest), -np.inf)
        direction = rest[int(np.argmax(lengths))].astype(np.float64)
        rows = farthest_rows(Z, direction, p)
        vertex = median_of_rows(Z[rows])
        grown = _orthonormal(vertex[None], basis)
        if len(grown) == len(basis):
            raise DataError(f"n_endmembers={r}, but beside the known ones the data carry only {len(vertices)}.")
        basis = grown
        vertices.append(vertex)
        members.append(rows)
    return grow_volume(Z, np.array(vertices), members, p, _SWEEPS)


def _orthonormal(rows: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Return an orthonormal basis grown by rows; one that lies in it already is left out."""
    for row in np.asarray(rows, np.float64):
        rest = row - (row @ basis.T) @ basis
        rest -= (rest @ basis.T) @ basis
        length = float(np.linalg.norm(rest))
        if length > _LEAST_APART * max(float(np.linalg.norm(row)), 1e-300):
            basis = np.vstack([basis, rest / length])
    return basis
