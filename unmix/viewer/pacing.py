"""Work of the window done a step at a turn of its event loop, so that it never stands still."""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject, Qt, QTimer
from qtpy.QtWidgets import QDockWidget, QMainWindow

from .show import Step

_DRAW_MS, _PAUSE_MS = 2, 8


class Paced(QObject):
    """Steps taken one at a time, with everything else the window has to do in between.

    What a step changes is drawn in a turn of its own: step and drawing together take longer than one ought to wait.

    Parameters
    ----------
    parent : QObject
        When it goes, the steps not yet taken are not taken.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._steps: Iterator[Step] = iter(())
        self._done: Callable[[], None] = _nothing
        self._busy = False
        self._timer = after(self, _PAUSE_MS, self._step)
        self._drawing: QTimer | None = None

    @property
    def busy(self) -> bool:
        """Whether there are steps left."""
        return self._busy

    def start(self, steps: Iterator[Step], done: Callable[[], None]) -> None:
        """Take `steps`, then call `done`; steps that were still to come are dropped."""
        self._steps, self._done, self._busy = steps, done, True
        self._find_window()
        self._step()

    def stop(self) -> None:
        """Take no more steps."""
        self._timer.stop()
        self._steps, self._busy = iter(()), False

    def _step(self) -> None:
        """Take a step; the next one is due once this one is drawn, or soon where it is not to be drawn by itself."""
        if not self._busy:
            return
        self._hold_drawing()
        then = Step.DRAW
        try:
            then = next(self._steps)
        except StopIteration:
            self.stop()
            self._done()
        except BaseException:
            self.stop()
            raise
        finally:
            (self._timer if then is Step.HOLD or self._drawing is None else self._drawing).start()

    def _find_window(self) -> None:
        """Find the window all this is in; the timer that draws belongs to it and outlives what is docked in it."""
        above: Any = self.parent()
        while above.parent() is not None:
            above = above.parent()
        if isinstance(above, QMainWindow) and (self._drawing is None or self._drawing.parent() is not above):
            window = weakref.ref(above)
            self._drawing = after(above, _DRAW_MS, lambda: _draw(window()))
            self._drawing.timeout.connect(self._timer.start)
            self.destroyed.connect(self._drawing.start)

    def _hold_drawing(self) -> None:
        """Let the window draw nothing slow until the step is done."""
        if self._drawing is not None:
            for widget in _slow_to_draw(self._drawing.parent()):
                widget.setUpdatesEnabled(False)


def _draw(window: Any) -> None:
    """Draw what was held; the canvas at once, before anything else can hold it again."""
    for widget in _slow_to_draw(window):
        widget.setUpdatesEnabled(True)
    window.centralWidget().repaint()


def _slow_to_draw(window: Any) -> list[Any]:
    """Return the widget with the canvas, and the docks beside it with the list of layers and their controls."""
    left = Qt.DockWidgetArea.LeftDockWidgetArea
    docks = window.findChildren(QDockWidget, options=Qt.FindChildOption.FindDirectChildrenOnly)
    docks = [dock for dock in docks if window.dockWidgetArea(dock) == left]
    return [window.centralWidget(), *docks]


def after(parent: QObject, pause_ms: int, what: Callable[[], object]) -> QTimer:
    """Return a timer that calls once, some time after it was started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(pause_ms)
    timer.timeout.connect(what)
    return timer


def _nothing() -> None:
    """Do nothing."""
