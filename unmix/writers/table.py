"""The endmember table: comma-separated text that spreadsheets open without running anything."""

from __future__ import annotations

import csv
import io
import math
from pathlib import Path
from typing import Any

import xarray as xr

from ..conventions.spectral_axis import spectral_axis
from .commit import commit_bytes
from .facts import labels, source_path

_STARTS_A_FORMULA = ("=", "+", "-", "@")


def write_endmembers(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the endmembers as a table with the columns band, wavelength_nm, good, and one an endmember.

    Where the bands are no wavelengths, the second column is named after what they are, such as ``Raman shift (1/cm)``.

    Bands count from 1, as in ENVI, GDAL and QGIS; good is 1 or 0; numbers keep every digit; a value that is not known
    is empty. A name that a spreadsheet would run as a formula is preceded by an apostrophe. The text is UTF-8.
    """
    return commit_bytes(path, table_text(result).encode(), overwrite=overwrite, source=source_path(result))


def table_text(result: xr.Dataset) -> str:
    """Return the endmember table of a result as text."""
    n_bands = result.sizes["band"]
    coords = result.coords
    axis = spectral_axis(coords)
    positions = [math.nan] * n_bands if axis is None else axis.values.tolist()
    heading = "wavelength_nm" if axis is None or axis.unit == "nm" else axis.label
    good = coords["good_band"].values.tolist() if "good_band" in coords else [True] * n_bands
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["band", _not_a_formula(heading), "good", *map(_not_a_formula, labels(result))])
    for k, spectrum in enumerate(result["endmembers"].transpose("band", "endmember").values.tolist()):
        writer.writerow([k + 1, _number(positions[k]), int(good[k]), *map(_number, spectrum)])
    return text.getvalue()


def _number(value: Any) -> str:
    """Return a number with every digit, or nothing where it is NaN."""
    return "" if math.isnan(value) else repr(float(value))


def _not_a_formula(name: str) -> str:
    """Return `name` so that a spreadsheet shows it instead of computing it."""
    return f"'{name}" if name.startswith(_STARTS_A_FORMULA) else name
