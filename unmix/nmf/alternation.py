"""One iteration under the squared error: a better E for the A at hand, then a better A for that E.

E needs A'A and A'X only, A needs E E' and X E' only (papers: X' ~ E' A'), and the objective follows from the same
products, so an iteration walks the data once, strip by strip. How a block is made better, its update, is a function
in a file of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from .gram_data import GramData, Moments, moments
from .problem import Problem
from .terms import Majoriser, summed

Improve = Callable[[int, int, np.ndarray], None]
"""Makes columns start to stop of a block better, in place, given their targets T (r, at least stop - start).

Called from several threads at once, for columns of their own.
"""


class BlockUpdate(Protocol):
    """Prepares to improve a block M in place: min tr(M' gram M) / 2 - <T, M> + bound, M >= 0, rows fixed or not."""

    def __call__(self, M: np.ndarray, gram: np.ndarray, bound: Majoriser, fixed: np.ndarray) -> Improve: ...


@dataclass(frozen=True)
class Point:
    """Abundances M (r, n), endmembers E, the moments of M and the objective there."""

    M: np.ndarray
    E: np.ndarray
    moments: Moments
    objective: float


class Alternation:
    """The state of a run under the squared error, and its plain iteration."""

    def __init__(self, problem: Problem, data: GramData, update: BlockUpdate, threads: int = 1) -> None:
        self.problem, self.data, self.update, self.threads = problem, data, update, threads
        self.size = 0.5 * data.energy
        M, E = problem.M, problem.E
        self.point = self._judged(M, E, moments(data, M, E, threads))

    @property
    def objective(self) -> float:
        """The objective at the point reached."""
        return self.point.objective

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Abundances (n, r) and endmembers (r, n_bands) reached, as views."""
        return self.point.M.T, self.point.E

    def step(self) -> None:
        """Do one iteration."""
        here = self.point
        E = self._better_endmembers(here.E, here.moments.data, here.moments.gram)
        self.point = self._judged(here.M, E, self._improve_abundances(here.M, E))

    def _better_endmembers(self, E: np.ndarray, data: np.ndarray, gram: np.ndarray) -> np.ndarray:
        """Return endmembers improved for abundances with A'X = data and A'A = gram."""
        problem = self.problem
        if problem.fixed.all():
            return E
        better = E.copy()
        improve = self.update(better, gram, summed(problem.endmember_terms, better), problem.fixed)
        improve(0, E.shape[1], data)
        return better

    def _improve_abundances(self, M: np.ndarray, E: np.ndarray, earlier: np.ndarray | None = None) -> Moments:
        """Improve the abundances in place for these endmembers; return their moments, and those with earlier ones."""
        data = self.data
        improve = self.update(M, E @ E.T, summed(self.problem.pixel_terms, M), np.zeros(len(M), bool))

        def visit(prepared: np.ndarray, start: int, stop: int, T: np.ndarray) -> None:
            data.targets(prepared, start, stop, T)
            improve(start, stop, T)

        return moments(data, M, E, self.threads, earlier, visit)

    def _judged(self, M: np.ndarray, E: np.ndarray, of: Moments) -> Point:
        """Return the point with its objective."""
        return Point(M, E, of, max(of.half_error_of(E), 0.0) + self.problem.penalty(M, E))
