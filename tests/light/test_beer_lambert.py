"""Optical density against the law itself: exact round trips, white points, zeros and saturation."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.light.beer_lambert import (
    FLOAT_FLOOR,
    INTEGER_FLOOR,
    count_clipped,
    from_optical_density,
    full_scale,
    optical_density_table,
    to_optical_density,
)


def every_value(dtype: str) -> np.ndarray:
    return np.arange(np.iinfo(dtype).max + 1, dtype=np.dtype(dtype).newbyteorder("="))[:, None]


@settings(max_examples=200)
@given(st.floats(1, 255))
def test_every_byte_comes_back(white: float) -> None:
    values = every_value("u1")
    density = to_optical_density(values, [white])
    assert density.dtype == np.float32
    np.testing.assert_array_equal(from_optical_density(density, [white], np.uint8), values)


@settings(max_examples=20)
@given(st.floats(100, 65535))
def test_every_sixteen_bit_value_comes_back(white: float) -> None:
    values = every_value("u2")
    np.testing.assert_array_equal(from_optical_density(to_optical_density(values, [white]), [white], np.uint16), values)


def test_the_law_per_channel() -> None:
    white = np.array([240.0, 250.0, 200.0])
    values = np.array([[[24, 250, 20], [240, 125, 255]]], np.uint8)
    expected = -np.log(values / white)
    density = to_optical_density(values, white)
    assert density.shape == values.shape
    np.testing.assert_allclose(density, expected, rtol=1e-6, atol=1e-7)
    assert density[0, 1, 2] < 0  # brighter than the white point


@pytest.mark.parametrize("dtype", ["u1", "<u2", ">u2", "i2", "i4", "u4", "f4", "f8", ">f4"])
def test_one_law_for_every_type(dtype: str) -> None:
    values = np.array([[0, 1, 17], [100, 200, 255]], dtype)
    density = to_optical_density(values, [250.0, 240.0, 255.0])
    floor = INTEGER_FLOOR if np.dtype(dtype).kind in "ui" else FLOAT_FLOOR * 250
    expected = -np.log(np.where(values == 0, floor, values).astype(float) / [250.0, 240.0, 255.0])
    np.testing.assert_allclose(density, expected, rtol=2e-6, atol=1e-6)
    assert np.isfinite(density).all()


def test_zero_rounds_back_to_zero_and_is_darker_than_one() -> None:
    for dtype in ("u1", "u2"):
        table = optical_density_table(np.dtype(dtype), np.array([200.0]))
        assert table.shape == (1, np.iinfo(dtype).max + 1)
        assert (np.diff(table[0].astype(float)) < 0).all()


@given(st.floats(0.001, 1.0), st.floats(0.0, 5.0))
def test_float_round_trip(white: float, density: float) -> None:
    light = from_optical_density(np.array([density]), [white], np.float64)
    if light[0] / white > 2 * FLOAT_FLOOR:
        assert to_optical_density(light, [white])[0] == pytest.approx(density, rel=1e-5, abs=1e-6)


def test_nan_stays_nan() -> None:
    assert np.isnan(to_optical_density(np.array([[np.nan]], "f4"), [1.0])[0, 0])


def test_light_beyond_the_type_is_clipped_not_wrapped() -> None:
    assert from_optical_density(np.array([-2.0, 50.0]), [255.0], np.uint8).tolist() == [255, 0]


def test_counts_of_zero_and_saturated() -> None:
    values = np.array([[0, 5, 5], [255, 5, 0], [255, 255, 255], [1, 2, 3]], np.uint8)
    assert count_clipped(values) == (2, 2)
    assert count_clipped(values.reshape(2, 2, 3)) == (2, 2)
    assert count_clipped(values.astype("u2")) == (2, 0)
    assert count_clipped(values.astype("f4")) == (2, 0)


@pytest.mark.parametrize(
    ("dtype", "largest", "full"),
    [("u1", 10, 255), ("u2", 255, 255), ("u2", 1000, 1023), ("u2", 4000, 4095), ("u2", 20_000, 65535)],
)
def test_full_scale_of_a_camera(dtype: str, largest: int, full: int) -> None:
    assert full_scale(np.array([[0, largest]], dtype)) == full
