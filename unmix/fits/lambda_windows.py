"""Windows of a lambda stack that fit in memory, and averages over neighbouring pixels inside them.

A window is square and whole, so that neighbours are there to average with; a small image is one window.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..light.additive import Additive
from ..sampling import gather_pixels

WINDOW_BYTES = 32_000_000
_SIDE = 63


def load_windows(
    image: xr.DataArray, rule: Additive, *, threads: int | None = None, progress: Progress | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return additive values, valid flags and flat positions of windows spread evenly over the image.

    Returns
    -------
    values : ndarray of float32, shape (windows, h, w, n_good)
        Zero where invalid.
    valid : ndarray of bool, shape (windows, h, w)
    positions : ndarray of int64, shape (windows, h, w)
    """
    positions = _window_positions(image.sizes["y"], image.sizes["x"], len(rule.good))
    recorded, valid = gather_pixels(image, positions.ravel(), threads=threads, progress=progress)
    values = rule(recorded).astype(np.float32, copy=False)
    valid = valid & np.isfinite(values.sum(axis=1))
    values = np.where(valid[:, None], values, np.float32(0))
    return values.reshape(*positions.shape, -1), valid.reshape(positions.shape), positions


def window_mean(values: np.ndarray, valid: np.ndarray, size: int) -> np.ndarray:
    """Return the mean over the valid pixels of size x size neighbours, inside each window; zero where there is none."""
    from scipy.ndimage import uniform_filter

    share = uniform_filter(valid.astype(np.float32), (1, size, size), mode="constant")
    total = uniform_filter(values, (1, size, size, 1), mode="constant")
    share = np.where(share > 0.5 / size**2, share, np.float32(np.inf))
    return np.maximum(total / share[..., None], 0.0, out=total)


def block_sums(values: np.ndarray, side: int) -> np.ndarray:
    """Return sums over side x side pixels, shape (n, bands); what is left over at the edges is not used."""
    n, height, width, n_bands = values.shape
    tall, wide = min(side, height), min(side, width)
    rows, columns = height // tall, width // wide
    cut = values[:, : rows * tall, : columns * wide]
    return cut.reshape(n, rows, tall, columns, wide, n_bands).sum(axis=(2, 4)).reshape(-1, n_bands)


def _window_positions(height: int, width: int, n_bands: int) -> np.ndarray:
    """Return flat pixel positions (windows, h, w): the whole image where it fits, else an even grid of windows."""
    budget = WINDOW_BYTES // (4 * n_bands)
    if height * width <= budget:
        return np.arange(height * width).reshape(1, height, width)
    tall, wide = min(_SIDE, height), min(_SIDE, width)
    most = max(1, budget // (tall * wide))
    down = min(height // tall, max(1, round(math.sqrt(most * height / width))))
    across = min(width // wide, max(1, most // down))
    down = min(height // tall, max(1, most // across))
    top = ((np.arange(down) + 0.5) * height / down - tall / 2).astype(np.int64)
    left = ((np.arange(across) + 0.5) * width / across - wide / 2).astype(np.int64)
    rows = (np.maximum(top, 0)[:, None] + np.arange(tall))[:, None, :, None]
    columns = (np.maximum(left, 0)[:, None] + np.arange(wide))[None, :, None, :]
    return (rows * width + columns).reshape(down * across, tall, wide)
