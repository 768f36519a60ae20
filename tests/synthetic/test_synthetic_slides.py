"""Slides follow Beer-Lambert with the stains and concentrations they name."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.errors import OptionError
from unmix.image import check_image
from unmix.light.beer_lambert import to_optical_density
from unmix.synthetic import STAIN_VECTORS, Scene, stained_slide

SHAPE = (128, 144)


@pytest.fixture(scope="module")
def he() -> Scene:
    return stained_slide(1, SHAPE, noise=0.0)


@pytest.fixture(scope="module")
def dab() -> Scene:
    return stained_slide(2, SHAPE, ("hematoxylin", "dab"), noise=0.0)


@pytest.mark.parametrize("stains", [("hematoxylin", "eosin"), ("hematoxylin", "dab"), ("eosin", "dab", "hematoxylin")])
def test_light_is_beer_lambert_within_rounding(stains: tuple[str, ...]) -> None:
    slide = stained_slide(3, SHAPE, stains, noise=0.0)
    check_image(slide.image)
    assert slide.image.dtype == np.uint8
    assert slide.image.attrs["quantity"] == "brightfield"
    assert slide.names == stains
    light = slide.white_point * np.exp(-slide.mixture)
    assert np.abs(slide.image.values - light).max() <= 0.5 + 1e-9


def test_optical_density_is_concentration_times_stains(he: Scene) -> None:
    density = to_optical_density(he.image.values, he.white_point)
    one_grey_level = 0.5 / (he.image.values.astype(float) - 0.5)
    assert (np.abs(density - he.mixture) <= one_grey_level * 1.01 + 1e-6).all()


def test_stain_vectors_are_unit_and_the_named_ones(dab: Scene) -> None:
    for name, vector in zip(dab.names, dab.endmembers, strict=True):
        assert np.linalg.norm(vector) == pytest.approx(1)
        named = np.array(STAIN_VECTORS[name])
        assert vector @ named / np.linalg.norm(named) == pytest.approx(1)


def test_own_stain_matrix_and_white_point_are_used() -> None:
    slide = stained_slide(1, SHAPE, stain_matrix=[[2, 0, 0], [0, 3, 4]], white_point=(200, 210, 220), noise=0.0)
    np.testing.assert_allclose(slide.endmembers, [[1, 0, 0], [0, 0.6, 0.8]])
    assert slide.image.values.max(axis=(0, 1)).tolist() == [200, 210, 220]


def test_section_has_glass_pink_stroma_and_blue_nuclei(he: Scene) -> None:
    hematoxylin, eosin = he.abundances
    bare = (hematoxylin < 0.01) & (eosin < 0.01)
    nuclei = hematoxylin > 0.6
    stroma = (eosin > 0.25) & (hematoxylin < 0.1)
    assert 0.05 < bare.mean() < 0.6
    assert 0.03 < nuclei.mean() < 0.4
    assert 0.1 < stroma.mean() < 0.8
    red, green, blue = he.image.values[nuclei].mean(axis=0)
    assert green < red < blue
    red, green, blue = he.image.values[stroma].mean(axis=0)
    assert green < blue < red
    np.testing.assert_allclose(he.image.values[bare].mean(axis=0), he.white_point, atol=2)


def test_positive_nuclei_are_brown_and_as_many_as_asked(dab: Scene) -> None:
    brown = dab.abundances[1] > 0.4
    red, green, blue = dab.image.values[brown].mean(axis=0)
    assert max(blue, green) < red
    none = stained_slide(2, SHAPE, ("hematoxylin", "dab"), positive_share=0.0)
    most = stained_slide(2, SHAPE, ("hematoxylin", "dab"), positive_share=1.0)
    assert none.abundances[1].max() < 0.1
    assert (most.abundances[1] > 0.4).sum() > 1.5 * brown.sum()


def test_noise_is_as_large_as_asked_where_it_is_bright(he: Scene) -> None:
    noisy = stained_slide(1, SHAPE, noise=3.0)
    np.testing.assert_array_equal(noisy.abundances, he.abundances)
    bare = he.abundances.sum(axis=0) < 0.005
    change = noisy.image.values[bare].astype(float) - he.image.values[bare]
    assert change.std() == pytest.approx(3.0, rel=0.1)
    dark = he.abundances.sum(axis=0) > 1.0
    change = noisy.image.values[dark].astype(float) - he.image.values[dark]
    assert change.std() < 2.5


def test_strength_scales_concentrations(he: Scene) -> None:
    pale = stained_slide(1, SHAPE, strength=0.5)
    np.testing.assert_allclose(pale.abundances, 0.5 * he.abundances)


@pytest.mark.parametrize("artefact", ["pen", "fold", "pigment"])
def test_artefacts_are_where_the_mask_says_and_nowhere_else(he: Scene, artefact: str) -> None:
    spoiled = stained_slide(1, SHAPE, noise=0.0, artefacts=(artefact,))
    changed = (spoiled.image.values != he.image.values).any(axis=-1)
    assert spoiled.artefact is not None
    assert 0.001 < spoiled.artefact.mean() < 0.3
    strongly = np.abs(spoiled.image.values.astype(int) - he.image.values).max(axis=-1) > 20
    assert strongly.any()
    assert not (strongly & ~spoiled.artefact).any()
    assert changed[spoiled.artefact].mean() > 0.3
    light = spoiled.white_point * np.exp(-spoiled.mixture)
    outside = np.abs(spoiled.image.values - light).max(axis=-1)[spoiled.artefact]
    assert (outside.max() <= 0.5 + 1e-9) == (artefact == "fold")


def test_same_seed_same_slide_other_seed_other_slide(he: Scene) -> None:
    first, again, other = (stained_slide(seed, SHAPE) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.image.values, again.image.values)
    np.testing.assert_array_equal(first.abundances, he.abundances)
    assert (first.image.values != other.image.values).mean() > 0.5


@pytest.mark.parametrize("shape", [(64, 64), (64, 300), (301, 65)])
def test_any_shape_is_drawn(shape: tuple[int, int]) -> None:
    slide = stained_slide(4, shape)
    assert slide.image.shape == (*shape, 3)
    assert np.isfinite(slide.abundances).all()
    assert slide.abundances.min() >= 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"stains": ("hematoxylin",)}, "one or two of eosin and dab"),
        ({"stains": ("eosin", "dab")}, "give hematoxylin"),
        ({"stains": ("hematoxylin", "ketchup")}, "'ketchup' is not known"),
        ({"artefacts": ("coffee",)}, "'coffee' is not known"),
        ({"stain_matrix": [[1, 2, 3]]}, "stain_matrix: give 2 rows of 3"),
        ({"stain_matrix": [[1, 2, 3], [0, 0, 0]]}, "stain_matrix"),
        ({"white_point": (255, 255)}, "white_point"),
        ({"white_point": (255, 255, 0)}, "white_point=0"),
        ({"noise": -1.0}, "noise=-1.0"),
        ({"shape": (20, 20)}, "at least 64"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        stained_slide(1, **{"shape": (64, 64), **options})
