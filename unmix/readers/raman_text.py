"""Raman maps as text: a long table (X, Y, wavenumber, intensity a line) or a wide one (a spectrum a line after X, Y).

Renishaw's WiRE writes the long form with a header ``#X #Y #Wave #Intensity``, Horiba's LabSpec and most scripts the
wide one, whose first line holds two empty cells or ``x`` and ``y``, then the wavenumbers. Cells are parted by tabs,
commas, semicolons or blanks; lines of remarks begin with ``#`` before the table. Wavenumbers are Raman shifts.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import SpectralAxis
from ..errors import ReadError
from .describe import Description, make_image
from .limits import memory_limit
from .naming import one_line, shown
from .request import Request
from .window import Decoded

_LONG = re.compile(r"^#?\s*x\b[^\n]*?\by\b[^\n]*?\b(wave|raman|shift)\w*[^\n]*?\bint", re.IGNORECASE)
_NUMBER = re.compile(r"^[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?$")
_SAME = 1e-4
_SPARSEST = 4
_REMARKS = 400


def is_map(head: bytes) -> bool:
    """Return whether a file that begins like this is a Raman map in text."""
    if b"\0" in head:
        return False
    lines = head.decode("utf-8", "replace").splitlines()[:_REMARKS]
    return any(_LONG.match(line) or _wide_axis(line) is not None for line in lines)


def read(path: Path, request: Request) -> xr.DataArray:
    """Return a Raman map; its bands are Raman shifts in 1/cm."""
    if path.stat().st_size * 8 > memory_limit():
        raise ReadError(f"{shown(path)} has {path.stat().st_size:,} bytes of text, too much to read at once.")
    start, header = _table_start(path)
    axis = _wide_axis(header)
    x, y, shifts, spectra = _long_table(path, start) if axis is None else _wide_table(path, start, header, axis)
    values, steps = _on_grid(x, y, spectra, path)
    described = Description(spectral_axis=SpectralAxis(shifts, "Raman shift", "1/cm"), quantity="counts")
    described.pixel_size = steps
    return make_image(path, Decoded(str(path), values), described, request)


def _table_start(path: Path) -> tuple[int, str]:
    """Return how many lines stand before the numbers, and the header of the table."""
    with path.open("r", encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file):
            if _LONG.match(line) or _wide_axis(line) is not None:
                return number + 1, line
            if number > _REMARKS:
                break
    raise ReadError(f"{shown(path)} has no header of a Raman map: X, Y, Wave, Intensity; or x, y and wavenumbers.")


def _cells(line: str) -> list[str]:
    """Return the cells of a line; empty ones count where tabs, commas or semicolons part them."""
    text = line.rstrip("\r\n").lstrip("\ufeff")
    for separator in ("\t", ";", ","):
        if separator in text:
            return [cell.strip() for cell in text.split(separator)]
    return text.split()


def _wide_axis(line: str) -> np.ndarray | None:
    """Return the wavenumbers of a wide table's header, None for any other line."""
    cells = _cells(line)
    while cells and not cells[-1]:
        cells.pop()
    if len(cells) < 5 or sorted(cell.lower().lstrip("#") for cell in cells[:2]) not in (["", ""], ["x", "y"]):
        return None
    if not all(_NUMBER.match(cell) for cell in cells[2:]):
        return None
    return np.array(cells[2:], np.float64)


def _numbers(path: Path, start: int, columns: int) -> np.ndarray:
    """Return the numbers below the header, one row a line."""
    with path.open("r", encoding="utf-8", errors="replace") as file:
        lines = (re.sub(r"[\t;,]+", " ", line) for line in file)
        try:
            table = np.loadtxt(lines, skiprows=start, ndmin=2, comments=None)
        except ValueError as error:
            raise ReadError(f"{shown(path)}: the table cannot be read: {one_line(error)}") from error
    if table.shape[0] == 0 or table.shape[1] != columns:
        raise ReadError(f"{shown(path)}: lines have {table.shape[1]} numbers; {columns} are expected.")
    if not np.isfinite(table).all():
        raise ReadError(f"{shown(path)}: the table holds values that are not finite.")
    return table


def _long_table(path: Path, start: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (x, y, shifts, spectra) of a table with one intensity a line; every spectrum has the same shifts."""
    table = _numbers(path, start, 4)
    moved = np.flatnonzero((np.diff(table[:, 0]) != 0) | (np.diff(table[:, 1]) != 0))
    n_bands = int(moved[0]) + 1 if moved.size else len(table)
    if len(table) % n_bands:
        raise ReadError(f"{shown(path)} has {len(table)} lines, not a multiple of the {n_bands} of its first spectrum.")
    blocks = table.reshape(-1, n_bands, 4)
    if (blocks[:, :, :2] != blocks[:, :1, :2]).any() or (blocks[:, :, 2] != blocks[:1, :, 2]).any():
        raise ReadError(f"{shown(path)}: its spectra do not share one axis of {n_bands} wavenumbers.")
    return blocks[:, 0, 0], blocks[:, 0, 1], blocks[0, :, 2], blocks[:, :, 3]


def _wide_table(
    path: Path, start: int, header: str, axis: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return (x, y, shifts, spectra) of a table with one spectrum a line."""
    table = _numbers(path, start, len(axis) + 2)
    first = _cells(header)[0].lower().lstrip("#")
    x, y = (1, 0) if first == "y" else (0, 1)
    return table[:, x], table[:, y], axis, table[:, 2:]


def _on_grid(
    x: np.ndarray, y: np.ndarray, spectra: np.ndarray, path: Path
) -> tuple[np.ndarray, tuple[float, float] | None]:
    """Return the spectra as (y, x, band), NaN where none was measured, and the step in y and x where it is even."""
    columns, across = _places(x)
    rows, down = _places(y)
    height, width = int(rows.max()) + 1, int(columns.max()) + 1
    if height * width > _SPARSEST * len(x):
        raise ReadError(f"{shown(path)}: {len(x)} spectra lie on {height} x {width} places; they are no grid.")
    if len(np.unique(rows * width + columns)) != len(x):
        raise ReadError(f"{shown(path)} has two spectra at one place.")
    values = np.full((height, width, spectra.shape[1]), np.nan, np.float32)
    values[rows, columns] = spectra
    return values, (down, across) if down is not None and across is not None else None


def _places(positions: np.ndarray) -> tuple[np.ndarray, float | None]:
    """Return the place on the grid of every position, and the step where it is even."""
    order = np.argsort(positions, kind="stable")
    gaps = np.diff(positions[order])
    apart = gaps > _SAME * max(float(np.ptp(positions)), 1e-300)
    places = np.empty(len(positions), np.int64)
    places[order] = np.concatenate([[0], np.cumsum(apart)])
    steps = gaps[apart]
    even = steps.size and np.ptp(steps) <= 0.05 * steps.mean()
    return places, float(steps.mean()) if even else None
