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
_BLOCK_BYTES = 1 << 17


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
    """Write every level, each second one from what is in memory of the one before; return checksums of the first."""
    import zarr

    group = zarr.open_group(store, mode="a", zarr_format=2)
    values: Any = result["abundances"]
    levels: list[Any] = []
    checksums: list[list[int]] = []
    while not levels or max(levels[-1].shape[1:]) > _SMALLEST:
        full = _new_level(group, len(levels), values.shape, dtype)
        half = None
        if max(full.shape[1:]) > _SMALLEST:
            half = _new_level(group, len(levels) + 1, _half_shape(full.shape), dtype)
        checksums.append([_fill_window(full, half, values, window) for window in _windows(full.shape)])
        levels += [full] if half is None else [full, half]
        values = _Halved(levels[-1])
    group.attrs.update(_attributes(result, len(levels)))
    return checksums[0]


def _new_level(group: Any, level: int, shape: tuple[int, ...], dtype: np.dtype) -> Any:
    from numcodecs import Blosc

    return group.create_array(
        str(level), shape=shape, chunks=(1, _CHUNK, _CHUNK), dtype=dtype, fill_value=0,
        compressors=Blosc(cname="zstd", clevel=1, shuffle=Blosc.SHUFFLE, blocksize=_BLOCK_BYTES),
        chunk_key_encoding={"name": "v2", "separator": "/"},
    )  # fmt: skip


def _fill_window(full: Any, half: Any, values: Any, window: tuple[slice, slice]) -> int:
    """Write a window of a level, and its means where a level of half its size follows; return its checksum."""
    part = np.ascontiguousarray(values[:, *window], full.dtype)
    full[:, *window] = part
    if half is not None:
        half[:, *(slice(one.start // 2, -(-one.stop // 2)) for one in window)] = _halved(part)
    return zlib.crc32(part)


def _half_shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    return (shape[0], -(-shape[1] // 2), -(-shape[2] // 2))


def _halved(part: np.ndarray) -> np.ndarray:
    """Return the means over 2 x 2 pixels of maps in memory, float32."""
    return block_mean(xr.DataArray(part, dims=("endmember", "y", "x")), 2)


class _Halved:
    """The means over 2 x 2 pixels of a stored level, computed for the window asked for."""

    def __init__(self, array: Any) -> None:
        self._array = array
        self.shape = _half_shape(array.shape)

    def __getitem__(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        maps, rows, columns = window
        return _halved(self._array[maps, 2 * rows.start : 2 * rows.stop, 2 * columns.start : 2 * columns.stop])


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
