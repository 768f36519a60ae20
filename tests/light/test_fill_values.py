"""Pixels that are one impossible number in every band: refused by that number, and left out as told."""

import numpy as np
import pytest
import xarray as xr

from unmix import as_image, unmix
from unmix.errors import DataError
from unmix.light.fill_values import refuse_fill_values
from unmix.synthetic import hyperspectral_scene


def scene_with_rows_of(fill):
    values = hyperspectral_scene(11, 3, 40, (40, 40)).image.values.copy()
    values[:6] = fill
    return values


@pytest.mark.parametrize("fill", [-9999.0, -32768.0, 65535.0, 1e20])
@pytest.mark.parametrize("r", [2, 3, 5])
def test_undeclared_no_data_is_refused_by_its_value(fill, r):
    with pytest.raises(DataError, match=rf"15 % of the pixels are {fill:g}".replace("+", r"\+")) as said:
        unmix(scene_with_rows_of(fill), r, quantity="reflectance")
    assert "mask=" in str(said.value)
    assert "\n" not in str(said.value)


def test_each_way_out_gives_the_answer_of_the_part_that_is_seen():
    values = scene_with_rows_of(-9999.0)
    seen = (values != -9999).any(axis=2)
    filled = xr.DataArray(values, dims=("y", "x", "band"), attrs={"_FillValue": -9999.0})
    first, *others = (
        unmix(values, 3, quantity="reflectance", mask=seen),
        unmix(as_image(values, valid=seen, quantity="reflectance"), 3),
        unmix(filled, 3, quantity="reflectance"),
    )
    assert np.isnan(first["abundances"].values[:, :6]).all()
    for other in others:
        np.testing.assert_allclose(other["endmembers"].values, first["endmembers"].values, rtol=1e-6)


def test_constant_pixels_that_may_be_light_are_not_refused():
    values = hyperspectral_scene(11, 3, 40, (20, 20)).image.values.reshape(-1, 40)
    every = np.arange(40)
    for constant in (0.0, 0.02, 1.0, -0.01, -0.5):
        refuse_fill_values(np.vstack([values, np.full((9, 40), constant)]), every, "reflectance")
    saturated = np.vstack([values, np.full((9, 40), 65535)])
    for quantity in ("optical_density", "counts", "brightfield"):
        refuse_fill_values(saturated, every, quantity)
    refuse_fill_values(np.full((9, 40), -1.0), every, "radiance")


def test_the_smallest_integer_is_seen_too():
    values = np.rint(1000 * scene_with_rows_of(0.0)).astype(np.int16)
    values[:6] = -32768
    with pytest.raises(DataError, match="are -32768 in every band"):
        unmix(values, 3, quantity="reflectance", scale=1)
    with pytest.raises(DataError, match="are -32768 in every band"):
        refuse_fill_values(values.reshape(-1, values.shape[-1]), np.arange(values.shape[-1]), "unknown")
