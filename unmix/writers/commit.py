"""The one way anything is written: beside its final name, synced, re-opened, checked, and only then renamed.

Whatever happens before the rename - a full disk, a failed check, Ctrl-C - leaves the final name as it was and no
temporary file behind. After it, the output is complete.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from ..errors import OptionError, UnmixError, WriteError

T = TypeVar("T")

_LONGEST_NAME = 255
_LITTLE_SPACE = 1 << 20
_FULL = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_CANNOT_SYNC_FOLDERS = {errno.EINVAL, errno.ENOTSUP, errno.EACCES, errno.EBADF, errno.EISDIR, errno.ENOSYS}


def commit(
    path: str | os.PathLike[str],
    fill: Callable[[Path], T],
    differences: Callable[[Path, T], str],
    *,
    overwrite: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> Path:
    """Write one file so that it is either complete under its name or not there at all.

    Parameters
    ----------
    path : path
        The final name. Its folder is created where it is missing.
    fill : callable
        Called with a temporary path in the same folder; writes the file and returns what `differences` needs to know.
    differences : callable
        Called with the synced temporary path and what `fill` returned; re-opens the file and names what is not as it
        was written, such as ``"values"``; an empty string where all is well.
    overwrite : bool
        Replace an existing file.
    source : path, optional
        The file the result came from, which is never written over.

    Returns
    -------
    Path
        The final name.

    Raises
    ------
    WriteError
        The output exists, is a link or the input, cannot be written, or did not read back as it was written.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from unmix.writers.commit import commit_bytes
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     commit_bytes(Path(folder) / "note.txt", b"1").read_bytes()
    b'1'
    """
    path = Path(path)
    check_outputs([path], overwrite=overwrite, source=source)
    temporary = temporary_name(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        written = fill(temporary)
        _sync(temporary)
        wrong = differences(temporary, written)
        if wrong:
            raise WriteError(f"{path}: {wrong} did not read back as written. Check the disk and try again.")
        check_outputs([path], overwrite=overwrite, source=source)
        os.replace(temporary, path)
        sync_folder(path.parent)
    except UnmixError:
        raise
    except Exception as error:
        raise WriteError(reason(path, error)) from error
    finally:
        _remove(temporary)
    return path


def commit_bytes(
    path: str | os.PathLike[str],
    content: bytes,
    *,
    overwrite: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> Path:
    """Write `content` to one file, as `commit` does."""

    def fill(temporary: Path) -> bytes:
        with open(temporary, "wb") as file:
            file.write(content)
        return content

    def differences(temporary: Path, written: bytes) -> str:
        return "" if temporary.read_bytes() == written else "values"

    return commit(path, fill, differences, overwrite=overwrite, source=source)


def check_outputs(
    paths: Iterable[str | os.PathLike[str]],
    *,
    overwrite: bool = False,
    source: str | os.PathLike[str] | None = None,
) -> None:
    """Raise `WriteError` or `OptionError` for the first of `paths` that may not be written; touches nothing."""
    for path in map(Path, paths):
        _check_name(path)
        try:
            _check_target(path, overwrite, None if source is None else Path(source))
        except OSError as error:
            if isinstance(error, UnmixError):
                raise
            raise WriteError(reason(path, error)) from error


def temporary_name(path: Path) -> Path:
    """Return ``NAME.<pid>.<random>.partial`` beside `path`, NAME cut where the whole would exceed 255 bytes."""
    tail = f".{os.getpid()}.{secrets.token_hex(4)}.partial"
    name = os.fsencode(path.name)[: _LONGEST_NAME - len(tail)]
    return path.with_name(name.decode("utf-8", "ignore") + tail)


def _check_name(path: Path) -> None:
    """Refuse names that are not of a local file, or too long for one."""
    text = os.fspath(path)
    if re.match(r"^[A-Za-z][A-Za-z0-9+.-]+:/", text) or text.startswith(("/vsi", "\\\\.\\")):
        raise OptionError(f"output {text!r} is not a local file. Give a path on a mounted disk.")
    if "\0" in text or not path.name:
        raise OptionError(f"output {text!r} is not a file name.")
    length = len(os.fsencode(path.name))
    if length > _LONGEST_NAME:
        raise WriteError(f"output name {path.name[:40]}... has {length} bytes; a name has at most {_LONGEST_NAME}.")


def _check_target(path: Path, overwrite: bool, source: Path | None) -> None:
    """Refuse what stands under the final name already, unless it may be replaced."""
    if path.is_symlink():
        raise WriteError(f"output {path} is a symbolic link. Give the real file, or remove the link.")
    if not path.exists():
        _check_folder(path)
        return
    if source is not None and source.exists() and path.samefile(source):
        raise WriteError(f"output {path} is the input itself. Choose another name or folder.")
    if not path.is_file() and not (path.is_dir() and path.suffix.lower() == ".zarr"):
        raise WriteError(f"output {path} exists and is not a file. Choose another name.")
    if not overwrite:
        way = "Choose another name, or allow it to be replaced (overwrite=True, --overwrite)."
        raise WriteError(f"output {path} exists. {way}")


def _check_folder(path: Path) -> None:
    """Refuse a folder that cannot be written to or made, before any work is done."""
    folder = next(parent for parent in path.absolute().parents if os.path.lexists(parent))
    if not folder.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), os.fspath(folder))
    if not os.access(folder, os.W_OK | os.X_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), os.fspath(folder))


def _sync(path: Path) -> None:
    """Make the content of a file safe on disk."""
    with open(path, "rb+") as file:
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename safe on disk, where the system lets folders be synced."""
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in _CANNOT_SYNC_FOLDERS:
            raise


def _remove(temporary: Path) -> None:
    """Remove a temporary file and whatever a library put beside it under the same name."""
    # Where even this fails the disk is gone, and the error that led here says so better.
    with contextlib.suppress(OSError), os.scandir(temporary.parent) as entries:
        for leftover in [entry.path for entry in entries if entry.name.startswith(temporary.name)]:
            os.unlink(leftover)


def reason(path: Path, error: Exception) -> str:
    """Say in one line why a file could not be written and what to do about it."""
    code = error.errno if isinstance(error, OSError) else None
    free = _free_bytes(path)
    if code in _FULL or (code is None and free is not None and free < _LITTLE_SPACE):
        space = "" if free is None else f" ({free / 1e6:.1f} MB free)"
        return f"{path}: no space left on the disk{space}. Free some, or write to another disk."
    if code in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"{path}: {path.parent} may not be written to ({os.strerror(code)}). Choose another folder."
    if code in (errno.ENOTDIR, errno.EEXIST):
        return f"{path}: a part of {path.parent} is a file, not a folder. Choose another folder."
    said = os.strerror(code) if code else " ".join(str(error).split())
    return f"{path} could not be written: {said or type(error).__name__}."


def _free_bytes(path: Path) -> int | None:
    """Return the free space where `path` would be, or None where it cannot be known."""
    for folder in path.absolute().parents:
        if folder.is_dir():
            return shutil.disk_usage(folder).free
    return None
