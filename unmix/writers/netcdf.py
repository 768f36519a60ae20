"""NetCDF: the whole result in one file, by the CF convention, to be opened again as it was."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.cf_convention import with_cf, without_cf
from .commit import commit
from .facts import source_path
from .held_file import HeldFile

CHUNK = 512


def write_netcdf(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write a result as NetCDF4; the maps are deflated in chunks that carry a checksum.

    `unmix.open_result` gives back a Dataset identical to `result`.
    """

    def fill(temporary: Path) -> None:
        with HeldFile(temporary) as held:
            _fill(held, with_cf(result.drop_encoding()))
            held.raise_error()

    def differences(temporary: Path, _: None) -> str:
        options: dict[str, Any] = {"decode_coords": "all", "decode_times": False, "decode_timedelta": False}
        with xr.open_dataset(temporary, engine="h5netcdf", **options) as found:
            return ", ".join(different(without_cf(result), without_cf(found)))

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _fill(held: HeldFile, result: xr.Dataset) -> None:
    """Write everything but the maps through xarray, then the maps a strip at a time."""
    import h5netcdf

    maps = [name for name, one in result.variables.items() if is_map(one)]
    with h5netcdf.File(held, "w") as file:
        result.drop_vars(maps).compute().dump_to_store(xr.backends.H5NetCDFStore(file))
        for name in maps:
            if not _write_map(file, str(name), result.variables[name], held):
                return


def _write_map(file: Any, name: str, values: xr.Variable, held: HeldFile) -> bool:
    """Write one map in deflated chunks that carry a checksum; return whether the disk took it."""
    for dim, size in values.sizes.items():
        if dim not in file.dimensions:
            file.dimensions[dim] = size
    chunks = tuple(min(CHUNK, size) if k >= values.ndim - 2 else 1 for k, size in enumerate(values.shape))
    storage = {"compression": "gzip", "compression_opts": 4, "shuffle": True, "fletcher32": True, "chunks": chunks}
    fill_value = values.dtype.type(np.nan) if values.dtype.kind == "f" else None
    stored = file.create_variable(name, values.dims, values.dtype, fillvalue=fill_value, **storage)
    stored.attrs.update(values.attrs)
    for top in range(0, values.shape[-2], CHUNK):
        rows = slice(top, top + CHUNK)
        stored[..., rows, :] = values[..., rows, :].values
        if held.error is not None:
            return False
    return True


def is_map(variable: xr.Variable) -> bool:
    """Return whether a variable has a number for every pixel, of the sensor or of the ground."""
    planes = (("y", "x"), ("ground_y", "ground_x"))
    return variable.dims[-2:] in planes and variable.dtype.kind in "fiu"


def different(result: xr.Dataset, found: xr.Dataset) -> list[str]:
    """Name the attributes and variables of a stored result that are not what was written."""
    wrong = [] if set(found.attrs) == set(result.attrs) else ["attributes"]
    wrong += [key for key, value in result.attrs.items() if key in found.attrs and not _same(value, found.attrs[key])]
    for name, variable in result.variables.items():
        if name not in found.variables or found[name].dims != variable.dims or not _equal(variable, found[name]):
            wrong.append(str(name))
    return wrong


def _equal(written: xr.Variable, found: xr.DataArray) -> bool:
    """Return whether a variable holds the same values, compared a strip of its first long axis at a time."""
    if found.shape != written.shape:
        return False
    if "y" not in written.dims:
        return _same(written.values, found.values)
    spans = [{"y": slice(top, top + CHUNK)} for top in range(0, written.sizes["y"], CHUNK)]
    return all(_same(written.isel(span).values, found.isel(span).values) for span in spans)


def _same(written: Any, found: Any) -> bool:
    """Return whether two values or arrays are equal, NaN equal to NaN."""
    written, found = np.asarray(written), np.asarray(found)
    if written.dtype.kind == "f" and found.dtype.kind == "f":
        return np.array_equal(written, found, equal_nan=True)
    return np.array_equal(written, found)
