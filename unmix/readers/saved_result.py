"""A saved result (``result.nc``, ``result.zarr``) as the Dataset it was when it was written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.cf_convention import without_cf
from ..errors import DataError, ReadError
from ..result import check_result
from .hdf5_file import check_stored_here, datasets_of, opened
from .naming import one_line, shown
from .zarr_store import check_store

_AS_STORED: dict[str, Any] = {"decode_coords": "all", "decode_times": False, "decode_timedelta": False}
PLACES = ("spatial_ref", "ground_ref", "latitude", "longitude")


def open_saved(path: Path, chunks: Any) -> xr.Dataset:
    """Open a result eagerly, or lazily where `chunks` is given; the file is looked over first."""
    zarr = path.is_dir() and path.suffix.lower() == ".zarr"
    if zarr:
        check_store(path)
    else:
        _look_over(path)
    try:
        saved = xr.open_dataset(path, engine="zarr" if zarr else "h5netcdf", chunks=chunks, **_AS_STORED)
    except Exception as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    try:
        result = _as_it_was(saved if chunks is not None else saved.load())
        check_result(result)
    except DataError as error:
        saved.close()
        raise ReadError(f"{shown(path)} is not an unmix result: {one_line(error)}") from error
    except Exception as error:
        saved.close()
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    if chunks is None:
        saved.close()
    elif result is not saved:
        result.set_close(saved.close)
    return result


def open_endmembers(path: Path) -> xr.Dataset:
    """Read the endmembers of a saved result, or a file that holds nothing else."""
    _look_over(path)
    try:
        with xr.open_dataset(path, engine="h5netcdf", decode_times=False, decode_timedelta=False) as saved:
            maps = [name for name, variable in saved.variables.items() if {"y", "x"} & set(variable.dims)]
            found = _as_it_was(saved.drop_vars(maps).load())
    except Exception as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    if "endmembers" not in found or set(found["endmembers"].dims) != {"endmember", "band"}:
        raise ReadError(f"{shown(path)} holds no endmembers. Give a result.nc that unmix wrote.")
    return found


def _look_over(path: Path) -> None:
    """Refuse what is no HDF5 file or keeps its numbers elsewhere, before xarray opens it."""
    if not path.is_file():
        what = "is a folder" if path.is_dir() else f"there is no such file in {path.absolute().parent}"
        raise ReadError(f"{shown(path)}: {what}. Give the result's .nc file or .zarr folder.")
    import h5py

    with opened(path) as file:
        for name in file:
            if not isinstance(file.get(name, getlink=True), h5py.HardLink):
                raise ReadError(f"{shown(path)}: {name!r} is a link to another place, which is never followed.")
        for dataset in datasets_of(file, path).values():
            if dataset.external or dataset.is_virtual:
                check_stored_here(dataset, path)


def _as_it_was(saved: xr.Dataset) -> xr.Dataset:
    """Return a Dataset with text as fixed-width strings and flags as booleans, as results hold them."""
    saved = without_cf(saved)
    result = saved.set_coords([name for name in PLACES if name in saved.data_vars])
    for name, variable in saved.variables.items():
        if variable.dtype.kind in "OT":
            result = result.assign_coords({name: (variable.dims, variable.values.astype(np.str_), variable.attrs)})
        elif name in ("good_band", "valid") and variable.dtype != bool:
            result = result.assign_coords({name: variable.astype(bool)})
    return result
