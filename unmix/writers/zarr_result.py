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
from .netcdf import CHUNK, different, is_map

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
            return ", ".join(different(without_cf(result), without_cf(found)))

    return commit_folder(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _fill(folder: Path, result: xr.Dataset) -> None:
    """Write everything but the maps through xarray, then the maps a strip at a time."""
    import zarr

    maps = [name for name, one in result.variables.items() if is_map(one)]
    small = result.drop_vars(maps).compute()
    small.to_zarr(folder, mode="a", zarr_format=2, consolidated=False)
    group = zarr.open_group(str(folder), mode="a", zarr_format=2)
    for name in maps:
        _write_map(group, str(name), result.variables[name])
    zarr.consolidate_metadata(str(folder), zarr_format=2)


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
