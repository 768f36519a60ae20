"""Pictures made of stains: what stays byte for byte, what changes by how much, and what is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import unmix
from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.fits.stain_summary import concentration_percentiles, stain_set_of, stained_pixels, white_point_of
from unmix.light.beer_lambert import from_optical_density, to_optical_density
from unmix.materials.stain_sets import measured_stain_set, stain_set
from unmix.normalise import augment_stains, normalise_stains, remove_stain, stain_picture
from unmix.synthetic import stained_slide

WHITE = (240.0, 236.0, 244.0)
M = np.array([[0.62, 0.71, 0.33], [0.13, 0.89, 0.43]])
M /= np.linalg.norm(M, axis=1, keepdims=True)


@pytest.fixture(scope="module")
def slide():
    scene = stained_slide(1001, shape=(160, 160), stain_matrix=M, white_point=WHITE)
    return scene.image, unmix.separate_stains(scene.image, stain_matrix=M, white_point=WHITE)


def background(image, result):
    return ~stained_pixels(result["abundances"].values, result["endmembers"].values)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_optical_density_and_back_is_exact_for_every_level(dtype):
    levels = np.arange(np.iinfo(dtype).max + 1, dtype=dtype)
    light = np.repeat(levels[:, None], 3, axis=1)
    for white in (np.array(WHITE), np.full(3, float(np.iinfo(dtype).max)), np.array([255.0, 201.5, 97.3])):
        np.testing.assert_array_equal(from_optical_density(to_optical_density(light, white), white, dtype), light)


@given(st.integers(0, 255), st.tuples(*[st.floats(1, 300)] * 3))
def test_optical_density_and_back_is_exact_for_any_white_point(level, white):
    light = np.full((1, 3), level, np.uint8)
    back = from_optical_density(to_optical_density(light, np.array(white)), np.array(white), np.uint8)
    np.testing.assert_array_equal(back, light)


def test_a_slide_normalised_to_itself_keeps_every_byte(slide):
    image, result = slide
    same = normalise_stains(image, result, stain_set_of(result, "itself"))
    np.testing.assert_array_equal(same.values, image.values)


def test_normalising_reaches_the_target_and_keeps_the_background(slide):
    image, result = slide
    other = np.array([[0.70, 0.65, 0.29], [0.20, 0.92, 0.30]])
    target = measured_stain_set("target", {"hematoxylin": other[0], "eosin": other[1]}, concentrations=(1.6, 0.9))
    out = normalise_stains(image, result, target)
    assert out.dtype == np.uint8
    assert out.dims == image.dims
    bare = background(image, result)
    assert 0.02 < bare.mean() < 0.9
    np.testing.assert_array_equal(out.values[bare], image.values[bare])
    again = unmix.separate_stains(out, stain_matrix=other, white_point=WHITE)
    strongest = concentration_percentiles(again)
    np.testing.assert_allclose(strongest, [1.6, 0.9], rtol=0.05)
    blind = unmix.separate_stains(out, white_point=WHITE)
    before = unmix.separate_stains(image, white_point=WHITE)
    cosine = np.sum(blind["endmembers"].values * target.matrix, axis=1)
    own = np.sum(before["endmembers"].values * M, axis=1)
    assert np.degrees(np.arccos(cosine)).max() < np.degrees(np.arccos(own)).max() + 2.0


def test_there_and_back_again(slide):
    image, result = slide
    other = measured_stain_set(
        "other", {"hematoxylin": (0.70, 0.65, 0.29), "eosin": (0.2, 0.92, 0.3)}, concentrations=(1.4, 1.0)
    )
    there = normalise_stains(image, result, other)
    mixed = unmix.separate_stains(there, stain_matrix=other, white_point=WHITE)
    back = normalise_stains(there, mixed, stain_set_of(result, "first"))
    difference = np.abs(back.values.astype(int) - image.values.astype(int))
    assert np.median(difference) <= 1
    assert np.percentile(difference, 99) <= 8


def test_the_order_of_the_targets_stains_does_not_matter(slide):
    image, result = slide
    own = stain_set_of(result, "x")
    turned = measured_stain_set(
        "y", dict(zip(own.stains[::-1], own.matrix[::-1], strict=True)), concentrations=own.concentrations[::-1]
    )
    assert np.abs(normalise_stains(image, result, turned).values.astype(int) - image.values).max() <= 1


@pytest.mark.parametrize("convert", [lambda v: v.astype(np.uint16) * 257, lambda v: v.astype(np.float32)])
def test_other_types_of_light(slide, convert):
    image, _ = slide
    values = convert(image.values)
    scale = float(values.max()) / float(image.values.max())
    white = tuple(np.array(WHITE) * scale)
    other = unmix.as_image(values, quantity="brightfield")
    result = unmix.separate_stains(other, stain_matrix=M, white_point=white)
    target = measured_stain_set("t", {"hematoxylin": M[0], "eosin": (0.3, 0.9, 0.3)}, concentrations=(1.2, 0.8))
    out = normalise_stains(other, result, target)
    assert out.dtype == values.dtype
    bare = background(other, result)
    np.testing.assert_array_equal(out.values[bare], values[bare])
    reference = normalise_stains(image, unmix.separate_stains(image, stain_matrix=M, white_point=WHITE), target)
    assert np.abs(out.values / scale - reference.values).max() <= 0.51 + 1e-3


def test_a_lazy_image_gives_the_same_picture(slide):
    import dask.array as da

    image, result = slide
    lazy = unmix.as_image(da.from_array(image.values, chunks=(50, 70, 3)), quantity="brightfield")
    target = measured_stain_set("t", {"hematoxylin": M[0], "eosin": (0.3, 0.9, 0.3)}, concentrations=(1.2, 0.8))
    np.testing.assert_array_equal(
        normalise_stains(lazy, result, target).values, normalise_stains(image, result, target).values
    )


def test_masked_pixels_keep_their_bytes(slide):
    image, _ = slide
    mask = np.zeros(image.shape[:2], bool)
    mask[:80] = True
    result = unmix.separate_stains(image, stain_matrix=M, white_point=WHITE, mask=mask)
    out = augment_stains(image, result, 3)
    np.testing.assert_array_equal(out.values[80:], image.values[80:])
    assert (out.values[:80] != image.values[:80]).any()


def test_a_slide_whose_stains_were_not_found_is_returned_as_it_is():
    blank = unmix.as_image(np.full((40, 40, 3), 240, np.uint8), quantity="brightfield")
    with pytest.warns(UnmixWarning):
        result = unmix.separate_stains(blank)
    target = measured_stain_set("t", {"hematoxylin": M[0], "eosin": M[1]}, concentrations=(1, 1))
    with pytest.warns(UnmixWarning, match="returned as it is"):
        np.testing.assert_array_equal(normalise_stains(blank, result, target).values, blank.values)


def test_a_stain_too_weak_to_scale_is_left_alone():
    rng = np.random.default_rng(0)
    rgb = np.rint(np.array(WHITE) * np.exp(-rng.gamma(2, 0.3, (60, 60, 1)) * M[0])).astype(np.uint8)
    image = unmix.as_image(rgb, quantity="brightfield")
    result = unmix.separate_stains(image, stain_matrix=M, white_point=WHITE)
    target = measured_stain_set("t", {"hematoxylin": M[0], "eosin": M[1]}, concentrations=(1.5, 1.0))
    with pytest.warns(UnmixWarning, match="eosin is too weak"):
        out = normalise_stains(image, result, target)
    after = unmix.separate_stains(out, stain_matrix=M, white_point=WHITE)
    assert float(after["abundances"][1].max()) < 0.2


def test_augmentation_is_chosen_by_its_seed_and_says_what_it_drew(slide):
    image, result = slide
    first, again, other = (augment_stains(image, result, seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.values, again.values)
    assert (first.values != other.values).any()
    bare = background(image, result)
    np.testing.assert_array_equal(first.values[bare], image.values[bare])
    drawn = json.loads(first.attrs["augmentation"])
    assert drawn["seed"] == 1
    assert all(0.8 <= factor <= 1.2 for factor in drawn["factor"])
    turned = np.sum(np.array(drawn["stain_matrix"]) * M, axis=1)
    assert np.degrees(np.arccos(np.clip(turned, -1, 1))).max() <= 3.0 + 1e-6
    still = augment_stains(image, result, 5, strength=0, offset=0, degrees=0)
    np.testing.assert_array_equal(still.values, image.values)


def test_a_known_augmentation_gives_a_known_pixel():
    rgb = np.rint(np.array(WHITE) * np.exp(-np.array([[[0.5, 0.4]]]) @ M)).astype(np.float64).repeat(30, 0)
    image = unmix.as_image(rgb, quantity="brightfield")
    result = unmix.separate_stains(image, stain_matrix=M, white_point=WHITE)
    out = augment_stains(image, result, 4, offset=0)
    drawn = json.loads(out.attrs["augmentation"])
    C = result["abundances"].values[:, 0, 0]
    density = -np.log(rgb[0, 0] / WHITE) - C @ M + (C * drawn["factor"]) @ np.array(drawn["stain_matrix"])
    np.testing.assert_allclose(out.values[0, 0], np.array(WHITE) * np.exp(-density), rtol=1e-5)


@pytest.mark.parametrize("wrong", [{"strength": 1.0}, {"offset": -0.1}, {"degrees": 40}, {"degrees": float("nan")}])
def test_augmentation_out_of_range_is_refused(slide, wrong):
    with pytest.raises(OptionError, match="outside its range"):
        augment_stains(*slide, 1, **wrong)


def test_one_stain_alone_is_beer_lamberts_law(slide):
    _, result = slide
    for k, stain in enumerate(("hematoxylin", "eosin")):
        C = result["abundances"].values[k]
        expected = np.array(WHITE) * np.exp(-C[..., None] * M[k])
        picture = stain_picture(result, stain)
        assert picture.dtype == np.uint8
        assert np.abs(picture - expected).max() <= 0.501
    red = stain_picture(result, "hematoxylin", vector=(0, 2, 2), white_point=(255, 255, 255), dtype=np.float32)
    assert (red[..., 0] == 255).all()
    np.testing.assert_allclose(red[..., 1], 255 * np.exp(-result["abundances"].values[0] * 2**-0.5), rtol=1e-5)


def test_two_stains_alone_multiply_to_the_slide_that_has_both(slide):
    image, result = slide
    h, e = (stain_picture(result, stain, dtype=np.float64) for stain in ("hematoxylin", "eosin"))
    product = h * e / np.array(WHITE)
    assert np.percentile(np.abs(product - image.values), 95) < 6


def test_a_removed_stain_is_gone(slide):
    image, result = slide
    paler = remove_stain(image, result, "eosin")
    after = unmix.separate_stains(paler, stain_matrix=M, white_point=WHITE)
    stained = ~background(image, result)
    assert np.percentile(after["abundances"].values[1][stained], 95) < 0.06
    np.testing.assert_allclose(
        after["abundances"].values[0][stained], result["abundances"].values[0][stained], atol=0.08
    )


def test_what_does_not_belong_together_is_refused(slide):
    image, result = slide
    target = stain_set_of(result, "t")
    with pytest.raises(DataError, match="do not belong together"):
        normalise_stains(image[:100], result, target)
    with pytest.raises(OptionError, match="the target has no eosin"):
        normalise_stains(image, result, measured_stain_set("t", {"hematoxylin": M[0]}, concentrations=(1,)))
    with pytest.raises(OptionError, match="no concentrations"):
        normalise_stains(image, result, stain_set("H&E"))
    with pytest.raises(OptionError, match="no stain 'dab'"):
        stain_picture(result, "dab")
    with pytest.raises(OptionError, match="must be 3"):
        stain_picture(result, "eosin", vector=(1, 2))
    cube = unmix.as_image(np.random.default_rng(0).random((20, 20, 6)), quantity="radiance")
    other = unmix.map_abundances(cube, np.eye(2, 6) + 0.1)
    with pytest.raises(DataError, match="not of stains"):
        stain_picture(other, "eosin")


def test_recorded_optical_density_has_no_picture_without_a_white_point():
    density = np.random.default_rng(0).gamma(1, 0.4, (60, 60, 2)) @ M
    image = unmix.as_image(density.astype(np.float32), quantity="optical_density")
    result = unmix.separate_stains(image, stain_matrix=M)
    assert white_point_of(result) is None
    with pytest.raises(OptionError, match="give white_point="):
        stain_picture(result, "eosin")
    assert stain_picture(result, "eosin", white_point=(255, 255, 255)).max() <= 255
    with pytest.raises(DataError, match="transmitted light"):
        remove_stain(image, result, "eosin")
