"""Metadata given in place of an image: EnMAP and DESIS, Sentinel-2, Landsat; the image beside it is read."""

from __future__ import annotations

from pathlib import Path

import xarray as xr

from ...errors import ReadError
from .. import raster
from ..naming import shown
from ..request import Request
from . import landsat, sentinel2
from .dlr_scene import DESIS, ENMAP, image_of
from .metadata_xml import read_xml

_MTL = b"GROUP"


def read(path: Path, request: Request) -> xr.DataArray:
    """Return the image that a metadata file describes."""
    with path.open("rb") as file:
        if file.read(len(_MTL)) == _MTL:
            return landsat.read(path, request)
    root = read_xml(path)
    if root.tag.startswith(("Level-2A", "Level-1C")):
        return sentinel2.read(path, root, request)
    if root.find(ENMAP.band) is not None or root.find(DESIS.band) is not None:
        return raster.read(image_of(path), request)
    raise ReadError(
        f"{shown(path)} is XML of no product unmix knows (EnMAP, DESIS, Sentinel-2). Give the image file itself."
    )
