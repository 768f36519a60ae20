"""A cube within an array of any number of axes, as HDF5 and Zarr store them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any

import numpy as np


@dataclass
class StoredCube(ABC):
    """An array as (y, x, band); `axes` are the array's axes that hold them, -1 for no bands; all others are at 0."""

    path: str
    name: str
    dtype: np.dtype
    stored_shape: tuple[int, ...]
    axes: tuple[int, int, int]
    grain: tuple[int, int]

    @property
    def shape(self) -> tuple[int, int, int]:
        y, x, b = (1 if axis < 0 else self.stored_shape[axis] for axis in self.axes)
        return y, x, b

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        wanted: list[slice | int] = [0] * len(self.stored_shape)
        for axis, span in zip(self.axes, (rows, columns, bands), strict=True):
            if axis >= 0:
                wanted[axis] = span
        part = self.stored(tuple(wanted))
        kept = sorted(axis for axis in self.axes if axis >= 0)
        if self.axes[2] < 0:
            part, kept = part[..., None], [*kept, -1]
        order = tuple(kept.index(axis) for axis in self.axes)
        return part.transpose(order)

    @abstractmethod
    def stored(self, window: tuple[Any, ...]) -> np.ndarray:
        """Return a window of the array as it is stored; one opening of the file a call."""
