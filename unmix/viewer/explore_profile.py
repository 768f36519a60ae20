"""How the abundances change along a line drawn on the image."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy.QtCore import QTimer
from qtpy.QtWidgets import QVBoxLayout, QWidget

from .controls import button, note
from .curves import theme_plot
from .drawing import LINE, start_line
from .exploring import along_line
from .placement import PIXEL
from .regions import line_of
from .session import session_of

_THROTTLE_MS = 120


class ProfileTab(QWidget):
    """The abundances along the line drawn last."""

    def __init__(self, viewer: Any) -> None:
        super().__init__()
        self.viewer, self.session = viewer, session_of(viewer)
        self.draw_button = button("Draw a line", "Draw a line on the image; the last one counts.", self._draw)
        self.said_label = note("What is shown.")
        self.plot = pg.PlotWidget()
        self.plot.setMenuEnabled(False)
        self.plot.getPlotItem().hideButtons()
        self.plot.setMinimumHeight(180)
        column = QVBoxLayout(self)
        column.addWidget(self.draw_button)
        column.addWidget(self.plot, 1)
        column.addWidget(self.said_label)
        self._later = QTimer(self)
        self._later.setSingleShot(True)
        self._later.setInterval(_THROTTLE_MS)
        self._later.timeout.connect(self.measure)
        self._watch()

    def _watch(self) -> None:
        viewer, again = self.viewer, self._again
        viewer.layers.events.connect(again)
        viewer.events.theme.connect(again)
        self._line: Any = None

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
        layer = start_line(self.viewer, source)
        layer.events.data.connect(self._again)

    def measure(self) -> None:
        """Draw the values along the line."""
        theme_plot(self.plot, self.viewer.theme)
        self.plot.clear()
        run, source = self.session.current, self.session.source
        layer = next((one for one in self.viewer.layers if one.name == LINE and one.visible), None)
        corners = None if layer is None or source is None else line_of(layer, source)
        if run is None or corners is None:
            self.said_label.setText("Draw a line on the image.")
            return
        distance, values = along_line(run.result["abundances"].data, corners)
        step, unit = float(source.scale[-1]), str(source.units[-1])
        for pure in self.session.endmembers:
            if pure.name in run.names:
                colour = tuple(round(255 * part) for part in pure.colour)
                found = np.asarray(values[run.names.index(pure.name)])
                self.plot.plot(distance * step, found, pen=pg.mkPen(colour, width=2), connect="finite")
        self.plot.getAxis("bottom").setLabel(f"distance ({'pixels' if unit == PIXEL else unit})")
        self.plot.getAxis("left").setLabel("abundance")
        self.said_label.setText(f"{len(distance)} pixels along the line.")
