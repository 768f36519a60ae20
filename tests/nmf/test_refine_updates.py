"""Updates of a refinement: never upwards, equal to the textbook, exact near the truth, the same in every layout."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import ConvergenceWarning, DataError, OptionError
from unmix.metrics import match_endmembers
from unmix.nmf import (
    Anchored,
    FixedRows,
    MinimumVolume,
    RootSparsity,
    SmoothBands,
    Sparsity,
    SpatialSmoothness,
    SumToOne,
    TotalVariation,
    refine,
    solve_abundances,
)
from unmix.nmf.divergence_kernels import _factor
from unmix.nmf.losses import BetaDivergence, as_loss
from unmix.nmf.refine import Refinement

SQUARED = [("frobenius", u) for u in ("hals", "extrapolated_hals", "multiplicative", "fast_gradient")]
DIVERGENCES = [(loss, "multiplicative") for loss in ("kullback_leibler", "itakura_saito", 0.5, 1.5, 1.9)]
SHAPE = (7, 8)
TERMS = [
    Sparsity(0.1),
    RootSparsity(0.05),
    SumToOne(1.0),
    SpatialSmoothness(0.3, SHAPE),
    TotalVariation(0.1, SHAPE),
    Anchored(0.5),
    SmoothBands(0.3),
    MinimumVolume(0.5),
    FixedRows((0,)),
]


def problem(seed: int, r: int = 3, n_bands: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    E = rng.random((r, n_bands)) + 0.05
    A = rng.dirichlet([0.5] * r, SHAPE[0] * SHAPE[1])
    X = np.maximum(A @ E + 0.1 * rng.standard_normal((len(A), n_bands)), 1e-3)
    return X, np.maximum(E + 0.3 * rng.standard_normal(E.shape), 0.01), A


def quietly(*arguments: object, **settings: object) -> Refinement:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return refine(*arguments, **settings)


@settings(max_examples=250)
@given(
    st.sampled_from(SQUARED + DIVERGENCES),
    st.lists(st.sampled_from(TERMS), max_size=3, unique_by=type),
    st.integers(0, 10_000),
    st.sampled_from([1e-6, 0.3]),
    st.sampled_from([np.float64, np.float32]),
    st.sampled_from([None, 4]),
)
def test_objective_never_rises(
    method: tuple, terms: list, seed: int, anchor_weight: float, dtype: type, n_coordinates: int | None
) -> None:
    loss, update = method
    X, E, _ = problem(seed)
    more = {"n_coordinates": n_coordinates} if loss == "frobenius" else {}
    found = quietly(
        X.astype(dtype), E, loss=loss, update=update, terms=tuple(terms), anchor_weight=anchor_weight,
        max_iterations=15, tolerance=0.0, **more,
    )  # fmt: skip
    rounding = 1e-12 if dtype is np.float64 else 3e-6
    assert (np.diff(found.objective) <= rounding * found.objective[0]).all()
    assert np.isfinite(found.A).all()
    assert np.isfinite(found.E).all()
    assert (found.A >= 0).all()
    assert (found.E >= 0).all()
    assert found.A.dtype == dtype
    assert found.E.dtype == np.float64


@pytest.mark.parametrize(("loss", "update"), SQUARED + DIVERGENCES)
def test_the_objective_reported_is_the_loss(loss: object, update: str) -> None:
    X, E, _ = problem(3)
    for dtype, close in ((np.float64, 1e-10), (np.float32, 1e-5)):
        found = quietly(X.astype(dtype), E, loss=loss, update=update, anchor_weight=0, max_iterations=7, tolerance=0.0)
        beta, Y = as_loss(loss).beta, found.A.astype(np.float64) @ found.E
        if beta in (0, 1):
            ratio = X / Y
            value = (X * np.log(ratio) - X + Y).sum() if beta == 1 else (ratio - np.log(ratio) - 1).sum()
        else:
            value = (X**beta + (beta - 1) * Y**beta - beta * X * Y ** (beta - 1)).sum() / (beta * (beta - 1))
        assert found.objective[-1] == pytest.approx(value, rel=close)


@pytest.mark.parametrize(("loss", "update"), SQUARED + DIVERGENCES)
def test_anchored_without_limit_nothing_moves(loss: object, update: str) -> None:
    X, E, _ = problem(4)
    found = quietly(X, E, loss=loss, update=update, anchor_weight=1e9, max_iterations=30)
    np.testing.assert_allclose(found.E, E, atol=1e-6)


def test_multiplicative_steps_are_those_of_lee_and_seung() -> None:
    X, E, A = problem(5)
    A = A + 0.05
    found = quietly(X, E, A=A, update="multiplicative", anchor_weight=0, max_iterations=1, tolerance=0.0)
    E1 = E * (A.T @ X) / (A.T @ A @ E)
    A1 = A * (X @ E1.T) / (A @ E1 @ E1.T)
    np.testing.assert_allclose(found.E, E1, rtol=1e-12)
    np.testing.assert_allclose(found.A, A1, rtol=1e-12)
    found = quietly(X, E, A=A, loss="kullback_leibler", anchor_weight=0, max_iterations=1, tolerance=0.0)
    E1 = E * (A.T @ (X / (A @ E))) / A.sum(axis=0)[:, None]
    A1 = A * ((X / (A @ E1)) @ E1.T) / E1.sum(axis=1)
    np.testing.assert_allclose(found.E, E1, rtol=1e-12)
    np.testing.assert_allclose(found.A, A1, rtol=1e-12)


@pytest.mark.parametrize("beta", [0.0, 0.3, 1.0, 1.4, 2.0])
def test_neighbouring_betas_agree_and_names_stand_for_theirs(beta: float) -> None:
    X, E, A = problem(6)
    settings = {"A": A + 0.05, "update": "multiplicative", "max_iterations": 5, "tolerance": 0.0}
    near = beta - 1e-7 if beta == 2 else beta + 1e-7
    here, there = quietly(X, E, loss=beta, **settings), quietly(X, E, loss=near, **settings)
    np.testing.assert_allclose(here.E, there.E, rtol=1e-5)
    np.testing.assert_allclose(here.A, there.A, rtol=1e-5)
    names = {2.0: "frobenius", 1.0: "kullback_leibler", 0.0: "itakura_saito"}
    if beta in names:
        np.testing.assert_array_equal(quietly(X, E, loss=names[beta], **settings).E, here.E)


@pytest.mark.parametrize("loss", ["frobenius", "kullback_leibler", "itakura_saito", 0.5, 1.5])
def test_an_exact_factorisation_is_a_fixed_point(loss: object) -> None:
    _, E, A = problem(7)
    A = A + 0.05
    X = A @ E
    found = quietly(X, E, A=A, loss=loss, update="multiplicative", anchor_weight=0, max_iterations=10, tolerance=0.0)
    np.testing.assert_allclose(found.A, A, rtol=1e-10)
    np.testing.assert_allclose(found.E, E, rtol=1e-10)


@settings(max_examples=300)
@given(
    st.floats(1e-6, 1e3), st.floats(1e-6, 1e3), st.floats(-10, 10), st.floats(0, 100),
    st.sampled_from([0.0, 0.4, 1.0, 1.5, 1.9]),
)  # fmt: skip
def test_the_factor_lowers_the_bound_that_it_minimises(p: float, q: float, g: float, c: float, beta: float) -> None:
    def bound(t: float) -> float:
        grows = q * t**beta / beta if beta >= 1 else q * t
        falls = p * np.log(t) if beta == 1 else p * t ** (beta - 1) / (beta - 1)
        return grows - falls + g * t + 0.5 * c * (t - 1) ** 2

    t = min(_factor(p, q, g, c, beta), 1e6)
    assert t > 0
    assert bound(t) <= bound(1.0) + 1e-9 * (abs(bound(1.0)) + 1)


@pytest.mark.parametrize(("loss", "update"), SQUARED + DIVERGENCES[:1])
def test_truth_is_recovered_from_near_it(loss: str, update: str) -> None:
    rng = np.random.default_rng(1)
    E = rng.random((3, 12)) * (rng.random((3, 12)) > 0.5)
    A = np.vstack([np.eye(3), rng.dirichlet([0.3] * 3, 200)])
    E0 = np.maximum(E * (1 + 0.05 * rng.standard_normal(E.shape)), 0)
    found = quietly(
        A @ E, E0, loss=loss, update=update, anchor_weight=0, max_iterations=3000, tolerance=0.0
    )  # fmt: skip
    matched = match_endmembers(found.E, E)[1].max()
    slow = update == "multiplicative"
    assert matched < (0.02 if slow else 2e-3)
    assert found.objective[-1] < (1e-3 if slow else 1e-6) * found.objective[0]


def test_extrapolation_arrives_in_fewer_iterations() -> None:
    rng = np.random.default_rng(2)
    E = rng.random((5, 30)) * (rng.random((5, 30)) > 0.3)
    X = rng.dirichlet([0.3] * 5, 400) @ E + 0.01 * rng.standard_normal((400, 30))
    E0 = np.maximum(E + 0.2 * rng.standard_normal(E.shape), 0)
    plain, ahead = (
        quietly(X, E0, update=u, anchor_weight=0, max_iterations=300, tolerance=0.0).objective
        for u in ("hals", "extrapolated_hals")
    )
    assert np.argmax(ahead <= plain[100]) < 60


@pytest.mark.parametrize("update", ["hals", "extrapolated_hals", "multiplicative", "fast_gradient"])
def test_coordinates_solve_the_same_problem(update: str) -> None:
    rng = np.random.default_rng(3)
    E = rng.random((4, 40))
    A = rng.dirichlet([0.5] * 4, 500)
    E0 = np.maximum(E + 0.1 * rng.standard_normal(E.shape), 0)
    settings = {"update": update, "anchor_weight": 0.1, "max_iterations": 10, "tolerance": 0.0}
    exact = A @ E
    full, few = quietly(exact, E0, **settings), quietly(exact, E0, n_coordinates=4, **settings)
    np.testing.assert_allclose(few.E, full.E, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(few.objective, full.objective, rtol=1e-6)
    noisy = exact + 0.02 * rng.standard_normal(exact.shape)
    full, all_of_them = quietly(noisy, E0, **settings), quietly(noisy, E0, n_coordinates=40, **settings)
    np.testing.assert_allclose(all_of_them.E, full.E, rtol=1e-6, atol=1e-8)
    settings["max_iterations"] = 200
    few = quietly(noisy, E0, n_coordinates=7, **settings)
    full = quietly(noisy, E0, **settings)

    def judged(found: Refinement) -> float:
        weight = 0.1 * (solve_abundances(noisy, E0) ** 2).sum(axis=0).mean()
        return 0.5 * ((noisy - found.A @ found.E) ** 2).sum() + 0.5 * weight * ((found.E - E0) ** 2).sum()

    if update != "multiplicative":
        assert judged(few) == pytest.approx(judged(full), rel=5e-3)
    assert few.objective[-1] == pytest.approx(judged(few), rel=5e-3)


@pytest.mark.parametrize("n_coordinates", [None, 6])
@pytest.mark.parametrize("update", ["hals", "extrapolated_hals", "multiplicative", "fast_gradient"])
def test_threads_do_not_change_the_answer(update: str, n_coordinates: int | None) -> None:
    rng = np.random.default_rng(4)
    E = rng.random((4, 30))
    X = (rng.dirichlet([0.5] * 4, 60_000) @ E + 0.02 * rng.standard_normal((60_000, 30))).astype(np.float32)
    settings = {"update": update, "n_coordinates": n_coordinates, "max_iterations": 4, "tolerance": 0.0}
    one, three = (quietly(X, E, threads=threads, **settings) for threads in (1, 3))
    np.testing.assert_array_equal(three.A, one.A)
    np.testing.assert_array_equal(three.E, one.E)
    np.testing.assert_array_equal(three.objective, one.objective)


def test_a_given_start_is_where_it_starts() -> None:
    X, E, A = problem(8)
    found = quietly(X, E, A=A, anchor_weight=0, max_iterations=0)
    np.testing.assert_array_equal(found.A, A)
    assert found.objective[0] == pytest.approx(0.5 * ((X - A @ E) ** 2).sum(), rel=1e-12)
    kept = A.copy()
    quietly(X, E, A=A, max_iterations=5)
    np.testing.assert_array_equal(A, kept)


def test_callback_gets_the_factors_read_only() -> None:
    X, E, _ = problem(9)
    heard = []

    def hear(iteration: int, objective: float, A: np.ndarray, E: np.ndarray) -> None:
        with pytest.raises(ValueError, match="read-only"):
            A[0, 0] = 1.0
        with pytest.raises(ValueError, match="read-only"):
            E[0, 0] = 1.0
        heard.append((iteration, objective, A.copy(), E.copy()))

    for update in ("hals", "extrapolated_hals", "multiplicative"):
        heard.clear()
        found = quietly(X, E, update=update, anchor_weight=0, max_iterations=6, tolerance=0.0, callback=hear)
        assert [h[0] for h in heard] == list(range(1, len(found.objective)))
        for _, value, A, endmembers in heard:
            assert value == pytest.approx(0.5 * ((X - A @ endmembers) ** 2).sum(), rel=1e-9)
        np.testing.assert_array_equal(heard[-1][2], found.A)
        np.testing.assert_array_equal(heard[-1][3], found.E)


def test_counts_of_every_type_give_the_same_answer() -> None:
    rng = np.random.default_rng(0)
    E = rng.random((2, 5)) * 50 + 5
    X = rng.poisson(rng.dirichlet([1, 1], 40) @ E).astype(np.uint16)
    expected = quietly(X.astype(np.float64), E, loss="kullback_leibler")
    for other in (X, X.astype(np.int64), np.asfortranarray(X), X.astype(np.float16), X.astype(">f8")):
        found = quietly(other, E, loss="kullback_leibler", tolerance=1e-5)
        np.testing.assert_allclose(found.E, expected.E, rtol=1e-2)
    zero = X.copy()
    zero[3] = 0
    assert np.isfinite(quietly(zero, E, loss="kullback_leibler").objective).all()


@pytest.mark.parametrize("update", ["hals", "extrapolated_hals", "multiplicative", "fast_gradient"])
def test_empty_data_and_one_pixel_are_answered(update: str) -> None:
    nothing = refine(np.zeros((4, 3)), np.ones((1, 3)), update=update)
    np.testing.assert_array_equal(nothing.A, 0)
    assert nothing.converged
    one = quietly([[2.0, 4.0]], [[1.0, 1.9]], update=update, anchor_weight=0, max_iterations=500, tolerance=1e-15)
    np.testing.assert_allclose(one.A @ one.E, [[2.0, 4.0]], rtol=1e-3)


@pytest.mark.parametrize(
    ("more", "error", "words"),
    [
        ({"loss": "l1"}, OptionError, "loss='l1' is not known. Use one of frobenius, kullback_leibler"),
        ({"loss": 2.5}, OptionError, "beta from 0 to 2"),
        ({"loss": True}, OptionError, "loss=True"),
        ({"update": "newton"}, OptionError, "Use one of hals, extrapolated_hals, multiplicative, fast_gradient"),
        ({"update": "hals", "loss": 1.0}, OptionError, "loss='kullback_leibler' needs 'multiplicative'"),
        ({"n_coordinates": 4, "loss": 0.5}, OptionError, "needs loss='frobenius', not 'beta=0.5'"),
        ({"n_coordinates": 2}, OptionError, "n_coordinates=2 must be a whole number from 3 to 6"),
        ({"n_coordinates": 4.0}, OptionError, "n_coordinates=4.0"),
        ({"A": np.ones((3, 3))}, DataError, r"A has shape \(n_pixels, r\) = \(56, 3\)"),
        ({"A": -np.ones((56, 3))}, DataError, "A has a value that is negative"),
        ({"threads": 0}, OptionError, "threads=0 must be a whole number of at least 1"),
        ({"max_iterations": "3"}, OptionError, "max_iterations='3'"),
    ],
)
def test_refusals(more: dict, error: type[Exception], words: str) -> None:
    X, E, _ = problem(0)
    with pytest.raises(error, match=words) as caught:
        refine(X, E, **more)
    assert "\n" not in str(caught.value)


def test_losses_refuse_data_they_do_not_measure() -> None:
    E = np.ones((1, 2))
    with pytest.raises(DataError, match="goes down to -1; loss='kullback_leibler' needs values >= 0"):
        refine([[1.0, -1.0]], E, loss="kullback_leibler")
    with pytest.raises(DataError, match="X has zeros"):
        refine([[1.0, 0.0]], E, loss="itakura_saito")


def test_factors_that_do_not_belong_together_are_refused() -> None:
    with pytest.raises(DataError, match="do not belong together"):
        Refinement(np.ones((4, 2)), np.ones((3, 5)), np.zeros(1), "", True)


@pytest.mark.parametrize("beta", [0.0, 0.5, 1.0, 1.5, 2.0])
def test_divergences_are_zero_at_the_data_and_scale_as_they_should(beta: float) -> None:
    rng = np.random.default_rng(0)
    X, Y = rng.random((5, 4)) + 0.1, rng.random((5, 4)) + 0.1
    loss = BetaDivergence(beta)
    assert loss.value(X, X) == pytest.approx(0, abs=1e-12)
    assert loss.value(X, Y) > 0
    assert loss.value(3 * X, 3 * Y) == pytest.approx(3**beta * loss.value(X, Y), rel=1e-9)
    assert loss.of_product(X, Y, np.eye(4)) == pytest.approx(loss.value(X, Y), rel=1e-12)
