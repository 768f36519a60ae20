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
        halves = _stored(self.line, path), _stored(self.sample, path)
        return checked_grid(*halves, size, self.crs, self.transform, path)


def checked_grid(
    line: np.ndarray, sample: np.ndarray, size: tuple[int, int], crs: Any, transform: Affine, path: Path
) -> GroundGrid:
    """Return a table of lines and samples, checked against the height and width of the sensor's image."""
    if line.shape != sample.shape:
        raise ReadError(f"{shown(path)}: lines and samples of the lookup table differ in size.")
    line, sample = _checked(line, size[0], "line", path), _checked(sample, size[1], "sample", path)
    empty = (line == 0) | (sample == 0)
    line[empty], sample[empty] = 0, 0
    return GroundGrid(line, sample, crs, transform)


def _stored(data: Any, path: Path) -> np.ndarray:
    """Return one half of a table as it is stored, its fill value as 0."""
    if data.ndim != 2 or 0 in data.shape or data.dtype.kind not in "uif":
        raise ReadError(f"{shown(path)}: {data.name!r} is no lookup table.")
    values = np.array(plain_array(data, path))
    fill = data.attrs.get("_FillValue")
    if fill is not None and np.size(fill) == 1:
        values[values == np.ravel(fill)[0]] = 0
    return values


def _checked(half: np.ndarray, size: int, what: str, path: Path) -> np.ndarray:
    """Return one half of a table as whole numbers from 0 (none) to `size`; a sign only says how a cell was filled."""
    values = np.abs(np.nan_to_num(half))
    if (values > size).any() or (values != np.rint(values)).any():
        raise ReadError(
            f"{shown(path)}: a {what} of the lookup table points to {values.max():g}, outside 1 to {size}: the table "
            "counts from 1 (0 is none) and does not belong to this image."
        )
    return values.astype(np.int32)
