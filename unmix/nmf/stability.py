"""How far an answer holds when the data are looked at again: split halves, matched replicates, consensus of restarts.

Rows of X (n_pixels, n_bands) are pixels; E (r, n_bands) endmembers.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..errors import DataError
from .rank import anchor_spectra

FAR_ANGLE = 0.1
"""A replicate farther from its endmember than this, in radians, is another spectrum."""
LOW_HIGH = (0.05, 0.95)

_CONSENSUS_PIXELS = 300
_CONSENSUS_BANDS = 40
_SWEEPS = 40
_TINY = 1e-12


def angles_between(E: np.ndarray, F: np.ndarray) -> np.ndarray:
    """Return the angles in radians (r, s) between every row of E (r, n_bands) and of F (s, n_bands)."""
    U = E / np.maximum(np.linalg.norm(E, axis=1, keepdims=True), _TINY)
    V = F / np.maximum(np.linalg.norm(F, axis=1, keepdims=True), _TINY)
    apart = np.linalg.norm(U[:, None] - V[None], axis=2)
    together = np.linalg.norm(U[:, None] + V[None], axis=2)
    return 2 * np.arctan2(apart, together)


def match_rows(found: np.ndarray, reference: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Pair rows one to one by least total angle (Hungarian); ``found[order[k]]`` is the partner of ``reference[k]``.

    Parameters
    ----------
    found, reference : ndarray, shape (r, n_bands)

    Returns
    -------
    order : ndarray of int, shape (r,)
    angles : ndarray, shape (r,)
        Radians.
    """
    from scipy.optimize import linear_sum_assignment

    angles = angles_between(reference, found)
    rows, order = linear_sum_assignment(angles)
    return order, angles[rows, order]


def split_half_angles(X: np.ndarray, max_rank: int, seed: int = 0) -> np.ndarray:
    """Return, for 1 to max_rank anchors, the largest angle between the anchors of two random halves of the rows.

    Parameters
    ----------
    X : ndarray, shape (n_pixels, n_bands)
        Additive values, finite.
    max_rank : int
        Largest number of anchors.
    seed : int
        Chooses the halves.

    Returns
    -------
    ndarray, shape (max_rank,)
        Radians, after matching; NaN where a half cannot carry so many anchors. Small means that another half of the
        pixels says the same.
    """
    from .subspace import signal_subspace

    order = np.random.default_rng(seed).permutation(len(X))
    halves = [np.ascontiguousarray(X[np.sort(part)]) for part in np.array_split(order, 2)]
    spaces = [signal_subspace(half) for half in halves]
    worst = np.full(max_rank, np.nan)
    for r in range(1, max_rank + 1):
        try:
            first, second = (anchor_spectra(half, r, space) for half, space in zip(halves, spaces, strict=True))
        except DataError:
            break
        worst[r - 1] = match_rows(first, second)[1].max()
    return worst


def cophenetic_correlations(X: np.ndarray, max_rank: int, restarts: int, seed: int = 0) -> np.ndarray:
    """Return, for 2 to max_rank, how alike the clusterings of random-start NMF restarts are (Brunet's consensus).

    Each restart factors a few hundred pixels from random non-negative starts and puts every pixel with its largest
    abundance; the consensus matrix holds how often two pixels fall together, and its cophenetic correlation is 1 where
    they always or never do.

    Parameters
    ----------
    X : ndarray, shape (n_pixels, n_bands)
        Additive values; negative ones count as zero.
    max_rank : int
        Largest number of endmembers.
    restarts : int
        Restarts at each number; 0 gives NaN everywhere.
    seed : int
        Chooses the starts.

    Returns
    -------
    ndarray, shape (max_rank,)
        NaN at 1.

    References
    ----------
    Brunet et al. 2004, PNAS 101(12), 4164-4169.
    """
    correlations = np.full(max_rank, np.nan)
    if restarts < 2 or len(X) < 3:
        return correlations
    few = np.maximum(_fewer_bands(X[:: max(1, len(X) // _CONSENSUS_PIXELS)][:_CONSENSUS_PIXELS]), 0)
    for r in range(2, min(max_rank, min(few.shape)) + 1):
        together = np.zeros((len(few), len(few)))
        for restart in range(restarts):
            groups = _random_start_groups(few, r, np.random.default_rng([seed, r, restart]))
            together += groups[:, None] == groups[None]
        correlations[r - 1] = _cophenetic(together / restarts)
    return correlations


def _fewer_bands(X: np.ndarray) -> np.ndarray:
    """Return neighbouring bands averaged so that a few dozen are left, float64."""
    edges = np.unique(np.linspace(0, X.shape[1], min(_CONSENSUS_BANDS, X.shape[1]) + 1).astype(int))
    return np.add.reduceat(X.astype(np.float64), edges[:-1], axis=1) / np.diff(edges)


def _random_start_groups(X: np.ndarray, r: int, rng: np.random.Generator) -> np.ndarray:
    """Factor X by HALS from a random start and return the endmember of which each row has most (n,)."""
    A = rng.random((len(X), r))
    E = rng.random((r, X.shape[1])) * X.mean()
    for _ in range(_SWEEPS):
        XE, EE = X @ E.T, E @ E.T
        for k in range(r):
            A[:, k] = np.maximum(A[:, k] + (XE[:, k] - A @ EE[:, k]) / max(EE[k, k], _TINY), 0)
        AX, AA = A.T @ X, A.T @ A
        for k in range(r):
            E[k] = np.maximum(E[k] + (AX[k] - AA[k] @ E) / max(AA[k, k], _TINY), 0)
    return np.argmax(A * np.linalg.norm(E, axis=1), axis=1)


def _cophenetic(together: np.ndarray) -> float:
    """Return the correlation between consensus distances and those of their average-linkage tree."""
    from scipy.cluster.hierarchy import cophenet, linkage
    from scipy.spatial.distance import squareform

    distances = squareform(1 - together, checks=False)
    if np.ptp(distances) == 0:
        return 1.0
    heights = cophenet(linkage(distances, "average"))
    if np.ptp(heights) == 0:
        return 1.0
    return float(np.corrcoef(distances, heights)[0, 1])


@dataclass(frozen=True)
class Spread:
    """How endmembers scatter over replicates that were matched to a reference.

    Parameters
    ----------
    replicates : ndarray, shape (n, r, n_bands)
        Matched: ``replicates[:, k]`` are those of reference endmember k.
    angles : ndarray, shape (n, r)
        To the reference, in radians.
    std, low, high : ndarray, shape (r, n_bands)
        Standard deviation and the 5 % and 95 % quantiles about the reference.
    moved : ndarray, shape (r,)
        Share of replicates that, seen in the span of the reference (noise aside), are farther from it than 0.1 rad or
        than half way to its nearest neighbour.
    """

    replicates: np.ndarray
    angles: np.ndarray
    std: np.ndarray
    low: np.ndarray
    high: np.ndarray
    moved: np.ndarray


def spread_of(reference: np.ndarray, replicates: np.ndarray) -> Spread:
    """Match replicates (n, r, n_bands) to a reference (r, n_bands) and measure how they scatter.

    The band is the reference plus and minus the quantiles of the replicates about their median, never below zero where
    no replicate is: resampling moves vertices inwards, and that shift is no part of the spread.
    """
    matched = np.empty_like(replicates)
    angles = np.empty(replicates.shape[:2])
    for k, found in enumerate(replicates):
        order, angles[k] = match_rows(found, reference)
        matched[k] = found[order]
    apart = angles_between(reference, reference) + 2 * np.pi * np.eye(len(reference))
    limit = np.minimum(FAR_ANGLE, 0.5 * apart.min(axis=1))
    span = np.linalg.qr(reference.T)[0]
    inside = np.array([np.diag(angles_between(reference @ span, found @ span)) for found in matched])
    middle = np.median(matched, axis=0)
    low, high = reference + np.quantile(matched, LOW_HIGH, axis=0) - middle
    low = np.maximum(low, np.minimum(matched.min(axis=0), reference))
    return Spread(matched, angles, matched.std(axis=0, ddof=1), low, high, (inside > limit).mean(axis=0))
