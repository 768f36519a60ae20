"""Terms of a refinement: their gradients, their bounds, their scale, and what each does to the answer."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import ConvergenceWarning, DataError, OptionError
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
)
from unmix.nmf.terms import Start, Term, summed, uncoupled

H, W, BANDS, R = 5, 6, 7, 3
VALID = np.ones((H, W), bool)
VALID[0, 0] = VALID[2, 3] = VALID[2, 4] = False
N = int(VALID.sum())
TERMS: list[Term] = [
    Sparsity(0.1),
    RootSparsity(0.1),
    SumToOne(0.5),
    SpatialSmoothness(0.4, (H, W), VALID),
    TotalVariation(0.4, (H, W), VALID, edge=0.05),
    Anchored(0.3),
    SmoothBands(0.5, breaks=(3,)),
    MinimumVolume(0.6),
]
NAMES = [type(term).__name__ for term in TERMS]


def at(seed: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.random((R, N)), rng.random((R, BANDS)) + 0.1


def bound_term(term: Term, seed: int = 0) -> Term:
    M, E = at(seed)
    return term.bound(Start((N, R, BANDS), E, float(M.mean()), 2.0, 3.0))


def block(term: Term, seed: int) -> np.ndarray:
    return at(seed)[0 if term.block == "A" else 1]


@pytest.mark.parametrize("term", TERMS, ids=NAMES)
def test_gradient_is_that_of_the_value(term: Term) -> None:
    term, M = bound_term(term), block(term, 1)
    gradient = term.gradient(M)
    for k, i in np.ndindex(M.shape):
        step = np.zeros_like(M)
        step[k, i] = 1e-6
        slope = (term.value(M + step) - term.value(M - step)) / 2e-6
        assert gradient[k, i] == pytest.approx(slope, rel=2e-5, abs=1e-6)


@settings(max_examples=200)
@given(st.sampled_from(TERMS), st.integers(0, 10_000), st.sampled_from([0.0, 0.01, 0.3, 1.0, 3.0]), st.booleans())
def test_majoriser_is_a_bound_and_touches(term: Term, seed: int, size: float, loose: bool) -> None:
    term, M0 = bound_term(term), block(term, seed)
    rng = np.random.default_rng(seed + 1)
    M = np.maximum(M0 + size * rng.standard_normal(M0.shape), 0) * (rng.random(M0.shape) > 0.2)
    majoriser, move = summed((term,), M0), M - M0
    if loose:
        majoriser = uncoupled(majoriser, M0)
    upper = (
        term.value(M0)
        + np.sum((majoriser.slope + majoriser.coupling @ M0) * move)
        + 0.5 * np.sum(majoriser.curvature * move**2)
        + 0.5 * np.sum((majoriser.coupling @ move) * move)
    )
    assert term.value(M) <= upper + 1e-9 * max(1.0, abs(upper))
    assert term.value(M0) >= 0


def test_neighbours_are_those_of_the_grid() -> None:
    term = SpatialSmoothness(1.0, (H, W), VALID)
    a = np.random.default_rng(0).random(N)
    image = np.full((H, W), np.nan)
    image[VALID] = a
    expected = 0.5 * (np.nansum(np.diff(image, axis=0) ** 2) + np.nansum(np.diff(image, axis=1) ** 2))
    assert term.value(a[None]) == pytest.approx(expected, rel=1e-12)
    varied = replace(TotalVariation(1.0, (H, W), VALID), edge=1e-9)
    steps = np.nansum(np.abs(np.diff(image, axis=0))) + np.nansum(np.abs(np.diff(image, axis=1)))
    assert varied.value(a[None]) == pytest.approx(steps, rel=1e-6)


def scene(seed: int = 0, height: int = 12, width: int = 14) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Three materials in bands of rows, mixed at their borders; noisy."""
    rng = np.random.default_rng(seed)
    E = rng.random((3, 9)) + 0.1
    rows = np.linspace(0, 2, height)[:, None].repeat(width, 1)
    A = np.stack([np.maximum(0, 1 - abs(rows - k)) for k in range(3)], -1).reshape(-1, 3)
    X = A @ E + 0.05 * rng.standard_normal((len(A), 9))
    return X, E, A


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
@pytest.mark.parametrize("update", ["hals", "extrapolated_hals", "multiplicative", "fast_gradient"])
@pytest.mark.parametrize(
    ("term", "measure"),
    [
        (Sparsity(0.3), lambda A, E: A.sum()),
        (RootSparsity(0.1), lambda A, E: np.sqrt(A).sum()),
        (SumToOne(10.0), lambda A, E: ((A.sum(axis=1) - 1) ** 2).sum()),
        (SpatialSmoothness(1.0, (12, 14)), lambda A, E: (np.diff(A.reshape(12, 14, 3), axis=1) ** 2).sum()),
        (TotalVariation(0.1, (12, 14)), lambda A, E: np.abs(np.diff(A.reshape(12, 14, 3), axis=1)).sum()),
        (SmoothBands(1.0), lambda A, E: (np.diff(E, axis=1) ** 2).sum()),
        (MinimumVolume(1.0), lambda A, E: np.linalg.det(E @ E.T)),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Term) else "",
)
def test_each_term_lowers_what_it_penalises(term: Term, measure: object, update: str) -> None:
    X, E, _ = scene()
    settings = {"anchor_weight": 0.1, "update": update, "max_iterations": 150, "tolerance": 1e-9}
    without, with_it = refine(X, E, **settings), refine(X, E, terms=(term,), **settings)
    assert measure(with_it.A, with_it.E) < 0.9 * measure(without.A, without.E)


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("loss", ["frobenius", "kullback_leibler"])
def test_weights_do_not_depend_on_units_or_on_the_number_of_pixels(loss: str, dtype: str) -> None:
    X, E, _ = scene()
    X = np.maximum(X, 0.01).astype(dtype)
    terms = (Sparsity(0.05), SmoothBands(0.2), MinimumVolume(0.1), RootSparsity(0.01))
    settings = {"loss": loss, "max_iterations": 20, "tolerance": 0.0}
    plain = refine(X, E, terms=terms, **settings)
    brighter = refine(1000 * X, 1000 * E, terms=terms, **settings)
    fewer_counts = refine(X, 0.01 * E, terms=terms, **settings)
    twice = refine(np.vstack([X, X]), E, terms=terms, **settings)
    close = {"rtol": 1e-6, "atol": 1e-8} if dtype == "f8" else {"rtol": 1e-3, "atol": 1e-4}
    np.testing.assert_allclose(brighter.E / 1000, plain.E, **close)
    np.testing.assert_allclose(brighter.A, plain.A, **close)
    np.testing.assert_allclose(fewer_counts.E * 100, plain.E, **close)
    np.testing.assert_allclose(fewer_counts.A / 100, plain.A, **close)
    np.testing.assert_allclose(twice.E, plain.E, **close)


@pytest.mark.parametrize("loss", ["frobenius", "kullback_leibler", 0.5])
def test_fixed_rows_do_not_move_and_free_ones_do(loss: object) -> None:
    X, E, _ = scene()
    X = np.maximum(X, 0.01)
    E[1, 2] = 0.0
    updates = ["multiplicative"] if loss != "frobenius" else ["hals", "extrapolated_hals", "fast_gradient"]
    for update in updates:
        with pytest.warns(ConvergenceWarning):
            found = refine(
                X, E, loss=loss, update=update, terms=(FixedRows((1,)),), anchor_weight=0, max_iterations=5, tolerance=0
            )
        np.testing.assert_array_equal(found.E[1], E[1])
        assert (found.E[[0, 2]] != E[[0, 2]]).any(axis=1).all()


def test_all_rows_fixed_is_the_regression_on_them() -> None:
    from unmix.nmf import solve_abundances

    X, E, A = scene()
    found = refine(X, E, A=np.ones_like(A), terms=(FixedRows((0, 1, 2)),), max_iterations=3000, tolerance=1e-14)
    np.testing.assert_allclose(found.A, solve_abundances(X, E), atol=1e-6)


def test_anchored_to_something_else_goes_there() -> None:
    X, E, _ = scene()
    target = np.roll(E, 1, axis=1)
    found = refine(X, E, terms=(Anchored(1e9, to=target),), anchor_weight=0)
    np.testing.assert_allclose(found.E, target, atol=1e-6)


def test_strong_sum_to_one_meets_it() -> None:
    X, E, _ = scene()
    found = refine(X, E, terms=(SumToOne(1e3),), max_iterations=5000, tolerance=1e-9)
    np.testing.assert_allclose(found.A.sum(axis=1), 1, atol=5e-3)


@pytest.mark.parametrize(
    ("terms", "more", "words"),
    [
        ((Sparsity(0.1),), {"anchor_weight": 0}, "Sparsity shrinks the abundances and the endmembers would grow"),
        ((MinimumVolume(0.1),), {"anchor_weight": 0}, "MinimumVolume shrinks the endmembers and the abundances"),
        ((SmoothBands(0.1), Anchored(0.0)), {"anchor_weight": 0}, "SmoothBands shrinks .* Add anchor_weight above 0"),
        ((SmoothBands(0.1, breaks=(9,)),), {}, "breaks=.9,.* between 1 and 8"),
        ((FixedRows((3,)),), {}, "row numbers from 0 to 2"),
        (("sparse",), {}, "'sparse', which is no term"),
        ((TotalVariation(0.1, (0, 3)),), {}, "both above 0"),
    ],
)
def test_refusals(terms: tuple, more: dict, words: str) -> None:
    X, E, _ = scene()
    with pytest.raises(OptionError, match=words) as caught:
        refine(X, E, terms=terms, **more)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("make", [Sparsity, SumToOne, Anchored, MinimumVolume])
@pytest.mark.parametrize("value", [-1.0, np.nan, np.inf, "1", True])
def test_weights_are_finite_and_not_negative(make: type[Term], value: object) -> None:
    with pytest.raises(OptionError, match=rf"{make.__name__}\(weight="):
        make(value)


@pytest.mark.parametrize("make", [lambda e: RootSparsity(1.0, edge=e), lambda e: MinimumVolume(1.0, delta=e)])
def test_edges_are_above_zero(make: object) -> None:
    with pytest.raises(OptionError, match="above 0"):
        make(0.0)


def test_shapes_that_do_not_fit_are_refused() -> None:
    X, E, _ = scene()
    with pytest.raises(DataError, match=r"SpatialSmoothness\(shape=\(5, 5\)\) has 25 valid pixels, X 168 rows"):
        refine(X, E, terms=(SpatialSmoothness(0.1, (5, 5)),))
    with pytest.raises(DataError, match="is boolean of shape"):
        refine(X, E, terms=(TotalVariation(0.1, (12, 14), np.ones((12, 13), bool)),))
    with pytest.raises(DataError, match=r"Anchored\(to=...\) has shape"):
        refine(X, E, terms=(Anchored(1.0, to=E[:2]),))
    with pytest.raises(DataError, match="not finite"):
        refine(X, E, terms=(Anchored(1.0, to=np.full_like(E, np.nan)),))


def test_terms_that_hold_the_scale_let_others_in() -> None:
    X, E, _ = scene()
    for terms in ((Sparsity(0.01), SumToOne(1.0)), (MinimumVolume(0.01), Sparsity(0.01))):
        assert refine(X, E, terms=terms, anchor_weight=0, max_iterations=500).converged
