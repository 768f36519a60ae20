"""The mean spectra of what the user draws: measured anew in a worker whenever a drawing changes."""

from __future__ import annotations

from typing import Any

from qtpy import QtCore
from qtpy.QtCore import QObject

from .latest import Latest
from .pacing import after
from .regions import Region, finding_regions, is_drawing
from .spectral_values import Measured

_PAUSE_MS = 250


class RegionMeans(QObject):
    """Follows the drawings of a viewer.

    Parameters
    ----------
    dock : SpectraDock
        Whose image is measured.
    """

    changed: Any = QtCore.Signal()  # type: ignore[attr-defined, unused-ignore]
    """There are other regions, or other means of them."""

    def __init__(self, dock: Any) -> None:
        super().__init__(dock)
        self.dock = dock
        self.means: dict[str, tuple[Region, Measured]] = {}
        self.followed: dict[int, Any] = {}
        self._timer = after(self, _PAUSE_MS, self.measure)
        self._worker = Latest(self)

    @property
    def busy(self) -> bool:
        """Whether a measurement is still to come."""
        return self._timer.isActive() or self._worker.busy

    def follow(self, layer: Any) -> None:
        """Listen to a layer, if the user draws in it."""
        if is_drawing(layer) and id(layer) not in self.followed:
            self.followed[id(layer)] = layer
            for emitter in _changes_of(layer):
                emitter.connect(self.again)

    def let_go(self, layer: Any) -> None:
        """Listen to a layer no longer."""
        if self.followed.pop(id(layer), None) is not None:
            for emitter in _changes_of(layer):
                emitter.disconnect(self.again)

    def again(self, _event: Any = None) -> None:
        """Measure soon."""
        self._timer.start()

    def forget(self) -> None:
        """Drop what was measured, as it is of another image."""
        self.means = {}

    def measure(self) -> None:
        """Measure every region, in a worker."""
        view, source, layers = self.dock.view, self.dock.source, self.dock.viewer.layers
        if view is None or source is None or source not in layers:
            return
        if not self.means and not any(map(is_drawing, layers)):
            return
        find = finding_regions(list(layers), source, (view.image.sizes["y"], view.image.sizes["x"]))
        self._worker.ask(lambda: [(one, view.of_pixels(one.pixels)) for one in find()], self._take)

    def _take(self, means: list[tuple[Region, Measured | None]]) -> None:
        self.means = {region.key: (region, measured) for region, measured in means if measured is not None}
        self.changed.emit()


def farewell_to(followed: dict[int, Any], again: Any) -> None:
    """Disconnect every layer that is still followed; called when the dock is gone."""
    for layer in followed.values():
        for emitter in _changes_of(layer):
            emitter.disconnect(again)


def _changes_of(layer: Any) -> list[Any]:
    """Return the events of a drawing that change its regions or their colours."""
    names = ("data", "set_data", "labels_update", "paint", "edge_color", "face_color", "visible", "name")
    return [getattr(layer.events, name) for name in names if hasattr(layer.events, name)]
