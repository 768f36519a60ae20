"""What is prepared of the endmembers, against numpy's definitions."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.nmf.endmember_geometry import geometry, solutions_with_all


@settings(max_examples=60)
@given(st.integers(1, 8), st.integers(1, 9), st.integers(0, 999))
def test_geometry_is_that_of_the_definitions(r: int, n_bands: int, seed: int) -> None:
    E = np.random.default_rng(seed).uniform(0.1, 1.0, (r, n_bands))
    found = geometry(E)
    np.testing.assert_allclose(found.Q @ found.R, E.T, atol=1e-12)
    np.testing.assert_allclose(found.Q.T @ found.Q, np.eye(min(r, n_bands)), atol=1e-12)
    np.testing.assert_allclose(found.G, E @ E.T, atol=1e-12)
    unit = E / np.linalg.norm(E, axis=1, keepdims=True)
    if r <= n_bands:
        np.testing.assert_allclose(found.condition, np.linalg.cond(unit @ unit.T), rtol=1e-3)
    cosines = (unit @ unit.T)[np.triu_indices(r, 1)]
    if r > 1:
        np.testing.assert_allclose([found.cosine, unit[found.closest[0]] @ unit[found.closest[1]]], cosines.max())


def test_an_endmember_of_length_zero_makes_the_condition_infinite_and_is_close_to_none() -> None:
    found = geometry(np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0]]))
    assert found.condition == np.inf
    assert found.closest == (1, 2)
    np.testing.assert_allclose([found.least, found.most], [1 - 0.5**0.5, 1 + 0.5**0.5])


@settings(max_examples=40)
@given(st.integers(1, 8), st.integers(0, 999))
def test_solutions_with_every_endmember_present(r: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    R, y = np.linalg.qr(rng.standard_normal((12, r)))[1], rng.standard_normal(r)
    M, M1, m1 = solutions_with_all(R)
    np.testing.assert_allclose(M @ y, np.linalg.lstsq(R, y, rcond=None)[0], atol=1e-10)
    a = M1 @ y + m1
    gradient = R.T @ (R @ a - y)
    np.testing.assert_allclose(a.sum(), 1.0, atol=1e-10)
    np.testing.assert_allclose(gradient, gradient.mean(), atol=1e-9)
