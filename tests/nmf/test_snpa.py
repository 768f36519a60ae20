"""Successive non-negative projection: the published steps with distances to the hull computed face by face."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.nmf import successive_nonnegative_projection, successive_projection


def distance_to_hull(x: np.ndarray, vertices: np.ndarray) -> float:
    """Return the distance to the convex hull of the vertices and the origin: the nearest of its faces."""
    corners = np.vstack([np.zeros(len(x)), vertices])
    best = np.inf
    for size in range(1, len(corners) + 1):
        for face in combinations(range(len(corners)), size):
            origin, edges = corners[face[0]], corners[list(face[1:])] - corners[face[0]]
            h = np.linalg.lstsq(edges.T, x - origin, rcond=None)[0] if len(edges) else np.empty(0)
            if (h >= -1e-12).all() and h.sum() <= 1 + 1e-12:
                best = min(best, float(np.linalg.norm(x - origin - h @ edges)))
    return best


def textbook(X: np.ndarray, r: int) -> list[int]:
    chosen = [int(np.argmax(np.linalg.norm(X, axis=1)))]
    while len(chosen) < r:
        chosen.append(int(np.argmax([distance_to_hull(x, X[chosen]) for x in X])))
    return chosen


@settings(max_examples=25)
@given(seed=st.integers(0, 2**32 - 1), r=st.integers(2, 4), more=st.integers(0, 3), dtype=st.sampled_from(["f4", "f8"]))
def test_agrees_with_the_published_steps(seed: int, r: int, more: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    low_rank = rng.uniform(0, 1, (25, r)) @ rng.uniform(0, 1, (r, r + more))
    X = low_rank.astype(dtype)
    assert successive_nonnegative_projection(X, r).tolist() == textbook(X.astype(float), r)


def test_more_than_ten_anchors() -> None:
    """Beyond the table of passive sets the programmes are solved by an active set."""
    rng = np.random.default_rng(4)
    A = 0.9 * rng.dirichlet(np.full(13, 0.5), 200) + 0.1 / 13
    pure = rng.permutation(200)[:13]
    A[pure] = np.eye(13)
    X = A @ rng.uniform(0, 1, (13, 40))
    assert set(successive_nonnegative_projection(X, 13).tolist()) == set(pure.tolist())


def test_what_nearly_dependent_anchors_mix_is_no_anchor() -> None:
    """The paper's point: a third material hardly off the plane of two others is found in noise, where SPA fails."""
    rng = np.random.default_rng(0)
    E = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.8, 0.8, 0.03]])
    found = {"snpa": 0, "spa": 0}
    for _ in range(40):
        A = np.vstack([np.eye(3), 0.8 * rng.dirichlet(np.ones(3), 60) + 0.2 / 3])
        X = A @ E + 0.02 * rng.standard_normal((63, 3))
        found["snpa"] += set(successive_nonnegative_projection(X, 3).tolist()) == {0, 1, 2}
        found["spa"] += set(successive_projection(X, 3).tolist()) == {0, 1, 2}
    assert found["snpa"] > 35
    assert found["spa"] < found["snpa"] / 2


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_anchors_that_are_nearly_alike_bring_no_warning(dtype: str) -> None:
    """Warnings are errors here; two anchors a tenth of a degree apart are still anchors."""
    E = np.array([[1.0, 0.5, 0.2], [1.0, 0.502, 0.2], [0.1, 0.3, 0.9]])
    A = 0.8 * np.random.default_rng(0).dirichlet(np.ones(3), 30) + 0.2 / 3
    X = (np.vstack([np.eye(3), A]) @ E).astype(dtype)
    assert set(successive_nonnegative_projection(X, 3).tolist()) == {0, 1, 2}
