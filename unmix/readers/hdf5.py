"""A cube in an HDF5 file, read window by window.

Only what is stored in this very file is read: external and soft links, external storage and virtual datasets are
refused. Axes of length 1 are dropped. Which axis holds the bands is taken from the labels of the axes, else from the
one whose length is that of a wavelength array; the last axis is a guess and said aloud.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ReadError, UnmixWarning
from ..spectral_axis import in_nanometres
from .companions import describe_by
from .describe import Description, make_image
from .limits import check_decoded_size
from .naming import one_line, shown
from .request import Request

_MAX_OBJECTS = 10_000
_COMPANION_SIZE = 100_000
_AXIS_LETTERS = {
    "y": "y", "row": "y", "rows": "y", "lines": "y", "northing": "y", "downtrack": "y", "height": "y",
    "x": "x", "col": "x", "columns": "x", "samples": "x", "easting": "x", "crosstrack": "x", "width": "x",
    "c": "b", "band": "b", "bands": "b", "channel": "b", "channels": "b", "wavelength": "b", "wavelengths": "b",
}  # fmt: skip


@dataclass
class Hdf5Cube:
    """A dataset of an HDF5 file as (y, x, band); `axes` are the dataset's axes that hold them."""

    path: str
    name: str
    dtype: np.dtype
    stored_shape: tuple[int, ...]
    axes: tuple[int, int, int]
    grain: tuple[int, int]

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

    @property
    def shape(self) -> tuple[int, int, int]:
        y, x, b = (self.stored_shape[axis] for axis in self.axes)
        return y, x, b

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        wanted: list[slice | int] = [0] * len(self.stored_shape)
        for axis, span in zip(self.axes, (rows, columns, bands), strict=True):
            wanted[axis] = span
        with opened(Path(self.path)) as file:
            dataset = file[self.name]
            check_stored_here(dataset, Path(self.path))
            part = dataset[tuple(wanted)]
        kept = sorted(self.axes)
        order = tuple(kept.index(axis) for axis in self.axes)
        return np.ascontiguousarray(part.transpose(order)).astype(self.dtype.newbyteorder("="), copy=False)


def read(path: Path, request: Request) -> xr.DataArray:
    """Return the cube of an HDF5 file."""
    with opened(path) as file:
        found = datasets_of(file, path)
        if "abundances" in found and "endmembers" in found:
            raise ReadError(f"{shown(path)} is an unmix result, not an image. Open it by unmix.open_result.")
        dataset = found[_chosen(found, request.key, path)]
        vectors = {
            name.rsplit("/", 1)[-1]: data
            for name, data in found.items()
            if data.ndim == 1 and data.shape[0] in dataset.shape and data.shape[0] > 1 and data.dtype.kind in "uifb"
        }
        axes = _axes(dataset, vectors, path)
        raw = Hdf5Cube.of(dataset, path, axes)
        described = _described(dataset, vectors, axes[2], path)
    return make_image(path, raw, described, request)


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


def _chosen(found: dict[str, Any], key: str | None, path: Path) -> str:
    """Return the dataset asked for, else the only one with three axes longer than 1."""
    if key is not None:
        name = key.strip("/")
        if name not in found:
            raise ReadError(
                f"{shown(path)} holds no dataset {key!r} of its own (links are not followed). It has {_listed(found)}."
            )
        _check_cube(found[name], path)
        return name
    cubes = [name for name, dataset in found.items() if _is_cube(dataset)]
    if len(cubes) == 1:
        return cubes[0]
    if not cubes:
        raise ReadError(f"{shown(path)} has no dataset with three axes. It has {_listed(found)}.")
    raise ReadError(
        f"{shown(path)} has several datasets with three axes: choose one by key=. "
        f"It has {_listed({name: found[name] for name in cubes})}."
    )


def _is_cube(dataset: Any) -> bool:
    return dataset.dtype.kind in "uif" and dataset.dtype.itemsize <= 8 and sum(size > 1 for size in dataset.shape) == 3


def _check_cube(dataset: Any, path: Path) -> None:
    if dataset.dtype.kind not in "uif" or dataset.dtype.itemsize > 8:
        raise ReadError(f"{shown(path)}, dataset {dataset.name!r} holds {dataset.dtype}; an image holds real numbers.")
    if dataset.ndim < 3 or 0 in dataset.shape or sum(size > 1 for size in dataset.shape) > 3:
        sizes = " x ".join(map(str, dataset.shape))
        raise ReadError(f"{shown(path)}, dataset {dataset.name!r} is {sizes}; an image has three axes (y, x, band).")


def _axes(dataset: Any, vectors: dict[str, Any], path: Path) -> tuple[int, int, int]:
    """Return the dataset's axes that hold y, x and band."""
    labels = [_AXIS_LETTERS.get(str(dim.label).strip().lower(), "") for dim in dataset.dims]
    for axis, dim in enumerate(dataset.dims):
        if not labels[axis] and len(dim) and dim[0].name:
            labels[axis] = _AXIS_LETTERS.get(dim[0].name.rsplit("/", 1)[-1].lower(), "")
    if all(labels.count(letter) == 1 for letter in "yxb"):
        y, x, b = (labels.index(letter) for letter in "yxb")
        return y, x, b
    long = [axis for axis, size in enumerate(dataset.shape) if size > 1]
    long = long if len(long) == 3 else list(range(dataset.ndim))[-3:]
    band = labels.index("b") if labels.count("b") == 1 and labels.index("b") in long else None
    if band is None:
        sizes = {len(data) for name, data in vectors.items() if name.lower().startswith("wavelength")}
        matching = [axis for axis in long if dataset.shape[axis] in sizes]
        band = matching[0] if len(matching) == 1 else None
    if band is None:
        band = long[-1]
        warnings.warn(
            f"{shown(path)}: dataset {dataset.name!r} does not say which axis holds the bands; the last one, of length "
            f"{dataset.shape[band]}, is taken.",
            UnmixWarning,
            stacklevel=2,
        )
    y, x = (axis for axis in long if axis != band)
    return y, x, band


def _described(dataset: Any, vectors: dict[str, Any], band: int, path: Path) -> Description:
    """Return what attributes, dimension scales and neighbouring arrays say about a cube."""
    n_bands = dataset.shape[band]
    arrays = {name: plain_array(data, path) for name, data in vectors.items() if data.shape[0] == n_bands}
    described = describe_by(
        {k: v for k, v in arrays.items() if k not in ("wavelength", "wavelengths")}, n_bands, shown(path)
    )
    described.wavelengths, described.fwhm = _wavelengths(dataset, vectors, arrays, band, path)
    described.scale, described.offset = _attribute(dataset, "scale_factor"), _attribute(dataset, "add_offset")
    described.nodata = _attribute(dataset, "_FillValue")
    return described


def _wavelengths(
    dataset: Any, vectors: dict[str, Any], arrays: dict[str, np.ndarray], band: int, path: Path
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return wavelengths of the band axis's own scale, else of an array called wavelength(s)."""
    import h5py

    scales = [scale for scale in dataset.dims[band].values() if isinstance(scale, h5py.Dataset)]
    named = [vectors[name] for name in ("wavelength", "wavelengths") if name in arrays]
    for data in [*scales, *named]:
        if data.shape != (dataset.shape[band],) or data.dtype.kind not in "uif" or data.size > _COMPANION_SIZE:
            continue
        values = plain_array(data, path).astype(np.float64)
        unit = _text(data.attrs.get("units", data.attrs.get("UNIT", "")))
        if data not in named and not unit:
            continue
        if not np.isfinite(values).any() or np.nanmin(values) <= 0:
            continue
        return in_nanometres(values, arrays.get("fwhm"), unit, shown(path))
    return None, None


def _attribute(dataset: Any, name: str) -> float | None:
    value = dataset.attrs.get(name)
    if value is None or np.size(value) != 1 or np.asarray(value).dtype.kind not in "uif":
        return None
    return float(np.asarray(value).ravel()[0])


def _text(value: Any) -> str:
    value = value[0] if isinstance(value, np.ndarray) and value.size == 1 else value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _listed(found: dict[str, Any]) -> str:
    items = [f"{name} {' x '.join(map(str, data.shape)) or 'number'}" for name, data in found.items()]
    return (", ".join(items[:12]) + (", ..." if len(items) > 12 else "")) or "nothing"
