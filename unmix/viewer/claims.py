"""Which files napari is told that unmix opens: by the ending of their name, and then by what they begin with."""

from __future__ import annotations

import re
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

_HDF5 = b"\x89HDF\r\n\x1a\n"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
STARTS = {
    ".hdr": (b"ENVI",),
    ".npz": (b"PK\x03\x04",),
    ".mat": (b"MATLAB 5.0", b"MATLAB 7.3", _HDF5),
    ".nc": (_HDF5,),
    ".he5": (_HDF5,),
    ".h5": (_HDF5,),
    ".hspy": (_HDF5,),
    ".lsm": _TIFF,
    ".svs": _TIFF,
    ".ndpi": _TIFF,
    ".mrxs": (b"\xff\xd8\xff",),
    ".svslide": (b"SQLite format 3\0",),
    ".imzml": (b"<?xml", b"<mzML"),
    ".xml": (b"<",),
    ".txt": (b"",),
}
"""First bytes of the files unmix claims, by the ending of their name."""

FOLDER = ".zarr"
"""Ending of the folders unmix claims."""

_HEAD = 4096
_CONTAINERS = (".nc", ".he5", ".h5", ".hspy")
_RESULT_VARIABLES = ("abundances", "endmembers", "residual")
_PRODUCT = re.compile(rb"<(\w+:)?(Level-2A|Level-1C|level_X\b|hsi_doc\b)")
"""Root of the metadata of Sentinel-2, EnMAP and DESIS."""

_ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray")
_MOST_ARRAYS = 200
_THREE_AXES = re.compile(rb'"shape"\s*:\s*\[\s*\d+\s*,\s*\d+\s*,\s*\d+\s*\]')


def is_claimed(path: Path) -> bool:
    """Say whether a file begins like one of those unmix reads; a container must be a result or hold a cube."""
    suffix = path.suffix.lower()
    if path.is_dir():
        return suffix == FOLDER and (is_result(path) or _is_cube_store(path))
    try:
        with path.open("rb") as file:
            start = file.read(_HEAD)
    except OSError:
        return False
    if not start.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(STARTS.get(suffix, ())):
        return False
    return suffix not in _CLOSER or _CLOSER[suffix](path, start)


def is_result(path: Path) -> bool:
    """Say whether a file or folder is a result of unmix, by the names of its variables."""
    if path.suffix.lower() == FOLDER:
        return all((path / name).is_dir() for name in _RESULT_VARIABLES)
    if path.suffix.lower() != ".nc":
        return False
    import h5py

    try:
        with h5py.File(path, "r") as file:
            return all(name in file for name in _RESULT_VARIABLES)
    except OSError:
        return False


def _is_cube_store(path: Path) -> bool:
    """Say whether a Zarr folder holds an array on three axes; a picture in levels (OME-Zarr) is left to others."""
    marks = [path / mark for mark in _ZARR_MARKS if (path / mark).is_file()]
    told = [*marks, path / ".zattrs", *islice(path.glob("*/.zarray"), _MOST_ARRAYS)]
    told += islice(path.glob("*/zarr.json"), _MOST_ARRAYS)
    texts = [_head(one) for one in told if one.is_file()]
    return bool(marks) and not any(b'"multiscales"' in one for one in texts) and any(map(_THREE_AXES.search, texts))


def _head(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(64 * _HEAD)


def _holds_cube(path: Path) -> bool:
    """Say whether an HDF5 file holds numbers on three axes; links to other files are not followed."""
    import h5py

    def cube(_name: str, held: Any) -> bool | None:
        found = isinstance(held, h5py.Dataset) and held.ndim == 3 and held.dtype.kind in "uif" and min(held.shape) > 1
        return True if found else None

    try:
        with h5py.File(path, "r") as file:
            return bool(file.visititems(cube))
    except (OSError, RuntimeError):
        return False


def _is_table(start: bytes) -> bool:
    """Say whether a text is the metadata of Landsat or a Raman map."""
    from ..readers.raman_text import is_map

    return start.startswith(b"GROUP = L") or is_map(start)


_CLOSER: dict[str, Callable[[Path, bytes], bool]] = {
    **dict.fromkeys(_CONTAINERS, lambda path, _start: is_result(path) or _holds_cube(path)),
    ".imzml": lambda _path, start: b"mzML" in start,
    ".xml": lambda _path, start: _PRODUCT.search(start) is not None,
    ".txt": lambda _path, start: _is_table(start),
}
"""What else a file must be, by the ending of its name: from its path and its first bytes."""
