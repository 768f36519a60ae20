"""Pictures that laboratories do send, through the public door: each is right, flagged, or refused in one line."""

from __future__ import annotations

import io
import json
import warnings

import numpy as np
import pytest

import unmix
from unmix.errors import DataError, OptionError, UnmixError, UnmixWarning
from unmix.materials.stains import reference_vectors
from unmix.normalise import stain_picture

HE = ("hematoxylin", "eosin")
WHITE = np.array([243.0, 240.0, 246.0])

no_glass = pytest.mark.filterwarnings("ignore:the brightest light seen is")  # its own tests are with the white point


def slide(shares=(0.5, 0.5), seed=0, side=160, noise=1.5, foreign=0.12):
    rng = np.random.default_rng(seed)
    n = side * side
    amounts = rng.gamma(0.5, foreign, (n, 2)) if foreign else np.zeros((n, 2))
    amounts[np.arange(n), rng.choice(2, n, p=shares)] += rng.gamma(3.0, 0.25, n)
    amounts[rng.random(n) > 0.7] = 0
    light = WHITE * np.exp(-amounts @ reference_vectors(HE)) + rng.normal(0, noise, (n, 3))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(side, side, 3), amounts.reshape(side, side, 2)


def notes(result):
    return json.loads(result.attrs["provenance"])["fit"]


def angles(a, b):
    return np.degrees(np.arccos(np.clip(np.sum(np.asarray(a) * np.asarray(b), axis=1), -1, 1)))


def check_sound(result):
    """Nothing in the result is NaN or negative, and the stains' own pictures are not black."""
    assert np.isfinite(result["endmembers"].values).all()
    assert np.isfinite(result["abundances"].values).all()
    assert result["abundances"].values.min() >= 0
    assert np.isfinite(result["residual"].values).all()
    assert np.isfinite(result.attrs["relative_error"])
    assert {"stain_flag", "white_point", "gate_background", "gate_colour", "angle_to_reference_hematoxylin"} <= set(
        notes(result)
    )
    assert result.attrs["stain_flag"] == notes(result)["stain_flag"]


@pytest.mark.parametrize("level", [200, 238, 255])
def test_a_blank_tile_has_no_stain_and_says_so(level):
    with pytest.warns(UnmixWarning, match="300 are needed"):
        result = unmix.separate_stains(np.full((60, 60, 3), level, np.uint8))
    check_sound(result)
    assert result.attrs["stain_flag"] == "too little tissue"
    assert result["abundances"].values.max() < 0.05
    np.testing.assert_array_equal(stain_picture(result, "hematoxylin"), level)


@pytest.mark.parametrize("colour", [(0, 0, 0), (8, 8, 8), (20, 20, 25), (20, 120, 60), (30, 50, 150)])
@no_glass
def test_an_all_ink_tile_keeps_the_published_vectors_flagged(colour):
    with pytest.warns(UnmixWarning, match="published vector"):
        result = unmix.separate_stains(np.full((60, 60, 3), colour, np.uint8))
    check_sound(result)
    assert result.attrs["stain_flag"] in ("too little tissue", "one stain")
    if result.attrs["stain_flag"] == "too little tissue":
        np.testing.assert_allclose(result["endmembers"].values, reference_vectors(HE))


@pytest.mark.parametrize("sigma", [0.3, 1.0, 4.0])
@pytest.mark.parametrize("tint", [(1.0, 1.0, 1.0), (1.0, 0.97, 0.93)])
def test_a_grey_picture_with_noise_or_a_tint_is_refused_too(sigma, tint):
    grey = slide()[0].mean(axis=-1, keepdims=True)
    noise = np.random.default_rng(1).normal(0, sigma, (*grey.shape[:2], 3))
    with pytest.raises(DataError, match="no colour"):
        unmix.separate_stains(np.clip(np.rint(grey * tint + noise), 0, 255).astype(np.uint8))


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_grey_picture_is_refused(dtype):
    grey = np.random.default_rng(0).integers(20, 220, (60, 60, 1)).repeat(3, axis=2).astype(dtype)
    with pytest.raises(DataError, match="no colour"):
        unmix.separate_stains(grey)


@pytest.mark.parametrize("shape", [(60, 60), (60, 60, 1), (60, 60, 2), (60, 60, 4), (3, 60, 60), (0, 9, 3)])
def test_pictures_of_another_shape_are_refused_in_one_line(shape):
    with pytest.raises(UnmixError) as refusal:
        unmix.separate_stains(np.full(shape, 120, np.uint8))
    assert "\n" not in str(refusal.value)
    assert str(shape) in str(refusal.value) or "3 channels" in str(refusal.value)


@pytest.mark.parametrize("alpha", [0, 255])
def test_an_alpha_channel_is_refused_with_the_way_out_and_the_way_out_works(alpha):
    rgb, _ = slide()
    rgba = np.dstack([rgb, np.full(rgb.shape[:2], alpha, np.uint8)])
    with pytest.raises(OptionError, match=r"this image has 4\. Give the first three, image\[\.\.\., :3\]"):
        unmix.separate_stains(rgba)
    check_sound(unmix.separate_stains(rgba[..., :3]))


@pytest.mark.parametrize("present", [0, 1])
def test_one_stain_alone_is_named_and_the_other_is_hardly_there(present):
    rgb, amounts = slide(tuple(np.eye(2)[present]), foreign=0)
    with pytest.warns(UnmixWarning, match=f"only {HE[present]} is there"):
        result = unmix.separate_stains(rgb)
    check_sound(result)
    assert result.attrs["stain_flag"] == "one stain"
    assert angles(result["endmembers"].values, reference_vectors(HE))[present] < 3
    maps = result["abundances"].values
    assert maps[1 - present].mean() < 0.06 * maps[present].mean()
    np.testing.assert_allclose(maps[present].mean(), amounts[..., present].mean(), rtol=0.05)


@pytest.mark.parametrize("pixel", [(100, 50, 150), (128, 128, 128), (0, 0, 0), (255, 255, 255)])
@no_glass
def test_one_pixel_is_solved_with_the_published_vectors(pixel):
    with pytest.warns(UnmixWarning, match="300 are needed"):
        result = unmix.separate_stains(np.array([[pixel]], np.uint8))
    check_sound(result)
    assert result["abundances"].shape == (2, 1, 1)


@pytest.mark.parametrize(
    ("convert", "bound"),
    [
        (lambda rgb: rgb.astype(np.uint16) * 257, 0.2),
        (lambda rgb: rgb.astype(np.uint16) * 16, 0.2),
        (lambda rgb: rgb.astype(np.float32) / 255, 0.2),
        (lambda rgb: rgb.astype(">u2") * 257, 0.2),
        (lambda rgb: np.asfortranarray(rgb), 0.0),
        (lambda rgb: rgb[::-1, ::-1], 0.5),
    ],
    ids=["16 bits", "12 bits in 16", "float", "big-endian", "Fortran order", "views turned round"],
)
def test_sixteen_bits_floats_and_odd_layouts_give_the_same_stains(convert, bound):
    rgb, _ = slide()
    plain, other = unmix.separate_stains(rgb), unmix.separate_stains(convert(rgb))
    check_sound(other)
    assert angles(plain["endmembers"].values, other["endmembers"].values).max() <= bound + 1e-5
    np.testing.assert_allclose(other["abundances"].mean(("y", "x")), plain["abundances"].mean(("y", "x")), rtol=0.02)


@pytest.fixture(scope="module")
def clean():
    scene = unmix.synthetic.stained_slide(1003, shape=(192, 192))
    return scene, unmix.separate_stains(scene.image)


@pytest.mark.parametrize(("quality", "bound"), [(20, 8.0), (50, 6.0), (90, 4.0)])
def test_jpeg_noise_does_not_lose_the_stains(clean, quality, bound):
    from PIL import Image

    scene, whole = clean
    buffer = io.BytesIO()
    Image.fromarray(scene.image.values).save(buffer, "JPEG", quality=quality)
    result = unmix.separate_stains(np.array(Image.open(buffer)))
    check_sound(result)
    assert result.attrs["stain_flag"] == "none"
    assert angles(result["endmembers"].values, whole["endmembers"].values).max() < bound
    for k in range(2):
        maps = [r["abundances"].values[k].ravel() for r in (result, whole)]
        assert np.corrcoef(maps)[0, 1] > 0.85


@pytest.mark.parametrize("names", [HE, ("hematoxylin", "dab"), ("hematoxylin", "eosin", "dab")])
def test_channels_in_reverse_are_flagged_and_the_way_out_works(names):
    scene = unmix.synthetic.stained_slide(11, shape=(160, 160), stains=names)
    rgb = scene.image.values
    with pytest.warns(UnmixWarning, match=r"order blue, green, red\. Give image\[\.\.\., ::-1\]"):
        result = unmix.separate_stains(np.ascontiguousarray(rgb[..., ::-1]), names)
    assert result.attrs["stain_flag"] == "channels reversed"
    assert notes(result)["reversed_margin_degrees"] < -3
    right = unmix.separate_stains(rgb, names)
    assert right.attrs["stain_flag"] == "none"
    assert notes(right)["reversed_margin_degrees"] > 3


def test_light_below_zero_is_said_aloud_and_counted():
    rgb, _ = slide()
    shifted = rgb.astype(float) - 100
    with pytest.warns(UnmixWarning, match=r"hold light below zero \(the least is -\d+\) and are taken as black"):
        result = unmix.separate_stains(shifted)
    negative = int((shifted < 0).any(axis=-1).sum())
    assert 0.5 * negative < notes(result)["sampled_with_negative_light"] <= negative  # the sample is most of the tile
    assert notes(unmix.separate_stains(rgb.astype(float)))["sampled_with_negative_light"] == 0


def test_pixels_without_a_value_stay_without_one_and_do_not_spread():
    rgb, _ = slide()
    holed = rgb / 255.0
    holed[:10] = np.nan
    result = unmix.separate_stains(holed)
    assert np.isnan(result["abundances"].values[:, :10]).all()
    assert np.isfinite(result["abundances"].values[:, 10:]).all()
    assert np.isfinite(result["endmembers"].values).all()
    assert result.attrs["n_invalid"] == 10 * rgb.shape[1]


def test_a_stain_map_is_right_to_the_noise():
    rgb, amounts = slide()
    result = unmix.separate_stains(rgb)
    for k in range(2):
        got, true = result["abundances"].values[k], amounts[..., k]
        assert np.corrcoef(got.ravel(), true.ravel())[0, 1] > 0.985
        assert abs(got.mean() - true.mean()) < 0.05 * true.mean() + 0.005
    assert result["residual"].attrs["units"] == "optical density (natural log)"
    assert float(np.sqrt((result["residual"].values.astype(float) ** 2).mean())) < 0.08


def test_the_white_point_is_that_of_the_bare_glass_and_can_be_given():
    rgb, _ = slide(noise=4.0)
    np.testing.assert_allclose(notes(unmix.separate_stains(rgb))["white_point"], WHITE, atol=1.0)
    given = unmix.separate_stains(rgb, white_point=(250, 250, 250))
    assert notes(given)["white_point"] == [250, 250, 250]


def test_random_colours_never_give_nan():
    for seed in range(5):
        rgb = np.random.default_rng(seed).integers(0, 256, (50, 50, 3), dtype=np.uint8)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmixWarning)
            check_sound(unmix.separate_stains(rgb))


def test_a_translucent_pen_over_a_part_of_the_tissue_is_flagged_and_a_mask_cures_it():
    picture, _ = slide(side=240)
    inked = picture.astype(float)
    inked[40:70] *= np.exp(-np.array([0.6, 0.3, 0.05]))
    inked = np.clip(np.rint(inked), 0, 255).astype(np.uint8)
    with pytest.warns(UnmixWarning, match=r"without the part between 0 and 25 % of its height .* mask="):
        found = unmix.separate_stains(inked)
    assert found.attrs["stain_flag"] == "one part decides"
    clean = np.ones(inked.shape[:2], bool)
    clean[40:70] = False
    cured = unmix.separate_stains(inked, mask=clean)
    assert cured.attrs["stain_flag"] == "none"
    assert angles(cured["endmembers"].values, unmix.separate_stains(picture)["endmembers"].values).max() < 1.0
