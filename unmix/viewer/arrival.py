"""Files opened by hand: read in a worker, their layers put in place a step at a turn of the event loop.

A reader has to hand over all layers at once, and napari adds and draws all of them before it does anything else.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from napari.layers import Layer
from napari.layers._source import layer_source
from napari.utils.notifications import show_error
from qtpy.QtCore import QObject, QThread
from qtpy.QtWidgets import QMainWindow

from ..errors import UnmixError
from .failure import Failure, answered, caught
from .garbage import ShortSearches
from .loading import hand_over_units, load, load_what_shows_images
from .metadata import RUN_ROLES, LayerData, known_by
from .pacing import Paced
from .step import Step
from .workers import worker_for


class Arrivals(QObject):
    """The files on their way into one window; those of one opening after those of the one before.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    window : QMainWindow
        Its window; when it goes, nothing more arrives.
    """

    def __init__(self, viewer: Any, window: QMainWindow) -> None:
        super().__init__(window)
        self._viewer = weakref.ref(viewer)
        self._unread: deque[tuple[Callable[[], list[LayerData]], dict[str, Any]]] = deque()
        self._worker: Any = None
        self._waiting: deque[tuple[list[LayerData], dict[str, Any]]] = deque()
        self._steps = Paced(self)
        self._searches = ShortSearches(window)

    @property
    def busy(self) -> bool:
        """Whether something is being read or put in place."""
        return self._worker is not None or self._steps.busy

    def open(self, read: Callable[[], list[LayerData]], origin: dict[str, Any]) -> None:
        """Read layers in a worker, then put them into the viewer; `origin` is what they are said to come from."""
        self._unread.append((read, origin))
        self._searches.want(True)
        if self._worker is None:
            self._read_next()

    def _read_next(self) -> None:
        self._worker = None
        if self._unread:
            read, origin = self._unread.popleft()
            self._worker = worker_for(caught(lambda: (_read(read), origin)))
            self._worker.returned.connect(self._take)
            self._worker.finished.connect(self._read_next)
            self._worker.start()
        self._rest()

    def _rest(self) -> None:
        self._searches.want(self.busy)

    def _take(self, answer: tuple[list[LayerData] | str, dict[str, Any]] | Failure) -> None:
        layers, origin = answered(answer)
        if isinstance(layers, str):
            show_error(layers)
            return
        hand_over_units()
        self._waiting.append((layers, origin))
        if not self._steps.busy:
            self._steps.start(self._arriving(), self._rest)

    def _arriving(self) -> Iterator[Step]:
        from .opening import settle

        while self._waiting and (viewer := self._viewer()) is not None:
            layers, origin = self._waiting.popleft()
            yield from _said_to_come_from(origin, _showing(viewer, settle(layers)))


def arrivals_of(viewer: Any) -> Arrivals | None:
    """Return where files arrive that are opened by hand; None where a program opens them, which wants them at once.

    A program runs outside the event loop, or has a viewer without a window.
    """
    window = getattr(getattr(viewer, "window", None), "_qt_window", None)
    thread = QThread.currentThread()
    if not isinstance(window, QMainWindow) or thread is None or thread != window.thread() or not thread.loopLevel():
        return None
    there = window.findChild(Arrivals)
    return there if isinstance(there, Arrivals) else Arrivals(viewer, window)


def _showing(viewer: Any, layers: list[LayerData]) -> Iterator[Step]:
    """Add the images, then show the maps of a result as those of a run are shown; select what napari would."""
    from .show import adding, showing

    images, maps = [
        [one for one in layers if (known_by(one)["role"] in RUN_ROLES) is of_run] for of_run in (False, True)
    ]
    for image in images:
        layer = Layer.create(*image)
        if layer.ndim > viewer.dims.ndim:
            yield Step.HOLD
            viewer.dims.ndim = layer.ndim  # makes the sliders
        yield from adding(viewer.layers, layer)
        if layer in viewer.layers and layer.visible:
            viewer.layers.selection.active = layer
    if maps:
        yield from showing(viewer, maps)


def _said_to_come_from(origin: dict[str, Any], steps: Iterator[Step]) -> Iterator[Step]:
    """Take steps so that the layers they make are said to come from somewhere, as those that napari adds itself."""
    while True:
        with layer_source(**origin):
            step = next(steps, None)
        if step is None:
            return
        yield step


def _read(read: Callable[[], list[LayerData]]) -> list[LayerData] | str:
    """Load what opens and shows files, then return the layers, or in a sentence why there are none. In a worker."""
    load("opening")
    load("show")
    load_what_shows_images()
    try:
        return read()
    except UnmixError as error:
        return str(error)
