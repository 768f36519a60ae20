"""One spectrum a text file: USGS splib07 (values; wavelengths beside it), USGS splib06 and ECOSTRESS (columns).

A folder of such files becomes one library on the union of their wavelengths, each spectrum interpolated within its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...errors import ReadError
from ...materials.library import SpectralLibrary
from ..naming import shown

MOST_FILES = 5000
MOST_VALUES = 20_000_000
MAX_FILE_BYTES = 16_000_000
_NO_VALUE = -1e30
_RECORD = re.compile(r"\bRecord\s*=\s*\d+\s*:\s*(.*)", re.IGNORECASE)
_WAVELENGTHS = re.compile(r"\bwavelength", re.IGNORECASE)
_NUMBERS = re.compile(r"^[\s,+\-.\deE]+$")
_HEADER = re.compile(r"^\s*([A-Za-z][A-Za-z. /()]*?)\s*:\s*(.*)$")


@dataclass(frozen=True)
class _Spectrum:
    """Name, material, rising wavelengths in nanometres and values of one file."""

    name: str
    material: str
    wavelengths: np.ndarray
    values: np.ndarray


def is_one(words: str) -> bool:
    """Say whether the beginning of a text is one spectrum of a library, rather than a table."""
    first = next((line for line in words.splitlines() if line.strip()), "")
    return bool(_RECORD.search(first) or first.lower().startswith("name:") or "usgs digital spectral" in words.lower())


def read(path: Path) -> SpectralLibrary:
    """Return a library of the one spectrum in a text file."""
    return _joined([_spectrum(path)], path)


def read_folder(folder: Path) -> SpectralLibrary:
    """Return the library of all spectra among the text files of a folder; files of other kinds are passed over."""
    files = sorted(one for one in folder.iterdir() if one.is_file() and one.suffix.lower() in (".txt", ".asc"))
    if len(files) > MOST_FILES:
        raise ReadError(f"{shown(folder)} holds {len(files):,} text files; at most {MOST_FILES:,} become one library.")
    spectra = []
    for file in files:
        with file.open("rb") as opened:
            beginning = opened.read(4096).decode("utf-8-sig", "replace")
        if is_one(beginning) and not _is_about_bands(beginning):
            spectra.append(_spectrum(file))
    if not spectra:
        raise ReadError(f"{shown(folder)} holds no USGS or ECOSTRESS text spectra.")
    return _joined(spectra, folder)


def _spectrum(path: Path) -> _Spectrum:
    """Return the spectrum of one file."""
    lines = _lines(path)
    record = _RECORD.search(lines[0])
    if record:
        return _splib07(path, record[1].strip(), lines[1:])
    facts = dict(_header_facts(lines))
    columns = _columns(lines, path)
    if columns.shape[1] < 2:
        raise ReadError(f"{shown(path)}: a wavelength and a value a line are needed.")
    name = facts.get("name") or _title(lines) or path.stem
    factor = 0.01 if "percent" in facts.get("y units", "").lower() else 1.0
    material = facts.get("class") or facts.get("type") or name
    return _risen(name, material, columns[:, 0], columns[:, 1], factor, facts.get("x units", ""), path)


def _splib07(path: Path, title: str, lines: Sequence[str]) -> _Spectrum:
    """Return a spectrum of values alone; its wavelengths are in the file beside it that has as many."""
    if _WAVELENGTHS.search(title):
        raise ReadError(f"{shown(path)} holds wavelengths, not a spectrum.")
    values = _single_column(lines, path)
    matching = []
    for other in sorted(path.parent.glob("*avelength*")):
        if other.is_file() and other.suffix.lower() in (".txt", ".asc"):
            candidate = _single_column(_lines(other)[1:], other)
            if len(candidate) == len(values):
                matching.append(candidate)
    if not matching:
        raise ReadError(
            f"{shown(path)} has {len(values)} values and no wavelengths: put the library's wavelength file "
            "(its name has 'Wavelengths') with as many beside it."
        )
    if any(not np.allclose(one, matching[0]) for one in matching[1:]):
        raise ReadError(
            f"{shown(path)}: several wavelength files beside it have {len(values)} values. Leave one there."
        )
    return _risen(title or path.stem, title.split()[0] if title else path.stem, matching[0], values, 1.0, "um", path)


def _risen(
    name: str, material: str, x: np.ndarray, values: np.ndarray, factor: float, unit: str, path: Path
) -> _Spectrum:
    """Return a spectrum with rising wavelengths in nanometres; the libraries are in micrometres unless they say nm."""
    values = np.where(np.isfinite(values) & (values > _NO_VALUE), values * factor, np.nan)
    nanometres = "nano" in unit.lower() or (not unit and np.nanmax(x) > 100)
    known = np.isfinite(x) & (x > 0)
    x, values = x[known] * (1.0 if nanometres else 1e3), values[known]
    if len(x) < 2 or not np.isfinite(values).any():
        raise ReadError(f"{shown(path)} holds no spectrum.")
    order = np.argsort(x, kind="stable")
    return _Spectrum(" ".join(name.split()), " ".join(material.split()), x[order], values[order])


def _joined(spectra: Sequence[_Spectrum], source: Path) -> SpectralLibrary:
    """Return spectra on the union of their wavelengths, NaN beyond the range of each."""
    x = np.unique(np.round(np.concatenate([one.wavelengths for one in spectra]), 4))
    if len(x) * len(spectra) > MOST_VALUES:
        raise ReadError(
            f"{shown(source)}: {len(spectra):,} spectra over {len(x):,} wavelengths are too many for one library. "
            "Read fewer of them."
        )
    rows = [np.interp(x, one.wavelengths, one.values, left=np.nan, right=np.nan) for one in spectra]
    names, materials = (tuple(getattr(one, what) for one in spectra) for what in ("name", "material"))
    return SpectralLibrary(np.array(rows), names, x, materials=materials)


def _lines(path: Path) -> list[str]:
    if path.stat().st_size > MAX_FILE_BYTES:
        raise ReadError(f"{shown(path)} is larger than one spectrum may be ({MAX_FILE_BYTES:,} bytes).")
    lines = path.read_bytes().decode("utf-8-sig", "replace").splitlines()
    lines = [line for line in lines if line.strip()]
    if len(lines) < 3:
        raise ReadError(f"{shown(path)} holds no spectrum.")
    return lines


def _header_facts(lines: Sequence[str]) -> list[tuple[str, str]]:
    """Return the ``Key: value`` lines that come before the numbers."""
    facts = []
    for line in lines:
        if _NUMBERS.match(line):
            break
        found = _HEADER.match(line)
        if found:
            facts.append((found[1].strip().lower(), found[2].strip()))
    return facts


def _columns(lines: Sequence[str], path: Path) -> np.ndarray:
    """Return the longest run of lines of numbers at the end of a file (n, columns)."""
    first = len(lines)
    while first and _NUMBERS.match(lines[first - 1]):
        first -= 1
    try:
        rows = [[float(cell) for cell in re.split(r"[\s,]+", line.strip())] for line in lines[first:]]
    except ValueError as error:
        raise ReadError(f"{shown(path)}: a line of numbers holds something else.") from error
    if not rows or len({len(row) for row in rows}) != 1:
        raise ReadError(f"{shown(path)}: the lines of numbers have different lengths, or there are none.")
    return np.array(rows)


def _single_column(lines: Sequence[str], path: Path) -> np.ndarray:
    columns = _columns(lines, path)
    if columns.shape[1] != 1:
        raise ReadError(f"{shown(path)}: one value a line is expected, found {columns.shape[1]}.")
    return columns[:, 0]


def _title(lines: Sequence[str]) -> str:
    """Return the line of a splib06 header that names the spectrum: the one after the ruled line."""
    ruled = [k for k, line in enumerate(lines[:40]) if re.fullmatch(r"\s*-{8,}\s*", line)]
    return lines[ruled[-1] + 1].strip() if ruled and ruled[-1] + 1 < len(lines) else ""


def _is_about_bands(beginning: str) -> bool:
    """Say whether a splib07 file holds wavelengths, bandpasses or wavenumbers instead of a spectrum."""
    record = _RECORD.search(beginning.splitlines()[0] if beginning.splitlines() else "")
    return bool(record and re.search(r"wavelength|bandpass|wavenumber|resolution", record[1], re.IGNORECASE))
