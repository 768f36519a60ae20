"""Threads for calls that are given a whole matrix; blocks of an image have threads of their own."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import numpy as np

from ..errors import OptionError

T = TypeVar("T")
Item = TypeVar("Item")

_SPANS_A_THREAD = 4
_LEAST_ROWS = 8_000


def thread_count(threads: int | None) -> int:
    """Return the number of threads asked for, or that of the cores this process may use."""
    if threads is None:
        allowed = getattr(os, "sched_getaffinity", None)
        return len(allowed(0)) if allowed is not None else os.cpu_count() or 1
    if isinstance(threads, bool) or not isinstance(threads, (int, np.integer)) or threads < 1:
        raise OptionError(f"threads={threads!r} must be a whole number of at least 1.")
    return int(threads)


def over_rows(work: Callable[[slice], None], n_rows: int, threads: int) -> None:
    """Call ``work(rows)`` for spans that cover all rows; work that releases the interpreter lock runs side by side."""
    count = min(_SPANS_A_THREAD * threads, n_rows // _LEAST_ROWS)
    if threads == 1 or count < 2:
        return work(slice(0, n_rows))
    edges = np.linspace(0, n_rows, count + 1).astype(np.int64).tolist()
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(work, map(slice, edges[:-1], edges[1:])))
    return None


def each(work: Callable[[Item], T], items: Iterable[Item], threads: int) -> list[T]:
    """Return ``work(item)`` of every item, in order; side by side, with one BLAS thread each, as more only spin."""
    from threadpoolctl import threadpool_limits

    with threadpool_limits(limits=1, user_api="blas"), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, items))
