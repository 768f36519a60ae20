"""Abundances of photon counts: the optimality conditions hold, and the likelihood is no less than elsewhere."""

from __future__ import annotations

import numpy as np
import pytest

import unmix
from unmix.errors import DataError, OptionError
from unmix.nmf import solve_abundances, solve_poisson_abundances
from unmix.synthetic import lambda_stack


def violation(X: np.ndarray, A: np.ndarray, E: np.ndarray) -> np.ndarray:
    """Return how far each row is from the conditions a >= 0, g >= 0, a g = 0, relative to its counts."""
    total = X.sum(axis=1)
    model = np.maximum(A @ E, 1e-12 * total[:, None])
    g = E.sum(axis=1) - (np.where(X > 0, X / model, 0.0)) @ E.T
    return np.maximum(np.maximum(-g, 0).max(axis=1), np.abs(A * g).max(axis=1) / total)


@pytest.mark.parametrize(("r", "photons"), [(2, 5), (3, 40), (6, 300)])
def test_the_optimality_conditions_hold(r: int, photons: float) -> None:
    rng = np.random.default_rng(r)
    E = np.exp(-0.5 * ((np.arange(20) - np.linspace(2, 17, r)[:, None]) / 3) ** 2)
    E /= E.sum(axis=1, keepdims=True)
    X = rng.poisson(photons * rng.dirichlet([0.4] * r, 3000) @ E).astype(float)
    X = X[X.sum(axis=1) > 0]
    A = solve_poisson_abundances(X, E)
    assert (A >= 0).all()
    assert violation(X, A, E).max() < 1e-6


def test_maps_are_nearer_the_truth_than_least_squares() -> None:
    scene = lambda_stack(31, 5, 28, (64, 64), photons=60)
    X = scene.image.values.reshape(-1, 28).astype(float)
    A = scene.abundances.reshape(5, -1).T
    likely, least = solve_poisson_abundances(X, scene.endmembers), solve_abundances(X, scene.endmembers)
    assert np.sqrt(np.mean((likely - A) ** 2)) < 0.97 * np.sqrt(np.mean((least - A) ** 2))


def test_exact_mixtures_zeros_and_invalid_rows() -> None:
    E = np.array([[0.5, 0.5, 0.0, 0.0], [0.0, 0.2, 0.8, 0.0]])
    A = np.array([[3.0, 0.0], [0.0, 4.0], [1.0, 2.0], [0.0, 0.0]])
    X = np.vstack([A @ E, [np.nan, 1, 1, 1], [-1.0, -2.0, 0.0, 0.0], [0.0, 0.0, 0.0, 7.0]])
    found = solve_poisson_abundances(X, E)
    np.testing.assert_allclose(found[:4], A, atol=1e-6)
    assert np.isnan(found[4]).all()
    assert (found[5] == 0).all()
    assert np.isfinite(found[6]).all()


def test_what_is_not_counts_is_refused() -> None:
    with pytest.raises(DataError, match="negative"):
        solve_poisson_abundances([[1, 2]], [[1, -1]])
    with pytest.raises(DataError, match="bands"):
        solve_poisson_abundances([[1, 2]], [[1, 1, 1]])
    values = np.random.default_rng(0).random((12, 12, 5))
    with pytest.raises(OptionError, match="poisson"):
        unmix.unmix(values, endmembers=np.eye(5)[:2] + 0.1, quantity="reflectance", noise="poisson")
    with pytest.raises(OptionError, match="uncertainty"):
        unmix.unmix(values, endmembers=np.eye(5)[:2] + 0.1, quantity="counts", noise="poisson", uncertainty=5)


def test_the_pipeline_maps_by_likelihood_in_blocks() -> None:
    scene = lambda_stack(5, 3, 16, (48, 40), photons=80)
    image = scene.image.copy()
    image.coords["valid"].values[3, 4] = False
    result = unmix.unmix(image, endmembers=scene.endmembers, noise="poisson")
    expected = solve_poisson_abundances(image.values.reshape(-1, 16), scene.endmembers).T.reshape(3, 48, 40)
    valid = image.coords["valid"].values
    np.testing.assert_allclose(result["abundances"].values[:, valid], expected[:, valid], rtol=1e-4, atol=1e-4)
    assert np.isnan(result["abundances"].values[:, 3, 4]).all()
    assert np.isnan(result["residual"].values[3, 4])
    assert result.attrs["n_invalid"] == 1
    assert 0 < result.attrs["relative_error"] < 1
