"""How much of the image has at least so much of an endmember."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QSignalBlocker, Qt, QTimer
from qtpy.QtWidgets import QCheckBox, QFormLayout, QSlider, QVBoxLayout, QWidget

from ..image import pixel_size
from .controls import combo, note
from .exploring import area_share
from .knobs import NumberBox, ignore_wheel
from .overlay import overlay, put_overlay
from .session import session_of

THRESHOLD = "threshold"
_STEPS = 500
_THROTTLE_MS = 60


class ThresholdTab(QWidget):
    """A threshold on one map, the share of the pixels above it, and where these are."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self._top = 1.0
        self.map_box = combo("Which endmember's map is looked at.")
        self.slider = QSlider(Qt.Orientation.Horizontal)
        self.slider.setRange(0, _STEPS)
        self.slider.setToolTip("<qt>At least so much of the endmember.</qt>")
        ignore_wheel(self.slider)
        self.number = NumberBox(0.0, None, self)
        self.number.setToolTip("<qt>The threshold as a number.</qt>")
        self.show_box = QCheckBox("show on the image")
        self.show_box.setToolTip("<qt>Mark the pixels at or above the threshold.</qt>")
        self.show_box.setChecked(True)
        self.area_label = note("Share of the valid pixels at or above the threshold.")
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Map", self.map_box)
        form.addRow("At least", self.number)
        form.addRow("", self.slider)
        form.addRow("", self.show_box)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.area_label)
        column.addStretch(1)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_THROTTLE_MS)
        self._later.timeout.connect(self.measure)
        self.map_box.currentIndexChanged.connect(self._take_map)
        self.slider.valueChanged.connect(self._on_slider)
        self.number.valueChanged.connect(self._on_number)
        self.show_box.toggled.connect(self._on_show)

    def refresh(self) -> None:
        """Offer the maps of the current run."""
        run, chosen = self.session.current, self.map_box.currentText()
        with QSignalBlocker(self.map_box):
            self.map_box.clear()
            self.map_box.addItems(list(run.names) if run is not None else [])
            self.map_box.setCurrentIndex(max(0, self.map_box.findText(chosen)))
        self._take_map(keep=bool(chosen) and self.map_box.currentText() == chosen)

    def _values(self) -> np.ndarray | None:
        run, name = self.session.current, self.map_box.currentText()
        if run is None or name not in run.names:
            return None
        return np.asarray(run.result["abundances"].data[run.names.index(name)])

    def _take_map(self, *_: Any, keep: bool = False) -> None:
        layer = self.session.map_of(self.map_box.currentText())
        self._top = float(layer.contrast_limits[1]) if layer is not None else 1.0
        self.number.setSingleStep(self._top / 100)
        if not keep:
            self.number.setValue(round(self._top / 2, 4))
        self._later.start()

    def _on_slider(self, step: int) -> None:
        self.number.setValue(round(step * self._top / _STEPS, 6))

    def _on_number(self, value: float) -> None:
        with QSignalBlocker(self.slider):
            self.slider.setValue(min(_STEPS, round(value / self._top * _STEPS)))
        self._later.start()

    def _on_show(self, shown: bool) -> None:
        run = self.session.current
        layer = None if run is None else overlay(self.viewer, run.source_id, THRESHOLD)
        if layer is not None:
            layer.visible = shown
        if shown:
            self._later.start()

    def measure(self) -> None:
        """Say how large the area is, and show it."""
        values, source = self._values(), self.session.source
        if values is None or not self.isVisibleTo(self.window()):
            return
        threshold = self.number.value()
        share, n_pixels = area_share(values, threshold)
        self.area_label.setText(
            f"<b>{100 * share:.2f} %</b> of the valid pixels: {n_pixels:,} pixels{self._area(n_pixels)}"
        )
        if self.show_box.isChecked() and source is not None:
            mask = (np.nan_to_num(values, nan=-np.inf) >= threshold).astype(np.uint8)
            put_overlay(
                self.viewer, source, THRESHOLD, mask, "labels",
                colormap={None: "transparent", 0: "transparent", 1: "yellow"}, opacity=0.6,
            )  # fmt: skip

    def _area(self, n_pixels: int) -> str:
        """Return the area in the square of the image's unit, where it is calibrated."""
        run = self.session.current
        size = None if run is None else pixel_size(run.result["residual"])
        if size is None or not all(np.isfinite(step) and step > 0 for step in size[:2]):
            return ""
        return f", {n_pixels * size[0] * size[1]:,.6g} {size[2]}²"
