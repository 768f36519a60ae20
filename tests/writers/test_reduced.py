"""Means over square blocks: those a plain loop finds, whatever is invalid and wherever the last blocks end."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr

from unmix.writers.reduced import block_mean


def plain_means(values: np.ndarray, step: int) -> np.ndarray:
    """Return what `block_mean` should, one block after the other."""
    *many, height, width = values.shape
    means = np.full((*many, -(-height // step), -(-width // step)), np.nan, np.float32)
    for *one, i, j in np.ndindex(means.shape):
        block = values[(*one, slice(i * step, (i + 1) * step), slice(j * step, (j + 1) * step))].astype(np.float64)
        if np.isfinite(block).any():
            means[(*one, i, j)] = block[np.isfinite(block)].mean()
    return means


@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16, np.uint8, np.int32])
@pytest.mark.parametrize("shape", [(1, 1), (2, 3), (2, 17, 23), (3, 1, 40), (2, 2, 40, 1), (1, 64, 64)])
@pytest.mark.parametrize("step", [1, 2, 3, 8, 100])
def test_blocks_have_their_means(shape, step, dtype):
    values = (200 * np.random.default_rng(3).random(shape)).astype(dtype)
    means = block_mean(xr.DataArray(values), step)
    assert means.dtype == np.float32
    np.testing.assert_allclose(means, plain_means(values, step), rtol=2e-7)


@pytest.mark.parametrize("step", [2, 3, 5])
def test_only_finite_pixels_count(step):
    rng = np.random.default_rng(4)
    values = rng.normal(size=(2, 31, 42)).astype(np.float32)
    for wrong in (np.nan, np.inf, -np.inf):
        values[rng.random(values.shape) < 0.1] = wrong
    values[0, :15, :21] = np.nan
    values[1, -6:, -6:] = [np.inf, -np.inf, np.nan] * 2
    np.testing.assert_allclose(block_mean(xr.DataArray(values), step), plain_means(values, step), rtol=1e-5)


def test_infinity_beside_its_opposite_is_not_finite():
    assert block_mean(xr.DataArray(np.float32([[np.inf, -np.inf], [3.0, 5.0]])), 2).tolist() == [[4.0]]


def test_large_numbers_do_not_swallow_small_ones():
    values = np.ones((64, 64), np.float32)
    values[0, :2] = 2e9, -2e9
    np.testing.assert_allclose(block_mean(xr.DataArray(values), 64), 4094 / 4096, rtol=1e-7)


def test_strips_parts_and_lazy_maps_agree(monkeypatch):
    values = np.random.default_rng(5).random((3, 53, 47)).astype(np.float32)
    whole = plain_means(values[:, ::-1, 3:40], 4)
    maps = xr.DataArray(values, dims=("endmember", "y", "x"))
    monkeypatch.setattr("unmix.writers.reduced._STRIP_VALUES", 900)
    for given in (maps, maps.chunk({"y": 10, "x": 9})):
        np.testing.assert_allclose(block_mean(given[:, ::-1, 3:40], 4), whole, rtol=2e-7)
