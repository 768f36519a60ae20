"""Workers of napari's, waited for where a program ends without the event loop that would see to it."""

from __future__ import annotations

import atexit
from collections.abc import Callable
from contextlib import suppress
from functools import cache
from typing import Any

from napari.qt.threading import WorkerBase, create_worker
from qtpy import PYSIDE6

_LONGEST_STEP_MS = 30_000


def worker_for(work: Callable[..., Any], *given: Any) -> Any:
    """Return a worker that calls `work` with what is given once it is started."""
    _wait_at_the_end()
    return create_worker(work, *given, _start_thread=False)


@cache
def _wait_at_the_end() -> None:
    if not PYSIDE6:  # there, a worker may tell of its end when Qt is gone; with PyQt, that aborts the program
        atexit.register(await_workers)


def await_workers() -> None:
    """Have all workers stop, and wait for them."""
    with suppress(RuntimeError):  # one did not stop in time: the program ends all the same
        WorkerBase.await_workers(_LONGEST_STEP_MS)
