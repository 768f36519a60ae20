"""Work of the window done a step at a turn of its event loop, so that it never stands still."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from qtpy.QtCore import QObject, QTimer

_PAUSE_MS = 5


class Paced(QObject):
    """Steps taken one at a time, with everything else the window has to do in between.

    Parameters
    ----------
    parent : QObject
        When it goes, the steps not yet taken are not taken.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._steps: Iterator[None] = iter(())
        self._done: Callable[[], None] = _nothing
        self._timer = QTimer(self)
        self._timer.setInterval(_PAUSE_MS)
        self._timer.timeout.connect(self._step)

    @property
    def busy(self) -> bool:
        """Whether there are steps left."""
        return bool(self._timer.isActive())

    def start(self, steps: Iterator[None], done: Callable[[], None]) -> None:
        """Take `steps`, then call `done`; steps that were still to come are dropped."""
        self._steps, self._done = steps, done
        self._timer.start()
        self._step()

    def stop(self) -> None:
        """Take no more steps."""
        self._timer.stop()
        self._steps = iter(())

    def _step(self) -> None:
        try:
            next(self._steps)
        except StopIteration:
            self.stop()
            self._done()
        except BaseException:
            self.stop()
            raise


def after(parent: QObject, pause_ms: int, what: Callable[[], object]) -> QTimer:
    """Return a timer that calls once, some time after it was started."""
    timer = QTimer(parent)
    timer.setSingleShot(True)
    timer.setInterval(pause_ms)
    timer.timeout.connect(what)
    return timer


def _nothing() -> None:
    """Do nothing."""
