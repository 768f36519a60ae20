"""NumPy files: ``.npy`` cubes (y, x, band) read in parts, and one array of an ``.npz`` with its companions.

Pickled objects are never loaded. The shape a header declares is compared with the bytes that are there before any
memory is taken. In an ``.npz`` the arrays ``scale`` (values are divided by it), ``wavelengths`` (nm), ``fwhm`` (nm),
``bbl`` (1 good, 0 bad) and ``band_names`` describe the cube.
"""

from __future__ import annotations

import math
import warnings
import zipfile
import zlib
from pathlib import Path
from typing import IO, Any

import numpy as np
import xarray as xr

from ..errors import ReadError
from .companions import describe_by
from .describe import make_image
from .limits import check_decoded_size
from .naming import one_line, shown
from .raw_file import RawFile
from .request import Request
from .window import Decoded

_NAMES = ("Y", "cube", "data")
_ABUNDANCES = "A"
_MAX_MEMBERS = 10_000
_COMPANION_BYTES = 16_000_000


def read(path: Path, request: Request) -> xr.DataArray:
    """Return the cube of a ``.npy`` or ``.npz`` file."""
    with path.open("rb") as file:
        is_npy = file.read(6) == b"\x93NUMPY"
    return _read_npy(path, request) if is_npy else _read_npz(path, request)


def _read_npy(path: Path, request: Request) -> xr.DataArray:
    with path.open("rb") as file:
        shape, fortran, dtype = _npy_header(file, shown(path))
        offset = file.tell()
    _check_cube(shown(path), shape, dtype)
    expected, found = offset + math.prod(shape) * dtype.itemsize, path.stat().st_size
    if expected != found:
        raise ReadError(
            f"{shown(path)}: expected {expected} bytes (shape {shape}, {dtype}), found {found}: it is damaged "
            "or cut short."
        )
    y, x, b = shape
    raw = RawFile.cube(path, offset, dtype, (y, x, b), "bxy" if fortran else "yxb")
    return make_image(path, raw, describe_by({}, b, shown(path)), request)


def _read_npz(path: Path, request: Request) -> xr.DataArray:
    try:
        with zipfile.ZipFile(path) as archive:
            headers = _headers(archive, path)
            key = _chosen(headers, request.key, path)
            shape, dtype = headers[key]
            _check_cube(f"{shown(path)}, array {key!r}", shape, dtype)
            check_decoded_size(path, shape, dtype, f"array {key!r}")
            companions = {
                name: _array(archive, name)
                for name, (size, kind) in headers.items()
                if name != key and kind.kind in "uifbU" and math.prod(size) * kind.itemsize <= _COMPANION_BYTES
                and len(size) <= 2
            }  # fmt: skip
            values = _array(archive, key)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReadError(f"{shown(path)} is damaged or not an .npz file: {one_line(error)}") from error
    described = describe_by(companions, shape[2], shown(path))
    return make_image(path, Decoded(str(path), values), described, request)


def _headers(archive: zipfile.ZipFile, path: Path) -> dict[str, tuple[tuple[int, ...], np.dtype]]:
    """Return shape and type of every array, checked against the size of its member; nothing is unpacked."""
    headers: dict[str, tuple[tuple[int, ...], np.dtype]] = {}
    members = [info for info in archive.infolist() if info.filename.endswith(".npy")]
    if not members or len(members) > _MAX_MEMBERS:
        raise ReadError(
            f"{shown(path)} is a zip file with {len(members)} NumPy arrays; an .npz has 1 to {_MAX_MEMBERS}."
        )
    for info in members:
        name = info.filename.removesuffix(".npy")
        if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
            raise ReadError(f"{shown(path)}, array {name!r}: this kind of zip compression is not read.")
        with archive.open(info) as file:
            try:
                shape, _, dtype = _npy_header(file, f"{shown(path)}, array {name!r}")
            except ReadError:
                if name in _NAMES or len(members) == 1:
                    raise
                continue
            expected = file.tell() + math.prod(shape) * dtype.itemsize
        if expected != info.file_size:
            raise ReadError(
                f"{shown(path)}, array {name!r}: expected {expected} bytes (shape {shape}, {dtype}), "
                f"found {info.file_size}."
            )
        headers[name] = shape, dtype
    return headers


def _chosen(headers: dict[str, tuple[tuple[int, ...], np.dtype]], key: str | None, path: Path) -> str:
    """Return the array asked for, else Y, cube or data, else the only one with three axes."""
    cubes = [name for name, (shape, dtype) in headers.items() if len(shape) == 3 and dtype.kind in "uif"]
    images = [name for name in cubes if name != _ABUNDANCES]
    if key is not None:
        if key not in headers:
            raise ReadError(f"{shown(path)} has no array {key!r} of plain numbers. It has {_listed(headers)}.")
        return key
    usual = [name for name in _NAMES if name in cubes]
    if usual or len(images) == 1:
        return (usual or images)[0]
    if not images:
        raise ReadError(
            f"{shown(path)} has no image, an array with three axes (y, x, band). It has {_listed(headers)}."
        )
    raise ReadError(f"{shown(path)} has several arrays with three axes: choose one by key=. It has {_listed(headers)}.")


def _array(archive: zipfile.ZipFile, name: str) -> np.ndarray:
    with archive.open(f"{name}.npy") as file:
        return np.lib.format.read_array(file, allow_pickle=False)


def _npy_header(file: IO[bytes], name: str) -> tuple[tuple[int, ...], bool, np.dtype]:
    """Return (shape, Fortran order, type) of a ``.npy`` stream; leave it at the first number."""
    readers = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        version = np.lib.format.read_magic(file)
        if version not in readers:
            raise ReadError(f"{name}: .npy version {version[0]}.{version[1]} is not read.")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            shape, fortran, dtype = readers[version](file)
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError, EOFError) as error:
        raise ReadError(f"{name}: the header is damaged: {one_line(error)}") from error
    if dtype.hasobject:
        raise ReadError(f"{name} holds pickled Python objects, which are never loaded: they can run code.")
    if any(size < 0 for size in shape):
        raise ReadError(f"{name}: the header declares the shape {shape}.")
    return tuple(int(size) for size in shape), bool(fortran), dtype


def _check_cube(name: str, shape: tuple[int, ...], dtype: np.dtype) -> None:
    if dtype.kind not in "uif" or dtype.names is not None or dtype.itemsize > 8:
        raise ReadError(f"{name} holds {dtype}; an image holds real numbers of up to 64 bits.")
    if len(shape) != 3 or 0 in shape:
        raise ReadError(f"{name} has shape {shape}; an image has three axes (y, x, band), none of them empty.")


def _listed(headers: dict[str, Any]) -> str:
    items = [f"{name} {' x '.join(map(str, shape)) or 'number'}" for name, (shape, _) in headers.items()]
    return ", ".join(items[:12]) + (", ..." if len(items) > 12 else "")
