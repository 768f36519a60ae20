"""Separable NMF as a scikit-learn estimator, for any non-negative matrix: spectra, counts, activities."""

from __future__ import annotations

import numbers
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import OptionError, warn
from .abundances import solve_abundances
from .anchor_methods import find_anchors
from .losses import BetaDivergence, as_loss
from .problem import Problem, penalties_of, state_problem
from .refine import UPDATES, choose_method, iterate, refine
from .terms import FixedRows, Start, Term

_DTYPES = (np.float64, np.float32)
_SCALES = ("data", "sum", "norm", "max")
_REFINEMENTS = ("none", *UPDATES)
_HELD_ITERATIONS = 300
_LIFT = 0.1


class SeparableNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Factor a non-negative matrix as X ~ A E, with the rows of E taken from, or started at, rows of X.

    Parameters
    ----------
    n_components : int
        Number of components r; clamped to the shape of X with a warning.
    anchors : {'spa', 'pspa', 'snpa', 'vca', 'nfindr', 'smoothed', 'adaptive'}
        How the rows are found; see `find_anchors`.
    refinement : {'none', 'hals', 'extrapolated_hals', 'multiplicative', 'fast_gradient'}
        ``none``: the components are rows of X, the anchors. Else they are improved together with the abundances by
        this update; see `refine`.
    loss : {'frobenius', 'kullback_leibler', 'itakura_saito'} or float from 0 to 2
        What refinement and abundances minimise. All but ``frobenius`` go with ``multiplicative`` or ``none``.
    terms : tuple of terms
        Added to the loss, such as ``(Sparsity(0.02),)``; see `unmix.nmf.terms`. Terms of the abundances also count in
        `transform`, as strongly as in `fit`.
    anchor_weight : float
        How strongly refinement is held to the anchors; 0 is plain NMF started at them.
    max_iter : int
        Most iterations of the refinement.
    tol : float
        The refinement stops when the objective falls by less than this share in one iteration.
    scale : {'data', 'sum', 'norm', 'max'}
        Scale of each component: as in the data, or sum, Euclidean norm or largest value one; abundances take the rest.
    random_state : int, RandomState instance or None
        For anchors found at random (``vca``).

    Attributes
    ----------
    components_ : ndarray, shape (n_components_, n_features)
        The rows of E.
    anchor_indices_ : ndarray of int, shape (n_components_,)
        Rows of X that the components are or started at.
    objective_history_ : ndarray
        Loss and terms before and after every iteration; without refinement the loss alone.
    reconstruction_err_ : float
        Root of twice the loss of X from the abundances of `transform` times `components_`; the Frobenius norm of the
        residual, where that is the loss.
    n_iter_ : int
        Iterations run.
    n_components_ : int
        Number of components after clamping.

    References
    ----------
    Gillis and Vavasis 2014, IEEE TPAMI 36(4), 698-714; Gillis 2020, Nonnegative Matrix Factorization, SIAM.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix import SeparableNMF
    >>> X = np.array([[4.0, 0.0, 2.0], [0.0, 3.0, 3.0], [2.0, 1.5, 2.5]])
    >>> SeparableNMF(n_components=2).fit(X).anchor_indices_
    array([0, 1])
    """

    def __init__(
        self,
        n_components: int = 2,
        *,
        anchors: str = "spa",
        refinement: str = "none",
        loss: str | float = "frobenius",
        terms: tuple[Term | FixedRows, ...] = (),
        anchor_weight: float = 0.0,
        max_iter: int = 200,
        tol: float = 1e-4,
        scale: str = "data",
        random_state: Any = 0,
    ) -> None:
        self.n_components = n_components
        self.anchors = anchors
        self.refinement = refinement
        self.loss = loss
        self.terms = terms
        self.anchor_weight = anchor_weight
        self.max_iter = max_iter
        self.tol = tol
        self.scale = scale
        self.random_state = random_state

    def fit(self, X: ArrayLike, y: Any = None, *, callback: Callable[..., None] | None = None) -> SeparableNMF:
        """Find the components of X (n_samples, n_features); `callback` hears every iteration, as in `refine`."""
        self.fit_transform(X, y, callback=callback)
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None, *, callback: Callable[..., None] | None = None) -> np.ndarray:
        """Find the components of X and return its abundances (n_samples, n_components_)."""
        matrix = validate_data(self, X, dtype=_DTYPES, ensure_non_negative=True)
        loss = self._checked_loss()
        r = self._clamped(matrix.shape)
        self.anchor_indices_ = find_anchors(matrix, r, self.anchors, seed=self._seed())
        E = matrix[self.anchor_indices_].astype(np.float64)
        self._start: Start | None = None
        self._start = self._measured(matrix, E)
        if self.refinement != "none":
            E = self._refined(matrix, E, callback)
        self._unscaled, self._size = E, self._sizes(E)
        self.components_ = (E / self._size[:, None]).astype(matrix.dtype)
        self.n_components_ = r
        A = self._abundances(matrix)
        error = loss.of_product(matrix, A, self.components_)
        self.reconstruction_err_ = float(np.sqrt(2 * max(error, 0.0)))
        if self.refinement == "none":
            self.objective_history_, self.n_iter_ = np.array([error]), 1
        return A

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the abundances (n_samples, n_components_) of X for the components found."""
        check_is_fitted(self)
        matrix = validate_data(self, X, dtype=_DTYPES, ensure_non_negative=True, reset=False)
        return self._abundances(matrix)

    def inverse_transform(self, A: ArrayLike) -> np.ndarray:
        """Return the data (n_samples, n_features) that abundances A stand for."""
        check_is_fitted(self)
        return np.asarray(A) @ self.components_

    def score(self, X: ArrayLike, y: Any = None) -> float:
        """Return minus the loss of X from its abundances times the components, per sample: larger is better."""
        check_is_fitted(self)
        matrix = validate_data(self, X, dtype=_DTYPES, ensure_non_negative=True, reset=False)
        return -self._checked_loss().of_product(matrix, self._abundances(matrix), self.components_) / len(matrix)

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _measured(self, X: np.ndarray, E: np.ndarray) -> Start | None:
        """Measure what the terms' weights count against, so that `transform` gives them the same weight."""
        return self._held(X, E, None).start if self._pixel_terms() else None

    def _refined(self, X: np.ndarray, E: np.ndarray, callback: Callable[..., None] | None) -> np.ndarray:
        """Return the components improved from the anchors E, and keep how that went."""
        found = refine(
            X,
            E,
            loss=self.loss,
            update=self.refinement,
            terms=self.terms,
            anchor_weight=self.anchor_weight,
            max_iterations=self.max_iter,
            tolerance=self.tol,
            callback=callback,
        )
        self.objective_history_, self.n_iter_ = found.objective, len(found.objective) - 1
        return found.E

    def _abundances(self, X: np.ndarray) -> np.ndarray:
        """Return the abundances of X: exact for the squared error alone, else by a fixed number of iterations.

        A fixed number, so that what a sample gets does not depend on the samples beside it.
        """
        E = self._unscaled
        alive = E.any(axis=1)
        A = np.zeros((len(X), len(E)), X.dtype)
        if alive.any():
            A[:, alive] = solve_abundances(X, E[alive], "non_negative")
        if self._checked_loss().beta != 2 or self._pixel_terms():
            lifted = A + X.dtype.type(_LIFT) * A.mean(axis=1, keepdims=True)
            method = choose_method(self._held(X, E, lifted), None if self._checked_loss().beta != 2 else "hals")
            iterate(method, 0.0, _HELD_ITERATIONS, None)
            A = method.factors[0]
        return (A * self._size).astype(X.dtype, order="C")

    def _held(self, X: np.ndarray, E: np.ndarray, A: np.ndarray | None) -> Problem:
        """State the problem of the abundances of X alone, all components held."""
        everything = FixedRows(tuple(range(len(E))))
        return state_problem(X, E, A, self.loss, (*self._pixel_terms(), everything), self._start)

    def _pixel_terms(self) -> tuple[Term, ...]:
        """The terms of the abundances."""
        return tuple(term for term in penalties_of(self.terms) if term.block == "A")

    def _checked_loss(self) -> BetaDivergence:
        for name, known in (("refinement", _REFINEMENTS), ("scale", _SCALES)):
            if getattr(self, name) not in known:
                raise OptionError(f"{name}={getattr(self, name)!r} is not known. Use one of {', '.join(known)}.")
        return as_loss(self.loss)

    def _seed(self) -> int:
        state = self.random_state
        return int(state) if isinstance(state, numbers.Integral) else int(check_random_state(state).randint(2**31 - 1))

    def _clamped(self, shape: tuple[int, int]) -> int:
        r = self.n_components
        if isinstance(r, bool) or not isinstance(r, numbers.Real) or r < 1 or r % 1 != 0:
            raise OptionError(f"n_components={r!r} is not a whole number of at least 1.")
        if r > min(shape):
            warn(f"n_components={r} is more than X of shape {shape} can hold; {min(shape)} are used.")
        return int(min(r, *shape))

    def _sizes(self, E: np.ndarray) -> np.ndarray:
        """Return what each component is divided by (r,)."""
        if self.scale == "data":
            return np.ones(len(E))
        size = {"sum": E.sum(axis=1), "norm": np.linalg.norm(E, axis=1), "max": E.max(axis=1)}[self.scale]
        return np.where(size > 0, size, 1.0)
