"""Robust pixel anchors: several searches over the same projected pixels, and the pixels behind each vertex.

Every search takes the median of many pixels as a vertex, so that no endmember rests on one odd pixel. They differ in
what they lift the pixels to and in how many pixels they take; `contest` says which one an image needs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..light.additive import Additive
from ..nmf.adaptive import adaptive_anchors, lift_at_equal_brightness
from ..nmf.anchors import grow_volume, median_of_rows, smoothed_successive_projection
from ..nmf.subspace import Subspace, subspace_of
from ..options import Options
from ..sampling import gather_pixels
from .projection import leading_directions, project_image, project_lattice

_LEAST_MEMBERS = 5
_MOST_SPECTRA = 500
_MOST_SEEN = 50_000


@dataclass(frozen=True)
class ProjectedPixels:
    """Every pixel in the r leading directions of the second moment, and what the searches look at.

    The searches look at every ``lattice``-th row and column, so that a large image costs no more than a small one:
    ``seen`` (y, x, r) as it is, NaN where invalid, ``averaged`` with its 3x3 neighbours in the image, ``lifted``
    averaged and lifted (r columns, the last one constant). ``width`` is that of the image.
    """

    seen: np.ndarray
    width: int
    lattice: int
    averaged: np.ndarray
    lifted: np.ndarray
    directions: np.ndarray
    moments: np.ndarray

    @property
    def n_seen(self) -> int:
        return int(np.isfinite(self.averaged[..., 0]).sum())

    def in_image(self, seen: np.ndarray) -> np.ndarray:
        """Return the flat positions in the image of flat positions among the pixels seen."""
        rows, columns = np.divmod(seen, self.averaged.shape[1])
        return (rows * self.width + columns) * self.lattice

    def among_seen(self, in_image: np.ndarray) -> np.ndarray:
        """Return the flat positions among the pixels seen of flat positions in the image."""
        rows, columns = np.divmod(in_image, self.width)
        return rows // self.lattice * self.seen.shape[1] + columns // self.lattice


@dataclass(frozen=True)
class PixelAnchors:
    """The flat pixels behind each of r vertices, nearest first, the vertices, and notes about the search."""

    members: list[np.ndarray]
    vertices: np.ndarray
    notes: dict[str, Any] = field(default_factory=dict)


def project_pixels(
    image: xr.DataArray, rule: Additive, space: Subspace, r: int, options: Options, progress: Progress | None
) -> ProjectedPixels:
    """Project every pixel once for all searches."""
    directions, moments = leading_directions(space, r)
    lattice = max(1, math.ceil(math.sqrt(image.sizes["y"] * image.sizes["x"] / _MOST_SEEN)))
    seen, averaged = project_lattice(image, rule, directions, lattice, options, progress)
    whiten, offset = subspace_of(directions @ space.mean, directions @ space.covariance @ directions.T).lift(r)
    lifted = np.ones_like(averaged)
    lifted[..., : r - 1] = averaged @ whiten.T.astype(seen.dtype) - offset.astype(seen.dtype)
    return ProjectedPixels(seen, image.sizes["x"], lattice, averaged, lifted, directions, moments)


def lifted_anchors(pixels: ProjectedPixels, share: float) -> PixelAnchors:
    """Successive projection and volume sweeps on the affine lift: finds dark materials too."""
    Z = _flat(pixels.lifted)
    p = members_a_vertex(pixels.n_seen, share)
    vertices, members = smoothed_successive_projection(Z, Z.shape[1], p)
    vertices, members = grow_volume(Z, vertices, members, p)
    return _ordered(pixels, Z, vertices, members, {"anchors": "robust", "pixels_a_vertex": p})


def linear_anchors(pixels: ProjectedPixels, share: float) -> PixelAnchors:
    """Successive projection on the linear coordinates: not misled by brightness that varies within a material."""
    Y = _flat(pixels.averaged)
    p = members_a_vertex(pixels.n_seen, share)
    vertices, members = smoothed_successive_projection(Y, Y.shape[1], p)
    return _ordered(pixels, Y, vertices, members, {"anchors": "smoothed", "pixels_a_vertex": p})


def noise_following_anchors(pixels: ProjectedPixels, space: Subspace) -> PixelAnchors:
    """Anchors at equal brightness whose smoothing follows the noise: keeps materials in very few pixels."""
    found = follow_noise(pixels.seen, pixels.directions, pixels.moments, space)
    return replace(found, members=[pixels.in_image(rows) for rows in found.members])


def follow_noise(Y: np.ndarray, directions: np.ndarray, moments: np.ndarray, space: Subspace) -> PixelAnchors:
    """Return the anchors of `adaptive` among pixels Y (y, x, r) in these directions, members as flat places in Y."""
    r = len(directions)
    lift = lift_at_equal_brightness(Y, directions @ space.mean)
    found = adaptive_anchors(lift, space.noise(r), float(moments[r]) if len(moments) > r else 0.0)
    F, vertices = lift.F.reshape(-1, r - 1), found.vertices[:, : r - 1]
    members = [nearest_first(F, v, m) for v, m in zip(vertices, found.members, strict=True)]
    counts = [len(m) for m in members]
    notes = {"anchors": "adaptive", "pixels_a_vertex": counts, "largest_abundance_noise": float(found.tau.max())}
    return PixelAnchors(members, vertices, notes)


def brightest_pixels(
    image: xr.DataArray, rule: Additive, space: Subspace, options: Options, progress: Progress | None
) -> np.ndarray:
    """Return the flat positions of the brightest pixels along the mean spectrum, the middle one first."""
    axis = space.mean[None] / max(float(np.linalg.norm(space.mean)), 1e-300)
    along = project_image(image, rule, axis, np.zeros(1), options, progress).ravel()
    p = members_a_vertex(int(np.isfinite(along).sum()), options.anchor_fraction)
    order = np.argsort(-np.nan_to_num(along, nan=-np.inf), kind="stable")[:p]
    return np.roll(order, -(p // 2))


def median_spectra(
    image: xr.DataArray, rule: Additive, members: Sequence[np.ndarray], options: Options, progress: Progress | None
) -> np.ndarray:
    """Return the band-wise median of the additive spectra behind each vertex (n_vertices, n_good), float64."""
    chosen = [m[:: max(1, -(-len(m) // _MOST_SPECTRA))] for m in members]
    values, valid = gather_pixels(image, np.concatenate(chosen), threads=options.threads, progress=progress)
    ends = np.cumsum([len(m) for m in chosen])[:-1]
    parts = zip(np.split(rule(values), ends), np.split(valid, ends), strict=True)
    return np.array([median_of_rows(spectra[keep]) for spectra, keep in parts])


def members_a_vertex(n_valid: int, share: float) -> int:
    """Return how many pixels are behind one vertex: this share of the valid ones, at least five."""
    return min(n_valid, max(_LEAST_MEMBERS, int(share * n_valid)))


def nearest_first(Z: np.ndarray, vertex: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the rows of Z behind a vertex, the one nearest to it first."""
    distance = ((Z[rows] - vertex) ** 2).sum(axis=1)
    return rows[np.lexsort((rows, distance))]


def _ordered(
    pixels: ProjectedPixels, Z: np.ndarray, vertices: np.ndarray, members: list[np.ndarray], notes: dict[str, Any]
) -> PixelAnchors:
    nearest = [pixels.in_image(nearest_first(Z, v, m)) for v, m in zip(vertices, members, strict=True)]
    return PixelAnchors(nearest, vertices, notes)


def _flat(Z: np.ndarray) -> np.ndarray:
    return Z.reshape(-1, Z.shape[2])
