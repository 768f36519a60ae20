"""Small sums over maps that exploring needs: composites, areas, profiles, scatter counts. Arrays in, arrays out."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..image import sample_rows
from .sources import contrast_limits

MOST_PIXELS = 25_000_000
"""Larger maps are looked at in steps of two or more pixels."""


def composite(planes: Sequence[Any], limits: Sequence[tuple[float, float]]) -> Any:
    """Return three planes (y, x) as a picture (y, x, 3), 8-bit, each stretched to its limits; lazy where they are."""
    channels = [_stretched(plane, low, high) for plane, (low, high) in zip(planes, limits, strict=True)]
    if all(isinstance(channel, np.ndarray) for channel in channels):
        return np.stack(channels, axis=-1)
    import dask.array as da

    return da.stack(channels, axis=-1)


def _stretched(plane: Any, low: float, high: float) -> Any:
    """Return a plane from 0 to 255; NaN is 0."""
    if hasattr(plane, "dask"):
        return plane.map_blocks(_stretched, low, high, dtype=np.uint8, meta=np.empty((0, 0), np.uint8))
    scaled = (np.asarray(plane, np.float32) - np.float32(low)) * np.float32(255.0 / (high - low))
    return np.clip(np.nan_to_num(scaled), 0, 255).astype(np.uint8)


def step_of(shape: Sequence[int]) -> int:
    """Return in which steps a map (y, x) is looked at, so that what is looked at stays quick."""
    return max(1, int(np.ceil(np.sqrt(shape[0] * shape[1] / MOST_PIXELS))))


def stretch(plane: Any) -> tuple[float, float]:
    """Return display limits of a plane (y, x), from a few of its rows."""
    return contrast_limits(sample_rows(plane[..., None]))


def area_share(values: np.ndarray, threshold: float) -> tuple[float, int]:
    """Return the share of the valid pixels at or above a threshold, and how many these are."""
    above, n_valid = int((values >= threshold).sum()), int(np.isfinite(values).sum())
    return (above / n_valid if n_valid else 0.0), above


def heights(values: np.ndarray, top: float, bins: int = 100) -> np.ndarray:
    """Return how many values lie in each of equal bins from 0 to `top`; what is larger counts in the last one."""
    finite = values[np.isfinite(values)]
    return np.histogram(np.clip(finite, 0.0, top), bins, (0.0, top))[0]


def area_said(n_pixels: int, size: tuple[float, float, str]) -> str:
    """Return an area in a unit that suits it; `size` is height, width and unit of a pixel."""
    area = n_pixels * size[0] * size[1]
    known = _unit(size[2])
    if known is None:
        return f"{area:,.6g} {size[2]}²"
    short, large, factor = known
    return f"{area / factor**2:,.4g} {large}²" if area >= 0.01 * factor**2 else f"{area:,.6g} {short}²"


def pixel_said(size: tuple[float, float, str]) -> str:
    """Return how large a pixel is."""
    known = _unit(size[2])
    return f"{size[0]:.4g} × {size[1]:.4g} {size[2] if known is None else known[0]}"


def _unit(name: str) -> tuple[str, str, float] | None:
    """Return the short name of a unit of length, that of a larger one, and how much larger that is."""
    plain = name.strip().lower()
    return next(((short, large, factor) for names, short, large, factor in _UNITS if plain in names), None)


_UNITS = (
    (("m", "metre", "meter", "metres", "meters"), "m", "km", 1000.0),
    (("um", "µm", "micrometer", "micrometre", "micron"), "µm", "mm", 1000.0),
    (("mm", "millimeter", "millimetre"), "mm", "cm", 10.0),
)


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


_FARTHEST = 0.02


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
        self._values = x, y
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

    def at(self, row: int, column: int) -> tuple[float, float] | None:
        """Return the two values of a pixel, None outside and where they are not known."""
        if not (0 <= row < self.shape[0] and 0 <= column < self.shape[1]):
            return None
        x, y = (float(values[row, column]) for values in self._values)
        return (x, y) if np.isfinite(x) and np.isfinite(y) else None

    @property
    def _limits(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self.x_limits, self.y_limits


def _span(values: np.ndarray) -> tuple[float, float]:
    """Return from where to where values are drawn; the few farthest pile up at the ends."""
    if not len(values):
        return 0.0, 1.0
    low, high = (float(v) for v in np.percentile(values, (_FARTHEST, 100 - _FARTHEST)))
    return (low, high) if high > low else (low, low + 1.0)


def _bin(values: np.ndarray, limits: tuple[float, float], bins: int) -> np.ndarray:
    low, high = limits
    return np.clip(((values - low) * (bins / (high - low))).astype(np.int64), 0, bins - 1)
