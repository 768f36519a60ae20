"""Work done in a thread of Python's own while a worker of napari's waits for it.

Qt's pool uses its threads again, and Python forgets what it kept for such a thread between two pieces of work. PROJ
does not: the second piece that asks for a coordinate reference system there ends the program.
"""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Generic, TypeVar

from .turns import short_turns

T = TypeVar("T")

_BEHIND = 5
"""How much nicer than the window's thread those are that compute: it is to have a processor whenever it wants one."""


class Once(Generic[T]):
    """Work that is done once and then let go: napari keeps what its workers call, with all it holds, to the end.

    Parameters
    ----------
    work : callable
        What is done; its name is what napari calls the worker.
    """

    def __init__(self, work: Callable[[], T]) -> None:
        self._work: Callable[[], T] | None = work
        self._name = str(work)

    def __str__(self) -> str:
        return self._name

    def __call__(self) -> T:
        work, self._work = self._work, None
        assert work is not None
        return in_own_thread(work)


def in_own_thread(work: Callable[[], T]) -> T:
    """Return what `work` returns, or raise what it raises; a program that ends does not wait for it."""
    done = Future[T]()

    def call() -> None:
        try:
            with short_turns():
                answer = work()
            done.set_result(answer)
        except BaseException as error:
            done.set_exception(error)

    threading.Thread(target=call, daemon=True).start()
    return done.result()


def give_way() -> None:
    """Let the window go first, from this thread and those it starts; on Linux each thread has a niceness of its own."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        os.setpriority(os.PRIO_PROCESS, thread, os.getpriority(os.PRIO_PROCESS, thread) + _BEHIND)
