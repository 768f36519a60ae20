"""A folder that is one output (Zarr), written as files are: beside its final name, synced, checked, then renamed."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from ..errors import UnmixError, WriteError
from .commit import check_outputs, reason, sync_folder, temporary_name

T = TypeVar("T")


def commit_folder(
    path: Path,
    fill: Callable[[Path], T],
    differences: Callable[[Path, T], str],
    *,
    overwrite: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> Path:
    """Write one folder so that it is either complete under its name or not there at all; see `commit.commit`."""
    check_outputs([path], overwrite=overwrite, source=source)
    temporary, old = temporary_name(path), temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.mkdir()
        written = fill(temporary)
        _sync(temporary)
        wrong = differences(temporary, written)
        if wrong:
            raise WriteError(f"{path}: {wrong} did not read back as written. Check the disk and try again.")
        check_outputs([path], overwrite=overwrite, source=source)
        if path.exists():
            os.rename(path, old)
        os.rename(temporary, path)
        sync_folder(path.parent)
    except UnmixError:
        raise
    except Exception as error:
        raise WriteError(reason(path, error)) from error
    finally:
        if old.exists() and not path.exists():
            os.rename(old, path)
        for leftover in (temporary, old):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(leftover)
    return path


def _sync(folder: Path) -> None:
    """Make every file in a folder safe on disk."""
    for parent, _, names in os.walk(folder):
        for name in names:
            with open(Path(parent) / name, "rb+") as file:
                os.fsync(file.fileno())
        sync_folder(Path(parent))
