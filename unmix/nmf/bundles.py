"""The best few endmembers for each pixel out of many: every subset is tried and the one that fits best is kept (MESMA).

Rows of X (n_pixels, n_bands) are pixels, E (m, n_bands) the endmembers; several may be of one material (a bundle), and
a subset takes at most one of each. A larger subset is taken only where it fits clearly better than a smaller one.
"""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from ..errors import OptionError
from .abundances import AbundanceProblem, abundance_problem

MOST_MODELS = 20_000
LEAST_GAIN = 0.05
"""A larger subset must lower the residual by this share to be taken."""


@dataclass(frozen=True)
class SubsetProblem:
    """Every allowed subset of the endmembers, ready to be solved; small, so that block tasks can carry it."""

    n_endmembers: int
    models: tuple[tuple[int, ...], ...]
    problems: tuple[AbundanceProblem, ...]

    def solve(self, X: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Return abundances (n, m), root mean square residual (n,) and the model of each row (n,); -1 where not finite.

        Abundances outside the chosen model are zero.
        """
        n = len(X)
        A = np.full((n, self.n_endmembers), np.nan, X.dtype)
        best, chosen = np.full(n, np.inf), np.full(n, -1, np.int32)
        smaller, size = np.full(n, np.inf), 0
        everything = np.ones(n, bool)
        for index, (model, problem) in enumerate(zip(self.models, self.problems, strict=True)):
            if len(model) > size:
                smaller, size = best * (1 - LEAST_GAIN), len(model)
            shares, misfit, _ = problem.solve_with_residual(X, everything)
            residual = misfit.astype(np.float64)
            better = residual < np.minimum(best, smaller)
            A[better] = 0
            A[np.ix_(better, model)] = shares[better]
            best[better], chosen[better] = residual[better], index
        return A, np.where(chosen >= 0, best, np.nan), chosen


def subset_problem(E: np.ndarray, most: int, constraint: str, materials: Sequence[str] | None = None) -> SubsetProblem:
    """Prepare every subset of at most `most` endmembers, at most one of each material.

    Parameters
    ----------
    E : ndarray, shape (m, n_bands)
        Endmembers.
    most : int
        Largest subset, at least 1.
    constraint : str
        As in `unmix.nmf.solve_abundances`.
    materials : sequence of str, optional
        What each endmember is one of; each its own when not given.

    Returns
    -------
    SubsetProblem

    Raises
    ------
    OptionError
        There are more than 20,000 subsets.

    References
    ----------
    Roberts et al. 1998, Remote Sens. Environ. 65(3), 267-279.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.nmf.bundles import subset_problem
    >>> problem = subset_problem(np.array([[1.0, 0, 0], [0.9, 0.1, 0], [0, 0, 1.0]]), 2, "shade", ["a", "a", "b"])
    >>> problem.models
    ((0,), (1,), (2,), (0, 2), (1, 2))
    """
    groups = [str(k) for k in range(len(E))] if materials is None else list(materials)
    models: list[tuple[int, ...]] = []
    for size in range(1, min(most, len(set(groups))) + 1):
        for model in combinations(range(len(E)), size):
            if len({groups[k] for k in model}) == size:
                models.append(model)
            if len(models) > MOST_MODELS:
                raise OptionError(
                    f"{len(E)} endmembers, at most {most} a pixel, make more than {MOST_MODELS:,} models. "
                    "Select fewer spectra of the library, or fewer a pixel."
                )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # spectra of a bundle are alike; those of one material never meet in a model
        problems = tuple(abundance_problem(E[list(model)], constraint) for model in models)
    return SubsetProblem(len(E), tuple(models), problems)
