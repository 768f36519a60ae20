"""The scene fit: exact where the data are, robust where they are not, and deaf to what is not valid."""

from __future__ import annotations

import warnings
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import DataError, OptionError, UnmixError
from unmix.image import as_image
from unmix.light.additive import additive_rule
from unmix.metrics import match_endmembers, spectral_angle
from unmix.synthetic import hyperspectral_scene

SHAPE = (24, 30)


def spectra(r: int, n_bands: int, seed: int) -> np.ndarray:
    """Smooth positive spectra, no two alike."""
    rng = np.random.default_rng(seed)
    axis = np.linspace(0, 1, n_bands)
    centres = (np.arange(r) + 0.5) / r
    bumps = np.exp(-(((axis - centres[:, None]) / 0.2) ** 2))
    return 0.1 + 0.7 * bumps + 0.1 * rng.random((r, 1)) * np.cos(3 * axis + np.arange(r)[:, None])


def abundances(r: int, seed: int, shape: tuple[int, int] = SHAPE) -> tuple[np.ndarray, np.ndarray]:
    """Dirichlet mixtures with each material pure in one pixel; also the flat places of those."""
    rng = np.random.default_rng(seed)
    A = rng.dirichlet([1.0] * r, shape[0] * shape[1])
    places = rng.permutation(len(A))[:r]
    A[places] = np.eye(r)
    return A, places


def cube(X: np.ndarray, shape: tuple[int, int] = SHAPE) -> np.ndarray:
    return X.reshape(*shape, -1)


def matched(result: xr.Dataset, E: np.ndarray) -> np.ndarray:
    """The found endmembers in the order of the truth."""
    order, _ = match_endmembers(result["endmembers"].values, E)
    return result["endmembers"].values[order]


@pytest.mark.parametrize("anchors", ["best", "robust", "spa"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("r", [2, 3, 5, 8])
def test_noise_free_pure_pixels_are_found_exactly(r: int, dtype: str, anchors: str) -> None:
    E = spectra(r, 40, r)
    A, places = abundances(r, r)
    image = cube((A @ E).astype(dtype))
    result = unmix.unmix(image, r, quantity="reflectance", anchors=anchors)
    np.testing.assert_allclose(matched(result, E), E, atol=1e-6)
    positions = result["anchor_row"].values * SHAPE[1] + result["anchor_col"].values
    assert set(positions) == set(places)
    order, _ = match_endmembers(result["endmembers"].values, E)
    found = result["abundances"].values.reshape(r, -1).T[:, order]
    np.testing.assert_allclose(found, A, atol=2e-5 if dtype == "f4" else 1e-6)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_sums_below_one_are_brightness(dtype: str) -> None:
    E = spectra(4, 30, 1)
    A, places = abundances(4, 1)
    shade = np.random.default_rng(1).uniform(0.2, 1.0, len(A))
    shade[places] = 1.0
    result = unmix.unmix(cube((A * shade[:, None] @ E).astype(dtype)), 4, quantity="reflectance")
    np.testing.assert_allclose(matched(result, E), E, atol=1e-6)
    np.testing.assert_allclose(result["brightness"].values.ravel(), shade, atol=1e-5)
    order, _ = match_endmembers(result["endmembers"].values, E)
    np.testing.assert_allclose(result["abundances"].values.reshape(4, -1).T[:, order], A, atol=1e-4)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_cone_data_with_brightness_scatter(dtype: str) -> None:
    """Every pixel has its own brightness, above one too; pure pixels come in several brightnesses."""
    E = spectra(3, 30, 2)
    rng = np.random.default_rng(2)
    A, _ = abundances(3, 2)
    A[:30] = np.repeat(np.eye(3), 10, axis=0)
    A *= rng.uniform(0.5, 1.5, (len(A), 1))
    result = unmix.unmix(cube((A @ E).astype(dtype)), 3, quantity="reflectance")
    found = matched(result, E)
    assert spectral_angle(found, E).max() < (1e-6 if dtype == "f8" else 2e-6)
    for k in range(3):  # of a material's pure pixels, the brightest
        brightest = A[:30][A[:30, k] > 0, k].max()
        np.testing.assert_allclose(found[k], E[k] * brightest, rtol=1e-5)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_material_that_is_dark_in_every_band(dtype: str) -> None:
    """Linear projection never finds it; the lifted one does."""
    E = np.vstack([spectra(3, 30, 3), np.zeros(30)])
    A, places = abundances(4, 3)
    image = cube((A @ E).astype(dtype))
    found = unmix.find_endmembers(image, 4, quantity="reflectance")
    np.testing.assert_allclose(matched_with_dark(found["endmembers"].values, E), E, atol=1e-6)
    positions = found["anchor_row"].values * SHAPE[1] + found["anchor_col"].values
    assert set(positions) == set(places)
    result = unmix.unmix(image, 4, quantity="reflectance", constraint="sum_to_one")
    order = [int(np.abs(result["endmembers"].values - e).sum(axis=1).argmin()) for e in E]
    np.testing.assert_allclose(result["abundances"].values.reshape(4, -1).T[:, order], A, atol=1e-4)
    with pytest.raises(DataError, match="zero in every band; only constraint='sum_to_one'"):
        unmix.unmix(image, 4, quantity="reflectance")


def matched_with_dark(found: np.ndarray, E: np.ndarray) -> np.ndarray:
    """In the order of the truth, by distance: a dark spectrum has no angle."""
    return np.array([found[np.abs(found - e).sum(axis=1).argmin()] for e in E])


@pytest.mark.parametrize("condition", [20, 100, 300])
def test_alike_materials_are_told_apart_without_noise(condition: float) -> None:
    U, _, V = np.linalg.svd(spectra(4, 50, 4), full_matrices=False)
    E = (U * np.geomspace(3, 3 / condition, 4)) @ V
    E = E - E.min() + 0.05
    A, _ = abundances(4, 4)
    result = unmix.unmix(cube(A @ E), 4, quantity="reflectance")
    np.testing.assert_allclose(matched(result, E), E, atol=1e-6)


# ----------------------------------------------------------------------------- what is not valid never enters


def noisy_scene(seed: int = 0) -> np.ndarray:
    E = spectra(3, 20, seed)
    A, _ = abundances(3, seed)
    A[:60] = np.repeat(np.eye(3), 20, axis=0)
    return cube(A @ E + np.random.default_rng(seed).normal(0, 0.005, (len(A), 20)))


def assert_same_answer(a: xr.Dataset, b: xr.Dataset, valid: np.ndarray) -> None:
    for name in ("anchor_row", "anchor_col", "anchor_count", "endmembers"):
        np.testing.assert_array_equal(a[name], b[name])
    for name in ("abundances", "residual", "brightness"):
        np.testing.assert_array_equal(a[name].values[..., valid], b[name].values[..., valid])
        assert np.isnan(a[name].values[..., ~valid]).all()
        assert np.isnan(b[name].values[..., ~valid]).all()
    assert a.attrs["relative_error"] == b.attrs["relative_error"]
    assert a.attrs["n_valid"] == b.attrs["n_valid"] == int(valid.sum())
    assert a.attrs["n_invalid"] == int((~valid).sum())


@pytest.mark.parametrize("exact", [True, False])
@pytest.mark.parametrize("junk", [1e6, -1e6, 0.0])
@pytest.mark.parametrize("anchors", ["best", "robust", "spa"])
def test_masked_pixels_may_hold_anything(junk: float, anchors: str, exact: bool) -> None:
    values = noisy_scene()
    if exact:
        A, _ = abundances(3, 9)
        values = cube(A @ spectra(3, 20, 9))
    valid = np.ones(SHAPE, bool)
    valid[5:9, 3:11] = False
    spoiled = values.copy()
    spoiled[~valid] = junk * (1 + np.arange(20))
    options = {"quantity": "reflectance", "mask": valid, "anchors": anchors}
    assert_same_answer(unmix.unmix(values, 3, **options), unmix.unmix(spoiled, 3, **options), valid)


@pytest.mark.parametrize("junk", [np.nan, np.inf, -np.inf])
def test_pixels_that_are_not_finite_are_as_masked(junk: float) -> None:
    values = noisy_scene(1)
    valid = np.ones(SHAPE, bool)
    valid[20:, 25:] = False
    spoiled = values.copy()
    spoiled[~valid, 7] = junk
    masked = unmix.unmix(values, 3, quantity="reflectance", mask=valid)
    assert_same_answer(masked, unmix.unmix(spoiled, 3, quantity="reflectance"), valid)


def test_bands_that_are_not_good_may_hold_anything() -> None:
    values = noisy_scene(2)
    good = np.ones(20, bool)
    good[[0, 7, 8]] = False
    plain = unmix.unmix(values[..., good], 3, quantity="reflectance")
    spoiled = values.copy()
    spoiled[..., 0], spoiled[..., 7] = np.nan, 1e9
    result = unmix.unmix(as_image(spoiled, good_bands=good, quantity="reflectance"), 3)
    np.testing.assert_array_equal(result["endmembers"].values[:, good], plain["endmembers"].values)
    assert np.isnan(result["endmembers"].values[:, ~good]).all()
    np.testing.assert_array_equal(result["abundances"], plain["abundances"])
    np.testing.assert_array_equal(result["residual"], plain["residual"])


# ------------------------------------------------------------------------------------------- robustness and notes


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_default_resists_noise_and_hot_pixels_better_than_literal(dtype: str) -> None:
    E = spectra(3, 60, 5)
    angles: dict[str, list[float]] = {"best": [], "spa": []}
    for seed in range(3):
        rng = np.random.default_rng(seed)
        smooth = np.repeat(np.repeat(rng.dirichlet([0.25] * 3, (8, 10)), 6, 0), 6, 1)
        values = smooth @ E * rng.uniform(0.8, 1, (48, 60, 1)) + rng.normal(0, 0.02, (48, 60, 60))
        values[rng.integers(0, 48, 3), rng.integers(0, 60, 3)] *= 2
        for anchors, found in angles.items():
            result = unmix.find_endmembers(values.astype(dtype), 3, quantity="reflectance", anchors=anchors)
            found.append(float(match_endmembers(result["endmembers"].values, E)[1].mean()))
    assert np.mean(angles["best"]) < 0.05
    assert np.mean(angles["best"]) < 0.6 * np.mean(angles["spa"])


def test_anchors_count_their_pixels_and_point_at_one() -> None:
    values = noisy_scene(3)
    result = unmix.unmix(values, 3, quantity="reflectance", anchors="robust", anchor_fraction=0.02)
    n = int(0.02 * SHAPE[0] * SHAPE[1])
    if (result["anchor_count"].values == 0).all():
        pytest.fail("the gate for scenes without pure pixels opened on a noisy scene with pure ones")
    assert result["anchor_count"].values.tolist() == [n] * 3
    for k in range(3):
        pixel = values[result["anchor_row"].values[k], result["anchor_col"].values[k]]
        assert spectral_angle(pixel, result["endmembers"].values[k]) < 0.1


def test_refinement_is_off_until_asked_for_and_then_leaves_its_history() -> None:
    values = noisy_scene(4)
    assert "objective" not in unmix.unmix(values, 3, quantity="reflectance")
    result = unmix.unmix(values, 3, quantity="reflectance", refinement="anchored", max_iterations=500)
    assert (np.diff(result["objective"].values) <= 1e-12 * result["objective"].values[0]).all()
    assert "objective fell" in result.attrs["stop_reason"]
    held = unmix.unmix(values, 3, quantity="reflectance", refinement="anchored", refinement_weight=1e9)
    np.testing.assert_allclose(
        held["endmembers"], np.maximum(unmix.unmix(values, 3, quantity="reflectance")["endmembers"], 0), atol=1e-6
    )


# ------------------------------------------------------------------------------------------------------ refusals


def rank_two() -> np.ndarray:
    A, _ = abundances(3, 0)
    return cube(A @ spectra(3, 12, 0))


@pytest.mark.parametrize(
    ("values", "r", "error", "words"),
    [
        (np.random.default_rng(0).random((9, 9, 3)), 8, OptionError, "needs at least 8 bands.*has 3. Use 2 or 3"),
        (np.random.default_rng(0).random((9, 9, 6)), 8, OptionError, "needs at least 8 bands.*at most 6"),
        (np.random.default_rng(0).random((1, 3, 9)), 4, OptionError, "at least 4 valid pixels; the image has 3"),
        (rank_two(), 5, DataError, "n_endmembers=5.*at most 3"),
        (np.full((5, 5, 4), 0.3), 2, DataError, "same spectrum.*only 1"),
        (np.full((5, 5, 4), np.nan), 2, DataError, "no good band"),
        (np.zeros((5, 5, 4)), 2, DataError, "nothing to unmix"),
        (np.ones((5, 5, 4)), 0, OptionError, "n_endmembers=0"),
        (np.ones((5, 5, 4)), -1, OptionError, "n_endmembers=-1"),
        (np.ones((5, 5, 4)), 2.5, OptionError, "n_endmembers=2.5"),
        (np.ones((5, 5, 4)), True, OptionError, "n_endmembers=True"),
        (np.ones((5, 5, 4)), "3", OptionError, "n_endmembers='3'"),
        (np.ones((5, 5, 4)), float("nan"), OptionError, "n_endmembers=nan"),
        (np.ones((5, 5)), 2, DataError, "3 axes"),
    ],
)  # fmt: skip
def test_what_cannot_be_found_is_refused_in_one_line(
    values: np.ndarray, r: object, error: type[UnmixError], words: str
) -> None:
    with pytest.raises(error, match=words) as caught:
        unmix.unmix(values, r, quantity="reflectance")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("anchors", ["best", "robust", "spa"])
def test_rank_is_said_as_what_the_image_can_carry(anchors: str) -> None:
    """Three materials: two degrees of freedom and a mean. Four are refused, three are found."""
    values = rank_two()
    with pytest.raises(UnmixError, match=r"at most 3|rank 3"):
        unmix.unmix(values, 4, quantity="reflectance", anchors=anchors)
    assert unmix.unmix(values, 3, quantity="reflectance", anchors=anchors).attrs["relative_error"] < 1e-6


def test_all_invalid_image_is_refused() -> None:
    image = as_image(np.ones((4, 4, 5)), valid=np.zeros((4, 4), bool), quantity="reflectance", name="tile")
    with pytest.raises(DataError, match="tile has no valid pixel"):
        unmix.unmix(image, 2)


def test_one_pixel_and_one_endmember() -> None:
    spectrum = np.array([0.2, 0.5, 0.1])
    result = unmix.unmix(spectrum[None, None], 1, quantity="reflectance")
    np.testing.assert_allclose(result["endmembers"].values, [spectrum], rtol=1e-6)
    assert float(result["abundances"].values.item()) == pytest.approx(1)
    assert float(result["brightness"].values.item()) == pytest.approx(1, abs=1e-5)


def test_constant_image_has_one_endmember() -> None:
    result = unmix.unmix(np.full((6, 7, 4), 0.25), 1, quantity="reflectance")
    np.testing.assert_allclose(result["endmembers"].values, 0.25)
    assert result.attrs["relative_error"] < 1e-6


def test_few_pixels_are_enough_when_they_are_pure() -> None:
    E = spectra(3, 10, 7)
    result = unmix.unmix(E[None], 3, quantity="reflectance")
    np.testing.assert_allclose(matched(result, E), E, atol=1e-6)


def test_as_many_endmembers_as_bands() -> None:
    E = np.array([[0.9, 0.1, 0.1], [0.1, 0.8, 0.2], [0.2, 0.1, 0.7]])
    A, _ = abundances(3, 8)
    result = unmix.unmix(cube(A @ E), 3, quantity="reflectance")
    np.testing.assert_allclose(matched(result, E), E, atol=1e-6)


# ------------------------------------------------------------------------------------------------------ real data


def test_as_many_endmembers_as_bands_leave_nothing_to_tell_noise_by() -> None:
    scene = hyperspectral_scene(2002, 3)
    bands = [10, 40, 80]
    image = as_image(scene.image.values[..., bands], quantity="reflectance")
    result = unmix.unmix(image, 3)
    _, angles = match_endmembers(result["endmembers"].values, scene.endmembers[:, bands])
    assert np.degrees(angles).max() < 3


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "angle_bar", "rmse_bar"),
    [("dc1", 1e-6, 1e-4), ("samson", 0.062, 0.115), ("jasper_ridge", 0.105, 0.078), ("sim1_no_pure", 0.030, 0.030)],
)
def test_scenes_with_a_known_truth(real_data: Path, name: str, angle_bar: float, rmse_bar: float) -> None:
    with np.load(real_data / "hyperspectral" / f"{name}.npz", allow_pickle=False) as file:
        values = np.clip(file["Y"].astype(np.float64) / file["scale"], 0, None).astype(np.float32)
        E, A = file["E"].T, file["A"].reshape(file["A"].shape[0], -1)
    result = unmix.unmix(values, len(E), quantity="reflectance")
    order, angles = match_endmembers(result["endmembers"].values, E)
    found = result["abundances"].values.reshape(len(E), -1).astype(float)[order]
    found = found / np.maximum(found.sum(axis=0), 1e-12)
    assert angles.mean() <= angle_bar
    assert np.sqrt(np.mean((found - A) ** 2)) <= rmse_bar


@pytest.mark.realdata
def test_salton_sea_has_twenty_bands_of_nothing(real_data: Path) -> None:
    with np.load(real_data / "hyperspectral" / "salton_sea.npz", allow_pickle=False) as file:
        values = file["Y"].astype(np.float32) / np.float32(file["scale"])
    image = as_image(values, quantity="reflectance")
    assert int((~image.coords["good_band"].values).sum()) == 20
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        rule, _ = additive_rule(image, values.reshape(-1, values.shape[2])[:100], unmix.Options())
        result = unmix.unmix(image, 4)
    assert np.isfinite(result["endmembers"].values[:, rule.good]).all()
    assert result.attrs["n_valid"] == int(np.isfinite(values[:, :, image.coords["good_band"].values]).all(-1).sum())
