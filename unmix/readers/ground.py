"""The ground below an image: the geometry lookup table of the file it was read from, or of one beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ..errors import ReadError
from ..ground_grid import GroundGrid
from .envi import partners, raw_cube
from .envi_header import read_header
from .hdf5_file import datasets_of, opened
from .limits import check_decoded_size
from .map_info import placement
from .naming import shown
from .products import aviris_ng, product_called
from .products.lookup_table import checked_grid


def ground_grid_of(image: xr.DataArray) -> GroundGrid | None:
    """Return the lookup table of the file an image was read from, None where it has none.

    Raises
    ------
    ReadError
        The file is gone or its table points outside the image.
    """
    name, path = str(image.attrs.get("geolocation", "")), Path(str(image.attrs.get("source", "")))
    if name == aviris_ng.PRODUCT:
        return _table_beside(path)
    product = product_called(name)
    if product is None:
        return None
    with opened(path) as file:
        found = datasets_of(file, path)
        raw, _ = product.open(file, found, path)
        table = product.adapter().lookup_table(file, found, path)
        return table.grid(raw.shape[:2], path)


def _table_beside(path: Path) -> GroundGrid:
    """Return the lookup table that lies beside an ENVI cube as a cube of two bands, sample and line."""
    header, data = partners(path)
    size = raw_cube(read_header(header), data).shape[:2]
    table = aviris_ng.table_beside(data)
    if table is None:
        raise ReadError(f"{shown(path)}: its lookup table is no longer beside it.")
    table_header = read_header(partners(table)[0])
    raw, (crs, transform) = raw_cube(table_header, table), placement(table_header)
    if raw.shape[2] != 2 or crs is None or transform is None:
        raise ReadError(f"{shown(table)} is no lookup table: two bands and a place on a map are expected.")
    check_decoded_size(table, raw.shape, raw.dtype, "the lookup table")
    sample, line = np.moveaxis(raw.read(slice(0, raw.shape[0]), slice(0, raw.shape[1]), slice(0, 2)), 2, 0)
    return checked_grid(line, sample, size, crs, transform, table)
