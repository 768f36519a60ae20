"""Uncompressed numbers in a file, in any axis order and byte order, read window by window.

Plain reads, not a memory map: a map reads ahead megabytes at every jump (seconds for one row of a large BSQ cube), and
kills the process where the file is cut short under it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from io import FileIO
from itertools import product
from pathlib import Path

import numpy as np

from ..errors import ReadError
from .naming import shown

_SHORT_BYTES = 65_536


_FAR_APART = 3
_STRIP_BYTES = 4_000_000


@dataclass
class RawFile:
    """A cube of plain numbers at an offset of a file.

    `stored_shape` are the sizes from the slowest axis to the fastest, `axes` the three of them that are y, x and
    band, `at` the place on each axis (the places on those three are not used).
    """

    path: str
    offset: int
    dtype: np.dtype
    stored_shape: tuple[int, ...]
    axes: tuple[int, int, int]
    at: tuple[int, ...]

    @classmethod
    def cube(cls, path: Path, offset: int, dtype: np.dtype, shape: tuple[int, int, int], stored: str) -> RawFile:
        """Describe a file that holds one cube (y, x, band); `stored` are the letters y, x, b, slowest first."""
        sizes = dict(zip("yxb", shape, strict=True))
        axes = (stored.index("y"), stored.index("x"), stored.index("b"))
        return cls(str(path), offset, dtype, tuple(sizes[letter] for letter in stored), axes, (0, 0, 0))

    @property
    def shape(self) -> tuple[int, int, int]:
        y, x, b = (self.stored_shape[axis] for axis in self.axes)
        return y, x, b

    @property
    def strip_rows(self) -> int:
        """Return how many rows are worth reading by themselves, 0 where rows do not lie together in the file."""
        if self.axes[0] != min(self.axes):
            return 0
        return max(1, _STRIP_BYTES // (self.shape[1] * self.shape[2] * self.dtype.itemsize))

    @property
    def grain(self) -> tuple[int, int]:
        return 1, self.shape[1]

    def check_size(self) -> None:
        """Raise `ReadError` where the file is too short to hold the numbers."""
        expected = self.offset + math.prod(self.stored_shape) * self.dtype.itemsize
        found = Path(self.path).stat().st_size
        if found < expected:
            raise ReadError(f"{shown(self.path)} is cut short: expected {expected} bytes or more, found {found}.")

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        spans = [slice(place, place + 1) for place in self.at]
        for axis, span in zip(self.axes, (rows, columns, bands), strict=True):
            spans[axis] = span
        part = self._stored(spans)
        others = tuple(axis for axis in range(part.ndim) if axis not in self.axes)
        return part.transpose((*self.axes, *others)).reshape(
            [span.stop - span.start for span in (rows, columns, bands)]
        )

    def pick(self, y: np.ndarray, x: np.ndarray, bands: slice) -> np.ndarray:
        """Return the recorded values (n, band) of some pixels; runs of rows without any are not read."""
        values = np.empty((len(y), bands.stop - bands.start), self.dtype.newbyteorder("="))
        others = tuple(axis for axis in range(len(self.stored_shape)) if axis not in self.axes)
        for rows in _runs(y):
            spans = [slice(place, place + 1) for place in self.at]
            for axis, span in zip(self.axes, (rows, slice(0, self.shape[1]), bands), strict=True):
                spans[axis] = span
            part = self._stored(spans).transpose((*self.axes, *others))
            part = part.reshape(part.shape[:3])
            mine = np.flatnonzero((y >= rows.start) & (y < rows.stop))
            values[mine] = part[y[mine] - rows.start, x[mine]]
        return values

    def _stored(self, spans: list[slice]) -> np.ndarray:
        """Return a window in stored order: contiguous runs are read, inner axes whole where they are short."""
        sizes, item = self.stored_shape, self.dtype.itemsize
        run = len(sizes) - 1
        while run > 0 and math.prod(sizes[run:]) * item <= _SHORT_BYTES:
            run -= 1
        whole = list(spans[: run + 1]) + [slice(0, size) for size in sizes[run + 1 :]]
        while run > 0 and whole[run] == slice(0, sizes[run]):
            run -= 1
        part = np.empty([span.stop - span.start for span in whole], self.dtype)
        lines = part.reshape(math.prod(part.shape[:run]), -1)
        strides = [math.prod(sizes[axis + 1 :]) * item for axis in range(len(sizes))]
        places = product(*(range(span.start, span.stop) for span in whole[:run]))
        with open(self.path, "rb", buffering=0) as file:
            for line, place in zip(lines, places, strict=True):
                outer = sum(index * stride for index, stride in zip(place, strides, strict=False))
                file.seek(self.offset + outer + whole[run].start * strides[run])
                self._fill(file, memoryview(line).cast("B"))
        inner = [slice(None)] * (run + 1)
        for axis in range(run + 1, len(sizes)):
            inner.append(slice(spans[axis].start - whole[axis].start, spans[axis].stop - whole[axis].start))
        return part[tuple(inner)]

    def _fill(self, file: FileIO, target: memoryview) -> None:
        """Read until a run is complete; a file that ends early is an error, never zeros."""
        done = 0
        while done < len(target):
            count = file.readinto(target[done:])
            if not count:
                raise ReadError(f"{shown(self.path)} ends before its numbers do.")
            done += count


def _runs(y: np.ndarray) -> list[slice]:
    """Return spans of rows that hold all of these, cut where several rows in between hold none."""
    rows = np.unique(y)
    cuts = np.flatnonzero(np.diff(rows) > _FAR_APART) + 1
    return [slice(int(run[0]), int(run[-1]) + 1) for run in np.split(rows, cuts) if run.size]
