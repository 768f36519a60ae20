"""Vertex component analysis: pixels that are extreme along random directions.

Problem: X ~ A E with pure pixels, abundances of sum one times a brightness (papers: columns). Rows go to r coordinates,
by the signal-to-noise ratio:

    SNR >= 15 + 10 log10(r) dB:  y = V'x / (u'V'x), V the r leading directions of E[x x'], u the mean of V'x
                                 (projective: brightness no longer matters)
    below:                       y = [V'(x - mean), c], V the r-1 leading principal axes, c the longest V'(x - mean)

Then r times: a random direction orthogonal to the anchors so far, f = (I - A A^+) w; the next anchor is argmax |f'y|.

    SNR = 10 log10((P_r - (r / b) P) / (P - P_r)),  P the mean of |x|^2, P_r its part in the signal subspace.

Nascimento and Bioucas-Dias 2005. It fails where a material is never pure, where noise or outliers go farther than
materials, and for dark, noisy pixels, which the projective form throws far out. Another seed may give other anchors
(on noisy data): `best_by_volume` takes the best of several.
"""

from __future__ import annotations

import numbers
from dataclasses import replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import OptionError
from .abundances import as_matrix
from .anchors import require_rank_possible, successive_projection
from .signal_coordinates import (
    Moments,
    SignalCoordinates,
    affine_coordinates,
    eigenvalues,
    first_largest,
    linear_coordinates,
    moments_of,
    successive_points,
)

_DARKEST = 1e-6


def vertex_component_analysis(X: ArrayLike, r: int, *, seed: int = 0, snr: float | None = None) -> np.ndarray:
    """Choose r rows of X as anchors by vertex component analysis (VCA).

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Data, one pixel a row. Rows that are zero or not finite are never chosen. Ties go to the lowest index.
    r : int
        Number of anchors, at most the rank of X. A single anchor is the longest row.
    seed : int
        Chooses the random directions, 0 or more; the same seed gives the same anchors.
    snr : float, optional
        Signal-to-noise ratio in dB, estimated from X when not given. Give it where X has lost its noise already, by
        a projection onto few directions.

    Returns
    -------
    ndarray of int64, shape (r,)
        Row indices in the order found.

    Raises
    ------
    OptionError
        r is below 1 or above the number of rows or bands; the seed is not a whole number of at least 0; snr is NaN.
    DataError
        The rank of X is below r; the message says what it is.

    References
    ----------
    Nascimento and Bioucas-Dias 2005, IEEE TGRS 43(4), 898-910.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import vertex_component_analysis
    >>> X = [[4.0, 0.0, 1.0], [0.0, 3.0, 1.0], [2.0, 1.5, 1.0], [0.2, 0.1, 2.0]]
    >>> sorted(vertex_component_analysis(X, 3, seed=1).tolist())
    [0, 1, 3]
    """
    coordinates = _coordinates(X, r, seed, snr)
    return coordinates.rows[_extreme_points(coordinates.points, np.random.default_rng(int(seed)))]


def best_by_volume(X: ArrayLike, r: int, *, restarts: int = 10, seed: int = 0, snr: float | None = None) -> np.ndarray:
    """Choose r rows of X by VCA with several draws of directions: those whose simplex has the largest volume.

    Volume is that of the pixels on their r-1 leading principal axes.

    Parameters
    ----------
    X, r, seed, snr
        As in `vertex_component_analysis`.
    restarts : int
        Number of draws, at least 1; the first is that of `vertex_component_analysis` with the same seed.

    Returns
    -------
    ndarray of int64, shape (r,)
        Row indices in the order found.

    Raises
    ------
    OptionError, DataError
        As in `vertex_component_analysis`; also where `restarts` is below 1.
    """
    if isinstance(restarts, bool) or not isinstance(restarts, numbers.Integral) or restarts < 1:
        raise OptionError(f"restarts={restarts!r}: the number of draws is a whole number of at least 1.")
    coordinates = _coordinates(X, r, seed, snr)
    rng = np.random.default_rng(int(seed))
    draws = [coordinates.rows[_extreme_points(coordinates.points, rng)] for _ in range(restarts)]
    Z = _lifted(as_matrix(X, "X"), int(r), np.unique(draws))
    volumes = np.array([abs(np.linalg.det([Z[row] for row in draw])) for draw in draws])
    return draws[first_largest(volumes / (volumes.max() or 1.0))]


def _lifted(X: np.ndarray, r: int, rows: np.ndarray) -> dict[int, np.ndarray]:
    """Return the given rows on the r-1 leading principal axes, with a constant: determinants are volumes there."""
    affine = affine_coordinates(X, r, moments_of(X))
    places = np.searchsorted(affine.rows, rows)
    return dict(zip(rows.tolist(), affine.points[places], strict=True))


def signal_to_noise(X: ArrayLike, r: int) -> float:
    """Return the signal-to-noise ratio (dB) of the rows of X for r endmembers, as VCA estimates it."""
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    return _signal_to_noise(moments_of(X), int(r))


def _signal_to_noise(moments: Moments, r: int) -> float:
    total = float(np.trace(moments.second))
    signal = float(eigenvalues(moments.covariance)[:r].sum() + moments.mean @ moments.mean)
    noise = total - signal
    if noise <= 1e-12 * total:
        return np.inf
    return 10 * float(np.log10(max(signal - r / len(moments.mean) * total, 1e-300) / noise))


def _coordinates(X: ArrayLike, r: int, seed: int, snr: float | None) -> SignalCoordinates:
    """Return the coordinates in which directions are drawn, by the signal-to-noise ratio."""
    X = as_matrix(X, "X")
    require_rank_possible(r, *X.shape)
    if isinstance(seed, bool) or not isinstance(seed, numbers.Integral) or seed < 0:
        raise OptionError(f"seed={seed!r}: a seed is a whole number of at least 0.")
    if snr is not None and not (isinstance(snr, numbers.Real) and snr == snr):
        raise OptionError(f"snr={snr!r}: the signal-to-noise ratio is a number, in dB.")
    r = int(r)
    if r == 1:
        longest = successive_projection(X, 1)
        return SignalCoordinates(np.ones((1, 1)), longest, 0.0, "rank")
    moments = moments_of(X)
    snr = _signal_to_noise(moments, r) if snr is None else snr
    if snr < 15 + 10 * np.log10(r):
        affine = affine_coordinates(X, r, moments)
        successive_points(affine, r)
        return affine
    return _at_equal_brightness(linear_coordinates(X, r, moments), r)


def _at_equal_brightness(linear: SignalCoordinates, r: int) -> SignalCoordinates:
    """Return y / (u'y), u the mean of y; rows without brightness are left out."""
    u = linear.points.mean(axis=0)
    brightness = linear.points @ u
    bright = brightness > _DARKEST * float(u @ u)
    kept = replace(linear, points=linear.points[bright], rows=linear.rows[bright])
    successive_points(kept, r)
    return replace(kept, points=kept.points / brightness[bright, None])


def _extreme_points(Y: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return the r rows of Y (m, r) that are extreme along random directions, each orthogonal to those before."""
    r = Y.shape[1]
    if r == 1:
        return np.zeros(1, np.int64)
    A = np.zeros((r, r))
    A[r - 1, 0] = 1
    chosen = np.empty(r, np.int64)
    for k in range(r):
        w = rng.standard_normal(r)
        f = w - A @ (np.linalg.pinv(A) @ w)
        extents = np.abs(Y @ (f / np.linalg.norm(f)))
        chosen[k] = first_largest(extents / extents.max())
        A[:, k] = Y[chosen[k]]
    return chosen
