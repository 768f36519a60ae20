"""How far an answer is from a known truth; the report of an error names the recipe."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from .errors import DataError


def spectral_angle(a: ArrayLike, b: ArrayLike) -> np.ndarray:
    """Return the angle between spectra in radians (SAD), whatever their brightness.

    Parameters
    ----------
    a, b : array_like, shape (..., n_bands)
        Spectra; leading axes broadcast. Bands where either is NaN are left out of that pair.

    Returns
    -------
    ndarray, shape (...)
        Angles between 0 and pi; NaN where a spectrum is zero.

    Raises
    ------
    DataError
        The shapes do not broadcast.

    References
    ----------
    Kruse et al. 1993, Remote Sens. Environ. 44, 145-163.

    Examples
    --------
    >>> from unmix.metrics import spectral_angle
    >>> spectral_angle([1.0, 0.0], [1.0, 1.0]).round(4)
    np.float64(0.7854)
    """
    u, v = np.asarray(a, np.float64), np.asarray(b, np.float64)
    try:
        u, v = np.broadcast_arrays(u, v)
    except ValueError:
        raise DataError(f"spectra of shape {u.shape} cannot be compared with {v.shape}.") from None
    known = np.isfinite(u) & np.isfinite(v)
    u, v = np.where(known, u, 0.0), np.where(known, v, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        u = u / np.linalg.norm(u, axis=-1, keepdims=True)
        v = v / np.linalg.norm(v, axis=-1, keepdims=True)
    return 2 * np.arctan2(np.linalg.norm(u - v, axis=-1), np.linalg.norm(u + v, axis=-1))


def match_endmembers(found: ArrayLike, truth: ArrayLike) -> tuple[np.ndarray, np.ndarray]:
    """Pair found endmembers with true ones so that the sum of their spectral angles is smallest.

    Parameters
    ----------
    found : array_like, shape (r, n_bands)
    truth : array_like, shape (s, n_bands), s at most r

    Returns
    -------
    order : ndarray of int, shape (s,)
        ``found[order[k]]`` is the partner of ``truth[k]``.
    angles : ndarray, shape (s,)
        Their angles in radians.

    Raises
    ------
    DataError
        There are fewer found endmembers than true ones, or the bands differ.

    Examples
    --------
    >>> from unmix.metrics import match_endmembers
    >>> match_endmembers([[0, 1.0], [1.0, 0]], [[1.0, 0.0], [0.0, 2.0]])[0]
    array([1, 0])
    """
    from scipy.optimize import linear_sum_assignment

    F, T = np.atleast_2d(np.asarray(found, float)), np.atleast_2d(np.asarray(truth, float))
    if F.shape[1] != T.shape[1] or len(F) < len(T):
        raise DataError(f"cannot match {T.shape} true endmembers with {F.shape} found ones.")
    angles = spectral_angle(T[:, None], F[None])
    rows, columns = linear_sum_assignment(np.nan_to_num(angles, nan=np.pi))
    return columns, angles[rows, columns]


def abundance_rmse(found: ArrayLike, truth: ArrayLike) -> float:
    """Return the root mean square difference of two abundance arrays of one shape, NaN entries left out.

    Parameters
    ----------
    found, truth : array_like, any one shape
        Abundances.

    Returns
    -------
    float
        In the unit of the abundances; NaN where no entry is known in both.

    Raises
    ------
    DataError
        The shapes differ.

    Examples
    --------
    >>> from unmix.metrics import abundance_rmse
    >>> abundance_rmse([[0.0, 1.0]], [[0.6, 1.0]])  # doctest: +ELLIPSIS
    0.424...
    """
    A, B = np.asarray(found, float), np.asarray(truth, float)
    if A.shape != B.shape:
        raise DataError(f"abundances of shape {A.shape} cannot be compared with {B.shape}.")
    squares = ((A - B) ** 2)[~np.isnan(A - B)]
    return float(np.sqrt(squares.mean())) if squares.size else float("nan")
