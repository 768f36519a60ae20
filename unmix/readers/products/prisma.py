"""PRISMA L2D and L2C reflectance (HDF-EOS5): two detectors, stored line, band, sample, from long waves to short.

``VNIR_Cube`` and ``SWIR_Cube`` are uint16; reflectance = min + DN (max - min) / 65535 with the root attributes
L2ScaleVnirMin and so on. ``List_Cw_Vnir`` and ``List_Fwhm_Vnir`` are 0, and ``List_Cw_Vnir_Flags`` too, for bands that
are not there. The detectors overlap around 1 um; both are kept. L2D is on a map: the corners are centres of pixels.
DN 0 in every band is outside the swath. The error matrices are not applied.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from affine import Affine

from ...conventions.grid_mapping import plain_text
from ...errors import ReadError
from ..cf_place import swath
from ..describe import Description
from ..hdf5_file import Hdf5Cube
from ..joined import Joined
from ..naming import shown
from ..window import Raw
from .fields import band_vector, checked_axes, needed_number

_FULL = 65535.0
_DETECTORS = ("Vnir", "Swir")
_CORNERS = ("ULcorner_easting", "ULcorner_northing", "LRcorner_easting", "LRcorner_northing")


def open_product(file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
    """Return both detectors as one cube, with its scale, wavelengths and place."""
    fields = next(name for name in found if name.endswith("_HCO/Data Fields/VNIR_Cube")).rsplit("/", 1)[0]
    cubes, columns, names = [], [], []
    for detector in _DETECTORS:
        name = f"{fields}/{detector.upper()}_Cube"
        if name in found:
            axes = checked_axes(found[name], (0, 2, 1), path)
            cubes.append(Hdf5Cube.of(found[name], path, axes))
            names += [f"{detector.upper()} {k + 1}" for k in range(cubes[-1].shape[2])]
            columns.append(_band_facts(file.attrs, detector, cubes[-1].shape[2], path))
    wavelengths, widths, present, scale, offset = (np.concatenate(parts) for parts in zip(*columns, strict=True))
    described = Description(
        wavelengths=wavelengths,
        fwhm=widths,
        present=present,
        band_names=names,
        quantity="reflectance",
        scale=scale,
        offset=offset,
        nodata=0.0,
        on_earth=True,
        acquired=plain_text(file.attrs.get("Product_StartTime")),
    )
    raw = Joined(tuple(cubes))
    if "PRS_L2D" in fields:
        described.crs, described.transform = _place(file.attrs, raw.shape[:2], path)
    else:
        cube = found[f"{fields}/VNIR_Cube"]
        described.latitude, described.longitude = swath(cube, found, checked_axes(cube, (0, 2, 1), path))
    return raw, described


def _band_facts(attrs: Mapping[str, Any], detector: str, n_bands: int, path: Path) -> tuple[np.ndarray, ...]:
    """Return wavelengths, widths, presence, scale and offset of the bands of one detector."""
    centre, width, flags = (
        band_vector(attrs.get(name, ()), n_bands, name, path)
        for name in (f"List_Cw_{detector}", f"List_Fwhm_{detector}", f"List_Cw_{detector}_Flags")
    )
    lowest, highest = (needed_number(attrs, f"L2Scale{detector}{end}", path) for end in ("Min", "Max"))
    if highest <= lowest:
        raise ReadError(
            f"{shown(path)}: L2Scale{detector}Max={highest:g} is not above L2Scale{detector}Min={lowest:g}."
        )
    present = (flags > 0) & (centre > 0)
    filled = np.full(n_bands, (highest - lowest) / _FULL), np.full(n_bands, lowest)
    return np.where(present, centre, np.nan), np.where(present, width, np.nan), present, *filled


def _place(attrs: Mapping[str, Any], size: tuple[int, int], path: Path) -> tuple[Any, Affine | None]:
    """Return CRS and transform; the corners are those of the outer pixels' centres."""
    from rasterio.crs import CRS
    from rasterio.errors import CRSError

    corners = [needed_number(attrs, f"Product_{corner}", path) for corner in _CORNERS]
    west, north, east, south = corners
    height, width = size
    code = int(needed_number(attrs, "Epsg_Code", path))
    try:
        crs = CRS.from_epsg(code)
    except CRSError as error:
        raise ReadError(f"{shown(path)}: Epsg_Code={code} is not known.") from error
    if min(height, width) < 2 or east <= west or north <= south:
        raise ReadError(f"{shown(path)}: the corners of the product do not span an area.")
    a, e = (east - west) / (width - 1), (south - north) / (height - 1)
    return crs, Affine(a, 0.0, west - a / 2, 0.0, e, north - e / 2)
