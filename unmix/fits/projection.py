"""Every pixel of an image onto a few directions: the one pass over the data that the scene fit needs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..blocks import Block, Progress, map_blocks, map_pixels
from ..light.additive import Additive
from ..nmf.subspace import Subspace
from ..nmf.threads import over_rows, thread_count
from ..options import Options
from ..scratch import memory_budget, room_for

_APART = 3
"""Places between neighbourhoods of 3x3 that touch and do not overlap."""


def project_image(
    image: xr.DataArray,
    rule: Additive,
    axes: np.ndarray,
    offset: np.ndarray,
    options: Options,
    progress: Progress | None,
) -> np.ndarray:
    """Return ``axes @ pixel - offset`` of every pixel, float32 (y, x, k), NaN where a pixel is not valid."""
    from ..nmf.kernels import project_rows

    out = room_for((*image.shape[:2], len(axes)), np.float32, memory_budget(options.memory))

    def project(values: np.ndarray, valid: np.ndarray, block: Block) -> None:
        X = np.ascontiguousarray(rule(values))
        part = np.empty((len(X), len(axes)), X.dtype)
        project_rows(X, np.ascontiguousarray(axes, X.dtype), offset.astype(X.dtype), part)
        part[~valid.ravel()] = np.nan
        out[block.window] = part.reshape(*block.shape, len(axes))

    map_blocks(project, image, stage="lift", threads=options.threads, progress=progress)
    return out


def project_lattice(
    image: xr.DataArray, rule: Additive, axes: np.ndarray, lattice: int, options: Options, progress: Progress | None
) -> tuple[np.ndarray, np.ndarray]:
    """Return ``axes @ pixel`` of every `lattice`-th row and column, as it is and averaged with its 3x3 neighbours.

    Both are float32 (y, x, k), NaN where a pixel is not valid. On a wide lattice only the pixels needed are looked at:
    what this costs in memory does not grow with the image.
    """
    from ..nmf.kernels import mean_3x3

    height, width = image.sizes["y"], image.sizes["x"]
    if lattice <= _APART:
        near, step = project_image(image, rule, axes, np.zeros(len(axes)), options, progress), lattice
    else:
        rows, columns = _with_neighbours(height, lattice), _with_neighbours(width, lattice)
        positions = (rows[:, None] * width + columns).ravel()
        near = _project_some(image, rule, axes, positions, options, progress)
        near, step = near.reshape(len(rows), len(columns), len(axes)), _APART
    seen = near[::step, ::step]
    averaged = np.empty(seen.shape, near.dtype)
    mean_3x3(near, step, averaged)
    return seen, averaged


def _project_some(
    image: xr.DataArray,
    rule: Additive,
    axes: np.ndarray,
    positions: np.ndarray,
    options: Options,
    progress: Progress | None,
) -> np.ndarray:
    """Return ``axes @ pixel`` at flat positions (n, k), float32, NaN where a pixel is not valid."""
    from ..nmf.kernels import dot_new_rows, project_places

    near = np.empty((len(positions), len(axes)), np.float32)

    def project(values: np.ndarray, valid: np.ndarray, mine: np.ndarray) -> None:
        X = np.ascontiguousarray(rule(values))
        part = np.empty((len(X), len(axes)), X.dtype)
        dot_new_rows(X, np.ascontiguousarray(axes, X.dtype), part)
        part[~valid] = np.nan
        near[mine] = part

    def project_in_place(part: slice) -> None:
        project_places(pixels, positions[part], np.ascontiguousarray(axes, pixels.dtype), near[part])
        near[part][~valid[positions[part]]] = np.nan

    if image.chunks is None and image.data.flags.c_contiguous and rule.leaves(image.data):
        pixels, valid = image.data.reshape(-1, image.shape[2]), image.coords["valid"].data.reshape(-1)
        over_rows(project_in_place, len(positions), thread_count(options.threads))
    else:
        map_pixels(project, image, positions, stage="lift", threads=options.threads, progress=progress)
    return near


def _with_neighbours(size: int, lattice: int) -> np.ndarray:
    """Return 0 and every multiple of `lattice`, each with the two places beside it, as far as they lie inside.

    Every third place, from the first, is one of the lattice.
    """
    places = (np.arange(0, size, lattice)[:, None] + np.array([-1, 0, 1])).ravel()[1:]
    return places[places < size]


def leading_directions(space: Subspace, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the r leading eigenvectors (r, n_bands) of the sample's second moment, and all its eigenvalues."""
    values, vectors = space.moment_axes
    return vectors[:r], values
