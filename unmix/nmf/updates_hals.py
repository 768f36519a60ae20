"""Hierarchical alternating least squares: each row of a block in turn gets its exact optimum; and its extrapolation.

One row m_k of min tr(M'HM)/2 - <T, M>, M >= 0, the others held, is max(0, m_k + (T_k - H_k M) / H_kk): exact, so the
objective never rises (Cichocki and Phan 2009, IEICE Trans. E92-A(3), 708-721; Gillis and Glineur 2012, Neural Comput.
24(4), 1085-1105).

Extrapolated: every block is started and judged from a point ahead of the last move, M + s (M - M_before); s grows while
that pays and is cut back where it does not (Ang and Gillis 2019, Neural Comput. 31(2), 417-439; constants theirs).
Here an iteration that lowers the objective by less than a tenth of the fall before it is thrown away and done again
plainly from where it began: so the objective never rises, and a small fall means that the end is near. Moments are
linear in A, so going ahead costs no pass over the data.
"""

from __future__ import annotations

import numpy as np

from .alternation import Alternation, BlockUpdate, Improve, Point
from .gram_data import GramData
from .problem import Problem
from .terms import Majoriser

_FIRST_STEP = 0.5
_STEP_GROWS, _LIMIT_GROWS, _STEP_SHRINKS = 1.05, 1.01, 1.5
_LEAST_FALL = 0.1
_STRIP = 512


def hals_sweep(M: np.ndarray, gram: np.ndarray, bound: Majoriser, fixed: np.ndarray) -> Improve:
    """Prepare one sweep over the rows of M."""
    from .refine_kernels import sweep_hals

    H, slope, curvature = (
        np.ascontiguousarray(a, M.dtype) for a in (gram + bound.coupling, bound.slope, bound.curvature)
    )

    def improve(start: int, stop: int, T: np.ndarray) -> None:
        work = np.empty((2, _STRIP), M.dtype)
        sweep_hals(M, start, stop, H, T, slope, curvature, fixed, work)

    return improve


class ExtrapolatedAlternation(Alternation):
    """Alternation that goes ahead of itself and takes back what does not pay."""

    def __init__(self, problem: Problem, data: GramData, update: BlockUpdate, threads: int = 1) -> None:
        super().__init__(problem, data, update, threads)
        self.before = self.point
        self.spare = np.empty_like(self.point.M)
        self.stride, self.limit, self.last = _FIRST_STEP, 1.0, _FIRST_STEP

    def step(self) -> None:
        """Do one iteration, ahead where that lowers the objective, else plainly."""
        oldest = self.before.M
        ahead = self._from_ahead(self.stride)
        fall = self.point.objective - ahead.objective
        if fall < _LEAST_FALL * (self.before.objective - self.point.objective):
            self.limit, self.last = self.last, self.stride
            self.stride /= _STEP_SHRINKS
            self.before = self.point
            ahead = self._from_ahead(0.0)
        else:
            self.last = self.stride
            self.stride = min(self.limit, _STEP_GROWS * self.stride)
            self.limit = min(1.0, _LIMIT_GROWS * self.limit)
        self.before, self.point = self.point, ahead
        self.spare = oldest if oldest is not self.before.M else np.empty_like(oldest)

    def _from_ahead(self, stride: float) -> Point:
        """Return the point one iteration after the point reached plus `stride` times the last move."""
        from .refine_kernels import go_ahead

        here, before = self.point, self.before
        if before is here:
            stride = 0.0
        E, M = here.E, self.spare
        data, gram = here.moments.data, here.moments.gram
        go_ahead(here.M, before.M, stride, 0, M.shape[1], M)
        if stride > 0:
            E = np.maximum(E + stride * (E - before.E), 0.0)
            data, gram = here.moments.ahead(before.moments, stride)
        E = self._better_endmembers(E, data, gram)
        leading = np.maximum(E + stride * (E - here.E), 0.0)
        following = self._improve_abundances(M, leading, here.M)
        return self._judged(M, E, following)
