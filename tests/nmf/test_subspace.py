"""The signal subspace: moments by definition, and the lift there and back."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.nmf.subspace import Subspace, signal_subspace


def simplex_data(seed: int, r: int, n_bands: int, n: int = 400) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    E = rng.random((r, n_bands)) + np.eye(r, n_bands)
    A = rng.dirichlet([1.0] * r, n)
    return A @ E, A, E


def lifted(space: Subspace, X: np.ndarray, r: int) -> np.ndarray:
    whiten, offset = space.lift(r)
    return np.column_stack([X @ whiten.T - offset, np.ones(len(X))])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_mean_and_axes_are_those_of_the_covariance(dtype: str) -> None:
    X = np.random.default_rng(0).normal(3, 1, (500, 6)).astype(dtype) * np.arange(1, 7, dtype=dtype)
    space = signal_subspace(X)
    X = X.astype(float)
    np.testing.assert_allclose(space.mean, X.mean(axis=0), rtol=1e-12)
    covariance = np.cov(X.T, bias=True)
    np.testing.assert_allclose((space.axes.T * space.variances) @ space.axes, covariance, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(space.axes @ space.axes.T, np.eye(6), atol=1e-12)
    assert (np.diff(space.variances) <= 0).all()


def test_large_samples_are_summed_in_pieces_to_the_same_moments() -> None:
    X = np.random.default_rng(1).random((20_003, 500)).astype("f4")[:, :400]
    space = signal_subspace(X)
    assert space.variances.sum() == pytest.approx(X.astype(float).var(axis=0).sum(), rel=1e-10)


def test_precision_survives_a_large_mean() -> None:
    X = (1000 + np.random.default_rng(2).normal(0, 0.01, (5000, 3))).astype("f8")
    np.testing.assert_allclose(signal_subspace(X).variances, 1e-4, rtol=0.1)


def test_axes_have_a_fixed_sign() -> None:
    X = np.random.default_rng(3).random((100, 5))
    space = signal_subspace(X)
    largest = np.abs(space.axes).argmax(axis=1)
    assert (space.axes[np.arange(5), largest] > 0).all()
    np.testing.assert_allclose(signal_subspace(X[::-1]).axes, space.axes, atol=1e-9)


@settings(max_examples=40)
@given(st.integers(0, 1000), st.integers(2, 5), st.integers(0, 6))
def test_lift_and_unlift_are_inverse_on_the_simplex(seed: int, r: int, more: int) -> None:
    X, A, E = simplex_data(seed, r, r + more)
    space = signal_subspace(X)
    Z = lifted(space, X, r)
    np.testing.assert_allclose(Z[:, : r - 1].mean(axis=0), 0, atol=1e-7)
    np.testing.assert_allclose(np.cov(Z[:, : r - 1].T, bias=True), np.eye(r - 1).squeeze(), atol=1e-7)
    np.testing.assert_allclose(space.unlift(Z), X, atol=1e-7)
    V = lifted(space, E, r)
    np.testing.assert_allclose(space.unlift(V), E, atol=1e-7)
    np.testing.assert_allclose(A @ V, Z, atol=1e-6)  # mixtures stay mixtures


def test_a_dark_material_is_a_vertex_after_the_lift() -> None:
    rng = np.random.default_rng(0)
    E = np.vstack([rng.random((2, 5)), np.zeros(5)])
    X = rng.dirichlet([1, 1, 1], 300) @ E
    V = lifted(signal_subspace(X), E, 3)
    assert abs(np.linalg.det(V)) > 0.1


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("r", [1, 2, 3, 5])
def test_rank_is_one_less_than_the_materials(r: int, dtype: str) -> None:
    X, _, _ = simplex_data(0, r, 12)
    assert signal_subspace(X.astype(dtype)).rank == r - 1


def test_noise_is_the_variance_left_out() -> None:
    X, _, _ = simplex_data(1, 3, 40, 20_000)
    noisy = X + np.random.default_rng(1).normal(0, 0.05, X.shape)
    assert signal_subspace(noisy).noise(3) == pytest.approx(0.0025, rel=0.05)
    assert signal_subspace(X[:, :3]).noise(3) == 0.0


def test_one_pixel_has_a_mean_and_nothing_else() -> None:
    space = signal_subspace(np.array([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(space.mean, [1, 2, 3])
    assert space.rank == 0
    np.testing.assert_array_equal(space.variances, 0)
