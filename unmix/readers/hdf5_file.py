"""HDF5 files as they are read here: opened and closed for every window, and nothing outside of them followed.

External and soft links, external storage and virtual datasets are refused; sizes are checked before anything is read.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ..conventions.grid_mapping import plain_text
from ..errors import ReadError
from .limits import check_decoded_size
from .naming import one_line, shown
from .stored_cube import StoredCube

_MAX_OBJECTS = 10_000


class Hdf5Cube(StoredCube):
    """A dataset of an HDF5 file as (y, x, band)."""

    @classmethod
    def of(cls, dataset: Any, path: Path, axes: tuple[int, int, int]) -> Hdf5Cube:
        """Describe a dataset; the file may be closed afterwards."""
        check_stored_here(dataset, path)
        shape = tuple(int(size) for size in dataset.shape)
        y, x, _ = axes
        grain = (1, shape[x]) if dataset.chunks is None else (dataset.chunks[y], dataset.chunks[x])
        if dataset.chunks is not None:
            check_decoded_size(path, dataset.chunks, dataset.dtype, f"one chunk of {dataset.name!r}")
        return cls(str(path), dataset.name, dataset.dtype, shape, axes, grain)

    @classmethod
    def flat(cls, dataset: Any, path: Path) -> Hdf5Cube:
        """Describe a layer (y, x) as a cube of one band; axes of length 1 before them are passed over."""
        check_stored_here(dataset, path)
        if dataset.ndim < 2 or any(size != 1 for size in dataset.shape[:-2]) or dataset.dtype.kind not in "uifb":
            raise ReadError(f"{shown(path)}, dataset {dataset.name!r} is no layer of one number a pixel.")
        shape = tuple(int(size) for size in dataset.shape)
        grain = (1, shape[-1]) if dataset.chunks is None else tuple(dataset.chunks[-2:])
        if dataset.chunks is not None:
            check_decoded_size(path, dataset.chunks, dataset.dtype, f"one chunk of {dataset.name!r}")
        dtype = np.dtype(np.uint8) if dataset.dtype.kind == "b" else dataset.dtype
        return cls(str(path), dataset.name, dtype, shape, (len(shape) - 2, len(shape) - 1, -1), grain)

    def stored(self, window: tuple[Any, ...]) -> np.ndarray:
        with opened(Path(self.path)) as file:
            dataset = file[self.name]
            check_stored_here(dataset, Path(self.path))
            return np.asarray(dataset[window])


@contextmanager
def opened(path: Path) -> Iterator[Any]:
    """Open an HDF5 file for reading; what goes wrong inside is a `ReadError` with the file's name."""
    import h5py

    try:
        file = h5py.File(path, "r", locking="best-effort")
    except (OSError, ValueError, RuntimeError) as error:
        raise ReadError(f"{shown(path)} is damaged or not an HDF5 file: {one_line(error)}") from error
    with file:
        try:
            yield file
        except (KeyError, RuntimeError) as error:
            raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error


def datasets_of(file: Any, path: Path) -> dict[str, Any]:
    """Return the datasets a file itself holds, by full name; links that lead elsewhere are not followed."""
    import h5py

    found: dict[str, Any] = {}
    groups, seen = [("", file)], {h5py.h5o.get_info(file.id).addr}
    for prefix, group in groups:
        for name in group:
            if not isinstance(group.get(name, getlink=True), h5py.HardLink):
                continue
            item = group[name]
            address = h5py.h5o.get_info(item.id).addr
            if isinstance(item, h5py.Group) and address not in seen:
                groups.append((f"{prefix}{name}/", item))
            elif isinstance(item, h5py.Dataset) and item.shape is not None:
                found[f"{prefix}{name}"] = item
            seen.add(address)
            if len(seen) > _MAX_OBJECTS:
                raise ReadError(f"{shown(path)} holds more than {_MAX_OBJECTS} objects.")
    return found


def is_bare_dimension(dataset: Any) -> bool:
    """Return whether a dataset only gives a dimension of NetCDF its length and holds no numbers."""
    return plain_text(dataset.attrs.get("NAME")).startswith("This is a netCDF dimension but not a netCDF variable")


def check_stored_here(dataset: Any, path: Path) -> None:
    """Raise `ReadError` where the numbers of a dataset are in other files, or nowhere."""
    name = f"{shown(path)}, dataset {dataset.name!r}"
    if dataset.external:
        raise ReadError(f"{name} keeps its numbers in another file, which is never opened.")
    if dataset.is_virtual:
        raise ReadError(f"{name} is virtual: it names other files, which are never opened.")
    if dataset.id.get_storage_size() == 0:
        raise ReadError(f"{name} declares {' x '.join(map(str, dataset.shape))} numbers and holds none.")


def plain_array(dataset: Any, path: Path) -> np.ndarray:
    """Return a dataset whole, checked first."""
    check_stored_here(dataset, path)
    check_decoded_size(path, dataset.shape, dataset.dtype, f"dataset {dataset.name!r}")
    return np.asarray(dataset[()])
