"""How sure: coverage of the bands, calibration of the maps, and endmembers that are not to be trusted."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.image import as_image
from unmix.metrics import match_endmembers
from unmix.nmf.stability import spread_of
from unmix.result import check_result
from unmix.synthetic import hyperspectral_scene
from unmix.synthetic.truth import Scene


def made(seed: int, r: int, **more: Any) -> Scene:
    return hyperspectral_scene(seed, r, n_bands=40, shape=(32, 32), **more)


def run(scene: Scene, replicates: int = 30, **options: Any) -> xr.Dataset:
    return unmix.unmix(scene.image, len(scene.names), uncertainty=replicates, **options)


@cache
def bootstrapped(seed: int, snr: float) -> tuple[Scene, xr.Dataset]:
    scene = made(seed, 3 + seed % 3, snr=snr)
    return scene, run(scene)


@pytest.mark.filterwarnings("ignore:.*(unstable|one pixel)")
def test_the_band_holds_the_truth_about_as_often_as_it_says() -> None:
    """Pure pixels, white noise: the 5 to 95 % band holds 80 to 98 % of the true values, over all scenes."""
    inside = []
    for seed, snr in ((3001, 20), (3002, 30), (3003, 40), (3004, 30), (3005, 40), (3009, 30)):
        scene, result = bootstrapped(seed, snr)
        order, _ = match_endmembers(result["endmembers"].values, scene.endmembers)
        low, high = (result[f"endmembers_{side}"].values[order] for side in ("low", "high"))
        inside.append(((scene.endmembers >= low) & (scene.endmembers <= high)).mean())
    assert 0.80 <= np.mean(inside) <= 0.98


@pytest.mark.filterwarnings("ignore:.*(unstable|one pixel)")
def test_abundances_are_as_far_from_the_truth_as_their_deviation_says() -> None:
    ratios = []
    for seed in (3002, 3004, 3009):
        scene, result = bootstrapped(seed, 30)
        order, _ = match_endmembers(result["endmembers"].values, scene.endmembers)
        error = result["abundances"].values[order] - scene.abundances
        deviation = result["abundances_std"].values[order]
        mixed = (scene.abundances > 0.1) & (scene.abundances < 0.9) & (deviation > 0)
        ratios.append(np.median(np.abs(error[mixed]) / deviation[mixed]) / 0.6745)
    assert 0.6 < np.median(ratios) < 1.5


def test_a_result_holds_its_spread_and_reads_back(tmp_path: Path) -> None:
    scene = made(3, 3, snr=40)
    values = scene.image.values.copy()
    values[:5, :5] = np.nan
    good = np.arange(40) != 7
    image = as_image(values, wavelengths=scene.image["wavelength"].values, good_bands=good, quantity="reflectance")
    result = unmix.unmix(image, 3, uncertainty=10)
    assert check_result(result) is result
    low, middle, high = (result[name].values for name in ("endmembers_low", "endmembers", "endmembers_high"))
    assert (low[:, good] <= high[:, good]).all()
    assert ((low <= middle) & (middle <= high))[:, good].mean() > 0.95
    assert np.isnan(low[:, 7]).all()
    assert result["abundances_std"].dtype == np.float32
    assert np.isnan(result["abundances_std"].values[:, :5, :5]).all()
    assert np.isfinite(result["abundances_std"].values[:, 5:]).all()
    assert result.attrs["n_replicates"] == 10
    unmix.write(result, tmp_path / "result.nc")
    xr.testing.assert_identical(unmix.open_result(tmp_path / "result.nc").load(), result)
    with pytest.raises(DataError, match="abundances_std"):
        check_result(result.assign(abundances_std=result["endmembers_std"]))


def test_same_seed_same_answer_on_any_threads_and_layout() -> None:
    import dask.array as da

    scene = made(5, 3, snr=30)
    first = run(scene, 12, threads=1)
    lazy = as_image(
        da.from_array(scene.image.values, chunks=(11, 17, 40)),
        wavelengths=scene.image["wavelength"].values,
        quantity="reflectance",
    )
    again = unmix.unmix(lazy, 3, uncertainty=12, threads=3)
    for name in ("endmembers_low", "endmembers_high", "endmembers_std", "moved_share"):
        np.testing.assert_array_equal(again[name].values, first[name].values)
    np.testing.assert_allclose(again["abundances_std"].values, first["abundances_std"].values, atol=1e-6)
    other = run(scene, 12, seed=1)
    assert not np.array_equal(other["endmembers_std"].values, first["endmembers_std"].values)


@pytest.mark.filterwarnings("ignore:.*(unstable|one pixel)")
def test_more_noise_more_spread() -> None:
    little, much = (run(made(7, 3, snr=snr), 10) for snr in (50, 30))
    assert float(much["endmembers_std"].mean()) > 3 * float(little["endmembers_std"].mean())
    assert float(much["abundances_std"].mean()) > 3 * float(little["abundances_std"].mean())


@pytest.mark.filterwarnings("ignore:.*unstable")
@pytest.mark.parametrize("anchors", ["spa", "adaptive"])
def test_an_endmember_that_rests_on_one_odd_pixel_is_named_with_its_place(anchors: str) -> None:
    values = made(1, 4, snr=40).image.values.copy()
    values[20, 13] = 0.6 + 0.4 * np.sin(np.arange(40) / 2)
    with pytest.warns(UnmixWarning, match=r"rests on one pixel \(row 20, column 13\).*Mask the pixel"):
        result = unmix.unmix(values, 5, quantity="reflectance", uncertainty=30, anchors=anchors)
    k = int(np.flatnonzero(result["leverage_row"].values == 20)[0])
    assert int(result["leverage_col"][k]) == 13
    assert float(result["leverage_angle"][k]) > 0.1
    assert float(result["moved_share"][k]) > 0.1


@pytest.mark.filterwarnings("ignore:.*one pixel")
def test_one_endmember_too_many_is_unstable() -> None:
    with pytest.warns(UnmixWarning, match="is unstable: far from this spectrum in"):
        result = unmix.unmix(made(11, 3, snr=40).image, 5, uncertainty=20)
    assert (result["moved_share"].values > 0.1).any()


def test_given_endmembers_do_not_scatter_but_their_maps_do() -> None:
    scene = made(2, 3, snr=30)
    result = unmix.unmix(scene.image, endmembers=scene.endmembers, uncertainty=10)
    np.testing.assert_allclose(result["endmembers_std"].values, 0, atol=1e-12)
    assert float(result["abundances_std"].mean()) > 0


@pytest.mark.filterwarnings("ignore:n_endmembers is not given")
def test_a_suggested_number_is_kept_in_every_replicate() -> None:
    result = unmix.unmix(made(2, 4, snr=40).image, uncertainty=10)
    assert result.sizes["endmember"] == 4
    assert result.attrs["n_replicates"] == 10


def test_stains_and_counts_have_a_spread_too() -> None:
    from unmix.synthetic import lambda_stack, stained_slide

    slide = stained_slide(1, shape=(96, 96))
    result = unmix.separate_stains(slide.image, slide.names, uncertainty=10)
    assert (result["endmembers_std"].values > 0).any()
    stack = lambda_stack(1, 3, shape=(64, 64))
    result = unmix.unmix(stack.image, 3, uncertainty=10)
    assert (result["endmembers_std"].values > 0).any()


@pytest.mark.parametrize("wrong", [-1, 10_001, 2.5, "many"])
def test_wrong_numbers_of_replicates_are_refused(wrong: object) -> None:
    with pytest.raises(OptionError, match="uncertainty"):
        unmix.unmix(np.ones((4, 4, 4)), 2, quantity="reflectance", uncertainty=wrong)


def test_a_handful_of_replicates_is_refused() -> None:
    with pytest.raises(OptionError, match="at least 10"):
        run(made(3, 3), 9)


def test_spread_of_known_replicates() -> None:
    """Replicates in another order are matched; quantiles lie about the reference; one that turned away counts."""
    reference = np.array([[1.0, 0.0, 0.2], [0.0, 1.0, 0.2]])
    steps = np.linspace(-0.01, 0.01, 21)
    replicates = np.array([(reference + step)[::-1] for step in steps])
    spread = spread_of(reference, replicates)
    np.testing.assert_allclose(spread.replicates[:, 0, 0], 1 + steps)
    np.testing.assert_allclose(spread.high - reference, 0.009)
    np.testing.assert_allclose(spread.std, np.std(steps, ddof=1))
    assert spread.moved.tolist() == [0, 0]
    replicates[3, 1] = [0.8, 0.5, 0.2]
    assert spread_of(reference, replicates).moved.tolist() == [1 / 21, 0]
