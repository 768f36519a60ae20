"""Symmetric factorisation: blocks come back exactly, every entry is optimal, nothing rises, sparse equals dense."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from unmix.errors import ConvergenceWarning, DataError, OptionError
from unmix.nmf import SymmetricFactorisation, factorise_symmetric
from unmix.nmf.symmetric_kernels import _least_quartic, squared_error_symmetric


def groups(seed: int, r: int, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Similarities of items in one group each, r groups with at least two members, shuffled."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.concatenate([np.repeat(np.arange(r), 2), rng.integers(0, r, n)]))
    W = np.zeros((len(labels), r))
    W[np.arange(len(labels)), labels] = rng.uniform(0.5, 2.0, len(labels))
    return W @ W.T, labels


def objective(S: np.ndarray, W: np.ndarray) -> float:
    return 0.25 * float(((S - W @ W.T) ** 2).sum())


@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 6), st.integers(0, 30), st.booleans())
def test_groups_are_recovered_exactly(seed: int, r: int, n: int, as_sparse: bool) -> None:
    S, labels = groups(seed, r, n)
    found = factorise_symmetric(sparse.csc_matrix(S) if as_sparse else S, r, max_iterations=1000)
    np.testing.assert_allclose(found.W @ found.W.T, S, atol=1e-6)
    own = found.W.argmax(axis=1)
    assert len({(a, b) for a, b in zip(own, labels, strict=True)}) == r
    assert found.converged


@pytest.mark.filterwarnings("ignore:symmetric factorisation stopped")
@settings(max_examples=60)
@given(st.integers(0, 10_000), st.integers(1, 5), st.floats(0.05, 1.0))
def test_objective_never_rises_and_is_what_it_says(seed: int, r: int, density: float) -> None:
    rng = np.random.default_rng(seed)
    S = rng.random((14, 14)) * (rng.random((14, 14)) < density)
    S = S + S.T
    found = factorise_symmetric(S, r, max_iterations=3000, tolerance=1e-9)
    assert (np.diff(found.objective) <= 1e-12 * found.objective[0]).all()
    assert found.objective[-1] == pytest.approx(objective(S, found.W), rel=1e-9, abs=1e-12)
    assert (found.W >= 0).all()


def test_sparse_equals_dense_from_the_same_start() -> None:
    S, _ = groups(0, 3, 20)
    S = S + 0.05
    W = np.random.default_rng(0).random((len(S), 3))
    dense, thin = (factorise_symmetric(M, 3, W=W, max_iterations=500) for M in (S, sparse.coo_array(S)))
    np.testing.assert_allclose(thin.W, dense.W, rtol=1e-10)


def test_a_network_without_loops_gives_its_communities() -> None:
    S = np.kron(np.eye(3), np.ones((5, 5))) - np.eye(15)
    S[0, 5] = S[5, 0] = 1.0
    found = factorise_symmetric(sparse.csr_array(S), 3, max_iterations=2000)
    own = found.W.argmax(axis=1).reshape(3, 5)
    assert (own == own[:, :1]).all()
    assert len(set(own[:, 0])) == 3


def test_every_entry_is_at_its_optimum_in_the_end() -> None:
    rng = np.random.default_rng(3)
    S = rng.random((10, 10))
    S = S + S.T
    W = factorise_symmetric(S, 3, max_iterations=20_000, tolerance=1e-15).W
    gradient = W @ (W.T @ W) - S @ W
    assert (gradient >= -1e-5).all()
    assert np.abs(gradient[W > 1e-6]).max() < 1e-5


@settings(max_examples=300)
@given(st.floats(-50, 50), st.floats(-50, 50))
def test_the_quartic_has_its_least_value_there(p: float, q: float) -> None:
    def value(x: np.ndarray) -> np.ndarray:
        return x**4 / 4 + p * x**2 / 2 + q * x

    x = _least_quartic(p, q)
    assert x >= 0
    grid = np.linspace(0, 20, 4001)
    assert value(np.array(x)) <= value(grid).min() + 1e-9 * (1 + abs(p) + abs(q))


def test_error_counts_entries_that_are_not_stored() -> None:
    S = sparse.csr_array(np.array([[1.0, 0.0, 2.0], [0.0, 0.0, 0.0], [2.0, 0.0, 0.0]]))
    W = np.random.default_rng(0).random((3, 2))
    starts, columns = S.indptr.astype(np.int64), S.indices.astype(np.int64)
    value = squared_error_symmetric(starts, columns, S.data, W, W.T @ W)
    assert value == pytest.approx(((S.toarray() - W @ W.T) ** 2).sum(), rel=1e-12)


def test_fewer_groups_than_asked_for_still_gives_an_answer() -> None:
    S = np.ones((6, 6))
    with pytest.warns(ConvergenceWarning, match="stopped after 500"):
        found = factorise_symmetric(S, 3, max_iterations=500)
    np.testing.assert_allclose(found.W @ found.W.T, S, atol=1e-2)
    np.testing.assert_array_equal(factorise_symmetric(np.zeros((3, 3)), 2).W >= 0, True)


def test_callback_and_running_out_of_iterations() -> None:
    rng = np.random.default_rng(0)
    S = rng.random((8, 8))
    heard: list[tuple[int, float]] = []
    with pytest.warns(ConvergenceWarning, match="symmetric factorisation stopped after 2 iterations"):
        found = factorise_symmetric(
            S + S.T, 2, max_iterations=2, tolerance=0.0, callback=lambda k, value: heard.append((k, value))
        )
    assert heard == list(enumerate(found.objective.tolist()))[1:]
    assert isinstance(found, SymmetricFactorisation)


def test_a_callback_of_three_gets_the_factor_read_only() -> None:
    S = np.kron(np.eye(2), np.ones((3, 3))) + 0.1
    heard: list[np.ndarray] = []

    def hear(iteration: int, objective: float, W: np.ndarray) -> None:
        assert not W.flags.writeable
        assert objective == pytest.approx(0.25 * ((S - W @ W.T) ** 2).sum())
        heard.append(W.copy())

    found = factorise_symmetric(S, 2, callback=hear)
    assert len(heard) == len(found.objective) - 1
    np.testing.assert_array_equal(heard[-1], found.W)


@pytest.mark.parametrize(
    ("S", "r", "more", "error", "words"),
    [
        (np.ones((2, 3)), 1, {}, DataError, "shape .n, n."),
        (np.ones(3), 1, {}, DataError, "shape .n, n."),
        (np.zeros((0, 0)), 1, {}, DataError, "n above 0"),
        ([[1.0, np.nan], [np.nan, 1.0]], 1, {}, DataError, "not finite"),
        ([[1.0, -1.0], [-1.0, 1.0]], 1, {}, DataError, "negative"),
        ([[1.0, 0.5], [0.0, 1.0]], 1, {}, DataError, "not symmetric"),
        ([["a"]], 1, {}, DataError, "real numbers"),
        (np.eye(2), 3, {}, OptionError, "r=3"),
        (np.eye(2), 0, {}, OptionError, "r=0"),
        (np.eye(2), 1, {"W": np.ones((3, 1))}, DataError, "W has shape"),
        (np.eye(2), 1, {"W": -np.ones((2, 1))}, DataError, "not negative"),
    ],
)
def test_refusals(S: object, r: int, more: dict, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words):
        factorise_symmetric(S, r, **more)
