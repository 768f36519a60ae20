"""Abundances of given endmembers: for every row x of X, min |x - a E|^2 under a constraint, solved exactly.

Constraints: ``unconstrained``; ``non_negative`` (NNLS); ``sum_to_one`` (FCLS: a >= 0, sum a = 1); ``shade``
(a >= 0, sum a <= 1). Rows go onto an orthonormal basis of the endmembers first, E' = Q R (papers: X' ~ E' A'), so that
the programme has r numbers a pixel and keeps the precision of the data: with float32 data the plain Gram product
E X' loses 2e-3 at condition 170, this loses 7e-6. The programme itself runs in float64: see `quadratic`.

It fails, with a warning, where endmembers are nearly the same: their sum is then right, their shares are not.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import acos
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError, warn
from .threads import over_rows, thread_count

if TYPE_CHECKING:
    from .endmember_geometry import Geometry
    from .programme import Programme

CONSTRAINTS = ("unconstrained", "non_negative", "sum_to_one", "shade")
"""The names, in the order of the numbers that the kernels know them by."""

_CONDITION_LIMIT = 1e5
_RIDGE_CONDITION, _RIDGE = 1e12, 1e-11
_TABLE_CONDITION = 1e10
_PIVOT_LIMIT = 48
"""With more, few of them are in a pixel: adding one after the other is quicker than starting from half of them."""

_SUBSET_LIMIT = 10
_ANGLE_LIMIT = np.radians(0.25)
_TILE_BYTES = 1 << 18
_LEAST_WORK = 125_000
"""Rows times the square of their endmembers that are worth handing to a thread."""


@dataclass(frozen=True)
class AbundanceProblem:
    """Everything about E and the constraint that every pixel shares; small, so that block tasks can carry it."""

    E: np.ndarray
    constraint: str
    Q: np.ndarray
    programme: Programme

    def solve(self, X: np.ndarray, threads: int = 1) -> np.ndarray:
        """Return the abundances (n, r) of the rows of X (n, b), in the dtype of X; NaN rows stay NaN."""
        from .abundance_kernels import abundances_of_rows

        A = np.empty((len(X), len(self.E)), X.dtype)
        Q, programme = np.ascontiguousarray(self.Q.T, X.dtype), self.programme
        least = max(1, _LEAST_WORK // max(100, len(self.E) ** 2))
        over_rows(lambda rows: abundances_of_rows(X[rows], Q, programme, A[rows]), len(X), threads, least)
        return A

    def solve_with_residual(self, X: np.ndarray, valid: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Solve the rows of X (n, b) that are `valid` (n,), in one walk over X.

        Returns the abundances (n, r) and the root mean square residuals (n,), both NaN elsewhere, and the rows' sums of
        squares (n,), zero elsewhere.
        """
        from .abundance_kernels import solve_tiles

        A = np.empty((len(X), len(self.E)), X.dtype)
        residual, squares = np.empty(len(X), X.dtype), np.empty(len(X), X.dtype)
        solve_tiles(X, valid, *self._matrices(X), self.programme, _tile_rows(X), A, residual, squares)
        return A, residual, squares

    def fill_maps(
        self, X: np.ndarray, valid: np.ndarray, divided: bool, maps: np.ndarray
    ) -> tuple[float, float, int, int]:
        """Solve the rows of X (n, b) that are `valid` (n,) into maps (r + 1 + divided, n), NaN where they are not.

        The maps are the abundances, `divided` by their sum or not, the root mean square residual, and the sum. Returns
        the sum of squared residuals, that of squared values, how many rows were solved, and how many have a sum of 0.
        """
        from .abundance_kernels import map_tiles

        sums = map_tiles(X, valid, *self._matrices(X), self.programme, _tile_rows(X), divided, maps)
        return float(sums[0]), float(sums[1]), int(sums[2]), int(sums[3])

    def _matrices(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return E as the kernels want it, and Q', in the dtype of X."""
        from .kernels import padded_endmembers

        return padded_endmembers(self.E, X.dtype), np.ascontiguousarray(self.Q.T, X.dtype)


def _tile_rows(X: np.ndarray) -> int:
    """Return how many rows stay in cache between solving them and taking their residuals."""
    return max(16, _TILE_BYTES // max(1, X.shape[1] * X.dtype.itemsize))


def abundance_problem(E: np.ndarray, constraint: str, names: Sequence[str] | None = None) -> AbundanceProblem:
    """Prepare the endmembers E (r, b) for solving; warn where they can hardly be told apart."""
    E, shape = _checked(E, constraint, names)
    _warn_if_alike(E, shape, constraint, names)
    return _problem(E, shape, constraint)


def prepare_problem(E: np.ndarray, constraint: str) -> AbundanceProblem:
    """Prepare the endmembers E (r, b) for solving, without a word about how alike they are."""
    return _problem(*_checked(E, constraint, None), constraint)


def _checked(E: np.ndarray, constraint: str, names: Sequence[str] | None) -> tuple[np.ndarray, Geometry]:
    """Return the endmembers as float64, and their geometry; refuse what has no answer."""
    from .endmember_geometry import geometry

    if constraint not in CONSTRAINTS:
        raise OptionError(f"constraint={constraint!r} is not known. Use one of {', '.join(CONSTRAINTS)}.")
    E = np.ascontiguousarray(E, np.float64)
    if E.ndim != 2 or 0 in E.shape:
        raise DataError(f"endmembers have shape (r, n_bands); got {E.shape}.")
    shape = geometry(E)
    if not shape.finite:
        raise DataError("an endmember has a value that is not finite.")
    if shape.dark >= 0 and constraint != "sum_to_one":
        label = names[shape.dark] if names is not None else f"endmember {shape.dark + 1}"
        raise DataError(
            f"{label} is zero in every band; only constraint='sum_to_one' can tell how much of it there is."
        )
    return E, shape


def _problem(E: np.ndarray, shape: Geometry, constraint: str) -> AbundanceProblem:
    from .programme import programme_for
    from .quadratic import TABLE_LIMIT

    G = shape.G
    if shape.condition > _RIDGE_CONDITION:
        size = np.diag(G)
        G = G + _RIDGE * np.diag(np.where(size > 0, size, size.mean() or 1.0))
    apart = shape.condition <= _TABLE_CONDITION
    use_table = apart and len(E) <= TABLE_LIMIT and constraint != "unconstrained"
    direct = constraint == "unconstrained" or (apart and len(E) <= _PIVOT_LIMIT)
    code = CONSTRAINTS.index(constraint)
    return AbundanceProblem(E, constraint, shape.Q, programme_for(shape.R, G, code, direct, use_table))


def solve_abundances(
    X: ArrayLike,
    E: ArrayLike,
    constraint: str = "non_negative",
    *,
    max_active: int | None = None,
    threads: int | None = None,
) -> np.ndarray:
    """Find how much of each endmember is in every pixel.

    Parameters
    ----------
    X : array_like, shape (n_pixels, n_bands)
        Additive values. float32 and smaller types are solved as float32, all others as float64.
        A row with a value that is not finite gives a row of NaN.
    E : array_like, shape (r, n_bands)
        Endmembers, finite.
    constraint : {'non_negative', 'sum_to_one', 'shade', 'unconstrained'}
        ``shade`` is a >= 0 with sum at most one.
    max_active : int, optional
        Most endmembers in one pixel: the best of all sets of at most so many, r at most 10.
    threads : int, optional
        Threads over rows; the number of cores when not given. The answer is the same.

    Returns
    -------
    ndarray, shape (n_pixels, r)
        The exact optimum for each row.

    Raises
    ------
    DataError
        Shapes do not match, or an endmember is zero or not finite.
    OptionError
        The constraint is not known, or `max_active` or `threads` cannot be had.

    References
    ----------
    Kim and Park 2011, SIAM J. Sci. Comput. 33(6), 3261-3281; Heinz and Chang 2001, IEEE TGRS 39(3), 529-545 (FCLS).

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf import solve_abundances
    >>> E = np.array([[1.0, 0.0, 1.0], [0.0, 1.0, 1.0]])
    >>> solve_abundances([[0.25, 0.75, 1.0]], E, "sum_to_one").round(3)
    array([[0.25, 0.75]])
    >>> solve_abundances([[0.25, 0.75, 1.0]], E, "sum_to_one", max_active=1)
    array([[0., 1.]])
    """
    matrix = as_matrix(X, "X")
    problem = abundance_problem(np.asarray(E), constraint)
    if matrix.shape[1] != problem.E.shape[1]:
        raise DataError(f"X has {matrix.shape[1]} bands and the endmembers have {problem.E.shape[1]}.")
    if max_active is not None:
        problem = _bounded(problem, max_active)
    return problem.solve(matrix, thread_count(threads))


def _bounded(problem: AbundanceProblem, max_active: int) -> AbundanceProblem:
    """Return the problem with a bound on the number of endmembers in a pixel."""
    r = len(problem.E)
    if isinstance(max_active, bool) or not isinstance(max_active, (int, np.integer)) or max_active < 1:
        raise OptionError(f"max_active={max_active!r} is not a whole number of at least 1.")
    if problem.constraint == "unconstrained":
        raise OptionError("max_active= needs a constraint that abundances are not negative.")
    if not problem.programme.use_table or r > _SUBSET_LIMIT:
        few = f"at most {_SUBSET_LIMIT} that can be told apart"
        raise OptionError(f"max_active= tries every set of endmembers: {few}, not {r}.")
    programme = problem.programme._replace(most=int(min(max_active, r)), direct=False)
    return replace(problem, programme=programme)


def as_matrix(X: ArrayLike, name: str) -> np.ndarray:
    """Return a two-dimensional float32 or float64 array, C-ordered rows, without a copy where it already is one."""
    matrix = np.asarray(X)
    if matrix.ndim != 2 or 0 in matrix.shape:
        raise DataError(f"{name} has shape (n_pixels, n_bands), neither zero; got {matrix.shape}.")
    if matrix.dtype.kind not in "uifb":
        raise DataError(f"{name} holds real numbers; got {matrix.dtype}.")
    if matrix.dtype.newbyteorder("=") not in (np.float32, np.float64):
        return np.ascontiguousarray(matrix, np.float32 if matrix.dtype.itemsize < 4 else np.float64)
    return np.ascontiguousarray(matrix, matrix.dtype.newbyteorder("="))


def _warn_if_alike(E: np.ndarray, shape: Geometry, constraint: str, names: Sequence[str] | None) -> None:
    """Warn with the names and the angle of the closest pair where shares cannot be trusted."""
    r, n_bands = E.shape
    if r > n_bands + (constraint == "sum_to_one"):
        warn(f"{r} endmembers in {n_bands} bands: many shares fit equally well; give fewer endmembers.")
    angle = acos(max(-1.0, min(shape.cosine, 1.0)))
    if angle < _ANGLE_LIMIT:
        one, other = (f"endmember {k + 1}" if names is None else str(names[k]) for k in shape.closest)
        apart = f"{one} and {other} are {np.degrees(angle):.2g} degrees apart"
        warn(f"{apart}: their shares cannot be told apart, only their sum.")
    elif r <= n_bands and shape.most > _CONDITION_LIMIT**2 * shape.least:
        condition = np.sqrt(shape.most / max(shape.least, np.finfo(float).eps * shape.most))
        warn(f"the endmembers are nearly dependent (condition {condition:.1e}): shares may be far off.")
