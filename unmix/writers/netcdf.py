"""NetCDF: the whole result in one file, by the CF convention, to be opened again as it was."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.cf_convention import with_cf
from .commit import commit
from .facts import source_path
from .held_file import HeldFile
from .netcdf_chunks import encoded_chunk, strips_of_chunks
from .netcdf_file import NetcdfFile, attributes, dimensions, values_of
from .stored_pieces import encoded_in_turn

CHUNK = 512


@dataclass(frozen=True)
class _Written:
    """What a file must hold: attributes, small variables, and of every map its dimensions and checksums of chunks."""

    attrs: dict[Any, Any]
    small: dict[str, xr.Variable]
    maps: dict[str, tuple[tuple[str, ...], dict[Any, Any], list[int]]]


def write_netcdf(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write a result as NetCDF4; the maps are deflated in chunks that carry a checksum.

    `unmix.open_result` gives back a Dataset identical to `result`.
    """

    def fill(temporary: Path) -> _Written:
        with HeldFile(temporary) as held:
            written = _fill(held, with_cf(result.drop_encoding()))
            held.raise_error()
        return written

    return commit(path, fill, _differences, overwrite=overwrite, source=source_path(result))


def is_map(variable: xr.Variable) -> bool:
    """Return whether a variable has a number for every pixel, of the sensor or of the ground."""
    planes = (("y", "x"), ("ground_y", "ground_x"))
    return variable.dims[-2:] in planes and variable.dtype.kind in "fiu"


def _fill(held: HeldFile, result: xr.Dataset) -> _Written:
    """Write everything but the maps at once, then the maps a strip at a time while the disk takes them."""
    maps = {str(name): one for name, one in result.variables.items() if is_map(one)}
    encoded = xr.conventions.encode_dataset_coordinates(result.drop_vars(list(maps)).compute())
    variables, attrs = xr.conventions.cf_encoder(*encoded)
    small = {str(name): variable for name, variable in variables.items()}
    written = _Written(dict(attrs), small, {})
    with NetcdfFile(held, result.sizes) as file:
        file.add_attributes(attrs)
        file.add_scales(small)
        for name, variable in small.items():
            file.add_variable(name, variable)
        for name, variable in maps.items():
            stored = file.add_map(name, variable, chunk_shape(variable))
            checksums = _fill_map(stored, variable, held)
            written.maps[name] = (tuple(map(str, variable.dims)), dict(variable.attrs), checksums)
    return written


def chunk_shape(variable: xr.Variable) -> tuple[int, ...]:
    """Return the shape of the chunks of a map: square parts of one plane."""
    return tuple(min(CHUNK, size) if k >= variable.ndim - 2 else 1 for k, size in enumerate(variable.shape))


def _fill_map(stored: Any, variable: xr.Variable, held: HeldFile) -> list[int]:
    """Write one map while the disk takes it, a strip of chunks at a time; return the checksum of every chunk."""
    checksums: list[int] = []
    encode = partial(encoded_chunk, shape=stored.chunks[-2:], fill=stored.fillvalue)
    for strip in strips_of_chunks(stored):
        if held.error is not None:
            break
        top = strip[0][-2]
        values = np.asarray(variable[..., top : top + CHUNK, :].values, stored.dtype)
        parts = [values[offset[:-2]][:, offset[-1] : offset[-1] + CHUNK] for offset in strip]
        for offset, encoded in zip(strip, encoded_in_turn(encode, [parts], checksums), strict=True):
            stored.id.write_direct_chunk(offset, encoded)
    return checksums


def _differences(temporary: Path, written: _Written) -> str:
    """Re-open the file and name the attributes and variables that are not what was written."""
    import h5py

    wrong = []
    with h5py.File(temporary, "r") as file:
        if not _same_attributes(written.attrs, attributes(file)):
            wrong.append("attributes")
        for name, variable in written.small.items():
            if not _same_variable(variable, file.get(name)):
                wrong.append(name)
        for name, (dims, attrs, checksums) in written.maps.items():
            if not _same_map(dims, attrs, checksums, file.get(name)):
                wrong.append(name)
    return ", ".join(wrong)


def _same_variable(variable: xr.Variable, stored: Any) -> bool:
    if stored is None:
        return False
    attrs = {name: value for name, value in variable.attrs.items() if name != "_FillValue"}
    same = dimensions(stored) == tuple(map(str, variable.dims)) and _same_attributes(attrs, attributes(stored))
    return same and _same(variable.values, values_of(stored))


def _same_map(dims: tuple[str, ...], attrs: dict[Any, Any], checksums: list[int], stored: Any) -> bool:
    """Compare the chunks as they are stored: each carries checksums of its own besides."""
    if stored is None or dimensions(stored) != dims or not _same_attributes(attrs, attributes(stored)):
        return False
    offsets = [offset for strip in strips_of_chunks(stored) for offset in strip]
    if stored.id.get_num_chunks() != len(offsets):
        return False
    return [zlib.crc32(stored.id.read_direct_chunk(offset)[1]) for offset in offsets] == checksums


def _same_attributes(written: dict[Any, Any], found: dict[str, Any]) -> bool:
    return set(map(str, written)) == set(found) and all(_same(v, found[str(name)]) for name, v in written.items())


def _same(written: Any, found: Any) -> bool:
    """Return whether two values or arrays are equal, NaN equal to NaN; a number is an array of one."""
    written, found = np.asarray(written), np.asarray(found)
    if written.dtype.kind != "f":
        return written.size == found.size and bool((written.ravel() == found.ravel()).all())
    return written.size == found.size and np.array_equal(written.ravel(), found.ravel(), equal_nan=True)
