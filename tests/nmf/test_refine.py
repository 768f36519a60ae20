"""Refinement: the objective never rises, says what it is, and the anchors hold as strongly as asked."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import ConvergenceWarning, DataError, OptionError
from unmix.metrics import match_endmembers
from unmix.nmf import refine, solve_abundances


def noisy_mixtures(seed: int, r: int = 3, n_bands: int = 9, n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    E = rng.random((r, n_bands)) + 0.05
    X = rng.dirichlet([0.5] * r, n) @ E + 0.05 * rng.standard_normal((n, n_bands))
    return X, np.maximum(E + 0.2 * rng.standard_normal(E.shape), 0)


def objective(X: np.ndarray, A: np.ndarray, E: np.ndarray, E0: np.ndarray, anchor_weight: float) -> float:
    """The docstring of the module, literally; the weight is measured at the start."""
    A0 = solve_abundances(X, E0, "non_negative")
    weight = anchor_weight * np.diag(A0.T @ A0).mean()
    return 0.5 * ((X - A @ E) ** 2).sum() + 0.5 * weight * ((E - E0) ** 2).sum()


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 5), st.sampled_from([0.0, 1e-3, 1.0, 100.0]))
def test_objective_never_rises(seed: int, r: int, weight: float) -> None:
    X, E0 = noisy_mixtures(seed, r)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        found = refine(X, E0, anchor_weight=weight, max_iterations=30, tolerance=0.0)
    history = found.objective
    assert (np.diff(history) <= 1e-12 * history[0]).all()
    assert (found.A >= 0).all()
    assert (found.E >= 0).all()
    assert history[-1] == pytest.approx(objective(X, found.A, found.E, E0, weight), rel=1e-9)
    assert history[0] == pytest.approx(objective(X, solve_abundances(X, E0), E0, E0, weight), rel=1e-9)


def test_anchored_without_limit_nothing_moves() -> None:
    X, E0 = noisy_mixtures(1)
    np.testing.assert_allclose(refine(X, E0, anchor_weight=1e12).E, E0, atol=1e-9)


def test_the_stronger_the_anchor_the_smaller_the_move() -> None:
    X, E0 = noisy_mixtures(2)
    moved = [np.linalg.norm(refine(X, E0, anchor_weight=w, max_iterations=2000).E - E0) for w in (0.01, 0.1, 1, 10)]
    assert moved == sorted(moved, reverse=True)
    assert moved[-1] < 0.1 * moved[0]


def test_truth_is_left_alone() -> None:
    rng = np.random.default_rng(0)
    E = rng.random((3, 8))
    X = rng.dirichlet([1, 1, 1], 50) @ E
    found = refine(X, E)
    np.testing.assert_allclose(found.E, E)
    assert found.converged
    assert found.stop_reason == "the objective is zero to rounding"
    assert len(found.objective) == 1


def test_plain_refinement_explains_exact_data_better_than_its_start() -> None:
    rng = np.random.default_rng(4)
    E = rng.random((3, 20)) * (rng.random((3, 20)) > 0.4)
    A = np.vstack([np.eye(3), rng.dirichlet([0.3] * 3, 300)])
    start = np.maximum(E + 0.1 * rng.standard_normal(E.shape), 0)
    found = refine(A @ E, start, anchor_weight=0.0, max_iterations=3000, tolerance=1e-9)
    assert found.objective[-1] < 1e-3 * found.objective[0]
    assert match_endmembers(found.E, E)[1].max() < match_endmembers(start, E)[1].max()


def test_running_out_of_iterations_is_said() -> None:
    X, E0 = noisy_mixtures(3)
    with pytest.warns(ConvergenceWarning, match="stopped after 2 iterations; the best so far is returned"):
        found = refine(X, E0, max_iterations=2, tolerance=0.0)
    assert not found.converged
    assert len(found.objective) == 3
    assert found.stop_reason == "stopped after 2 iterations"


def test_callback_hears_every_iteration() -> None:
    X, E0 = noisy_mixtures(5)
    heard: list[tuple[int, float]] = []
    found = refine(X, E0, tolerance=1e-3, callback=lambda k, value: heard.append((k, value)))
    assert heard == list(enumerate(found.objective.tolist()))[1:]
    assert "fell by less than 0.001" in found.stop_reason


def test_input_is_not_written_to_and_layout_does_not_matter() -> None:
    X, E0 = noisy_mixtures(6)
    kept = X.copy(), E0.copy()
    expected = refine(X, E0)
    X.flags.writeable = E0.flags.writeable = False
    for other in (refine(np.asfortranarray(X), E0), refine(X, np.asfortranarray(E0)), refine(X.astype(">f8"), E0)):
        np.testing.assert_allclose(other.E, expected.E, rtol=1e-9)
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(E0, kept[1])
    single = refine(X.astype("f4"), E0)
    np.testing.assert_allclose(single.E, expected.E, atol=1e-4)


@pytest.mark.parametrize(
    ("X", "E", "more", "error", "words"),
    [
        ([[1.0, np.nan]], [[1.0, 1.0]], {}, DataError, "X has values that are not finite"),
        ([[1.0, 1.0]], [[1.0, 1.0, 1.0]], {}, DataError, "2 bands and the endmembers have 3"),
        ([[1.0, 1.0]], [[1.0, np.nan]], {}, DataError, "not finite"),
        ([[1.0, 1.0]], [[0.0, 0.0]], {}, DataError, "zero"),
        ([1.0, 1.0], [[1.0, 1.0]], {}, DataError, "n_pixels"),
        ([[1.0, 1.0]], [1.0, 1.0], {}, DataError, "endmembers have shape"),
        ([[1.0, 1.0]], [[1.0, 1.0]], {"anchor_weight": -1}, OptionError, "anchor_weight=-1"),
        ([[1.0, 1.0]], [[1.0, 1.0]], {"anchor_weight": np.nan}, OptionError, "anchor_weight=nan"),
        ([[1.0, 1.0]], [[1.0, 1.0]], {"tolerance": -1e-3}, OptionError, "tolerance=-0.001"),
        ([[1.0, 1.0]], [[1.0, 1.0]], {"max_iterations": True}, OptionError, "max_iterations=True"),
    ],
)
def test_refusals(X: list, E: list, more: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        refine(X, E, **more)
