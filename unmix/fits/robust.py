"""Robust pixel anchors: smoothed successive projection and volume sweeps on the lifted, locally averaged pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..light.additive import Additive
from ..nmf.anchors import grow_volume, smoothed_successive_projection
from ..nmf.subspace import Subspace
from ..options import Options
from .projection import project_image

_LEAST_MEMBERS = 5


@dataclass(frozen=True)
class RobustAnchors:
    """Vertices (r, r) in lifted coordinates, the flat pixels behind each (nearest first), and all lifted pixels."""

    vertices: np.ndarray
    members: list[np.ndarray]
    points: np.ndarray
    pixels_a_vertex: int


def robust_anchors(
    image: xr.DataArray, rule: Additive, space: Subspace, r: int, options: Options, progress: Progress | None
) -> RobustAnchors:
    """Find r anchors, each the median of ``anchor_fraction`` of the pixels."""
    from ..nmf.kernels import mean_3x3

    Z = np.ones((*image.shape[:2], r), np.float32)
    Z[..., : r - 1] = project_image(image, rule, *space.lift(r), options, progress)
    averaged = np.empty_like(Z)
    mean_3x3(Z, averaged)
    flat = averaged.reshape(-1, r)
    p = _members(int(np.isfinite(flat[:, 0]).sum()), options)
    vertices, members = smoothed_successive_projection(flat, r, p)
    vertices, members = grow_volume(flat, vertices, members, p)
    ordered = [_nearest_first(flat, v, m) for v, m in zip(vertices, members, strict=True)]
    return RobustAnchors(vertices, ordered, flat, p)


def brightest_pixels(
    image: xr.DataArray, rule: Additive, space: Subspace, options: Options, progress: Progress | None
) -> np.ndarray:
    """Return the flat positions of the brightest pixels along the mean spectrum, the middle one first."""
    axis = space.mean[None] / max(float(np.linalg.norm(space.mean)), 1e-300)
    along = project_image(image, rule, axis, np.zeros(1), options, progress).ravel()
    p = _members(int(np.isfinite(along).sum()), options)
    order = np.argsort(-np.nan_to_num(along, nan=-np.inf), kind="stable")[:p]
    return np.roll(order, -(p // 2))


def _members(n_valid: int, options: Options) -> int:
    return min(n_valid, max(_LEAST_MEMBERS, int(options.anchor_fraction * n_valid)))


def _nearest_first(Z: np.ndarray, vertex: np.ndarray, rows: np.ndarray) -> np.ndarray:
    distance = ((Z[rows] - vertex) ** 2).sum(axis=1)
    return rows[np.lexsort((rows, distance))]
