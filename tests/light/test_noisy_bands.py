"""Bands of noise among bands of signal: named, with the way out, and never where there are none."""

import json
import warnings

import numpy as np
import pytest

from unmix import as_image, unmix
from unmix.errors import UnmixWarning
from unmix.light.noisy_bands import noisy_bands
from unmix.nmf.subspace import signal_subspace
from unmix.readers import read
from unmix.synthetic import hyperspectral_scene

NOISY = [40, 41, 42, 43]


def with_noise(seed, sigma=0.5):
    scene = hyperspectral_scene(seed, 3, shape=(64, 64))
    values = scene.image.values.copy()
    values[..., NOISY] += np.random.default_rng(seed).normal(0, sigma, (*values.shape[:2], len(NOISY)))
    return scene, scene.image.copy(data=values)


def found_in(values):
    space = signal_subspace(values.reshape(-1, values.shape[-1]))
    return noisy_bands(space.covariance, max(space.variances[0], space.mean @ space.mean)).tolist()


@pytest.mark.parametrize("seed", [2001, 2002])
def test_bands_of_noise_are_named_and_leaving_them_out_as_told_helps(seed):
    scene, image = with_noise(seed)
    with pytest.warns(
        UnmixWarning, match=r"40-43 \(1138\.\d-1194\.\d nm\).*exclude=\[\(1138\.\d, 1194\.\d\)\]"
    ) as said:
        warned = unmix(image, 3)
    assert len(said) == 1
    assert "\n" not in str(said[0].message)
    assert json.loads(warned.attrs["provenance"])["fit"]["noisy_bands"] == NOISY
    low, high = (float(x) for x in str(said[0].message).split("exclude=[(")[1].split(")]")[0].split(", "))
    clean = unmix(image, 3, exclude=[(low, high)])
    good = clean["good_band"].values
    assert np.flatnonzero(~good).tolist() == NOISY
    cosines = [max(E @ t / np.linalg.norm(E) / np.linalg.norm(t) for E in clean["endmembers"].values[:, good])
               for t in scene.endmembers[:, good]]  # fmt: skip
    assert np.degrees(np.arccos(np.minimum(cosines, 1))).max() < 3


def test_without_wavelengths_bands_are_numbered_and_can_be_flagged():
    _, image = with_noise(2001)
    with pytest.warns(UnmixWarning, match=r"40-43\. .*good_bands="):
        unmix(as_image(image.values, quantity="reflectance"), 3)
    good = ~np.isin(np.arange(image.sizes["band"]), NOISY)
    unmix(as_image(image.values, quantity="reflectance", good_bands=good), 3)


def test_a_band_of_a_broad_run_of_noise_is_found_too():
    values = hyperspectral_scene(7, 4, shape=(64, 64)).image.values.copy()
    values[..., 60:72] += np.random.default_rng(0).normal(0, 0.5, (*values.shape[:2], 12))
    assert found_in(values) == list(range(60, 72))


@pytest.mark.parametrize("kinds", [{}, {"snr": np.inf}, {"snr": 15}, {"variability": 0.1, "brightness_scatter": 0.2}])
def test_no_false_alarm_on_scenes(kinds):
    for seed in range(12):
        scene = hyperspectral_scene(6000 + seed, 2 + seed % 6, 60, (30, 30), **kinds)
        assert found_in(scene.image.values) == []


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["samson", "jasper_ridge", "salton_sea", "dc1", "sim1_no_pure"])
def test_no_false_alarm_on_benchmark_scenes(real_data, name):
    with np.load(real_data / "hyperspectral" / f"{name}.npz", allow_pickle=False) as stored:
        assert found_in(np.asarray(stored["Y"], np.float32)) == []


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["hippo_image.hdr", "emit_unmix_ex.hdr", "enmap_potsdam_tile_128_128.tif"])
def test_no_false_alarm_on_files(real_data, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = read(real_data / "formats" / name)
    values = image.values[image["valid"].values][:, image["good_band"].values]
    assert found_in(values) == []
