"""Anchors of a scene by name: the same pixels as on the plain matrix, and what is not valid never counts."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import DataError, OptionError
from unmix.nmf.anchor_methods import ANCHOR_METHODS
from unmix.synthetic import Scene, hyperspectral_scene, separable_scene

NAMED = sorted(ANCHOR_METHODS)
PIXEL_METHODS = sorted(set(NAMED) - {"smoothed", "adaptive"})


def places(found: xr.Dataset) -> set[tuple[int, int]]:
    return set(zip(found["anchor_row"].values.tolist(), found["anchor_col"].values.tolist(), strict=True))


def pure(scene: Scene) -> set[tuple[int, int]]:
    return {(int(row), int(column)) for row, column in scene.pure}


def noisy_image(snr: float = 22.0, seed: int = 1) -> xr.DataArray:
    return hyperspectral_scene(seed, 4, 40, (30, 36), snr=snr).image


@pytest.mark.parametrize("anchors", sorted(set(NAMED) - {"smoothed"}))
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("seed", [0, 1])
def test_pure_pixels_are_found_exactly(anchors: str, dtype: Any, seed: int) -> None:
    scene = separable_scene(4, 25, (24, 31), seed=seed, dtype=dtype)
    assert places(unmix.find_endmembers(scene.image, 4, anchors=anchors)) == pure(scene)


def test_smoothed_takes_the_median_of_a_share_of_the_pixels() -> None:
    image = noisy_image()
    for share, members in ((0.002, 5), (0.01, 10), (0.05, 54)):
        found = unmix.find_endmembers(image, 4, anchors="smoothed", anchor_fraction=share)
        assert found["anchor_count"].values.tolist() == [members] * 4


def test_adaptive_takes_as_many_pixels_as_the_noise_asks_for() -> None:
    values = separable_scene(4, 25, (40, 51)).image.values
    noise = np.random.default_rng(0).standard_normal(values.shape)
    counts = [
        unmix.find_endmembers(values + level * noise, 4, quantity="reflectance", anchors="adaptive")["anchor_count"]
        for level in (0.0, 1e-3, 0.1)
    ]
    assert counts[0].values.tolist() == counts[1].values.tolist() == [1] * 4
    assert counts[2].values.sum() > 12


@pytest.mark.parametrize("anchors", PIXEL_METHODS)
def test_endmembers_are_the_spectra_of_the_pixels(anchors: str) -> None:
    image = noisy_image()
    found = unmix.find_endmembers(image, 4, anchors=anchors)
    assert found["anchor_count"].values.tolist() == [1] * 4
    for k, spectrum in enumerate(found["endmembers"].values):
        pixel = image.values[int(found["anchor_row"][k]), int(found["anchor_col"][k])]
        np.testing.assert_allclose(spectrum, pixel, rtol=1e-6)


@cache
def masked(anchors: str) -> tuple[xr.DataArray, np.ndarray, xr.Dataset]:
    image = noisy_image()
    mask = np.ones(image.shape[:2], bool)
    mask[3:7, 20:] = False
    return image, mask, unmix.find_endmembers(image, 4, anchors=anchors, mask=mask)


@pytest.mark.parametrize("anchors", NAMED)
@pytest.mark.parametrize("junk", [np.nan, 1e6, -1e6, 0.0])
def test_masked_pixels_may_hold_anything(anchors: str, junk: float) -> None:
    image, mask, expected = masked(anchors)
    spoilt = image.copy(data=np.where(mask[..., None], image.values, np.float32(junk)))
    found = unmix.find_endmembers(spoilt, 4, anchors=anchors, mask=mask)
    np.testing.assert_array_equal(found["endmembers"], expected["endmembers"])
    assert places(found) == places(expected)
    assert all(mask[place] for place in places(found))


@pytest.mark.parametrize("anchors", NAMED)
def test_blocks_and_threads_do_not_matter(anchors: str) -> None:
    image = noisy_image()[:12]
    expected = unmix.find_endmembers(image, 4, anchors=anchors)
    for chunks, threads in (({"y": 7, "x": 11}, 2), ({"y": 1}, 1)):
        found = unmix.find_endmembers(image.chunk(chunks), 4, anchors=anchors, threads=threads)
        assert places(found) == places(expected)


def test_the_seed_belongs_to_the_random_method() -> None:
    image = hyperspectral_scene(2, 5, 40, (30, 36), snr=15).image
    found = [places(unmix.find_endmembers(image, 5, anchors="vca", seed=seed)) for seed in (0, 0, 1, 2, 3)]
    assert found[0] == found[1]
    assert len({frozenset(each) for each in found}) > 1
    with_seed = unmix.unmix(image, 5, anchors="vca", seed=3)
    assert places(with_seed) == found[4]
    fit = json.loads(with_seed.attrs["provenance"])["fit"]
    assert (fit["anchors"], fit["seed"]) == ("vca", 3)
    for other in ("snpa", "nfindr"):
        assert places(unmix.find_endmembers(image, 5, anchors=other, seed=7)) == places(
            unmix.find_endmembers(image, 5, anchors=other)
        )


@pytest.mark.parametrize(("noise", "is_vertex"), [(1e-4, False), (0.15, True)])
def test_vca_judges_the_noise_before_it_is_projected_away(noise: float, is_vertex: bool) -> None:
    """A mixture lit three times as bright is a vertex only in the projection for noisy data."""
    rng = np.random.default_rng(0)
    E = rng.uniform(0.2, 0.8, (3, 60))
    X = np.vstack([rng.dirichlet(np.ones(3), 899) @ E, 4 * E.mean(axis=0)]) + noise * rng.standard_normal((900, 60))
    found = unmix.find_endmembers(X.reshape(30, 30, 60), 3, quantity="reflectance", anchors="vca")
    assert ((29, 29) in places(found)) == is_vertex


@pytest.mark.parametrize("anchors", NAMED)
def test_rank_is_said_as_a_number(anchors: str) -> None:
    rng = np.random.default_rng(0)
    E = rng.uniform(0.1, 0.9, (3, 20))
    values = (rng.dirichlet(np.ones(3), 400) @ E).reshape(20, 20, 20)
    with pytest.raises(DataError, match=r"rank|at most 3"):
        unmix.find_endmembers(values, 5, quantity="reflectance", anchors=anchors)


@pytest.mark.parametrize("anchors", NAMED)
def test_one_endmember_and_as_many_as_bands(anchors: str) -> None:
    image = noisy_image()
    assert unmix.find_endmembers(image, 1, anchors=anchors).sizes["endmember"] == 1
    few = separable_scene(4, 4, (20, 25), seed=3)
    found = unmix.find_endmembers(few.image, 4, anchors=anchors)
    assert found.sizes["endmember"] == 4
    if anchors != "smoothed":
        assert places(found) == pure(few)


def test_unknown_names_and_seeds() -> None:
    with pytest.raises(OptionError, match="adaptive, spa, pspa, snpa, vca, nfindr, smoothed"):
        unmix.find_endmembers(noisy_image(), 3, anchors="SPA")
    for seed in (-1, 2**31, 0.5):
        with pytest.raises(OptionError, match="seed="):
            unmix.find_endmembers(noisy_image(), 3, anchors="vca", seed=seed)
