"""Where a slide shows nothing: seen once on a small picture of it, so that no answer depends on the blocks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..blocks import Block
from ..light.tables import NOTHING_CLEAR, ClearCells


@dataclass(frozen=True)
class Glass:
    """Cells of a slide without tissue.

    Parameters
    ----------
    cells : ndarray of bool, shape (cells down, cells across)
        True where there is only glass. The cells cover the slide evenly.
    shape : (int, int)
        Rows and columns of the slide.
    bare : ndarray of bool, shape (cells down, cells across), optional
        True where there is no sign of tissue at all: glass, and what is as clear and only near tissue. Tiles of a file
        that show nothing else are not worth decoding.
    """

    cells: np.ndarray
    shape: tuple[int, int]
    bare: np.ndarray | None = None

    @property
    def share(self) -> float:
        """Return the share of the slide that is glass."""
        return float(self.cells.mean())

    def of(self, block: Block) -> np.ndarray:
        """Return which pixels of a block are glass, bool (h, w)."""
        return self.cells[np.ix_(self._places(0, block.rows), self._places(1, block.columns))]

    def cells_of(self, block: Block) -> ClearCells:
        """Return which cell every row and column of a block lies in, where any of them is glass."""
        if not self.cells[self._touched(block)].any():
            return NOTHING_CLEAR
        return ClearCells(self.cells, self._places(0, block.rows), self._places(1, block.columns))

    def covers(self, block: Block) -> bool:
        """Return whether every pixel of a block is glass."""
        return bool(self.cells[self._touched(block)].all())

    def is_bare(self, block: Block) -> bool:
        """Return whether a block shows no sign of tissue at all."""
        bare = self.cells if self.bare is None else self.bare
        return bool(bare[self._touched(block)].all())

    def _touched(self, block: Block) -> tuple[slice, ...]:
        """Return the rows and columns of cells that a block touches."""
        return tuple(
            slice(span.start * n // size, (span.stop - 1) * n // size + 1)
            for span, n, size in zip(block.window, self.cells.shape, self.shape, strict=True)
        )

    def _places(self, axis: int, span: slice) -> np.ndarray:
        """Return the cell of every row (axis 0) or column (axis 1) of a span."""
        return np.arange(span.start, span.stop) * self.cells.shape[axis] // self.shape[axis]
