"""The spectrum under the mouse: looked at a few times a second, with the fit of the run that is shown."""

from __future__ import annotations

from typing import Any

import numpy as np
from qtpy.QtCore import QObject

from .curves import Curve, largest
from .latest import Latest
from .pacing import after
from .spectral_values import Measured

HERE, FIT = "here", "fit"
_THROTTLE_MS = 40


class UnderMouse(QObject):
    """Follows the mouse for the spectra dock.

    Parameters
    ----------
    dock : SpectraDock
        Whose plot, table and image are used.
    """

    def __init__(self, dock: Any) -> None:
        super().__init__(dock)
        self.dock = dock
        self.place: tuple[int, int] | None = None
        self._timer = after(self, _THROTTLE_MS, self.look)
        self._pixels = Latest(self)

    def moved(self, *_: Any) -> None:
        """Look soon; however often this is called."""
        if not self._timer.isActive():
            self._timer.start()

    def look(self) -> None:
        """Show the spectrum under the mouse; a file is read in a worker, memory is looked at at once."""
        dock = self.dock
        view, source = dock.view, dock.source
        if view is None or source not in dock.viewer.layers or not dock.isVisibleTo(dock.window()):
            return
        place = np.rint(np.asarray(source.world_to_data(dock.viewer.cursor.position))[-2:])
        self.place = int(place[0]), int(place[1])
        row, column, width = *self.place, dock.square_box.currentData()
        if view.in_memory:
            self._show(view.around(row, column, width))
        else:
            self._pixels.ask(lambda: view.around(row, column, width), self._show)

    def _show(self, measured: Measured | None) -> None:
        dock, plot = self.dock, self.dock.plot
        if measured is None or dock.view is None or self.place is None:
            for key in (HERE, FIT):
                plot.drop_curve(key)
            dock.table.show_amounts(None)
            dock.here_label.setText("")
            return
        explained = dock.view.explain(measured.spectrum)
        by = largest(measured.spectrum)
        plot.set_curve(dock.as_drawn(Curve(HERE, "here", measured.spectrum, plot.ink, 1.5), by))
        said = f"row {self.place[0]}, column {self.place[1]}"
        if explained is not None:
            fit = Curve(FIT, "its fit", explained.spectrum, plot.ink, 1.5, dashed=True)
            plot.set_curve(dock.as_drawn(fit, by))
            if explained.brightness is not None:
                said += f", brightness {explained.brightness:.2f}"
        dock.here_label.setText(said)
        dock.table.show_amounts(None if explained is None else explained.amounts)
