"""The ground below an image: the geometry lookup table of the file it was read from."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ..ground_grid import GroundGrid
from .hdf5_file import datasets_of, opened
from .products import product_called


def ground_grid_of(image: xr.DataArray) -> GroundGrid | None:
    """Return the lookup table of the file an image was read from, None where it has none.

    Raises
    ------
    ReadError
        The file is gone or its table points outside the image.
    """
    product = product_called(str(image.attrs.get("geolocation", "")))
    if product is None:
        return None
    path = Path(str(image.attrs.get("source", "")))
    with opened(path) as file:
        found = datasets_of(file, path)
        raw, _ = product.open(file, found, path)
        table = product.adapter().lookup_table(file, found, path)
        return table.grid(raw.shape[:2], path)
