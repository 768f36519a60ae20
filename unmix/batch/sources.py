"""Which files a batch works on, and what the output of each is called; what collides is refused before the start."""

from __future__ import annotations

import glob
import os
import re
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from ..errors import OptionError
from ..readers import image_suffixes

LOCK_NAME, MANIFEST_NAME, SHARED_NAME = "batch.lock", "manifest.jsonl", "shared_endmembers"
_PATTERN = re.compile(r"[*?\[]")
_NAME = "{name}"
_LONGEST_PART = 255
_LISTED_AT_MOST = 3


@dataclass(frozen=True)
class Item:
    """One file of a batch, its mask if it has one, and the name of its output folder, with ``/`` between folders."""

    name: str
    path: Path
    mask: Path | None = None

    @property
    def inputs(self) -> tuple[Path, ...]:
        """Return what its outputs depend on: the file and its mask."""
        return (self.path,) if self.mask is None else (self.path, self.mask)


def list_items(
    sources: Iterable[str | os.PathLike[str]] | str | os.PathLike[str],
    out: str | os.PathLike[str],
    mask: str | None = None,
) -> list[Item]:
    """Return the items of a batch in the order of their names.

    Parameters
    ----------
    sources : iterable of path, or path
        Files; folders, which are looked through with all they contain; and patterns with ``*``, ``?``, ``[...]`` or
        ``**``. What a folder or a pattern finds is named by its path below that folder, or below the part of the
        pattern without wildcards; a file given by itself by its own name. Suffixes are left out.
    out : path
        Folder of the outputs, not looked through.
    mask : str, optional
        What the mask of each file is called, with ``{name}`` for the file's own name without suffixes; beside the file
        unless it is an absolute path. Masks are no items.

    Returns
    -------
    list of Item
        Every file once.

    Raises
    ------
    OptionError
        A file does not exist, a pattern finds nothing, or the outputs of two files would have the same name.

    Examples
    --------
    >>> import tempfile
    >>> from unmix.batch.sources import list_items
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for name in ("b.tif", "a.png"):
    ...         _ = Path(folder, name).write_bytes(b"1")
    ...     [item.name for item in list_items([folder], folder + "/out")]
    ['a', 'b']
    """
    out = Path(out).absolute()
    sources = [sources] if isinstance(sources, (str, os.PathLike)) else sources
    found: dict[str, Item] = {}
    for source in sources:
        for item in _items_of(os.fspath(source), out):
            found.setdefault(os.path.realpath(item.path), item)
    items = sorted(found.values(), key=lambda item: item.name)
    if mask is not None:
        items = _with_masks(items, mask)
    _refuse_bad_names(items)
    _refuse_collisions(items)
    return items


def read_list(lines: Iterable[str]) -> list[str]:
    """Return the paths of a list, one a line; empty lines and lines that begin with ``#`` are left out."""
    return [line for line in (line.rstrip("\r\n") for line in lines) if line.strip() and not line.startswith("#")]


def _with_masks(items: Sequence[Item], pattern: str) -> list[Item]:
    """Return the items with their masks; a file that is the mask of another is no item."""
    named = [replace(one, mask=one.path.parent / pattern.replace(_NAME, _name(Path(one.path.name)))) for one in items]
    masks = {os.path.realpath(one.mask) for one in named if one.mask is not None}
    return [one for one in named if os.path.realpath(one.path) not in masks]


def _items_of(source: str, out: Path) -> Iterator[Item]:
    path = Path(source)
    if not source:
        raise OptionError("an input is empty. Give a file, a folder or a pattern.")
    if path.absolute() == out:
        raise OptionError(f"{source} is the folder of inputs and of outputs. Give another folder for the outputs.")
    if path.is_dir() and path.suffix.lower() != ".zarr":
        yield from (Item(_name(file.relative_to(path)), file) for file in _images_in(path, out))
    elif path.exists():
        yield Item(_name(Path(path.name)), path)
    elif _PATTERN.search(source):
        yield from _matches(source, out)
    else:
        raise OptionError(f"{source}: there is no such file or folder.")


def _matches(pattern: str, out: Path) -> Iterator[Item]:
    """Yield what a pattern finds, named by the path below its part without wildcards."""
    parts = Path(pattern).parts
    fixed = next(k for k, part in enumerate(parts) if _PATTERN.search(part))
    root = Path(*parts[:fixed]) if fixed else Path()
    files = [Path(text) for text in glob.glob(pattern, recursive=True)]
    files = sorted(file for file in files if _is_one_input(file) and not _within(file, out))
    if not files:
        raise OptionError(f"the pattern {pattern!r} finds no file.")
    yield from (Item(_name(file.relative_to(root)), file) for file in files)


def _images_in(folder: Path, out: Path) -> Iterator[Path]:
    """Yield the files below a folder whose names are those of images, in order; hidden ones are left out."""
    suffixes = image_suffixes()
    for parent, folders, names in os.walk(folder):
        stores = sorted(name for name in folders if name.lower().endswith(".zarr") and not name.startswith("."))
        folders[:] = sorted(
            name
            for name in folders
            if not name.startswith(".") and name not in stores and not _within(Path(parent, name), out)
        )
        yield from (Path(parent, name) for name in stores)
        for name in sorted(names):
            if not name.startswith(".") and name.lower().endswith(suffixes):
                yield Path(parent, name)


def _is_one_input(path: Path) -> bool:
    return path.is_file() or (path.is_dir() and path.suffix.lower() == ".zarr")


def _within(path: Path, folder: Path) -> bool:
    return path.absolute() == folder or folder in path.absolute().parents


def _name(relative: Path) -> str:
    """Return a path without its suffix (``.ome.tif`` is one suffix), with ``/`` between folders."""
    stem = relative.name[: -len(relative.suffix)] if relative.suffix else relative.name
    if stem.lower().endswith(".ome"):
        stem = stem[:-4]
    return "/".join([*relative.parts[:-1], stem])


def _refuse_bad_names(items: Sequence[Item]) -> None:
    for item in items:
        parts = item.name.split("/")
        if ".." in parts or "" in parts:
            raise OptionError(f"{item.path}: no output folder can be named after it. Rename it.")
        if any(len(os.fsencode(part)) > _LONGEST_PART for part in parts):
            raise OptionError(f"{item.path}: a part of its name has more than {_LONGEST_PART} bytes. Rename it.")
        if parts[0].casefold() in (LOCK_NAME, MANIFEST_NAME, SHARED_NAME) or parts[0].casefold().endswith(".partial"):
            raise OptionError(
                f"{item.path}: the output folder keeps the name {parts[0]!r} for itself. Rename the file."
            )


def _refuse_collisions(items: Sequence[Item]) -> None:
    """Refuse outputs that a file system without case would mix up, or of which one lies within the other."""
    seen: dict[str, Item] = {}
    clashes = []
    for item in items:
        other = seen.setdefault(_folded(item.name), item)
        if other is not item:
            clashes.append(f"{other.path} and {item.path}")
    for item in items:
        parts = _folded(item.name).split("/")
        above = (seen.get("/".join(parts[:k])) for k in range(1, len(parts)))
        clashes += [f"{other.path} and {item.path}" for other in above if other is not None]
    if clashes:
        more = f"; {len(clashes) - _LISTED_AT_MOST} more" if len(clashes) > _LISTED_AT_MOST else ""
        raise OptionError(
            f"outputs would have the same name: {'; '.join(clashes[:_LISTED_AT_MOST])}{more}. Rename one, or give the "
            "folder above them or a pattern in quotes: outputs are then named by the path below it."
        )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
