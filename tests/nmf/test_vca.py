"""Vertex component analysis: the published steps, the seed, and what it does to dark pixels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from unmix.errors import OptionError
from unmix.nmf import vertex_component_analysis
from unmix.nmf.vca import best_by_volume, signal_to_noise
from unmix.synthetic import hyperspectral_scene


def noisy(seed: int, snr: float, r: int = 4, b: int = 40) -> np.ndarray:
    """Return mixtures with white noise at a ratio of `snr` dB, without pure pixels."""
    rng = np.random.default_rng(seed)
    X = rng.dirichlet(np.ones(r), 700) @ rng.uniform(0.05, 0.9, (r, b))
    return X + np.sqrt(np.mean(X**2) / 10 ** (snr / 10)) * rng.standard_normal(X.shape)


def fixed_sign(U: np.ndarray) -> np.ndarray:
    return U * np.sign(U[np.abs(U).argmax(axis=0), np.arange(U.shape[1])])


def textbook(X: np.ndarray, p: int, seed: int) -> tuple[list[int], bool]:
    """Follow the paper's table on columns, with Gaussian directions; say whether the projection was projective."""
    R = X.T
    L, N = R.shape
    mean = R.mean(axis=1, keepdims=True)
    principal = fixed_sign(np.linalg.svd((R - mean) @ (R - mean).T / N)[0][:, :p])
    power = (R**2).sum() / N
    signal = ((principal.T @ (R - mean)) ** 2).sum() / N + (mean**2).sum()
    snr = 10 * np.log10((signal - p / L * power) / (power - signal))
    projective = snr > 15 + 10 * np.log10(p)
    if projective:
        x = fixed_sign(np.linalg.svd(R @ R.T / N)[0][:, :p]).T @ R
        y = x / (x.mean(axis=1) @ x)
    else:
        x = principal[:, : p - 1].T @ (R - mean)
        y = np.vstack([x, np.full(N, np.sqrt((x**2).sum(axis=0)).max())])
    rng = np.random.default_rng(seed)
    A = np.zeros((p, p))
    A[p - 1, 0] = 1
    chosen = []
    for i in range(p):
        w = rng.standard_normal(p)
        f = w - A @ np.linalg.pinv(A) @ w
        v = f / np.linalg.norm(f) @ y
        chosen.append(int(np.argmax(np.abs(v))))
        A[:, i] = y[:, chosen[-1]]
    return chosen, bool(projective)


@pytest.mark.parametrize(("snr", "projective"), [(10, False), (18, False), (25, True), (45, True)])
@pytest.mark.parametrize("seed", range(3))
def test_agrees_with_the_published_steps(seed: int, snr: float, projective: bool) -> None:
    X = noisy(seed, snr)
    expected, was_projective = textbook(X, 4, seed)
    assert was_projective == projective
    assert vertex_component_analysis(X, 4, seed=seed).tolist() == expected


@pytest.mark.parametrize("snr", [15.0, 25.0, 40.0])
def test_signal_to_noise_is_estimated(snr: float) -> None:
    assert signal_to_noise(noisy(0, snr), 4) == pytest.approx(snr, abs=0.3)
    assert signal_to_noise(noisy(0, np.inf), 4) == np.inf


def test_the_seed_decides() -> None:
    X = noisy(0, 15, r=5)
    first = vertex_component_analysis(X, 5, seed=3)
    np.testing.assert_array_equal(first, vertex_component_analysis(X, 5, seed=np.int64(3)))
    assert len({tuple(vertex_component_analysis(X, 5, seed=seed)) for seed in range(5)}) > 1


def test_a_given_ratio_chooses_the_projection() -> None:
    """At equal brightness a bright mixture is no vertex; without, it is."""
    rng = np.random.default_rng(0)
    E = np.array([[0.6, 0.1, 0.1, 0.2], [0.1, 0.6, 0.1, 0.3], [0.2, 0.1, 0.5, 0.1]])
    X = np.vstack([E, rng.dirichlet(np.ones(3), 50) @ E, 3 * E.mean(axis=0)])
    assert set(vertex_component_analysis(X, 3, snr=60).tolist()) == {0, 1, 2}
    assert 53 in vertex_component_analysis(X, 3, snr=0)


@pytest.mark.parametrize("seed", range(4))
def test_the_best_of_several_is_no_smaller_than_the_first(seed: int) -> None:
    scene = hyperspectral_scene(seed, 5, 50, (30, 30), snr=40)
    X = scene.image.values.reshape(-1, 50).astype(float)
    axes = np.linalg.svd(X - X.mean(axis=0), full_matrices=False)[2][:4]

    def volume(rows: np.ndarray) -> float:
        return abs(np.linalg.det(np.column_stack([(X[rows] - X.mean(axis=0)) @ axes.T, np.ones(5)])))

    first = vertex_component_analysis(X, 5, seed=seed)
    best = best_by_volume(X, 5, restarts=8, seed=seed)
    np.testing.assert_array_equal(best_by_volume(X, 5, restarts=1, seed=seed), first)
    assert volume(best) >= volume(first) * (1 - 1e-9)


def test_dark_noisy_pixels_are_thrown_far_out() -> None:
    """Its known failure: divided by a brightness near zero, noise goes farther than any material."""
    rng = np.random.default_rng(0)
    E = rng.uniform(0.2, 0.8, (3, 30))
    X = np.vstack([E, rng.dirichlet(np.ones(3), 300) @ E, np.full((20, 30), 0.002)])
    X += 0.003 * rng.standard_normal(X.shape)
    assert max(vertex_component_analysis(X, 3)) >= 303


def test_rows_behind_the_plane_of_brightness_are_left_out() -> None:
    """A row whose brightness is negative or next to none has no place at equal brightness."""
    rng = np.random.default_rng(0)
    X = np.vstack([np.eye(3), rng.dirichlet(np.ones(3), 60)])
    odd = np.array([[-1.0, -0.5, 0.0], [-2.0, 1.0, -0.5], [-0.5, -1.0, 0.3]])
    assert set(vertex_component_analysis(np.vstack([X, odd]), 3, snr=np.inf).tolist()) == {0, 1, 2}


@pytest.mark.parametrize("seed", [-1, 1.5, True, "0", None])
def test_bad_seed(seed: Any) -> None:
    with pytest.raises(OptionError, match="seed="):
        vertex_component_analysis(np.eye(3), 2, seed=seed)


@pytest.mark.parametrize("keyword", [{"snr": np.nan}, {"snr": "high"}, {"restarts": 0}, {"restarts": True}])
def test_bad_keywords(keyword: dict[str, Any]) -> None:
    with pytest.raises(OptionError, match=next(iter(keyword))):
        best_by_volume(np.eye(3), 2, **keyword)
