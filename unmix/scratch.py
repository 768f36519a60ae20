"""Room for large arrays: in memory within the budget, beyond it in a file that has no name.

A file without a name belongs to this process alone: it is gone when nothing refers to it any more, also after a crash.
Maps are kept in it as a `MapStore`, which is written block by block and read window by window.
"""

from __future__ import annotations

import errno
import math
import os
import shutil
import tempfile
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import numpy as np

from .errors import WriteError
from .indexing import span_of

_SHARE_OF_MEMORY = 4
_FALLBACK_BYTES = 4_000_000_000
_CHUNK_ROWS, _CHUNK_COLUMNS = 512, 4096
_BESIDE: ContextVar[str | os.PathLike[str] | None] = ContextVar("scratch_beside", default=None)
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}


def memory_budget(gigabytes: float | None = None) -> int:
    """Return how many bytes maps and coordinates may take in memory: as asked for, else a quarter of this machine's."""
    if gigabytes is not None:
        return int(gigabytes * 1e9)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // _SHARE_OF_MEMORY
    except (AttributeError, ValueError, OSError):
        return _FALLBACK_BYTES


def scratch_folder(out: str | os.PathLike[str] | None = None) -> Path:
    """Return where scratch files lie: on the disk of the output, or in the folder for temporary files (TMPDIR)."""
    out = _BESIDE.get() if out is None else out
    if out is None:
        return Path(tempfile.gettempdir())
    return next(folder for folder in (Path(out).absolute(), *Path(out).absolute().parents) if folder.is_dir())


@contextmanager
def scratch_beside(out: str | os.PathLike[str]) -> Iterator[None]:
    """Keep scratch files on the disk of an output while a run goes on that does not write it itself."""
    before = _BESIDE.set(out)
    try:
        yield
    finally:
        _BESIDE.reset(before)


def room_for(shape: Sequence[int], dtype: Any, budget: int, folder: Path | None = None) -> np.ndarray:
    """Return an empty array: in memory where it fits into `budget` bytes, else mapped onto a scratch file."""
    dtype = np.dtype(dtype)
    needed = math.prod(shape) * dtype.itemsize
    if needed <= budget:
        return np.empty(tuple(shape), dtype)
    file = _nameless(needed, folder or scratch_folder())
    with file:  # the mapping keeps the file alive
        return np.memmap(file, dtype, "r+", shape=tuple(shape))


class ScratchFile:
    """A file without a name that holds arrays at byte offsets; from any thread.

    Parameters
    ----------
    folder : Path
        On which disk.
    needed : int
        Bytes that will be written, for the check of the free space.
    size : int
        Length of the file to begin with; what is never written reads as zero and takes no disk.
    """

    def __init__(self, folder: Path, needed: int, size: int = 0) -> None:
        self.folder, self.needed = folder, needed
        self._file = _nameless(size, folder, needed)
        self._lock = threading.Lock()
        weakref.finalize(self, self._file.close)

    def write(self, values: np.ndarray, offset: int) -> None:
        """Write a contiguous array."""
        content, done = memoryview(values).cast("B"), 0
        try:
            while done < len(content):
                if hasattr(os, "pwrite"):
                    done += os.pwrite(self._file.fileno(), content[done:], offset + done)
                else:
                    with self._lock:
                        self._file.seek(offset + done)
                        done += self._file.write(content[done:])
        except OSError as error:
            if error.errno not in _FULL:
                raise
            raise _no_space(self.folder, self.needed) from error

    def read(self, values: np.ndarray, offset: int) -> np.ndarray:
        """Fill a contiguous array and return it."""
        content, done = memoryview(values).cast("B"), 0
        while done < len(content):
            if hasattr(os, "preadv"):
                taken = os.preadv(self._file.fileno(), [content[done:]], offset + done)
            else:
                with self._lock:
                    self._file.seek(offset + done)
                    taken = self._file.readinto(content[done:])
            if not taken:
                raise WriteError(f"a scratch file in {self.folder} was cut short. Check the disk and try again.")
            done += taken
        return values


class MapStore:
    """Maps (map, y, x) of float32 in a scratch file; what was never written reads as zero and takes no disk.

    Parameters
    ----------
    shape : (int, int, int)
        Maps, rows and columns.
    folder : Path, optional
        On which disk; the folder for temporary files when not given.
    filled : float
        Share of the pixels that will be written, for the check of the free space.
    """

    def __init__(self, shape: tuple[int, int, int], folder: Path | None = None, *, filled: float = 1.0) -> None:
        self.shape = shape
        self.dtype = np.dtype(np.float32)
        self.ndim = 3
        self.folder = folder or scratch_folder()
        size = math.prod(shape) * self.dtype.itemsize
        self._file = ScratchFile(self.folder, int(size * filled), size)

    def __setitem__(self, window: tuple[slice, slice, slice], values: np.ndarray) -> None:
        """Write the values (map, h, w) of a window without steps."""
        maps, rows, columns = (slice(*s.indices(n)[:2]) for s, n in zip(window, self.shape, strict=True))
        values = np.ascontiguousarray(values, self.dtype)
        if values.shape != (maps.stop - maps.start, rows.stop - rows.start, columns.stop - columns.start):
            raise ValueError(f"values of shape {values.shape} for the window {window}")
        whole_rows = values.shape[2] == self.shape[2]
        for k, one in enumerate(values, maps.start):
            if whole_rows:
                self._file.write(one, self._offset(k, rows.start, 0))
            else:
                for row, line in enumerate(one, rows.start):
                    self._file.write(line, self._offset(k, row, columns.start))

    def __getitem__(self, index: Any) -> np.ndarray:
        """Return the values at an index; only the window that it spans is read."""
        index = (index if isinstance(index, tuple) else (index,)) + (slice(None),) * 3
        spans = [span_of(one, size) for one, size in zip(index[:3], self.shape, strict=True)]
        (maps, _), (rows, _), (columns, _) = spans
        values = np.empty((maps.stop - maps.start, rows.stop - rows.start, columns.stop - columns.start), self.dtype)
        if values.size:
            whole_rows = values.shape[2] == self.shape[2]
            for k, one in enumerate(values, maps.start):
                if whole_rows:
                    self._file.read(one, self._offset(k, rows.start, 0))
                else:
                    for row, line in enumerate(one, rows.start):
                        self._file.read(line, self._offset(k, row, columns.start))
        return values[tuple(rest for _, rest in spans)]

    def lazy(self) -> Any:
        """Return the maps as a Dask array, in pieces of 512 rows and at most 4096 columns of one map."""
        import dask.array as da

        meta = np.empty((0, 0, 0), self.dtype)
        chunks = (1, _CHUNK_ROWS, _CHUNK_COLUMNS)
        return da.from_array(self, chunks=chunks, name=False, asarray=False, fancy=False, lock=False, meta=meta)

    def _offset(self, k: int, row: int, column: int) -> int:
        return ((k * self.shape[1] + row) * self.shape[2] + column) * self.dtype.itemsize


def _nameless(size: int, folder: Path, needed: int | None = None) -> Any:
    """Return an open file of `size` bytes that no name leads to; holes until it is written."""
    needed = size if needed is None else needed
    try:
        if shutil.disk_usage(folder).free < needed:
            raise _no_space(folder, needed)
        file: Any = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  (kept by its owner)
        file.truncate(size)
    except WriteError:
        raise
    except OSError as error:
        if error.errno in _FULL:
            raise _no_space(folder, needed) from error
        raise WriteError(
            f"no scratch file can be made in {folder}: {error.strerror or error}. Set TMPDIR, or give out=."
        ) from error
    return file


def _no_space(folder: Path, needed: int) -> WriteError:
    free = shutil.disk_usage(folder).free
    return WriteError(
        f"the maps need {needed / 1e9:.1f} GB in {folder}, which has {free / 1e9:.1f} GB free. "
        "Give out= (or TMPDIR) on a larger disk, or a larger memory=."
    )
