"""The coast holds what its truth says, and its blind bands hold nothing."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.errors import OptionError
from unmix.image import check_image
from unmix.synthetic import COAST_MATERIALS, Scene, coast_scene
from unmix.synthetic.coast import WATER_VAPOUR, swath_edge


@pytest.fixture(scope="module")
def coast() -> Scene:
    return coast_scene(1)


def test_coast_equals_its_truth_within_sensor_noise(coast: Scene) -> None:
    check_image(coast.image)
    assert coast.names == COAST_MATERIALS
    good = coast.image["good_band"].values
    deviation = (coast.image.values - coast.mixture)[:, :, good]
    middle = np.abs(coast.image["wavelength"].values[good] - 1425) < 400
    assert deviation[:, :, middle].std() == pytest.approx(0.0025, rel=0.05)
    assert 0.0025 < deviation.std() < 0.005
    assert abs(deviation.mean()) < 1e-4


def test_fractions_sum_to_one_and_brightness_is_at_most_one(coast: Scene) -> None:
    np.testing.assert_allclose(coast.abundances.sum(axis=0), 1, atol=1e-12)
    assert coast.abundances.min() >= 0
    assert coast.brightness is not None
    assert coast.brightness.min() >= 0.3
    assert coast.brightness.max() <= 1


def test_every_material_has_a_pure_pixel_inside_the_swath(coast: Scene) -> None:
    inside = swath_edge(coast.image.shape[:2])
    for k, (row, column) in enumerate(coast.pure):
        np.testing.assert_allclose(coast.abundances[:, row, column], np.eye(5)[k], atol=1e-6)
        assert inside[row, column]


def test_borders_are_mixed_and_every_material_covers_ground(coast: Scene) -> None:
    assert (coast.abundances.max(axis=0) < 0.95).mean() > 0.1
    assert (coast.abundances.mean(axis=(1, 2)) > 0.04).all()


def test_water_is_far_darker_than_the_rest(coast: Scene) -> None:
    norms = np.linalg.norm(coast.endmembers, axis=1)
    assert norms[0] < 0.2 * norms[1:].min()


def test_water_vapour_bands_are_flagged_and_hold_no_signal(coast: Scene) -> None:
    wavelength, good = coast.image["wavelength"].values, coast.image["good_band"].values
    inside = np.zeros(len(wavelength), bool)
    for low, high in WATER_VAPOUR:
        inside |= (wavelength >= low) & (wavelength <= high)
    np.testing.assert_array_equal(good, ~inside)
    assert inside.sum() > 8
    junk, truth = coast.image.values[:, :, inside], coast.mixture[:, :, inside]
    assert abs(np.corrcoef(junk.ravel(), truth.ravel())[0, 1]) < 0.02
    assert junk.min() < 0


def test_swath_edge_is_turned_so_that_no_row_or_column_is_whole() -> None:
    inside = swath_edge((80, 84))
    assert 0.8 < inside.mean() < 0.95
    assert not inside.all(axis=0).any()
    assert not inside.all(axis=1).any()
    np.testing.assert_array_equal(inside, inside[::-1, ::-1])


def test_same_seed_same_coast_other_seed_other_coast(coast: Scene) -> None:
    np.testing.assert_array_equal(coast_scene(1).image.values, coast.image.values)
    assert np.abs(coast_scene(2).abundances - coast.abundances).max() > 0.9


@pytest.mark.parametrize(
    ("options", "message"),
    [({"shape": (10, 40)}, "at least 24"), ({"n_bands": 5}, "n_bands=5"), ({"noise": 1}, "noise=1")],
)
def test_bad_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        coast_scene(1, **options)
