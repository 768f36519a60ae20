"""Threads for calls that are given a whole matrix; blocks of an image have threads of their own."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from functools import lru_cache
from itertools import count
from queue import SimpleQueue
from typing import Any, TypeVar

import numpy as np

from ..errors import OptionError

T = TypeVar("T")
Item = TypeVar("Item")

_MOST: ContextVar[int | None] = ContextVar("most_threads", default=None)
_SPANS_A_THREAD = 4
_LEAST_ROWS = 1_250
"""Rows to solve that are worth handing to a thread."""


@contextmanager
def at_most_threads(threads: int | None) -> Iterator[None]:
    """Hold work that is not told how many threads to use to so many, such as writing in one of many workers."""
    before = _MOST.set(None if threads is None else thread_count(threads))
    try:
        yield
    finally:
        _MOST.reset(before)


def thread_count(threads: int | None) -> int:
    """Return the number of threads asked for, else of `at_most_threads`, else of the cores this process may use."""
    if threads is None:
        return _MOST.get() or _core_count()
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise OptionError(f"threads={threads!r} must be a whole number of at least 1.")
    return int(threads)


def _core_count() -> int:
    allowed = getattr(os, "sched_getaffinity", None)
    return len(allowed(0)) if allowed is not None else os.cpu_count() or 1


def over_rows(work: Callable[[slice], None], n_rows: int, threads: int, least: int = _LEAST_ROWS) -> None:
    """Call ``work(rows)`` for spans that cover all rows; work that releases the interpreter lock runs side by side.

    A thread has four spans of at least `least` rows: with less it costs more than it gains.
    """
    threads = min(threads, n_rows // (_SPANS_A_THREAD * least))
    if threads < 2:
        return work(slice(0, n_rows))
    edges = np.linspace(0, n_rows, _SPANS_A_THREAD * threads + 1).astype(np.int64).tolist()
    side_by_side(work, list(map(slice, edges[:-1], edges[1:])), threads)
    return None


def each(work: Callable[[Item], T], items: Iterable[Item], threads: int) -> list[T]:
    """Return ``work(item)`` of every item, in order; side by side, with one BLAS thread each, as more only spin."""
    with one_blas_thread():
        return side_by_side(work, list(items), threads)


def side_by_side(work: Callable[[Item], T], items: Sequence[Item], threads: int) -> list[T]:
    """Return ``work(item)`` of every item, in order. The caller works too: another thread takes time to wake.

    After an error no further item is begun.
    """
    others = min(threads, len(items)) - 1
    if others < 1:
        return [work(item) for item in items]
    places, failed = count(), threading.Event()
    results: dict[int, T] = {}

    def take_turns() -> None:
        while not failed.is_set() and (place := next(places)) < len(items):
            try:
                results[place] = work(items[place])
            except BaseException:
                failed.set()
                raise

    helps = [_Help(take_turns) for _ in range(others)]
    for one in helps:
        _requests().put(one)
    try:
        take_turns()
    finally:
        ends = [one.end() for one in helps]
    for error in ends:
        if error is not None:
            raise error
    return [results[place] for place in range(len(items))]


class _Help:
    """A call that another thread makes, unless it is called off before: what a future would be, for 0.1 ms less."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._taken = threading.Lock()
        self._outcome: SimpleQueue[BaseException | None] = SimpleQueue()

    def begin(self) -> None:
        """Make the call, if it was not called off."""
        if self._taken.acquire(blocking=False):
            try:
                self._work()
            except BaseException as error:
                self._outcome.put(error)
            else:
                self._outcome.put(None)

    def end(self) -> BaseException | None:
        """Call it off where it has not begun, else wait for its end; return its error."""
        return None if self._taken.acquire(blocking=False) else self._outcome.get()


@lru_cache(maxsize=1)
def _requests() -> SimpleQueue[_Help]:
    """Return where the threads that help wait; they stay, as starting one takes as long as 10,000 pixels."""
    requests: SimpleQueue[_Help] = SimpleQueue()

    def serve() -> None:
        while True:
            requests.get().begin()

    for _ in range(_core_count()):
        threading.Thread(target=serve, name="unmix", daemon=True).start()
    return requests


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_requests.cache_clear)


class _Limit:
    """How many are inside `one_blas_thread`, and what puts BLAS back when the last has left."""

    lock = threading.Lock()
    inside = 0
    restore: Callable[[], Any]


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Hold BLAS to one thread, for the whole process: the first to enter sets it, the last to leave puts it back."""
    with _Limit.lock:
        if _Limit.inside == 0:
            with _control_of_blas():
                limited = _libraries(len(sys.modules)).limit(limits=1, user_api="blas")
                _Limit.restore = limited.restore_original_limits
        _Limit.inside += 1
    try:
        yield
    finally:
        with _Limit.lock:
            _Limit.inside -= 1
            if _Limit.inside == 0:
                with _control_of_blas():
                    _Limit.restore()


@lru_cache(maxsize=1)
def _libraries(n_modules: int) -> Any:
    """Return what holds the libraries that are loaded; looked for again, which takes 2 ms, when modules were added."""
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


@contextmanager
def _control_of_blas() -> Iterator[None]:
    """Let this thread set the threads of BLAS: from 3.7 on threadpoolctl heeds the first that did as long as it lives.

    Ours come and go, and the one that sets is seldom the one that puts back.
    """
    from threadpoolctl import OpenBLASController

    let_go = getattr(OpenBLASController, "clear_controlling_thread", None)
    if let_go is None:
        yield
        return
    let_go(force=True)
    try:
        yield
    finally:
        let_go(force=True)
