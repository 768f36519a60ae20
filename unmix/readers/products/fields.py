"""Fields of a product's file: band vectors and attributes, checked before they are believed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...conventions.grid_mapping import plain_text
from ...conventions.spectral_axis import in_nanometres
from ...errors import ReadError
from ..hdf5_file import plain_array
from ..naming import shown


def band_vector(values: Any, n_bands: int, what: str, path: Path) -> np.ndarray:
    """Return one number a band, or raise `ReadError`."""
    try:
        vector: np.ndarray = np.asarray(values, np.float64).ravel()
    except (TypeError, ValueError) as error:
        raise ReadError(f"{shown(path)}: {what} is not a list of numbers.") from error
    if vector.size != n_bands:
        raise ReadError(f"{shown(path)}: {what} has {vector.size} values for {n_bands} bands.")
    return vector


def stored_vector(found: Mapping[str, Any], name: str, n_bands: int, path: Path) -> np.ndarray | None:
    """Return a dataset of one number a band, None where the file has none of this name."""
    if name not in found:
        return None
    if found[name].size > 100_000:
        raise ReadError(f"{shown(path)}: {name} has {found[name].size} values for {n_bands} bands.")
    return band_vector(plain_array(found[name], path), n_bands, name, path)


def centres(
    found: Mapping[str, Any], names: tuple[str, str], n_bands: int, path: Path
) -> tuple[np.ndarray, np.ndarray | None]:
    """Return wavelengths and widths in nanometres of two datasets; the unit is nm where none is said."""
    values = stored_vector(found, names[0], n_bands, path)
    if values is None:
        raise ReadError(f"{shown(path)} has no {names[0]}: its layout is not the one expected.")
    unit = plain_text(found[names[0]].attrs.get("units")) or "nm"
    wavelengths, widths = in_nanometres(values, stored_vector(found, names[1], n_bands, path), unit, shown(path))
    if wavelengths is None:
        raise ReadError(f"{shown(path)}: the unit {unit!r} of {names[0]} is none of wavelengths.")
    return wavelengths, widths


def number(attrs: Mapping[str, Any], name: str) -> float | None:
    """Return an attribute that is one finite number, or None."""
    value = attrs.get(name)
    array = np.asarray(value).ravel() if value is not None else np.empty(0)
    if array.size != 1 or array.dtype.kind not in "uif" or not np.isfinite(array[0]):
        return None
    return float(array[0])


def needed_number(attrs: Mapping[str, Any], name: str, path: Path) -> float:
    """Return an attribute that is one finite number, or raise `ReadError` naming it."""
    value = number(attrs, name)
    if value is None:
        raise ReadError(f"{shown(path)}: the attribute {name!r} is missing or not one number.")
    return value


def checked_axes(dataset: Any, order: tuple[int, int, int], path: Path) -> tuple[int, int, int]:
    """Return the axes (y, x, band) of a dataset with three axes longer than 1, in the product's order of them.

    Further axes must be of length 1.
    """
    extra = dataset.ndim - 3
    if extra < 0 or 0 in dataset.shape or any(size != 1 for size in dataset.shape[:extra]):
        sizes = " x ".join(map(str, dataset.shape))
        raise ReadError(f"{shown(path)}, dataset {dataset.name!r} is {sizes}; three axes are expected.")
    if dataset.dtype.kind not in "uif" or dataset.dtype.itemsize > 8:
        raise ReadError(f"{shown(path)}, dataset {dataset.name!r} holds {dataset.dtype}; real numbers are expected.")
    y, x, band = (axis + extra for axis in order)
    return y, x, band
