"""The image that was unmixed, as a picture to look at."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import xarray as xr

from ..blocks import map_pixels
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
    good = np.flatnonzero(image.coords["good_band"].values)
    if image.attrs["quantity"] == "counts":
        total, valid = _every_nth(image, step, lambda values: values[:, good].sum(axis=1, dtype=np.float64)[:, None])
        shown = np.repeat(_stretched(total, valid), 3, axis=2)
    elif image.attrs["quantity"] == "brightfield" and image.sizes["band"] == 3:
        light, valid = _every_nth(image, step, lambda values: values)
        shown = _slide(light, image)
    else:
        bands = _three_bands(image, good)
        colours, valid = _every_nth(image, step, lambda values: values[:, bands])
        shown = _stretched(colours.astype(np.float64), valid)
    shown[~valid] = [int(INVALID[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    return shown


def _every_nth(
    image: xr.DataArray, step: int, wanted: Callable[[np.ndarray], np.ndarray]
) -> tuple[np.ndarray, np.ndarray]:
    """Return what is wanted of every n-th pixel (height, width, channel), and which of them are valid.

    Of a file only the rows or tiles that hold such pixels are read, once.
    """
    rows, columns = (np.arange(0, size, step) for size in image.shape[:2])
    positions = (rows[:, None] * image.sizes["x"] + columns).ravel()
    valid = np.zeros(len(positions), bool)
    channels = wanted(np.zeros((1, image.sizes["band"]), image.dtype))
    shown = np.zeros((len(positions), channels.shape[1]), channels.dtype)

    def take(values: np.ndarray, usable: np.ndarray, mine: np.ndarray) -> None:
        shown[mine], valid[mine] = wanted(values), usable

    map_pixels(take, image, positions)
    return shown.reshape(len(rows), len(columns), -1), valid.reshape(len(rows), len(columns))


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
