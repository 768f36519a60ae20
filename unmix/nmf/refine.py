"""Refinement: the one loop that alternates between abundances and endmembers until a tolerance is met.

Objective: |X - A E|^2 / 2 + (m / 2) |E - E0|^2 with A >= 0, E >= 0, m = anchor_weight times the mean of diag(A0'A0).
Updates: hierarchical alternating least squares, one column of A or one row of E at a time, each exactly optimal, so
the objective never rises (Cichocki and Phan 2009, IEICE Trans. E92-A(3), 708-721; papers: X' ~ E' A').
Without the anchor the fit improves and the identification gets worse on real scenes: residual is no measure of
unmixing. That is why the anchors hold.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConvergenceWarning, DataError
from .abundances import as_matrix, solve_abundances


@dataclass(frozen=True)
class Refinement:
    """What a refinement ends with.

    Parameters
    ----------
    A : ndarray, shape (n_pixels, r)
    E : ndarray, shape (r, n_bands)
    objective : ndarray, shape (n_iterations + 1,)
        Value before the first and after every iteration.
    stop_reason : str
        Why it stopped, as a sentence.
    converged : bool
    """

    A: np.ndarray
    E: np.ndarray
    objective: np.ndarray
    stop_reason: str
    converged: bool


def refine(
    X: ArrayLike,
    E: ArrayLike,
    *,
    anchor_weight: float = 1.0,
    max_iterations: int = 50,
    tolerance: float = 1e-5,
    callback: Callable[[int, float], None] | None = None,
) -> Refinement:
    """Improve endmembers and abundances together, held to the endmembers given.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Additive values, finite.
    E : array_like, shape (r, n_bands)
        Endmembers to start from and to be held to.
    anchor_weight : float, >= 0
        How strongly; 0 is plain NMF.
    max_iterations : int
        Most iterations.
    tolerance : float
        Stops when the objective falls by less than this share in one iteration.
    callback : callable, optional
        Called as ``callback(iteration, objective)``.

    Returns
    -------
    Refinement

    Raises
    ------
    DataError
        Shapes do not match, or X is not finite.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import refine
    >>> E = np.array([[1.0, 0.2], [0.1, 1.0]])
    >>> refine(np.array([[1.0, 0.2], [0.1, 1.0], [0.5, 0.6]]), E).stop_reason
    'the objective is zero to rounding'
    """
    X = as_matrix(X, "X").astype(np.float64)
    E0 = np.maximum(np.asarray(E, np.float64), 0.0)
    if not np.isfinite(X).all():
        raise DataError("X has values that are not finite; leave those rows out.")
    if X.shape[1] != E0.shape[1]:
        raise DataError(f"X has {X.shape[1]} bands and the endmembers have {E0.shape[1]}.")
    A, E = solve_abundances(X, E0, "non_negative"), E0.copy()
    weight = anchor_weight * float(np.mean(np.einsum("ij,ij->j", A, A)))
    size = 0.5 * float(np.einsum("ij,ij->", X, X))
    history = [_objective(X, A, E, E0, weight)]
    reason, converged = f"stopped after {max_iterations} iterations", False
    for iteration in range(1, max_iterations + 1):
        if history[-1] <= 1e-14 * size:
            reason, converged = "the objective is zero to rounding", True
            break
        _update_endmembers(X, A, E, E0, weight)
        _update_abundances(X, A, E)
        history.append(_objective(X, A, E, E0, weight))
        if callback is not None:
            callback(iteration, history[-1])
        if history[-2] - history[-1] <= tolerance * history[-2]:
            reason, converged = f"the objective fell by less than {tolerance:g} in an iteration", True
            break
    if not converged:
        warnings.warn(f"refinement {reason}; the best so far is returned.", ConvergenceWarning, stacklevel=2)
    return Refinement(A, E, np.array(history), reason, converged)


def _update_abundances(X: np.ndarray, A: np.ndarray, E: np.ndarray) -> None:
    """Give each column of A its exact optimum in turn, in place."""
    gram, target = E @ E.T, X @ E.T
    for k in range(len(E)):
        if gram[k, k] > 0:
            np.maximum(A[:, k] + (target[:, k] - A @ gram[:, k]) / gram[k, k], 0.0, out=A[:, k])


def _update_endmembers(X: np.ndarray, A: np.ndarray, E: np.ndarray, E0: np.ndarray, weight: float) -> None:
    """Give each row of E its exact optimum in turn, in place."""
    gram, target = A.T @ A, A.T @ X
    for k in range(len(E)):
        curvature = gram[k, k] + weight
        if curvature > 0:
            gradient = target[k] - gram[k] @ E + weight * (E0[k] - E[k])
            np.maximum(E[k] + gradient / curvature, 0.0, out=E[k])


def _objective(X: np.ndarray, A: np.ndarray, E: np.ndarray, E0: np.ndarray, weight: float) -> float:
    difference, moved = X - A @ E, E - E0
    return 0.5 * float(np.einsum("ij,ij->", difference, difference)) + 0.5 * weight * float(
        np.einsum("ij,ij->", moved, moved)
    )
