"""The tiles of a pyramid of 8-bit maps, deflated and kept on disk until the file that holds them is put together.

The maps are walked once, in fields of 4 x 4 tiles that several threads share: a field makes its tiles of the first
three levels while they are in the processor's cache, and its part of the fourth, from which the further levels follow.
"""

from __future__ import annotations

import math
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import xarray as xr

from ..nmf.threads import side_by_side, thread_count
from ..scratch import ScratchFile, room_for
from ..stores.slide_maps import SlideView, shifted, view_behind
from .deflated import deflated

PER_CONCENTRATION = 64
"""Value of a pixel of concentration one."""

TILE = 512
_SMALLEST = 1024
_FIELD_LEVELS = 3
_FIELD = TILE << (_FIELD_LEVELS - 1)
_IN_MEMORY = 64_000_000


class TilePyramid:
    """Where every deflated tile of every level lies, and its checksum.

    Fields are put in any order, from any thread; `finish` makes the levels that are made of many of them.

    Parameters
    ----------
    shape : (int, int, int)
        Maps, rows and columns of the first level.
    folder : Path
        On which disk the tiles are kept.
    """

    def __init__(self, shape: tuple[int, int, int], folder: Path) -> None:
        self.shape = shape
        self.levels = [shape[1:], *level_shapes(*shape[1:])]
        grids = [(shape[0], -(-height // TILE), -(-width // TILE)) for height, width in self.levels]
        self._places = [np.zeros((*grid, 2), np.int64) for grid in grids]
        self.checksums = [np.zeros(grid, np.uint32) for grid in grids]
        self._file = ScratchFile(folder, math.prod(shape) // 2)
        further = self.levels[_FIELD_LEVELS] if len(self.levels) > _FIELD_LEVELS else (0, 0)
        self._further = room_for((shape[0], *further), np.uint8, _IN_MEMORY, folder)
        self._lock, self._end = threading.Lock(), 0
        self._empty: tuple[int, int, int] | None = None
        self.n_beyond = 0

    def fields(self) -> list[tuple[slice, slice]]:
        """Return the windows that are put one at a time: 4 x 4 tiles."""
        return [
            (slice(top, min(top + _FIELD, self.shape[1])), slice(left, min(left + _FIELD, self.shape[2])))
            for top in range(0, self.shape[1], _FIELD)
            for left in range(0, self.shape[2], _FIELD)
        ]

    def put_field(self, window: tuple[slice, slice], values: np.ndarray | None, n_beyond: int = 0) -> None:
        """Put the tiles of a field of all maps (map, h, w); None where all of it is zero.

        `n_beyond` are the values in it that were larger than 255.
        """
        top, left = window[0].start, window[1].start
        for level in range(min(_FIELD_LEVELS, len(self.levels))):
            for k in range(self.shape[0]):
                one = None if values is None else values[k]
                _put_tiles(self, level, k, top >> level, left >> level, one, window)
            values = None if values is None else np.stack([halved(one) for one in values])
        if self._further.size:
            y, x = top >> _FIELD_LEVELS, left >> _FIELD_LEVELS
            height, width = (-(-(span.stop - span.start) >> _FIELD_LEVELS) for span in window)
            self._further[:, y : y + height, x : x + width] = 0 if values is None else values
        with self._lock:
            self.n_beyond += n_beyond

    def finish(self) -> None:
        """Put the tiles of the levels that are made of whole smaller maps, when every field has been put."""
        values = self._further
        for level in range(_FIELD_LEVELS, len(self.levels)):
            height, width = self.levels[level]
            for k, one in enumerate(values):
                _put_tiles(self, level, k, 0, 0, one, (slice(0, height << level), slice(0, width << level)))
            values = np.stack([halved(one) for one in values])
        self._further = np.empty((0, 0, 0), np.uint8)

    def put(self, level: int, k: int, row: int, column: int, differences: np.ndarray | None) -> None:
        """Deflate and keep one tile, given as differences in its rows; None where all of it is zero."""
        place = self._empty_tile() if differences is None else self._append(differences)
        self._places[level][k, row, column] = place[:2]
        self.checksums[level][k, row, column] = place[2]

    def tiles(self, level: int) -> Iterator[bytes]:
        """Yield the deflated tiles of a level, map after map, row after row."""
        for offset, size in self._places[level].reshape(-1, 2):
            yield self._file.read(np.empty(int(size), np.uint8), int(offset)).tobytes()

    def _append(self, differences: np.ndarray) -> tuple[int, int, int]:
        encoded = np.frombuffer(deflated(differences), np.uint8)
        with self._lock:
            offset, self._end = self._end, self._end + len(encoded)
        self._file.write(encoded, offset)
        return offset, len(encoded), zlib.crc32(encoded)

    def _empty_tile(self) -> tuple[int, int, int]:
        if self._empty is None:
            self._empty = self._append(np.zeros((TILE, TILE), np.uint8))
        return self._empty


def make_pyramid(maps: xr.DataArray, folder: Path) -> TilePyramid:
    """Return the tiles of all levels of maps (map, y, x) as 8-bit values, 64 times as large."""
    n_maps, height, width = maps.shape
    pyramid, source = TilePyramid((n_maps, height, width), folder), _Source(maps)

    def put(window: tuple[slice, slice]) -> None:
        pyramid.put_field(window, *source.read(*window))

    side_by_side(put, pyramid.fields(), thread_count(None))
    pyramid.finish()
    return pyramid


def _put_tiles(
    pyramid: TilePyramid,
    level: int,
    k: int,
    top: int,
    left: int,
    part: np.ndarray | None,
    window: tuple[slice, slice],
) -> None:
    """Put the tiles of a part of a level that begins at a row and a column."""
    from .byte_kernels import differ

    rows, columns = (-(-(span.stop - span.start) // (TILE << level)) for span in window)
    differences = np.empty((TILE, TILE), np.uint8)
    for i in range(rows):
        for j in range(columns):
            seen = part is not None and differ(part, i * TILE, j * TILE, differences)
            pyramid.put(level, k, top // TILE + i, left // TILE + j, differences if seen else None)


class _Source:
    """8-bit values of windows of maps: of a slide, a few rows at a time as they are solved; else of their numbers."""

    def __init__(self, maps: xr.DataArray) -> None:
        self._maps = maps
        self._view: SlideView | None = view_behind(maps.data)

    def read(self, rows: slice, columns: slice) -> tuple[np.ndarray | None, int]:
        """Return the values (k, h, w) of a window, None where all are zero, and how many were beyond 255."""
        from .byte_kernels import to_bytes

        if self._view is None:
            values = np.ascontiguousarray(self._maps[:, rows, columns].values)
            return as_bytes(values), int((values >= 255.5 / PER_CONCENTRATION).sum())
        chosen = slice(self._view.maps.start, self._view.maps.stop)
        found, n_beyond = None, 0
        for down, across, maps in self._view.slide.solver(rows, columns):
            if found is None:
                found = np.zeros((len(self._view.maps), rows.stop - rows.start, columns.stop - columns.start), np.uint8)
            inside = found[:, *(shifted(down, -rows.start), shifted(across, -columns.start))]
            n_beyond += int(to_bytes(maps[chosen], inside, PER_CONCENTRATION))
        return found, n_beyond


def as_bytes(maps: np.ndarray) -> np.ndarray:
    """Return concentrations as 8-bit values, 64 times as large, at most 255; NaN becomes zero, halves go up."""
    scaled = np.nan_to_num(maps, nan=0.0) * np.float32(PER_CONCENTRATION)
    scaled += np.float32(0.5)
    return np.clip(scaled, 0, 255, out=scaled).astype(np.uint8)


def halved(values: np.ndarray) -> np.ndarray:
    """Return the rounded mean of 2 x 2 pixels of 8-bit values (h, w); an odd last row or column stands for itself."""
    from .byte_kernels import halve

    half = np.empty((-(-values.shape[0] // 2), -(-values.shape[1] // 2)), np.uint8)
    halve(values, half)
    return half


def level_shapes(height: int, width: int) -> list[tuple[int, int]]:
    """Return the sizes of the levels after the first: halves until both sides are at most 1024 pixels."""
    shapes: list[tuple[int, int]] = []
    while max(height, width) > _SMALLEST:
        height, width = -(-height // 2), -(-width // 2)
        shapes.append((height, width))
    return shapes
