"""One result as a page shows it: its sheet, its pictures small enough to embed, or why it could not be read."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr

from ..errors import UnmixError
from ..readers import open_result
from ..result import check_result
from ..writers.facts import labels
from .embedded import css_colour, gradient, svg, tile_picture
from .figures import endmember_figure
from .layout import tile_grid
from .page import short_number
from .sheet import Sheet, sheet_of
from .tiles import Tile, diagnostic_tiles, height_to_width, map_tiles, overview_tiles

MAP_SIDE, _THUMBNAIL_SIDE = 640, 128
_IN_MEMORY = 500_000_000


@dataclass(frozen=True)
class Picture:
    """A map on the page: its name in its colour, its picture, and the ends of its scale where it has one."""

    title: str
    uri: str
    colour: str
    low: str = ""
    high: str = ""
    gradient: str = ""
    enlarged: bool = False


@dataclass(frozen=True)
class Entry:
    """One result on the page; `error` says why there is nothing else."""

    name: str
    error: str = ""
    sheet: Sheet | None = None
    thumbnail: str = ""
    pictures: tuple[Picture, ...] = ()
    n_columns: int = 1
    endmember_picture: str = ""
    spectra: np.ndarray | None = None
    endmembers: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


def entry_of(one: Any, *, image: xr.DataArray | None = None, map_side: int | None = MAP_SIDE) -> Entry:
    """Return what the page shows of a result or of a file that holds one; the file is closed again.

    Parameters
    ----------
    one : Dataset or path
        A result, or its ``.nc`` file. What cannot be read gives an entry that says why.
    image : DataArray, optional
        The image it was made from.
    map_side : int, optional
        How long its maps may be; None where there is only room for a line in the table.

    Returns
    -------
    Entry
        Words, numbers and pictures; nothing in it refers to the result any more.
    """
    where = os.fspath(one) if isinstance(one, (str, os.PathLike)) else ""
    try:
        result = open_result(one, chunks={}) if where else check_result(one)
    except UnmixError as error:
        return Entry(where or "result", error=" ".join(str(error).split()))
    try:
        seen = result.compute() if result.nbytes <= _IN_MEMORY else result  # every map is looked at several times
        entry = _line(seen)
        return entry if map_side is None else _with_pictures(entry, seen, image, map_side)
    finally:
        if where:
            result.close()


def _line(result: xr.Dataset) -> Entry:
    """Return what stands in the table."""
    sheet = sheet_of(result)
    overview = overview_tiles(result, None, _THUMBNAIL_SIDE) or map_tiles(result, _THUMBNAIL_SIDE)
    return Entry(
        sheet.name,
        sheet=sheet,
        thumbnail=tile_picture(overview[0]),
        spectra=result["endmembers"].values,
        endmembers=tuple(labels(result)),
        warnings=tuple(sheet.warnings),
    )


def _with_pictures(entry: Entry, result: xr.Dataset, image: xr.DataArray | None, side: int) -> Entry:
    """Return the entry with its maps and spectra."""
    tiles = overview_tiles(result, image, side) + map_tiles(result, side) + diagnostic_tiles(result, side)
    pictures = tuple(_picture(tile) for tile in tiles)
    n_columns = tile_grid(len(pictures), height_to_width(result)).n_columns
    return replace(entry, pictures=pictures, n_columns=n_columns, endmember_picture=svg(endmember_figure(result)))


def _picture(tile: Tile) -> Picture:
    plain = Picture(tile.title, tile_picture(tile), css_colour(tile.colour), enlarged=max(tile.values.shape[:2]) < 240)
    if tile.scale is None:
        return plain
    low, high = (short_number(end) for end in tile.scale)
    return replace(plain, low=low, high=high, gradient=gradient(tile))
