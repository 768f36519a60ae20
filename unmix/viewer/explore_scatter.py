"""Two abundances against each other, and back: a part of the plot marked on the image, the mouse marked in the plot."""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QSignalBlocker
from qtpy.QtWidgets import QFormLayout, QHBoxLayout, QVBoxLayout, QWidget

from .controls import button, combo, note
from .curves import theme_plot
from .exploring import Scatter, step_of
from .lasso import COLOUR, LassoBox
from .latest import Latest
from .overlay import Overlays, overlay
from .pacing import after
from .session import session_of

BRUSHED = "brushed"
_THROTTLE_MS = 60
_MARKED = {None: "transparent", 0: "transparent", 1: COLOUR}
_HINT = "Drag around points in the plot to mark their pixels on the image. The ring is the pixel under the mouse."


class ScatterTab(QWidget):
    """How the pixels lie in the plane of two abundances; a lasso in it marks its pixels on the image."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self.scatter: Scatter | None = None
        self._step = 1
        self.x_box, self.y_box = (combo(f"The abundance on the {axis} axis.") for axis in ("horizontal", "vertical"))
        self.clear_button = button("Clear", "Take the lasso and its mark away.", self.clear)
        self.said_label = note("How many pixels are brushed.")
        self.lasso = LassoBox()
        self.plot = pg.PlotWidget(viewBox=self.lasso)
        self.plot.getPlotItem().hideButtons()
        self.plot.setMinimumHeight(200)
        self.plot.setMaximumHeight(420)
        self._picture = pg.ImageItem()
        self._ring = pg.ScatterPlotItem(size=11, brush=None, pen=pg.mkPen("#ff2fd0", width=2))
        for item in (self._picture, self._ring):
            self.plot.addItem(item, ignoreBounds=True)
        self._lay_out()
        self._counted, self._marked, self._overlays = Latest(self), Latest(self), Overlays(viewer, self)
        self._later = after(self, _THROTTLE_MS, self._mark)
        self._soon = after(self, _THROTTLE_MS, self._follow_mouse)
        self.lasso.drawn.connect(self._again)
        for box in (self.x_box, self.y_box):
            box.currentIndexChanged.connect(self._count)
        self._watch()

    def _watch(self) -> None:
        viewer, held = self.viewer, weakref.ref(self)

        def moved(_viewer: Any, _event: Any) -> None:
            tab = held()
            if tab is not None and not tab._soon.isActive():
                tab._soon.start()

        def retheme(_event: Any = None) -> None:
            if (tab := held()) is not None:
                tab._style()

        viewer.mouse_move_callbacks.append(moved)
        viewer.events.theme.connect(retheme)

        def farewell() -> None:
            viewer.events.theme.disconnect(retheme)
            if moved in viewer.mouse_move_callbacks:
                viewer.mouse_move_callbacks.remove(moved)

        self.destroyed.connect(farewell)

    def _lay_out(self) -> None:
        form = QFormLayout()
        form.setFieldGrowthPolicy(QFormLayout.FieldGrowthPolicy.AllNonFixedFieldsGrow)
        form.addRow("Horizontal", self.x_box)
        form.addRow("Vertical", self.y_box)
        below = QHBoxLayout()
        below.addWidget(self.said_label, 1)
        below.addWidget(self.clear_button)
        column = QVBoxLayout(self)
        column.addLayout(form)
        column.addWidget(self.plot, 1)
        column.addLayout(below)
        column.addStretch(0)
        self.said_label.setText(_HINT)
        self._style()

    def _style(self) -> None:
        """Take the colours of the theme: points from faint to strong on the background."""
        ink = theme_plot(self.plot, self.viewer.theme)
        dark = ink.mean() > 0.5
        stops = ("#1d3b66", "#3f8fd2", "#ffe27a", "#ffffff") if dark else ("#bcd4ee", "#3f7fc4", "#7a2f8f", "#200818")
        table = pg.ColorMap(np.linspace(0, 1, len(stops)), [pg.mkColor(one) for one in stops]).getLookupTable(
            nPts=256, alpha=True
        )
        table[0, 3] = 0
        self._picture.setLookupTable(table)
        self._name_axes()

    def _name_axes(self) -> None:
        """Give each axis the name and the colour of its endmember."""
        colours = {pure.name: pure.colour for pure in self.session.endmembers}
        for side, box in (("bottom", self.x_box), ("left", self.y_box)):
            axis = self.plot.getAxis(side)
            axis.setLabel(box.currentText())
            if (colour := colours.get(box.currentText())) is not None:
                axis.setPen(pg.mkPen(tuple(round(255 * part) for part in colour), width=3))

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
        self._step = step = step_of(maps.shape[1:])
        self._counted.ask(
            lambda: Scatter(np.asarray(maps[x, ::step, ::step]), np.asarray(maps[y, ::step, ::step])), self._take
        )

    def _take(self, scatter: Scatter) -> None:
        self.scatter = scatter
        (left, right), (low, high) = scatter.x_limits, scatter.y_limits
        counts = np.log1p(scatter.counts.astype(np.float32))
        self._picture.setImage(counts, levels=(0.0, max(1.0, float(counts.max()))))
        self._picture.setRect(left, low, right - left, high - low)
        self.plot.setRange(xRange=(left, right), yRange=(low, high), padding=0.03)
        self._name_axes()
        self._again()

    def _again(self, *_: Any) -> None:
        if not self._later.isActive():
            self._later.start()

    def clear(self, *_: Any) -> None:
        """Take the lasso away with its mark."""
        self.lasso.set_corners([])
        self._show_mark()
        self.said_label.setText(_HINT)

    def _show_mark(self) -> None:
        """Let the mark be seen while there is a lasso."""
        run = self.session.current
        layer = None if run is None else overlay(self.viewer, run.source_id, BRUSHED)
        if layer is not None:
            layer.visible = len(self.lasso.corners) >= 3

    def _mark(self) -> None:
        """Find the pixels inside the lasso, in a worker, and mark them on the image."""
        scatter, corners = self.scatter, self.lasso.corners
        if len(corners) >= 3 and scatter is not None:
            self._marked.ask(lambda: scatter.inside(corners), lambda mask: self._show_marked(scatter, mask))

    def _show_marked(self, scatter: Scatter, mask: np.ndarray) -> None:
        source, n_pixels = self.session.source, int(mask.sum())
        if scatter is not self.scatter or len(self.lasso.corners) < 3:
            return
        share = 100 * n_pixels / max(1, scatter.n_pixels)
        about = "About " if self._step > 1 else ""
        self.said_label.setText(
            f"{about}<b>{n_pixels * self._step**2:,}</b> pixels in the lasso, {share:.1f} % of the valid ones."
        )
        if source is not None:
            look: dict[str, Any] = {"colormap": _MARKED, "opacity": 0.8}
            marked = mask.astype(np.uint8)
            self._overlays.put(source, BRUSHED, marked, "labels", self._step, self._show_mark, **look)

    def _follow_mouse(self) -> None:
        """Put a ring where the pixel under the mouse lies in the plot."""
        source = self.session.source
        if self.scatter is None or source is None or not self.isVisibleTo(self.window()):
            return
        place = np.rint(np.asarray(source.world_to_data(self.viewer.cursor.position))[-2:] / self._step).astype(int)
        pair = self.scatter.at(int(place[0]), int(place[1]))
        self._ring.setData(*([[], []] if pair is None else [[pair[0]], [pair[1]]]))
