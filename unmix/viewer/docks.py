"""The further docks and where they go: spectra below the image, exploring beside the panel."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

from qtpy.QtCore import Qt

from .entrance import Entrance, ExploreEntrance, SpectraEntrance
from .step import Step

_HEIGHT = 270
_AREAS = {"Spectra": "bottom", "Explore": "right"}
_ENTRANCES = {"Spectra": SpectraEntrance, "Explore": ExploreEntrance}


def open_dock(viewer: Any, name: str) -> Entrance:
    """Open a dock of unmix at once, or bring the open one to the front, and return it; see `opening_dock`."""
    deque(opening_dock(viewer, name), maxlen=0)
    docked = _docked(viewer, name)
    assert docked is not None
    return docked


def opening_dock(viewer: Any, name: str) -> Iterator[Step]:
    """Open a dock of unmix in steps, or bring the open one to the front; what is in it comes by itself.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    name : {'Spectra', 'Explore'}
        Which dock.
    """
    docked = _docked(viewer, name)
    if docked is not None:
        raise_dock(docked)
        return
    entrance = _ENTRANCES[name](viewer)
    dock = viewer.window.add_dock_widget(entrance, name=f"unmix {name.lower()}", area=_AREAS[name], tabify=True)
    yield Step.DRAW
    if _AREAS[name] == "bottom":
        _give_room(dock)
    dock.raise_()
    yield Step.DRAW


def _docked(viewer: Any, name: str) -> Entrance | None:
    """Return what is docked where a dock is open, opened by us or by napari's menu; None where it is not."""
    titles = (f"unmix {name.lower()}", f"{name} (unmix)")
    return next((one for title, one in viewer.window.dock_widgets.items() if title in titles), None)


def _give_room(dock: Any) -> None:
    """Make a dock below the image high enough for curves, and leave the layer list its height."""
    dock = getattr(dock, "__wrapped__", dock)  # Qt takes no proxies
    window = dock.window()
    if hasattr(window, "resizeDocks"):
        window.setCorner(Qt.Corner.BottomLeftCorner, Qt.DockWidgetArea.LeftDockWidgetArea)
        window.resizeDocks([dock], [max(_HEIGHT, window.height() // 3)], Qt.Orientation.Vertical)


def raise_dock(widget: Any) -> None:
    """Bring the dock that holds a widget to the front."""
    dock = widget.parent()
    while dock is not None and not hasattr(dock, "toggleViewAction"):
        dock = dock.parent()
    if dock is not None:
        dock.show()
        dock.raise_()
