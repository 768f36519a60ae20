"""Maps of a whole slide, kept on disk as 16-bit codes while a run goes on, with a small picture of them in memory.

A run puts pieces: windows of all maps, in any order and from any thread. What is never put is zero and takes no room.
Pieces lie one after the other in a file without a name, so that writing one is one call. The small picture has at most
2048 cells on a side; it and the sums are of whole numbers, so that they depend on no order.
"""

from __future__ import annotations

import math
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..scratch import ScratchFile, scratch_folder
from . import PER_UNIT

_OVERVIEW = 2048
_STRIP_VALUES = 1 << 15
_VIEWS: weakref.WeakValueDictionary[str, SlideView] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class _Piece:
    """Where the maps of a window lie in the file."""

    top: int
    left: int
    height: int
    width: int
    offset: int


class SlideMaps:
    """Maps (map, y, x) of concentrations between 0 and 64, exact to 0.0005.

    Parameters
    ----------
    shape : (int, int, int)
        Maps, rows and columns.
    edges : (ndarray, ndarray)
        Rows and columns where the cells of a grid begin, and the last ends: a piece lies within one cell of it.
    folder : Path, optional
        On which disk; the folder for temporary files when not given.
    filled : float
        Share of the pixels that will be put, for the check of the free space.
    """

    def __init__(
        self,
        shape: tuple[int, int, int],
        edges: tuple[np.ndarray, np.ndarray],
        folder: Path | None = None,
        *,
        filled: float = 1.0,
    ) -> None:
        self.shape, self.edges = shape, edges
        n_maps, height, width = shape
        self.step = 1
        while max(height, width) > _OVERVIEW * self.step:
            self.step *= 2
        cells = -(-height // self.step), -(-width // self.step)
        self._totals = np.zeros((n_maps, *cells), np.uint32)
        self._n_invalid = np.zeros(cells, np.uint32)
        self._largest = np.zeros(n_maps, np.uint16)
        self._pieces: dict[tuple[int, int], _Piece] = {}
        self._lock, self._own, self._end = threading.Lock(), threading.local(), 0
        self._file = ScratchFile(folder or scratch_folder(), int(2 * n_maps * height * width * filled))

    def put(self, rows: slice, columns: slice, solve: Callable[[slice, np.ndarray], None]) -> None:
        """Keep the maps of a window.

        ``solve(strip, maps)`` is called for strips of its rows, counted from its first, and fills maps (map, h, w) of
        float32, NaN where invalid: so that what is passed on stays in the processor's cache.
        """
        from .codes import encode

        top, left, height, width = rows.start, columns.start, rows.stop - rows.start, columns.stop - columns.start
        y, x = top // self.step, left // self.step
        cells = (rows.stop - 1) // self.step - y + 1, (columns.stop - 1) // self.step - x + 1
        n_maps = self.shape[0]
        totals, n_invalid = np.zeros((n_maps, *cells), np.uint32), np.zeros(cells, np.uint32)
        largest = np.zeros(n_maps, np.uint16)
        codes = self._buffer("codes", (n_maps, height, width), np.uint16)
        n_rows = max(1, _STRIP_VALUES // width)
        for first in range(0, height, n_rows):
            strip = slice(first, min(first + n_rows, height))
            maps = self._buffer("maps", (n_maps, strip.stop - first, width), np.float32)
            solve(strip, maps)
            place = top + first - y * self.step, left - x * self.step
            encode(maps, codes[:, strip], totals, n_invalid, largest, *place, self.step)
        with self._lock:
            offset, self._end = self._end, self._end + codes.nbytes
            where = slice(y, y + cells[0]), slice(x, x + cells[1])
            self._totals[:, *where] += totals
            self._n_invalid[where] += n_invalid
            np.maximum(self._largest, largest, out=self._largest)
            self._pieces[self._cell(0, top), self._cell(1, left)] = _Piece(top, left, height, width, offset)
        self._file.write(codes, offset)

    def _buffer(self, name: str, shape: tuple[int, ...], dtype: Any) -> np.ndarray:
        """Return an array of this thread's own, used again and again: memory touched first costs more than writing."""
        size = math.prod(shape)
        kept = getattr(self._own, name, None)
        if kept is None or kept.size < size:
            kept = np.empty(size, dtype)
            setattr(self._own, name, kept)
        return kept[:size].reshape(shape)

    def codes(self, k: int, rows: slice, columns: slice) -> np.ndarray | None:
        """Return the codes (h, w) of a window of one map, None where nothing was put in it."""
        found = None
        for i in range(self._cell(0, rows.start), self._cell(0, rows.stop - 1) + 1):
            for j in range(self._cell(1, columns.start), self._cell(1, columns.stop - 1) + 1):
                piece = self._pieces.get((i, j))
                if piece is None:
                    continue
                y0, y1 = max(rows.start, piece.top), min(rows.stop, piece.top + piece.height)
                x0, x1 = max(columns.start, piece.left), min(columns.stop, piece.left + piece.width)
                if y0 >= y1 or x0 >= x1:
                    continue
                if found is None:
                    found = np.zeros((rows.stop - rows.start, columns.stop - columns.start), np.uint16)
                lines = self._lines(piece, k, y0 - piece.top, y1 - piece.top)
                target = found[y0 - rows.start : y1 - rows.start, x0 - columns.start : x1 - columns.start]
                target[...] = lines[:, x0 - piece.left : x1 - piece.left]
        return found

    def _cell(self, axis: int, place: int) -> int:
        return int(np.searchsorted(self.edges[axis], place, "right")) - 1

    def _lines(self, piece: _Piece, k: int, first: int, last: int) -> np.ndarray:
        lines = np.empty((last - first, piece.width), np.uint16)
        return self._file.read(lines, piece.offset + 2 * (k * piece.height + first) * piece.width)

    def overview(self, k: int) -> np.ndarray:
        """Return the mean of every cell of step x step pixels of one map, float32; NaN where none is valid."""
        height, width = self.shape[1:]
        rows, columns = (np.minimum(self.step, n - np.arange(0, n, self.step)) for n in (height, width))
        n_valid = np.outer(rows, columns) - self._n_invalid.astype(np.int64)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean: np.ndarray = np.where(n_valid > 0, self._totals[k] / n_valid / PER_UNIT, np.nan).astype(np.float32)
        return mean

    def mean(self, k: int) -> float:
        """Return the mean of one map over its valid pixels."""
        n_valid = self.shape[1] * self.shape[2] - int(self._n_invalid.sum(dtype=np.int64))
        return float(self._totals[k].sum(dtype=np.float64) / PER_UNIT / n_valid) if n_valid else float("nan")

    def largest(self, k: int) -> float:
        """Return the largest value of one map."""
        return float(self._largest[k]) / PER_UNIT

    def lazy(self, maps: slice | int) -> Any:
        """Return some maps (map, y, x), or one map (y, x), as a Dask array in pieces of the grid."""
        import dask.array as da

        view = SlideView(self, maps)
        chunks: tuple[Any, ...] = tuple(tuple(int(size) for size in np.diff(one)) for one in self.edges)
        if view.ndim == 3:
            chunks = (1, *chunks)
        meta = np.empty((0,) * view.ndim, view.dtype)
        array = da.from_array(view, chunks=chunks, name=False, asarray=False, fancy=False, lock=False, meta=meta)
        _VIEWS[array.name] = view
        return array


class SlideView:
    """Some of the maps of a `SlideMaps`, as an array that reads what is asked for; float32."""

    def __init__(self, store: SlideMaps, maps: slice | int) -> None:
        self.store = store
        self.dtype = np.dtype(np.float32)
        chosen = range(store.shape[0])[maps]
        self.maps = chosen if isinstance(chosen, range) else range(chosen, chosen + 1)
        self.shape: tuple[int, ...] = (len(self.maps), *store.shape[1:]) if isinstance(maps, slice) else store.shape[1:]
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        from .codes import decode

        index = (index if isinstance(index, tuple) else (index,)) + (slice(None),) * self.ndim
        taken = [
            range(n)[one] if isinstance(one, slice) else range(n)[one : one + 1 or None]
            for one, n in zip(index[: self.ndim], self.shape, strict=True)
        ]
        lead = taken[0] if self.ndim == 3 else range(1)
        rows, columns = (range(min(t), max(t) + 1) if len(t) else range(0) for t in taken[-2:])
        values = np.zeros((len(lead), len(rows), len(columns)), np.float32)
        if values.size:
            for out, k in zip(values, lead, strict=True):
                codes = self.store.codes(self.maps[k], slice(rows.start, rows.stop), slice(columns.start, columns.stop))
                if codes is not None:
                    decode(codes, out)
        picked = values[:, :: taken[-2].step, :: taken[-1].step] if values.size else values
        kept = tuple(slice(None) if isinstance(one, slice) else 0 for one in index[: self.ndim])
        return picked[kept] if self.ndim == 3 else picked[0][kept]


def view_behind(values: Any) -> SlideView | None:
    """Return the maps behind a lazy array that is still as `SlideMaps.lazy` made it."""
    return _VIEWS.get(getattr(values, "name", ""))
