"""Abundances of photon counts: for every row x of X, the a >= 0 of least Kullback-Leibler divergence of x from a E.

Counts of photons scatter by the square root of their mean. Least squares takes them all for equally sure and lets the
bright bands decide; the divergence is the likelihood of the counts and weighs them as they are. It is convex: a damped
Newton method, whose quadratic programmes are solved exactly, finds its minimum in 5 to 10 steps a pixel. It knows
nothing of the detector's gain, and needs the dark level to be subtracted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConvergenceWarning, DataError, warn
from .abundances import abundance_problem, as_matrix


@dataclass(frozen=True)
class PoissonProblem:
    """What every pixel shares; small, so that block tasks can carry it."""

    E: np.ndarray

    def fill_maps(
        self, X: np.ndarray, valid: np.ndarray, divided: bool, maps: np.ndarray
    ) -> tuple[float, float, int, int]:
        """Solve as `AbundanceProblem.fill_maps` does; photon counts have no sum to be `divided` by."""
        A, residual, squares = self.solve_with_residual(X, valid)
        r = len(self.E)
        maps[:r], maps[r] = A.T, residual
        misfit = float(np.nansum(np.square(residual, dtype=np.float64)) * X.shape[1])
        return misfit, float(squares.sum(dtype=np.float64)), int(valid.sum()), 0

    def solve_with_residual(self, X: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Solve the rows of X (n, b) that are `valid` (n,).

        Returns the abundances (n, r) and the root mean square residuals (n,), both NaN elsewhere, and the rows' sums of
        squares (n,), zero elsewhere.
        """
        from .poisson_kernels import poisson_rows

        A = np.empty((len(X), len(self.E)))
        missed = poisson_rows(X, self.E, valid, A)
        if missed:
            warn(f"{missed} of {int(valid.sum())} pixels did not reach the least divergence.", ConvergenceWarning)
        rest = np.where(valid[:, None], X, 0.0) - A @ self.E
        residual = np.sqrt(np.einsum("ij,ij->i", rest, rest) / X.shape[1])
        squares = np.where(valid, np.einsum("ij,ij->i", X, X), 0.0)
        return A.astype(X.dtype), residual.astype(X.dtype), squares.astype(X.dtype)


def poisson_problem(E: np.ndarray, names: Sequence[str] | None = None) -> PoissonProblem:
    """Check endmembers (r, n_bands) as `abundance_problem` does, and that none is negative."""
    problem = abundance_problem(E, "non_negative", names)
    if (problem.E < 0).any():
        raise DataError("photons cannot be negative: an endmember is, in some band. Subtract less background from it.")
    return PoissonProblem(np.ascontiguousarray(problem.E, np.float64))


def solve_poisson_abundances(X: ArrayLike, E: ArrayLike) -> np.ndarray:
    """Return the non-negative abundances under which counts are most likely.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Counts without their dark level, in any unit proportional to photons; what is negative counts as zero.
    E : array_like, shape (r, n_bands)
        Endmembers, not negative.

    Returns
    -------
    ndarray of float64, shape (n_pixels, r)
        Abundances; NaN for rows of X that are not finite.

    Raises
    ------
    DataError
        X and E do not have the same bands, or an endmember is negative or not finite.

    Warns
    -----
    ConvergenceWarning
        The minimum was not reached in some pixels.

    References
    ----------
    Lee and Seung, NIPS 2000 (the divergence); Bertsekas, SIAM J. Control Optim. 20 (1982) (projected Newton methods).

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import solve_poisson_abundances
    >>> E = np.array([[0.6, 0.3, 0.1], [0.1, 0.3, 0.6]])
    >>> solve_poisson_abundances([[60, 30, 10], [1, 3, 6]], E).round(3)
    array([[100.,   0.],
           [  0.,  10.]])
    """
    X, E = as_matrix(X, "X").astype(np.float64), as_matrix(E, "E")
    if X.shape[1] != E.shape[1]:
        raise DataError(f"X has {X.shape[1]} bands and E has {E.shape[1]}.")
    valid = np.isfinite(X).all(axis=1)
    return poisson_problem(E).solve_with_residual(X, valid)[0]
