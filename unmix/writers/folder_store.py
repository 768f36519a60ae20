"""A folder zarr writes into, and not a moment longer than it is asked to.

zarr writes in threads of its own, which go on after an error or Ctrl-C has left its call: the folder, removed by then,
would come back. Imported where zarr (extra ``zarr``) is known to be installed.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

from zarr.core.buffer import Buffer
from zarr.storage import LocalStore


@contextlib.contextmanager
def folder_store(folder: Path) -> Iterator[LocalStore]:
    """Give the store of a folder; when the block is left, however, nothing is being written or will be."""
    store = _FolderStore(folder)
    try:
        yield store
    finally:
        store.finish()


class _FolderStore(LocalStore):
    def __init__(self, root: Path | str, *, read_only: bool = False) -> None:
        super().__init__(root, read_only=read_only)
        self._state = threading.Condition()
        self._under_way, self._finished = 0, False

    def finish(self) -> None:
        """Refuse what comes from now on, and wait for what is being written; another Ctrl-C meanwhile waits as well."""
        self._finished = True
        try:
            self._wait()
        except KeyboardInterrupt:
            self._wait()
            raise

    def _wait(self) -> None:
        with self._state:
            self._state.wait_for(lambda: not self._under_way)

    async def set(self, key: str, value: Buffer) -> None:
        with self._one_write(key):
            await super().set(key, value)

    async def set_if_not_exists(self, key: str, value: Buffer) -> None:
        with self._one_write(key):
            await super().set_if_not_exists(key, value)

    def set_sync(self, key: str, value: Buffer) -> None:
        with self._one_write(key):
            super().set_sync(key, value)

    @contextlib.contextmanager
    def _one_write(self, key: str) -> Iterator[None]:
        with self._state:
            if self._finished:
                raise OSError(f"{key}: the folder is no longer written to.")
            self._under_way += 1
        try:
            yield
        finally:
            with self._state:
                self._under_way -= 1
                self._state.notify_all()
