"""Split halves, matched rows and the consensus of restarts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.metrics import match_endmembers, spectral_angle
from unmix.nmf.stability import angles_between, cophenetic_correlations, match_rows, split_half_angles


def mixtures(r: int, n: int = 2000, b: int = 30, sigma: float = 0.003) -> np.ndarray:
    rng = np.random.default_rng(r)
    return rng.dirichlet(np.full(r, 0.2), n) @ rng.uniform(0.1, 1.0, (r, b)) + sigma * rng.standard_normal((n, b))


@given(st.integers(1, 6), st.integers(0, 2**31))
def test_matching_is_that_of_the_metrics(r: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    found, truth = rng.random((r, 9)) + 0.01, rng.random((r, 9)) + 0.01
    order, angles = match_rows(found, truth)
    expected = match_endmembers(found, truth)
    np.testing.assert_array_equal(order, expected[0])
    np.testing.assert_allclose(angles, expected[1], atol=1e-12)
    np.testing.assert_allclose(angles_between(truth, found), spectral_angle(truth[:, None], found[None]), atol=1e-12)


def test_halves_agree_up_to_the_rank_and_not_beyond() -> None:
    angles = split_half_angles(mixtures(4), 7)
    assert angles[3] < 0.05
    assert angles[4:].max() > 0.15


def test_halves_that_cannot_carry_so_many_anchors_give_nan() -> None:
    angles = split_half_angles(mixtures(3, sigma=0.0), 6)
    assert np.isfinite(angles[:3]).all()
    assert np.isnan(angles[3:]).all()


def test_the_same_seed_gives_the_same_answer() -> None:
    X = mixtures(3)
    np.testing.assert_array_equal(split_half_angles(X, 4, seed=5), split_half_angles(X, 4, seed=5))
    first, again = (cophenetic_correlations(X, 3, 3, seed=5) for _ in range(2))
    np.testing.assert_array_equal(first, again)


def test_consensus_is_whole_where_pixels_fall_into_groups() -> None:
    """Three disjoint materials, one a pixel: every restart that finds them gives the same groups."""
    E = np.kron(np.eye(3), np.ones(5))
    X = np.repeat(E, 60, axis=0) * np.random.default_rng(0).uniform(0.5, 1, (180, 1))
    correlations = cophenetic_correlations(X, 5, 6)
    assert np.isnan(correlations[0])
    assert correlations[2] == pytest.approx(1.0, abs=0.02)
    assert np.nanmax(correlations) <= 1.0 + 1e-12


def test_no_restarts_no_consensus() -> None:
    assert np.isnan(cophenetic_correlations(mixtures(3), 4, 0)).all()
