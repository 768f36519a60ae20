"""Libraries at work: supervised, partly known, naming, shade, and the best subset of bundles."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import DataError, OptionError
from unmix.image import as_image
from unmix.metrics import match_endmembers, spectral_angle
from unmix.synthetic import hyperspectral_scene
from unmix.synthetic.truth import Scene


@pytest.fixture(scope="module")
def scene() -> Scene:
    return hyperspectral_scene(5, 5, n_bands=60, shape=(50, 50), snr=35)


@pytest.fixture(scope="module")
def library(scene: Scene) -> unmix.SpectralLibrary:
    return unmix.SpectralLibrary(scene.endmembers, scene.names, scene.image["wavelength"], scene.image["fwhm"])


def test_a_library_is_used_as_endmembers(scene: Scene, library: unmix.SpectralLibrary) -> None:
    result = unmix.unmix(scene.image, endmembers=library)
    assert tuple(result["endmember"].values) == scene.names
    np.testing.assert_allclose(result["endmembers"].values, scene.endmembers, rtol=1e-9)
    known = unmix.unmix(scene.image, endmembers=scene.endmembers)
    np.testing.assert_array_equal(result["abundances"].values, known["abundances"].values)
    two = unmix.map_abundances(scene.image, library.select(scene.names[3:1:-1]))
    assert tuple(two["endmember"].values) == scene.names[3:1:-1]


@pytest.mark.parametrize("k", [1, 2, 4])
def test_a_partly_known_set_keeps_what_is_known_and_finds_the_rest(
    k: int, scene: Scene, library: unmix.SpectralLibrary
) -> None:
    result = unmix.unmix(scene.image, 5, endmembers=library.select(scene.names[:k]))
    assert tuple(result["endmember"].values[:k]) == scene.names[:k]
    np.testing.assert_allclose(result["endmembers"].values[:k], scene.endmembers[:k], rtol=1e-9)
    order, angles = match_endmembers(result["endmembers"].values, scene.endmembers)
    assert list(order[:k]) == list(range(k))
    assert angles.max() < 0.02
    assert (result["anchor_count"].values[:k] == 0).all()
    assert (result["anchor_count"].values[k:] > 0).all()
    row, col = (int(result[name][k]) for name in ("anchor_row", "anchor_col"))
    assert spectral_angle(scene.image.values[row, col], result["endmembers"].values[k]) < 0.1


def test_fewer_than_are_known_is_refused(scene: Scene, library: unmix.SpectralLibrary) -> None:
    with pytest.raises(OptionError, match="n_endmembers=2, but 5"):
        unmix.unmix(scene.image, 2, endmembers=library)
    with pytest.raises(OptionError, match="needs at least 61 bands"):
        unmix.unmix(scene.image, 61, endmembers=library)


def test_found_endmembers_are_named_with_runner_up_and_margin(
    scene: Scene, library: unmix.SpectralLibrary, tmp_path: Path
) -> None:
    result = unmix.unmix(scene.image, 5)
    named = unmix.name_endmembers(result, library)
    order, angles = match_endmembers(named["endmembers"].values, scene.endmembers)
    assert [str(named["endmember"].values[k]) for k in order] == list(scene.names)
    np.testing.assert_allclose(named["library_angle"].values[order], angles, atol=1e-9)
    for k in order:
        others = [name for name in scene.names if name != named["endmember"].values[k]]
        rows = [scene.names.index(name) for name in others]
        apart = spectral_angle(named["endmembers"].values[k][None], scene.endmembers[rows])
        assert named["library_runner_up"].values[k] == others[int(np.argmin(apart))]
        assert float(named["library_margin"][k]) == pytest.approx(apart.min() - float(named["library_angle"][k]))
    assert tuple(result["endmember"].values) == tuple(f"endmember {k + 1}" for k in range(5)), "the original is left"
    unmix.write(named, tmp_path / "named.nc")
    xr.testing.assert_identical(unmix.open_result(tmp_path / "named.nc").load(), named)


def test_a_spectrum_far_from_all_keeps_its_name_and_doubles_are_numbered(scene: Scene) -> None:
    result = unmix.unmix(scene.image, endmembers=scene.endmembers)
    odd = np.where(np.arange(60) % 2, 1.0, 0.05)
    wavelengths = scene.image["wavelength"]
    named = unmix.name_endmembers(result, unmix.SpectralLibrary([odd, odd[::-1]], ["odd", "even"], wavelengths))
    assert tuple(named["endmember"].values) == tuple(result["endmember"].values)
    one = unmix.SpectralLibrary(scene.endmembers.mean(axis=0)[None], ["average"], wavelengths)
    labels = [str(name) for name in unmix.name_endmembers(result, one)["endmember"].values]
    assert len(set(labels)) == 5
    assert unmix.name_endmembers(result, one, rename=False)["endmember"].values[0] == "endmember 1"


def test_a_finer_library_is_brought_to_the_bands(scene: Scene) -> None:
    fine = np.arange(380.0, 2500.0, 2.0)
    spectra = np.array([np.interp(fine, scene.image["wavelength"], row) for row in scene.endmembers])
    result = unmix.unmix(scene.image, endmembers=unmix.SpectralLibrary(spectra, scene.names, fine))
    assert spectral_angle(result["endmembers"].values, scene.endmembers).max() < 0.03


def test_what_cannot_be_brought_to_the_bands_is_refused(scene: Scene, library: unmix.SpectralLibrary) -> None:
    bare = as_image(scene.image.values, quantity="reflectance")
    with pytest.raises(OptionError, match="no wavelengths"):
        unmix.unmix(bare, endmembers=library)
    with pytest.raises(OptionError, match="no wavelengths"):
        unmix.name_endmembers(unmix.unmix(bare, 5), library)
    short = unmix.SpectralLibrary(scene.endmembers[:, :40], scene.names, scene.image["wavelength"][:40])
    with pytest.raises(DataError, match=r"has no value in .*bands= or exclude="):
        unmix.unmix(scene.image, endmembers=short)
    result, far = unmix.unmix(scene.image, 5), unmix.SpectralLibrary([[1.0, 2.0]], ["thermal"], [9000, 10000])
    with pytest.raises(DataError, match="fewer than 3"):
        unmix.name_endmembers(result, far)


def test_shade_says_what_brightness_says(scene: Scene, library: unmix.SpectralLibrary) -> None:
    """Zero shade in a sum to one is one minus the brightness of the shade constraint."""
    shaded = unmix.unmix(scene.image, endmembers=library.with_shade(), constraint="sum_to_one")
    bright = unmix.unmix(scene.image, endmembers=library)
    np.testing.assert_allclose(1 - shaded["abundances"].values[-1], bright["brightness"].values, atol=1e-5)


def test_the_best_subset_of_bundles_is_mapped(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    E = rng.uniform(0.1, 1, (6, 30))
    truth = np.zeros((20, 15, 6))
    for i in range(20):
        for j in range(15):
            truth[i, j, [rng.integers(0, 3), rng.integers(3, 6)]] = 0.3, 0.6
    image = as_image(truth @ E, wavelengths=np.linspace(500, 2000, 30), quantity="reflectance")
    bundles = unmix.SpectralLibrary(
        E, ["a1", "a2", "a3", "b1", "b2", "b3"], image["wavelength"], materials=list("aaabbb")
    )
    result = unmix.unmix(image, endmembers=bundles, most_per_pixel=2)
    np.testing.assert_allclose(result["abundances"].values, np.moveaxis(truth / 0.9, 2, 0), atol=1e-5)
    np.testing.assert_allclose(result["brightness"].values, 0.9, atol=1e-5)
    members = result["model_members"].values[result["model"].values]
    np.testing.assert_array_equal(members, truth > 0)
    said = json.loads(result["model"].attrs["models"])
    assert "a1 + b1" in said
    assert "a1 + a2" not in said
    unmix.write(result, tmp_path / "mesma.nc")
    xr.testing.assert_identical(unmix.open_result(tmp_path / "mesma.nc").load(), result)


def test_best_subsets_leave_invalid_pixels_out_and_refuse_the_bootstrap(scene: Scene) -> None:
    values = scene.image.values.copy()
    values[3, 4] = np.nan
    result = unmix.unmix(values, endmembers=scene.endmembers, most_per_pixel=2, quantity="reflectance")
    assert int(result["model"][3, 4]) == -1
    assert np.isnan(result["abundances"].values[:, 3, 4]).all()
    assert (result["abundances"].values > 0).sum(axis=0).max() <= 2
    assert result.attrs["n_invalid"] == 1
    with pytest.raises(OptionError, match="cannot be combined"):
        unmix.unmix(values, endmembers=scene.endmembers, most_per_pixel=2, uncertainty=10, quantity="reflectance")
