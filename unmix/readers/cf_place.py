"""Where a cube of a NetCDF or HDF5 file lies on Earth: CF grid mappings and coordinates, latitudes of a swath."""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ..conventions.grid_mapping import crs_of, plain_text, transform_of
from .describe import Description
from .hdf5_file import is_bare_dimension, plain_array

if TYPE_CHECKING:
    from affine import Affine

_LATITUDES, _LONGITUDES = ("latitude", "lat"), ("longitude", "lon")
_MOST_CENTRES = 10_000_000
_UNEVEN = 0.05


def place_by_cf(described: Description, dataset: Any, found: Mapping[str, Any], axes: tuple[int, int, int]) -> None:
    """Put CRS and transform into a description, or latitude and longitude where the cube is a swath."""
    rows, columns = (_centres(dataset, axis, found) for axis in axes[:2])
    described.crs = _crs(dataset, found)
    if rows is not None and columns is not None:
        transform = evenly_spaced(rows[0], columns[0])
        if transform is not None and described.crs is None and _in_degrees(rows[1], columns[1]):
            described.crs = _lonlat()
        described.transform = transform if described.crs is not None else None
    if described.transform is None:
        described.transform = _recorded_transform(dataset, found) if described.crs is not None else None
    if described.transform is None:
        described.crs = None
        described.latitude, described.longitude = swath(dataset, found, axes)


def evenly_spaced(y: np.ndarray, x: np.ndarray) -> Affine | None:
    """Return the transform of pixel centres that are evenly spaced, None where they are not."""
    from affine import Affine

    steps = []
    for centres in (y, x):
        if centres.size < 2 or not np.isfinite(centres).all():
            return None
        step = (centres[-1] - centres[0]) / (centres.size - 1)
        if step == 0 or np.abs(np.diff(centres) - step).max() > _UNEVEN * abs(step):
            return None
        steps.append(float(step))
    e, a = steps
    return Affine(a, 0.0, float(x[0]) - a / 2, 0.0, e, float(y[0]) - e / 2)


def swath(
    dataset: Any, found: Mapping[str, Any], axes: tuple[int, int, int]
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return latitude and longitude (y, x) of a cube, where the file has both."""
    size = tuple(dataset.shape[axis] for axis in axes[:2])
    pair = []
    for names in (_LATITUDES, _LONGITUDES):
        fields = [d for n, d in found.items() if n.rsplit("/", 1)[-1].lower() in names and d.shape == size]
        if len(fields) != 1 or fields[0].dtype.kind != "f":
            return None, None
        values = plain_array(fields[0], Path(dataset.file.filename)).astype(np.float64)
        values[~(np.abs(values) <= 360)] = np.nan
        pair.append(values)
    return pair[0], pair[1]


def _crs(dataset: Any, found: Mapping[str, Any]) -> Any:
    mapping = _mapping(dataset, found)
    return None if mapping is None else crs_of(dict(mapping.attrs))


def _recorded_transform(dataset: Any, found: Mapping[str, Any]) -> Affine | None:
    mapping = _mapping(dataset, found)
    return None if mapping is None else transform_of(dict(mapping.attrs))


def _mapping(dataset: Any, found: Mapping[str, Any]) -> Any:
    """Return the grid mapping variable a dataset names, looked for in its own group and those above."""
    name = plain_text(dataset.attrs.get("grid_mapping")).split(":")[0].strip()
    folder = posixpath.dirname(dataset.name).strip("/")
    while name:
        path = f"{folder}/{name}".strip("/")
        if path in found:
            return found[path]
        if not folder:
            return None
        folder = posixpath.dirname(folder)
    return None


def _centres(dataset: Any, axis: int, found: Mapping[str, Any]) -> tuple[np.ndarray, str] | None:
    """Return the coordinate of an axis and its unit: the axis's own scale."""
    import h5py

    for scale in dataset.dims[axis].values():
        if not isinstance(scale, h5py.Dataset) or scale.shape != (dataset.shape[axis],):
            continue
        if scale.dtype.kind not in "uif" or scale.size > _MOST_CENTRES or scale.external or scale.is_virtual:
            continue
        if is_bare_dimension(scale):
            continue
        return np.asarray(scale[()], np.float64), plain_text(scale.attrs.get("units"))
    return None


def _in_degrees(y_unit: str, x_unit: str) -> bool:
    return y_unit.startswith("degree") and x_unit.startswith("degree")


def _lonlat() -> Any:
    from rasterio.crs import CRS

    return CRS.from_epsg(4326)
