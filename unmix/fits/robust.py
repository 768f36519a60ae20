"""Robust pixel anchors: several searches over the same projected pixels, and the pixels behind each vertex.

Every search takes the median of many pixels as a vertex, so that no endmember rests on one odd pixel. They differ in
what they lift the pixels to and in how many pixels they take; `contest` says which one an image needs.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..light.additive import Additive
from ..nmf.adaptive import adaptive_anchors, lift_at_equal_brightness
from ..nmf.anchors import grow_volume, smoothed_successive_projection
from ..nmf.subspace import Subspace
from ..options import Options
from .projection import leading_directions, project_image

_LEAST_MEMBERS = 5


@dataclass(frozen=True)
class ProjectedPixels:
    """Every pixel in few coordinates (y, x, .), NaN where invalid: as it is, and averaged with its 3x3 neighbours.

    ``linear`` are the r leading directions of the second moment; ``averaged`` are the affine lift (r columns, the last
    one constant) and the linear coordinates (r columns).
    """

    linear: np.ndarray
    averaged_lift: np.ndarray
    averaged_linear: np.ndarray
    directions: np.ndarray
    moments: np.ndarray

    @property
    def n_valid(self) -> int:
        return int(np.isfinite(self.linear[..., 0]).sum())


@dataclass(frozen=True)
class PixelAnchors:
    """The flat pixels behind each of r vertices, nearest first, the vertices, and notes about the search."""

    members: list[np.ndarray]
    vertices: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)


def project_pixels(
    image: xr.DataArray,
    rule: Additive,
    additive: np.ndarray,
    space: Subspace,
    r: int,
    options: Options,
    progress: Progress | None,
) -> ProjectedPixels:
    """Project every pixel once for all searches."""
    from ..nmf.kernels import mean_3x3

    directions, moments = leading_directions(additive, r)
    whiten, offset = space.lift(r)
    both = project_image(
        image, rule, np.vstack([whiten, directions]), np.concatenate([offset, np.zeros(r)]), options, progress
    )
    averaged = np.empty_like(both)
    mean_3x3(both, averaged)
    lift = np.ones((*both.shape[:2], r), np.float32)
    lift[..., : r - 1] = averaged[..., : r - 1]
    linear = np.ascontiguousarray(both[..., r - 1 :])
    return ProjectedPixels(linear, lift, np.ascontiguousarray(averaged[..., r - 1 :]), directions, moments)


def lifted_anchors(pixels: ProjectedPixels, share: float) -> PixelAnchors:
    """Successive projection and volume sweeps on the affine lift: finds dark materials too."""
    Z = _flat(pixels.averaged_lift)
    p = members_a_vertex(pixels.n_valid, share)
    vertices, members = smoothed_successive_projection(Z, Z.shape[1], p)
    vertices, members = grow_volume(Z, vertices, members, p)
    return _ordered(Z, vertices, members, {"anchors": "robust", "pixels_a_vertex": p})


def linear_anchors(pixels: ProjectedPixels, share: float) -> PixelAnchors:
    """Successive projection on the linear coordinates: not misled by brightness that varies within a material."""
    Y = _flat(pixels.averaged_linear)
    p = members_a_vertex(pixels.n_valid, share)
    vertices, members = smoothed_successive_projection(Y, Y.shape[1], p)
    return _ordered(Y, vertices, members, {"anchors": "smoothed", "pixels_a_vertex": p})


def noise_following_anchors(pixels: ProjectedPixels, space: Subspace) -> PixelAnchors:
    """Anchors at equal brightness whose smoothing follows the noise: keeps materials in very few pixels."""
    r = pixels.linear.shape[2]
    lift = lift_at_equal_brightness(pixels.linear, pixels.directions @ space.mean)
    misfit = float(pixels.moments[r]) if len(pixels.moments) > r else 0.0
    found = adaptive_anchors(lift, space.noise(r), misfit)
    counts = [len(m) for m in found.members]
    notes = {"anchors": "adaptive", "pixels_a_vertex": counts, "largest_abundance_noise": float(found.tau.max())}
    F = lift.F.reshape(-1, r - 1)
    return _ordered(F, found.vertices[:, : r - 1], found.members, notes)


def brightest_pixels(
    image: xr.DataArray, rule: Additive, space: Subspace, options: Options, progress: Progress | None
) -> np.ndarray:
    """Return the flat positions of the brightest pixels along the mean spectrum, the middle one first."""
    axis = space.mean[None] / max(float(np.linalg.norm(space.mean)), 1e-300)
    along = project_image(image, rule, axis, np.zeros(1), options, progress).ravel()
    p = members_a_vertex(int(np.isfinite(along).sum()), options.anchor_fraction)
    order = np.argsort(-np.nan_to_num(along, nan=-np.inf), kind="stable")[:p]
    return np.roll(order, -(p // 2))


def members_a_vertex(n_valid: int, share: float) -> int:
    """Return how many pixels are behind one vertex: this share of the valid ones, at least five."""
    return min(n_valid, max(_LEAST_MEMBERS, int(share * n_valid)))


def nearest_first(Z: np.ndarray, vertex: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the rows of Z behind a vertex, the one nearest to it first."""
    distance = ((Z[rows] - vertex) ** 2).sum(axis=1)
    return rows[np.lexsort((rows, distance))]


def _ordered(Z: np.ndarray, vertices: np.ndarray, members: list[np.ndarray], notes: dict[str, Any]) -> PixelAnchors:
    nearest = [nearest_first(Z, v, m) for v, m in zip(vertices, members, strict=True)]
    return PixelAnchors(nearest, vertices, notes)


def _flat(Z: np.ndarray) -> np.ndarray:
    return Z.reshape(-1, Z.shape[2])
