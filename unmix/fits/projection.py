"""Every pixel of an image onto a few directions: the one pass over the data that the scene fit needs."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..blocks import Block, Progress, map_blocks
from ..light.additive import Additive
from ..nmf.subspace import Subspace
from ..options import Options
from ..scratch import memory_budget, room_for


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


def leading_directions(space: Subspace, r: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the r leading eigenvectors (r, n_bands) of the sample's second moment, and all its eigenvalues."""
    values, vectors = np.linalg.eigh(space.covariance + np.outer(space.mean, space.mean))
    return vectors[:, ::-1].T[:r], np.maximum(values[::-1], 0)
