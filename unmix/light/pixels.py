"""Which pixels count: the image's own valid pixels and a mask the user gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..errors import DataError, OptionError
from ..usable_pixels import masked


def with_mask(image: xr.DataArray, mask: Any | None) -> xr.DataArray:
    """Return the image with the pixels outside `mask` (y, x; True or non-zero keeps) made invalid."""
    if mask is None:
        return image
    if isinstance(mask, xr.DataArray) and set(mask.dims) == {"y", "x"}:
        mask = mask.transpose("y", "x")
    mask = np.asarray(mask)
    if mask.shape != image.shape[:2]:
        raise OptionError(
            f"the mask has shape {mask.shape}; the image has {image.shape[0]} rows and {image.shape[1]} columns."
        )
    if mask.dtype.kind not in "bui":
        raise OptionError(f"a mask holds True and False (or 0 and 1); this one holds {mask.dtype}.")
    if not mask.any():
        raise OptionError("the mask keeps no pixel.")
    return image.assign_coords(valid=(("y", "x"), masked(image.coords["valid"].data, mask.astype(bool))))


def without_clouds(image: xr.DataArray) -> xr.DataArray:
    """Return the image with the pixels made invalid that its product marks as cloud or a cloud's shadow."""
    if "cloud" not in image.coords:
        raise OptionError("clouds='drop' needs an image whose product marks clouds, and this one does not. Give mask=.")
    clear = ~np.asarray(image.coords["cloud"].values, bool)
    if not clear.any():
        raise DataError("every pixel is marked as cloud or shadow; say clouds='keep' to use them.")
    return with_mask(image, clear)


def require_valid(n_valid: int, image: xr.DataArray) -> None:
    """Raise `DataError` when no sampled pixel is valid."""
    if n_valid == 0:
        name = image.attrs.get("name", "the image")
        raise DataError(f"{name} has no valid pixel: every pixel is masked, no-data or not finite in a good band.")
