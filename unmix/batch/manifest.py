"""The manifest of a batch: one line of JSON an item, safe on disk before the item counts as done.

A line that was cut off by a crash is the last one and is dropped. What the manifest says is never trusted alone: an
item counts as done only where its files are what its line says (`unmix.batch.verify`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..errors import OptionError, WriteError, warn
from ..result import as_json
from ..writers.commit import reason, sync_folder

VERSION = 1

Record = Mapping[str, Any]


class Manifest:
    """The lines written so far, and the file that the next ones are appended to.

    Parameters
    ----------
    path : Path
        ``manifest.jsonl`` in the folder of a batch; it need not exist.

    Raises
    ------
    OptionError
        The file is of a newer version of unmix, or cannot be read.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.last: dict[str, Record] = {}
        self._end = self._load()

    def append(self, record: Record) -> None:
        """Add one line and make it safe on disk; where that fails the file is as it was."""
        line = (as_json(record) + "\n").encode()
        new = not self.path.exists()
        try:
            with open(self.path, "r+b" if not new else "xb", buffering=0) as file:
                file.truncate(self._end)  # what a crash left of a line
                file.seek(self._end)
                try:
                    _write_all(file, line)
                    os.fsync(file.fileno())
                except BaseException:
                    file.truncate(self._end)
                    raise
            if new:
                sync_folder(self.path.parent)
        except OSError as error:
            raise WriteError(reason(self.path, error)) from error
        self._end += len(line)
        self._remember(record)

    def _load(self) -> int:
        """Read the lines there are; return where the next one goes."""
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise OptionError(f"{self.path} cannot be read: {error.strerror or error}.") from error
        end = content.rfind(b"\n") + 1
        unread = [k for k, line in enumerate(content[:end].splitlines(), 1) if not self._understood(line)]
        if unread:
            warn(
                f"{self.path}: {len(unread)} line(s) make no sense, the first is line {unread[0]}; they are left out "
                "and what they spoke of is done again."
            )
        return end

    def _understood(self, line: bytes) -> bool:
        try:
            record = json.loads(line)
        except ValueError:
            return False
        if not isinstance(record, dict):
            return False
        if not isinstance(record.get("manifest", VERSION), int) or record.get("manifest", VERSION) > VERSION:
            raise OptionError(f"{self.path} was written by a newer unmix. Update unmix, or choose another folder.")
        return self._remember(record)

    def _remember(self, record: Record) -> bool:
        """Keep the last line of every item; return whether the line is of a kind that is known."""
        if "manifest" in record:
            return True
        name = record.get("item")
        if isinstance(name, str):
            self.last[name] = record
        return isinstance(name, str)


def _write_all(file: Any, content: bytes) -> None:
    done = 0
    while done < len(content):
        done += file.write(content[done:])
