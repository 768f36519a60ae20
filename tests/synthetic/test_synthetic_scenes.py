"""Hyperspectral scenes hold what their truth says."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import DataError, OptionError
from unmix.image import check_image
from unmix.synthetic import Scene, hyperspectral_scene, separable_scene


def difference(scene: Scene) -> np.ndarray:
    return scene.image.values.astype(np.float64) - scene.mixture


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-14), ("float32", 1e-6)])
@pytest.mark.parametrize("sums", ["one", "at_most_one", "any"])
def test_separable_scene_is_exact_and_has_its_pure_pixels(dtype: str, tolerance: float, sums: str) -> None:
    scene = separable_scene(5, 12, (9, 11), seed=3, sums=sums, dtype=dtype)
    check_image(scene.image)
    assert scene.image.dtype == dtype
    assert np.abs(difference(scene)).max() <= tolerance * scene.image.values.max()
    for k, (row, column) in enumerate(scene.pure):
        np.testing.assert_allclose(scene.image.values[row, column], scene.endmembers[k], rtol=tolerance)
        np.testing.assert_array_equal(scene.abundances[:, row, column], np.eye(5)[k])


@pytest.mark.parametrize(("sums", "low", "high"), [("one", 1, 1), ("at_most_one", 0.3, 1), ("any", 0.3, 3)])
def test_separable_abundances_sum_as_asked(sums: str, low: float, high: float) -> None:
    total = separable_scene(4, 8, (20, 20), sums=sums).abundances.sum(axis=0)
    assert total.min() >= low - 1e-12
    assert total.max() <= high + 1e-12
    assert (np.ptp(total) > 0.5) == (sums != "one")


@given(
    r=st.integers(1, 6),
    extra=st.integers(0, 5),
    shape=st.tuples(st.integers(3, 8), st.integers(3, 8)),
    seed=st.integers(0, 2**32),
)
@settings(max_examples=25)
def test_separable_spectra_are_independent_and_only_pure_pixels_are_pure(
    r: int, extra: int, shape: tuple[int, int], seed: int
) -> None:
    scene = separable_scene(r, r + extra, shape, seed=seed)
    assert np.linalg.matrix_rank(scene.endmembers) == r
    assert scene.abundances.min() >= 0
    if r > 1:
        assert (scene.abundances > 0.999).any(axis=0).sum() == r


def test_noise_free_scene_equals_its_truth() -> None:
    scene = hyperspectral_scene(1, 4, 60, (40, 50), snr=np.inf, brightness_scatter=0.1)
    check_image(scene.image)
    assert scene.image.attrs["quantity"] == "reflectance"
    assert np.abs(difference(scene)).max() < 1e-6
    np.testing.assert_allclose(scene.image["wavelength"].values[[0, -1]], [400, 2450])


@pytest.mark.parametrize("purity", [1.0, 0.9, 0.7, 0.5])
@pytest.mark.parametrize("rare_share", [0.0, 0.005])
def test_abundances_sum_to_one_and_the_largest_is_capped(purity: float, rare_share: float) -> None:
    A = hyperspectral_scene(2, 5, 20, (48, 52), purity=purity, rare_share=rare_share).abundances
    np.testing.assert_allclose(A.sum(axis=0), 1, atol=1e-9)
    assert A.min() >= 0
    assert A.max() == pytest.approx(purity, abs=1e-9)


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("n_endmembers", [2, 3, 7])
def test_every_material_has_the_pure_pixel_it_promises(seed: int, n_endmembers: int) -> None:
    scene = hyperspectral_scene(seed, n_endmembers, 20, (30, 30), rare_share=0.01 * (seed % 2))
    for k, (row, column) in enumerate(scene.pure):
        np.testing.assert_allclose(scene.abundances[:, row, column], np.eye(n_endmembers)[k], atol=1e-12)


def test_mixed_scenes_promise_no_pure_pixel() -> None:
    assert (hyperspectral_scene(1, 3, 20, (30, 30), purity=0.8).pure == -1).all()


@pytest.mark.parametrize("snr", [20.0, 40.0])
def test_noise_has_the_power_asked_for(snr: float) -> None:
    options = {"materials": ["sand", "concrete", "gypsum"], "dtype": np.float64}
    clean = hyperspectral_scene(3, snr=np.inf, **options).image.values
    noise = hyperspectral_scene(3, snr=snr, **options).image.values - clean
    assert 10 * np.log10(np.mean(clean**2) / np.mean(noise**2)) == pytest.approx(snr, abs=0.1)
    assert abs(noise.mean()) < 0.01 * noise.std()


def test_values_are_clipped_at_zero() -> None:
    values = hyperspectral_scene(3, materials=["water", "ice"], snr=5).image.values
    assert values.min() == 0
    assert (values == 0).sum() > 100


def test_brightness_has_the_scatter_asked_for_mostly_smooth() -> None:
    brightness = hyperspectral_scene(4, 3, 10, (90, 90), brightness_scatter=0.1).brightness
    assert brightness is not None
    assert brightness.mean() == pytest.approx(1, abs=0.005)
    assert brightness.std() == pytest.approx(0.1, rel=0.05)
    pixelwise = np.diff(brightness, axis=1).std() / np.sqrt(2)
    assert pixelwise == pytest.approx(0.06, rel=0.1)


def test_variability_changes_spectra_by_the_share_asked_for() -> None:
    options = {"materials": ["sand", "vegetation", "snow"], "snr": np.inf, "dtype": np.float64}
    plain = hyperspectral_scene(5, **options)
    varied = hyperspectral_scene(5, variability=0.05, **options)
    np.testing.assert_array_equal(plain.abundances, varied.abundances)
    relative = []
    for k in range(3):
        at = plain.abundances[k] > 0.999
        relative.append(((varied.image.values[at] - plain.image.values[at]) / plain.endmembers[k]).std())
    assert np.mean(relative) == pytest.approx(0.05, rel=0.4)
    singular = np.linalg.svd((varied.image.values - plain.image.values).reshape(-1, 112), compute_uv=False)
    assert singular[9] < 1e-9 * singular[0]


@pytest.mark.parametrize("share", [0.001, 0.005, 0.05])
def test_rare_material_covers_its_share_in_one_place(share: float) -> None:
    from scipy.ndimage import label

    A = hyperspectral_scene(6, 4, 20, (90, 90), rare_share=share).abundances
    assert (A[0] > 0.5).mean() == pytest.approx(share, rel=0.35)
    assert label(A[0] > 0)[1] == 1


def test_dark_material_is_water_and_far_darker() -> None:
    scene = hyperspectral_scene(7, 4, 112, (20, 20), dark_material=True)
    assert scene.names[-1] == "water"
    norms = np.linalg.norm(scene.endmembers, axis=1)
    assert norms[-1] < 0.25 * norms[:-1].min()
    assert "turbid water" not in scene.names
    assert "water" not in hyperspectral_scene(7, 4, 112, (20, 20)).names


@pytest.mark.parametrize("seed", range(8))
def test_drawn_materials_are_apart(seed: int) -> None:
    E = hyperspectral_scene(seed, 8, 112, (12, 12)).endmembers
    units = E / np.linalg.norm(E, axis=1, keepdims=True)
    angles = np.arccos(np.clip(units @ units.T, -1, 1)) + 9 * np.eye(8)
    assert angles.min() > 0.1


def test_same_seed_same_scene_other_seed_other_scene() -> None:
    options = {"n_endmembers": 4, "n_bands": 30, "shape": (24, 20), "variability": 0.02, "rare_share": 0.02}
    first, again, other = (hyperspectral_scene(seed, **options) for seed in (8, 8, 9))
    np.testing.assert_array_equal(first.image.values, again.image.values)
    np.testing.assert_array_equal(first.abundances, again.abundances)
    assert np.abs(first.image.values - other.image.values).max() > 0.05


def test_noise_does_not_change_the_scene_behind_it() -> None:
    noisy, clean = (hyperspectral_scene(8, 4, 30, (24, 20), snr=snr) for snr in (20.0, np.inf))
    np.testing.assert_array_equal(noisy.abundances, clean.abundances)
    np.testing.assert_array_equal(noisy.endmembers, clean.endmembers)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_endmembers": 1}, "n_endmembers=1: give a whole number from 2 to 14"),
        ({"n_endmembers": 14, "shape": (8, 8)}, "only .* materials are 0.1 rad apart"),
        ({"n_bands": 3, "n_endmembers": 4}, "n_bands=3"),
        ({"purity": 0.3}, "purity=0.3: give a number from 0.5 to 1"),
        ({"purity": float("nan")}, "purity=nan"),
        ({"snr": float("nan")}, "snr=nan"),
        ({"variability": -0.1}, "variability=-0.1"),
        ({"materials": ["sand", "sand"]}, "must differ"),
        ({"materials": ["sand", "cheese"]}, "'cheese' is not known"),
        ({"shape": (2, 30)}, "shape="),
        ({"seed": -1}, "seed=-1"),
    ],
)
def test_bad_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        hyperspectral_scene(**options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_endmembers": 21}, "n_endmembers=21: give a whole number from 1 to 20"),
        ({"n_endmembers": 5, "shape": (2, 2)}, "from 1 to 4"),
        ({"sums": "two"}, "sums: 'two' is not known"),
        ({"dtype": "uint8"}, "dtype=uint8"),
        ({"n_endmembers": True}, "n_endmembers=True"),
    ],
)
def test_bad_separable_options_are_refused_by_name(options: dict, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        separable_scene(**options)


def test_a_scene_cannot_be_inconsistent() -> None:
    scene = separable_scene(3, 6, (4, 5))
    with pytest.raises(DataError, match="abundances of this scene"):
        Scene(scene.image, scene.endmembers, scene.abundances[:, :-1], scene.names)
    with pytest.raises(DataError, match="endmembers of this scene"):
        Scene(scene.image, scene.endmembers[:, :-1], scene.abundances, scene.names)
