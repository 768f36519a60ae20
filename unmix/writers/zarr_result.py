"""Zarr: the whole result as one folder of chunks, to be opened again as it was, here or by xarray on a cluster.

Zarr format 2 with consolidated metadata, which GDAL and every xarray read. Written with zarr (extra ``zarr``).
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.cf_convention import with_cf, without_cf
from ..errors import WriteError
from .commit_folder import commit_folder
from .facts import source_path
from .netcdf import CHUNK, chunk_shape, is_map
from .zarr_codec import chunk_codec


def write_zarr(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write a result as a Zarr group; `unmix.open_result` gives back a Dataset identical to it."""
    try:
        import zarr
    except ImportError as error:
        raise WriteError(f"{path.name} needs zarr, which is not installed here: pip install 'unmix[zarr]'.") from error
    if path.exists() and not (path / ".zgroup").exists():
        raise WriteError(f"output {path} exists and is no Zarr group. Choose another name.")

    def fill(temporary: Path) -> dict[str, list[int]]:
        return _fill(temporary, with_cf(result.drop_encoding()))

    def differences(temporary: Path, checksums: dict[str, list[int]]) -> str:
        group = zarr.open_group(str(temporary), mode="r", zarr_format=2)
        with xr.open_zarr(temporary, decode_coords="all", decode_times=False, decode_timedelta=False) as found:
            return ", ".join(_different(without_cf(result), without_cf(found), group, checksums))

    return commit_folder(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _fill(folder: Path, result: xr.Dataset) -> dict[str, list[int]]:
    """Write everything but the maps through xarray, then the maps a strip at a time; return their checksums."""
    import zarr

    from .folder_store import folder_store

    maps = [name for name, one in result.variables.items() if is_map(one)]
    small = result.drop_vars(maps).compute()
    with folder_store(folder) as store:
        small.to_zarr(store, mode="a", zarr_format=2, consolidated=False)
        group = zarr.open_group(store, mode="a", zarr_format=2)
        checksums = {str(name): _write_map(group, str(name), result.variables[name]) for name in maps}
        zarr.consolidate_metadata(store, zarr_format=2)
    return checksums


def _write_map(group: Any, name: str, values: xr.Variable) -> list[int]:
    """Write one map; return the checksum of every strip."""
    fill = np.nan if values.dtype.kind == "f" else None
    array = group.create_array(
        name, shape=values.shape, chunks=chunk_shape(values), dtype=values.dtype, fill_value=fill,
        compressors=chunk_codec(), chunk_key_encoding={"name": "v2", "separator": "."},
    )  # fmt: skip
    array.attrs.update({"_ARRAY_DIMENSIONS": list(values.dims), **values.attrs})
    checksums = []
    for rows in _strips(values.shape):
        strip = np.ascontiguousarray(values[..., rows, :].values)
        array[..., rows, :] = strip
        checksums.append(zlib.crc32(strip))
    return checksums


def _checksums(stored: Any) -> list[int]:
    """Return the checksum of every strip of a stored map."""
    return [zlib.crc32(np.ascontiguousarray(stored[..., rows, :])) for rows in _strips(stored.shape)]


def _strips(shape: tuple[int, ...]) -> list[slice]:
    return [slice(top, top + CHUNK) for top in range(0, shape[-2], CHUNK)]


def _different(result: xr.Dataset, found: xr.Dataset, group: Any, checksums: dict[str, list[int]]) -> list[str]:
    """Name the attributes and variables of a stored result that are not what was written; maps by their checksums."""
    wrong = [] if set(found.attrs) == set(result.attrs) else ["attributes"]
    wrong += [key for key, value in result.attrs.items() if key in found.attrs and not _same(value, found.attrs[key])]
    for name, variable in result.variables.items():
        stored = found.variables.get(name)
        if stored is None or (stored.dims, stored.shape) != (variable.dims, variable.shape):
            same = False
        elif name in checksums:
            same = _checksums(group[name]) == checksums[str(name)]
        else:
            same = _same(variable.values, stored.values)
        wrong += [] if same else [str(name)]
    return wrong


def _same(written: Any, found: Any) -> bool:
    """Return whether two values or arrays are equal, NaN equal to NaN."""
    written, found = np.asarray(written), np.asarray(found)
    if written.dtype.kind == "f" and found.dtype.kind == "f":
        return np.array_equal(written, found, equal_nan=True)
    return np.array_equal(written, found)
