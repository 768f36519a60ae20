"""One run at a time in one folder.

The lock is held twice over: by the operating system, which lets go of it however a process ends, and by what the file
says, for other machines that share the disk. A lock of this machine whose process is gone is stale and is taken over;
one of another machine never is, because nobody here can know.
"""

from __future__ import annotations

import contextlib
import json
import os
import platform
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..errors import OptionError
from ..writers.commit import reason

_TRIES = 5
_LONGEST = 4096


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold the lock of a batch folder while the body runs.

    Raises
    ------
    OptionError
        Another run holds it, or it cannot be written; the message names the holder.
    """
    handle = _acquire(path)
    try:
        yield
    finally:
        try:
            with contextlib.suppress(OSError):
                os.unlink(path)
        finally:
            os.close(handle)


def _acquire(path: Path) -> int:
    for _ in range(_TRIES):
        try:
            handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise OptionError(reason(path, error)) from error
        try:
            if _taken(handle, path):
                return handle
        except BaseException:
            os.close(handle)
            raise
        os.close(handle)
    raise OptionError(f"{path} comes and goes: other runs start and end in this folder. Try again.")


def _taken(handle: int, path: Path) -> bool:
    """Take the lock; return False where its holder ended between our two calls and took the file with it."""
    alone = _only_holder(handle)
    if alone and not _still_there(handle, path):
        return False
    holder = _holder(handle)
    if not alone or (holder and holder.get("host") != platform.node()):
        raise OptionError(_refusal(path, holder))
    _sign(handle)
    return True


def _refusal(path: Path, holder: dict[str, Any]) -> str:
    who = f"process {holder.get('pid', '?')} on {holder.get('host', '?')}, since {holder.get('start', '?')}"
    return f"{path.parent} is in use by another run ({who}). Wait for it, or remove {path} if that run is gone."


def _holder(handle: int) -> dict[str, Any]:
    os.lseek(handle, 0, os.SEEK_SET)
    try:
        found = json.loads(os.read(handle, _LONGEST))
    except (ValueError, OSError):
        return {}
    return found if isinstance(found, dict) else {}


def _sign(handle: int) -> None:
    start = datetime.now(UTC).isoformat(timespec="seconds")
    os.lseek(handle, 0, os.SEEK_SET)
    os.truncate(handle, 0)
    os.write(handle, json.dumps({"pid": os.getpid(), "host": platform.node(), "start": start}).encode())
    os.fsync(handle)


def _still_there(handle: int, path: Path) -> bool:
    try:
        there = os.stat(path)
    except FileNotFoundError:
        return False
    return os.path.samestat(os.fstat(handle), there)


if sys.platform == "win32":
    import msvcrt

    def _only_holder(handle: int) -> bool:
        """Take the system's lock on a byte far behind what is written; return whether that worked."""
        os.lseek(handle, _LONGEST, os.SEEK_SET)
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _only_holder(handle: int) -> bool:
        """Take the system's lock; return whether that worked. On a disk without locks the holder's process decides."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        except OSError:
            return not _lives(_holder(handle).get("pid"))
        return True

    def _lives(pid: Any) -> bool:
        try:
            os.kill(pid, 0)
        except (ProcessLookupError, TypeError, OverflowError):
            return False
        except PermissionError:
            return True
        return bool(pid > 0)
