"""How far abundances are from the optimum of their constraint: the Karush-Kuhn-Tucker conditions, a number a pixel."""

from __future__ import annotations

import numpy as np


def kkt_residual(X: np.ndarray, A: np.ndarray, E: np.ndarray, constraint: str) -> np.ndarray:
    """Return how far each row of A is from its optimality conditions, relative to the size of its data.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Additive values.
    A : array_like, shape (n_pixels, r)
        Abundances to judge.
    E : array_like, shape (r, n_bands)
        Endmembers.
    constraint : {'non_negative', 'sum_to_one', 'shade', 'unconstrained'}
        What A was asked to satisfy.

    Returns
    -------
    ndarray of float64, shape (n_pixels,)
        The largest violation of feasibility, of the gradient's sign and of complementarity; zero at the optimum.

    References
    ----------
    Karush 1939; Kuhn and Tucker 1951.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import kkt_residual
    >>> E = np.eye(2)
    >>> kkt_residual([[1.0, -1.0], [1.0, 1.0]], [[1.0, 0.0], [1.0, 0.0]], E, "non_negative")
    array([0., 1.])
    """
    X, A, E = (np.asarray(M, np.float64) for M in (X, A, E))
    size = np.maximum(np.abs(X @ E.T).max(axis=1), np.abs(A @ E @ E.T).max(axis=1))
    size = np.maximum(size, np.finfo(float).tiny)
    gradient = (A @ E - X) @ E.T
    total = A.sum(axis=1)
    if constraint == "unconstrained":
        return np.abs(gradient).max(axis=1) / size
    violation = np.maximum(-A, 0).max(axis=1)
    if constraint in ("sum_to_one", "shade"):
        active = np.ones(len(A), bool) if constraint == "sum_to_one" else total > 1 - 1e-6
        weight = np.maximum(A, 0) / np.maximum(np.maximum(A, 0).sum(axis=1, keepdims=True), 1e-300)
        multiplier = -(weight * gradient).sum(axis=1)
        if constraint == "shade":
            multiplier = np.maximum(multiplier, 0)
        gradient = gradient + np.where(active, multiplier, 0.0)[:, None]
        over = np.abs(total - 1) if constraint == "sum_to_one" else np.maximum(total - 1, 0)
        violation = np.maximum(violation, over)
    wrong_sign = np.maximum(-gradient, 0).max(axis=1) / size
    slack = np.abs(np.minimum(A, gradient / size[:, None])).max(axis=1)
    return np.maximum(violation, np.maximum(wrong_sign, slack))
