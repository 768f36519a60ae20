"""Geometry lookup tables as products store them, checked against the size of the sensor's image."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...errors import ReadError
from ...ground_grid import GroundGrid
from ..hdf5_file import plain_array
from ..naming import shown

if TYPE_CHECKING:
    from affine import Affine


@dataclass(frozen=True)
class LookupTable:
    """The two datasets of a table, of lines and of samples, and where their grid lies."""

    line: Any
    sample: Any
    crs: Any
    transform: Affine

    def grid(self, size: tuple[int, int], path: Path) -> GroundGrid:
        """Return the table read and checked; `size` is the height and width of the sensor's image."""
        line, sample = _checked(self.line, size[0], path), _checked(self.sample, size[1], path)
        if line.shape != sample.shape:
            raise ReadError(f"{shown(path)}: lines and samples of the lookup table differ in size.")
        empty = (line == 0) | (sample == 0)
        line[empty], sample[empty] = 0, 0
        return GroundGrid(line, sample, self.crs, self.transform)


def _checked(data: Any, size: int, path: Path) -> np.ndarray:
    """Return one half of a table as whole numbers from 0 (none) to `size`; a sign only says how a cell was filled."""
    if data.ndim != 2 or 0 in data.shape or data.dtype.kind not in "uif":
        raise ReadError(f"{shown(path)}: {data.name!r} is no lookup table.")
    values = np.abs(np.nan_to_num(plain_array(data, path)))
    fill = data.attrs.get("_FillValue")
    if fill is not None and np.size(fill) == 1:
        values[values == abs(np.ravel(fill)[0])] = 0
    if (values > size).any() or (values != np.rint(values)).any():
        raise ReadError(
            f"{shown(path)}: {data.name!r} points to {values.max():g}, outside 1 to {size}: the table counts from 1 "
            "(0 is none) and does not belong to this image."
        )
    return values.astype(np.int32)
