"""Tanager surface reflectance (HDF-EOS5), as the sensor saw it (SWATHS) or on a map (GRIDS).

``surface_reflectance`` (band, y, x) carries wavelengths, fwhm and good_wavelengths as attributes (older files lack the
last); nodata_pixels marks what was never seen, beta_cloud_mask and beta_cirrus_mask the clouds. A grid's corners and
its UTM zone stand in the text ``HDFEOS INFORMATION/StructMetadata.0``; its code in an attribute epsg_code.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from ...conventions.grid_mapping import plain_text
from ...conventions.spectral_axis import in_nanometres
from ...errors import ReadError
from ..cf_place import swath
from ..describe import Description
from ..hdf5_file import Hdf5Cube
from ..joined import Joined
from ..naming import shown
from ..pixel_flags import PixelFlags
from ..window import Raw
from .fields import band_vector, checked_axes, number

_FILL = -9999.0
_MOST_TEXT = 1_000_000


def open_product(file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
    """Return the cube of a scene and what it says about itself."""
    name = next(n for n in found if n.endswith("/HYP/Data Fields/surface_reflectance"))
    dataset, fields = found[name], name.rsplit("/", 1)[0]
    axes = checked_axes(dataset, (1, 2, 0), path)
    raw, attrs = Hdf5Cube.of(dataset, path, axes), dataset.attrs
    n_bands = raw.shape[2]
    if "wavelengths" not in attrs:
        raise ReadError(f"{shown(path)}: {name} has no attribute wavelengths, and none are made up. Give key={name!r}.")
    wavelengths, widths = in_nanometres(
        band_vector(attrs["wavelengths"], n_bands, "wavelengths", path),
        _listed(attrs, "fwhm", n_bands, path),
        plain_text(attrs.get("wavelengths_units")) or "nm",
        shown(path),
    )
    flags = (
        band_vector(attrs["good_wavelengths"], n_bands, "good_wavelengths", path)
        if "good_wavelengths" in attrs
        else None
    )
    fill = number(attrs, "_FillValue")
    described = Description(
        wavelengths=wavelengths,
        fwhm=widths,
        good_bands=None if flags is None else flags > 0,
        quantity="reflectance",
        scale=number(attrs, "scale_factor"),
        offset=number(attrs, "add_offset"),
        nodata=_FILL if fill is None else fill,
        empty=_flags(found, [f"{fields}/nodata_pixels"], path),
        cloud=_flags(found, [f"{fields}/beta_cloud_mask", f"{fields}/beta_cirrus_mask"], path),
        on_earth=True,
    )
    if "/GRIDS/" in f"/{name}":
        described.crs, described.transform = _grid(file, found, raw.shape[:2], path)
    else:
        described.latitude, described.longitude = swath(dataset, found, axes)
    return raw, described


def _listed(attrs: Mapping[str, Any], name: str, n_bands: int, path: Path) -> np.ndarray | None:
    return band_vector(attrs[name], n_bands, name, path) if name in attrs else None


def _flags(found: Mapping[str, Any], names: list[str], path: Path) -> PixelFlags | None:
    """Return layers of which any that is not zero marks a pixel."""
    layers = [found[name] for name in names if name in found]
    if not layers:
        return None
    cubes = tuple(Hdf5Cube.flat(layer, path) for layer in layers)
    return PixelFlags(Joined(cubes), bits=-1)


def _grid(file: Any, found: Mapping[str, Any], size: tuple[int, int], path: Path) -> tuple[Any, Affine]:
    """Return CRS and transform of a scene on a map."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    text = _struct_metadata(found, path)
    corners = [_pair(text, name) for name in ("UpperLeftPointMtrs", "LowerRightMtrs")]
    if None in corners:
        raise ReadError(f"{shown(path)}: StructMetadata.0 does not give the corners of the grid.")
    (west, north), (east, south) = (corner for corner in corners if corner is not None)
    code = next((number(item.attrs, "epsg_code") for item in _holders(file) if "epsg_code" in item.attrs), None)
    zone = re.search(r"ZoneCode\s*=\s*(-?\d{1,2})\b", text)
    if code is None and zone is not None and 1 <= abs(int(zone[1])) <= 60:
        code = (32600 if int(zone[1]) > 0 else 32700) + abs(int(zone[1]))
    try:
        crs = CRS.from_epsg(int(code or 0))
    except CRSError as error:
        raise ReadError(f"{shown(path)}: neither epsg_code nor ZoneCode names a known projection.") from error
    if east <= west or north <= south:
        raise ReadError(f"{shown(path)}: the corners of the grid do not span an area.")
    height, width = size
    return crs, Affine((east - west) / width, 0.0, west, 0.0, (south - north) / height, north)


def _holders(file: Any) -> list[Any]:
    """Return the file and the groups of the grid, any of which may hold epsg_code."""
    names = ("HDFEOS/GRIDS/HYP", "HDFEOS/GRIDS/HYP/Data Fields", "HDFEOS/GRIDS/HYP/Data Fields/surface_reflectance")
    return [file, *(file[name] for name in names if name in file)]


def _struct_metadata(found: Mapping[str, Any], path: Path) -> str:
    name = "HDFEOS INFORMATION/StructMetadata.0"
    if name not in found or found[name].size > 100 or found[name].dtype.itemsize > _MOST_TEXT or found[name].external:
        raise ReadError(f"{shown(path)} has no readable {name}, which says where the grid lies.")
    return plain_text(np.asarray(found[name][()]).ravel()[:1])[:_MOST_TEXT]


def _pair(text: str, name: str) -> tuple[float, float] | None:
    found = re.search(rf"{name}\s*=\s*\(\s*([-+.\deE]+)\s*,\s*([-+.\deE]+)\s*\)", text)
    try:
        return None if found is None else (float(found[1]), float(found[2]))
    except ValueError:
        return None
