"""Ctrl-C and SIGTERM: the first stops in an orderly way, the second at once."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class _Dropped(BaseException):
    """Unwinds the item that is being worked on."""


class Stopping:
    """Notices signals while a batch runs; outside the main thread it notices none.

    ``signal`` is the number of the first one, None while there is none.
    """

    def __init__(self) -> None:
        self.signal: int | None = None
        self._droppable = False

    def __bool__(self) -> bool:
        return self.signal is not None

    @contextmanager
    def noticed(self) -> Iterator[None]:
        """Notice signals while the body runs."""
        if threading.current_thread() is not threading.main_thread():
            yield
            return
        before = {number: signal.signal(number, self._notice) for number in _SIGNALS}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    @contextmanager
    def droppable(self) -> Iterator[None]:
        """Let the first signal end the body at once; elsewhere it only is noted, so that nothing is half-recorded."""
        self._droppable = True
        try:
            if self:
                raise _Dropped
            yield
        except _Dropped:
            self._droppable = False
        finally:
            self._droppable = False

    def check(self) -> None:
        """End the body of `droppable` from within; a compiler in the middle of its work can swallow an exception."""
        if self:
            raise _Dropped

    def _notice(self, number: int, frame: Any) -> None:
        if self.signal is not None:
            signal.signal(number, signal.SIG_DFL)
            os.kill(os.getpid(), number)
        self.signal = number
        if self._droppable:
            raise _Dropped
