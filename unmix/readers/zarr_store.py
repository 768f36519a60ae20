"""A cube in a local Zarr store (formats 2 and 3), read chunk by chunk; and whether a store is safe to open at all.

A store is a folder of small files whose metadata names the codecs that unpack them. Only codecs that turn bytes into
bytes or numbers are allowed: others (pickle, JSON objects) would run what the file says.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.grid_mapping import crs_of, transform_of
from ..conventions.named_axes import letter_of
from ..conventions.spectral_axis import in_nanometres, other_axis
from ..errors import ReadError, warn
from .cf_place import evenly_spaced
from .describe import Description, make_image
from .limits import check_decoded_size
from .naming import one_line, shown
from .request import Request
from .stored_cube import StoredCube

_MOST_FILES, _MOST_JSON, _MOST_BANDS = 10_000, 4_000_000, 100_000
_SAFE_CODECS = {
    "blosc", "zlib", "gzip", "zstd", "lz4", "bz2", "lzma", "shuffle", "delta", "fixedscaleoffset", "bitround",
    "quantize",
    "bytes", "transpose", "crc32c", "crc32", "adler32", "fletcher32", "sharding_indexed", "astype", "packbits",
    "vlen-utf8", "scale_offset", "cast_value",
}  # fmt: skip


class ZarrCube(StoredCube):
    """An array of a store as (y, x, band)."""

    def stored(self, window: tuple[Any, ...]) -> np.ndarray:
        return np.asarray(_opened(Path(self.path))[self.name][window])


def read(path: Path, request: Request) -> xr.DataArray:
    """Return the cube of a store."""
    check_store(path)
    arrays = dict(_arrays(_opened(path), path))
    name = _chosen(arrays, request.key, path)
    array = arrays[name]
    dims = _dims(array)
    axes = _axes(array, dims, path)
    check_decoded_size(path, array.chunks, np.dtype(array.dtype), f"one chunk of {name!r}")
    grain = (min(array.chunks[axes[0]], array.shape[axes[0]]), min(array.chunks[axes[1]], array.shape[axes[1]]))
    raw = ZarrCube(str(path), name, np.dtype(array.dtype), tuple(array.shape), axes, grain)
    return make_image(path, raw, _described(arrays, name, dims, axes, path), request)


def check_store(path: Path) -> None:
    """Raise `ReadError` where a store's metadata is damaged or names a codec that is not known to be safe."""
    count = 0
    for file in _metadata_files(path):
        count += 1
        if count > _MOST_FILES or file.stat().st_size > _MOST_JSON * 25:
            raise ReadError(f"{shown(path)} has too much metadata to look over.")
        try:
            told = json.loads(file.read_bytes())
        except (ValueError, RecursionError) as error:
            raise ReadError(f"{shown(path)}: {file.name} is damaged: {one_line(error)}") from error
        for codec in _codecs(told):
            if codec.removeprefix("numcodecs.") not in _SAFE_CODECS:
                raise ReadError(f"{shown(path)}: the codec {codec[:40]!r} is not known to be safe, and is never run.")
    if count == 0:
        raise ReadError(f"{shown(path)} is a folder without a Zarr array or group. Give one file in it.")


def _metadata_files(path: Path) -> Iterator[Path]:
    for name in ("zarr.json", ".zgroup", ".zarray", ".zmetadata", ".zattrs"):
        yield from sorted(path.rglob(name))


def _codecs(told: Any, below: bool = False) -> Iterator[str]:
    """Yield the name of every codec in the metadata of a store, nested ones too."""
    if isinstance(told, dict):
        for key, value in told.items():
            if key in ("filters", "compressor", "compressors", "codecs", "index_codecs", "serializer"):
                yield from _codecs(value, True)
            elif below and key in ("id", "name") and isinstance(value, str):
                yield value
            elif isinstance(value, (dict, list)):
                yield from _codecs(value, below and key == "configuration")
    elif isinstance(told, list):
        for item in told:
            yield from _codecs(item, below)


def _opened(path: Path) -> Any:
    try:
        import zarr
    except ImportError as error:
        raise ReadError(f"{shown(path)} needs zarr, which is not installed here: pip install 'unmix[zarr]'.") from error
    try:
        found = zarr.open(str(path), mode="r")
    except Exception as error:
        raise ReadError(f"{shown(path)} is damaged or no Zarr store: {one_line(error)}") from error
    return found if hasattr(found, "members") else {"": found}


def _arrays(group: Any, path: Path) -> Iterator[tuple[str, Any]]:
    if isinstance(group, dict):
        yield from group.items()
        return
    for name, member in group.members(max_depth=8):
        if hasattr(member, "chunks") and np.dtype(member.dtype).kind in "uifb":
            yield name, member


def _chosen(arrays: dict[str, Any], key: str | None, path: Path) -> str:
    """Return the array asked for, else the only one with three axes longer than 1."""
    listed = ", ".join(f"{n or 'the array'} {' x '.join(map(str, a.shape))}" for n, a in list(arrays.items())[:12])
    if key is not None:
        if key.strip("/") not in arrays:
            raise ReadError(f"{shown(path)} holds no array of numbers {key!r}. It has {listed or 'nothing'}.")
        return key.strip("/")
    if "abundances" in arrays and "endmembers" in arrays:
        raise ReadError(f"{shown(path)} is an unmix result, not an image. Open it by unmix.open_result.")
    cubes = [n for n, a in arrays.items() if sum(size > 1 for size in a.shape) == 3 and np.dtype(a.dtype).kind in "uif"]
    if len(cubes) != 1:
        what = "no array" if not cubes else "several arrays"
        raise ReadError(f"{shown(path)} has {what} with three axes: choose one by key=. It has {listed or 'nothing'}.")
    return cubes[0]


def _dims(array: Any) -> list[str]:
    """Return the names of an array's dimensions, empty where they have none."""
    names = getattr(array.metadata, "dimension_names", None) or array.attrs.get("_ARRAY_DIMENSIONS") or ()
    names = [str(name or "") for name in names] if isinstance(names, (list, tuple)) else []
    return names if len(names) == array.ndim else [""] * array.ndim


def _axes(array: Any, dims: list[str], path: Path) -> tuple[int, int, int]:
    """Return the array's axes that hold y, x and band; without names the last is taken for the bands, aloud."""
    long = [axis for axis, size in enumerate(array.shape) if size > 1]
    long = long if len(long) == 3 else list(range(array.ndim))[-3:]
    if len(long) != 3:
        raise ReadError(f"{shown(path)}: an image has three axes; this array has {array.ndim}.")
    letters = {axis: letter_of(dims[axis]) for axis in long}
    left = [axis for axis in long if not letters[axis]]
    if len(left) == 1 and "b" not in letters.values():
        letters[left[0]] = "b"
    if sorted(letters.values()) == ["b", "x", "y"]:
        y, x, b = (next(axis for axis in long if letters[axis] == letter) for letter in "yxb")
        return y, x, b
    warn(
        f"{shown(path)} does not say which axis holds the bands; the last one, of length {array.shape[long[-1]]}, is "
        "taken."
    )
    return long[0], long[1], long[2]


def _described(
    arrays: dict[str, Any], name: str, dims: list[str], axes: tuple[int, int, int], path: Path
) -> Description:
    """Return scale, wavelengths and place of an array: its attributes, and the arrays named after its dimensions."""
    array, group = arrays[name], name.rpartition("/")[0]
    attrs = dict(array.attrs)
    nodata = _number(attrs, "_FillValue")
    if nodata is None and "_ARRAY_DIMENSIONS" in attrs and array.fill_value is not None:
        nodata = float(array.fill_value)  # where xarray keeps it in format 2
    described = Description(scale=_number(attrs, "scale_factor"), offset=_number(attrs, "add_offset"), nodata=nodata)
    vectors = [_vector(arrays, f"{group}/{dims[axis]}".strip("/"), array.shape[axis]) for axis in axes]
    for key in (f"{group}/{n}".strip("/") for n in (dims[axes[2]], "wavelength", "wavelengths")):
        values, unit = _vector(arrays, key, array.shape[axes[2]])
        if values is None or not (values > 0).all():
            continue
        described.spectral_axis = other_axis(values, key, unit)
        if described.spectral_axis is None and (unit or "wavelength" in key):
            widths, _ = _vector(arrays, f"{group}/fwhm".strip("/"), array.shape[axes[2]])
            described.wavelengths, described.fwhm = in_nanometres(values, widths, unit, shown(path))
        break
    mapping = arrays.get(f"{group}/{attrs.get('grid_mapping', 'spatial_ref')}".strip("/"))
    about = {} if mapping is None else dict(mapping.attrs)
    described.crs = crs_of(about)
    (y, _), (x, _) = vectors[:2]
    if described.crs is not None:
        described.transform = evenly_spaced(y, x) if y is not None and x is not None else None
        described.transform = described.transform or transform_of(about)
        described.crs = described.crs if described.transform is not None else None
    return described


def _vector(arrays: dict[str, Any], name: str, size: int) -> tuple[np.ndarray | None, str]:
    """Return an array of one number a place of an axis, and its unit."""
    array = arrays.get(name)
    if array is None or tuple(array.shape) != (size,) or size > _MOST_BANDS:
        return None, ""
    return np.asarray(array[:], np.float64), str(array.attrs.get("units", ""))


def _number(attrs: dict[str, Any], name: str) -> float | None:
    value = attrs.get(name)
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None
