"""The signal subspace and the affine lift: z = [C^(-1/2) V' (x - mean); 1].

V holds the r-1 leading principal axes, C their variances: pixels that mix r endmembers with abundances of sum one fill
a simplex of r-1 dimensions there, whatever the endmembers' brightness. The constant row turns vertices of that simplex
into linearly independent vectors, so that successive projection finds dark materials too, which have no length of
their own. Second moments come from a sample and are taken in float64.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from .threads import each, thread_count

_RANK_TOLERANCE = 1e-11
_LOOK, _PART = 256, 2048


@dataclass(frozen=True)
class Subspace:
    """Mean, principal axes and variances of a sample.

    Parameters
    ----------
    mean : ndarray of float64, shape (n_bands,)
    axes : ndarray of float64, shape (n_bands, n_bands)
        Principal axes, one a row, in order of falling variance.
    variances : ndarray of float64, shape (n_bands,)
        Variance along each axis, never negative.
    """

    mean: np.ndarray
    axes: np.ndarray
    variances: np.ndarray

    @property
    def rank(self) -> int:
        """Number of axes with variance above the rounding of float32 data."""
        size = max(float(self.variances[0]), float(self.mean @ self.mean))
        return int((self.variances > _RANK_TOLERANCE * size).sum())

    @cached_property
    def covariance(self) -> np.ndarray:
        """Covariance of the sample, shape (n_bands, n_bands)."""
        return (self.axes.T * self.variances) @ self.axes

    @cached_property
    def moment_axes(self) -> tuple[np.ndarray, np.ndarray]:
        """Eigenvalues (n_bands,) of the sample's second moment, largest first, and eigenvectors, one a row."""
        values, vectors = np.linalg.eigh(self.covariance + np.outer(self.mean, self.mean))
        return np.maximum(values[::-1], 0), vectors[:, ::-1].T

    def noise(self, r: int) -> float:
        """Variance of the white noise a band, judged by the axes that r endmembers leave out."""
        left = self.variances[r:]
        return float(np.median(left)) if len(left) else 0.0

    def lift(self, r: int) -> tuple[np.ndarray, np.ndarray]:
        """Return the matrix (r-1, n_bands) and offset (r-1,) that whiten onto the leading r-1 axes."""
        whiten = self.axes[: r - 1] / np.sqrt(self.variances[: r - 1])[:, None]
        return whiten, whiten @ self.mean

    def unlift(self, Z: np.ndarray) -> np.ndarray:
        """Return the spectra (n, n_bands) of lifted points (n, r), on the affine subspace."""
        k = Z.shape[1] - 1
        return self.mean + (Z[:, :k] * np.sqrt(self.variances[:k])) @ self.axes[:k]


def signal_subspace(sample: np.ndarray, threads: int | None = None) -> Subspace:
    """Return the mean and principal axes of a sample (n, n_bands), in float64; the same at any number of threads."""
    n = len(sample)
    near = sample[:: max(1, n // _LOOK)].mean(axis=0, dtype=np.float64)

    def moments(top: int) -> tuple[np.ndarray, np.ndarray]:
        rest = sample[top : top + _PART].astype(np.float64)
        rest -= near
        return rest.sum(axis=0), rest.T @ rest

    parts = each(moments, range(0, n, _PART), thread_count(threads))
    off = sum(first for first, _ in parts) / n
    return subspace_of(near + off, sum(second for _, second in parts) / n - np.outer(off, off))


def subspace_of(mean: np.ndarray, covariance: np.ndarray) -> Subspace:
    """Return the subspace with this mean (n,) and covariance (n, n)."""
    variances, axes = np.linalg.eigh(covariance)
    n_bands = len(mean)
    axes = axes[:, ::-1].T
    signs = np.sign(axes[np.arange(n_bands), np.abs(axes).argmax(axis=1)])
    return Subspace(mean, axes * signs[:, None], np.maximum(variances[::-1], 0.0))
