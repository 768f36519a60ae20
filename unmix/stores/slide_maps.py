"""Maps of a whole slide that are solved from its light whenever they are read, with a small picture of them in memory.

A slide's light is compressed tenfold and solved faster than it is decoded, so that solving a window again costs less
than keeping its maps: three maps as 16-bit numbers are 6 bytes a pixel, which take longer to write than a tile takes
to decode. Nothing is kept on disk, and what is read is not rounded.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from .overview import Overview

Solver = Callable[[slice, slice], Iterator[tuple[slice, slice, np.ndarray]]]
"""``solver(rows, columns)`` yields (rows, columns, maps (map, h, w)) of the parts of a window that are not all zero, in
turn; a part's maps are only good until the next is asked for."""

_VIEWS: weakref.WeakValueDictionary[str, SlideView] = weakref.WeakValueDictionary()


@dataclass(frozen=True, eq=False)
class SlideMaps:
    """Maps (map, y, x) of a slide.

    Parameters
    ----------
    edges : (ndarray, ndarray)
        Rows and columns where the cells of a grid begin, and the last ends, along which its light is decoded.
    solver : callable
        What solves a window; see `Solver`.
    overview : Overview
        The small picture of all maps.
    """

    edges: tuple[np.ndarray, np.ndarray]
    solver: Solver
    overview: Overview

    @property
    def shape(self) -> tuple[int, int, int]:
        """Maps, rows and columns."""
        return self.overview.shape

    def lazy(self, maps: slice | int) -> Any:
        """Return some maps (map, y, x), or one map (y, x), as a Dask array in pieces of the grid, all maps together."""
        import dask.array as da

        view = SlideView(self, maps)
        chunks: tuple[Any, ...] = tuple(tuple(int(size) for size in np.diff(one)) for one in self.edges)
        if view.ndim == 3:
            chunks = (view.shape[0], *chunks)
        meta = np.empty((0,) * view.ndim, view.dtype)
        array = da.from_array(view, chunks=chunks, name=False, asarray=False, fancy=False, lock=False, meta=meta)
        _VIEWS[array.name] = view
        return array


class SlideView:
    """Some of the maps of a `SlideMaps`, as an array that solves what is asked for; float32."""

    def __init__(self, slide: SlideMaps, maps: slice | int) -> None:
        self.slide = slide
        self.dtype = np.dtype(np.float32)
        chosen = range(slide.shape[0])[maps]
        self.maps = chosen if isinstance(chosen, range) else range(chosen, chosen + 1)
        self.shape: tuple[int, ...] = (len(self.maps), *slide.shape[1:]) if isinstance(maps, slice) else slide.shape[1:]
        self.ndim = len(self.shape)

    def __getitem__(self, index: Any) -> np.ndarray:
        index = (index if isinstance(index, tuple) else (index,)) + (slice(None),) * self.ndim
        taken = [
            range(n)[one] if isinstance(one, slice) else range(n)[one : one + 1 or None]
            for one, n in zip(index[: self.ndim], self.shape, strict=True)
        ]
        lead = taken[0] if self.ndim == 3 else range(1)
        rows, columns = (range(min(t), max(t) + 1) if len(t) else range(0) for t in taken[-2:])
        values = np.zeros((len(lead), len(rows), len(columns)), np.float32)
        if values.size:
            chosen = [self.maps[k] for k in lead]
            consecutive = np.array_equal(np.diff(chosen), np.ones(len(chosen) - 1))
            which = slice(chosen[0], chosen[-1] + 1) if consecutive else chosen  # a list of places would copy
            window = slice(rows.start, rows.stop), slice(columns.start, columns.stop)
            for down, across, maps in self.slide.solver(*window):
                inside = shifted(down, -rows.start), shifted(across, -columns.start)
                values[:, *inside] = maps[which]
        picked = values[:, :: taken[-2].step, :: taken[-1].step] if values.size else values
        kept = tuple(slice(None) if isinstance(one, slice) else 0 for one in index[: self.ndim])
        return picked[kept] if self.ndim == 3 else picked[0][kept]


def shifted(span: slice, by: int) -> slice:
    """Return a span moved by some places."""
    return slice(span.start + by, span.stop + by)


def view_behind(values: Any) -> SlideView | None:
    """Return the maps behind a lazy array that is still as `SlideMaps.lazy` made it."""
    return _VIEWS.get(getattr(values, "name", ""))
