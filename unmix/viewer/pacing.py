"""Work of the window done a step at a turn of its event loop, so that it never stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import Any

from qtpy import QtCore
from qtpy.QtCore import QCoreApplication, QEvent, QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow

from .step import Step

_DRAW_MS, _PAUSE_MS = 2, 8


def _nothing() -> None:
    """Do nothing."""


class Paced(QObject):
    """Steps taken one at a time, with everything else the window has to do in between.

    What a step changes is drawn in turns of its own: step and drawing together take longer than one ought to wait.

    Parameters
    ----------
    parent : QObject
        When it goes, the steps not yet taken are not taken.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._steps: Iterator[Step] = iter(())
        self._done: Callable[[], None] = _nothing
        self._busy, self._then = False, Step.DRAW
        self._timer = after(self, _PAUSE_MS, self._step)
        self._drawing: Drawing | None = None

    @property
    def busy(self) -> bool:
        """Whether there are steps left."""
        return self._busy

    def start(self, steps: Iterator[Step], done: Callable[[], None] = _nothing) -> None:
        """Take `steps` from the next turn on, then call `done`; of those before, only what has begun is ended."""
        self._steps, self._done, self._busy = chain(_ending(self._steps, self._then), steps), done, True
        self._find_window()
        self._timer.start()

    def stop(self) -> None:
        """Take no more steps."""
        self._timer.stop()
        self._steps, self._busy, self._then = iter(()), False, Step.DRAW

    def _step(self) -> None:
        """Take a step; the next one is due once this one is drawn, or soon where it is not to be drawn by itself."""
        if not self._busy:
            return
        if self._drawing is not None:
            self._drawing.hold()
        self._then = Step.DRAW
        try:
            self._then = next(self._steps)
        except StopIteration:
            self.stop()
            self._done()
        except BaseException:
            self.stop()
            raise
        finally:
            if self._then is Step.DRAW and self._drawing is not None:
                self._drawing.start()
            else:
                self._timer.start()

    def _find_window(self) -> None:
        """Find the window all this is in; what draws belongs to it and outlives what is docked in it."""
        above: Any = self.parent()
        while above.parent() is not None:
            above = above.parent()
        if isinstance(above, QMainWindow) and (self._drawing is None or self._drawing.parent() is not above):
            self._drawing = Drawing(above)
            self._drawing.done.connect(self._timer.start)
            self.destroyed.connect(self._drawing.start)


def _ending(steps: Iterator[Step], then: Step) -> Iterator[Step]:
    """Take the steps that end what was begun."""
    if then is Step.GO_ON:
        for step in steps:
            yield step
            if step is not Step.GO_ON:
                return


class Drawing(QObject):
    """What is slow to draw in a window: held, and then drawn in two turns, first the canvas, then what is left of it.

    Parameters
    ----------
    window : QMainWindow
        Of napari: the canvas in the middle, on its left the docks with the list of layers and their controls.
    """

    done: Any = QtCore.Signal()  # type: ignore[attr-defined, unused-ignore]
    """All is drawn, or about to be."""

    def __init__(self, window: QMainWindow) -> None:
        super().__init__(window)
        self._canvas, self._docks = after(self, _DRAW_MS, self._draw_canvas), after(self, _DRAW_MS, self._draw_docks)

    def hold(self) -> None:
        """Draw none of it until told to."""
        for widget in (self._window().centralWidget(), *self._left_docks()):
            widget.setUpdatesEnabled(False)

    def start(self) -> None:
        """Draw what was held, soon."""
        self._canvas.start()

    def _draw_canvas(self) -> None:
        """Draw the canvas at once, before anything else can hold it again."""
        window = self._window()
        window.centralWidget().setUpdatesEnabled(True)
        QCoreApplication.sendPostedEvents(window, QEvent.Type.UpdateRequest)
        self._docks.start()

    def _draw_docks(self) -> None:
        for dock in self._left_docks():
            dock.setUpdatesEnabled(True)
        self.done.emit()

    def _window(self) -> Any:
        return self.parent()

    def _left_docks(self) -> list[Any]:
        window, left = self._window(), Qt.DockWidgetArea.LeftDockWidgetArea
        docks = window.findChildren(QDockWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
        return [dock for dock in docks if window.dockWidgetArea(dock) == left]


def after(parent: QObject, pause_ms: int, what: Callable[[], object]) -> QTimer:
    """Return a timer that calls once, some time after it was started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(pause_ms)
    timer.timeout.connect(what)
    return timer
