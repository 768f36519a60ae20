"""A small picture of the maps of a slide, summed while they are solved once: what figures and tables need of them.

It has at most 2048 cells on a side and 2.4 million in all. Its sums are of whole numbers, so that they depend on no
order.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

import numpy as np

from . import PER_UNIT

_LONGEST_SIDE = 2048
_MOST_CELLS = 2_400_000


@dataclass(frozen=True)
class Part:
    """What one window adds to an overview; filled by whoever solves it.

    Parameters
    ----------
    totals : ndarray of uint32, shape (map, Y, X)
        Sums of the maps over cells, `PER_UNIT` to a concentration of one.
    n_invalid : ndarray of uint32, shape (Y, X)
        Pixels of each cell that are not valid.
    largest : ndarray of uint16, shape (map,)
        Largest number of each map, at most `unmix.stores.LARGEST_NUMBER`.
    place : (int, int, int)
        Row and column of the window's first pixel in the first of these cells; pixels on a side of a cell.
    """

    totals: np.ndarray
    n_invalid: np.ndarray
    largest: np.ndarray
    place: tuple[int, int, int]


class Overview:
    """Means of maps (map, y, x) over square cells, and the mean and the largest value of each map.

    Parameters
    ----------
    shape : (int, int, int)
        Maps, rows and columns of the slide.
    """

    def __init__(self, shape: tuple[int, int, int]) -> None:
        self.shape = shape
        n_maps, height, width = shape
        self.step = 1
        while max(height, width) > _LONGEST_SIDE * self.step or height * width > _MOST_CELLS * self.step**2:
            self.step *= 2
        cells = -(-height // self.step), -(-width // self.step)
        self._totals = np.zeros((n_maps, *cells), np.uint32)
        self._n_invalid = np.zeros(cells, np.uint32)
        self._largest = np.zeros(n_maps, np.uint16)
        self._lock = threading.Lock()

    def part(self, rows: slice, columns: slice) -> Part:
        """Return an empty part for a window of the slide, or the cells themselves where no other reaches into them."""
        down, across = self._cells(rows), self._cells(columns)
        place = rows.start - down.start * self.step, columns.start - across.start * self.step, self.step
        largest = np.zeros(self.shape[0], np.uint16)
        if self._alone(0, rows) and self._alone(1, columns):
            return Part(self._totals[:, down, across], self._n_invalid[down, across], largest, place)
        cells = down.stop - down.start, across.stop - across.start
        return Part(np.zeros((self.shape[0], *cells), np.uint32), np.zeros(cells, np.uint32), largest, place)

    def add(self, part: Part, rows: slice, columns: slice) -> None:
        """Add the part of a window; from any thread, in any order, each window once."""
        with self._lock:
            np.maximum(self._largest, part.largest, out=self._largest)
            if part.totals.base is self._totals:
                return
            where = self._cells(rows), self._cells(columns)
            for whole, added in zip(self._totals, part.totals, strict=True):
                whole[where] += added
            if part.n_invalid.any():  # what is never written takes no memory
                self._n_invalid[where] += part.n_invalid

    def _cells(self, span: slice) -> slice:
        """Return the cells that rows or columns lie in."""
        return slice(span.start // self.step, (span.stop - 1) // self.step + 1)

    def _alone(self, axis: int, span: slice) -> bool:
        """Return whether no other rows or columns lie in the cells of these."""
        return span.start % self.step == 0 and (span.stop % self.step == 0 or span.stop == self.shape[1 + axis])

    def picture(self, k: int) -> np.ndarray:
        """Return the mean of every cell of one map over its valid pixels, float32; NaN where none is valid."""
        height, width = self.shape[1:]
        rows, columns = (np.minimum(self.step, n - np.arange(0, n, self.step)) for n in (height, width))
        n_valid = np.multiply.outer(rows.astype(np.float32), columns.astype(np.float32))
        n_valid -= self._n_invalid
        mean: np.ndarray = self._totals[k].astype(np.float32)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean /= n_valid
        mean /= np.float32(PER_UNIT)
        mean[n_valid <= 0] = np.nan
        return mean

    def mean(self, k: int) -> float:
        """Return the mean of one map over its valid pixels."""
        n_valid = self.shape[1] * self.shape[2] - int(self._n_invalid.sum(dtype=np.int64))
        return float(self._totals[k].sum(dtype=np.float64) / PER_UNIT / n_valid) if n_valid else float("nan")

    def largest(self, k: int) -> float:
        """Return the largest value of one map; 64 stands for 64 and more."""
        return float(self._largest[k]) / PER_UNIT
