"""The curves of the spectra dock as files: a table, or a picture."""

from __future__ import annotations

import csv
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import WriteError
from .curves import Curve

KINDS = "Table (*.csv);;Picture (*.png);;Drawing (*.svg)"


def export_curves(path: Path, curves: Sequence[Curve], wavelengths: np.ndarray | None, plot: Any) -> None:
    """Write the curves as a table, or the plot as a picture, by the ending of the name; CSV, PNG or SVG.

    Raises
    ------
    WriteError
        The ending is another one, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".png", ".svg"):
        raise WriteError(f"{path.name}: spectra are exported as .csv, .png or .svg.")
    handle, name = tempfile.mkstemp(dir=path.parent if path.parent.is_dir() else None, suffix=suffix)
    os.close(handle)
    draft = Path(name)
    try:
        if suffix == ".csv":
            _write_table(draft, curves, wavelengths)
        else:
            _write_picture(draft, plot)
        os.replace(draft, path)
    except OSError as error:
        raise WriteError(f"{path.name} cannot be written: {error.strerror or error}.") from error
    finally:
        draft.unlink(missing_ok=True)


def _write_table(path: Path, curves: Sequence[Curve], wavelengths: np.ndarray | None) -> None:
    """Write one row a band: number, wavelength where known, the value of each curve or nothing where it has none."""
    n_bands = len(curves[0].values) if curves else 0
    first = ["band"] if wavelengths is None else ["band", "wavelength_nm"]
    with path.open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file)
        table.writerow([*first, *(curve.name for curve in curves)])
        for band in range(n_bands):
            place = [band] if wavelengths is None else [band, repr(float(wavelengths[band]))]
            values = [float(curve.values[band]) for curve in curves]
            table.writerow([*place, *("" if np.isnan(value) else repr(value) for value in values)])
        file.flush()
        os.fsync(file.fileno())


def _write_picture(path: Path, plot: Any) -> None:
    from pyqtgraph.exporters import ImageExporter, SVGExporter

    item = plot.getPlotItem()
    if path.suffix.lower() == ".svg":
        SVGExporter(item).export(str(path))
        return
    exporter = ImageExporter(item)
    exporter.parameters()["width"] = max(1600, int(exporter.parameters()["width"]))
    exporter.export(str(path))
