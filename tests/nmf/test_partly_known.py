"""Anchors beside known ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.errors import DataError
from unmix.nmf.partly_known import anchors_beside


def simplex(r: int, seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    """Return lifted mixtures with ten pure pixels of each vertex, and the vertices."""
    rng = np.random.default_rng(seed)
    vertices = np.column_stack([rng.standard_normal((r, r - 1)) * 3, np.ones(r)])
    A = np.vstack([np.repeat(np.eye(r), 10, axis=0), rng.dirichlet(np.ones(r), n)])
    return A @ vertices, vertices


@given(st.integers(3, 7), st.integers(0, 1000), st.data())
def test_what_known_vertices_leave_open_is_found_exactly(r: int, seed: int, data: st.DataObject) -> None:
    Z, vertices = simplex(r, seed)
    k = data.draw(st.integers(1, r - 1))
    found, members = anchors_beside(Z, vertices[:k], r, 5)
    np.testing.assert_array_equal(found[:k], vertices[:k])
    assert len(members) == r - k
    distance = np.linalg.norm(found[k:, None] - vertices[None, k:], axis=2)
    assert distance.min(axis=1).max() < 1e-9
    assert sorted(distance.argmin(axis=1)) == list(range(r - k))


def test_a_known_vertex_outside_the_data_stays_where_it_is() -> None:
    Z, vertices = simplex(4, 1)
    outside = vertices[:1] + 2 * (vertices[:1] - vertices.mean(axis=0))
    outside[:, -1] = 1
    found, _ = anchors_beside(Z, outside, 4, 5)
    np.testing.assert_array_equal(found[0], outside[0])
    assert np.linalg.norm(found[1:, None] - vertices[None, 1:], axis=2).min(axis=1).max() < 1e-9


def test_invalid_pixels_are_never_chosen() -> None:
    Z, vertices = simplex(3, 2)
    Z = np.vstack([Z, np.full((4, 3), np.nan)])
    _, members = anchors_beside(Z, vertices[:1], 3, 6)
    assert max(rows.max() for rows in members) < len(Z) - 4


def test_known_vertices_that_are_the_same_are_refused() -> None:
    Z, vertices = simplex(4, 3)
    with pytest.raises(DataError, match="cannot be told apart"):
        anchors_beside(Z, vertices[[0, 0]], 4, 5)


def test_data_that_carry_no_more_are_refused() -> None:
    Z, _ = simplex(3, 4)
    flat = np.column_stack([Z[:, 0], 0 * Z[:, 1], Z[:, 2]])
    with pytest.raises(DataError, match="carry only"):
        anchors_beside(flat, np.array([[1.0, 0, 1]]), 3, 5)
