"""Joint factorisation: co-registered images, or modalities, share their abundances; each has its own endmembers.

    min sum_i w_i loss(X_i, A E_i) + terms,  A >= 0, E_i >= 0   (papers: X_i' ~ E_i' A')

A beta-divergence is homogeneous, loss(c X, c Y) = c^beta loss(X, Y), so this is one refinement of the images side by
side, each times w_i^(1/beta): nothing new is solved. Equal weights let the image with the largest numbers decide;
`balance` gives every image the same say. It fails where the images do not show the same pixels: register them first.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError
from .abundances import as_matrix
from .losses import as_loss
from .refine import listener, refine
from .terms import Anchored, FixedRows, SmoothBands, Term


@dataclass(frozen=True)
class JointRefinement:
    """What a joint refinement ends with.

    Parameters
    ----------
    A : ndarray, shape (n_pixels, r)
        The abundances that all images share.
    endmembers : tuple of ndarray of float64, each of shape (r, n_bands of that image)
    objective : ndarray, shape (n_iterations + 1,)
    stop_reason : str
    converged : bool
    """

    A: np.ndarray
    endmembers: tuple[np.ndarray, ...]
    objective: np.ndarray
    stop_reason: str
    converged: bool

    def __post_init__(self) -> None:
        if any(self.A.shape[1] != len(E) for E in self.endmembers):
            raise DataError(f"A has {self.A.shape[1]} columns and not every image as many endmembers.")


def refine_jointly(
    images: Sequence[ArrayLike],
    endmembers: Sequence[ArrayLike],
    *,
    weights: Sequence[float] | None = None,
    loss: str | float = "frobenius",
    terms: tuple[Term | FixedRows, ...] = (),
    callback: Callable[..., None] | None = None,
    **settings: Any,
) -> JointRefinement:
    """Improve the abundances that several images share, and the endmembers of each.

    Parameters
    ----------
    images : sequence of array_like, each of shape (n_pixels, n_bands of that image)
        The same pixels in the same order. They are copied side by side: keep room for that.
    endmembers : sequence of array_like, each of shape (r, n_bands of that image)
        Where each image starts and what it is held to; row k means the same material in all of them.
    weights : sequence of float above 0, optional
        How much each image counts; one over its energy, `balance`, where not given.
    loss : {'frobenius', 'kullback_leibler'} or float above 0, up to 2
        As in `refine`; Itakura-Saito knows no scale, so images cannot be weighed by it.
    terms : tuple of terms
        As in `refine`, for the endmembers side by side; `SmoothBands` does not join one image's bands to the next's.
        `FixedRows` holds a material in all images.
    callback : callable, optional
        Called as ``callback(iteration, objective)``, or ``callback(iteration, objective, A, endmembers)`` where it
        takes four: a read-only view of A, to be copied by whoever keeps it, and the endmembers of each image.
    **settings
        Further settings of `refine`: A, update, anchor_weight, n_coordinates, threads, max_iterations, tolerance.

    Returns
    -------
    JointRefinement

    Raises
    ------
    DataError
        The images do not have the same number of rows, or the endmembers not the same number.
    OptionError
        A weight is not above zero, or the loss cannot be weighed; and whatever `refine` refuses.

    References
    ----------
    Liu, Wang, Gao and Han 2013, SIAM SDM, 252-260 (multi-view NMF); Yokoya, Yairi and Iwasaki 2012, IEEE TGRS 50(2),
    528-537 (coupled NMF).

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import refine_jointly
    >>> A = np.array([[1.0, 0.0], [0.0, 1.0], [0.5, 0.5]])
    >>> colour, infrared = np.array([[1.0, 0.2], [0.1, 1.0]]), np.array([[0.3], [0.6]])
    >>> refine_jointly([A @ colour, A @ infrared], [colour, infrared]).A.round(3)
    array([[1. , 0. ],
           [0. , 1. ],
           [0.5, 0.5]])
    """
    beta = as_loss(loss).beta
    if beta == 0:
        raise OptionError("loss='itakura_saito' knows no scale: images cannot be weighed by it. Use a beta above 0.")
    Xs, Es = _matched(images, endmembers)
    weights = balance(Xs, beta) if weights is None else _checked(weights, len(Xs))
    sizes = np.asarray(weights) ** (1 / beta)
    ends = np.cumsum([E.shape[1] for E in Es])
    X = np.hstack([X * X.dtype.type(size) for X, size in zip(Xs, sizes, strict=True)])
    E = np.hstack([E * size for E, size in zip(Es, sizes, strict=True)])
    terms = tuple(_side_by_side(term, sizes, ends) for term in terms)
    tell = listener(callback, 2)

    def apart(E: np.ndarray) -> tuple[np.ndarray, ...]:
        parts = np.split(E, ends[:-1], axis=1)
        return tuple(part / size for part, size in zip(parts, sizes, strict=True))

    def hear(iteration: int, objective: float, A: np.ndarray, E: np.ndarray) -> None:
        tell(iteration, objective, A, apart(E))

    found = refine(X, E, loss=loss, terms=terms, callback=hear, **settings)
    return JointRefinement(found.A, apart(found.E), found.objective, found.stop_reason, found.converged)


def balance(images: Sequence[np.ndarray], beta: float = 2.0) -> list[float]:
    """Return the weights that give every image the same say: one over the sum of its values to the power beta."""
    sizes = [float(np.sum(np.abs(X, dtype=np.float64) ** beta)) for X in images]
    return [1 / size if size > 0 else 1.0 for size in sizes]


def _matched(images: Sequence[ArrayLike], endmembers: Sequence[ArrayLike]) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Return the images and endmembers as matrices that fit together."""
    if len(images) == 0 or len(images) != len(endmembers):
        raise DataError(f"{len(images)} images and {len(endmembers)} sets of endmembers: give one set for each image.")
    Xs = [as_matrix(X, f"image {i + 1}") for i, X in enumerate(images)]
    Es = [np.asarray(as_matrix(E, f"the endmembers of image {i + 1}"), np.float64) for i, E in enumerate(endmembers)]
    for what, matrices in (("pixels", Xs), ("endmembers", Es)):
        if len({len(matrix) for matrix in matrices}) > 1:
            raise DataError(f"all images need the same number of {what}; got {[len(m) for m in matrices]}.")
    for i, (X, E) in enumerate(zip(Xs, Es, strict=True)):
        if X.shape[1] != E.shape[1]:
            raise DataError(f"image {i + 1} has {X.shape[1]} bands and its endmembers have {E.shape[1]}.")
    return Xs, Es


def _checked(weights: Sequence[float], count: int) -> list[float]:
    """Return the weights as numbers, one an image."""
    numbers = np.asarray(weights)
    if numbers.shape != (count,) or numbers.dtype.kind not in "uif":
        raise OptionError(f"weights={weights!r}: give one number for each of {count} images.")
    if not (np.isfinite(numbers).all() and (numbers > 0).all()):
        raise OptionError(f"weights={weights!r} must be finite and above 0; leave an image out instead.")
    return [float(w) for w in numbers]


def _side_by_side(term: Term | FixedRows, sizes: np.ndarray, ends: np.ndarray) -> Term | FixedRows:
    """Return a term as it reads for the scaled images side by side."""
    if isinstance(term, SmoothBands):
        return replace(term, breaks=tuple(sorted({*term.breaks, *(int(end) for end in ends[:-1])})))
    if isinstance(term, Anchored) and term.to is not None:
        scale = np.repeat(sizes, np.diff(ends, prepend=0))
        return replace(term, to=np.asarray(term.to, np.float64) * scale)
    return term
