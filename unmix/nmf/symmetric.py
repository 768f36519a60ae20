"""Symmetric factorisation: S ~ W W' of a non-negative similarity matrix, W >= 0; row i says what item i belongs to.

    min |S - W W'|^2 / 4,  S (n, n) symmetric, W (n, r)

Cyclic coordinate descent: with all else held the objective is a polynomial of degree four in one entry, its slope
x^3 + p x + q, so each entry gets its exact optimum and the objective never rises (Vandaele, Gillis, Lei, Zhong and
Dhillon 2016, IEEE Trans. Signal Process. 64(21), 5571-5584). As clustering: Kuang, Ding and Park 2012, SIAM SDM,
106-117. S may be sparse: one sweep costs r numbers for every entry that is not zero, and n r^2.

The start is separable NMF's: r items that are alike to their own kind only. Not convex: where groups overlap much the
answer depends on the start. It fails where S has strong negative structure: W W' cannot follow.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import ConvergenceWarning, DataError, warn
from .anchors import require_rank_possible, successive_projection
from .refine import iterate

_ZERO = 1e-14
_SKETCH = 4
_SYMMETRY = 1e-8


@dataclass(frozen=True)
class SymmetricFactorisation:
    """What a symmetric factorisation ends with.

    Parameters
    ----------
    W : ndarray of float64, shape (n, r)
    objective : ndarray, shape (n_iterations + 1,)
        A quarter of the squared error before the first and after every sweep.
    stop_reason : str
    converged : bool
    """

    W: np.ndarray
    objective: np.ndarray
    stop_reason: str
    converged: bool


def factorise_symmetric(
    S: Any,
    r: int,
    *,
    W: np.ndarray | None = None,
    max_iterations: int = 200,
    tolerance: float = 1e-6,
    seed: int = 0,
    callback: Callable[..., None] | None = None,
) -> SymmetricFactorisation:
    """Factor a non-negative similarity matrix as W W'.

    Parameters
    ----------
    S : ndarray or scipy sparse matrix, shape (n, n)
        Similarities, symmetric, finite and not negative; a superpixel graph or a network, for example.
    r : int
        Number of groups.
    W : ndarray, shape (n, r), optional
        Where to start.
    max_iterations : int
        Most sweeps over all entries of W.
    tolerance : float
        Stops when the objective falls by less than this share in one sweep.
    seed : int
        For the sketch of a sparse S, and for the start where S has fewer than r groups of its own.
    callback : callable, optional
        Called as ``callback(iteration, objective)``, or ``callback(iteration, objective, W)`` where it takes three: a
        read-only view, to be copied by whoever keeps it.

    Returns
    -------
    SymmetricFactorisation

    Raises
    ------
    DataError
        S is not square, symmetric, finite and non-negative; or W does not fit.
    OptionError
        r is below 1 or above n.

    Warns
    -----
    ConvergenceWarning
        The tolerance was not met in `max_iterations`.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import factorise_symmetric
    >>> S = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> factorise_symmetric(S, 2).W.round(3)
    array([[1., 0.],
           [1., 0.],
           [0., 1.]])
    """
    graph = _graph(S)
    require_rank_possible(r, graph.n, graph.n)
    start = _start(S, graph, int(r), seed) if W is None else _given(W, graph.n, int(r))
    method = _CoordinateDescent(graph, start)
    run = iterate(method, _ZERO, max_iterations, tolerance, callback)
    if not run.converged:
        warn(f"symmetric factorisation {run.stop_reason}; the best so far is returned.", ConvergenceWarning)
    return SymmetricFactorisation(method.W, run.objective, run.stop_reason, run.converged)


@dataclass(frozen=True)
class _Graph:
    """A symmetric matrix by its rows: values and columns of row i lie at starts[i] to starts[i + 1]."""

    starts: np.ndarray
    columns: np.ndarray
    values: np.ndarray
    diagonal: np.ndarray
    n: int
    energy: float


class _CoordinateDescent:
    """The state of a run: W, and the objective, which each sweep leaves behind."""

    def __init__(self, graph: _Graph, W: np.ndarray) -> None:
        self.graph, self.W, self.size = graph, W, 0.25 * graph.energy
        self.objective = self._value()

    @property
    def factors(self) -> tuple[np.ndarray, ...]:
        return (self.W,)

    def step(self) -> None:
        """Give each entry of W its exact optimum in turn."""
        from .symmetric_kernels import sweep_symmetric

        graph = self.graph
        sweep_symmetric(graph.starts, graph.columns, graph.values, graph.diagonal, self.W, self.W.T @ self.W)
        self.objective = self._value()

    def _value(self) -> float:
        from .symmetric_kernels import squared_error_symmetric

        graph = self.graph
        return 0.25 * float(
            squared_error_symmetric(graph.starts, graph.columns, graph.values, self.W, self.W.T @ self.W)
        )


def _graph(S: Any) -> _Graph:
    """Check a dense or sparse matrix and return it by its rows."""
    from scipy import sparse

    if not sparse.issparse(S):
        S = np.asarray(S)
    if S.dtype.kind not in "uifb":
        raise DataError(f"S holds real numbers; got {S.dtype}.")
    if S.ndim != 2 or S.shape[0] != S.shape[1] or S.shape[0] == 0:
        raise DataError(f"S has shape (n, n), n above 0; got {S.shape}.")
    rows = sparse.csr_array(S.astype(np.float64))
    rows.sum_duplicates()
    values = rows.data
    if not np.isfinite(values).all() or (values < 0).any():
        raise DataError("S has a value that is negative or not finite; similarities are not.")
    largest = float(values.max(initial=0.0))
    uneven = abs(rows - rows.T)
    if uneven.nnz and float(uneven.max()) > _SYMMETRY * largest:
        raise DataError("S is not symmetric. Use (S + S.T) / 2 if that is what you mean.")
    starts, columns = rows.indptr.astype(np.int64), rows.indices.astype(np.int64)
    energy = float(np.dot(values, values))
    return _Graph(starts, columns, values, rows.diagonal(), rows.shape[0], energy)


def _given(W: np.ndarray, n: int, r: int) -> np.ndarray:
    """Return the caller's start as a matrix of our own."""
    matrix = np.array(W, np.float64, order="C")
    if matrix.shape != (n, r) or not np.isfinite(matrix).all() or matrix.min() < 0:
        raise DataError(f"W has shape {(n, r)}, finite and not negative; got shape {matrix.shape}.")
    return matrix


def _start(S: Any, graph: _Graph, r: int, seed: int) -> np.ndarray:
    """Return the similarity to r anchor items, scaled; where S has no r anchors, random numbers of the right size."""
    from scipy import sparse

    rng = np.random.default_rng(seed)
    rows = sparse.csr_array((graph.values, graph.columns, graph.starts), shape=(graph.n, graph.n))
    sketch = rows @ rng.standard_normal((graph.n, _SKETCH * r + 8)) if sparse.issparse(S) else np.asarray(S, np.float64)
    try:
        anchors = successive_projection(sketch, r)
    except DataError:
        return rng.random((graph.n, r)) * 2 * np.sqrt(graph.values.sum() / (r * graph.n**2))
    columns = np.asarray(rows[:, anchors].todense(), np.float64)
    own = columns[anchors, np.arange(r)]
    lengths = np.linalg.norm(columns, axis=0)
    return np.ascontiguousarray(columns / np.sqrt(np.where(own > 1e-3 * lengths, own, np.maximum(lengths, 1e-300))))
