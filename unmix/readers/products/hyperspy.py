"""HyperSpy signals (.hspy, HDF5): ``Experiments/NAME/data`` with its axes described beside it.

An axis group ``axis-0`` and so on has the attributes name, units, size, offset, scale and navigate; position n is
offset + scale n. The two axes that navigate are y and x. A signal axis in a unit of length is a wavelength; energy,
energy loss and Raman shift stay what they are.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...conventions.grid_mapping import plain_text
from ...conventions.spectral_axis import in_nanometres, is_light_unit, other_axis
from ...errors import ReadError
from ..describe import Description
from ..hdf5_file import Hdf5Cube
from ..naming import shown
from ..window import Raw
from .fields import checked_axes, number

_MICROMETRES = {"m": 1e6, "mm": 1e3, "um": 1.0, "µm": 1.0, "μm": 1.0, "nm": 1e-3}


def open_product(file: Any, found: Mapping[str, Any], path: Path) -> tuple[Raw, Description]:
    """Return the only spectrum image of a file, its signal axis and its pixel size."""
    names = [n for n, d in found.items() if n.startswith("Experiments/") and n.endswith("/data") and d.ndim == 3]
    if len(names) != 1:
        listed = ", ".join(names) or "none"
        raise ReadError(f"{shown(path)}: one signal with three axes is needed; found {listed}. Choose one by key=.")
    axes = [_axis(file[names[0].rsplit("/", 1)[0]], k, path) for k in range(3)]
    navigating = [k for k, axis in enumerate(axes) if axis["navigate"]]
    if len(navigating) != 2:
        raise ReadError(f"{shown(path)}: {len(navigating)} axes navigate; a spectrum image has two (y, x).")
    band = next(k for k in range(3) if k not in navigating)
    order = checked_axes(found[names[0]], (navigating[0], navigating[1], band), path)
    raw = Hdf5Cube.of(found[names[0]], path, order)
    described = _signal(axes[band], raw.shape[2], path)
    sizes = [abs(axes[k]["scale"]) * _MICROMETRES.get(axes[k]["units"], np.nan) for k in navigating]
    if all(np.isfinite(size) and size > 0 for size in sizes):
        described.pixel_size = sizes[0], sizes[1]
    return raw, described


def _axis(group: Any, position: int, path: Path) -> dict[str, Any]:
    """Return what describes one axis, or raise `ReadError` where it is missing."""
    name = f"axis-{position}"
    if name not in group or not hasattr(group[name], "attrs"):
        raise ReadError(f"{shown(path)}: {name} of the signal is missing.")
    attrs = group[name].attrs
    told = {key: plain_text(attrs.get(key)) for key in ("name", "units")}
    scale, offset = number(attrs, "scale"), number(attrs, "offset")
    navigate = np.ravel(attrs.get("navigate", ()))
    if scale is None or offset is None or navigate.size != 1:
        raise ReadError(f"{shown(path)}: {name} does not say scale, offset and navigate; only linear axes are read.")
    return told | {"scale": scale, "offset": offset, "navigate": bool(navigate[0])}


def _signal(axis: Mapping[str, Any], n_bands: int, path: Path) -> Description:
    """Return the description of the signal axis: wavelengths where its unit is one of light, else what it is called."""
    values = axis["offset"] + axis["scale"] * np.arange(n_bands)
    other = other_axis(values, str(axis["name"]), str(axis["units"]))
    if other is not None:
        return Description(spectral_axis=other)
    if is_light_unit(str(axis["units"])) and (values > 0).all():
        wavelengths, _ = in_nanometres(values, None, str(axis["units"]), shown(path))
        return Description(wavelengths=wavelengths)
    return Description()
