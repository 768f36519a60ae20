"""Smooth random fields: what makes a made image look grown rather than drawn."""

from __future__ import annotations

import zlib

import numpy as np

from .limits import check_whole

_GRID_PER_SCALE = 4


def random_stream(seed: int, purpose: str) -> np.random.Generator:
    """Return a generator of its own for one purpose, so that one option never changes what another one draws."""
    check_whole("seed", seed, 0, 2**63 - 1)
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence([seed, zlib.crc32(purpose.encode())])))


def smooth_field(rng: np.random.Generator, shape: tuple[int, int], scale: float) -> np.ndarray:
    """Return a field (y, x) of mean 0 and standard deviation 1 that varies over about `scale` pixels."""
    from scipy.ndimage import gaussian_filter, map_coordinates

    step = max(1, int(scale) // _GRID_PER_SCALE)
    margin = 2 * _GRID_PER_SCALE if step > 1 else 0
    coarse = tuple(-(-size // step) + 2 * margin + 1 for size in shape)
    values = gaussian_filter(rng.standard_normal(coarse), scale / step, mode="reflect")
    if step > 1:
        rows, columns = (np.arange(size) / step + margin for size in shape)
        grid = np.meshgrid(rows, columns, indexing="ij")
        values = map_coordinates(values, grid, order=3, mode="reflect")
    values = values[: shape[0], : shape[1]]
    values = values - values.mean()
    spread = values.std()
    return values / spread if spread > 0 else values


def smooth_step(values: np.ndarray) -> np.ndarray:
    """Return the logistic function, from 0 to 1 through one half at 0."""
    return 1.0 / (1.0 + np.exp(-np.clip(values, -40.0, 40.0)))


def fibres(rng: np.random.Generator, angle: np.ndarray, *, thickness: float, length: float) -> np.ndarray:
    """Return noise drawn out along the direction `angle` (y, x; radians, of no sense), mean 0, standard deviation 1.

    Line integral convolution (Cabral and Leedom, SIGGRAPH 1993): white noise averaged along stream lines.
    """
    from scipy.ndimage import gaussian_filter, map_coordinates

    noise = gaussian_filter(rng.standard_normal(angle.shape), thickness)
    sine, cosine = np.sin(angle), np.cos(angle)
    height, width = angle.shape
    total = noise.copy()
    stride = max(1.0, thickness)
    for sense in (1.0, -1.0):
        y, x = np.indices(angle.shape).astype(np.float64)
        dy, dx = sense * sine, sense * cosine
        for _ in range(int(length / stride)):
            row, column = (np.rint(y).clip(0, height - 1), np.rint(x).clip(0, width - 1))
            nearest = (row * width + column).astype(np.intp)
            here_y, here_x = sine.take(nearest), cosine.take(nearest)
            turned = np.where(here_y * dy + here_x * dx < 0, -1.0, 1.0)
            dy, dx = turned * here_y, turned * here_x
            y, x = y + stride * dy, x + stride * dx
            total += map_coordinates(noise, (y, x), order=1, mode="reflect")
    return (total - total.mean()) / total.std()
