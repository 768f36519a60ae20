"""The preview: which colour stands where."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from unmix.materials.colours import FULL_THICKNESS, palette
from unmix.writers.facts import colours
from unmix.writers.preview import brightest, composite, write_preview
from unmix.writers.reduced import block_mean, reduced

GREY = [0xB9] * 3


def with_maps(result, maps):
    return result.assign(abundances=(("endmember", "y", "x"), np.asarray(maps, "float32")))


def test_pure_pixels_have_the_endmembers_colour_and_invalid_ones_are_grey(tmp_path, make):
    pure = np.eye(3, dtype="float32").reshape(3, 1, 3)
    maps = np.concatenate([pure, np.full((3, 1, 1), np.nan)], axis=2)
    result = with_maps(make(shape=(1, 4)), maps)
    picture = np.asarray(Image.open(write_preview(result, tmp_path / "preview.png")))
    np.testing.assert_array_equal(picture[0, :3], np.rint(255 * palette(3)))
    assert picture[0, 3].tolist() == GREY


def test_a_mixture_has_the_mean_colour(make):
    picture = composite(with_maps(make(shape=(1, 1), names=("a", "b")), [[[0.25]], [[0.75]]]), 100)
    np.testing.assert_allclose(picture[0, 0], 255 * np.array([0.25, 0.75]) @ palette(2), atol=0.5)


def test_fractions_that_sum_above_one_are_not_clipped_to_white(make):
    maps = np.full((2, 1, 1), 4.0)
    picture = composite(with_maps(make(shape=(1, 1), names=("a", "b")), maps), 100)
    np.testing.assert_allclose(picture[0, 0], 255 * palette(2).mean(axis=0), atol=0.5)


def test_nothing_is_black_for_light_and_white_for_stains(make):
    nothing = np.zeros((2, 2, 2))
    assert (composite(with_maps(make(quantity="counts", shape=(2, 2), names=("a", "b")), nothing), 9) == 0).all()
    slide = make(quantity="brightfield", n_bands=3, shape=(2, 2), names=("hematoxylin", "eosin"))
    assert (composite(with_maps(slide, nothing), 9) == 255).all()


def test_a_pixel_full_of_a_stain_has_its_colour(make):
    slide = make(quantity="brightfield", n_bands=3, shape=(1, 2), names=("hematoxylin", "eosin"))
    picture = composite(with_maps(slide, [[[2.0, 0.0]], [[0.0, 5.0]]]), 9)
    for k, amount in enumerate((2.0, 5.0)):
        expected = np.exp(-amount * slide["endmembers"].values[k])
        np.testing.assert_allclose(picture[0, k], 255 * expected, atol=0.5)


def test_stains_in_many_bands_have_their_own_colour_up_to_their_most(make):
    slide = make(quantity="brightfield", n_bands=5, shape=(1, 2), names=("hematoxylin", "eosin"))
    picture = composite(with_maps(slide, [[[2.0, 0.0]], [[0.0, 5.0]]]), 9)
    np.testing.assert_allclose(picture[0], 255 * colours(slide) ** FULL_THICKNESS, atol=0.5)


def test_a_result_without_a_valid_pixel_is_all_grey(make):
    assert (composite(with_maps(make(shape=(2, 2)), np.full((3, 2, 2), np.nan)), 9) == GREY).all()


@pytest.mark.parametrize("lazy", [False, True])
def test_large_maps_are_averaged_over_valid_pixels(make, lazy):
    result = make(shape=(37, 50))
    maps = result["abundances"].values
    small = reduced(result.chunk({"y": 10})["abundances"] if lazy else result["abundances"], 13)
    assert small.shape == (3, 10, 13)
    for y, x in ((0, 0), (2, 4), (9, 12), (3, 3)):
        block = maps[:, 4 * y : 4 * y + 4, 4 * x : 4 * x + 4]
        expected = [np.nan if np.isnan(b).all() else np.nanmean(b) for b in block.astype("float64")]
        np.testing.assert_allclose(small[:, y, x], expected, rtol=1e-6)


def test_maps_that_fit_are_left_alone(make):
    result = make()
    np.testing.assert_array_equal(reduced(result["abundances"], 34), result["abundances"].values)
    np.testing.assert_array_equal(block_mean(result["residual"], 1), result["residual"].values)


def test_brightest_ignores_what_is_not_signal():
    assert brightest(np.array([np.nan, 0.0, -3.0, np.inf])) == 1.0
    assert brightest(np.r_[np.zeros(1000), np.arange(1, 202)]) == pytest.approx(200.0)
    assert brightest(np.array([[np.nan, 7.0], [np.inf, -1.0]])) == 7.0


@pytest.mark.parametrize("size", [1, 2, 3, 200, 201, 777, 5000])
def test_half_a_per_cent_is_brighter_than_the_brightest(size):
    values = np.random.default_rng(size).gamma(1.0, 3.0, size)
    before = values.copy()
    assert brightest(values) == pytest.approx(np.percentile(values, 99.5), rel=1e-12)
    np.testing.assert_array_equal(values, before)


def test_the_preview_is_at_most_2048_pixels(tmp_path, make):
    path = write_preview(make(shape=(2, 4100), names=("a",)), tmp_path / "preview.png")
    assert Image.open(path).size == (1367, 1)


def test_the_preview_is_the_composite(tmp_path, make):
    result = make(shape=(61, 83))
    path = write_preview(result, tmp_path / "preview.png")
    np.testing.assert_array_equal(np.asarray(Image.open(path)), composite(result, 2048))


def test_light_through_stains_is_the_exponential_of_what_they_absorb(make):
    slide = make(quantity="brightfield", n_bands=3, shape=(70, 90), names=("hematoxylin", "eosin"))
    amounts = np.random.default_rng(2).gamma(1.0, 2.0, (2, 70, 90)).astype(np.float32)
    light = np.exp(-np.einsum("kyx,kc->yxc", amounts.astype(np.float64), slide["endmembers"].values))
    np.testing.assert_allclose(composite(with_maps(slide, amounts), 90), 255 * light, atol=0.51)


def test_lights_are_added_up_to_white_and_each_to_its_brightest(make):
    maps = np.random.default_rng(2).gamma(1.0, 300.0, (3, 40, 50)).astype(np.float32)
    result = with_maps(make(quantity="counts", shape=(40, 50)), maps)
    scales = np.array([brightest(one) for one in maps])
    light = np.einsum("kyx,kc->yxc", maps / scales[:, None, None], colours(result)).clip(0, 1)
    np.testing.assert_allclose(composite(result, 50), 255 * light, atol=0.51)


def test_only_pixels_finite_in_every_map_have_a_colour(make):
    maps = np.full((3, 1, 5), 0.25)
    maps[0, 0, :3] = np.nan, np.inf, -np.inf
    maps[:, 0, 4] = -1.0, 0.5, 0.5
    fractions = with_maps(make(shape=(1, 5)), maps)
    assert composite(fractions, 9)[0, :3].tolist() == [GREY] * 3
    np.testing.assert_allclose(composite(fractions, 9)[0, 3], 255 * 0.25 * palette(3).sum(axis=0), atol=0.51)
    np.testing.assert_allclose(composite(fractions, 9)[0, 4], 255 * palette(3)[1:].mean(axis=0), atol=0.51)
    for n_bands in (3, 5):
        stains = make(quantity="brightfield", n_bands=n_bands, shape=(1, 5))
        assert composite(with_maps(stains, maps), 9)[0, :3].tolist() == [GREY] * 3
