"""What a result says about itself: its quantity, its provenance, where it lies, the labels and colours of its maps."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from ..image import pixel_size as size_of_pixel
from ..materials.colours import endmember_colours
from ..options import RESOURCES
from ..quantity import QUANTITIES, UNITS

_MICROMETRES = {
    "um": 1.0,
    "µm": 1.0,
    "μm": 1.0,
    "micrometer": 1.0,
    "micrometre": 1.0,
    "micron": 1.0,
    "nm": 1e-3,
    "mm": 1e3,
}
_QUANTITY_OF_UNIT = {unit: name for name, unit in UNITS.items()}


def provenance(result: xr.Dataset) -> dict[str, Any]:
    """Return the provenance of a result, empty where it cannot be read."""
    try:
        told = json.loads(result.attrs.get("provenance", "{}"))
    except (TypeError, ValueError):
        return {}
    return told if isinstance(told, dict) else {}


def lasting_provenance(result: xr.Dataset) -> dict[str, Any]:
    """Return the provenance without what differs between runs that agree: when, how long, on how much machine.

    With it the same input gives the same file, byte for byte; ``result.nc`` and Zarr keep the whole.
    """
    told = {key: value for key, value in provenance(result).items() if key not in ("created", "seconds")}
    if isinstance(told.get("options"), dict):
        told["options"] = {key: value for key, value in told["options"].items() if key not in RESOURCES}
    return told


def quantity(result: xr.Dataset) -> str:
    """Return what the image's numbers were, as the attributes or the unit of the spectra say."""
    told = result.attrs.get("quantity")
    return (
        told if told in QUANTITIES else _QUANTITY_OF_UNIT.get(str(result["endmembers"].attrs.get("units")), "unknown")
    )


def source_path(result: xr.Dataset) -> str | None:
    """Return the path of the file a result was made from, or None where it was made from an array."""
    source = provenance(result).get("source")
    path = source.get("path") if isinstance(source, Mapping) else source
    return path if isinstance(path, str) and path and "\0" not in path else None


def source_name(result: xr.Dataset) -> str | None:
    """Return the name of the file a result was made from, without its folder, or the image's own name."""
    path = source_path(result)
    name = os.path.basename(path.replace("\\", "/").rstrip("/")) if path else result.attrs.get("name")
    return label(name, 0) if name else None


def labels(result: xr.Dataset) -> list[str]:
    """Return the endmember names as one line of visible text each; the names themselves stay in the result."""
    return [label(name, k) for k, name in enumerate(result["endmember"].values.tolist())]


def label(name: Any, position: int) -> str:
    """Return a name as one line of visible characters, or a numbered one where nothing is left."""
    visible = "".join(letter if letter.isprintable() else " " for letter in str(name))
    return " ".join(visible.split()) or f"endmember {position + 1}"


def colours(result: xr.Dataset) -> np.ndarray:
    """Return the colour (r, 3) each endmember of a result is drawn in."""
    wavelengths = result["wavelength"].values if "wavelength" in result.coords else None
    return endmember_colours(result["endmembers"].values, quantity(result), wavelengths)


def is_stained(result: xr.Dataset) -> bool:
    """Return whether the maps are concentrations of stains, seen on white."""
    return quantity(result) in ("brightfield", "optical_density")


def crs_wkt(result: xr.Dataset) -> str | None:
    """Return the coordinate reference system of a result as WKT, or None."""
    if "spatial_ref" not in result.coords:
        return None
    attrs = result["spatial_ref"].attrs
    return attrs.get("crs_wkt") or attrs.get("spatial_ref") or None


def affine(result: xr.Dataset) -> tuple[float, float, float, float, float, float] | None:
    """Return (a, b, c, d, e, f) with x = a column + b row + c and y = d column + e row + f, or None.

    The y and x coordinates are the truth, because a selection moves them; the recorded transform is given where they
    agree with it (it is exact) and where there are none (rotated images).
    """
    recorded = _recorded_affine(result)
    if "y" not in result.coords or "x" not in result.coords:
        return recorded
    if recorded is None and (crs_wkt(result) is None or min(result.sizes["y"], result.sizes["x"]) < 2):
        return None
    y, x = result["y"].values.astype(np.float64), result["x"].values.astype(np.float64)
    a = (x[-1] - x[0]) / (len(x) - 1) if len(x) > 1 else (recorded or (1.0,) * 6)[0]
    e = (y[-1] - y[0]) / (len(y) - 1) if len(y) > 1 else (recorded or (1.0,) * 6)[4]
    derived = (float(a), 0.0, float(x[0] - a / 2), 0.0, float(e), float(y[0] - e / 2))
    if recorded is not None:
        pixel = np.array([abs(a), abs(a), abs(a), abs(e), abs(e), abs(e)])
        slack = 1e-6 * pixel / np.array([len(x), len(y), 1, len(x), len(y), 1])
        if (np.abs(np.subtract(recorded, derived)) <= np.maximum(slack, 1e-12 * np.abs(derived))).all():
            return recorded
    return derived


def pixel_size_um(result: xr.Dataset) -> tuple[float, float] | None:
    """Return the height and width of a pixel in micrometres, or None where the result is not calibrated in a length."""
    if crs_wkt(result) is not None:
        return None
    size = size_of_pixel(result["residual"])
    factor = _MICROMETRES.get(size[2]) if size else None
    return None if size is None or factor is None else (size[0] * factor, size[1] * factor)


def _recorded_affine(result: xr.Dataset) -> tuple[float, float, float, float, float, float] | None:
    """Return the transform rioxarray keeps as ``GeoTransform`` (c a b f d e, as GDAL orders it), or None."""
    if "spatial_ref" not in result.coords:
        return None
    try:
        c, a, b, f, d, e = (float(v) for v in str(result["spatial_ref"].attrs["GeoTransform"]).split())
    except (KeyError, ValueError):
        return None
    return (a, b, c, d, e, f)
