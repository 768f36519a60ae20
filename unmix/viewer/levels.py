"""A plane too large for one texture, as levels: itself, then every 2nd, 4th, ... row and column, read as it is seen.

Nothing is computed: a slide brings its own levels, an array in memory gives views, and a file is read at fewer places.
"""

from __future__ import annotations

import math
import threading
from collections import OrderedDict
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Source, source_of
from ..readers.pyramid import pyramid_of
from .overview import MAPS, Overview

ONE_TEXTURE = 4_000_000
"""Pixels of a plane that are drawn as they are."""

_COARSEST = 1024
_PIECE, _LEAST_PIECE = 1024, 64
_PIECE_VALUES = 64_000_000
_KEPT_PIECES = 4


def steps_of(shape: tuple[int, ...]) -> list[int]:
    """Return which rows and columns each level of a plane takes: [1], or [1, 2, 4, ...] until it fits on a screen."""
    steps = [1]
    if shape[0] * shape[1] > ONE_TEXTURE:
        while max(shape) > _COARSEST * steps[-1]:
            steps.append(2 * steps[-1])
    return steps


def result_levels(result: xr.Dataset, overview: Overview | None = None) -> dict[str, list[Any]]:
    """Return the levels of every map of a result by its name, each (y, x) or (endmember, y, x).

    Maps in memory give views, which fill as the maps fill; maps on disk end in the levels of their `overview`.
    """
    levels = {}
    for name in (name for name in MAPS if name in result):
        values: Any = result[name].data
        steps = steps_of(values.shape[-2:])
        if overview is not None:
            coarse = overview.maps[name]
            finer = [values[..., ::step, ::step] for step in steps if step < overview.step]
            levels[name] = finer + [coarse[..., ::step, ::step] for step in steps_of(coarse.shape[-2:])]
        else:
            levels[name] = [values[..., ::step, ::step] for step in (steps if isinstance(values, np.ndarray) else [1])]
    return levels


def image_levels(image: xr.DataArray) -> list[Any]:
    """Return the levels of an image, each (y, x, band) and lazy where the image is lazy.

    Parameters
    ----------
    image : DataArray, dims (y, x, band)
        As `unmix.read` gives it; a slide's own levels are taken, its finest first.
    """
    pyramid = pyramid_of(image)
    if pyramid is not None:
        coarser = [pyramid.open(level).data for level in range(pyramid.level + 1, len(pyramid.shapes))]
        return [_lazily(one, 1) for one in (image.data, *coarser)]
    if isinstance(image.data, np.ndarray):
        steps = steps_of(image.shape[:2])
        return [image.data] + [image.data[::step, ::step] for step in steps[1:]]
    return [_lazily(image.data, step) for step in steps_of(image.shape[:2])]


def levels_of(values: Any) -> list[Any]:
    """Return the levels of the values of a layer, an image or an array (y, x, band), as `image_levels` does."""
    if isinstance(values, xr.DataArray):
        return image_levels(values)
    return [values] + [values[::step, ::step] for step in steps_of(values.shape[:2])[1:]]


def as_layer_data(levels: list[Any]) -> Any:
    """Return levels as napari takes them: one alone as it is."""
    return levels if len(levels) > 1 else levels[0]


def uncached(data: Any) -> dict[str, Any]:
    """Return the keyword of a layer that is drawn without napari's cache, where it is lazy.

    That cache hooks into Dask for all threads at once while a layer is drawn: a run that computes at the same time
    loses a key of its own and fails.
    """
    return {} if isinstance(finest(data), np.ndarray) else {"cache": False}


def finest(data: Any) -> Any:
    """Return the level with all pixels of what `as_layer_data` gave."""
    return data[0] if isinstance(data, list) else data


class _Sparse:
    """Every step-th row and column of a source (y, x, band); holds no open file.

    The last pieces are kept: napari asks for the same plane several times when it opens a layer, and at every refresh.
    """

    def __init__(self, source: Source, step: int) -> None:
        self._source, self._step = source, step
        self._kept: OrderedDict[tuple[int, ...], np.ndarray] = OrderedDict()
        self._lock = threading.Lock()
        height, width, n_bands = source.shape
        self.shape = (-(-height // step), -(-width // step), n_bands)
        self.dtype, self.ndim = source.dtype, 3

    def __getitem__(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        place = tuple(edge for span in window for edge in (span.start, span.stop))
        with self._lock:
            if place in self._kept:
                self._kept.move_to_end(place)
                return self._kept[place]
        rows, columns = (
            slice(span.start * self._step, (span.stop - 1) * self._step + 1, self._step) for span in window[:2]
        )
        values = self._source[rows, columns, window[2]]
        values.flags.writeable = False
        with self._lock:
            self._kept[place] = values
            while len(self._kept) > _KEPT_PIECES:
                self._kept.popitem(last=False)
        return values


def _lazily(data: Any, step: int) -> Any:
    """Return a level of a lazy image in pieces as they are looked at: one band, or all three of a picture.

    The image itself comes in pieces of all bands, as they are unmixed; drawing one band would read them all.
    """
    import dask.array as da

    source = source_of(data)
    if source is None:
        return data[::step, ::step]
    level = _Sparse(source, step)
    side = _piece(data, step)
    chunks = (*(_even(length, side) for length in level.shape[:2]), level.shape[2] if level.shape[2] <= 3 else 1)
    meta = np.empty((0, 0, 0), level.dtype)
    return da.from_array(level, chunks=chunks, name=False, asarray=False, fancy=False, lock=False, meta=meta)


def _piece(data: Any, step: int) -> int:
    """Return how long a piece of a level is: what is read for it takes little memory, also where tiles are decoded."""
    tiled = len(data.chunks[1]) > 1
    side = math.isqrt(_PIECE_VALUES // data.shape[2]) // (step if tiled else 1)
    return max(_LEAST_PIECE, min(_PIECE, side))


def _even(length: int, side: int) -> int:
    """Return about `side`, so that a length falls into even pieces; each row of a narrow last one is a read, too."""
    return -(-length // max(1, round(length / side)))
