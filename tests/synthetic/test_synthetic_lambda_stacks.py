"""Lambda stacks count photons as their truth says."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.errors import OptionError
from unmix.image import check_image
from unmix.synthetic import DYES, Dye, Scene, lambda_stack

SHAPE = (96, 110)


@pytest.fixture(scope="module")
def stack() -> Scene:
    return lambda_stack(1, 5, 28, SHAPE)


def test_stack_is_an_image_of_counts(stack: Scene) -> None:
    check_image(stack.image)
    assert stack.image.attrs["quantity"] == "counts"
    assert stack.image.dtype == np.uint16
    assert stack.names == tuple(DYES)[:5]
    np.testing.assert_allclose(stack.image["wavelength"].values, np.arange(410, 681, 10))
    np.testing.assert_allclose(stack.endmembers.sum(axis=1), 1)
    assert stack.abundances.min() >= 0


def test_counts_are_poisson_about_the_mixture(stack: Scene) -> None:
    expected = stack.mixture + stack.offset
    deviation = stack.image.values - expected
    n = deviation.size
    assert abs(deviation.mean()) < 4 * np.sqrt(expected.mean() / n)
    for low, high in ((0.01, 0.5), (0.5, 2), (2, 8), (8, 100)):
        inside = (expected >= low) & (expected < high)
        assert inside.sum() > 500
        ratio = np.mean(deviation[inside] ** 2) / expected[inside].mean()
        assert ratio == pytest.approx(1, abs=8 / np.sqrt(inside.sum()) + 0.03)


def test_gain_offset_and_read_noise_follow_the_camera_model() -> None:
    scene = lambda_stack(2, 3, 28, SHAPE, gain=5.0, offset=100.0, read_noise=4.0, background=28.0)
    assert scene.offset == pytest.approx(100 + 5)
    deviation = scene.image.values - (scene.mixture + scene.offset)
    assert abs(deviation.mean()) < 0.3
    variance = 5.0 * (scene.mixture + 5.0) + 4.0**2 + 1 / 12
    assert np.mean(deviation**2) == pytest.approx(variance.mean(), rel=0.05)


def test_brightest_pixels_hold_the_photons_asked_for() -> None:
    few, many = (lambda_stack(1, 4, 28, SHAPE, photons=photons).abundances for photons in (100.0, 1000.0))
    np.testing.assert_allclose(many, 10 * few)
    assert 60 < np.percentile(few[0], 99.9) < 110


def test_compartments_lie_where_they_belong(stack: Scene) -> None:
    light = dict(zip(stack.names, stack.abundances / stack.abundances.max(axis=(1, 2), keepdims=True), strict=True))
    nucleus = light["nuclear blue"] > 0.4
    assert 0.05 < nucleus.mean() < 0.4
    for organelle in ("golgi green", "mitochondria orange", "lysosome green"):
        bright = light[organelle] > 0.4
        assert 0.001 < bright.mean() < 0.2
        assert (bright & nucleus).sum() < 0.05 * bright.sum()


def test_dyes_overlap_but_can_be_told_apart() -> None:
    E = lambda_stack(1, 6, 28, SHAPE).endmembers
    units = E / np.linalg.norm(E, axis=1, keepdims=True)
    cosines = units @ units.T - np.eye(6)
    assert 0.6 < cosines.max() < 0.8


def test_own_dyes_are_taken() -> None:
    own = Dye("actin", 620, 15, 20, 0.2, 50, 1.0)
    scene = lambda_stack(1, shape=(48, 48), dyes=["nuclear blue", own])
    assert scene.names == ("nuclear blue", "actin 620")
    nm = scene.image["wavelength"].values
    assert nm[scene.endmembers[1].argmax()] == 620


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "float32"])
def test_types_hold_the_same_counts(dtype: str) -> None:
    reference = lambda_stack(3, 3, 28, (40, 40)).image.values
    values = lambda_stack(3, 3, 28, (40, 40), dtype=dtype).image.values
    assert values.dtype == dtype
    np.testing.assert_array_equal(values, reference)


def test_bytes_are_clipped_and_not_wrapped() -> None:
    wide = lambda_stack(3, 3, 28, (40, 40), photons=20_000.0).image.values
    narrow = lambda_stack(3, 3, 28, (40, 40), photons=20_000.0, dtype="uint8").image.values
    assert wide.max() > 255
    np.testing.assert_array_equal(narrow, np.minimum(wide, 255))


def test_same_seed_same_stack_other_seed_other_stack(stack: Scene) -> None:
    again, other = (lambda_stack(seed, 5, 28, SHAPE) for seed in (1, 2))
    np.testing.assert_array_equal(stack.image.values, again.image.values)
    assert (stack.image.values != other.image.values).mean() > 0.2


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_dyes": 7}, "n_dyes=7: give a whole number from 2 to 6"),
        ({"n_bands": 3}, "n_bands=3"),
        ({"dyes": ["nuclear blue", "beetroot"]}, "'beetroot' is not known"),
        ({"dyes": ["nuclear blue", "nuclear blue"]}, "given twice"),
        ({"dyes": ["nuclear blue"]}, "at least 2"),
        ({"photons": 0.0}, "photons=0.0"),
        ({"gain": float("inf")}, "gain=inf"),
        ({"dtype": "int8"}, "dtype=int8"),
        ({"shape": (16, 64)}, "at least 32"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        lambda_stack(1, **{"shape": (32, 32), **options})


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (("vacuole", 500, 10, 10, 0, 40, 1), "compartment: 'vacuole' is not known"),
        (("actin", 500, 0, 10, 0, 40, 1), "rise=0"),
        (("actin", 5000, 9, 10, 0, 40, 1), "peak=5000"),
        (("actin", 500, 9, 10, 0, 40, float("nan")), "level=nan"),
    ],
)
def test_impossible_dyes_are_refused_by_name(values: tuple, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        Dye(*values)
