"""How the abundances change along a line drawn on the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyqtgraph as pg
from napari.utils.notifications import show_error, show_info
from qtpy.QtWidgets import QFileDialog, QHBoxLayout, QVBoxLayout, QWidget

from ..errors import UnmixError
from .controls import button, note
from .curves import Curve, theme_plot
from .drawing import LINE, drawing_line, drawn_layer
from .exploring import along_line
from .findings import named
from .pacing import Paced, after
from .placement import PIXEL
from .regions import line_of
from .session import session_of
from .spectra_files import write_columns

_THROTTLE_MS = 120


class ProfileTab(QWidget):
    """The abundances along the line drawn last."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self._profile: tuple[str, np.ndarray, list[Curve]] | None = None
        self.draw_button = button("Draw a line", "Draw a line on the image; the last one counts.", self._draw)
        self.export_button = button("Export…", "Save the values along the line as CSV.", self._export)
        self.said_label = note("What is shown.")
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.getPlotItem().hideButtons()
        self.plot.setMinimumHeight(180)
        self.plot.setMaximumHeight(420)
        buttons = QHBoxLayout()
        buttons.addWidget(self.draw_button, 1)
        buttons.addWidget(self.export_button)
        column = QVBoxLayout(self)
        column.addLayout(buttons)
        column.addWidget(self.plot, 1)
        column.addWidget(self.said_label)
        column.addStretch(0)
        self._later, self._drawing = after(self, _THROTTLE_MS, self.measure), Paced(self)
        self._watch()

    def _watch(self) -> None:
        viewer, again = self.viewer, self._again
        viewer.layers.events.connect(again)
        viewer.events.theme.connect(again)

        def farewell() -> None:
            viewer.layers.events.disconnect(again)
            viewer.events.theme.disconnect(again)

        self.destroyed.connect(farewell)

    def _again(self, _event: Any = None) -> None:
        self._later.start()

    def refresh(self) -> None:
        """Draw the profile of the current run."""
        self._again()

    def _draw(self, *_: Any) -> None:
        source = self.session.source
        if source is None:
            self.said_label.setText("The image of this run is not open.")
            return
        self._drawing.start(drawing_line(self.viewer, source), self._follow_line)

    def _follow_line(self) -> None:
        layer = drawn_layer(self.viewer, LINE)
        if layer is not None:
            layer.events.data.connect(self._again)

    def measure(self) -> None:
        """Draw the values along the line."""
        theme_plot(self.plot, self.viewer.theme)
        self.plot.clear()
        self._profile = self._along()
        self.export_button.setEnabled(self._profile is not None)
        if self._profile is None:
            self.said_label.setText("Draw a line on the image.")
            return
        title, distance, curves = self._profile
        for curve in curves:
            colour = tuple(round(255 * part) for part in curve.colour)
            self.plot.plot(distance, curve.values, pen=pg.mkPen(colour, width=2), connect="finite")
        self.plot.getAxis("bottom").setLabel(title)
        self.plot.getAxis("left").setLabel("abundance")
        names = "&nbsp; ".join(named(curve.name, curve.colour) for curve in curves)
        self.said_label.setText(f"{names}<br>{len(distance)} pixels along the line.")

    def _along(self) -> tuple[str, np.ndarray, list[Curve]] | None:
        """Return what the distance is called, the distances, and the abundances there; None without a line."""
        run, source = self.session.current, self.session.source
        layer = next((one for one in self.viewer.layers if one.name == LINE and one.visible), None)
        corners = None if layer is None or source is None else line_of(layer, source)
        if run is None or corners is None:
            return None
        distance, values = along_line(run.result["abundances"].data, corners)
        step, unit = float(source.scale[-1]), str(source.units[-1])
        curves = [
            Curve(pure.name, pure.name, np.asarray(values[run.names.index(pure.name)], np.float64), pure.colour)
            for pure in self.session.endmembers
            if pure.name in run.names
        ]
        return f"distance ({'pixels' if unit == PIXEL else unit})", distance * step, curves

    def _export(self, *_: Any) -> None:
        if self._profile is None:
            return
        name, _kind = QFileDialog.getSaveFileName(self, "Export profile", "profile.csv", "Table (*.csv)")
        if not name:
            return
        path = Path(name)
        title, distance, curves = self._profile
        try:
            write_columns(path if path.suffix else path.with_suffix(".csv"), {title: distance}, curves)
        except UnmixError as error:
            show_error(str(error))
            return
        show_info(f"Saved {path.name}.")
