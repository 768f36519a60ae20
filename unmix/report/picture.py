"""The image that was unmixed, as a picture to look at."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..materials.colours import INVALID

_RED_GREEN_BLUE_NM = (650.0, 550.0, 450.0)
_STRETCH = (2.0, 98.0)


def picture(image: xr.DataArray, limit: int) -> np.ndarray:
    """Return an image as a small picture.

    Brightfield slides are shown as they are; counts as their sum over bands; anything else in red, green and blue
    where it has such bands (else in three bands spread over its good ones), stretched from 2 % to 98 %.

    Parameters
    ----------
    image : DataArray
        The image; every n-th pixel of the bands needed is read.
    limit : int
        Largest height and width.

    Returns
    -------
    ndarray of float, shape (height, width, 3)
        Red, green and blue, 0 to 1.
    """
    step = -(-max(image.shape[:2]) // limit)
    small = image[::step, ::step]
    valid = small.coords["valid"].values
    good = np.flatnonzero(image.coords["good_band"].values)
    if image.attrs["quantity"] == "counts":
        total = small[:, :, good].sum("band", dtype="float64").values
        shown = np.repeat(_stretched(total[:, :, None], valid), 3, axis=2)
    elif image.attrs["quantity"] == "brightfield" and image.sizes["band"] == 3:
        shown = _slide(small.values, image)
    else:
        shown = _stretched(small[:, :, _three_bands(image, good)].values.astype(np.float64), valid)
    shown[~valid] = [int(INVALID[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return shown


def _slide(values: np.ndarray, image: xr.DataArray) -> np.ndarray:
    """Return recorded light as it looks: against the white point, or the largest value the type can hold."""
    if values.dtype.kind in "ui":
        white = np.asarray(np.iinfo(values.dtype).max, np.float64)
    else:
        white = np.asarray(image.attrs.get("white_point", np.nanmax(values)), np.float64)
    return np.clip(np.nan_to_num(values / white), 0.0, 1.0)


def _three_bands(image: xr.DataArray, good: np.ndarray) -> list[int]:
    """Return the good bands nearest to red, green and blue, or three spread over the good ones."""
    if "wavelength" in image.coords:
        nm = image.coords["wavelength"].values[good]
        if np.isfinite(nm).any() and np.nanmin(nm) < 500 and np.nanmax(nm) > 600:
            distance = np.where(np.isfinite(nm), nm, np.inf)
            return [int(good[np.abs(distance - target).argmin()]) for target in _RED_GREEN_BLUE_NM]
    return [int(good[int(share * (len(good) - 1))]) for share in (0.85, 0.5, 0.15)]


def _stretched(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return each channel from its 2nd to its 98th percentile, 0 to 1."""
    shown = np.zeros(values.shape)
    for channel in range(values.shape[2]):
        inside = values[:, :, channel][valid & np.isfinite(values[:, :, channel])]
        low, high = np.percentile(inside, _STRETCH) if inside.size else (0.0, 1.0)
        shown[:, :, channel] = (values[:, :, channel] - low) / (high - low if high > low else 1.0)
    return np.clip(np.nan_to_num(shown), 0.0, 1.0)
