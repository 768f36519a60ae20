"""The CF convention in files: every map names its grid mapping and its coordinates, the file the convention.

In memory a result has none of these attributes, so that what is read back is identical to what was written.
"""

from __future__ import annotations

import xarray as xr

CONVENTIONS = "CF-1.10"

_PLACES: dict[tuple[str, ...], str] = {("y", "x"): "spatial_ref", ("ground_y", "ground_x"): "ground_ref"}


def with_cf(result: xr.Dataset) -> xr.Dataset:
    """Return a result whose maps say where they lie, for a file."""
    marked = result.copy(deep=False)
    swath = " ".join(str(name) for name, one in result.coords.items() if one.dims == ("y", "x"))
    for name in result.data_vars:
        variable = result[name].variable.copy(deep=False)
        plane = tuple(str(dim) for dim in variable.dims[-2:])
        extra = {}
        if _PLACES.get(plane) in result.coords:
            extra["grid_mapping"] = _PLACES[plane]
        if plane == ("y", "x") and swath:
            extra["coordinates"] = swath
        if extra:
            variable.attrs = variable.attrs | extra
            marked[name] = variable
    marked.attrs = {**result.attrs, "Conventions": CONVENTIONS}
    return marked


def without_cf(found: xr.Dataset) -> xr.Dataset:
    """Return what was read without the attributes only files have."""
    plain = found.copy(deep=False)
    plain.attrs = {key: value for key, value in found.attrs.items() if key != "Conventions"}
    for name in plain.variables:
        attrs = plain[name].attrs
        if {"grid_mapping", "coordinates"} & set(attrs):
            plain[name].attrs = {k: v for k, v in attrs.items() if k not in ("grid_mapping", "coordinates")}
    return plain
