"""Landsat Collection 2 level 2 surface reflectance: the rasters ``NAME_SR_B1.TIF`` that ``NAME_MTL.txt`` names.

Reflectance = DN x REFLECTANCE_MULT + REFLECTANCE_ADD of the group LEVEL2_SURFACE_REFLECTANCE_PARAMETERS (the level 1
groups use the same names for other numbers); DN 0 is no data. QA_PIXEL: bit 0 fill; bits 1, 3 and 4 dilated cloud,
cloud and cloud shadow. The metadata gives no wavelengths: centres and widths are the published ones of each sensor
(OLI: Barsi and others 2014, Remote Sens. 6(10), 10232-10251; TM and ETM+: the nominal band edges).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import xarray as xr

from ...errors import ReadError
from ..band_files import band_stack, one_band
from ..describe import Description, make_image
from ..naming import shown
from ..pixel_flags import PixelFlags
from ..request import Request
from .metadata_xml import beside

_MOST_BYTES = 1_000_000
_SCALES = "LEVEL2_SURFACE_REFLECTANCE_PARAMETERS"
_FILL, _CLOUDS = 1 << 0, 1 << 1 | 1 << 3 | 1 << 4
_TM = {1: (485, 70), 2: (560, 80), 3: (660, 60), 4: (830, 140), 5: (1650, 200), 7: (2215, 270)}
_OLI = {
    1: (442.96, 15.98), 2: (482.04, 60.04), 3: (561.41, 57.33), 4: (654.59, 37.47), 5: (864.67, 28.25),
    6: (1608.86, 84.72), 7: (2200.73, 186.66),
}  # fmt: skip
_BANDS: dict[str, Mapping[int, tuple[float, float]]] = {
    "LANDSAT_4": _TM, "LANDSAT_5": _TM, "LANDSAT_7": _TM | {4: (835, 130)}, "LANDSAT_8": _OLI, "LANDSAT_9": _OLI,
}  # fmt: skip


def read(path: Path, request: Request) -> xr.DataArray:
    """Return the reflective bands of a scene, given its MTL file."""
    groups = parse_mtl(path)
    contents, scales = groups.get("PRODUCT_CONTENTS", {}), groups.get(_SCALES, {})
    if not scales:
        raise ReadError(f"{shown(path)} is no level 2 scene: {_SCALES} is missing. Give a surface reflectance product.")
    known = _BANDS.get(groups.get("IMAGE_ATTRIBUTES", {}).get("SPACECRAFT_ID", ""), {})
    names = {n: contents.get(f"FILE_NAME_BAND_{n}") for n in range(1, 8)}
    files = {n: _file(path, name) for n, name in names.items() if name and f"REFLECTANCE_MULT_BAND_{n}" in scales}
    if len(files) < 2:
        raise ReadError(f"{shown(path)} names no files of two reflective bands or more.")
    raw, grid = band_stack(list(files.values()))
    scale, offset = (
        np.array([_number(scales, f"REFLECTANCE_{kind}_BAND_{n}", path) for n in files]) for kind in ("MULT", "ADD")
    )
    quality = contents.get("FILE_NAME_QUALITY_L1_PIXEL")
    layer = beside(path, quality) if quality and _is_plain(quality) else None
    flags = None if layer is None else one_band(layer)[0]
    described = Description(
        wavelengths=np.array([known.get(n, (np.nan, 0))[0] for n in files], float) if known else None,
        fwhm=np.array([known.get(n, (0, np.nan))[1] for n in files], float) if known else None,
        band_names=[f"SR_B{n}" for n in files],
        quantity="reflectance",
        scale=scale,
        offset=offset,
        nodata=0.0,
        crs=grid.crs,
        transform=grid.transform,
        empty=None if flags is None else PixelFlags(flags, bits=_FILL),
        acquired=_acquired(groups.get("IMAGE_ATTRIBUTES", {})),
        cloud=None if flags is None else PixelFlags(flags, bits=_CLOUDS),
    )
    return make_image(path, raw, described, request)


def parse_mtl(path: Path) -> dict[str, dict[str, str]]:
    """Return {group: {name: value}} of an MTL file; `ReadError` where it is not one."""
    if path.stat().st_size > _MOST_BYTES:
        raise ReadError(f"{shown(path)} has {path.stat().st_size:,} bytes; an MTL file has at most {_MOST_BYTES:,}.")
    groups: dict[str, dict[str, str]] = {}
    open_groups: list[str] = []
    for line in path.read_text("utf-8", "replace").splitlines():
        key, equals, value = (part.strip() for part in line.partition("="))
        if key == "GROUP":
            open_groups.append(value)
        elif key == "END_GROUP":
            if not open_groups or open_groups.pop() != value:
                raise ReadError(f"{shown(path)}: END_GROUP = {value[:40]} closes no group of that name.")
        elif equals and open_groups:
            groups.setdefault(open_groups[-1], {})[key] = value.strip('"')
    if open_groups:
        raise ReadError(f"{shown(path)} is cut short: GROUP = {open_groups[-1][:40]} is not closed.")
    return groups


def _file(path: Path, name: str) -> Path:
    if not _is_plain(name):
        raise ReadError(f"{shown(path)} names {name[:80]!r}, which is not a file beside it.")
    return beside(path, name) or path.with_name(name)


def _acquired(about: dict[str, str]) -> str | None:
    day, time = about.get("DATE_ACQUIRED"), about.get("SCENE_CENTER_TIME")
    return f"{day}T{time}" if day and time else None


def _is_plain(name: str) -> bool:
    return re.fullmatch(r"[\w.-]{1,200}", name) is not None and name not in (".", "..")


def _number(scales: dict[str, str], name: str, path: Path) -> float:
    try:
        value = float(scales[name])
    except (KeyError, ValueError) as error:
        raise ReadError(f"{shown(path)}: {name} is missing or no number.") from error
    if not np.isfinite(value):
        raise ReadError(f"{shown(path)}: {name}={value} is not finite.")
    return value
