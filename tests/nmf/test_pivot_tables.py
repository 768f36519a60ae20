"""The table of passive sets: every set's abundances are the minimum on that set, and what lies outside is its slack."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.nmf.pivot_tables import pivot_table


def gram_of(r: int, alike: float, seed: int = 0) -> np.ndarray:
    """Return the Gram matrix of r spectra of very different brightness, of which two are `alike` apart."""
    rng = np.random.default_rng(seed)
    E = rng.random((r, 50))
    if r > 1:
        E[1] = E[0] + alike * rng.random(50)
    E *= 10.0 ** rng.uniform(-2, 2, r)[:, None]
    return E @ E.T


@pytest.mark.parametrize("r", [1, 2, 5, 7])
@pytest.mark.parametrize("summed", [False, True])
def test_inside_a_set_the_gradient_is_level_and_outside_it_is_the_slack(r: int, summed: bool) -> None:
    G, f = gram_of(r, 0.5), np.random.default_rng(1).normal(size=r)
    T, t = pivot_table(G, summed)
    assert T.shape == (2**r, r, -(-r // 4) * 4)
    for code in range(2**r):
        member = ((code >> np.arange(r)) & 1).astype(bool)
        z = (f @ T[code] + t[code])[:r]
        a = np.where(member, z, 0.0)
        gradient = G @ a - f
        scale = np.abs(G).max() * np.abs(a).max() + np.abs(f).max()
        multiplier = gradient[member].mean() if summed and code else 0.0
        np.testing.assert_allclose(gradient[member], multiplier, atol=1e-10 * scale)
        np.testing.assert_allclose(z[~member], (gradient - multiplier)[~member], atol=1e-10 * scale)
        if summed and code:
            np.testing.assert_allclose(a.sum(), 1.0, atol=1e-10 * max(1.0, np.abs(a).max()))
    assert not T[:, :, r:].any()
    assert not t[:, r:].any()


@pytest.mark.parametrize("alike", [1e-2, 1e-3, 1e-4])
def test_alike_endmembers_lose_no_more_than_their_condition_says(alike: float) -> None:
    for seed in range(5):
        G = gram_of(6, alike, seed)
        size = np.sqrt(np.outer(np.diag(G), np.diag(G)))
        whole = pivot_table(G, summed=False)[0][-1, :, :6] * size
        exact = inverse_in_long_double(G) * size
        condition = np.linalg.cond(G / size)
        assert np.abs(whole - exact).max() <= 20 * np.finfo(float).eps * condition * np.abs(exact).max()


def inverse_in_long_double(G: np.ndarray) -> np.ndarray:
    """Return the inverse by Gauss and Jordan with pivots, in the longest floating point there is."""
    n = len(G)
    M = np.concatenate([G.astype(np.longdouble), np.eye(n, dtype=np.longdouble)], axis=1)
    for k in range(n):
        pivot = k + int(np.argmax(np.abs(M[k:, k])))
        M[[k, pivot]] = M[[pivot, k]]
        M[k] /= M[k, k]
        others = np.arange(n) != k
        M[others] -= M[others, k][:, None] * M[k]
    return M[:, n:]
