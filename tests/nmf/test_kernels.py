"""The loops over pixels against the one line of numpy each stands for."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.nmf.kernels import dot_rows, mean_3x3, project_rows


@settings(max_examples=60)
@given(st.integers(1, 9), st.integers(1, 13), st.integers(1, 7), st.sampled_from(["f4", "f8"]), st.integers(0, 999))
def test_projection_is_a_product(n: int, n_bands: int, k: int, dtype: str, seed: int) -> None:
    rng = np.random.default_rng(seed)
    X, axes = rng.standard_normal((n, n_bands)).astype(dtype), rng.standard_normal((k, n_bands)).astype(dtype)
    offset = rng.standard_normal(k).astype(dtype)
    X[rng.integers(0, n), rng.integers(0, n_bands)] = rng.choice([1.0, np.nan, np.inf])
    out = np.empty((n, k), dtype)
    project_rows(X, axes, offset, out)
    finite = np.isfinite(X).all(axis=1)
    expected = X[finite].astype(float) @ axes.T.astype(float) - offset
    np.testing.assert_allclose(out[finite], expected, atol=1e-5 if dtype == "f4" else 1e-12)
    assert not np.isfinite(out[~finite]).any()


@settings(max_examples=60)
@given(st.integers(1, 6), st.integers(1, 6), st.integers(1, 3), st.integers(0, 999), st.sampled_from(["f4", "f8"]))
def test_mean_of_the_valid_neighbours(h: int, w: int, k: int, seed: int, dtype: str) -> None:
    rng = np.random.default_rng(seed)
    Z = rng.random((h, w, k)).astype(dtype)
    Z[rng.random((h, w)) < 0.3] = np.nan
    out = np.empty_like(Z)
    mean_3x3(Z, 1, out)
    for i in range(h):
        for j in range(w):
            if np.isnan(Z[i, j, 0]):
                assert np.isnan(out[i, j]).all()
            else:
                window = Z[max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].reshape(-1, k).astype(float)
                np.testing.assert_allclose(out[i, j], np.nanmean(window, axis=0), rtol=1e-5)


def test_a_constant_image_is_its_own_mean() -> None:
    Z = np.full((4, 5, 2), 0.1, "f4")
    out = np.empty_like(Z)
    mean_3x3(Z, 1, out)
    np.testing.assert_array_equal(out, Z)


@pytest.mark.parametrize("n", [0, 1, 2, 3])
def test_few_rows(n: int) -> None:
    out = np.empty((n, 2))
    project_rows(np.ones((n, 3)), np.ones((2, 3)), np.zeros(2), out)
    np.testing.assert_array_equal(out, 3)


@pytest.mark.parametrize("n_bands", [1, 15, 16, 17, 200])
def test_rows_asked_for_ahead_change_nothing(n_bands: int) -> None:
    rng = np.random.default_rng(0)
    X, axes = rng.random((9, n_bands), dtype="f4"), rng.random((2, n_bands), dtype="f4")
    out, ahead = np.empty((9, 2), "f4"), np.empty((9, 2), "f4")
    dot_rows(X, axes, out, 0)
    dot_rows(X, axes, ahead, 10_000)
    np.testing.assert_array_equal(out, ahead)
