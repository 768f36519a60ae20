"""Files that are opened anew for every window, but for a thread that reads many windows of one in turn."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import IO

Stamp = tuple[int, int]
"""Size and modification time of a file."""


@dataclass(frozen=True, eq=False)
class OpenFile:
    """A file to read bytes of, and its size and modification time as it was opened."""

    file: IO[bytes]
    stamp: Stamp

    def bytes_at(self, start: int, size: int) -> bytes:
        """Return some bytes of it."""
        self.file.seek(start)
        return self.file.read(size)


class _Kept(threading.local):
    """The files that this thread keeps open, by path, and what closes them; None where it keeps none."""

    files: tuple[dict[str, OpenFile], ExitStack] | None = None


_kept = _Kept()


@contextmanager
def files_kept_open() -> Iterator[None]:
    """Keep the files that this thread reads meanwhile open: to open one, other threads are let in, and waited for."""
    before = _kept.files
    with ExitStack() as closing:
        _kept.files = {}, closing
        try:
            yield
        finally:
            _kept.files = before


@contextmanager
def opened(path: str) -> Iterator[OpenFile]:
    """Open a file to read bytes of it, or take it where this thread keeps it open."""
    if _kept.files is None:
        with _opened(path) as one:
            yield one
    else:
        held, closing = _kept.files
        if path not in held:
            held[path] = closing.enter_context(_opened(path))
        yield held[path]


@contextmanager
def _opened(path: str) -> Iterator[OpenFile]:
    with open(path, "rb", buffering=0) as file:
        yield OpenFile(file, _stamp(os.fstat(file.fileno())))


def file_stamp(path: str) -> Stamp | None:
    """Return size and modification time of a file, or None where there is none."""
    try:
        return _stamp(os.stat(path))
    except OSError:
        return None


def _stamp(stat: os.stat_result) -> Stamp:
    return stat.st_size, stat.st_mtime_ns
