"""Projected fast gradient: each block by a few of Nesterov's accelerated steps, M >= 0 kept by clipping.

    M_next = max(0, V - (H V - T) / |H|)
    V = M_next + (p - 1) / p_next (M_next - M),  p_next = (1 + sqrt(1 + 4 p^2)) / 2

Guan, Tao, Luo and Yuan 2012, IEEE Trans. Signal Process. 60(6), 2882-2898 (NeNMF); Nesterov 1983. The terms' curvature
is added to |H| element by element. Accelerated steps may overshoot: a pixel (for E: a band) whose part of the
objective went up takes one plain step instead, so that the objective never rises. Slow where endmembers are alike.
"""

from __future__ import annotations

import numpy as np

from .alternation import Improve
from .terms import Majoriser

_STEPS = 10
_STRIP = 256


def fast_gradient_steps(M: np.ndarray, gram: np.ndarray, bound: Majoriser, fixed: np.ndarray) -> Improve:
    """Prepare accelerated steps on M."""
    from .refine_kernels import descend_fast_gradient

    coupled = gram + bound.coupling
    H, slope, curvature = (np.ascontiguousarray(a, M.dtype) for a in (coupled, bound.slope, bound.curvature))
    steepest = float(np.linalg.eigvalsh(coupled)[-1]) * (1 + 1e-12)

    def improve(start: int, stop: int, T: np.ndarray) -> None:
        work = np.empty((5 * len(M), _STRIP), M.dtype)
        if steepest > 0:
            descend_fast_gradient(M, start, stop, H, T, slope, curvature, fixed, M.dtype.type(steepest), _STEPS, work)

    return improve
