"""The levels of a slide: what an image knows of the smaller pictures of itself in its file."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import xarray as xr

from .request import Request, level_window

ENCODING = "pyramid"


@dataclass(frozen=True)
class Pyramid:
    """The levels of the image in a file that an image was read from.

    Parameters
    ----------
    path : str
        The file.
    shapes : tuple of (int, int)
        Rows and columns of the part that was read, at each level.
    level : int
        The level that was read.
    request : Request
        What was asked for.
    grain : (int, int)
        Rows and columns that are decoded together at that level.
    origin : (int, int)
        Row and column of the level at which the part begins.
    values : str
        Name of the lazy array that was made of it: an image that was cut or changed since is no longer this one.
    """

    path: str
    shapes: tuple[tuple[int, int], ...]
    level: int
    request: Request
    grain: tuple[int, int]
    origin: tuple[int, int]
    values: str

    def open(self, level: int) -> xr.DataArray:
        """Read the same part of the same image at another level, lazily."""
        from . import read

        asked = replace(self.request, level=level)
        return read(self.path, level=asked.level, region=asked.region, series=asked.series, quantity=asked.quantity)


def with_pyramid(
    image: xr.DataArray, path: str, request: Request, shapes: list[tuple[int, int]], grain: tuple[int, int]
) -> xr.DataArray:
    """Note the levels (rows, columns of each) in an image that was read as it is recorded."""
    if len(shapes) > 1 and request.scale is None and image.chunks is not None:
        windows = [level_window(request.region, shapes[0], shape) for shape in shapes]
        parts = tuple((bottom - top, right - left) for top, left, bottom, right in windows)
        origin = windows[request.level][:2]
        image.encoding[ENCODING] = Pyramid(path, parts, request.level, request, grain, origin, _values_name(image))
    return image


def pyramid_of(image: xr.DataArray) -> Pyramid | None:
    """Return the levels of an image that is still as it was read from a file with several, or None."""
    found = image.encoding.get(ENCODING)
    if not isinstance(found, Pyramid) or found.values != _values_name(image):
        return None
    return found


def pixels_of(shape: tuple[int, int]) -> int:
    """Return the number of pixels of a level."""
    return math.prod(shape)


def _values_name(image: xr.DataArray) -> Any:
    return getattr(image.data, "name", None)
