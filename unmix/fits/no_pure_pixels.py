"""The clean scene without pure pixels: pixel anchors do not enclose it, so its simplex is found by volume instead.

A gate decides, from the image alone: the noise of every abundance is below 0.03, and more than 5 % of the pixels lie
outside the simplex of the best pixel anchors. Neither holds on any real scene tried; both hold on clean mixtures.
Large images are looked at on a coarser lattice.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..light.additive import Additive
from ..nmf.abundances import solve_abundances
from ..nmf.adaptive import AdaptiveAnchors, adaptive_anchors, lift_at_equal_brightness
from ..nmf.min_volume import enclose_softly
from ..nmf.subspace import Subspace
from ..options import Options
from .projection import leading_directions, project_image

_MOST_NOISE = 0.03
_LEAST_OUTSIDE = 0.05
_MOST_POINTS = 8000
_MOST_PIXELS = 125_000
_DARKEST = 1e-6


@dataclass(frozen=True)
class EnclosingSimplex:
    """Spectra (r, n_good) of a simplex that encloses the pixels, the nearest pixel of each, and notes."""

    spectra: np.ndarray
    nearest: np.ndarray
    notes: dict[str, Any]


def may_lack_pure_pixels(Z: np.ndarray, vertices: np.ndarray, space: Subspace) -> bool:
    """Ask cheaply, from lifted pixels Z (n, r) and pixel anchors, whether the gate is worth a closer look."""
    r = Z.shape[1]
    if r < 3:
        return False
    inverse = np.linalg.inv(vertices)
    scaled = inverse[: r - 1] / np.sqrt(space.variances[: r - 1])[:, None]
    tau = np.sqrt(space.noise(r) * (scaled**2).sum(axis=0))
    if tau.max() > 3 * _MOST_NOISE:
        return False
    sample = Z[:: max(1, len(Z) // 50_000)]
    H = sample[np.isfinite(sample[:, 0])] @ inverse
    return bool((-(0.02 + 3 * tau) > H).any(axis=1).mean() > 0.4 * _LEAST_OUTSIDE)


def enclosing_simplex(
    image: xr.DataArray,
    rule: Additive,
    additive: np.ndarray,
    space: Subspace,
    r: int,
    options: Options,
    progress: Progress | None,
) -> EnclosingSimplex | None:
    """Return the endmembers of a clean scene without pure pixels, or None where the gate stays shut."""
    axes, moments = leading_directions(additive, r)
    Y = project_image(image, rule, axes, np.zeros(r), options, progress)
    lattice = max(1, math.isqrt(Y.shape[0] * Y.shape[1] // _MOST_PIXELS))
    lift = lift_at_equal_brightness(Y[::lattice, ::lattice], axes @ space.mean)
    anchors = adaptive_anchors(lift, space.noise(r), float(moments[r]) if len(moments) > r else 0.0)
    if anchors.tau.max() >= _MOST_NOISE or anchors.outside <= _LEAST_OUTSIDE:
        return None
    step = max(1, -(-len(anchors.points) // _MOST_POINTS))
    V = enclose_softly(anchors.points[::step], anchors.vertices, anchors.tau, anchors.relative_noise[::step])
    shapes = np.maximum((lift.centre + V[:, : r - 1] @ lift.axes.T) @ axes, _DARKEST)
    spectra = shapes / _brightness(additive, shapes)[:, None]
    return EnclosingSimplex(spectra, _nearest_pixels(lift.F, V, lattice, image.sizes["x"]), _notes(anchors))


def _brightness(additive: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Return the factors that make abundances of these shapes sum to one as nearly as they can."""
    from scipy.optimize import nnls

    sample = np.ascontiguousarray(additive[:: max(1, len(additive) // 20_000)])
    H = solve_abundances(sample, shapes, "non_negative").astype(np.float64)
    factors, _ = nnls(H, np.ones(len(H)))
    typical = float(np.median(factors[factors > 0])) if (factors > 0).any() else 1.0
    return np.where(factors > 0, factors, typical)


def _nearest_pixels(F: np.ndarray, V: np.ndarray, lattice: int, width: int) -> np.ndarray:
    """Return the flat position in the image of the looked-at pixel nearest to each vertex."""
    nearest = np.array([int(np.nanargmin(((F - v[:-1]) ** 2).sum(axis=2))) for v in V], np.int64)
    rows, columns = np.divmod(nearest, F.shape[1])
    return rows * lattice * width + columns * lattice


def _notes(anchors: AdaptiveAnchors) -> dict[str, Any]:
    return {
        "anchors": "enclosing simplex of least volume: clean pixels, none of them pure",
        "outside_pixel_anchors": round(anchors.outside, 4),
        "largest_abundance_noise": float(anchors.tau.max()),
    }
