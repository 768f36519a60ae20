"""The clean scene without pure pixels: pixel anchors do not enclose it, so its simplex is found by volume instead.

A gate decides, from the image alone: the noise of every abundance is below 0.03, and more than 5 % of the pixels lie
outside the simplex of the best pixel anchors. Neither holds on any real scene tried; both hold on clean mixtures. As
many endmembers as bands leave no band to tell the noise by, and the gate stays shut.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..nmf.abundances import solve_abundances
from ..nmf.adaptive import BrightnessLift, JudgedSimplex, judge_simplex, lift_at_equal_brightness
from ..nmf.min_volume import enclose_softly
from ..nmf.subspace import Subspace
from .robust import ProjectedPixels

_MOST_NOISE = 0.03
_LEAST_OUTSIDE = 0.05
_MOST_CONDITION = 1e6
_MOST_POINTS = 8000
_DARKEST = 1e-6


@dataclass(frozen=True)
class EnclosingSimplex:
    """Spectra (r, n_good) of a simplex that encloses the pixels, the nearest pixel of each, and notes."""

    spectra: np.ndarray
    nearest: np.ndarray
    notes: dict[str, Any]


def enclosing_simplex(
    pixels: ProjectedPixels, members: Sequence[np.ndarray], additive: np.ndarray, space: Subspace
) -> EnclosingSimplex | None:
    """Return the endmembers of a clean scene without pure pixels, or None where the gate stays shut.

    `members` are the flat pixels behind the best pixel anchors: what they enclose needs no other simplex.
    """
    r = pixels.seen.shape[2]
    if not 3 <= r < len(space.variances) or _share_outside_cone(pixels, members, space) <= _LEAST_OUTSIDE:
        return None
    lift = lift_at_equal_brightness(pixels.seen, pixels.directions @ space.mean)
    start = _lifted(lift, pixels, members, space)
    if np.linalg.cond(start) > _MOST_CONDITION:
        return None
    misfit = float(pixels.moments[r]) if len(pixels.moments) > r else 0.0
    judged = judge_simplex(lift, start, space.noise(r), misfit)
    if judged.tau.max() >= _MOST_NOISE or judged.outside <= _LEAST_OUTSIDE:
        return None
    step = max(1, -(-len(judged.points) // _MOST_POINTS))
    V = enclose_softly(judged.points[::step], start, judged.tau, judged.relative_noise[::step])
    shapes = np.maximum((lift.centre + V[:, : r - 1] @ lift.axes.T) @ pixels.directions, _DARKEST)
    spectra = shapes / _brightness(additive, shapes)[:, None]
    return EnclosingSimplex(spectra, pixels.in_image(_nearest(lift.F, V)), _notes(judged))


def _share_outside_cone(pixels: ProjectedPixels, members: Sequence[np.ndarray], space: Subspace) -> float:
    """Return the share of pixels that are no non-negative mixture of the anchors, beyond noise, at any brightness."""
    E = _vertices(pixels, members)
    if np.linalg.cond(E) > _MOST_CONDITION:
        return 0.0
    inverse = np.linalg.inv(E)
    tau = np.sqrt(space.noise(len(E)) * (inverse**2).sum(axis=0))
    Y = pixels.seen.reshape(-1, len(E))
    H = Y[np.isfinite(Y[:, 0])] @ inverse
    return float((0.02 + 3 * tau + H < 0).any(axis=1).mean())


def _vertices(pixels: ProjectedPixels, members: Sequence[np.ndarray]) -> np.ndarray:
    Y = pixels.seen.reshape(-1, pixels.seen.shape[2])
    return np.array([np.median(Y[pixels.among_seen(m)].astype(np.float64), axis=0) for m in members])


def _lifted(
    lift: BrightnessLift, pixels: ProjectedPixels, members: Sequence[np.ndarray], space: Subspace
) -> np.ndarray:
    """Return pixel anchors as vertices (r, r) at equal brightness, last column one."""
    E = _vertices(pixels, members)
    mean = pixels.directions @ space.mean
    brightness = E @ mean / (mean @ mean)
    Z = E / np.maximum(brightness, lift.darkest)[:, None]
    return np.column_stack([(Z - lift.centre) @ lift.whiten.T, np.ones(len(E))])


def _brightness(additive: np.ndarray, shapes: np.ndarray) -> np.ndarray:
    """Return the factors that make abundances of these shapes sum to one as nearly as they can."""
    from scipy.optimize import nnls

    sample = np.ascontiguousarray(additive[:: max(1, len(additive) // 20_000)])
    H = solve_abundances(sample, shapes, "non_negative").astype(np.float64)
    factors, _ = nnls(H, np.ones(len(H)))
    typical = float(np.median(factors[factors > 0])) if (factors > 0).any() else 1.0
    return np.where(factors > 0, factors, typical)


def _nearest(F: np.ndarray, V: np.ndarray) -> np.ndarray:
    """Return the flat position among the pixels seen of the one nearest to each vertex."""
    return np.array([int(np.nanargmin(((F - v[:-1]) ** 2).sum(axis=2))) for v in V], np.int64)


def _notes(judged: JudgedSimplex) -> dict[str, Any]:
    return {
        "anchors": "enclosing simplex of least volume: clean pixels, none of them pure",
        "outside_pixel_anchors": round(judged.outside, 4),
        "largest_abundance_noise": float(judged.tau.max()),
    }
