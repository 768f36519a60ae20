"""The white point nobody gave: found where the glass is seen, and said aloud where it is assumed."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import unmix
from unmix.errors import UnmixWarning
from unmix.light.white_point import estimate_white_point, glass_noise
from unmix.synthetic import stained_slide


def notes(result):
    return json.loads(result.attrs["provenance"])["fit"]


def worst_angle(result, slide):
    found = result["endmembers"].transpose("endmember", "band").values
    return np.degrees(np.arccos(np.clip(np.sum(found * slide.endmembers, axis=1), -1, 1))).max()


def test_white_point_follows_the_bright_background():
    rng = np.random.default_rng(0)
    sample = rng.integers(30, 200, (10_000, 3)).astype(np.uint8)
    sample[:500] = [244, 240, 250]
    found = estimate_white_point(sample)
    np.testing.assert_array_equal(found.values, [244, 240, 250])
    assert not found.is_assumed


@pytest.mark.parametrize(
    ("dark", "white"),
    [
        (np.full((1000, 3), 90, np.uint8), 200),
        (np.full((1000, 3), 90, np.uint8) / np.float32(255), 200 / 255),
        (np.full((1000, 3), 2000, np.uint16), 4095 * 200 / 255),
    ],
    ids=["8 bits", "float", "12 bits in 16"],
)
def test_white_point_is_never_dark(dark, white):
    found = estimate_white_point(dark)
    np.testing.assert_allclose(found.values, white)
    np.testing.assert_allclose(found.seen, dark[0])
    assert found.is_assumed


def test_dim_light_is_said_aloud_and_the_way_out_works():
    slide = stained_slide(11, shape=(128, 128), white_point=(120.0, 118.0, 121.0))
    with pytest.warns(UnmixWarning, match=r"too dark for bare glass.*assumed to be \(200, 200, 200\).*white_point="):
        result = unmix.separate_stains(slide.image)
    seen = notes(result)["white_point_seen"]
    np.testing.assert_allclose(seen, slide.white_point, atol=4)
    assert worst_angle(result, slide) > 5  # what the warning is about
    assert worst_angle(unmix.separate_stains(slide.image, white_point=seen), slide) < 4


def test_of_many_channels_the_range_is_said():
    dim = unmix.as_image(np.random.default_rng(0).uniform(0.1, 0.4, (40, 40, 90)).astype(np.float32))
    with pytest.warns(UnmixWarning, match=r"seen is 0.39\d* to 0.39\d* in 90 channels.* be 0.7843 in 90 ") as caught:
        unmix.unmix(dim, 2, quantity="brightfield")
    assert max(len(str(one.message)) for one in caught) < 300


def test_light_a_little_below_the_least_assumed_is_no_reason_to_warn():
    values = np.random.default_rng(0).integers(60, 196, (50, 50, 3), np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert not estimate_white_point(values.reshape(-1, 3)).is_assumed


@pytest.mark.parametrize(
    "convert", [lambda v: v, lambda v: v.astype(np.uint16) * 257, lambda v: v / np.float32(255)], ids=["u1", "u2", "f4"]
)
def test_white_padding_is_not_the_glass(convert):
    slide = stained_slide(11, shape=(160, 160))
    plain = slide.image.values.copy()
    padded = plain.copy()
    padded[:, :80] = 255
    result = unmix.separate_stains(convert(padded))
    unit = convert(np.array([255], np.uint8))[0] / 255
    np.testing.assert_allclose(notes(result)["white_point"], slide.white_point * unit, rtol=0.01)
    assert 0.4 * 20_000 < notes(result)["sampled_white_padding"] < 0.6 * 20_000  # of a sample of 20,000
    alone = unmix.separate_stains(convert(plain[:, 80:]))
    assert notes(alone)["sampled_white_padding"] == 0
    for k in range(2):
        maps = [r["abundances"].values[k] for r in (result, alone)]
        assert maps[0][:, 80:].mean() == pytest.approx(maps[1].mean(), rel=0.05)
        assert maps[0][:, :80].max() < 0.01


def test_glass_that_the_camera_clips_is_no_padding():
    rng = np.random.default_rng(0)
    glass = np.clip(np.rint(rng.normal(255.0, 2.0, (6000, 3))), 0, 255)
    tissue = rng.integers(80, 220, (4000, 3))
    found = estimate_white_point(np.concatenate([glass, tissue]).astype(np.uint8))
    assert found.n_padding == 0
    np.testing.assert_allclose(found.values, 255, atol=1)


def test_white_without_glass_below_it_is_the_glass():
    tissue = np.random.default_rng(0).integers(80, 220, (4000, 3)).astype(np.uint8)
    pale = np.full((3000, 3), (190, 120, 180), np.uint8)  # one flat colour, too dark for glass
    for rest in (tissue, pale):
        found = estimate_white_point(np.concatenate([np.full((2000, 3), 255, np.uint8), rest]))
        assert found.n_padding == 0
        np.testing.assert_array_equal(found.values, 255)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 3.0])
def test_bare_glass_shows_the_noise_and_dust_on_it_does_not(sigma):
    rng = np.random.default_rng(0)
    white = np.array([243.0, 240.0, 246.0])
    light = np.tile(white, (40_000, 1))
    light[:20_000] *= rng.uniform(0.2, 0.8, (20_000, 1))
    light[39_000:] *= 0.94
    sample = np.clip(np.rint(light + rng.normal(0, sigma, light.shape)), 0, 255).astype(np.uint8)
    np.testing.assert_allclose(glass_noise(sample, white) * white, np.hypot(sigma, 0.29), rtol=0.15)
    assert glass_noise(sample[:20_000], white) is None
