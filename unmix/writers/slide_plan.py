"""What a run knows of its outputs while it solves: a slide to be written as a pyramid is made into tiles at once.

Otherwise its light would be decoded and solved a second time to be written.
"""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

import xarray as xr

from ..scratch import scratch_folder
from ..stores.slide_maps import SlideMaps, view_behind
from .slide_pyramid import TilePyramid

_PLANNED: ContextVar[str | os.PathLike[str] | None] = ContextVar("slide_planned", default=None)
_READY: weakref.WeakKeyDictionary[SlideMaps, TilePyramid] = weakref.WeakKeyDictionary()


@contextmanager
def slide_planned(out: str | os.PathLike[str]) -> Iterator[None]:
    """Say that a slide solved within will be written to `out` as a pyramid."""
    before = _PLANNED.set(out)
    try:
        yield
    finally:
        _PLANNED.reset(before)


def planned_pyramid(shape: tuple[int, int, int]) -> TilePyramid | None:
    """Return room for the tiles of maps (map, y, x) on the disk of their output, None where no pyramid is planned."""
    out = _PLANNED.get()
    return None if out is None else TilePyramid(shape, scratch_folder(out))


def keep_ready(slide: SlideMaps, pyramid: TilePyramid) -> None:
    """Keep the finished tiles of a slide until it is written or let go."""
    _READY[slide] = pyramid


def take_ready(maps: xr.DataArray) -> TilePyramid | None:
    """Return the tiles of maps that are ready, once, or None: they take disk, and are not kept after writing."""
    view = view_behind(maps.data)
    if view is None or maps.shape != view.shape:
        return None
    pyramid = _READY.get(view.slide)
    if pyramid is None or pyramid.shape != maps.shape or view.maps.start != 0:
        return None
    del _READY[view.slide]
    return pyramid
