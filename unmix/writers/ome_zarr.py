"""OME-Zarr (NGFF 0.4, Zarr format 2): abundance maps as a pyramid of chunks, for viewers and for work in parallel.

Concentrations of stains are float16, everything else float32; NaN where invalid. A level is the mean of the valid ones
of 2 x 2 pixels of the level before. Written with zarr alone (extra ``zarr``).
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import WriteError
from .commit_folder import commit_folder
from .facts import colours, is_stained, labels, lasting_provenance, pixel_size_um, source_name, source_path
from .reduced import block_mean

_CHUNK, _WINDOW = 512, (1024, 4096)
_SMALLEST = 1024


def write_ome_zarr(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the abundance maps as an OME-Zarr folder: one channel an endmember, levels ``0``, ``1`` and so on.

    The group's attributes hold the axes, the pixel size of every level, names and colours of the channels, and the
    provenance under ``unmix``.
    """
    try:
        import zarr  # noqa: F401
    except ImportError as error:
        raise WriteError(f"{path.name} needs zarr, which is not installed here: pip install 'unmix[zarr]'.") from error
    if path.exists() and not (path / ".zgroup").exists():
        raise WriteError(f"output {path} exists and is no Zarr group. Choose another name.")
    maps = result["abundances"]
    dtype = np.dtype(np.float16 if is_stained(result) else np.float32)

    def fill(temporary: Path) -> list[int]:
        from .folder_store import folder_store

        with folder_store(temporary) as store:
            return _fill(store, result, dtype)

    def differences(temporary: Path, checksums: list[int]) -> str:
        return _differences(temporary, maps.shape, labels(result), checksums)

    return commit_folder(path, fill, differences, overwrite=overwrite, source=source_path(result))


def _fill(store: Any, result: xr.Dataset, dtype: np.dtype) -> list[int]:
    """Write every level; return the checksum of every window of the first."""
    import zarr
    from numcodecs import Blosc

    group = zarr.open_group(store, mode="a", zarr_format=2)
    values: Any = result["abundances"]
    level, checksums = 0, []
    while True:
        array = group.create_array(
            str(level), shape=values.shape, chunks=(1, _CHUNK, _CHUNK), dtype=dtype, fill_value=0,
            compressors=Blosc(cname="zstd", clevel=3, shuffle=Blosc.SHUFFLE),
            chunk_key_encoding={"name": "v2", "separator": "/"},
        )  # fmt: skip
        for rows, columns in _windows(values.shape):
            part = np.asarray(values[:, rows, columns]).astype(dtype)
            for k, one in enumerate(part):
                array[k, rows, columns] = one
            if level == 0:
                checksums.append(zlib.crc32(np.ascontiguousarray(part)))
        if max(array.shape[1:]) <= _SMALLEST:
            break
        values, level = _Halved(array), level + 1
    group.attrs.update(_attributes(result, level + 1))
    return checksums


class _Halved:
    """The means over 2 x 2 pixels of a stored level, computed for the window asked for."""

    def __init__(self, array: Any) -> None:
        self._array = array
        n_maps, height, width = array.shape
        self.shape = (n_maps, -(-height // 2), -(-width // 2))

    def __getitem__(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        maps, rows, columns = window
        inside = slice(2 * rows.start, 2 * rows.stop), slice(2 * columns.start, 2 * columns.stop)
        below = np.asarray(self._array[maps, *inside], np.float32)
        return block_mean(xr.DataArray(below, dims=("endmember", "y", "x")), 2)


def _windows(shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """Return windows of whole chunks; all maps of one are read together."""
    rows, columns = (
        [slice(first, min(first + step, size)) for first in range(0, size, step)]
        for size, step in zip(shape[1:], _WINDOW, strict=True)
    )
    return [(down, across) for down in rows for across in columns]


def _attributes(result: xr.Dataset, n_levels: int) -> dict[str, Any]:
    """Return the NGFF metadata: axes, the place of every level, channels; and the provenance."""
    size = pixel_size_um(result)
    unit = {} if size is None else {"unit": "micrometer"}
    down, across = size or (1.0, 1.0)
    datasets = []
    for level in range(n_levels):
        step = 2**level
        moved = [0.0, (step - 1) / 2 * down, (step - 1) / 2 * across]
        transforms = [
            {"type": "scale", "scale": [1.0, step * down, step * across]},
            {"type": "translation", "translation": moved},
        ]
        datasets.append({"path": str(level), "coordinateTransformations": transforms})
    axes = [{"name": "c", "type": "channel"}, *({"name": axis, "type": "space", **unit} for axis in "yx")]
    name = source_name(result) or "abundances"
    scales = {"version": "0.4", "name": name, "axes": axes, "datasets": datasets, "type": "mean"}
    return {
        "multiscales": [scales],
        "omero": {"version": "0.4", "name": name, "channels": _channels(result)},
        "unmix": {"provenance": lasting_provenance(result), "quantity": str(result.attrs.get("quantity"))},
    }


def _channels(result: xr.Dataset) -> list[dict[str, Any]]:
    top = 2.0 if is_stained(result) else 1.0
    window = {"min": 0.0, "max": 4 * top, "start": 0.0, "end": top}
    hues = np.rint(255 * colours(result)).astype(int)
    return [
        {"label": label, "color": "".join(f"{part:02X}" for part in hue), "active": True, "window": window}
        for label, hue in zip(labels(result), hues.tolist(), strict=True)
    ]


def _differences(temporary: Path, shape: tuple[int, ...], names: list[str], checksums: list[int]) -> str:
    """Re-open the group and say which of shape, names and values is not what was written."""
    import zarr

    group = zarr.open_group(str(temporary), mode="r", zarr_format=2)
    array: Any = group["0"]
    if tuple(array.shape) != tuple(shape):
        return "shape"
    told: Any = group.attrs["omero"]
    if [channel["label"] for channel in told["channels"]] != names:
        return "names"
    found = [zlib.crc32(np.ascontiguousarray(array[:, rows, columns])) for rows, columns in _windows(shape)]
    return "" if found == checksums else "values"
