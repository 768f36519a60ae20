"""Which format a file is: by its first bytes, then by its name."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ..errors import OptionError, ReadError
from .envi import find_header
from .naming import one_line, shown
from .raman_text import is_map
from .request import Request

_HEAD_BYTES = 4096
_HDF5 = b"\x89HDF\r\n\x1a\n"
_HDF5_OFFSETS = (512, 1024, 2048)
_ZARR_MARKS = ("zarr.json", ".zgroup", ".zarray")
_PRODUCT_METADATA = re.compile(r"^MTD_MSIL\w+\.xml$|-METADATA\.xml$|_MTL\.txt$", re.IGNORECASE)
_MIRAX, _JPEG = ".mrxs", b"\xff\xd8\xff"

_REFUSED = (
    (b"\x0e\x03\x13\x01", "an HDF4 file, which unmix does not read. Convert it to GeoTIFF or ENVI first"),
    (b"CDF\x01", "a NetCDF 3 file, which unmix does not read. Convert it to NetCDF 4 first"),
    (b"CDF\x02", "a NetCDF 3 file, which unmix does not read. Convert it to NetCDF 4 first"),
    (b"CDF\x05", "a NetCDF 3 file, which unmix does not read. Convert it to NetCDF 4 first"),
    (b"\x1f\x8b", "compressed (gzip). Unpack it first"),
    (b"BZh", "compressed (bzip2). Unpack it first"),
    (b"\xfd7zXZ", "compressed (xz). Unpack it first"),
    (b"\x28\xb5\x2f\xfd", "compressed (zstd). Unpack it first"),
    (b"EHFA_HEADER_TAG", "an ERDAS Imagine file, which unmix does not read. Convert it to GeoTIFF first"),
    (b"GIF8", "a GIF, which has too few colours to unmix. Give the original picture"),
    (b"BM", "a BMP, which unmix does not read. Save it as PNG first"),
    (b"\x80\x02", "a Python pickle, which is never opened: it can run code. Save the array as .npy"),
    (b"\x80\x03", "a Python pickle, which is never opened: it can run code. Save the array as .npy"),
    (b"\x80\x04", "a Python pickle, which is never opened: it can run code. Save the array as .npy"),
    (b"\x80\x05", "a Python pickle, which is never opened: it can run code. Save the array as .npy"),
)


@dataclass(frozen=True)
class Format:
    """One line of the registry: what a format is called, which file of this folder reads it, how it is known.

    `starts` are the first bytes; `choices` the arguments of `unmix.read` that only some formats offer.
    """

    name: str
    module: str
    starts: tuple[bytes, ...] = ()
    suffixes: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()


def find_format(path: Path, formats: Sequence[Format]) -> Format:
    """Return the format of a file, or raise `ReadError` saying what it is or which formats there are."""
    if os.path.isdir(path):  # never raises, as Path.is_dir does for a name that is too long
        return _folder_format(path, formats)
    head, size = _head(path)
    if path.suffix.lower() == _MIRAX and head.startswith(_JPEG):
        return next(f for f in formats if _MIRAX in f.suffixes)
    if b"<mzML" in head or (path.suffix.lower() == ".imzml" and head.lstrip(b"\xef\xbb\xbf").startswith(b"<?xml")):
        return next(f for f in formats if f.module == "imzml")
    _refuse_virtual(path, head)
    known = next((f for f in formats if any(head.startswith(start) for start in f.starts)), None)
    if known is not None:
        return known
    by_module = {f.module: f for f in formats}
    if "hdf5" in by_module and _is_hdf5_behind_a_block(path, size):
        return by_module["hdf5"]
    if path.suffix.lower() == ".hdr" or find_header(path) is not None:
        return by_module["envi"]
    if is_map(head):
        return by_module["raman_text"]
    if size == 0:
        raise ReadError(f"{shown(path)} is empty (0 bytes).")
    for start, what in _REFUSED:
        if head.startswith(start):
            raise ReadError(f"{shown(path)} is {what}.")
    named = next((f for f in formats if path.suffix.lower() in f.suffixes), None)
    if named is not None:
        raise ReadError(
            f"{shown(path)} is named like {named.name} but does not begin like one; it is damaged or misnamed."
        )
    names = "; ".join(f.name for f in formats)
    raise ReadError(f"{shown(path)} is of no format unmix reads, and has no ENVI header beside it. Formats: {names}.")


def _folder_format(path: Path, formats: Sequence[Format]) -> Format:
    """Return the format of a folder: a Zarr store; for a product's folder, say which file in it to give."""
    if any((path / mark).is_file() for mark in _ZARR_MARKS):
        return next(f for f in formats if f.module == "zarr_store")
    try:
        inside = sorted(e.name for e in path.iterdir() if _PRODUCT_METADATA.search(e.name))
    except OSError:
        inside = []
    which = f"Give its metadata, {inside[0]}." if len(inside) == 1 else "Give one file in it."
    raise ReadError(f"{shown(path)} is a folder. {which}")


def check_choices(chosen: Format, request: Request, path: Path) -> None:
    """Raise `OptionError` where the caller chooses something this format does not offer."""
    for name in request.given():
        if name not in chosen.choices:
            value = getattr(request, name)
            raise OptionError(f"{name}={value!r}: {shown(path)} ({chosen.name}) has nothing to choose by {name}=.")


def refuse_remote(source: str) -> None:
    """Raise `ReadError` for anything but the plain name of a file on this machine."""
    if source.startswith(("/vsi", "\\vsi")):
        raise ReadError(f"{source[:80]!r} is a virtual file name, which is never opened. Give a file on this machine.")
    if re.match(r"[A-Za-z][A-Za-z0-9+.-]*://", source):
        raise ReadError(f"{source[:80]!r} is a URL, which is never opened. Download the file first.")
    if re.match(r"[A-Za-z][A-Za-z0-9_]+:", source) and not Path(source).exists():
        raise ReadError(f"{source[:80]!r} is a connection string, which is never opened. Give the file, and key=.")


def _head(path: Path) -> tuple[bytes, int]:
    """Return the first bytes and the size of a file; every way this can fail is one line."""
    try:
        about = path.stat()
        if stat.S_ISDIR(about.st_mode):
            raise ReadError(f"{shown(path)} is a folder. Give one file in it.")
        if not stat.S_ISREG(about.st_mode):
            raise ReadError(f"{shown(path)} is not a regular file.")
        with path.open("rb") as file:
            return file.read(_HEAD_BYTES), about.st_size
    except FileNotFoundError as error:
        raise ReadError(f"{shown(path)}: there is no such file in {path.absolute().parent}.") from error
    except PermissionError as error:
        raise ReadError(f"{shown(path)} may not be read: permission denied.") from error
    except (OSError, ValueError) as error:
        if isinstance(error, ReadError):
            raise
        raise ReadError(f"{shown(path)} cannot be opened: {one_line(error)}") from error


def _refuse_virtual(path: Path, head: bytes) -> None:
    text = head.lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<vrtdataset" in text or text.startswith((b"<gdal_wms", b"<vrt", b"<gdal_wmts")):
        raise ReadError(
            f"{shown(path)} is a GDAL virtual dataset, which can name any other file and is never opened. "
            "Convert it to GeoTIFF first."
        )


def _is_hdf5_behind_a_block(path: Path, size: int) -> bool:
    with path.open("rb") as file:
        for offset in _HDF5_OFFSETS:
            file.seek(offset)
            if offset < size and file.read(len(_HDF5)) == _HDF5:
                return True
    return False
