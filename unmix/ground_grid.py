"""Geometry lookup tables: maps made in the geometry of the sensor, laid out on the ground.

A table says for every cell of a grid on the ground which line and sample of the sensor saw it, counted from 1; 0 means
none. Scenes are unmixed as the sensor saw them and only the maps are laid out: a handful of numbers a pixel instead of
hundreds, and no pixel counted twice in a fit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from .blocks import lazy_array
from .conventions.grid_mapping import crs_of, transform_of
from .errors import DataError

if TYPE_CHECKING:
    from affine import Affine

TABLE = ("glt_y", "glt_x")
"""The variables of a result that hold the table: line and sample, dims (ground_y, ground_x)."""

_STRIP = 256
_MAPS = ("abundances", "abundances_std", "residual", "brightness")


@dataclass(frozen=True)
class GroundGrid:
    """A table of lines and samples (ground_y, ground_x), int32, and where the grid lies."""

    line: np.ndarray
    sample: np.ndarray
    crs: Any
    transform: Affine


def with_ground_grid(result: xr.Dataset, grid: GroundGrid) -> xr.Dataset:
    """Return a result that carries the table by which its maps are laid out on the ground.

    Raises
    ------
    DataError
        The rows or columns of the result are no longer those of the sensor.
    """
    for axis in ("y", "x"):
        _numbers(result, axis)
    result = result.assign(
        glt_y=(("ground_y", "ground_x"), grid.line, {"long_name": "line of the sensor, from 1; 0 is none"}),
        glt_x=(("ground_y", "ground_x"), grid.sample, {"long_name": "sample of the sensor, from 1; 0 is none"}),
    )
    a, b, c, d, e, f = tuple(grid.transform)[:6]
    height, width = grid.line.shape
    place = xr.DataArray(0, attrs={"GeoTransform": " ".join(repr(float(v)) for v in grid.transform.to_gdal())})
    place.attrs |= {"crs_wkt": grid.crs.to_wkt(), "spatial_ref": grid.crs.to_wkt()}
    result = result.assign_coords(ground_ref=place)
    if b or d:  # rotated: cells have no rows and columns of one coordinate each
        return result
    return result.assign_coords(
        ground_y=("ground_y", f + (np.arange(height) + 0.5) * e),
        ground_x=("ground_x", c + (np.arange(width) + 0.5) * a),
    )


def on_the_ground(result: xr.Dataset) -> xr.Dataset:
    """Return a result with its maps on the ground grid, lazily; a result without a table as it is."""
    if not all(name in result for name in TABLE):
        return result
    rows, columns = (_places(_numbers(result, axis), result[f"glt_{axis}"].values) for axis in ("y", "x"))
    crs, transform = crs_of(result["ground_ref"].attrs), transform_of(result["ground_ref"].attrs)
    maps = [name for name in _MAPS if name in result]
    laid = result.drop_vars([n for n, v in result.variables.items() if set(v.dims) & _DROPPED])
    laid = laid.drop_vars([n for n in ("ground_ref", "spatial_ref") if n in laid.coords])
    for name in maps:
        source = _LaidOut(result[name], rows, columns)
        array = lazy_array(source)
        dims = result[name].dims
        laid[name] = (dims, array if len(dims) == 3 else array[0], result[name].attrs)
    if "ground_y" in result.coords:
        laid = laid.assign_coords(y=("y", result["ground_y"].values), x=("x", result["ground_x"].values))
    import rioxarray  # noqa: F401  (registers the .rio accessor)

    return laid.rio.write_crs(crs).rio.write_transform(transform)


_DROPPED = {"y", "x", "ground_y", "ground_x"}


class _LaidOut:
    """Maps (n, y, x) gathered cell by cell of the ground; the rows needed for a window are read, no more."""

    def __init__(self, maps: xr.DataArray, rows: np.ndarray, columns: np.ndarray) -> None:
        self._maps = maps if maps.ndim == 3 else maps.expand_dims("map")
        self._rows, self._columns = rows, columns
        self.shape = (self._maps.shape[0], *rows.shape)
        self.ndim, self.dtype = 3, maps.dtype
        height, width = rows.shape
        strips = [min(_STRIP, height - top) for top in range(0, height, _STRIP)]
        self.chunks: Any = ((self.shape[0],), tuple(strips), (width,))

    def __getitem__(self, window: Any) -> np.ndarray:
        rows, columns = self._rows[window[1:]], self._columns[window[1:]]
        found = np.full((self.shape[0], *rows.shape), np.nan, self.dtype)
        seen = (rows >= 0) & (columns >= 0)
        if seen.any():
            first, last = int(rows[seen].min()), int(rows[seen].max()) + 1
            part = self._maps[:, first:last].values
            found[:, seen] = part[:, rows[seen] - first, columns[seen]]
        return found[window[0]]


def _numbers(result: xr.Dataset, axis: str) -> np.ndarray:
    """Return which row or column of the sensor, from 0, each of the maps is."""
    numbers = result[axis].values if axis in result.coords else np.empty(0)
    if numbers.size != result.sizes[axis] or (numbers != np.rint(numbers)).any() or (numbers < 0).any():
        raise DataError(
            f"the {axis} coordinate no longer counts the sensor's rows and columns, so the maps cannot be laid out on "
            "the ground. Select with isel or region=, without binning."
        )
    return numbers.astype(np.int64)


def _places(numbers: np.ndarray, table: np.ndarray) -> np.ndarray:
    """Return the place in the maps of every entry of a table that counts from 1; -1 where there is none."""
    places = np.full(max(int(numbers.max()) + 1, int(table.max())) + 1, -1, np.int64)
    places[numbers + 1] = np.arange(numbers.size)
    return places[table]
