"""The contest of searches: what it measures, how it decides, and that it is near the best where each one fails."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

import unmix
from unmix.fits.contest import Entry, best_entry, left_outside
from unmix.fits.robust import PixelAnchors
from unmix.metrics import match_endmembers
from unmix.nmf.subspace import signal_subspace
from unmix.synthetic import Scene, hyperspectral_scene

SEARCHES = ("robust", "adaptive", "smoothed")


def angle(scene: Scene, **options: object) -> float:
    found = unmix.find_endmembers(scene.image, len(scene.names), **options)
    return float(match_endmembers(found["endmembers"].values, scene.endmembers)[1].mean())


@pytest.fixture
def mixtures() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    E = rng.random((3, 20)) + 0.1
    return rng.dirichlet([0.5] * 3, 800) @ E, E


def test_nothing_is_left_outside_the_cone_of_the_true_endmembers(mixtures: tuple[np.ndarray, np.ndarray]) -> None:
    X, E = mixtures
    space = signal_subspace(X)
    assert left_outside(E, X, space) < 1e-12
    assert left_outside(2.5 * E, X, space) < 1e-12
    inner = 0.8 * E + 0.2 * E.mean(axis=0)
    innermost = 0.6 * E + 0.4 * E.mean(axis=0)
    assert 1e-6 < left_outside(inner, X, space) < left_outside(innermost, X, space)


def test_white_noise_is_taken_off(mixtures: tuple[np.ndarray, np.ndarray]) -> None:
    X, E = mixtures
    noisy = X + np.random.default_rng(1).normal(0, 0.05, X.shape)
    assert left_outside(E, noisy, signal_subspace(noisy)) < 0.3 * 0.05**2 * X.shape[1]


def test_the_least_left_outside_wins_and_among_equals_the_most_averaging(
    mixtures: tuple[np.ndarray, np.ndarray],
) -> None:
    X, E = mixtures
    inner = 0.8 * E + 0.2 * E.mean(axis=0)
    anchors = PixelAnchors([np.array([k]) for k in range(3)], np.eye(3), {"anchors": "x"})
    entries = [Entry("a", 1.0, anchors), Entry("b", 4.0, replace(anchors)), Entry("c", 0.0, replace(anchors))]
    space = signal_subspace(X)
    assert best_entry(entries, [inner, 1.00001 * inner, 0.5 * inner], X, space)[0] == 1
    winner, chosen = best_entry(entries, [inner, inner, E], X, space)
    assert winner == 2
    assert chosen.notes["left_outside_relative_to_best"]["c"] == 1.0


HARD = {
    "a material in 0.1 % of the pixels": {"rare_share": 0.001, "snr": 40.0},
    "brightness that varies by a quarter": {"brightness_scatter": 0.25, "snr": 40.0},
    "a dark material in changing light": {"dark_material": True, "brightness_scatter": 0.1, "snr": 40.0},
}


@pytest.mark.parametrize("name", HARD)
def test_the_default_is_near_the_best_search_where_others_fail(name: str) -> None:
    worst, differences = 0.0, []
    for seed in range(3):
        scene = hyperspectral_scene(seed, 4, 60, (70, 70), **HARD[name])
        alone = [angle(scene, anchors=search) for search in SEARCHES]
        worst = max(worst, max(alone))
        differences.append(angle(scene) - min(alone))
    assert worst > 0.05, "no search fails here, so this shows nothing"
    assert np.mean(differences) < 0.02


def test_what_was_tried_is_in_the_provenance() -> None:
    scene = hyperspectral_scene(5, 3, 40, (40, 40), snr=30)
    fit = json.loads(unmix.unmix(scene.image, 3).attrs["provenance"])["fit"]
    scores = fit["left_outside_relative_to_best"]
    assert set(scores) == {"robust 4", "smoothed 4", "robust 1", "smoothed 1", "adaptive"}
    assert min(scores.values()) == 1.0
