"""Spectral libraries: one file a format; what a file is, is decided by its content."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ...errors import OptionError, ReadError, UnmixError, warn
from ...materials.library import SpectralLibrary
from ..naming import one_line, shown

__all__ = ["read_library"]

MAX_TEXT_BYTES = 64_000_000
_SCALED_ABOVE = 2.0
_FIRST_BYTES = 4096


def read_library(
    path: str | os.PathLike[str], *, key: str | None = None, scale: float | None = None
) -> SpectralLibrary:
    """Read a spectral library.

    Formats: tables (CSV, tab or semicolon) with wavelengths along the first row or down the first column; ENVI
    spectral libraries (``.sli`` and its header); USGS text (splib06 columns, splib07 with its wavelength file beside
    it); ECOSTRESS and ASTER text; USGS ``.mat`` and ``.npz`` with the arrays ``lib`` or ``datalib`` and ``names``. A
    folder of USGS or ECOSTRESS text files becomes one library.

    Parameters
    ----------
    path : path
        A file, or a folder of text files.
    key : str, optional
        ``.mat`` and ``.npz``: name of the array of spectra.
    scale : float, optional
        Values are divided by it: 10000 for reflectance stored as whole numbers. The file's own scale when not given.

    Returns
    -------
    SpectralLibrary
        Names, wavelengths in nanometres and spectra, NaN where the file has no value.

    Raises
    ------
    ReadError
        The file is missing, damaged, or not a library unmix can read.
    OptionError
        ``scale`` is not a positive number.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unmix.readers.libraries import read_library
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "library.csv"
    ...     _ = path.write_text("name,450,550,650\\ngrass,0.04,0.1,0.05\\nsoil,0.1,0.2,0.3\\n")
    ...     library = read_library(path)
    >>> library.names, library.wavelengths.tolist()
    (('grass', 'soil'), [450.0, 550.0, 650.0])
    """
    from ..formats import refuse_remote

    if scale is not None and not (isinstance(scale, (int, float)) and np.isfinite(scale) and scale > 0):
        raise OptionError(f"scale={scale!r}: values are divided by it, so it must be a positive number.")
    refuse_remote(os.fspath(path))
    file = Path(path)
    try:
        library = _read_any(file, key, scale)
    except UnmixError:
        raise
    except OSError as error:
        raise ReadError(f"{shown(file)} cannot be read: {one_line(error)}") from error
    except Exception as error:
        raise ReadError(f"{shown(file)} cannot be read as a spectral library: {one_line(error)}") from error
    return _with_scale(library, scale, file)


def _read_any(path: Path, key: str | None, scale: float | None) -> SpectralLibrary:
    """Return the library of a file by what its first bytes are, or that of a folder of text files."""
    from . import arrays, envi_library, table, text

    if path.is_dir():
        return text.read_folder(path)
    with path.open("rb") as file:
        first = file.read(_FIRST_BYTES)
    if path.suffix.lower() == ".sli" or first.lstrip(b"\xef\xbb\xbf").startswith(b"ENVI"):
        return envi_library.read(path, scaled=scale is None)
    if first.startswith((b"PK\x03\x04", b"MATLAB")):
        return arrays.read(path, key)
    if b"\0" in first:
        raise ReadError(f"{shown(path)} is binary, and not a library unmix reads (ENVI .sli, .mat, .npz).")
    if path.stat().st_size > MAX_TEXT_BYTES:
        raise ReadError(f"{shown(path)} is larger than a text library may be ({MAX_TEXT_BYTES:,} bytes).")
    words = first.decode("utf-8-sig", "replace")
    return text.read(path) if text.is_one(words) else table.read(path)


def _with_scale(library: SpectralLibrary, scale: float | None, path: Path) -> SpectralLibrary:
    """Divide by the scale given; without one, say so where values are not reflectance from 0 to 1."""
    from dataclasses import replace

    if scale is not None:
        return replace(library, spectra=library.spectra / scale)
    finite = library.spectra[np.isfinite(library.spectra)]
    if finite.size == 0:
        raise ReadError(f"{shown(path)}: no spectrum has a value.")
    if np.percentile(finite, 95) > _SCALED_ABOVE:
        warn(
            f"{shown(path)}: values reach {finite.max():,.6g}, so they are not reflectance from 0 to 1. "
            "Names do not depend on it; for abundances give scale= (10000 is usual)."
        )
    return library
