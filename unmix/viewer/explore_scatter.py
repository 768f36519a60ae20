"""Two abundances against each other, and back: a part of the plot marked on the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSignalBlocker, QTimer
from qtpy.QtWidgets import QFormLayout, QVBoxLayout, QWidget

from .controls import button, combo, note
from .curves import theme_plot
from .exploring import Scatter
from .latest import Latest
from .overlay import overlay, put_overlay
from .session import session_of

BRUSHED = "brushed"
_THROTTLE_MS = 60


class ScatterTab(QWidget):
    """How the pixels lie in the plane of two abundances; a polygon in it marks its pixels on the image."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self.scatter: Scatter | None = None
        self.polygon: Any = None
        self.x_box, self.y_box = (combo(f"The abundance on the {axis} axis.") for axis in ("horizontal", "vertical"))
        self.brush_button = button(
            "Brush", "Put a polygon on the plot: its pixels are marked on the image.", self.brush
        )
        self.brush_button.setCheckable(True)
        self.said_label = note("How many pixels are brushed.")
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.getPlotItem().hideButtons()
        self.plot.setMinimumHeight(200)
        self._picture = pg.ImageItem()
        self._picture.setColorMap(pg.colormap.get("viridis"))
        self._lay_out()
        self._counted = Latest(self)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_THROTTLE_MS)
        self._later.timeout.connect(self._mark)
        for box in (self.x_box, self.y_box):
            box.currentIndexChanged.connect(self._count)
        theme, plot = viewer.events.theme, self.plot

        def retheme(_event: Any = None) -> None:
            theme_plot(plot, viewer.theme)

        theme.connect(retheme)
        self.destroyed.connect(lambda: theme.disconnect(retheme))

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Horizontal", self.x_box)
        form.addRow("Vertical", self.y_box)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.plot, 1)
        column.addWidget(self.brush_button)
        column.addWidget(self.said_label)
        theme_plot(self.plot, self.viewer.theme)

    def refresh(self) -> None:
        """Offer the maps of the current run."""
        names = list(self.session.current.names) if self.session.current is not None else []
        for k, box in enumerate((self.x_box, self.y_box)):
            if [box.itemText(i) for i in range(box.count())] != names:
                with QSignalBlocker(box):
                    box.clear()
                    box.addItems(names)
                    box.setCurrentIndex(min(k, len(names) - 1))
        self._count()

    def _count(self, *_: Any) -> None:
        """Count the pairs of values, in a worker."""
        run = self.session.current
        x, y = self.x_box.currentIndex(), self.y_box.currentIndex()
        if run is None or min(x, y) < 0:
            return
        maps = run.result["abundances"].data
        self._counted.ask(lambda: Scatter(np.asarray(maps[x]), np.asarray(maps[y])), self._take)

    def _take(self, scatter: Scatter) -> None:
        self.scatter = scatter
        (left, right), (low, high) = scatter.x_limits, scatter.y_limits
        self._picture.setImage(np.log1p(scatter.counts.astype(np.float32)))
        self._picture.setRect(left, low, right - left, high - low)
        if self._picture.scene() is None:
            self.plot.addItem(self._picture)
        self.plot.setRange(xRange=(left, right), yRange=(low, high), padding=0.03)
        self.plot.getAxis("bottom").setLabel(self.x_box.currentText())
        self.plot.getAxis("left").setLabel(self.y_box.currentText())
        self._later.start()

    def brush(self, *_: Any) -> None:
        """Put the polygon on the plot, or take it away with its mark."""
        if self.polygon is not None:
            self.plot.removeItem(self.polygon)
            self.polygon = None
            layer = self._overlay()
            if layer is not None:
                layer.visible = False
            self.said_label.setText("")
        if not self.brush_button.isChecked() or self.scatter is None:
            return
        (left, right), (low, high) = self.scatter.x_limits, self.scatter.y_limits
        x, y = left + np.array([0.5, 0.95]) * (right - left), low + np.array([0.05, 0.5]) * (high - low)
        corners = [(x[0], y[0]), (x[1], y[0]), (x[1], y[1]), (x[0], y[1])]
        self.polygon = pg.PolyLineROI(corners, closed=True, pen=pg.mkPen("#ff2fd0", width=2))
        self.polygon.sigRegionChanged.connect(lambda *_: self._later.start())
        self.plot.addItem(self.polygon)
        self._later.start()

    def corners(self) -> np.ndarray:
        """Return the corners of the polygon (n, 2) in abundances."""
        places = [self.polygon.mapToParent(handle) for _, handle in self.polygon.getLocalHandlePositions()]
        return np.array([[place.x(), place.y()] for place in places])

    def _mark(self) -> None:
        """Mark the pixels inside the polygon on the image."""
        source = self.session.source
        if self.polygon is None or self.scatter is None:
            return
        mask = self.scatter.inside(self.corners())
        n_pixels = int(mask.sum())
        share = 100 * n_pixels / max(1, self.scatter.n_pixels)
        self.said_label.setText(f"<b>{n_pixels:,}</b> pixels in the polygon, {share:.1f} % of the valid ones.")
        if source is not None:
            put_overlay(
                self.viewer, source, BRUSHED, mask.astype(np.uint8), "labels",
                colormap={None: "transparent", 0: "transparent", 1: "#ff2fd0"}, opacity=0.8,
            )  # fmt: skip

    def _overlay(self) -> Any:
        run = self.session.current
        return None if run is None else overlay(self.viewer, run.source_id, BRUSHED)
