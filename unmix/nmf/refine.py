"""Refinement: the one loop that alternates between abundances and endmembers until a tolerance is met.

Objective: loss(X, A E) + (m / 2) |E - E0|^2 + further terms, with A >= 0, E >= 0 (papers: X' ~ E' A'). The loss is half
the squared error or another beta-divergence (`losses`), m = anchor_weight times the mean of diag(A0'A0), the terms are
those of `terms` and `spatial_terms`. Updates: hierarchical alternating least squares, plain or extrapolated
(`updates_hals`), multiplicative (`updates_multiplicative`), projected fast gradient (`updates_gradient`). With each of
them and any terms the objective never rises. The problem is not convex: the answer is the nearest valley, not the
lowest.

Without the anchor the fit improves and the identification gets worse on real scenes: residual is no measure of
unmixing. That is why the anchors hold.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike

from ..errors import ConvergenceWarning, DataError, OptionError, warn
from .alternation import Alternation
from .gram_data import Coordinates, FullBands, GramData
from .losses import BetaDivergence
from .problem import Problem, state_problem
from .terms import Anchored, FixedRows, Term
from .threads import one_blas_thread, thread_count
from .updates_gradient import fast_gradient_steps
from .updates_hals import ExtrapolatedAlternation, hals_sweep
from .updates_multiplicative import DivergenceAlternation, lift_off_zero, multiplicative_sweep

UPDATES = ("hals", "extrapolated_hals", "multiplicative", "fast_gradient")
_ZERO = {np.dtype(np.float64): 1e-14, np.dtype(np.float32): 1e-13}


class Method(Protocol):
    """The state of a run: what the loop needs of it. `size` is what the objective is small against."""

    size: float

    @property
    def objective(self) -> float:
        """The objective at the point reached."""

    @property
    def factors(self) -> tuple[np.ndarray, ...]:
        """The factors at the point reached, as views."""

    def step(self) -> None:
        """Do one iteration."""


@dataclass(frozen=True)
class Refinement:
    """What a refinement ends with.

    Parameters
    ----------
    A : ndarray, shape (n_pixels, r)
        In the dtype of X: float32 or float64.
    E : ndarray of float64, shape (r, n_bands)
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

    def __post_init__(self) -> None:
        if self.A.ndim != 2 or self.E.ndim != 2 or self.A.shape[1] != len(self.E):
            raise DataError(f"A of shape {self.A.shape} and E of shape {self.E.shape} do not belong together.")


@dataclass(frozen=True)
class Run:
    """How a run of the loop went: the objective before and after every iteration, and why it ended."""

    objective: np.ndarray
    stop_reason: str
    converged: bool


def refine(
    X: ArrayLike,
    E: ArrayLike,
    *,
    A: ArrayLike | None = None,
    loss: str | float | BetaDivergence = "frobenius",
    update: str | None = None,
    terms: tuple[Term | FixedRows, ...] = (),
    anchor_weight: float = 1.0,
    n_coordinates: int | None = None,
    threads: int | None = None,
    max_iterations: int = 50,
    tolerance: float = 1e-5,
    callback: Callable[..., None] | None = None,
) -> Refinement:
    """Improve endmembers and abundances together, held to the endmembers given.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Additive values, finite. float32 and smaller types are solved as float32, all others as float64.
    E : array_like, shape (r, n_bands)
        Endmembers to start from and to be held to; negative values start at zero.
    A : array_like, shape (n_pixels, r), optional
        Abundances to start from; the exact non-negative ones of E where not given.
    loss : {'frobenius', 'kullback_leibler', 'itakura_saito'} or float from 0 to 2
        What is minimised: half the squared error, for counts the Kullback-Leibler divergence, or a beta-divergence.
    update : {'hals', 'extrapolated_hals', 'multiplicative', 'fast_gradient'}, optional
        How; extrapolated HALS for the squared error and multiplicative for all other losses where not given.
    terms : tuple of terms
        Added to the loss: `Sparsity`, `RootSparsity`, `SumToOne`, `SpatialSmoothness`, `TotalVariation`, `Anchored`,
        `SmoothBands`, `MinimumVolume`; and `FixedRows`. Their weights are pure numbers (see `terms`).
    anchor_weight : float, >= 0
        How strongly E is held to the endmembers given; 0 is plain NMF.
    n_coordinates : int, from r to n_bands, optional
        Squared error only: work in this many coordinates (r and a few more) instead of all bands. E E', A'A and E >= 0
        stay exact; X is replaced by its projection on its leading axes, see `gram_data`.
    threads : int, optional
        Squared error only: threads over strips of rows; the number of cores when not given. The answer is the same.
    max_iterations : int
        Most iterations.
    tolerance : float
        Stops when the objective falls by less than this share in one iteration.
    callback : callable, optional
        Called as ``callback(iteration, objective)``, or ``callback(iteration, objective, A, E)`` where it takes four:
        read-only views, to be copied by whoever keeps them.

    Returns
    -------
    Refinement

    Raises
    ------
    DataError
        Shapes do not match, X or A or E is not finite, or X is negative where the loss does not allow it.
    OptionError
        A setting is out of its range; an update does not minimise the loss; terms would shrink one factor while the
        other grows.

    Warns
    -----
    ConvergenceWarning
        The tolerance was not met in `max_iterations`.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import refine
    >>> E = np.array([[1.0, 0.2], [0.1, 1.0]])
    >>> refine(np.array([[1.0, 0.2], [0.1, 1.0], [0.5, 0.6]]), E).stop_reason
    'the objective is zero to rounding'
    """
    for name, value in (("anchor_weight", anchor_weight), ("tolerance", tolerance), ("max_iterations", max_iterations)):
        _require_number(name, value)
    anchor = (Anchored(anchor_weight),) if anchor_weight > 0 else ()
    problem = state_problem(X, E, A, loss, (*anchor, *terms))
    method = choose_method(problem, update, n_coordinates, thread_count(threads))
    run = iterate(method, _ZERO[problem.X.dtype], max_iterations, tolerance, callback)
    if not run.converged:
        warn(f"refinement {run.stop_reason}; the best so far is returned.", ConvergenceWarning)
    abundances, endmembers = method.factors
    return Refinement(
        np.ascontiguousarray(abundances), np.array(endmembers), run.objective, run.stop_reason, run.converged
    )


@one_blas_thread()
def iterate(
    method: Method,
    zero: float,
    max_iterations: int,
    tolerance: float | None,
    callback: Callable[..., None] | None = None,
) -> Run:
    """Repeat steps until the objective falls too little, or is below `zero` times the method's size, or time is up.

    Without a tolerance all iterations are run, unless the objective becomes zero.
    """
    tell = listener(callback, len(method.factors))
    history = [method.objective]
    for iteration in range(1, int(max_iterations) + 1):
        if history[-1] <= zero * method.size:
            return Run(np.array(history), "the objective is zero to rounding", True)
        method.step()
        history.append(method.objective)
        tell(iteration, history[-1], *(_read_only(factor) for factor in method.factors))
        if tolerance is not None and history[-2] - history[-1] <= tolerance * history[-2]:
            reason = f"the objective fell by less than {tolerance:g} in an iteration"
            return Run(np.array(history), reason, True)
    return Run(np.array(history), f"stopped after {max_iterations} iterations", False)


@one_blas_thread()
def choose_method(problem: Problem, update: str | None, n_coordinates: int | None = None, threads: int = 1) -> Method:
    """Choose the state of the run, refusing what does not go together."""
    squared = problem.loss.beta == 2
    update = update or ("extrapolated_hals" if squared else "multiplicative")
    if update not in UPDATES:
        raise OptionError(f"update={update!r} is not known. Use one of {', '.join(UPDATES)}.")
    if not squared and update != "multiplicative":
        raise OptionError(
            f"update={update!r} minimises the squared error only; loss={problem.loss.name!r} needs 'multiplicative'."
        )
    if not squared and n_coordinates is not None:
        raise OptionError(f"n_coordinates={n_coordinates!r} needs loss='frobenius', not {problem.loss.name!r}.")
    if update == "multiplicative":
        lift_off_zero(problem)
    if not squared:
        return DivergenceAlternation(problem)
    data = _gram_data(problem, n_coordinates)
    if update == "extrapolated_hals":
        return ExtrapolatedAlternation(problem, data, hals_sweep, threads)
    sweeps = {"hals": hals_sweep, "multiplicative": multiplicative_sweep, "fast_gradient": fast_gradient_steps}
    return Alternation(problem, data, sweeps[update], threads)


def _gram_data(problem: Problem, n_coordinates: int | None) -> GramData:
    """Return all bands, or as many coordinates as asked for."""
    if n_coordinates is None:
        return FullBands(problem.X)
    (r, n_bands), k = problem.E.shape, n_coordinates
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or not min(r, n_bands) <= k <= n_bands:
        raise OptionError(f"n_coordinates={k!r} must be a whole number from {min(r, n_bands)} to {n_bands}.")
    return Coordinates(problem.X, int(k))


def listener(callback: Callable[..., None] | None, n_factors: int) -> Callable[..., None]:
    """Return a function of (iteration, objective, *factors) that calls back with as much as the callback takes."""
    if callback is None:
        return lambda iteration, objective, *factors: None
    try:
        inspect.signature(callback).bind(0, 0.0, *[None] * n_factors)
    except (TypeError, ValueError):
        return lambda iteration, objective, *factors: callback(iteration, objective)
    return callback


def _read_only(factor: np.ndarray) -> np.ndarray:
    view = factor.view()
    view.flags.writeable = False
    return view


def _require_number(name: str, value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not np.isfinite(value) or value < 0:
        raise OptionError(f"{name}={value!r} must be a finite number, not negative.")
