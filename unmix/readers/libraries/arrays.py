"""Libraries as arrays: USGS ``.mat`` (version 5) and ``.npz``, one spectrum a column.

The USGS files keep wavelength (micrometres), resolution and channel number in their first three columns, as their
first three names say.
"""

from __future__ import annotations

import math
import zipfile
import zlib
from pathlib import Path

import numpy as np

from ...conventions.spectral_axis import guessed_nanometres
from ...errors import ReadError
from ...materials.library import SpectralLibrary
from ..limits import check_decoded_size
from ..naming import one_line, shown
from ..numpy_files import _array, _headers

_SPECTRA = ("lib", "datalib", "library", "spectra")
_NAMES = ("names", "spectra_names")
_WAVELENGTHS = ("wavelengths", "wavelength", "wavlen", "wl")
_NO_VALUE = -1e30


def read(path: Path, key: str | None) -> SpectralLibrary:
    """Return the library in a ``.mat`` or ``.npz`` file."""
    with path.open("rb") as file:
        arrays = _npz(path, key) if file.read(2) == b"PK" else _mat(path, key)
    name = _chosen(arrays, key, path)
    values, names = arrays[name], _names(arrays)
    if values.ndim != 2 or values.dtype.kind not in "uif":
        raise ReadError(
            f"{shown(path)}, array {name!r} is not a table of numbers: shape {values.shape}, {values.dtype}."
        )
    values = values.astype(np.float64)
    wavelengths = next((arrays[one].astype(np.float64).ravel() for one in _WAVELENGTHS if one in arrays), None)
    fwhm = arrays["fwhm"].astype(np.float64).ravel() if "fwhm" in arrays else None
    if wavelengths is None:
        values, names, wavelengths, fwhm = _usgs_columns(values, names, path)
    elif values.shape[0] != len(wavelengths):
        values = values.T
    if values.shape[0] != len(wavelengths):
        raise ReadError(f"{shown(path)}: {len(wavelengths)} wavelengths for spectra of shape {values.shape}.")
    nm, fwhm = guessed_nanometres(wavelengths, fwhm, shown(path), expected="nm")
    if nm is None:
        raise ReadError(f"{shown(path)}: the wavelengths are neither nanometres nor micrometres.")
    names = names or [f"spectrum {k + 1}" for k in range(values.shape[1])]
    spectra = np.where(np.isfinite(values) & (values > _NO_VALUE), values, np.nan).T
    if len(names) != len(spectra):
        raise ReadError(f"{shown(path)}: {len(names)} names for {len(spectra)} spectra.")
    return SpectralLibrary(spectra, tuple(names), nm, fwhm)


def _usgs_columns(
    values: np.ndarray, names: list[str], path: Path
) -> tuple[np.ndarray, list[str], np.ndarray, np.ndarray | None]:
    """Take wavelengths and widths from the leading columns, which their names or their values give away."""
    first = values[:, 0]
    told = bool(names) and names[0].lower().startswith("wavelength")
    rising = len(first) > 2 and bool((np.diff(first) > 0).mean() > 0.95) and first.min() > 0.1 and first.max() < 1e5
    if not (told or (not names and rising)):
        raise ReadError(f"{shown(path)}: there are no wavelengths: an array 'wavelengths', or a first column of them.")
    leading = 1
    if len(names) == values.shape[1]:
        words = ("wavelength", "resolution", "data value", "channel", "fwhm", "bandpass")
        leading = next((k for k, name in enumerate(names) if not name.lower().startswith(words)), len(names))
    width = values[:, 1] if leading > 1 else None
    if width is not None and not ((width > 0) & (width < first)).all():
        width = None
    if width is not None and first.max() < 100:
        width = width * 1e3
    if first.max() < 100:
        first = first * 1e3  # the USGS files are in micrometres, as their first name says
    rest = names[leading:] if len(names) == values.shape[1] else names
    return values[:, leading:], rest, first, width


def _chosen(arrays: dict[str, np.ndarray], key: str | None, path: Path) -> str:
    if key is not None:
        if key not in arrays:
            raise ReadError(f"{shown(path)} has no array {key!r}. It has {', '.join(sorted(arrays))}.")
        return key
    found = [name for name in _SPECTRA if name in arrays]
    if not found:
        there = ", ".join(sorted(arrays)) or "no table of numbers"
        raise ReadError(f"{shown(path)} has none of {', '.join(_SPECTRA)}. Say key=; it has {there}.")
    return found[0]


def _names(arrays: dict[str, np.ndarray]) -> list[str]:
    """Return the names, whether they are texts, rows of characters or MATLAB cells of text."""
    held = next((arrays[one] for one in _NAMES if one in arrays), None)
    if held is None:
        return []
    if held.dtype.kind == "O":
        held = np.array([str(np.asarray(cell).ravel()[0]) if np.asarray(cell).size else "" for cell in held.ravel()])
    if held.dtype.kind != "U":
        return []
    if held.ndim == 2 and held.dtype.itemsize == 4:
        return ["".join(row).strip() for row in held]
    return [" ".join(str(one).split()) for one in held.ravel()]


def _npz(path: Path, key: str | None) -> dict[str, np.ndarray]:
    """Return the arrays a library is made of; each is judged by its header before it is unpacked, none is pickled."""
    wanted = {*_SPECTRA, *_NAMES, *_WAVELENGTHS, "fwhm", key}
    try:
        with zipfile.ZipFile(path) as archive:
            headers = {name: header for name, header in _headers(archive, path).items() if name in wanted}
            for name, (shape, dtype) in headers.items():
                check_decoded_size(path, shape, dtype, f"array {name!r}")
            plain = [name for name, (_, dtype) in headers.items() if dtype.kind in "uifU"]
            return {name: _array(archive, name) for name in plain}
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, NotImplementedError, RuntimeError) as error:
        raise ReadError(f"{shown(path)} is damaged or holds no plain arrays: {one_line(error)}") from error


def _mat(path: Path, key: str | None) -> dict[str, np.ndarray]:
    """Return the arrays of a MATLAB 5 file that a library is made of."""
    from scipy.io import loadmat, whosmat

    wanted = {*_SPECTRA, *_NAMES, *_WAVELENGTHS, "fwhm", key}
    with path.open("rb") as file:
        if file.read(10) == b"MATLAB 7.3":
            raise ReadError(f"{shown(path)} is a MATLAB 7.3 file. Save the library with -v7.")
    try:
        listed = {name: shape for name, shape, _ in whosmat(str(path)) if name in wanted}
        for name, shape in listed.items():
            check_decoded_size(path, (max(math.prod(shape), 1),), np.dtype(np.float64), f"array {name!r}")
        content = loadmat(str(path), variable_names=list(listed), squeeze_me=False)
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    return {name: content[name] for name in listed if isinstance(content.get(name), np.ndarray)}
