"""AVIRIS-3 (and AVIRIS-5) L2A reflectance, orthorectified, and L1B radiance in sensor geometry (NetCDF 4).

``reflectance/reflectance`` (wavelength, northing, easting) with ``reflectance/wavelength`` and ``fwhm``; the variable
``transverse_mercator`` at the root holds spatial_ref and GeoTransform. ``radiance/radiance`` (wavelength, lines,
samples) comes with ``geolocation_lookup_table`` (line, sample). Fill is -9999; there is no list of good bands.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from affine import Affine

from ...conventions.grid_mapping import crs_of, plain_text, transform_of
from ...errors import ReadError
from ..cf_place import swath
from ..describe import Description
from ..hdf5_file import Hdf5Cube
from ..naming import shown
from ..window import Raw
from .fields import centres, checked_axes, number, stored_vector
from .lookup_table import LookupTable

_FILL = -9999.0
_TABLE = ("geolocation_lookup_table/line", "geolocation_lookup_table/sample")
_MAPPING = "transverse_mercator"


def open_product(file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
    """Return the cube of a flight line and what it says about itself."""
    kind = "reflectance" if "reflectance/reflectance" in found else "radiance"
    dataset = found[f"{kind}/{kind}"]
    axes = checked_axes(dataset, (1, 2, 0), path)
    n_bands = dataset.shape[axes[2]]
    wavelengths, widths = centres(found, (f"{kind}/wavelength", f"{kind}/fwhm"), n_bands, path)
    flags = stored_vector(found, f"{kind}/good_wavelengths", n_bands, path)
    fill = number(dataset.attrs, "_FillValue")
    described = Description(
        wavelengths=wavelengths,
        fwhm=widths,
        good_bands=None if flags is None else flags > 0,
        quantity=kind,
        nodata=_FILL if fill is None else fill,
        on_earth=True,
        acquired=plain_text(file.attrs.get("time_coverage_start")),
    )
    if all(name in found for name in _TABLE):
        described.ground = "AVIRIS-3"
        described.latitude, described.longitude = swath(dataset, found, axes)
    else:
        described.crs, described.transform = _place(found, path)
    return Hdf5Cube.of(dataset, path, axes), described


def lookup_table(file: Any, found: Mapping[str, Any], path: Path) -> LookupTable:
    """Return the geometry lookup table of a line in sensor geometry."""
    return LookupTable(found[_TABLE[0]], found[_TABLE[1]], *_place(found, path))


def _place(found: Mapping[str, Any], path: Path) -> tuple[Any, Affine]:
    attrs = dict(found[_MAPPING].attrs) if _MAPPING in found else {}
    crs, transform = crs_of(attrs), transform_of(attrs)
    if crs is None or transform is None:
        raise ReadError(f"{shown(path)}: spatial_ref or GeoTransform of {_MAPPING} is missing or not understood.")
    return crs, transform
