"""EMIT L2A reflectance and L1B radiance (NetCDF 4): sensor geometry, with a table that lays maps out on the ground.

``reflectance`` (downtrack, crosstrack, bands), fill -9999; ``sensor_band_parameters`` holds wavelengths, fwhm and
good_wavelengths (0 in the water bands); ``location`` holds lat, lon and the table glt_x, glt_y, counted from 1, 0 for
none, whose grid the attributes geotransform and spatial_ref place.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from ...conventions.grid_mapping import crs_of, plain_text
from ...errors import ReadError
from ..cf_place import swath
from ..describe import Description
from ..hdf5_file import Hdf5Cube
from ..naming import shown
from ..window import Raw
from .fields import centres, checked_axes, number, stored_vector
from .lookup_table import LookupTable

_BANDS = "sensor_band_parameters"
_FILL = -9999.0


def open_product(file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
    """Return the cube of a granule and what it says about itself."""
    name = "reflectance" if "reflectance" in found else "radiance"
    dataset = found[name]
    axes = checked_axes(dataset, (0, 1, 2), path)
    n_bands = dataset.shape[axes[2]]
    wavelengths, widths = centres(found, (f"{_BANDS}/wavelengths", f"{_BANDS}/fwhm"), n_bands, path)
    flags = stored_vector(found, f"{_BANDS}/good_wavelengths", n_bands, path)
    latitude, longitude = swath(dataset, found, axes)
    fill = number(dataset.attrs, "_FillValue")
    return Hdf5Cube.of(dataset, path, axes), Description(
        wavelengths=wavelengths,
        fwhm=widths,
        good_bands=None if flags is None else flags > 0,
        quantity=name,
        nodata=_FILL if fill is None else fill,
        latitude=latitude,
        longitude=longitude,
        ground="EMIT" if "location/glt_x" in found and "location/glt_y" in found else None,
        on_earth=True,
        acquired=plain_text(file.attrs.get("time_coverage_start")),
    )


def lookup_table(file: Any, found: Mapping[str, Any], path: Path) -> LookupTable:
    """Return the geometry lookup table of a granule."""
    transform = np.asarray(file.attrs.get("geotransform", ()), np.float64).ravel()
    crs = crs_of({"spatial_ref": plain_text(file.attrs.get("spatial_ref"))})
    if transform.size != 6 or not np.isfinite(transform).all() or crs is None:
        raise ReadError(f"{shown(path)}: geotransform or spatial_ref of the lookup table is missing or not understood.")
    return LookupTable(found["location/glt_y"], found["location/glt_x"], crs, Affine.from_gdal(*transform.tolist()))
