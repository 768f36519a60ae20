"""What a dataset of an HDF5 or NetCDF file says about itself: its axes, its wavelengths, its scale.

Which axis holds the bands is taken from the labels of the axes, else from the names of their dimensions, else from the
one whose length is that of a wavelength array; the last axis is a guess and said aloud.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..conventions.grid_mapping import plain_text
from ..conventions.named_axes import letter_of
from ..conventions.spectral_axis import SpectralAxis, in_nanometres, other_axis
from ..errors import warn
from .companions import describe_by
from .describe import Description
from .hdf5_file import is_bare_dimension, plain_array
from .naming import shown

_COMPANION_SIZE = 100_000
_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "nm": 1e-3}


def axes_of(dataset: Any, vectors: dict[str, Any], path: Path) -> tuple[int, int, int]:
    """Return the dataset's axes that hold y, x and band."""
    labels = [letter_of(str(dim.label)) for dim in dataset.dims]
    for axis, dim in enumerate(dataset.dims):
        if not labels[axis] and len(dim) and dim[0].name:
            labels[axis] = letter_of(dim[0].name.rsplit("/", 1)[-1])
    if all(labels.count(letter) == 1 for letter in "yxb"):
        y, x, b = (labels.index(letter) for letter in "yxb")
        return y, x, b
    long = [axis for axis, size in enumerate(dataset.shape) if size > 1]
    long = long if len(long) == 3 else list(range(dataset.ndim))[-3:]
    band = labels.index("b") if labels.count("b") == 1 and labels.index("b") in long else None
    if band is None and labels.count("y") == 1 and labels.count("x") == 1:
        rest = [axis for axis in long if axis not in (labels.index("y"), labels.index("x"))]
        if len(rest) == 1:
            return labels.index("y"), labels.index("x"), rest[0]
    if band is None:
        sizes = {len(data) for name, data in vectors.items() if name.lower().startswith("wavelength")}
        matching = [axis for axis in long if dataset.shape[axis] in sizes]
        band = matching[0] if len(matching) == 1 else None
    if band is None:
        band = long[-1]
        warn(
            f"{shown(path)}: dataset {dataset.name!r} does not say which axis holds the bands; the last one, of length "
            f"{dataset.shape[band]}, is taken."
        )
    y, x = (axis for axis in long if axis != band)
    return y, x, band


def described_by(dataset: Any, vectors: dict[str, Any], band: int, path: Path) -> Description:
    """Return what attributes, dimension scales and neighbouring arrays say about a cube."""
    n_bands = dataset.shape[band]
    arrays = {name: plain_array(data, path) for name, data in vectors.items() if data.shape[0] == n_bands}
    described = describe_by(
        {k: v for k, v in arrays.items() if k not in ("wavelength", "wavelengths")}, n_bands, shown(path)
    )
    described.wavelengths, described.fwhm, described.spectral_axis = _spectral(dataset, vectors, arrays, band, path)
    described.scale, described.offset = attribute(dataset, "scale_factor"), attribute(dataset, "add_offset")
    described.nodata = attribute(dataset, "_FillValue")
    return described


def calibrated(described: Description, dataset: Any, axes: tuple[int, int, int]) -> None:
    """Put the pixel size of a microscope into a description: scales of one number, in a unit of length."""
    import h5py

    sizes = []
    for axis in axes[:2]:
        for scale in dataset.dims[axis].values():
            unit = plain_text(scale.attrs.get("UNIT", scale.attrs.get("units"))).strip()
            if isinstance(scale, h5py.Dataset) and scale.size == 1 and scale.dtype.kind == "f" and unit in _MICROMETRES:
                sizes.append(float(np.ravel(scale[()])[0]) * _MICROMETRES[unit])
                break
    if len(sizes) == 2 and all(np.isfinite(size) and size > 0 for size in sizes):
        described.pixel_size = sizes[0], sizes[1]


def _spectral(
    dataset: Any, vectors: dict[str, Any], arrays: dict[str, np.ndarray], band: int, path: Path
) -> tuple[np.ndarray | None, np.ndarray | None, SpectralAxis | None]:
    """Return wavelengths and widths of the band axis's own scale, else of an array called wavelength(s).

    The third is an axis that is no wavelength.
    """
    import h5py

    scales = [scale for scale in dataset.dims[band].values() if isinstance(scale, h5py.Dataset)]
    named = [vectors[name] for name in ("wavelength", "wavelengths") if name in arrays]
    for data in [*scales, *named]:
        if (
            is_bare_dimension(data)
            or data.shape != (dataset.shape[band],)
            or data.dtype.kind not in "uif"
            or data.size > _COMPANION_SIZE
        ):
            continue
        values = plain_array(data, path).astype(np.float64)
        unit = plain_text(data.attrs.get("units", data.attrs.get("UNIT", "")))
        if data not in named and not unit:
            continue
        if not np.isfinite(values).any() or np.nanmin(values) <= 0:
            continue
        axis = other_axis(values, f"{data.name} {plain_text(data.attrs.get('long_name'))}", unit)
        if axis is not None:
            return None, None, axis
        return *in_nanometres(values, arrays.get("fwhm"), unit, shown(path)), None
    return None, None, None


def attribute(dataset: Any, name: str) -> float | None:
    value = dataset.attrs.get(name)
    if value is None or np.size(value) != 1 or np.asarray(value).dtype.kind not in "uif":
        return None
    return float(np.asarray(value).ravel()[0])
