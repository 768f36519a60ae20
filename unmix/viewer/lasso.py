"""A plot on which dragging draws a closed line around points."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyqtgraph as pg
from qtpy import QtCore
from qtpy.QtCore import Qt

COLOUR = "#ff2fd0"


class LassoBox(pg.ViewBox):
    """The inside of a plot: the left button draws a lasso, the right one zooms, the wheel too."""

    drawn: Any = QtCore.Signal(object)  # type: ignore[attr-defined, unused-ignore]
    """The corners (n, 2) of the lasso, while it is drawn and when it is closed."""

    def __init__(self) -> None:
        super().__init__(enableMenu=False)
        self._corners: list[tuple[float, float]] = []
        self._outline = pg.PlotCurveItem(pen=pg.mkPen(COLOUR, width=2))
        self._outline.setZValue(10)
        self.addItem(self._outline, ignoreBounds=True)

    @property
    def corners(self) -> np.ndarray:
        """The corners (n, 2) of the lasso, none where there is none."""
        return np.array(self._corners, float).reshape(-1, 2)

    def set_corners(self, corners: Any) -> None:
        """Draw a lasso with these corners (n, 2); without any, take it away."""
        self._corners = [(float(x), float(y)) for x, y in corners]
        self._show()

    def mouseDragEvent(self, ev: Any, axis: Any = None) -> None:  # noqa: N802 (pyqtgraph's name)
        """Draw with the left button; leave the others to pyqtgraph."""
        if ev.button() != Qt.MouseButton.LeftButton:
            super().mouseDragEvent(ev, axis)
            return
        ev.accept()
        if ev.isStart():
            place = self.mapToView(ev.buttonDownPos())
            self._corners = [(place.x(), place.y())]
        place = self.mapToView(ev.pos())
        self._corners.append((place.x(), place.y()))
        self._show()

    def _show(self) -> None:
        corners = self.corners
        closed = np.vstack([corners, corners[:1]]) if len(corners) else corners
        self._outline.setData(closed[:, 0], closed[:, 1])
        self.drawn.emit(corners)
