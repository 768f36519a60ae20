"""Pivoting on what is present and on what is absent: one optimum, from whatever set they start."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from unmix.nmf import solve_abundances
from unmix.nmf.block_pivoting import solve_by_pivoting, solve_dual_by_pivoting
from unmix.nmf.endmember_geometry import solutions_with_all
from unmix.nmf.passive_set import room_for


@settings(max_examples=60)
@given(st.integers(2, 25), st.integers(0, 999), st.floats(0.0, 1.0), st.booleans())
def test_present_and_absent_lead_to_one_optimum(r: int, seed: int, share: float, summed: bool) -> None:
    rng = np.random.default_rng(seed)
    E = np.abs(rng.normal(size=(r, r + 10)))
    y = rng.dirichlet(np.full(r, 0.5)) @ E + 0.3 * rng.normal(size=r + 10)
    G, f = E @ E.T, E @ y
    M, M1, m1 = solutions_with_all(np.ascontiguousarray(np.linalg.cholesky(G).T))
    R_y = np.linalg.solve(np.linalg.cholesky(G), f)
    start, H = (M1 @ R_y + m1, M1 @ M1.T) if summed else (M @ R_y, M @ M.T)
    first = rng.random(r) < share
    first[0] = True
    sets, answers = [], []
    for on_absent in (False, True):
        passive, a, other = first.copy(), np.empty(r), np.empty(r)
        if on_absent:
            assert solve_dual_by_pivoting(H, start, passive, a, other, *room_for(r))
        else:
            assume(solve_by_pivoting(G, f, summed, passive, a, other, *room_for(r)))
        sets.append(passive)
        answers.append(a)
    np.testing.assert_allclose(answers[0], answers[1], atol=1e-10)
    np.testing.assert_array_equal(*sets)
    np.testing.assert_array_equal(answers[1] > 0.0, sets[1])
    if summed:
        assert answers[1].sum() == pytest.approx(1.0, abs=1e-10)
    else:
        np.testing.assert_allclose(answers[1], nnls(E.T, y)[0], atol=1e-9)


@pytest.mark.parametrize("condition", [10.0, 1e3, 3e4])
def test_nearly_dependent_endmembers_cost_no_digits_where_most_are_present(condition: float) -> None:
    """The inverse comes from R, not from G, whose condition is the square."""
    rng = np.random.default_rng(1)
    r, n_bands = 20, 60
    U, _ = np.linalg.qr(rng.standard_normal((n_bands, r)))
    V, _ = np.linalg.qr(rng.standard_normal((r, r)))
    E = (V * np.geomspace(1, 1 / condition, r)) @ U.T
    X = rng.dirichlet(np.full(r, 0.5), 200) @ E + 1e-3 / condition * rng.standard_normal((200, n_bands))
    reference = np.array([nnls(E.T, x)[0] for x in X])
    np.testing.assert_allclose(solve_abundances(X, E), reference, atol=1e-15 * condition + 1e-14)
