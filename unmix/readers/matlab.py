"""MATLAB files, version 5 (decoded whole) and 7.3 (HDF5, lazy): scenes H x W x B and the benchmarks' B x N matrices.

In a B x N matrix pixels run down the columns of the scene, MATLAB's order. Its height and width are ``nRow`` and
``nCol`` where these are in the file, else the scene is square. Other arrays (``maxValue``, ...) are never applied.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ReadError
from .companions import describe_by
from .describe import make_image
from .hdf5_file import Hdf5Cube, datasets_of, opened, plain_array
from .limits import check_decoded_size
from .naming import one_line, shown
from .request import Request
from .window import Decoded

_NAMES = ("Y", "V")
_CLASSES = {
    "double": "f8", "single": "f4", "int8": "i1", "uint8": "u1", "int16": "i2", "uint16": "u2", "int32": "i4",
    "uint32": "u4", "int64": "i8", "uint64": "u8",
}  # fmt: skip
_COMPANIONS = ("nRow", "nCol", "wavelengths", "wavelength", "fwhm", "bbl")
_COMPANION_SIZE = 100_000

Shapes = dict[str, tuple[tuple[int, ...], np.dtype]]


def read(path: Path, request: Request) -> xr.DataArray:
    """Return a scene of a MATLAB file."""
    with path.open("rb") as file:
        is_hdf5 = file.read(10) == b"MATLAB 7.3"
    return _read_73(path, request) if is_hdf5 else _read_5(path, request)


def _read_5(path: Path, request: Request) -> xr.DataArray:
    from scipy.io import whosmat

    try:
        listed = whosmat(str(path))
    except Exception as error:  # scipy lets many kinds through on damaged files
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    shapes: Shapes = {
        name: (tuple(int(n) for n in shape), np.dtype(_CLASSES[kind]))
        for name, shape, kind in listed
        if kind in _CLASSES
    }
    key = _chosen(shapes, request.key, path)
    shape, dtype = shapes[key]
    check_decoded_size(path, shape, dtype, f"array {key!r}")
    small = [name for name in _COMPANIONS if name in shapes and math.prod(shapes[name][0]) <= _COMPANION_SIZE]
    arrays = _load_5(path, [key, *(name for name in small if name != key)], shapes)
    matrix = arrays.pop(key)
    cube = matrix if matrix.ndim == 3 else _unrolled(matrix, arrays, path, key)
    described = describe_by(arrays, cube.shape[2], shown(path))
    return make_image(path, Decoded(str(path), np.ascontiguousarray(cube)), described, request)


def _load_5(path: Path, names: list[str], shapes: Shapes) -> dict[str, np.ndarray]:
    """Return plain numeric arrays by name; anything else in the file is not touched."""
    from scipy.io import loadmat

    try:
        content = loadmat(str(path), variable_names=names, struct_as_record=True, squeeze_me=False)
    except Exception as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    arrays = {}
    for name in names:
        value = content.get(name)
        if not isinstance(value, np.ndarray) or value.dtype.kind not in "uif" or value.shape != shapes[name][0]:
            raise ReadError(f"{shown(path)}, array {name!r} is not what its header says: damaged or complex.")
        arrays[name] = value
    return arrays


def _read_73(path: Path, request: Request) -> xr.DataArray:
    with opened(path) as file:
        found = {name: dataset for name, dataset in datasets_of(file, path).items() if "/" not in name}
        shapes: Shapes = {
            name: (tuple(int(n) for n in dataset.shape[::-1]), dataset.dtype)
            for name, dataset in found.items()
            if dataset.dtype.kind in "uif" and "MATLAB_empty" not in dataset.attrs
        }
        key = _chosen(shapes, request.key, path)
        arrays = {
            name: plain_array(found[name], path).T
            for name in _COMPANIONS
            if name in shapes and math.prod(shapes[name][0]) <= _COMPANION_SIZE
        }
        if len(shapes[key][0]) == 3:
            raw: Any = Hdf5Cube.of(found[key], path, axes=(2, 1, 0))
        else:
            check_decoded_size(path, *shapes[key], f"array {key!r}")
            raw = Decoded(str(path), _unrolled(plain_array(found[key], path).T, arrays, path, key))
    return make_image(path, raw, describe_by(arrays, raw.shape[2], shown(path)), request)


def _chosen(shapes: Shapes, key: str | None, path: Path) -> str:
    """Return the array asked for, else Y or V, else the only one with three axes."""
    usable = {name: shape for name, (shape, _) in shapes.items() if len(shape) in (2, 3) and min(shape) > 0}
    candidates = ", ".join(f"{name} {' x '.join(map(str, s))}" for name, s in usable.items() if max(s) > 1) or "nothing"
    if key is not None:
        if key not in usable:
            raise ReadError(f"{shown(path)} has no numeric array {key!r} of 2 or 3 axes. It has {candidates}.")
        return key
    cubes = [name for name, shape in usable.items() if len(shape) == 3]
    usual = [name for name in _NAMES if name in usable and min(usable[name]) > 1]
    if usual or len(cubes) == 1:
        return (usual or cubes)[0]
    raise ReadError(f"{shown(path)}: which array is the image? Choose one by key=. It has {candidates}.")


def _unrolled(matrix: np.ndarray, arrays: Mapping[str, np.ndarray], path: Path, key: str) -> np.ndarray:
    """Return a B x N (or N x B) matrix of column-major pixels as a scene (y, x, band)."""
    height, width = (_one(arrays, name) for name in ("nRow", "nCol"))
    if height is None or width is None:
        height = width = math.isqrt(matrix.shape[1])
        if height * width != matrix.shape[1] or matrix.shape[0] >= matrix.shape[1]:
            raise ReadError(
                f"{shown(path)}, array {key!r} is {matrix.shape[0]} x {matrix.shape[1]}: without nRow and nCol it must "
                "be bands x pixels of a square scene. Reshape it to (y, x, band) and save it as .npy."
            )
    if height * width not in matrix.shape:
        raise ReadError(
            f"{shown(path)}, array {key!r} is {matrix.shape[0]} x {matrix.shape[1]}, not {height} x {width} pixels."
        )
    by_band = matrix if matrix.shape[1] == height * width else matrix.T
    return by_band.reshape(by_band.shape[0], width, height).transpose(2, 1, 0)


def _one(arrays: Mapping[str, np.ndarray], name: str) -> int | None:
    value = arrays.get(name)
    if value is None or value.size != 1 or not np.isfinite(value).all() or value.flat[0] < 1:
        return None
    return int(value.flat[0])
