"""Recorded values to values that add up, which bands are used, and which pixels count."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import xarray as xr

from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.image import as_image
from unmix.light.additive import Additive, additive_rule
from unmix.light.bands import good_band_index, select_bands
from unmix.light.beer_lambert import to_optical_density
from unmix.light.pixels import require_valid, with_mask
from unmix.options import Options

WAVELENGTHS = [700.0, 600.0, 500.0, np.nan, 400.0]


@pytest.fixture
def image() -> xr.DataArray:
    values = np.random.default_rng(0).random((4, 5, 5)).astype("f4") + 0.1
    return as_image(values, wavelengths=WAVELENGTHS, quantity="reflectance")


def rule_of(image: xr.DataArray, **options: object) -> tuple[Additive, dict]:
    return additive_rule(image, image.values.reshape(-1, image.sizes["band"]), Options(**options))


# -------------------------------------------------------------------------------------------------------- bands


def test_band_range_includes_its_ends_and_keeps_file_order(image: xr.DataArray) -> None:
    kept = select_bands(image, (500, 700))
    assert kept.coords["wavelength"].values.tolist() == [700, 600, 500]
    np.testing.assert_array_equal(kept.values, image.values[..., :3])
    assert np.shares_memory(kept.data, image.data)
    assert select_bands(image, (600.5, 1000)).sizes["band"] == 1


def test_band_range_of_scattered_bands() -> None:
    image = as_image(np.arange(20.0).reshape(2, 2, 5), wavelengths=[400, 900, 410, 910, 420], quantity="radiance")
    kept = select_bands(image, (400, 500))
    np.testing.assert_array_equal(kept.values, image.values[..., [0, 2, 4]])


def test_excluded_bands_stay_but_are_not_good(image: xr.DataArray) -> None:
    flagged = select_bands(image, None, ((500, 600), (700, 800)))
    assert flagged.sizes["band"] == 5
    assert flagged.coords["good_band"].values.tolist() == [False, False, False, True, True]
    assert image.coords["good_band"].values.all()
    assert select_bands(image) is image


def test_a_range_to_exclude_that_lies_outside_is_said_aloud(image: xr.DataArray) -> None:
    with pytest.warns(UnmixWarning, match=r"exclude=0.5-0.6 nm leaves out no band; the image spans 400 to 700 nm"):
        micrometres = select_bands(image, None, ((0.5, 0.6),))
    assert micrometres.coords["good_band"].values.all()


@pytest.mark.parametrize(
    ("bands", "exclude", "words"),
    [
        ((800, 900), (), "spans 400 to 700 nm"),
        (None, ((0, 10_000),), None),
        ((400, 700), ((0, 10_000),), "no good band is left"),
    ],
)
def test_ranges_that_leave_nothing(image: xr.DataArray, bands: tuple, exclude: tuple, words: str | None) -> None:
    if words is None:  # the band without a wavelength lies in no range
        assert select_bands(image, bands, exclude).coords["good_band"].values.sum() == 1
        return
    with pytest.raises(OptionError, match=words):
        select_bands(image, bands, exclude)


def test_ranges_need_wavelengths() -> None:
    with pytest.raises(OptionError, match="need wavelengths"):
        select_bands(as_image(np.ones((2, 2, 3))), (400, 500))
    with pytest.raises(OptionError, match="need wavelengths"):
        select_bands(as_image(np.ones((2, 2, 3)), wavelengths=[np.nan] * 3), None, ((1, 2),))


def test_band_of_zeros_is_dropped_aloud(image: xr.DataArray) -> None:
    image = image.copy()
    image[..., 1] = 0
    with pytest.warns(UnmixWarning, match=r"1 band\(s\) are zero everywhere and left out: 1\."):
        rule, _ = rule_of(image)
    assert rule.good.tolist() == [0, 2, 3, 4]


def test_nothing_but_zeros_is_refused(image: xr.DataArray) -> None:
    with pytest.raises(DataError, match="nothing to unmix"):
        good_band_index(image, np.zeros((10, 5), "f4"))


def test_zero_in_a_bad_band_is_nobodys_business(image: xr.DataArray) -> None:
    image = image.assign_coords(good_band=("band", [True, False, True, True, True])).copy()
    image[..., 1] = 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert good_band_index(image, image.values.reshape(-1, 5)).tolist() == [0, 2, 3, 4]


# ------------------------------------------------------------------------------------------------------- values


def test_reflectance_passes_untouched(image: xr.DataArray) -> None:
    rule, notes = rule_of(image)
    assert np.shares_memory(rule(image.values), image.values)
    assert notes == {}
    np.testing.assert_array_equal(rule(image.values), image.values.reshape(-1, 5))


@pytest.mark.parametrize(
    ("dtype", "becomes"),
    [("u1", "f4"), ("u2", "f4"), ("i4", "f4"), ("f2", "f4"), ("f4", "f4"), ("f8", "f8"), (">f4", "f4"), (">f8", "f8")],
)
def test_additive_values_are_native_floats(dtype: str, becomes: str) -> None:
    values = np.arange(1, 13).reshape(2, 2, 3).astype(dtype)
    rule, _ = rule_of(as_image(values, quantity="radiance"))
    assert rule(values).dtype == np.dtype(becomes)
    np.testing.assert_array_equal(rule(values), values.reshape(-1, 3).astype(float))


def test_background_is_subtracted_from_counts_only() -> None:
    values = np.full((2, 2, 5), 10.0)
    rule, _ = rule_of(as_image(values, quantity="counts"), background=4)
    np.testing.assert_array_equal(rule(values), 6)
    rule, _ = rule_of(as_image(values, quantity="counts"), background=(1, 2, 3, 4, 5))
    np.testing.assert_array_equal(rule(values)[0], [9, 8, 7, 6, 5])
    with pytest.raises(OptionError, match="background has 3 values"):
        rule_of(as_image(values, quantity="counts"), background=(1, 2, 3))
    rule, _ = rule_of(as_image(values, quantity="radiance"), background=4)
    np.testing.assert_array_equal(rule(values), 10)


def test_base_of_an_optical_density() -> None:
    values = np.full((2, 2, 3), 2.0)
    rule, _ = rule_of(as_image(values, quantity="optical_density"), od_base="10")
    np.testing.assert_allclose(rule(values), 2 * np.log(10))
    rule, _ = rule_of(as_image(values, quantity="optical_density"))
    np.testing.assert_array_equal(rule(values), 2)


def test_brightfield_uses_the_white_point_given_then_the_images_then_the_estimate() -> None:
    values = np.random.default_rng(0).integers(0, 256, (8, 8, 3), np.uint8)
    values[0] = 255
    image = as_image(values, quantity="brightfield", white_point=[240, 241, 242])
    rule, notes = rule_of(image, white_point=(250, 251, 252))
    np.testing.assert_array_equal(notes["white_point"], [250, 251, 252])
    np.testing.assert_array_equal(rule(values), to_optical_density(values, [250, 251, 252]).reshape(-1, 3))
    np.testing.assert_array_equal(rule_of(image)[1]["white_point"], [240, 241, 242])
    del image.attrs["white_point"]
    notes = rule_of(image)[1]
    assert (notes["white_point"] > 200).all()
    assert notes["sampled_with_a_zero_channel"] == int((values == 0).any(-1).sum())
    assert notes["sampled_with_a_saturated_channel"] == int((values == 255).any(-1).sum())


def test_white_point_is_refused_where_it_means_nothing(image: xr.DataArray) -> None:
    with pytest.raises(OptionError, match="brightfield"):
        rule_of(image, white_point=(1, 1, 1, 1, 1))
    picture = as_image(np.ones((2, 2, 3), "u1"))
    with pytest.raises(OptionError, match="2 values; the image has 3"):
        rule_of(picture, white_point=(200, 200))


def test_only_good_bands_become_additive_and_go_back_to_their_places(image: xr.DataArray) -> None:
    image = image.assign_coords(good_band=("band", [True, False, True, True, False]))
    rule, _ = rule_of(image)
    np.testing.assert_array_equal(rule(image.values), image.values.reshape(-1, 5)[:, [0, 2, 3]])
    wide = rule.widen(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(wide, [[1, np.nan, 2, 3, np.nan]])


# ------------------------------------------------------------------------------------------------------- pixels


def test_mask_only_takes_away(image: xr.DataArray) -> None:
    start = image.assign_coords(valid=(("y", "x"), np.arange(20).reshape(4, 5) > 3))
    mask = np.arange(20).reshape(4, 5) % 2
    masked = with_mask(start, mask)
    np.testing.assert_array_equal(masked.coords["valid"].values, start.coords["valid"].values & mask.astype(bool))
    assert np.shares_memory(masked.data, image.data)
    assert with_mask(start, None) is start


def test_mask_as_data_array_follows_its_dimensions() -> None:
    image = as_image(np.ones((3, 3, 3)))
    mask = xr.DataArray(np.arange(9).reshape(3, 3) > 2, dims=("x", "y"))
    np.testing.assert_array_equal(with_mask(image, mask).coords["valid"].values, mask.values.T)


def test_masks_on_a_lazy_image(image: xr.DataArray) -> None:
    mask = np.arange(20).reshape(4, 5) > 7
    masked = with_mask(as_image(image.chunk(y=2)), mask)
    np.testing.assert_array_equal(masked.coords["valid"].values, mask)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (np.ones((5, 4), bool), r"mask has shape \(5, 4\)"),
        (np.ones((4, 5)), "float64"),
        (np.zeros((4, 5), bool), "keeps no pixel"),
        ([[True]], r"mask has shape \(1, 1\)"),
    ],
)
def test_bad_masks(image: xr.DataArray, mask: object, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        with_mask(image, mask)


def test_no_valid_pixel_names_the_image(image: xr.DataArray) -> None:
    image.attrs["name"] = "tile 7"
    with pytest.raises(DataError, match=r"tile 7 has no valid pixel"):
        require_valid(0, image)
    require_valid(1, image)
