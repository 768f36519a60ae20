"""The light of a slide where it holds tissue, a tile of the file at a time, so that it is solved while in the cache."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import xarray as xr

from ..blocks import Block, load_block
from .glass import Glass

LEAST_SIDE = 512
"""Smaller tiles of a file are decoded several at a time."""

Decoded = Mapping[tuple[int, int], tuple[np.ndarray, np.ndarray]]
"""Light and valid pixels of tiles of a file that are decoded already, by their first row and column."""


@dataclass(frozen=True, eq=False)
class TissueLight:
    """Where a slide's light is read.

    Parameters
    ----------
    image : DataArray
        The slide.
    glass : Glass
        Where it holds nothing.
    grain, origin : (int, int)
        Rows and columns of a tile of the file; row and column of the file at which the slide begins.
    decoded : mapping
        Whole tiles of the file that need not be decoded again.
    """

    image: xr.DataArray
    glass: Glass
    grain: tuple[int, int]
    origin: tuple[int, int]
    decoded: Decoded = field(default_factory=dict)

    def tiles(self, block: Block) -> Iterator[tuple[Block, np.ndarray, np.ndarray]]:
        """Yield the light (h, w, 3) and the valid pixels (h, w) of every tile in a block that is not all glass."""
        for tile in self.within(block):
            if self.glass.covers(tile):
                continue
            seen = self.decoded.get((tile.rows.start, tile.columns.start))
            if seen is None or seen[1].shape != tile.shape:
                seen = load_block(self.image, tile)
            yield tile, *seen

    def within(self, block: Block) -> list[Block]:
        """Return a block cut along the tiles of the file."""
        rows, columns = (
            cut_along(span, step, origin)
            for span, step, origin in zip(block.window, self.grain, self.origin, strict=True)
        )
        return [Block(down, across) for down in rows for across in columns]


def cut_along(span: slice, grain: int, origin: int) -> list[slice]:
    """Cut a span of rows or columns where tiles of a file begin, or several small ones together."""
    step = grain * max(1, LEAST_SIDE // grain)
    inner = range(span.start + step - (origin + span.start) % step, span.stop, step)
    edges = [span.start, *inner, span.stop]
    return [slice(a, b) for a, b in pairwise(edges)]
