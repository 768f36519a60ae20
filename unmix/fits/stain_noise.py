"""How much colours scatter around the stains, and what that means for the fit.

Real tissue scatters by more than the camera's noise: the hull of its colours is then too wide, and refinement has to
draw it in. Where colours scatter little, the hull can be trusted, and drawing it in would be the error. What the
camera's noise alone does to a fit is measured, by adding more of it, and taken back.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..nmf.abundances import solve_abundances

ORDINARY_SCATTER = 0.028
"""Scatter (natural-log optical density) at and above which the weights hold as given."""

LEAST_RATIO = 0.1

TAKEN_BACK = 1.6
"""What doubling the variance of the noise adds to an error, times this, is what the noise itself has added: an error
that grows with the deviation to the power 1.4, between 1 (the tail of an edge) and 2 (a blurred density)."""

_DARKEST = 1 / 255
_CONE_TO_NOISE = 2**0.5
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


def density_noise(density: np.ndarray, light_noise: np.ndarray) -> float:
    """Return the deviation of optical density (n, 3) that noise of light (3,), relative to white, makes of it."""
    return float(np.median(np.sqrt(np.mean((light_noise * np.exp(density)) ** 2, axis=1))))


def noise_within_scatter(density: np.ndarray, light_noise: np.ndarray | None, scatter: float) -> np.ndarray:
    """Return the noise of light (3,), less where colours scatter by less: uneven glass is no noise of the camera."""
    if light_noise is None or not len(density):
        return np.zeros(3)
    return light_noise * min(1.0, _CONE_TO_NOISE * scatter / max(density_noise(density, light_noise), 1e-12))


def less_noise(
    fit: Callable[[np.ndarray], np.ndarray], density: np.ndarray, vectors: np.ndarray, light_noise: np.ndarray
) -> np.ndarray:
    """Return unit vectors (r, 3), as fitted to densities (n, 3), without what noise of light (3,) has done to them.

    The fit is repeated on densities with as much noise once more (a fixed stream of random numbers): where it goes
    then, is where the noise of the camera has driven it from the truth.

    Notes
    -----
    Simulation and extrapolation: Cook, Stefanski, J Am Stat Assoc 89:1314-1328, 1994.
    """
    stream = np.random.default_rng(0)
    light = np.exp(-density) + light_noise * stream.standard_normal(density.shape, dtype=np.float32)
    noisier = np.maximum(-np.log(np.maximum(light, _DARKEST)), 0.0)
    moved = np.maximum(vectors - TAKEN_BACK * (fit(noisier) - vectors), 0.0)
    unit: np.ndarray = moved / np.linalg.norm(moved, axis=1, keepdims=True)
    return unit
