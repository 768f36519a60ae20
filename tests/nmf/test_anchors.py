"""Anchors: exact where theory says so, equal to the textbook, deterministic, and never a row that cannot be one."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unmix.errors import DataError, OptionError
from unmix.nmf import smoothed_successive_projection, successive_projection
from unmix.nmf.anchors import farthest_rows, grow_volume


def textbook(X: np.ndarray, r: int, closest: float = 0.0) -> list[int] | None:
    """Algorithm 1 of Gillis and Vavasis 2014, residuals in full; None where a choice is closer than `closest`."""
    R = X.astype(np.float64).copy()
    chosen = []
    for _ in range(r):
        norms = (R**2).sum(axis=1)
        k = int(np.argmax(norms))
        chosen.append(k)
        if np.delete(norms, k).max(initial=0) > norms[k] * (1 - closest):
            return None
        u = R[k] / np.linalg.norm(R[k])
        R -= np.outer(R @ u, u)
    return chosen


def separable(seed: int, n: int, n_bands: int, r: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mixtures with sum at most one, with each endmember among them once, at places returned."""
    rng = np.random.default_rng(seed)
    E = rng.random((r, n_bands)) + 0.1
    A = rng.dirichlet([1.0] * (r + 1), n)[:, :r] * 0.95
    places = rng.permutation(n)[:r]
    A[places] = np.eye(r)
    return A @ E, E, places


@settings(max_examples=80)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 6), st.integers(0, 200), st.sampled_from(["f4", "f8"]))
def test_separable_data_gives_its_pure_pixels(seed: int, r: int, more_bands: int, more: int, dtype: str) -> None:
    X, E, places = separable(seed, r + more, r + more_bands, r)
    if np.linalg.cond(E) > 100:
        return
    X = X.astype(dtype)
    found = successive_projection(X, r)
    assert found.dtype == np.int64
    assert set(found) == set(places)
    np.testing.assert_array_equal(found, textbook(X, r))


@settings(max_examples=80)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(3, 60), st.integers(3, 8)), elements=st.floats(-5, 5, width=16)),
    st.integers(1, 3),
)
def test_indices_are_those_of_the_textbook(X: np.ndarray, r: int) -> None:
    values = np.linalg.svd(X, compute_uv=False)
    expected = None if values[r - 1] <= 1e-3 * values[0] else textbook(X, r, closest=1e-9)
    if expected is not None:
        assert successive_projection(X, r).tolist() == expected


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("copies", [2, 50, 1000, 5000])
def test_ties_go_to_the_lowest_index(copies: int, dtype: str) -> None:
    rows = np.random.default_rng(0).random((4, 3)) * [[1], [2], [3], [1.5]]
    order = textbook(rows, 3)
    assert successive_projection(np.tile(rows, (copies, 1)).astype(dtype), 3).tolist() == order
    repeated = successive_projection(np.repeat(rows, copies, axis=0).astype(dtype), 3)
    assert repeated.tolist() == [k * copies for k in order]


def test_ties_between_different_rows_go_to_the_lowest_index() -> None:
    X = np.vstack([np.zeros((3, 4)), np.eye(4)[[2, 0, 3, 1]] * 2])
    assert successive_projection(X, 4).tolist() == [3, 4, 5, 6]


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.sampled_from([np.nan, np.inf, -np.inf, 0.0]), st.sampled_from(["f4", "f8"]))
def test_rows_that_are_zero_or_not_finite_never_win(seed: int, junk: float, dtype: str) -> None:
    X, _, _ = separable(seed, 40, 8, 3)
    rng = np.random.default_rng(seed)
    spoiled = np.sort(rng.permutation(60)[:20])
    full = np.empty((60, 8))
    full[np.setdiff1d(np.arange(60), spoiled)] = X
    full[spoiled] = junk if junk == 0 else rng.random((20, 8)) * 100
    if junk != 0:
        full[spoiled, rng.integers(0, 8, 20)] = junk
    kept = np.setdiff1d(np.arange(60), spoiled)
    found = successive_projection(full.astype(dtype), 3)
    np.testing.assert_array_equal(found, kept[successive_projection(X.astype(dtype), 3)])


@settings(max_examples=100)
@given(st.integers(0, 10_000), st.integers(1, 3), st.sampled_from(["f4", "f8"]), st.booleans())
def test_rank_error_says_the_rank(seed: int, rank: int, dtype: str, spoil: bool) -> None:
    rng = np.random.default_rng(seed)
    X = rng.random((20, rank)) @ (rng.random((rank, 6)) + np.eye(rank, 6))
    if spoil:
        X[rng.integers(0, 20, 3)] = np.nan
    with pytest.raises(DataError, match=rf"rank {rank}\. Ask for at most {rank}"):
        successive_projection(X.astype(dtype), rank + 1)


def test_scale_of_the_data_does_not_matter() -> None:
    X, _, _ = separable(4, 100, 6, 4)
    for factor in (1e-9, 1e9):
        np.testing.assert_array_equal(successive_projection(X * factor, 4), successive_projection(X, 4))


@pytest.mark.parametrize(
    ("X", "r", "error", "words"),
    [
        (np.ones((3, 4)), 0, OptionError, "r=0"),
        (np.ones((3, 4)), 1.5, OptionError, "r=1.5"),
        (np.ones((3, 4)), True, OptionError, "r=True"),
        (np.ones((3, 4)), "2", OptionError, "r='2'"),
        (np.ones((3, 4)), float("nan"), OptionError, "r=nan"),
        (np.ones((3, 4)), 4, OptionError, "needs at least 4 rows and 4 columns; X has 3 and 4"),
        (np.ones((4, 3)), 4, OptionError, "X has 4 and 3"),
        (np.zeros((4, 3)), 1, DataError, "no row that is finite and not zero"),
        (np.full((4, 3), np.nan), 1, DataError, "no row that is finite and not zero"),
        (np.ones(4), 1, DataError, r"got \(4,\)"),
        (np.ones((0, 4)), 1, DataError, "neither zero"),
        (np.ones((2, 2), complex), 1, DataError, "real numbers"),
    ],
)
def test_refusals(X: np.ndarray, r: object, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        successive_projection(X, r)


@pytest.mark.parametrize(
    "other", [np.asfortranarray, lambda X: X.astype(">f8"), lambda X: X.tolist(), lambda X: np.repeat(X, 2, 1)[:, ::2]]
)
def test_memory_layout_does_not_matter(other: object) -> None:
    X, _, _ = separable(3, 50, 6, 4)
    X.flags.writeable = False
    np.testing.assert_array_equal(successive_projection(other(X), 4), textbook(X, 4))


def test_integers_and_half_precision() -> None:
    X = np.array([[1, 1, 0], [9, 0, 0], [0, 7, 0], [3, 3, 1]])
    for dtype in ("u1", "i2", "i8", "f2"):
        assert successive_projection(X.astype(dtype), 3).tolist() == textbook(X, 3)


# ------------------------------------------------------------------------------------------------------- smoothed


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 5))
def test_smoothed_with_one_pixel_is_literal(seed: int, r: int) -> None:
    X, E, _ = separable(seed, 80, 7, r)
    if np.linalg.cond(E) > 100:
        return
    vertices, members = smoothed_successive_projection(X, r, 1)
    literal = successive_projection(X, r)
    assert [m.tolist() for m in members] == [[k] for k in literal]
    np.testing.assert_array_equal(vertices, X[literal])


def test_smoothed_vertices_are_medians_of_the_farthest_rows() -> None:
    X, _, _ = separable(1, 300, 6, 3)
    X[5] = np.nan
    vertices, members = smoothed_successive_projection(X, 3, 7)
    for vertex, rows in zip(vertices, members, strict=True):
        assert len(rows) == 7
        assert 5 not in rows
        np.testing.assert_array_equal(vertex, np.median(X[rows], axis=0))
    np.testing.assert_array_equal(members[0], farthest_rows(X, X[np.nanargmax((X**2).sum(1))], 7))


def test_smoothing_halves_the_error_of_noise_and_outliers() -> None:
    """The claim of Nadisic et al. 2021: where several pixels are pure, their median forgives what one does not."""
    errors = {1: [], 25: []}
    for seed in range(10):
        rng = np.random.default_rng(seed)
        E = rng.random((3, 10)) + 0.1
        A = np.vstack([rng.dirichlet([0.5] * 3, 1000), np.repeat(np.eye(3), 40, axis=0)])
        X = A @ E + 0.05 * rng.standard_normal((len(A), 10))
        X[::500] *= 1.3
        for p, found in errors.items():
            vertices, _ = smoothed_successive_projection(X, 3, p)
            found.append(max(np.linalg.norm(vertices - e, axis=1).min() for e in E))
    assert np.mean(errors[25]) < 0.5 * np.mean(errors[1])


def test_smoothed_rank_and_shape_errors() -> None:
    X = np.outer(np.arange(1.0, 9), np.ones(4))
    with pytest.raises(DataError, match="rank 1"):
        smoothed_successive_projection(X, 2, 3)
    with pytest.raises(OptionError, match="X has 8 and 4"):
        smoothed_successive_projection(X, 5, 3)
    with pytest.raises(DataError, match="no row"):
        smoothed_successive_projection(np.full((8, 4), np.nan), 2, 3)


@settings(max_examples=80)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 40), st.just(3)), elements=st.sampled_from([0.0, 1, 2, 3, np.nan])),
    st.integers(1, 45),
)
def test_farthest_rows_are_a_stable_sort(Z: np.ndarray, p: int) -> None:
    direction = np.array([1.0, 0.5, -0.25])
    score = Z @ direction
    finite = np.flatnonzero(np.isfinite(score))
    expected = finite[np.argsort(-score[finite], kind="stable")][:p]
    np.testing.assert_array_equal(farthest_rows(Z, direction, p), expected)


# --------------------------------------------------------------------------------------------------------- volume


@settings(max_examples=80)
@given(st.integers(0, 10_000), st.integers(2, 5), st.integers(1, 9))
def test_volume_never_shrinks_and_ends_where_no_single_move_helps(seed: int, r: int, p: int) -> None:
    rng = np.random.default_rng(seed)
    Z = np.column_stack([rng.standard_normal((200, r - 1)), np.ones(200)])
    Z[rng.integers(0, 200, 5)] = np.nan
    members = [rows[np.isfinite(Z[rows, 0])] for rows in rng.permutation(200)[: r * 12].reshape(r, 12)]
    start = np.array([np.median(Z[rows], axis=0) for rows in members])
    if abs(np.linalg.det(start)) < 1e-6:
        return
    volumes = [abs(np.linalg.det(start))]
    vertices = start
    for _ in range(40):
        before = vertices
        vertices, members = grow_volume(Z, vertices, members, p, sweeps=1)
        volumes.append(abs(np.linalg.det(vertices)))
        if np.array_equal(before, vertices):
            break
    assert all(b >= a * (1 - 1e-9) for a, b in pairwise(volumes))
    assert np.array_equal(before, vertices)
    for k in range(r):
        direction = np.linalg.inv(vertices)[:, k]
        for sign in (1, -1):
            best = np.median(Z[farthest_rows(Z, sign * direction, p)], axis=0)
            assert abs(best @ direction) <= 1 + 1e-8
    for vertex, rows in zip(vertices, members, strict=True):
        if not (start == vertex).all(axis=1).any():
            np.testing.assert_array_equal(vertex, np.median(Z[rows], axis=0))


def test_volume_finds_the_simplex_that_projection_missed() -> None:
    corners = np.array([[0.0, 0, 1], [1, 0, 1], [0, 1, 1]])
    rng = np.random.default_rng(0)
    Z = rng.dirichlet([1, 1, 1], 500) @ corners
    Z[:3] = corners
    vertices, members = grow_volume(Z, Z[[10, 20, 30]], [np.array([k]) for k in (10, 20, 30)], 1)
    assert {int(m[0]) for m in members} == {0, 1, 2}
    assert abs(np.linalg.det(vertices)) == pytest.approx(1)


def test_growing_leaves_its_input_alone() -> None:
    Z = np.column_stack([np.random.default_rng(0).random((50, 2)), np.ones(50)])
    start, members = Z[:3].copy(), [np.array([k]) for k in range(3)]
    kept, listed = start.copy(), list(members)
    grow_volume(Z, start, members, 3)
    np.testing.assert_array_equal(start, kept)
    assert all(a is b for a, b in zip(members, listed, strict=True))
