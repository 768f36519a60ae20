"""What a refinement is asked to solve, checked and in one unit: data, start, loss, terms and what is held."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError
from .abundances import as_matrix, solve_abundances
from .gram_data import energy
from .losses import BetaDivergence, as_loss
from .terms import FixedRows, Start, Term

_SMALL = 1e-300


@dataclass(frozen=True)
class Problem:
    """Minimise loss(X, A E) and the terms over A >= 0 and those rows of E >= 0 that are not fixed, from a start.

    X (n, n_bands); M (r, n) the abundances at the start, one endmember a row, all of them `given` by the caller or
    solved for; E (r, n_bands) float64; fixed (r,). The terms' weights are in the unit of the loss, measured at `start`.
    """

    X: np.ndarray
    M: np.ndarray
    E: np.ndarray
    given: bool
    loss: BetaDivergence
    pixel_terms: tuple[Term, ...]
    endmember_terms: tuple[Term, ...]
    fixed: np.ndarray
    start: Start

    def penalty(self, M: np.ndarray, E: np.ndarray) -> float:
        """Return the value of all terms."""
        return sum(t.value(M) for t in self.pixel_terms) + sum(t.value(E) for t in self.endmember_terms)


def state_problem(
    X: ArrayLike,
    E: ArrayLike,
    A: ArrayLike | None,
    loss: str | float | BetaDivergence,
    terms: tuple[Term | FixedRows, ...],
    like: Start | None = None,
) -> Problem:
    """Check everything a caller gives and put it in one unit; weights are measured here, or `like` an earlier start."""
    measure = as_loss(loss)
    X, E = _data(X), _endmembers(E)
    if X.shape[1] != E.shape[1]:
        raise DataError(f"X has {X.shape[1]} bands and the endmembers have {E.shape[1]}.")
    measure.require(X)
    penalties = penalties_of(terms)
    fixed = np.zeros(len(E), bool)
    for term in terms:
        if isinstance(term, FixedRows):
            fixed |= term.mask(len(E))
    if not fixed.all():
        _require_scale(penalties)
    M = _abundances(X, E, A)
    start = _measured(X, M, E, measure.beta) if like is None else replace(like, shape=(len(X), *E.shape))
    bound = [term.bound(start) for term in penalties]
    pixel, endmember = (tuple(t for t in bound if t.block == block) for block in ("A", "E"))
    return Problem(X, M, E, A is not None, measure, pixel, endmember, fixed, start)


def _data(X: ArrayLike) -> np.ndarray:
    """Return X as a finite float matrix."""
    matrix = as_matrix(X, "X")
    if not np.isfinite([matrix.min(), matrix.max()]).all():  # NaN is its own least; no flag a value is kept
        raise DataError("X has values that are not finite; leave those rows out.")
    return matrix


def _endmembers(E: ArrayLike) -> np.ndarray:
    """Return E as a finite, non-negative float64 matrix of its own."""
    matrix = np.asarray(E)
    if matrix.ndim != 2 or 0 in matrix.shape or matrix.dtype.kind not in "uifb":
        raise DataError(f"endmembers have shape (r, n_bands) and real values; got {matrix.dtype} {matrix.shape}.")
    if not np.isfinite(matrix).all():
        raise DataError("an endmember has a value that is not finite.")
    return np.maximum(matrix.astype(np.float64), 0.0)


def _abundances(X: np.ndarray, E: np.ndarray, A: ArrayLike | None) -> np.ndarray:
    """Return the abundances to start from (r, n): those given, or the exact ones of E."""
    if A is None:
        return np.ascontiguousarray(solve_abundances(X, E, "non_negative").T)
    matrix = np.asarray(A)
    if matrix.shape != (len(X), len(E)) or matrix.dtype.kind not in "uifb":
        raise DataError(
            f"A has shape (n_pixels, r) = {(len(X), len(E))} and real values; got {matrix.dtype} {matrix.shape}."
        )
    if not np.isfinite(matrix).all() or matrix.min() < 0:
        raise DataError("A has a value that is negative or not finite.")
    return np.array(matrix.T, X.dtype, order="C")


def penalties_of(terms: tuple[Term | FixedRows, ...]) -> list[Term]:
    """Return the terms that cost something, refusing what is no term."""
    for term in terms:
        if not isinstance(term, (Term, FixedRows)):
            raise OptionError(f"terms holds {term!r}, which is no term. Give a tuple such as (Sparsity(0.02),).")
    return [term for term in terms if isinstance(term, Term) and term.weight > 0]


def _require_scale(terms: list[Term]) -> None:
    """Refuse terms that A E = (A / c)(c E) would drive to nothing without changing the fit."""
    limited: frozenset[str] = frozenset().union(*(term.limits for term in terms))
    ways = {
        "A": ("abundances", "endmembers", "anchor_weight above 0, Anchored, SumToOne or MinimumVolume"),
        "E": ("endmembers", "abundances", "anchor_weight above 0, Anchored, SumToOne or Sparsity"),
    }
    for term in terms:
        if term.shrinks and ({"A": "E", "E": "A"}[term.shrinks] not in limited):
            small, large, way = ways[term.shrinks]
            raise OptionError(
                f"{type(term).__name__} shrinks the {small} and the {large} would grow in return. Add {way}."
            )


def _measured(X: np.ndarray, M: np.ndarray, E: np.ndarray, beta: float) -> Start:
    """Measure the scales that make weights pure numbers."""
    level = 1.0 if beta == 2 else max(float(X.mean(dtype=np.float64)), _SMALL) ** (beta - 2)
    squares = energy(M)
    size = float(np.sqrt(squares / M.size)) or 1.0
    return Start((len(X), *E.shape), E, size, level * energy(E) / len(E), level * squares / len(M))
