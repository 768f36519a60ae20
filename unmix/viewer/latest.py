"""Questions answered in a worker, of which only the latest matters: while one is answered, the next one waits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from qtpy.QtCore import QObject

from .failure import answered, caught
from .workers import worker_for


class Latest(QObject):
    """At most one worker at a time, at most one question waiting.

    Parameters
    ----------
    parent : QObject
        When it goes, answers are no longer handed on.
    """

    def __init__(self, parent: QObject) -> None:
        super().__init__(parent)
        self._worker: Any = None
        self._waiting: tuple[Callable[[], Any], Callable[[Any], None]] | None = None
        self._answered: Callable[[Any], None] | None = None
        self._stale = False

    @property
    def busy(self) -> bool:
        """Whether an answer is still to come."""
        return self._worker is not None

    def ask(self, question: Callable[[], Any], answered: Callable[[Any], None]) -> None:
        """Have `question` called in a worker and `answered` with what it returns, in the window's thread."""
        if self._worker is not None:
            self._waiting, self._stale = (question, answered), True
            return
        self._answered, self._stale = answered, False
        self._worker = worker_for(caught(question))
        self._worker.returned.connect(self._take)
        self._worker.finished.connect(self._next)
        self._worker.start()

    def _take(self, answer: Any) -> None:
        if self._answered is not None and not self._stale:
            self._answered(answered(answer))

    def _next(self) -> None:
        self._worker = None
        if self._waiting is not None:
            waiting, self._waiting = self._waiting, None
            self.ask(*waiting)
