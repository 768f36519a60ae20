"""How many endmembers a matrix holds: curves and counts to choose by; rows of X (n_pixels, n_bands) are pixels.

The knee of the log anchor-fit error bends where another endmember stops helping; it stands where noise is structured,
as in real scenes. The number of eigenvalues of the noise-whitened second moment above what noise alone reaches is
nearly exact where noise is independent and variability low, and far too high elsewhere: HFC, its noise-whitened form
and HySime share that fate and are here to compare with.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .abundances import abundance_problem
from .anchors import grow_volume, smoothed_successive_projection
from .subspace import Subspace, signal_subspace

_FIT_PIXELS = 4000
_LEAST_MEMBERS, _MEMBER_SHARE = 5, 0.005
_LEAST_ERROR = 1e-9
_EDGE_MARGIN = 1.05
_FALSE_ALARM = 1e-3
_RIDGE = 1e-10


@dataclass(frozen=True)
class EigenvalueCounts:
    """Numbers of spectrally distinct signals, each by its own rule.

    Parameters
    ----------
    above_noise : int
        Eigenvalues of the noise-whitened second moment above the largest that white noise gives.
    hfc, nwhfc : int
        Harsanyi, Farrand and Chang's virtual dimensionality at a false alarm rate of 1e-3, without and with whitening.
    hysime : int
        Bioucas-Dias and Nascimento's subspace of least mean squared error.
    """

    above_noise: int
    hfc: int
    nwhfc: int
    hysime: int


def anchor_spectra(X: np.ndarray, r: int, space: Subspace | None = None) -> np.ndarray:
    """Return r anchor spectra (r, n_bands): medians of the pixels at the vertices of the lifted rows of X.

    Parameters
    ----------
    X : ndarray, shape (n_pixels, n_bands)
        Additive values, finite.
    r : int
        Number of anchors; at most one more than the rank of the rows about their mean.
    space : Subspace, optional
        `signal_subspace` of X, where the caller has it already.

    Returns
    -------
    ndarray of float64, shape (r, n_bands)
        Never negative.

    Raises
    ------
    DataError
        The data cannot carry so many anchors.
    """
    p = min(len(X), max(_LEAST_MEMBERS, int(_MEMBER_SHARE * len(X))))
    if r == 1:
        brightest = np.argsort(-(X @ X.mean(axis=0, dtype=np.float64)), kind="stable")[:p]
        return np.maximum(np.median(X[brightest].astype(np.float64), axis=0), 0)[None]
    space = signal_subspace(X) if space is None else space
    if space.rank < r - 1:
        raise DataError(f"{r} anchors asked for, but the rank is {space.rank}. Ask for at most {space.rank + 1}.")
    axes, offset = space.lift(r)
    Z = np.ones((len(X), r), np.float32)
    Z[:, : r - 1] = X @ axes.T.astype(X.dtype) - offset
    vertices, members = smoothed_successive_projection(Z, r, p)
    _, members = grow_volume(Z, vertices, members, p)
    return np.array([np.maximum(np.median(X[rows].astype(np.float64), axis=0), 0) for rows in members])


def anchor_fit_errors(X: np.ndarray, max_rank: int) -> np.ndarray:
    """Return the root mean square residual of X for 1 to max_rank anchors with non-negative abundances.

    Anchors are those of `anchor_spectra`; one that is zero in every band (a dark background) adds nothing. The curve
    ends early, with fewer than `max_rank` entries, where the data cannot carry more anchors.
    """
    space = signal_subspace(X)
    sample = np.ascontiguousarray(X[:: max(1, len(X) // _FIT_PIXELS)], np.float64)
    errors: list[float] = []
    for r in range(1, min(max_rank, space.rank + 1, X.shape[1], len(X)) + 1):
        try:
            E = anchor_spectra(X, r, space)
        except DataError:
            break
        errors.append(residual_of_fit(sample, E[E.any(axis=1)]))
    return np.array(errors)


def residual_of_fit(X: np.ndarray, E: np.ndarray) -> float:
    """Return the root mean square of X - A E with the best non-negative A; that of X where E has no row."""
    if len(E) == 0:
        return float(np.sqrt(np.mean(X**2)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # too many anchors are alike: that is what the curve shows
        A = abundance_problem(E, "non_negative").solve(X)
    return float(np.sqrt(np.mean((X - A @ E) ** 2)))


def knee(errors: np.ndarray) -> int:
    """Return the number of anchors (from 1) where the log of falling errors bends most, below its own chord.

    Parameters
    ----------
    errors : array_like, shape (n,)
        Error of 1, 2, ..., n anchors; made falling by its running minimum.

    Returns
    -------
    int
        1 to n.

    Examples
    --------
    >>> from unmix.nmf.rank import knee
    >>> knee([1.0, 0.3, 0.1, 0.01, 0.009, 0.008, 0.008])
    4
    """
    errors = np.asarray(errors, np.float64)
    if len(errors) < 3 or errors[0] <= 0:
        return 1 if len(errors) < 2 or errors[0] <= 0 else int(np.argmin(errors)) + 1
    level = np.log(np.minimum.accumulate(np.maximum(errors, _LEAST_ERROR * errors[0])))
    chord = np.linspace(level[0], level[-1], len(level))
    return int(np.argmax(chord - level)) + 1


def eigenvalue_counts(X: np.ndarray) -> EigenvalueCounts:
    """Count signals by four eigenvalue rules, with the noise of each band judged by regression on the others.

    Parameters
    ----------
    X : ndarray, shape (n_pixels, n_bands)
        Additive values, finite; more pixels than bands.

    Returns
    -------
    EigenvalueCounts

    References
    ----------
    Chang and Du 2004, IEEE TGRS 42(3), 608-619 (HFC, NWHFC); Bioucas-Dias and Nascimento 2008, IEEE TGRS 46(8),
    2435-2445 (HySime); Marchenko and Pastur 1967 (the largest eigenvalue of white noise).
    """
    n, b = X.shape
    if n <= b:
        raise DataError(f"{n} pixels are too few to judge the noise of {b} bands; at least {b + 1} are needed.")
    X = np.asarray(X, np.float64)
    mean = X.mean(axis=0)
    M = X.T @ X / n
    K = M - np.outer(mean, mean)
    ridged = M + _RIDGE * np.trace(M) / b * np.eye(b)
    inverse = np.linalg.inv(ridged)
    noise = n / (n - b) / np.diag(inverse)
    whiten = 1 / np.sqrt(np.outer(noise, noise))
    edge = _EDGE_MARGIN * (1 + np.sqrt(b / n)) ** 2
    return EigenvalueCounts(
        above_noise=int((np.linalg.eigvalsh(M * whiten) > edge).sum()),
        hfc=_virtual_dimensionality(M, K, n),
        nwhfc=_virtual_dimensionality(M * whiten, K * whiten, n),
        hysime=_hysime(ridged, inverse),
    )


def most_parameters(n_pixels: int, n_bands: int) -> float:
    """Return 1 / (1/n + 1/b): at so many endmembers a factorisation has as many numbers as the data; stay far below.

    Examples
    --------
    >>> from unmix.nmf.rank import most_parameters
    >>> round(most_parameters(10_000, 200), 1)
    196.1
    """
    return 1.0 / (1.0 / n_pixels + 1.0 / n_bands)


def _virtual_dimensionality(M: np.ndarray, K: np.ndarray, n: int) -> int:
    """Count the eigenvalues in which second moment and covariance differ by more than chance (Neyman-Pearson)."""
    from scipy.stats import norm

    moments, variances = np.linalg.eigvalsh(M), np.linalg.eigvalsh(K)
    spread = np.sqrt(2 * (moments**2 + variances**2) / n)
    return int((moments - variances > -norm.ppf(_FALSE_ALARM) * spread).sum())


def _hysime(M: np.ndarray, inverse: np.ndarray) -> int:
    """Count the signal eigenvectors along which power exceeds twice the noise (second moment M and its inverse)."""
    b = len(M)
    scale = 1 / np.diag(inverse)
    signal = M - 2 * np.diag(scale) + scale[:, None] * inverse * scale
    noise = np.diag(scale) + np.trace(signal) / b * 1e-5 * np.eye(b)
    _, vectors = np.linalg.eigh(signal)
    power = np.einsum("bk,bc,ck->k", vectors, M, vectors)
    return int((power > 2 * np.einsum("bk,bc,ck->k", vectors, noise, vectors)).sum())
