"""Preconditioned successive projection: the ellipsoid is the smallest, and the paper's middle-points experiment."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.nmf import preconditioned_successive_projection, successive_projection
from unmix.nmf.preconditioned import enclosing_ellipsoid


def ill_conditioned(rng: np.random.Generator, r: int, condition: float) -> np.ndarray:
    """Return endmembers whose singular values fall geometrically from one to 1 / condition."""
    U, _, V = np.linalg.svd(rng.uniform(0, 1, (r, r)))
    return (U * np.logspace(0, -np.log10(condition), r)) @ V


def middle_points(rng: np.random.Generator, r: int, condition: float, noise: float) -> np.ndarray:
    """Return the pure pixels and the middle of every pair, pushed outwards from the mean by `noise`."""
    E = ill_conditioned(rng, r, condition)
    middles = np.array([(E[i] + E[j]) / 2 for i, j in combinations(range(r), 2)])
    return np.vstack([E, middles + noise * (middles - E.mean(axis=0))])


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), r=st.integers(2, 6), n=st.integers(10, 300), heavy_tails=st.booleans())
def test_the_ellipsoid_holds_all_points_and_is_the_smallest(seed: int, r: int, n: int, heavy_tails: bool) -> None:
    """By duality: it is the smallest if it is spanned by points on it with weights of sum one (John 1948)."""
    from scipy.optimize import nnls

    rng = np.random.default_rng(seed)
    Y = rng.standard_normal((n, r)) / (rng.uniform(0.05, 1, (n, 1)) if heavy_tails else 1)
    B = enclosing_ellipsoid(Y, np.arange(r))
    sizes = np.einsum("ij,jk,ik->i", Y, B, Y)
    assert sizes.max() <= 1 + 1.01e-5
    touching = Y[sizes > 1 - 1e-4] @ np.linalg.cholesky(B)
    dyads = np.array([np.outer(t, t).ravel() for t in touching])
    weights, misfit = nnls(dyads.T, np.eye(r).ravel() / r)
    assert misfit < 1e-3
    assert weights.sum() == pytest.approx(1, abs=1e-3)


def test_the_ellipsoid_of_an_ellipse_is_known() -> None:
    angles = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    on = np.column_stack([5 * np.cos(angles), 0.2 * np.sin(angles)])
    turned = np.vstack([0.3 * on, on]) @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    expected = np.array([[0.6, -0.8], [0.8, 0.6]]) @ np.diag([1 / 25, 25]) @ np.array([[0.6, 0.8], [-0.8, 0.6]])
    np.testing.assert_allclose(enclosing_ellipsoid(turned, np.array([40, 50])), expected, rtol=1e-4)


def test_pure_pixels_become_orthonormal() -> None:
    """Without noise E B E' = I whatever the condition of E, here 1000."""
    rng = np.random.default_rng(1)
    E = ill_conditioned(rng, 6, 1000)
    X = np.vstack([E, rng.dirichlet(np.ones(6), 200) @ E])
    B = enclosing_ellipsoid(X, np.arange(6))
    np.testing.assert_allclose(E @ B @ E.T, np.eye(6), atol=1e-6)


@pytest.mark.parametrize("noise", [0.1, 0.2, 0.3])
def test_middle_points(noise: float) -> None:
    """The experiment of Gillis and Vavasis 2015 at r = 10: middle points pushed outwards deceive SPA, not PSPA."""
    r, found = 10, {"spa": [], "pspa": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        X = middle_points(rng, r, 1000, noise)
        order = rng.permutation(len(X))
        pure = set(np.argsort(order)[:r].tolist())
        found["spa"].append(len(pure & set(successive_projection(X[order], r).tolist())) / r)
        found["pspa"].append(len(pure & set(preconditioned_successive_projection(X[order], r).tolist())) / r)
    assert np.mean(found["pspa"]) == 1.0
    assert np.mean(found["spa"]) < {0.1: 0.95, 0.2: 0.8, 0.3: 0.6}[noise]


def test_white_noise_is_made_as_long_as_weak_signal() -> None:
    """Its known failure: with noise in every direction and an ill-conditioned E it does no better than plain SPA."""
    r, impurity = 10, {"spa": [], "pspa": []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        A = np.vstack([np.eye(r), rng.dirichlet(np.full(r, 0.5), 300)])
        X = A @ ill_conditioned(rng, r, 1000) + 0.02 * rng.standard_normal((r + 300, r)) / np.sqrt(r)
        for name, method in (("spa", successive_projection), ("pspa", preconditioned_successive_projection)):
            impurity[name].append(float(np.mean(1 - A[method(X, r)].max(axis=0))))
    assert np.mean(impurity["pspa"]) > np.mean(impurity["spa"]) > 0.1


def test_an_outlier_owns_the_ellipsoid() -> None:
    """Its known failure, as for SPA: a single odd pixel is always an anchor."""
    rng = np.random.default_rng(0)
    E = rng.uniform(0, 1, (3, 8))
    X = np.vstack([E, rng.dirichlet(np.ones(3), 100) @ E, 4 * rng.uniform(0, 1, (1, 8))])
    assert 103 in preconditioned_successive_projection(X, 3)
