"""The last step of an item: its waiting folder gets the final name at once; and what crashed runs left is cleared."""

from __future__ import annotations

import os
import re
import shutil
from pathlib import Path

from ..errors import WriteError
from ..writers.commit import reason, sync_folder, temporary_name

_LEFT_BEHIND = re.compile(r"\.\d+\.[0-9a-f]{8}\.partial$")


def publish(waiting: Path, final: Path) -> None:
    """Give a complete folder its final name; an earlier folder of that name goes."""
    old = waiting.with_name(temporary_name(waiting).name)  # where `sweep` looks
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        if final.exists():
            os.rename(final, old)
        os.rename(waiting, final)
        sync_folder(final.parent)
        if old.exists():
            shutil.rmtree(old)
    except OSError as error:
        raise WriteError(reason(final, error)) from error


def sweep(out: Path) -> int:
    """Remove every folder and file of an unfinished item; return how many there were.

    Only the run that holds the lock may do this.
    """
    found = [Path(entry.path) for entry in os.scandir(out) if _LEFT_BEHIND.search(entry.name)]
    for leftover in found:
        if leftover.is_dir() and not leftover.is_symlink():
            shutil.rmtree(leftover, ignore_errors=True)
        else:
            leftover.unlink(missing_ok=True)
    return len(found)
