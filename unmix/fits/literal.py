"""The exact case: raw pixels that already explain the whole image to numerical noise.

On noise-free separable data literal successive projection is exact and nothing can be better. Whether an image is such
a case is decided, not assumed: the sample must have no energy outside the subspace, and every pixel must be a
non-negative mixture of the anchors found, to rounding. Three readings are tried: abundances that sum to at most one
(linear), to one (affine; a material may be zero in every band), or to anything (rays of a cone).
"""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..errors import DataError
from ..light.additive import Additive
from ..nmf.anchors import successive_projection
from ..nmf.subspace import Subspace
from ..options import Options
from .projection import leading_directions, project_image

_ENERGY = 1e-12
_INSIDE = 1e-4


def literal_anchors(
    image: xr.DataArray,
    rule: Additive,
    space: Subspace,
    r: int,
    options: Options,
    progress: Progress | None,
) -> np.ndarray | None:
    """Return the flat positions (r,) of pixels that explain the image exactly, or None where there are none."""
    axes, moments = leading_directions(space, r)
    total = moments.sum()
    if moments[r:].sum() <= _ENERGY * total and moments[r - 1] > _ENERGY * total:
        L = project_image(image, rule, axes, np.zeros(r), options, progress).reshape(-1, r)
        brightness = L @ axes.sum(axis=1).astype(L.dtype)
        with np.errstate(all="ignore"):
            rays = np.where((brightness > 0)[:, None], L / brightness[:, None], np.nan)
        for candidates in (L, rays):
            chosen = _exact(candidates, L, r)
            if chosen is not None:
                return chosen
    if space.variances[r - 1 :].sum() <= _ENERGY * total and space.rank >= r - 1:
        Z = np.ones((image.sizes["y"] * image.sizes["x"], r), np.float32)
        Z[:, : r - 1] = project_image(image, rule, *space.lift(r), options, progress).reshape(-1, r - 1)
        Z[~np.isfinite(Z[:, 0])] = np.nan
        return _exact(Z, Z, r)
    return None


def _exact(candidates: np.ndarray, points: np.ndarray, r: int) -> np.ndarray | None:
    """Return the literal anchors among `candidates` if all `points` are their non-negative mixtures, else None."""
    try:
        chosen = successive_projection(candidates, r)
    except DataError:
        return None
    anchors = points[chosen].astype(np.float64)
    if np.linalg.cond(anchors) > 1e6:
        return None
    inverse = np.linalg.inv(anchors)
    for top in range(0, len(points), 1 << 18):
        H = points[top : top + (1 << 18)].astype(np.float64) @ inverse
        if np.nanmin(H / np.maximum(1.0, np.abs(H).max(axis=1, keepdims=True)), initial=0.0) < -_INSIDE:
            return None
    return _brightest_on_each_ray(points, chosen, inverse)


def _brightest_on_each_ray(points: np.ndarray, chosen: np.ndarray, inverse: np.ndarray) -> np.ndarray:
    """Among pixels as pure as each anchor, prefer the brightest, so that brightness stays at most one."""
    best, most = chosen.copy(), np.ones(len(chosen)) * (1 + 1e-6)
    for top in range(0, len(points), 1 << 18):
        H = points[top : top + (1 << 18)].astype(np.float64) @ inverse
        total = np.abs(H).sum(axis=1)
        for k in range(len(chosen)):
            pure = np.where((H[:, k] >= (1 - 1e-6) * total) & np.isfinite(total), H[:, k], -np.inf)
            i = int(np.argmax(pure))
            if pure[i] > most[k]:
                best[k], most[k] = top + i, pure[i]
    return best
