"""The curves of the spectra dock as files: a table, or a figure on white paper with a legend."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..conventions.spectral_axis import SpectralAxis
from ..errors import WriteError
from ..materials.colours import readable
from ..writers.commit import commit_bytes
from .curves import Curve, broken_runs

KINDS = "Table (*.csv);;Picture (*.png);;Drawing (*.svg)"
_SIZE_INCHES = (7.0, 3.6)
_DPI = 200
_FEW_BANDS = 12


@dataclass(frozen=True)
class Plotted:
    """What the dock shows.

    Parameters
    ----------
    curves, drawn : sequence of Curve
        In values, and as they are drawn.
    axis : SpectralAxis, optional
        What the bands count.
    good : ndarray of bool, shape (n_bands,), or None
        Which bands are used.
    unit : str
        What the drawn values are.
    """

    curves: Sequence[Curve]
    drawn: Sequence[Curve]
    axis: SpectralAxis | None
    good: np.ndarray | None
    unit: str


def export_curves(path: Path, plotted: Plotted) -> None:
    """Write the curves as a table, or as a figure, by the ending of the name; CSV, PNG or SVG.

    Raises
    ------
    WriteError
        The ending is another one, or the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix not in (".csv", ".png", ".svg"):
        raise WriteError(f"{path.name}: spectra are exported as .csv, .png or .svg.")
    if suffix == ".csv":
        n_bands = len(plotted.curves[0].values) if plotted.curves else 0
        axis = plotted.axis
        heading = "" if axis is None else "wavelength_nm" if axis.unit == "nm" else axis.label
        known = {} if axis is None else {heading: np.asarray(axis.values, np.float64)}
        write_columns(path, {"band": np.arange(n_bands), **known}, plotted.curves)
    else:
        commit_bytes(path, _figure(plotted, suffix[1:]), overwrite=True)


def write_columns(path: Path, first: Mapping[str, np.ndarray], curves: Sequence[Curve]) -> None:
    """Write columns of numbers and the values of curves beside them as CSV; nothing where a curve has no value."""
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow([*first, *(curve.name for curve in curves)])
    for row in range(len(curves[0].values) if curves else 0):
        place = [repr(column[row].item()) for column in first.values()]
        values = [float(curve.values[row]) for curve in curves]
        table.writerow([*place, *("" if np.isnan(value) else repr(value) for value in values)])
    commit_bytes(path, text.getvalue().encode("utf-8"), overwrite=True)


def _figure(plotted: Plotted, kind: str) -> bytes:
    """Return a figure with axes and a legend; on white, colours too pale to be read are darkened."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    _draw(axes, plotted)
    axes.spines[["top", "right"]].set_visible(False)
    if plotted.drawn:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5), frameon=False, fontsize=8)
    picture = io.BytesIO()
    figure.savefig(picture, format=kind, dpi=_DPI)
    return picture.getvalue()


def _draw(axes: Any, plotted: Plotted) -> None:
    """Draw the curves over what the bands count."""
    n_bands = len(plotted.drawn[0].values) if plotted.drawn else 0
    x = np.arange(n_bands, dtype=float) if plotted.axis is None else plotted.axis.values
    order = np.argsort(x, kind="stable")
    if plotted.good is not None and n_bands:
        for start, stop in broken_runs(x[order], plotted.good[order]):
            axes.axvspan(start, stop, color="#EBEBEB", lw=0)
    marker = "o" if n_bands <= _FEW_BANDS else None
    for curve in plotted.drawn:
        colour = readable(curve.colour)
        style = "--" if curve.dashed else "-"
        axes.plot(x[order], curve.values[order], style, color=colour, lw=1.5, marker=marker, ms=4, label=curve.name)
        if curve.low is not None and curve.high is not None:
            axes.fill_between(x[order], curve.low[order], curve.high[order], color=colour, alpha=0.2, lw=0)
    if plotted.axis is None and n_bands == 3:
        axes.set_xticks(range(3), ["red", "green", "blue"])
    axes.set_xlabel("band" if plotted.axis is None else plotted.axis.label)
    axes.set_ylabel(plotted.unit)
