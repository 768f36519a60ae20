"""By what files are known again: their size, their time of change and the SHA-256 of their content."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ..readers.families import files_of


@dataclass(frozen=True)
class Fingerprint:
    """One file: its path, size, time of change and, unless it was left out to save time, the SHA-256 of its content."""

    path: str
    bytes: int
    modified_ns: int
    sha256: str | None

    def as_dict(self) -> dict[str, Any]:
        """Return it for the manifest."""
        return asdict(self)


def size_of(path: Path) -> int:
    """Return the bytes of all files of an input; 0 for what cannot be looked at."""
    return sum(_size(file) for file in files_of(path))


def fingerprints(inputs: Iterable[Path], *, content: bool) -> list[Fingerprint]:
    """Return the fingerprints of every file of some inputs; with their content unless that was left out."""
    found = []
    for file in (file for path in inputs for file in files_of(path)):
        about = file.stat()
        digest = sha256_of(file) if content else None
        found.append(Fingerprint(os.path.abspath(file), about.st_size, about.st_mtime_ns, digest))
    return found


def same_inputs(recorded: Any, inputs: Iterable[Path], *, content: bool) -> bool:
    """Return whether inputs still are what the manifest recorded; sizes are compared before anything is read."""
    if not isinstance(recorded, list) or not all(isinstance(one, Mapping) for one in recorded):
        return False
    try:
        now = fingerprints(inputs, content=False)
        if [(one.path, one.bytes) for one in now] != [(one.get("path"), one.get("bytes")) for one in recorded]:
            return False
        if not content:
            return [one.modified_ns for one in now] == [one.get("modified_ns") for one in recorded]
        return [sha256_of(Path(one.path)) for one in now] == [one.get("sha256") for one in recorded]
    except OSError:
        return False


def output_record(folder: Path) -> dict[str, dict[str, Any]]:
    """Return size and SHA-256 of every file of an output folder, by its name."""
    return {
        file.relative_to(folder).as_posix(): {"bytes": file.stat().st_size, "sha256": sha256_of(file)}
        for file in files_of(folder)
    }


def same_outputs(recorded: Any, folder: Path, *, content: bool) -> bool:
    """Return whether an output folder holds exactly what the manifest recorded."""
    if not isinstance(recorded, Mapping) or not recorded or not folder.is_dir() or folder.is_symlink():
        return False
    try:
        names = {file.relative_to(folder).as_posix() for file in files_of(folder)}
        if names != set(recorded) or not all(isinstance(one, Mapping) for one in recorded.values()):
            return False
        if any(_size(folder / name) != one.get("bytes") for name, one in recorded.items()):
            return False
        return not content or all(sha256_of(folder / name) == one.get("sha256") for name, one in recorded.items())
    except OSError:
        return False


def sha256_of(file: Path) -> str:
    """Return the SHA-256 of a file's content."""
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def digest_of(parts: Iterable[bytes]) -> str:
    """Return the SHA-256 of several pieces of content, none of which can be mistaken for two."""
    whole = hashlib.sha256()
    for part in parts:
        whole.update(len(part).to_bytes(8, "little"))
        whole.update(part)
    return whole.hexdigest()


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
