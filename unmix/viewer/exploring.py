"""Small sums over maps that exploring needs: composites, areas, profiles, scatter counts. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..image import sample_rows
from .sources import contrast_limits


def composite(planes: Sequence[Any], limits: Sequence[tuple[float, float]]) -> np.ndarray:
    """Return three planes (y, x) as a picture (y, x, 3), 8-bit, each stretched to its limits; NaN is black."""
    picture = np.empty((*planes[0].shape, 3), np.uint8)
    for k, (plane, (low, high)) in enumerate(zip(planes, limits, strict=True)):
        stretched = (np.asarray(plane, np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
        picture[..., k] = np.clip(np.nan_to_num(stretched), 0, 255)
    return picture


def stretch(plane: Any) -> tuple[float, float]:
    """Return display limits of a plane (y, x), from a few of its rows."""
    return contrast_limits(sample_rows(plane[..., None]))


def area_share(values: np.ndarray, threshold: float) -> tuple[float, int]:
    """Return the share of the valid pixels at or above a threshold, and how many these are."""
    valid = np.isfinite(values)
    above = int((values[valid] >= threshold).sum())
    return (above / int(valid.sum()) if valid.any() else 0.0), above


def along_line(values: Any, corners: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return distances (n,) in pixels and values (r, n) along a line through maps (r, y, x); NaN outside and invalid.

    The line is walked in steps of at most one pixel; each step takes the nearest pixel.
    """
    steps = np.hypot(*np.diff(corners, axis=0).T)
    ends = np.concatenate([[0.0], np.cumsum(steps)])
    distance = np.linspace(0.0, ends[-1], max(2, int(np.ceil(ends[-1])) + 1))
    rows = np.rint(np.interp(distance, ends, corners[:, 0])).astype(int)
    columns = np.rint(np.interp(distance, ends, corners[:, 1])).astype(int)
    height, width = values.shape[-2:]
    inside = (rows >= 0) & (rows < height) & (columns >= 0) & (columns < width)
    found = np.full((len(values), len(distance)), np.nan, np.float32)
    if hasattr(values, "dask"):
        found[:, inside] = np.asarray(values.vindex[:, rows[inside], columns[inside]]).T
    else:
        found[:, inside] = values[:, rows[inside], columns[inside]]
    return distance, found


class Scatter:
    """How often each pair of values of two maps occurs, and which pixels are behind a part of the picture.

    Parameters
    ----------
    x, y : ndarray, shape (rows, columns)
        Two maps; pixels that are not finite in both are left out.
    bins : int
        Width and height of the picture.
    """

    def __init__(self, x: np.ndarray, y: np.ndarray, bins: int = 200) -> None:
        self.shape = x.shape
        self.bins = bins
        known = np.isfinite(x) & np.isfinite(y)
        self._pixels = np.flatnonzero(known)
        self.x_limits, self.y_limits = _span(x[known]), _span(y[known])
        column = _bin(x[known], self.x_limits, bins)
        row = _bin(y[known], self.y_limits, bins)
        self._cell = column * bins + row
        self.counts = np.bincount(self._cell, minlength=bins * bins).reshape(bins, bins)

    @property
    def n_pixels(self) -> int:
        """How many pixels the picture shows."""
        return len(self._pixels)

    def inside(self, corners: np.ndarray) -> np.ndarray:
        """Return which pixels (rows, columns) lie inside a polygon (n, 2) of x and y values; to a bin's precision."""
        from skimage.measure import points_in_poly

        centres = [low + (np.arange(self.bins) + 0.5) * (high - low) / self.bins for low, high in self._limits]
        grid = np.stack(np.meshgrid(*centres, indexing="ij"), axis=-1).reshape(-1, 2)
        chosen = points_in_poly(grid, corners)
        mask = np.zeros(self.shape, bool)
        mask.ravel()[self._pixels[chosen[self._cell]]] = True
        return mask

    @property
    def _limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self.x_limits, self.y_limits


def _span(values: np.ndarray) -> tuple[float, float]:
    if not len(values):
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low, low + 1.0)


def _bin(values: np.ndarray, limits: tuple[float, float], bins: int) -> np.ndarray:
    low, high = limits
    return np.clip(((values - low) * (bins / (high - low))).astype(np.int64), 0, bins - 1)
