"""A cube in an HDF5 file, read window by window.

Only what is stored in this very file is read: external and soft links, external storage and virtual datasets are
refused. Axes of length 1 are dropped. Files laid out as a known product are opened by its adapter (`products`), others
by what `hdf5_layout` makes of them.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import xarray as xr

from ..conventions.grid_mapping import plain_text
from ..errors import ReadError
from .cf_place import place_by_cf
from .describe import make_image
from .hdf5_file import Hdf5Cube, datasets_of, is_bare_dimension, opened
from .hdf5_layout import axes_of, calibrated, described_by
from .naming import shown
from .products import product_of
from .request import Request


def read(path: Path, request: Request) -> xr.DataArray:
    """Return the cube of an HDF5 file."""
    with opened(path) as file:
        found = datasets_of(file, path)
        if "abundances" in found and "endmembers" in found:
            raise ReadError(f"{shown(path)} is an unmix result, not an image. Open it by unmix.open_result.")
        product = product_of(found) if request.key is None else None
        if product is not None:
            return make_image(path, *product.open(file, found, path), request)
        dataset = found[_chosen(found, request.key, path)]
        vectors = {
            name.rsplit("/", 1)[-1]: data
            for name, data in found.items()
            if data.ndim == 1
            and data.shape[0] in dataset.shape
            and data.shape[0] > 1
            and data.dtype.kind in "uifb"
            and not is_bare_dimension(data)
        }
        axes = axes_of(dataset, vectors, path)
        raw = Hdf5Cube.of(dataset, path, axes)
        described = described_by(dataset, vectors, axes[2], path)
        place_by_cf(described, dataset, found, axes)
        calibrated(described, dataset, axes)
    return make_image(path, raw, described, request)


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
    if len(cubes) > 1:
        cubes = [name for name in cubes if not _is_picture(found[name])] or cubes
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


def _is_picture(dataset: Any) -> bool:
    """Return whether a dataset says that it is a colour picture, such as the overview a microscope stores."""
    return plain_text(dataset.attrs.get("IMAGE_SUBCLASS")) in ("IMAGE_TRUECOLOR", "IMAGE_INDEXED")


def _check_cube(dataset: Any, path: Path) -> None:
    if dataset.dtype.kind not in "uif" or dataset.dtype.itemsize > 8:
        raise ReadError(f"{shown(path)}, dataset {dataset.name!r} holds {dataset.dtype}; an image holds real numbers.")
    if dataset.ndim < 3 or 0 in dataset.shape or sum(size > 1 for size in dataset.shape) > 3:
        sizes = " x ".join(map(str, dataset.shape))
        raise ReadError(f"{shown(path)}, dataset {dataset.name!r} is {sizes}; an image has three axes (y, x, band).")


def _listed(found: dict[str, Any]) -> str:
    items = [f"{name} {' x '.join(map(str, data.shape)) or 'number'}" for name, data in found.items()]
    return (", ".join(items[:12]) + (", ..." if len(items) > 12 else "")) or "nothing"
