"""N-FINDR: volume never falls, and the search ends where no single move helps."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import DataError
from unmix.nmf import n_findr as module
from unmix.nmf import nfindr


def volume(Z: np.ndarray, rows: np.ndarray) -> float:
    return float(abs(np.linalg.det(Z[rows])))


@settings(max_examples=40)
@given(seed=st.integers(0, 2**32 - 1), r=st.integers(2, 6), n=st.integers(8, 60))
def test_volume_grows_to_where_no_single_move_helps(seed: int, r: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    Z = np.column_stack([rng.standard_normal((n, r - 1)), np.ones(n)])
    start = rng.permutation(n)[:r]
    before = start.copy()
    found = module.grow_simplex(Z, start)
    np.testing.assert_array_equal(start, before)
    assert volume(Z, found) >= volume(Z, start)
    for k in range(r):
        for i in range(n):
            moved = found.copy()
            moved[k] = i
            assert volume(Z, moved) <= volume(Z, found) * (1 + 1e-7)


def test_volume_rises_at_every_single_move(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    Z = np.column_stack([rng.standard_normal((400, 4)), np.ones(400)])
    seen: list[float] = []

    def recorded(vertices: np.ndarray) -> np.ndarray:
        seen.append(float(abs(np.linalg.det(vertices))))
        return inverse(vertices)

    inverse = np.linalg.inv
    monkeypatch.setattr(module.np.linalg, "inv", recorded)
    module.grow_simplex(Z, np.arange(5))
    assert (np.diff(seen) >= -1e-12 * np.array(seen[:-1])).all()
    assert seen[-1] > 2 * seen[0]


@pytest.mark.parametrize("seed", range(10))
def test_two_and_three_vertices_against_all_simplices(seed: int) -> None:
    rng = np.random.default_rng(seed)
    X = rng.dirichlet(np.ones(3), 25) @ rng.uniform(0, 1, (3, 6))
    axes = np.linalg.svd(X - X.mean(axis=0))[2][:2]
    for r in (2, 3):
        Z = np.column_stack([(X - X.mean(axis=0)) @ axes[: r - 1].T, np.ones(25)])
        largest = max(volume(Z, np.array(rows)) for rows in combinations(range(25), r))
        assert volume(Z, nfindr(X, r)) >= 0.9 * largest
        if r == 2:
            assert volume(Z, nfindr(X, r)) == pytest.approx(largest)


def test_a_dark_copy_of_a_material_is_a_vertex_of_its_own() -> None:
    """Three materials of linear rank two: successive projection cannot hold them, a simplex can."""
    E = np.array([[0.8, 0.2, 0.4], [0.2, 0.1, 0.1], [0.1, 0.7, 0.3]])
    E[1] = 0.25 * E[0]
    rng = np.random.default_rng(0)
    X = np.vstack([E, rng.dirichlet(np.ones(3), 40) @ E])
    assert set(nfindr(X, 3).tolist()) == {0, 1, 2}


def test_the_dimension_around_the_mean_limits_the_number() -> None:
    share = np.linspace(0, 1, 20)[:, None]
    X = share * np.array([1.0, 0.2, 0.3]) + (1 - share) * np.array([0.1, 0.9, 0.4])
    assert set(nfindr(X, 2).tolist()) == {0, 19}
    with pytest.raises(DataError, match="affine rank 2"):
        nfindr(X, 3)
