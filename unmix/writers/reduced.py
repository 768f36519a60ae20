"""Maps made smaller for looking at: the mean of square blocks of valid pixels, a strip at a time."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from ..stores.slide_maps import view_behind

_STRIP_VALUES = 1 << 22
_COARSER, _FINER = 3, 0.25


def reduced(values: xr.DataArray, limit: int) -> np.ndarray:
    """Return a map with at most about `limit` pixels on its longer side.

    Parameters
    ----------
    values : DataArray, shape (..., y, x)
        Maps, in memory or lazy; NaN where invalid. Read a strip of rows at a time; the maps of a slide carry a
        small picture of themselves, which is taken instead where its cells are less than three times as coarse as
        wanted, and where they are nearly coarse enough as it is.
    limit : int
        Largest height and width wanted; a small picture may have a quarter more.

    Returns
    -------
    ndarray of float32, shape (..., height, width)
        Mean over square blocks of the finite pixels, NaN where there is none; the maps themselves where they fit.
    """
    step = -(-max(values.shape[-2:]) // limit)
    view = view_behind(values.data)
    if view is None or _COARSER * step <= view.slide.overview.step:
        return block_mean(values, step)
    overview = view.slide.overview
    means = np.stack([overview.picture(k) for k in view.maps])
    means = block_mean(xr.DataArray(means), max(1, math.ceil(step / overview.step - _FINER)))
    return means if view.ndim == 3 else means[0]


def mean_and_largest(values: xr.DataArray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean over valid pixels and the largest value of every map (map, y, x)."""
    view = view_behind(values.data)
    if view is not None:
        seen = view.slide.overview
        return np.array([seen.mean(k) for k in view.maps]), np.array([seen.largest(k) for k in view.maps])
    about = xr.Dataset({"mean": values.mean(("y", "x"), dtype=np.float64), "largest": values.max(("y", "x"))}).compute()
    return about["mean"].values, about["largest"].values


def block_mean(values: xr.DataArray, step: int) -> np.ndarray:
    """Return the mean over ``step x step`` pixels (..., ceil(y / step), ceil(x / step)), NaN-aware, float32."""
    if step <= 1:
        return np.asarray(values.values, np.float32)
    *many, height, width = values.shape
    means = np.empty((*many, -(-height // step), -(-width // step)), np.float32)
    per_row = max(1, values.size // height)
    rows = max(1, _STRIP_VALUES // (per_row * step))
    for top in range(0, means.shape[-2], rows):
        strip = values[..., step * top : step * (top + rows), :].values
        fill_with_means(strip, step, means[..., top : top + rows, :])
    return means


def fill_with_means(strip: np.ndarray, step: int, means: np.ndarray) -> None:
    """Fill means with the block means of maps (..., h, w) that start on a block's edge."""
    from .reduced_kernel import block_means

    dtype = np.result_type(strip.dtype, np.float32)
    for one in np.ndindex(strip.shape[:-2]):
        block_means(np.ascontiguousarray(strip[one], dtype), step, means[one])
