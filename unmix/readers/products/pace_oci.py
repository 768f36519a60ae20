"""PACE OCI level 2 surface reflectance (NetCDF 4): a swath of about 1 km with latitudes and longitudes.

``geophysical_data/rhos`` (lines, pixels, wavelength_3d) has CF scale, offset and fill; ``sensor_band_parameters``
holds wavelength_3d in nm; the bit called CLDICE of ``geophysical_data/l2_flags`` marks clouds and ice.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...conventions.grid_mapping import plain_text
from ..cf_place import swath
from ..describe import Description
from ..hdf5_file import Hdf5Cube
from ..pixel_flags import PixelFlags
from ..window import Raw
from .fields import centres, checked_axes, number

_CUBE, _FLAGS, _WAVELENGTHS = (
    "geophysical_data/rhos",
    "geophysical_data/l2_flags",
    "sensor_band_parameters/wavelength_3d",
)
_CLOUD = "CLDICE"


def open_product(file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
    """Return the cube of a granule and what it says about itself."""
    dataset = found[_CUBE]
    axes = checked_axes(dataset, (0, 1, 2), path)
    wavelengths, widths = centres(found, (_WAVELENGTHS, "sensor_band_parameters/fwhm"), dataset.shape[axes[2]], path)
    latitude, longitude = swath(dataset, found, axes)
    return Hdf5Cube.of(dataset, path, axes), Description(
        wavelengths=wavelengths,
        fwhm=widths,
        quantity="reflectance",
        scale=number(dataset.attrs, "scale_factor"),
        offset=number(dataset.attrs, "add_offset"),
        nodata=number(dataset.attrs, "_FillValue"),
        cloud=_cloud(found, path),
        latitude=latitude,
        longitude=longitude,
        on_earth=True,
        acquired=plain_text(file.attrs.get("time_coverage_start")),
    )


def _cloud(found: Mapping[str, Any], path: Path) -> PixelFlags | None:
    """Return the flag of clouds and ice by its name, None where the file does not name its flags."""
    if _FLAGS not in found:
        return None
    attrs = found[_FLAGS].attrs
    meanings, masks = plain_text(attrs.get("flag_meanings")).split(), np.ravel(attrs.get("flag_masks", ()))
    if _CLOUD not in meanings or len(masks) != len(meanings) or masks.dtype.kind not in "ui":
        return None
    return PixelFlags(Hdf5Cube.flat(found[_FLAGS], path), bits=int(masks[meanings.index(_CLOUD)]))
