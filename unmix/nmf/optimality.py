"""How far abundances are from the optimum of their constraint: the Karush-Kuhn-Tucker conditions, a number a pixel."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError
from .abundances import CONSTRAINTS, as_matrix


def kkt_residual(X: ArrayLike, A: ArrayLike, E: ArrayLike, constraint: str) -> np.ndarray:
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

    Raises
    ------
    DataError
        Shapes do not match.
    OptionError
        The constraint is not known.

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
    if constraint not in CONSTRAINTS:
        raise OptionError(f"constraint={constraint!r} is not known. Use one of {', '.join(CONSTRAINTS)}.")
    X, A, E = (as_matrix(M, name).astype(np.float64) for M, name in ((X, "X"), (A, "A"), (E, "E")))
    if A.shape != (len(X), len(E)) or X.shape[1] != E.shape[1]:
        raise DataError(f"X {X.shape}, A {A.shape} and E {E.shape} do not belong together: X ~ A E.")
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
