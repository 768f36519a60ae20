"""How much of the image has at least so much of an endmember."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSignalBlocker, Qt
from qtpy.QtWidgets import QCheckBox, QFormLayout, QSlider, QVBoxLayout, QWidget

from ..image import pixel_size
from .controls import combo, note
from .curves import theme_plot
from .exploring import area_said, area_share, heights, pixel_said, step_of
from .knobs import NumberBox, ignore_wheel
from .latest import Latest
from .layers import STAINED
from .overlay import Overlays, overlay
from .pacing import after
from .session import session_of

THRESHOLD = "threshold"
_STEPS = 500
_THROTTLE_MS = 60
_FADED = 0.75


@dataclass(frozen=True)
class _Above:
    """Which pixels reach a threshold, looked at in steps of some pixels, and what share of the valid ones they are."""

    mask: np.ndarray
    share: float
    n_pixels: int
    step: int


class ThresholdTab(QWidget):
    """A threshold on one map, the share of the pixels above it, and where these are."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self._top = 1.0
        self._counted: tuple[str, str] = ("", "")
        self._build()
        self._lay_out()
        self._later = after(self, _THROTTLE_MS, self.measure)
        self._areas, self._heights = Latest(self), Latest(self)
        self._overlays = Overlays(viewer, self)
        self.map_box.currentIndexChanged.connect(self._take_map)
        self.slider.valueChanged.connect(self._on_slider)
        self.number.valueChanged.connect(self._on_number)
        self.line.sigPositionChanged.connect(self._on_line)
        self.show_box.toggled.connect(self._on_show)
        theme, plot = viewer.events.theme, self.plot

        def retheme(_event: Any = None) -> None:
            theme_plot(plot, viewer.theme)

        retheme()
        theme.connect(retheme)
        self.destroyed.connect(lambda: theme.disconnect(retheme))

    def _build(self) -> None:
        self.map_box = combo("Which endmember's map is looked at.")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip("<qt>At least so much of the endmember.</qt>")
        ignore_wheel(self.slider)
        self.number = NumberBox(0.0, None, self)
        self.number.setToolTip("<qt>The threshold as a number.</qt>")
        self.show_box = QCheckBox("fade the rest of the image")
        self.show_box.setToolTip(
            "<qt>Leave only the pixels at or above the threshold as they are. Slides fade to white.</qt>"
        )
        self.show_box.setChecked(True)
        self.area_label = note("Share of the valid pixels at or above the threshold.")
        self.plot = pg.PlotWidget()
        self.plot.setToolTip("<qt>How often each value occurs, on a logarithmic scale. Drag the line.</qt>")
        self.plot.setMenuEnabled(False)
        self.plot.setMouseEnabled(x=False, y=False)
        self.plot.getPlotItem().hideButtons()
        self.plot.setFixedHeight(170)
        self.plot.hideAxis("left")
        self.bars = pg.PlotCurveItem(
            [0.0, 1.0], [0.0], stepMode="center", fillLevel=0, brush=(128, 128, 128, 150), pen=None
        )
        self.line = pg.InfiniteLine(movable=True, angle=90, pen=pg.mkPen("#ff2fd0", width=2))
        self.plot.addItem(self.bars)
        self.plot.addItem(self.line)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Map", self.map_box)
        form.addRow("At least", self.number)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.plot)
        column.addWidget(self.slider)
        column.addWidget(self.show_box)
        column.addWidget(self.area_label)
        column.addStretch(1)

    def refresh(self) -> None:
        """Offer the maps of the current run."""
        run, chosen = self.session.current, self.map_box.currentText()
        with QSignalBlocker(self.map_box):
            self.map_box.clear()
            self.map_box.addItems(list(run.names) if run is not None else [])
            self.map_box.setCurrentIndex(max(0, self.map_box.findText(chosen)))
        self._take_map(keep=bool(chosen) and self.map_box.currentText() == chosen)

    def _values(self) -> Any:
        """Return the chosen map as it is kept, None where there is none."""
        run, name = self.session.current, self.map_box.currentText()
        if run is None or name not in run.names:
            return None
        return run.result["abundances"].data[run.names.index(name)]

    def _take_map(self, *_: Any, keep: bool = False) -> None:
        layer = self.session.map_of(self.map_box.currentText())
        self._top = float(layer.contrast_limits[1]) if layer is not None else 1.0
        self.number.setSingleStep(self._top / 100)
        self._show_heights()
        if not keep:
            self.number.setValue(_short(self._top / 2))
        self._later.start()

    def _show_heights(self) -> None:
        """Draw how often each value occurs, where this map was not counted yet."""
        values, run = self._values(), self.session.current
        if values is None or run is None or self._counted == (run.run_id, self.map_box.currentText()):
            return
        self._counted = (run.run_id, self.map_box.currentText())
        top, step = self._top, step_of(values.shape)
        pure = next((one for one in self.session.endmembers if one.name == self.map_box.currentText()), None)

        def draw(counts: np.ndarray) -> None:
            self.bars.setData(np.linspace(0.0, top, len(counts) + 1), np.log10(1.0 + counts))
            if pure is not None:
                self.bars.setBrush(tuple(round(255 * part) for part in pure.colour))
            self.plot.setRange(xRange=(0.0, top), yRange=(0.0, float(np.log10(1.0 + counts.max()))), padding=0.02)

        self._heights.ask(lambda: heights(np.asarray(values[::step, ::step]), top), draw)

    def _on_slider(self, step: int) -> None:
        self.number.setValue(_short(step * self._top / _STEPS))

    def _on_line(self, *_: Any) -> None:
        self.number.setValue(_short(float(np.clip(self.line.value(), 0.0, self._top))))

    def _on_number(self, value: float) -> None:
        with QSignalBlocker(self.slider), QSignalBlocker(self.line):
            self.slider.setValue(min(_STEPS, round(value / self._top * _STEPS)))
            self.line.setValue(min(value, self._top))
        self._later.start()

    def _on_show(self, shown: bool) -> None:
        self._fade(shown)
        if shown:
            self._later.start()

    def _fade_if_asked(self) -> None:
        self._fade(self.show_box.isChecked())

    def _fade(self, shown: bool) -> None:
        run = self.session.current
        layer = None if run is None else overlay(self.viewer, run.source_id, THRESHOLD)
        if layer is not None:
            layer.visible = shown

    def measure(self) -> None:
        """Say how large the area is, and show it; counted in a worker."""
        values = self._values()
        if values is None or not self.isVisibleTo(self.window()):
            return
        threshold, step = self.number.value(), step_of(values.shape)

        def count() -> _Above:
            seen = np.asarray(values[::step, ::step])
            share, n_pixels = area_share(seen, threshold)
            return _Above((seen >= threshold).astype(np.uint8), share, n_pixels * step**2, step)

        self._areas.ask(count, self._show)

    def _show(self, above: _Above) -> None:
        run, source = self.session.current, self.session.source
        if run is None:
            return
        about = "about " if above.step > 1 else ""
        text = f"<b>{100 * above.share:.2f} %</b> of the valid pixels: {about}{above.n_pixels:,} pixels"
        size = pixel_size(run.result["residual"])
        if size is not None and all(np.isfinite(one) and one > 0 for one in size[:2]):
            text += f" of {pixel_said(size)}, {about}<b>{area_said(above.n_pixels, size)}</b>"
        self.area_label.setText(text + ".")
        if self.show_box.isChecked() and source is not None:
            ground = "white" if run.quantity in STAINED else "black"  # as the anchors' labels are to be read on
            colours = {None: "transparent", 0: ground, 1: "transparent"}
            look: dict[str, Any] = {"colormap": colours, "opacity": _FADED}
            self._overlays.put(source, THRESHOLD, above.mask, "labels", above.step, self._fade_if_asked, **look)


def _short(value: float) -> float:
    """Return a number with the few digits a threshold needs."""
    return float(f"{value:.4g}")
