"""The plot of spectra: one curve each, bad bands greyed, in the colours of napari's theme."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.theme import get_theme
from qtpy import QtCore
from qtpy.QtCore import Qt

from ..conventions.spectral_axis import SpectralAxis

_CHANNELS = ("red", "green", "blue")
_SPREAD_ALPHA = 70
_GREY = (128, 128, 128, 55)
_MARGIN, _NAMED_MARGIN = 0.02, 0.08
"""How much of the range is left free on either side; the name of a channel needs more, or it is not drawn."""


def theme_plot(plot: Any, name: str) -> np.ndarray:
    """Give a plot the colours of a napari theme; return the colour (3,) of its text, 0 to 1."""
    theme = get_theme(name)
    plot.setBackground(theme.canvas.as_hex() if name == "dark" else "white")
    ink = pg.mkColor(theme.text.as_hex())
    for side in ("left", "bottom"):
        axis = plot.getAxis(side)
        axis.setPen(ink)
        axis.setTextPen(ink)
        axis.autoSIPrefix = False  # enableAutoSIPrefix(False) would scale the values once more
    plot.getPlotItem().layout.setContentsMargins(2, 4, 8, 8)
    return np.array(ink.getRgbF()[:3])


@dataclass(frozen=True)
class Curve:
    """One line of the plot.

    Parameters
    ----------
    key : str
        What a click on it hands back.
    name : str
        What the legend calls it.
    values : ndarray, shape (n_bands,)
        NaN where there is none.
    colour : ndarray, shape (3,)
        Red, green and blue, 0 to 1.
    width : float
        Of the line, in pixels.
    dashed : bool
        Whether the line is broken.
    low, high : ndarray, shape (n_bands,), optional
        Edges of a shaded band around it.
    """

    key: str
    name: str
    values: np.ndarray
    colour: np.ndarray
    width: float = 2.0
    dashed: bool = False
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    def divided(self, by: float) -> Curve:
        """Return the curve with all its values divided by a number."""
        low, high = (None if edge is None else edge / by for edge in (self.low, self.high))
        return replace(self, values=self.values / by, low=low, high=high)


def largest(values: np.ndarray) -> float:
    """Return what a curve is divided by to be drawn to the common height."""
    top = float(np.nanmax(values)) if np.isfinite(values).any() else 1.0
    return top if top > 0 else 1.0


def broken_runs(x: np.ndarray, good: np.ndarray) -> list[tuple[float, float]]:
    """Return where runs of bands that are not used begin and end, halfway to their neighbours; x rises."""
    if not len(x):
        return []
    edges = np.concatenate([x[:1], (x[1:] + x[:-1]) / 2, x[-1:]])
    ends = np.flatnonzero(np.diff(np.concatenate([[False], ~good, [False]]).astype(np.int8)))
    return [(float(edges[a]), float(edges[b])) for a, b in zip(ends[::2], ends[1::2], strict=True)]


class SpectraPlot(pg.PlotWidget):
    """Spectra over what the bands count: wavelengths, Raman shifts, ...; over band numbers where it is not known."""

    curve_clicked: Any = QtCore.Signal(str)  # type: ignore[attr-defined, unused-ignore]

    def __init__(self, theme: str) -> None:
        super().__init__()
        self._items: dict[str, Any] = {}
        self._bands_around: dict[str, tuple[Any, ...]] = {}
        self._order = np.arange(0)
        self._x = np.arange(0.0)
        self._bad: list[Any] = []
        self._n_bands = 0
        self._told: tuple[str, tuple[float, ...], tuple[bool, ...]] | None = None
        self.setMenuEnabled(False)
        self.setMinimumSize(220, 110)
        self.getPlotItem().hideButtons()
        self.set_theme(theme)

    def set_theme(self, name: str) -> None:
        """Take the colours of a napari theme."""
        self.ink = theme_plot(self, name)

    def set_bands(self, axis: SpectralAxis | None, good: np.ndarray, unit: str) -> None:
        """Say what the bands are; bad ones are greyed. All curves go where these are others than before."""
        told = ("" if axis is None else axis.label, () if axis is None else tuple(axis.values), tuple(good))
        if told == self._told:
            self.set_unit(unit)
            return
        self._told = told
        self.clear()
        self._items.clear()
        self._bands_around.clear()
        self._n_bands = len(good)
        self._x = np.arange(len(good), dtype=float) if axis is None else np.asarray(axis.values, float)
        self._order = np.argsort(self._x, kind="stable")
        bottom = self.getAxis("bottom")
        few = axis is None and len(good) == len(_CHANNELS)
        bottom.setTicks([list(enumerate(_CHANNELS))] if few else None)
        bottom.setLabel("" if few else "band" if axis is None else axis.label)
        self.set_unit(unit)
        if len(good):
            margin = (_NAMED_MARGIN if few else _MARGIN) * max(float(np.ptp(self._x)), 1.0)
            self.setXRange(float(self._x.min()) - margin, float(self._x.max()) + margin, padding=0)
        self._grey(good[self._order])

    def set_unit(self, unit: str) -> None:
        """Say what the values are."""
        self.getAxis("left").setLabel(unit)

    def set_curves(self, curves: Sequence[Curve]) -> None:
        """Draw these curves; those not named go."""
        curves = [curve for curve in curves if len(curve.values) == self._n_bands]
        for key in set(self._items) - {curve.key for curve in curves}:
            self.drop_curve(key)
        for curve in curves:
            self.set_curve(curve)

    def set_curve(self, curve: Curve) -> None:
        """Draw one curve, in place of the one with its key."""
        if len(curve.values) != self._n_bands:
            return
        style = Qt.PenStyle.DashLine if curve.dashed else Qt.PenStyle.SolidLine
        pen = pg.mkPen(tuple(round(255 * part) for part in curve.colour), width=curve.width, style=style)
        item = self._items.get(curve.key)
        few = self._n_bands <= 12
        if item is None:
            item = pg.PlotDataItem(connect="finite", symbolSize=6, pxMode=True)
            item.setCurveClickable(True, width=8)
            item.sigClicked.connect(lambda *_, key=curve.key: self.curve_clicked.emit(key))
            self.addItem(item)
            self._items[curve.key] = item
        item.setData(self._x[self._order], curve.values[self._order])
        item.setPen(pen)
        item.setSymbol("o" if few else None)
        if few:
            item.setSymbolBrush(pen.color())
            item.setSymbolPen(None)
        self._shade(curve)

    def _shade(self, curve: Curve) -> None:
        """Draw the band around a curve, where it has one."""
        for item in self._bands_around.pop(curve.key, ()):
            self.removeItem(item)
        if curve.low is None or curve.high is None:
            return
        x = self._x[self._order]
        edges = [pg.PlotCurveItem(x, edge[self._order], pen=None, connect="finite") for edge in (curve.low, curve.high)]
        colour = (*(round(255 * part) for part in curve.colour), _SPREAD_ALPHA)
        band = pg.FillBetweenItem(*edges, brush=pg.mkBrush(colour))
        band.setZValue(-5)
        for item in (*edges, band):
            self.addItem(item)
        self._bands_around[curve.key] = (*edges, band)

    def drop_curve(self, key: str) -> None:
        """Take a curve away."""
        if key in self._items:
            self.removeItem(self._items.pop(key))
        for item in self._bands_around.pop(key, ()):
            self.removeItem(item)

    @property
    def keys(self) -> tuple[str, ...]:
        """The keys of the curves drawn."""
        return tuple(self._items)

    def _grey(self, good: np.ndarray) -> None:
        """Shade the runs of bands that are not used."""
        for edges in broken_runs(self._x[self._order], good):
            shade = pg.LinearRegionItem(edges, movable=False, brush=_GREY, pen=pg.mkPen(None))
            shade.setZValue(-10)
            self.addItem(shade)
