"""Separable NMF as a scikit-learn estimator, for any non-negative matrix: spectra, counts, activities."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from sklearn.base import BaseEstimator, ClassNamePrefixFeaturesOutMixin, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from ..errors import OptionError, UnmixWarning
from .abundances import solve_abundances
from .anchors import successive_projection
from .refine import refine

_DTYPES = (np.float64, np.float32)
_SCALES = ("data", "sum", "norm", "max")
_REFINEMENTS = ("none", "hals")


class SeparableNMF(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Factor a non-negative matrix as X ~ A E, with the rows of E taken from, or started at, rows of X.

    Parameters
    ----------
    n_components : int
        Number of components r; clamped to the shape of X with a warning.
    refinement : {'none', 'hals'}
        ``none``: the components are rows of X, the anchors that successive projection finds. ``hals``: they are
        improved together with the abundances.
    anchor_weight : float
        How strongly ``hals`` is held to the anchors; 0 is plain NMF started at them.
    max_iter : int
        Most iterations of the refinement.
    tol : float
        The refinement stops when the objective falls by less than this share in one iteration.
    scale : {'data', 'sum', 'norm', 'max'}
        Scale of each component: as in the data, or sum, Euclidean norm or largest value one; abundances take the rest.

    Attributes
    ----------
    components_ : ndarray, shape (n_components_, n_features)
        The rows of E.
    anchor_indices_ : ndarray of int, shape (n_components_,)
        Rows of X that the components are or started at.
    objective_history_ : ndarray
        Half the squared error (with the anchor term) before and after every iteration.
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
        refinement: str = "none",
        anchor_weight: float = 0.0,
        max_iter: int = 200,
        tol: float = 1e-4,
        scale: str = "data",
    ) -> None:
        self.n_components = n_components
        self.refinement = refinement
        self.anchor_weight = anchor_weight
        self.max_iter = max_iter
        self.tol = tol
        self.scale = scale

    def fit(self, X: ArrayLike, y: Any = None) -> SeparableNMF:
        """Find the components of X (n_samples, n_features)."""
        self.fit_transform(X, y)
        return self

    def fit_transform(self, X: ArrayLike, y: Any = None, **_: Any) -> np.ndarray:
        """Find the components of X and return its abundances (n_samples, n_components_)."""
        matrix = validate_data(self, X, dtype=_DTYPES, ensure_non_negative=True)
        self._check_choices()
        r = self._clamped(matrix.shape)
        self.anchor_indices_ = successive_projection(matrix, r)
        E = matrix[self.anchor_indices_].astype(np.float64)
        if self.refinement == "hals":
            refined = refine(
                matrix, E, anchor_weight=self.anchor_weight, max_iterations=self.max_iter, tolerance=self.tol
            )
            E, self.objective_history_ = refined.E, refined.objective
            self.n_iter_ = len(refined.objective) - 1
        E = self._scaled(E)
        self.components_ = E.astype(matrix.dtype)
        self.n_components_ = r
        A = solve_abundances(matrix, self.components_, "non_negative")
        if self.refinement == "none":
            error = matrix.astype(np.float64) - A.astype(np.float64) @ self.components_.astype(np.float64)
            self.objective_history_, self.n_iter_ = np.array([0.5 * float((error**2).sum())]), 1
        return A

    def transform(self, X: ArrayLike) -> np.ndarray:
        """Return the non-negative abundances (n_samples, n_components_) of X for the components found."""
        check_is_fitted(self)
        matrix = validate_data(self, X, dtype=_DTYPES, ensure_non_negative=True, reset=False)
        return solve_abundances(matrix, self.components_, "non_negative")

    def inverse_transform(self, A: ArrayLike) -> np.ndarray:
        """Return the data (n_samples, n_features) that abundances A stand for."""
        check_is_fitted(self)
        return np.asarray(A) @ self.components_

    @property
    def _n_features_out(self) -> int:
        return len(self.components_)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.positive_only = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags

    def _check_choices(self) -> None:
        for name, known in (("refinement", _REFINEMENTS), ("scale", _SCALES)):
            if getattr(self, name) not in known:
                raise OptionError(f"{name}={getattr(self, name)!r} is not known. Use one of {', '.join(known)}.")

    def _clamped(self, shape: tuple[int, int]) -> int:
        r = self.n_components
        if isinstance(r, bool) or int(r) != r or r < 1:
            raise OptionError(f"n_components={r!r} is not a whole number of at least 1.")
        if r > min(shape):
            warnings.warn(
                f"n_components={r} is more than X of shape {shape} can hold; {min(shape)} are used.",
                UnmixWarning,
                stacklevel=3,
            )
        return int(min(r, *shape))

    def _scaled(self, E: np.ndarray) -> np.ndarray:
        if self.scale == "data":
            return E
        size = {"sum": E.sum(axis=1), "norm": np.linalg.norm(E, axis=1), "max": E.max(axis=1)}[self.scale]
        return E / np.where(size > 0, size, 1.0)[:, None]
