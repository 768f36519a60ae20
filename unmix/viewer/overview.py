"""Maps that are kept on disk, seen from afar: a coarse copy in memory that fills while they are made."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

MAPS = ("abundances", "residual", "brightness")
_MOST_PIXELS = 64_000_000


class Overview:
    """Means of squares of pixels of every map of a result.

    Parameters
    ----------
    result : Dataset
        Whose maps are being made; only their shapes are looked at.
    """

    def __init__(self, result: xr.Dataset) -> None:
        height, width = result.sizes["y"], result.sizes["x"]
        self.step = 1
        while (height // self.step) * (width // self.step) > _MOST_PIXELS or self.step < 2:
            self.step *= 2
        size = -(-height // self.step), -(-width // self.step)
        self.maps = {name: np.zeros((*result[name].shape[:-2], *size), np.float32) for name in MAPS if name in result}

    def take(self, result: xr.Dataset, rows: slice, columns: slice) -> None:
        """Take up a finished window; a square that two windows share shows the later one."""
        down, across = (range(span.start // self.step, -(-span.stop // self.step)) for span in (rows, columns))
        for name, coarse in self.maps.items():
            window: Any = result[name].data[..., rows, columns]
            values = np.asarray(window.compute(scheduler="synchronous") if hasattr(window, "dask") else window)
            means = _means(_means(values, rows.start, self.step, -2), columns.start, self.step, -1)
            coarse[..., down.start : down.stop, across.start : across.stop] = means


def _means(values: np.ndarray, start: int, step: int, axis: int) -> np.ndarray:
    """Return means along an axis whose first place is `start`, over runs that begin at the multiples of `step`."""
    stop = start + values.shape[axis]
    edges = np.maximum(np.arange(start // step * step, stop, step), start) - start
    counts = np.diff(np.append(edges, stop - start)).astype(np.float32)
    shape = [1] * values.ndim
    shape[axis] = len(counts)
    return np.add.reduceat(values, edges, axis=axis) / counts.reshape(shape)
