"""Some pixels of a large file: the same values as in its windows, whatever the interleave, without reading the rest."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.blocks import blocks_of, load_block, load_pixels, sample_positions
from unmix.fits.projection import project_image, project_lattice
from unmix.light.additive import additive_rule
from unmix.nmf.kernels import mean_3x3
from unmix.options import Options
from unmix.sampling import gather_pixels

STORED = {"bsq": "byx", "bil": "ybx", "bip": "yxb"}


@pytest.fixture(params=STORED)
def cube(request: pytest.FixtureRequest, tmp_path: Path) -> xr.DataArray:
    """Return a lazy int16 cube with a scale, a border without data and big-endian numbers."""
    rng = np.random.default_rng(0)
    values = rng.integers(1, 4000, (57, 43, 9)).astype(">i2")
    values[:3] = -9999
    values[20, 10:20] = -9999
    order = ["yxb".index(letter) for letter in STORED[request.param]]
    (tmp_path / "cube.img").write_bytes(values.transpose(order).tobytes())
    (tmp_path / "cube.hdr").write_text(
        "ENVI\nsamples = 43\nlines = 57\nbands = 9\nheader offset = 0\ndata type = 2\nbyte order = 1\n"
        f"interleave = {request.param}\ndata ignore value = -9999\nreflectance scale factor = 10000\n"
    )
    return unmix.read(tmp_path / "cube.hdr", quantity="reflectance")


def test_picked_pixels_are_those_of_the_window(cube: xr.DataArray) -> None:
    whole, valid = cube.compute().values, cube.coords["valid"].compute().values
    assert 0 < valid.sum() < valid.size
    positions = sample_positions(valid.size, 300)
    values, flags = gather_pixels(cube, positions)
    np.testing.assert_array_equal(values, whole.reshape(-1, 9)[positions])
    np.testing.assert_array_equal(flags, valid.ravel()[positions])
    block = blocks_of(cube)[0]
    y, x = np.array([5, 5, 0, 9]), np.array([1, 42, 3, 1])
    np.testing.assert_array_equal(load_pixels(cube, block, y, x)[0], whole[y, x])
    for found, expected in zip(load_block(cube, block), (whole, valid), strict=True):
        np.testing.assert_array_equal(found, expected[block.window])


def test_a_mask_counts_for_picked_pixels_too(cube: xr.DataArray) -> None:
    from unmix.light.pixels import with_mask

    mask = np.zeros(cube.shape[:2], bool)
    mask[10:30, 5:] = True
    narrowed = with_mask(cube, mask)
    expected = cube.coords["valid"].compute().values & mask
    np.testing.assert_array_equal(gather_pixels(narrowed, np.arange(mask.size))[1], expected.ravel())
    np.testing.assert_array_equal(narrowed.coords["valid"].compute().values, expected)


@pytest.mark.parametrize("lattice", [1, 2, 3, 4, 5, 7])
def test_a_lattice_holds_what_the_whole_image_holds_there(cube: xr.DataArray, lattice: int) -> None:
    options, axes = Options(), np.random.default_rng(1).normal(size=(3, 9))
    rule, _ = additive_rule(cube, np.ones((1, 9), np.float32), options)
    whole = project_image(cube, rule, axes, np.zeros(3), options, None)
    averaged = np.empty(whole[::lattice, ::lattice].shape, whole.dtype)
    mean_3x3(whole, lattice, averaged)
    seen, found = project_lattice(cube, rule, axes, lattice, options, None)
    np.testing.assert_array_equal(seen, whole[::lattice, ::lattice])
    np.testing.assert_array_equal(found, averaged)
