"""ENVI spectral libraries: a header and a raw file of one spectrum a line."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...conventions.spectral_axis import in_nanometres
from ...errors import ReadError
from ...materials.library import SpectralLibrary
from ..envi_header import Header, layout_of, read_header
from ..limits import check_decoded_size
from ..naming import shown

_NO_VALUE = -1e30


def read(path: Path, *, scaled: bool) -> SpectralLibrary:
    """Return the library of a header or its data file; `scaled` applies the header's own reflectance scale factor."""
    header = read_header(_header_of(path))
    if "library" not in header.text("file type").lower():
        raise header.error("this is an ENVI image, not a spectral library ('file type = ENVI Spectral Library')")
    data = _data_of(path, header.path)
    layout = layout_of(header)
    if layout.bands != 1:
        raise header.error(f"a spectral library has 'bands = 1'; this has {layout.bands}")
    n, b = layout.lines, layout.samples
    check_decoded_size(data, (n, b), np.dtype(np.float64), "the library")
    found = data.stat().st_size
    if found != layout.n_bytes:
        raise ReadError(f"{shown(data)}: expected {layout.n_bytes} bytes ({n} spectra of {b}), found {found}.")
    values = np.fromfile(data, layout.dtype, n * b, offset=layout.offset).reshape(n, b).astype(np.float64)
    missing = header.number("data ignore value")
    values[(values <= _NO_VALUE) | ~np.isfinite(values) | (values == missing)] = np.nan
    factor = header.number("reflectance scale factor") if scaled else None
    if factor:
        values /= factor
    wavelengths, fwhm = _wavelengths(header, b)
    names = header.items("spectra names") or [f"spectrum {k + 1}" for k in range(n)]
    if len(names) != n:
        raise header.error(f"'spectra names' lists {len(names)} names for {n} spectra")
    return SpectralLibrary(values, tuple(names), wavelengths, fwhm)


def _header_of(path: Path) -> Path:
    """Return the header of a library named by it or by its data file."""
    if path.suffix.lower() == ".hdr":
        return path
    headers = [path.with_suffix(".hdr"), path.with_suffix(".HDR"), path.with_name(path.name + ".hdr")]
    header = next((one for one in headers if one.is_file()), None)
    if header is None:
        raise ReadError(f"{shown(path)}: its header, {path.with_suffix('.hdr').name}, is not beside it.")
    return header


def _data_of(path: Path, header: Path) -> Path:
    """Return the data file of a library named by it or by its header."""
    if path != header:
        return path
    candidates = [header.with_suffix(suffix) for suffix in (".sli", ".SLI", "")]
    data = next((one for one in candidates if one.is_file()), None)
    if data is None:
        raise ReadError(f"{shown(header)}: its data file, {header.with_suffix('.sli').name}, is not beside it.")
    return data


def _wavelengths(header: Header, n_bands: int) -> tuple[np.ndarray, np.ndarray | None]:
    """Return wavelengths and widths in nanometres; a library without wavelengths is of no use."""
    values = header.numbers("wavelength", n_bands)
    if values is None:
        raise header.error("'wavelength' is missing: without it the spectra cannot be brought to an image's bands")
    units = header.text("wavelength units")
    nm, fwhm = in_nanometres(values, header.numbers("fwhm", n_bands), units, shown(header.path))
    if nm is None:
        raise header.error(f"'wavelength units = {units}' are not wavelengths")
    return nm, fwhm
