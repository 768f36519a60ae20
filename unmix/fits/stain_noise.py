"""How much colours scatter around the stains, and what that means for the weights of the refinement.

Real tissue scatters by more than the camera's noise: the hull of its colours is then too wide, and refinement has to
draw it in. Where colours scatter little, the hull can be trusted, and drawing it in would be the error.
"""

from __future__ import annotations

import numpy as np

from ..nmf.abundances import solve_abundances

ORDINARY_SCATTER = 0.028
"""Scatter (natural-log optical density) at and above which the weights hold as given."""

LEAST_RATIO = 0.1

_MAD_TO_SIGMA = 1.4826
_OUTSIDE = 1e-6


def colour_scatter(density: np.ndarray, corners: np.ndarray) -> float:
    """Return how far densities (n, 3) scatter around what mixtures of the corners (r, 3) can be, as a sigma.

    Two stains: the spread off their plane. Three stains fill the space: the root mean square distance to their cone of
    the pixels outside it.
    """
    if len(corners) == 2:
        normal = np.cross(corners[0], corners[1])
        normal /= max(float(np.linalg.norm(normal)), 1e-12)
        return float(_MAD_TO_SIGMA * np.median(np.abs(density @ normal)))
    distance = np.linalg.norm(density - solve_abundances(density, corners) @ corners, axis=1)
    outside = distance[distance > _OUTSIDE]
    return float(np.sqrt(np.mean(outside**2))) if len(outside) else 0.0


def weights_at_scatter(scatter: float, sparsity: float, anchor_weight: float) -> tuple[float, float]:
    """Return the weights for this scatter, relative to ordinary scatter and never beyond it.

    Sparsity falls with the square of the scatter, the hold on the hull grows with its fourth power.
    """
    ratio = min(1.0, max(LEAST_RATIO, scatter / ORDINARY_SCATTER))
    return sparsity * ratio**2, anchor_weight / ratio**4
