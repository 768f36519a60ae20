"""A file for a library that must not see a full disk.

HDF5 cannot close a file it failed to write to: the process crashes when it tries. Here a failed write is kept in
memory, the library goes on and closes cleanly, and whoever writes asks for the error and raises it.
"""

from __future__ import annotations

import io
from pathlib import Path
from types import TracebackType


class HeldFile:
    """A binary file that never fails to be written.

    Parameters
    ----------
    path : Path
        The file; it is emptied.

    Attributes
    ----------
    error : OSError or None
        The first failure. Everything written after it is held in memory and lost when the file is closed.
    """

    def __init__(self, path: Path) -> None:
        self._file = open(path, "w+b", buffering=0)  # noqa: SIM115  (closed by __exit__)
        self._held: list[tuple[int, bytes]] = []
        self._position = 0
        self._end = 0
        self.error: OSError | None = None

    def __enter__(self) -> HeldFile:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def raise_error(self) -> None:
        """Raise the first failure, if there was one."""
        if self.error is not None:
            raise self.error

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Move to a position and return it."""
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._end}[whence]
        self._position = start + offset
        return self._position

    def tell(self) -> int:
        """Return the position."""
        return self._position

    def write(self, data: bytes | bytearray | memoryview) -> int:
        """Write at the position, to the disk while that works; return the number of bytes."""
        content = memoryview(data).cast("B")
        if self.error is None:
            try:
                self._write_to_disk(content)
            except OSError as error:
                self.error = error
        if self.error is not None:
            self._held.append((self._position, bytes(content)))
        self._position += len(content)
        self._end = max(self._end, self._position)
        return len(content)

    def read(self, size: int = -1) -> bytes:
        """Return `size` bytes from the position, or all that follow it."""
        content = bytearray(max(0, self._end - self._position) if size < 0 else size)
        return bytes(content[: self.readinto(content)])

    def readinto(self, buffer: bytearray | memoryview) -> int:
        """Fill `buffer` from the position with what was written, on disk or held; return the number of bytes."""
        target = memoryview(buffer).cast("B")
        start, count = self._position, max(0, min(len(target), self._end - self._position))
        self._file.seek(start)
        stored = b""
        while len(stored) < count and (piece := self._file.read(count - len(stored))):
            stored += piece
        target[:count] = stored.ljust(count, b"\0")
        for offset, content in self._held:
            low, high = max(offset, start), min(offset + len(content), start + count)
            if low < high:
                target[low - start : high - start] = content[low - offset : high - offset]
        self._position += count
        return count

    def truncate(self, size: int | None = None) -> int:
        """Set the length of the file and return it."""
        self._end = self._position if size is None else size
        if self.error is None:
            try:
                self._file.truncate(self._end)
            except OSError as error:
                self.error = error
        return self._end

    def flush(self) -> None:
        """Do nothing: every write goes to the system at once."""

    def _write_to_disk(self, content: memoryview) -> None:
        """Write all of `content`, however many calls the system needs."""
        self._file.seek(self._position)
        done = 0
        while done < len(content):
            done += self._file.write(content[done:])
