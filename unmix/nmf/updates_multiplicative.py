"""Multiplicative updates: every element times a factor that minimises a separable bound of loss and terms.

Squared error: M <- M * T / (H M) (Lee and Seung 2000, NIPS 13, 556-562). Beta-divergence with model Y = A E:

    A <- A * ( ((X Y^(beta-2)) E') / (Y^(beta-1) E') )^g,  g = 1 for 1 <= beta <= 2, 1 / (2 - beta) below

(Fevotte and Idier 2011, Neural Comput. 23(9), 2421-2456), E likewise. Terms enter the bound, not the fraction, so that
the objective never rises with them either. Simple, the classic, and slow; a zero stays zero for ever, hence the
start is lifted off it where the caller has not given one.
"""

from __future__ import annotations

import numpy as np

from .alternation import Improve
from .problem import Problem
from .terms import Majoriser, summed, uncoupled

_STRIP = 512
_PASS_BYTES = 400_000
_LIFT, _LEAST, _FLOOR = 1e-3, 1e-12, 1e-15


def multiplicative_sweep(M: np.ndarray, gram: np.ndarray, bound: Majoriser, fixed: np.ndarray) -> Improve:
    """Prepare one multiplication of M under the squared error."""
    from .refine_kernels import sweep_multiplicative

    alone = uncoupled(bound, M)
    H, slope, curvature = (np.ascontiguousarray(a, M.dtype) for a in (gram, alone.slope, alone.curvature))

    def improve(start: int, stop: int, T: np.ndarray) -> None:
        work = np.empty((len(M), _STRIP), M.dtype)
        sweep_multiplicative(M, start, stop, H, T, slope, curvature, fixed, work)

    return improve


def lift_off_zero(problem: Problem) -> None:
    """Lift the start off zero, in place: abundances that the caller has not given, and endmembers that are free."""
    if not problem.given:
        np.maximum(problem.M, problem.M.dtype.type(_LIFT * problem.M.mean()), out=problem.M)
    free = ~problem.fixed
    problem.E[free] = np.maximum(problem.E[free], _LIFT**2 * problem.E.mean())


class DivergenceAlternation:
    """The state of a run under a beta-divergence with beta below 2, and its iteration."""

    def __init__(self, problem: Problem) -> None:
        self.problem, self.beta = problem, problem.loss.beta
        self.M, self.E = problem.M, problem.E
        X, free = problem.X, ~problem.fixed
        level = float(X.mean(dtype=np.float64)) or 1.0
        self.floor = X.dtype.type(_FLOOR * level)
        self.least_M, self.least_E = _LEAST * (float(self.M.mean()) or 1.0), _LEAST * (float(self.E.mean()) or 1.0)
        np.maximum(self.M, self.M.dtype.type(self.least_M), out=self.M)
        self.E[free] = np.maximum(self.E[free], self.least_E)
        self.size = self._size(level)
        self._walk(improving=None)

    @property
    def factors(self) -> tuple[np.ndarray, np.ndarray]:
        """Abundances (n, r) and endmembers (r, n_bands) reached, as views."""
        return self.M.T, self.E

    def step(self) -> None:
        """Do one iteration: E by the parts of its gradient at hand, then A in one pass that gathers new ones."""
        from .divergence_kernels import multiply_divergence

        problem, E = self.problem, self.E
        if not problem.fixed.all():
            bound = uncoupled(summed(problem.endmember_terms, E), E)
            multiply_divergence(
                E, 0, E.shape[1], *self.parts, bound.slope, bound.curvature, problem.fixed, self.beta, self.least_E
            )
        self._walk(uncoupled(summed(problem.pixel_terms, self.M), self.M))

    def _walk(self, improving: Majoriser | None) -> None:
        """Improve A strip by strip, if asked; gather the gradient's parts for E and the objective on the way."""
        from .divergence_kernels import multiply_divergence

        X, M, E = self.problem.X, self.M, self.E.astype(self.M.dtype)
        P, Q, value = np.zeros(E.shape), np.zeros(E.shape), 0.0
        none = np.zeros(len(M), bool)
        strip = max(64, _PASS_BYTES // (X.shape[1] * X.itemsize))
        for start in range(0, len(X), strip):
            stop = min(start + strip, len(X))
            rows = X[start:stop]
            if improving is not None:
                parts = self._gradient_parts(rows.T, self._model(start, stop, E).T, E)
                multiply_divergence(
                    M, start, stop, *parts, improving.slope, improving.curvature, none, self.beta, self.least_M
                )
            model = self._model(start, stop, E)
            value += self.problem.loss.value(rows, model)
            more = self._gradient_parts(rows, model, M[:, start:stop])
            P += more[0]
            Q += more[1]
        self.parts = P, Q
        self.objective = value + self.problem.penalty(M, self.E)

    def _model(self, start: int, stop: int, E: np.ndarray) -> np.ndarray:
        return np.maximum(self.M[:, start:stop].T @ E, self.floor)

    def _gradient_parts(self, X: np.ndarray, model: np.ndarray, other: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return X Y^(beta - 2) and Y^(beta - 1), each multiplied from the left by the other block."""
        if self.beta == 1:
            total = np.broadcast_to(other.sum(axis=1, keepdims=True), (len(other), X.shape[1]))
            return np.ascontiguousarray(other @ (X / model)), np.ascontiguousarray(total)
        weight = 1 / model if self.beta == 0 else model ** (self.beta - 1)
        return np.ascontiguousarray(other @ (X * weight / model)), np.ascontiguousarray(other @ weight)

    def _size(self, level: float) -> float:
        """Return the divergence of the data from their mean, what the objective is large or small against."""
        X = self.problem.X
        strip = max(64, _PASS_BYTES // (X.shape[1] * X.itemsize))
        parts = (X[i : i + strip] for i in range(0, len(X), strip))
        return sum(self.problem.loss.value(rows, np.full_like(rows, level)) for rows in parts)
