"""Zarr: the whole result as one folder of chunks, to be opened again as it was, here or by xarray on a cluster.

Zarr format 2 with consolidated metadata, which GDAL and every xarray read. Written with zarr (extra ``zarr``).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.cf_convention import with_cf, without_cf
from ..errors import WriteError
from .commit_folder import commit_folder
from .facts import source_path
from .netcdf import CHUNK, is_map

_CODEC = {"id": "zlib", "level": 4}


def write_zarr(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write a result as a Zarr group; `unmix.open_result` gives back a Dataset identical to it."""
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise WriteError(f"{path.name} needs zarr, which is not installed here: pip install 'unmix[zarr]'.") from error
    if path.exists() and not (path / ".zgroup").exists():
        raise WriteError(f"output {path} exists and is no Zarr group. Choose another name.")

    def fill(temporary: Path) -> None:
        _fill(temporary, with_cf(result.drop_encoding()))

    def differences(temporary: Path, _: None) -> str:
        with xr.open_zarr(temporary, decode_coords="all", decode_times=False, decode_timedelta=False) as found:
            return ", ".join(_different(without_cf(result), without_cf(found)))

    return commit_folder(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _fill(folder: Path, result: xr.Dataset) -> None:
    """Write everything but the maps through xarray, then the maps a strip at a time."""
    import zarr

    from .folder_store import folder_store

    maps = [name for name, one in result.variables.items() if is_map(one)]
    small = result.drop_vars(maps).compute()
    with folder_store(folder) as store:
        small.to_zarr(store, mode="a", zarr_format=2, consolidated=False)
        group = zarr.open_group(store, mode="a", zarr_format=2)
        for name in maps:
            _write_map(group, str(name), result.variables[name])
        zarr.consolidate_metadata(store, zarr_format=2)


def _write_map(group: Any, name: str, values: xr.Variable) -> None:
    import numcodecs

    chunks = tuple(min(CHUNK, size) if k >= values.ndim - 2 else 1 for k, size in enumerate(values.shape))
    fill = np.nan if values.dtype.kind == "f" else None
    array = group.create_array(
        name, shape=values.shape, chunks=chunks, dtype=values.dtype, fill_value=fill,
        compressors=numcodecs.get_codec(_CODEC), chunk_key_encoding={"name": "v2", "separator": "."},
    )  # fmt: skip
    array.attrs.update({"_ARRAY_DIMENSIONS": list(values.dims), **values.attrs})
    for top in range(0, values.shape[-2], CHUNK):
        rows = slice(top, top + CHUNK)
        array[..., rows, :] = values[..., rows, :].values


def _different(result: xr.Dataset, found: xr.Dataset) -> list[str]:
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
