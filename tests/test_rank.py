"""How many endmembers an image holds, judged on scenes whose number is known."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pytest

import unmix
from unmix.errors import OptionError, UnmixWarning
from unmix.image import as_image
from unmix.rank import RankEstimate
from unmix.synthetic import hyperspectral_scene, lambda_stack

CONDITIONS = list(itertools.product((20, 30, 40, np.inf), (1.0, 0.8), (0.0, 0.1, 0.25)))
REAL = {"samson": 3, "jasper_ridge": 4, "dc1": 5, "sim1_no_pure": 6}


def estimate_of(seed: int, r: int, **condition: float) -> RankEstimate:
    scene = hyperspectral_scene(seed, r, n_bands=50, shape=(44, 44), **condition)
    return unmix.estimate_rank(scene.image, restarts=0)


def test_fresh_scenes_are_within_one_of_the_truth() -> None:
    """Noise, purity and brightness scatter, 3 to 8 materials; seeds that nothing was chosen on."""
    near = [
        abs(estimate_of(5000 + k, 3 + k % 6, snr=snr, purity=purity, brightness_scatter=scatter).suggested - 3 - k % 6)
        <= 1
        for k, (snr, purity, scatter) in enumerate(CONDITIONS)
    ]
    assert np.mean(near) >= 0.8


@pytest.mark.realdata
@pytest.mark.parametrize("name", REAL)
def test_known_scenes_are_within_one_of_the_truth(name: str, real_data: Path) -> None:
    with np.load(real_data / "hyperspectral" / f"{name}.npz", allow_pickle=False) as file:
        cube = np.clip(file["Y"].astype(np.float64) / file["scale"], 0, None).astype(np.float32)
    estimate = unmix.estimate_rank(cube, quantity="reflectance", restarts=0)
    assert abs(estimate.suggested - REAL[name]) <= 1


def test_an_estimate_holds_its_curves() -> None:
    scene = hyperspectral_scene(2, 4, n_bands=60, shape=(40, 50), snr=40)
    estimate = unmix.estimate_rank(scene.image, 7, restarts=3)
    assert estimate.suggested == 4
    assert estimate.ranks.tolist() == [1, 2, 3, 4, 5, 6, 7]
    for curve in (estimate.fit_error, estimate.split_half_angle, estimate.cophenetic):
        assert curve.shape == (7,)
    assert estimate.fit_error[3] < 0.5 * estimate.fit_error[1]
    assert estimate.counts.above_noise == 4
    assert estimate.n_pixels == 2000
    assert estimate.most_parameters == pytest.approx(2000 * 60 / 2060)
    assert estimate.sure in ("high", "moderate", "low")
    assert "4" in estimate.reason
    with pytest.raises(AttributeError):
        estimate.suggested = 5


def test_confidence_is_high_where_everything_agrees() -> None:
    assert estimate_of(3, 3, snr=40).sure == "high"


def test_the_same_answer_for_any_block_layout_and_number_of_threads() -> None:
    import dask.array as da

    scene = hyperspectral_scene(4, 4, n_bands=40, shape=(40, 50))
    first = unmix.estimate_rank(scene.image, 6, restarts=3)
    chunked = as_image(da.from_array(scene.image.values, chunks=(7, 50, 40)), quantity="reflectance")
    for threads in (1, 3):
        again = unmix.estimate_rank(chunked, 6, restarts=3, threads=threads)
        assert again.suggested == first.suggested
        np.testing.assert_array_equal(again.fit_error, first.fit_error)
        np.testing.assert_array_equal(again.cophenetic, first.cophenetic)


def test_invalid_pixels_and_bad_bands_do_not_count() -> None:
    values = hyperspectral_scene(2, 4, n_bands=60, shape=(40, 50), snr=40).image.values.copy()
    values[:20, :10] = np.nan
    values[:, :, 5] = 1000 * np.random.default_rng(0).random(values.shape[:2])
    good = np.arange(60) != 5
    image = as_image(values, good_bands=good, quantity="reflectance")
    assert unmix.estimate_rank(image, restarts=0).suggested == 4
    assert unmix.estimate_rank(image, restarts=0).n_pixels == 1800


def test_counts_are_judged_with_their_poisson_noise() -> None:
    stack = lambda_stack(1, 3, shape=(64, 64))
    estimate = unmix.estimate_rank(stack.image, restarts=0)
    assert abs(estimate.suggested - len(stack.names)) <= 1


@pytest.mark.parametrize(
    ("keywords", "words"),
    [({"max_rank": 1}, "max_rank=1"), ({"max_rank": 41}, "2 to 40"), ({"restarts": -1}, "restarts"),
     ({"seed": 1.5}, "seed"), ({"max_rank": True}, "max_rank=True"), ({"bnads": (1, 2)}, "Did you mean bands")],
)  # fmt: skip
def test_wrong_arguments_are_refused(keywords: dict, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        unmix.estimate_rank(np.random.default_rng(0).random((9, 9, 5)), quantity="reflectance", **keywords)


def test_three_channels_cannot_tell_how_many_stains() -> None:
    slide = np.random.default_rng(0).integers(100, 255, (20, 20, 3)).astype("uint8")
    with pytest.raises(OptionError, match="n_endmembers=2 or 3"):
        unmix.estimate_rank(slide, quantity="brightfield")


def test_a_run_without_a_number_takes_the_suggestion_and_says_so() -> None:
    scene = hyperspectral_scene(2, 4, n_bands=60, shape=(40, 50), snr=40)
    with pytest.warns(UnmixWarning, match=r"4 suggested \(\w+ confidence\).*n_endmembers="):
        result = unmix.unmix(scene.image)
    assert result.sizes["endmember"] == 4
    record = json.loads(result.attrs["provenance"])
    assert record["fit"]["n_endmembers"]["suggested"] == 4
    assert any("suggested" in words for words in record["warnings"])


def test_pixels_of_one_spectrum_are_one_material() -> None:
    with pytest.warns(UnmixWarning, match="1 suggested"):
        assert unmix.unmix(np.full((6, 6, 4), 0.3), quantity="reflectance").sizes["endmember"] == 1
