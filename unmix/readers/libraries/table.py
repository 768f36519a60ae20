"""Libraries as tables: a spectrum a row under a row of wavelengths, or a spectrum a column beside a column of them."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np

from ...conventions.spectral_axis import guessed_nanometres
from ...errors import ReadError
from ...materials.library import SpectralLibrary
from ..naming import shown

MOST_COLUMNS, MOST_ROWS = 100_000, 100_000
_MISSING = {"", "nan", "na", "null", "-"}
_NO_VALUE = -1e30


def read(path: Path) -> SpectralLibrary:
    """Return the library of a delimited text file."""
    rows = _rows(path.read_bytes().decode("utf-8-sig", "replace"), path)
    header, body = rows[0], rows[1:]
    labels = _leading_words(header)
    if len(header) - labels >= 2 and all(_is_number(cell) for cell in header[labels:]):
        return _spectra_in_rows(header, body, labels, path)
    if all(_is_number(row[0]) for row in body) and len(body) >= 2:
        return _spectra_in_columns(header, body, path)
    raise ReadError(
        f"{shown(path)} is not a table of spectra: it needs wavelengths along the first row after the names, "
        "or down the first column."
    )


def _rows(words: str, path: Path) -> list[list[str]]:
    """Return the cells of every line that is not empty, all lines equally long."""
    first = next((line for line in words.splitlines() if line.strip()), "")
    delimiter = max(",;\t", key=first.count)
    if not first.count(delimiter):
        raise ReadError(f"{shown(path)} is not a table: its first line has no comma, semicolon or tab.")
    try:
        rows = [[cell.strip() for cell in row] for row in csv.reader(io.StringIO(words), delimiter=delimiter)]
    except csv.Error as error:
        raise ReadError(f"{shown(path)} is not a table: {error}.") from error
    rows = [row for row in rows if any(row)]
    width = len(rows[0])
    if len(rows) < 2:
        raise ReadError(f"{shown(path)} has a heading and no spectra.")
    if width > MOST_COLUMNS or len(rows) > MOST_ROWS:
        raise ReadError(f"{shown(path)} has {len(rows):,} rows of {width:,} cells; a library has at most 100,000.")
    wrong = next((k for k, row in enumerate(rows) if len(row) != width), None)
    if wrong is not None:
        raise ReadError(f"{shown(path)}, row {wrong + 1} has {len(rows[wrong])} cells; the heading has {width}.")
    return rows


def _spectra_in_rows(header: list[str], body: list[list[str]], labels: int, path: Path) -> SpectralLibrary:
    spectra = np.array([[_value(cell, path) for cell in row[labels:]] for row in body])
    headings = [heading.lower() for heading in header[:labels]]
    names_at = next((headings.index(word) for word in ("name", "spectrum", "id") if word in headings), 0)
    class_at = next((headings.index(word) for word in ("class", "material", "type") if word in headings), names_at)
    names = [row[names_at] if labels else f"spectrum {k + 1}" for k, row in enumerate(body)]
    materials = [row[class_at] for row in body] if labels else names
    wavelengths = np.array([float(cell) for cell in header[labels:]])
    return _library(spectra, names, materials, wavelengths, path)


def _spectra_in_columns(header: list[str], body: list[list[str]], path: Path) -> SpectralLibrary:
    values = np.array([[_value(cell, path) for cell in row] for row in body])
    if not np.isfinite(values[:, 0]).all():
        raise ReadError(f"{shown(path)}: a wavelength in the first column is missing.")
    names = [name or f"spectrum {k + 1}" for k, name in enumerate(header[1:])]
    return _library(values[:, 1:].T, names, names, values[:, 0], path)


def _library(
    spectra: np.ndarray, names: list[str], materials: list[str], wavelengths: np.ndarray, path: Path
) -> SpectralLibrary:
    nm, _ = guessed_nanometres(wavelengths, None, shown(path), expected="nm")
    if nm is None:
        raise ReadError(
            f"{shown(path)}: {wavelengths.min():g} to {wavelengths.max():g} are not wavelengths in nm or um."
        )
    return SpectralLibrary(
        spectra, tuple(names), nm, materials=tuple(m or n for m, n in zip(materials, names, strict=True))
    )


def _leading_words(cells: list[str]) -> int:
    """Return how many cells come before the first number."""
    return next((k for k, cell in enumerate(cells) if _is_number(cell)), len(cells))


def _is_number(cell: str) -> bool:
    try:
        return bool(np.isfinite(float(cell)))
    except ValueError:
        return False


def _value(cell: str, path: Path) -> float:
    """Return a cell as a number, NaN where it is empty or the USGS mark for no value."""
    if cell.lower() in _MISSING:
        return float("nan")
    try:
        value = float(cell)
    except ValueError as error:
        raise ReadError(f"{shown(path)}: {cell[:40]!r} is not a number.") from error
    return value if np.isfinite(value) and value > _NO_VALUE else float("nan")
