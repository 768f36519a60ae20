"""What a DataArray or Dataset of another library means: which dimension is which, and what its bands are.

rioxarray puts bands first and numbers them, netCDF files call them what they like, our own images bring everything.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..errors import DataError, warn
from .grid_mapping import crs_of
from .spectral_axis import SpectralAxis, guessed_nanometres, in_nanometres, is_light_unit, other_axis

BAND_COORDS = ("wavelength", "fwhm", "good_band", "band_name", "spectral_axis")
PLACE_COORDS = ("y", "x", "spatial_ref", "latitude", "longitude")

ROWS = {
    "y", "row", "rows", "line", "lines", "lat", "latitude", "northing", "downtrack", "height", "number_of_lines",
    "scan", "scans",
}  # fmt: skip
COLUMNS = {
    "x", "col", "cols", "column", "columns", "sample", "samples", "lon", "longitude", "easting", "crosstrack", "width",
    "pixel", "pixels", "pixels_per_line",
}  # fmt: skip
BANDS = {
    "b", "c", "band", "bands", "channel", "channels", "wavelength", "wavelengths", "wavelength_3d", "lambda", "wl",
    "wavenumber", "raman_shift", "spectral", "spectrum", "energy", "mz",
}  # fmt: skip
_NO_BANDS = {"t", "time", "z", "date", "depth", "level", "endmember"}
_SPECTRAL = ("wavelength", "wavelengths", "wavelength_nm", "wavelength_3d", "lambda", "wl", "wavenumber", "raman_shift")


def letter_of(dimension: str) -> str:
    """Return ``y``, ``x`` or ``b`` for the name of a dimension, nothing where it says none of them."""
    name = dimension.strip().lower()
    return next((letter for letter, names in (("y", ROWS), ("x", COLUMNS), ("b", BANDS)) if name in names), "")


def one_cube(values: xr.DataArray | xr.Dataset) -> xr.DataArray:
    """Return the DataArray itself, or the only variable of a Dataset with three dimensions."""
    if isinstance(values, xr.DataArray):
        return values
    cubes = [n for n, v in values.data_vars.items() if _long(v) == 3 and v.dtype.kind in "uif"]
    if len(cubes) != 1:
        found = ", ".join(map(str, cubes)) or "none"
        raise DataError(f"one variable with three dimensions is needed; the Dataset has {found}. Give dataset[name].")
    cube = values[cubes[0]]
    reference = cube.encoding.get("grid_mapping", cube.attrs.get("grid_mapping"))
    return cube.assign_coords({reference: values[reference]}) if reference in values.data_vars else cube


def with_our_names(values: xr.DataArray) -> xr.DataArray:
    """Return a DataArray with the dimensions y, x and band, and a place on Earth where rioxarray keeps it."""
    short = [dim for dim, size in values.sizes.items() if size == 1]
    spare = values.ndim - 3
    if spare > 0:
        unknown = [dim for dim in short if not letter_of(str(dim))] or short
        values = values.squeeze(unknown[:spare], drop=True)
    names = _names(values)
    values = _renamed(values, names)
    return _placed_by_cf(values).transpose("y", "x", "band")


def band_coords(values: xr.DataArray, original_band: str) -> dict[str, Any]:
    """Return the band coordinates a DataArray (y, x, band) brings, wavelengths in nanometres."""
    coords = values.coords
    found = {k: coords[k].values for k in BAND_COORDS[:4] if k in coords and coords[k].dims == ("band",)}
    if "valid" in coords and "good_band" in coords:
        if "spectral_axis" in coords:
            about = coords["spectral_axis"]
            found["spectral_axis"] = SpectralAxis(
                about.values, str(about.attrs.get("long_name", "")), str(about.attrs.get("units", ""))
            )
        return found
    wavelengths, widths, axis = _spectral(values, original_band)
    found.pop("wavelength", None)
    found.pop("fwhm", None)
    found |= {
        k: v for k, v in (("wavelength", wavelengths), ("fwhm", widths), ("spectral_axis", axis)) if v is not None
    }
    names = values.attrs.get("long_name")
    if "band_name" not in found and isinstance(names, (tuple, list)) and len(names) == values.sizes["band"]:
        found["band_name"] = np.array([str(name) for name in names])
    return found


def nodata_of(values: xr.DataArray) -> float | None:
    """Return the recorded value that means no data and has not become NaN yet."""
    value = values.attrs.get("_FillValue", values.attrs.get("nodata"))
    return None if value is None or np.ndim(value) else float(value)


def _long(variable: xr.DataArray) -> int:
    return variable.ndim if variable.ndim <= 3 else sum(size > 1 for size in variable.shape)


def _names(values: xr.DataArray) -> dict[Any, str]:
    """Return which of three dimensions is y, x and band; the one left over is the missing one, if it is the band."""
    letters = {dim: letter_of(str(dim)) for dim in values.dims}
    wanted = {"y": "y", "x": "x", "b": "band"}
    left = [dim for dim, letter in letters.items() if not letter]
    missing = [letter for letter in wanted if letter not in letters.values()]
    if len(left) == 1 and missing == ["b"] and str(left[0]).lower() not in _NO_BANDS:
        letters[left[0]] = "b"
    if sorted(letters.values()) != ["b", "x", "y"]:
        dims = ", ".join(map(str, values.dims))
        raise DataError(
            f"a DataArray image needs the dimensions y, x and band; which is which of ({dims}) cannot be told. "
            "Rename or select them first."
        )
    return {dim: wanted[letter] for dim, letter in letters.items()}


def _renamed(values: xr.DataArray, names: dict[Any, str]) -> xr.DataArray:
    """Rename dimensions; coordinates along them keep their names but for the centres of pixels."""
    for old, new in names.items():
        if old == new:
            continue
        values = values.drop_vars(new) if new in values.coords and new not in values.dims else values
        values = values.rename({old: new}) if old not in values.coords or new != "band" else _kept_beside(values, old)
    return values


def _kept_beside(values: xr.DataArray, old: Any) -> xr.DataArray:
    """Make ``band`` of a dimension with a coordinate, which stays under its own name."""
    coordinate = values.coords[old]
    values = values.drop_vars(old).rename({old: "band"})
    return values.assign_coords({old: ("band", coordinate.values, coordinate.attrs)})


def _spectral(
    values: xr.DataArray, original_band: str
) -> tuple[np.ndarray | None, np.ndarray | None, SpectralAxis | None]:
    """Return (wavelengths, widths, another axis) of the coordinate that says where the bands are."""
    coords = values.coords
    along = {str(k): c for k, c in coords.items() if c.dims == ("band",) and c.dtype.kind in "uif" and k != "fwhm"}
    for coordinate in sorted(along.values(), key=lambda c: c.name not in (*_SPECTRAL, original_band)):
        name, unit = str(coordinate.name), str(coordinate.attrs.get("units", ""))
        centres = coordinate.values.astype(np.float64)
        axis = other_axis(centres, f"{name} {coordinate.attrs.get('long_name', '')}", unit)
        if axis is not None:
            return None, None, axis
        if name not in _SPECTRAL and not is_light_unit(unit):
            continue
        unit = unit or ("wavenumber" if name == "wavenumber" else str(values.attrs.get("wavelength_units", "")))
        widths = coords["fwhm"].values.astype(np.float64) if "fwhm" in coords else None
        if is_light_unit(unit):
            return *in_nanometres(centres, widths, unit, name), None
        if unit and unit != "1":
            warn(f"{name}: its unit {unit!r} is not known; the wavelengths are left out.")
            continue
        return *guessed_nanometres(centres, widths, name, expected="nm"), None
    return None, None, None


def _placed_by_cf(values: xr.DataArray) -> xr.DataArray:
    """Put a CRS kept in a CF grid mapping of another name where rioxarray keeps it by default."""
    reference = values.encoding.get("grid_mapping", values.attrs.get("grid_mapping"))
    if reference in (None, "spatial_ref") or reference not in values.coords:
        return values
    about = values.coords[reference].attrs
    crs = crs_of(about)
    if crs is None:
        return values
    import rioxarray  # noqa: F401  (registers the .rio accessor)

    values = values.drop_vars(reference)
    values.encoding = {k: v for k, v in values.encoding.items() if k != "grid_mapping"}
    values.attrs = {k: v for k, v in values.attrs.items() if k != "grid_mapping"}
    values = values.rio.write_crs(crs)
    if "GeoTransform" in about:
        values.coords["spatial_ref"].attrs["GeoTransform"] = about["GeoTransform"]
    return values
