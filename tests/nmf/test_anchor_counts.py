"""How many endmembers: knees, anchor fits and eigenvalue counts of data whose rank is known."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.errors import DataError
from unmix.nmf.rank import anchor_fit_errors, anchor_spectra, eigenvalue_counts, knee, most_parameters, residual_of_fit
from unmix.nmf.stability import angles_between
from unmix.synthetic import separable_scene


def noisy(r: int, n: int = 3000, b: int = 40, sigma: float = 0.01, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.dirichlet(np.full(r, 0.5), n) @ rng.uniform(0.1, 1.0, (r, b)) + sigma * rng.standard_normal((n, b))


@given(st.integers(3, 9), st.floats(0.2, 0.5), st.floats(0.9, 0.999))
def test_knee_is_where_a_steep_fall_becomes_a_slow_one(bend: int, steep: float, slow: float) -> None:
    """Two straight lines in the logarithm: the bend is where they meet."""
    errors = np.concatenate([steep ** np.arange(bend), steep ** (bend - 1) * slow ** np.arange(1, 5)])
    assert knee(errors) == bend


def test_knee_of_short_flat_and_exact_curves() -> None:
    assert knee([0.2]) == 1
    assert knee([0.2, 0.1]) == 2
    assert knee([0.2, 0.2, 0.2, 0.2]) == 1
    assert knee([0.0, 0.0, 0.0]) == 1
    assert knee([1.0, 0.5, 0.2, 0.0, 0.0, 0.0]) == 4
    assert knee([1.0, 0.3, 0.1, 0.01, 0.02, 0.011, 0.03]) == 4, "a curve that rises again counts as flat"


@pytest.mark.parametrize("r", [2, 4, 7])
@pytest.mark.parametrize("sigma", [0.02, 0.001])
def test_white_noise_is_counted_to_the_rank(r: int, sigma: float) -> None:
    counts = eigenvalue_counts(noisy(r, sigma=sigma))
    assert counts.above_noise == r
    assert counts.hysime == r


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_that_differs_by_band_is_whitened(dtype: type) -> None:
    rng = np.random.default_rng(1)
    clean = noisy(4, sigma=0.0)
    X = (clean + rng.uniform(0.002, 0.05, 40) * rng.standard_normal(clean.shape)).astype(dtype)
    assert eigenvalue_counts(X).above_noise == 4
    assert eigenvalue_counts(X * np.geomspace(1, 50, 40).astype(dtype)).above_noise == 4


def test_noise_alone_has_no_rank() -> None:
    assert eigenvalue_counts(np.random.default_rng(0).standard_normal((4000, 30))).above_noise == 0


def test_too_few_pixels_for_the_bands_are_refused() -> None:
    with pytest.raises(DataError, match="at least 41"):
        eigenvalue_counts(noisy(3, n=40))


def test_anchor_fit_is_exact_at_the_rank_and_not_before() -> None:
    scene = separable_scene(4, 20, (30, 40), seed=2)
    X = np.vstack([scene.image.values.reshape(-1, 20), np.repeat(scene.endmembers, 20, axis=0)])
    errors = anchor_fit_errors(X, 10)
    assert len(errors) == 4, "data of affine rank 3 carry four anchors"
    assert errors[2] > 1e-3
    assert errors[3] < 1e-9


def test_anchors_are_the_materials_where_many_pixels_are_pure() -> None:
    rng = np.random.default_rng(3)
    E = rng.uniform(0.1, 1.0, (3, 25))
    A = np.vstack([np.repeat(np.eye(3), 200, axis=0), rng.dirichlet([1, 1, 1], 400)])
    found = anchor_spectra(A @ E + 0.001 * rng.standard_normal((1000, 25)), 3)
    assert angles_between(E, found).min(axis=1).max() < 2e-3


def test_more_anchors_than_the_rank_are_refused() -> None:
    with pytest.raises(DataError, match="at most 3"):
        anchor_spectra(noisy(3, sigma=0.0), 5)


def test_residual_without_endmembers_is_the_data() -> None:
    assert residual_of_fit(np.full((5, 4), 2.0), np.empty((0, 4))) == 2.0


@given(st.integers(1, 10**7), st.integers(1, 1000))
def test_parameter_bound_balances_the_books(n: int, b: int) -> None:
    """At this many endmembers, r n + r b numbers describe n b."""
    r = most_parameters(n, b)
    assert r * (n + b) == pytest.approx(n * b)
