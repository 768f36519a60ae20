"""Figures against known truths: angles of plane geometry, permutations, hand-made differences."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from unmix.errors import DataError
from unmix.metrics import abundance_rmse, match_endmembers, spectral_angle


@pytest.mark.parametrize("degrees", [0, 1e-6, 0.01, 30, 90, 135, 179.999, 180])
def test_angle_in_the_plane(degrees: float) -> None:
    angle = np.radians(degrees)
    found = spectral_angle([1.0, 0.0], [np.cos(angle), np.sin(angle)])
    assert found == pytest.approx(angle, rel=1e-9, abs=1e-15)


@given(
    hnp.arrays(np.float64, 6, elements=st.floats(0.01, 10)),
    hnp.arrays(np.float64, 6, elements=st.floats(0.01, 10)),
    st.floats(1e-3, 1e3),
)
def test_angle_is_symmetric_and_blind_to_brightness(u: np.ndarray, v: np.ndarray, factor: float) -> None:
    assert spectral_angle(u, v) == pytest.approx(spectral_angle(v, u), abs=1e-14)
    assert spectral_angle(factor * u, v) == pytest.approx(spectral_angle(u, v), abs=1e-12)
    assert spectral_angle(u, factor * u) < 1e-12
    cosine = u @ v / np.linalg.norm(u) / np.linalg.norm(v)
    assert np.cos(spectral_angle(u, v)) == pytest.approx(cosine, abs=1e-12)


def test_angle_of_zero_is_unknown_and_missing_bands_are_left_out() -> None:
    assert np.isnan(spectral_angle([0.0, 0.0], [1.0, 0.0]))
    assert spectral_angle([1.0, np.nan, 1.0], [1.0, 5.0, 0.0]) == pytest.approx(np.pi / 4)
    assert np.isnan(spectral_angle([np.nan, np.nan], [1.0, 0.0]))


def test_angle_broadcasts_and_refuses_what_does_not() -> None:
    assert spectral_angle(np.ones((4, 1, 3)), np.eye(3)).shape == (4, 3)
    with pytest.raises(DataError, match=r"\(2, 3\).*\(4,\)"):
        spectral_angle(np.ones((2, 3)), np.ones(4))


@settings(max_examples=40)
@given(st.permutations(range(5)), st.integers(0, 1000), st.integers(0, 2))
def test_matching_undoes_a_permutation(order: list[int], seed: int, extra: int) -> None:
    truth = np.random.default_rng(seed).random((5, 12)) + np.eye(5, 12) * 3
    found = np.vstack([truth[order] * np.linspace(0.5, 2, 5)[:, None], np.full((extra, 12), 1.0)])
    partner, angles = match_endmembers(found, truth)
    np.testing.assert_allclose(angles, 0, atol=1e-7)
    assert [order[k] for k in partner] == list(range(5))


def test_matching_minimises_the_sum_not_each_angle() -> None:
    rng = np.random.default_rng(3)
    found, truth = rng.random((4, 3)), rng.random((4, 3))
    angles = spectral_angle(truth[:, None], found[None])
    least = min(sum(angles[i, p[i]] for i in range(4)) for p in itertools.permutations(range(4)))
    assert match_endmembers(found, truth)[1].sum() == pytest.approx(least)


def test_matching_a_zero_spectrum_does_not_fail() -> None:
    order, angles = match_endmembers([[0.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [1.0, 0.0]])
    assert order.tolist() == [1, 0]
    assert angles[0] == pytest.approx(0)
    assert np.isnan(angles[1])


def test_matching_refuses_too_few_and_other_bands() -> None:
    with pytest.raises(DataError, match="cannot match"):
        match_endmembers(np.eye(2), np.eye(3)[:, :2])
    with pytest.raises(DataError, match="cannot match"):
        match_endmembers(np.eye(3), np.eye(2))


def test_abundance_rmse() -> None:
    A = np.array([[0.0, 1.0], [np.nan, 0.5]])
    B = np.array([[0.3, 1.0], [0.0, 0.1]])
    assert abundance_rmse(A, B) == pytest.approx(np.sqrt((0.09 + 0 + 0.16) / 3))
    assert abundance_rmse(B, B) == 0
    assert np.isnan(abundance_rmse([np.nan], [1.0]))
    with pytest.raises(DataError, match="cannot be compared"):
        abundance_rmse(A, B[0])
