"""Abundances against references that share no code with them: enumeration of supports, scipy's NNLS, and KKT."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import nnls

from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.nmf import kkt_residual, solve_abundances
from unmix.nmf.abundances import abundance_problem
from unmix.nmf.quadratic import TABLE_LIMIT

CONSTRAINTS = ("unconstrained", "non_negative", "sum_to_one", "shade")


def endmembers_of_condition(r: int, n_bands: int, condition: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    U, _ = np.linalg.qr(rng.standard_normal((n_bands, r)))
    V, _ = np.linalg.qr(rng.standard_normal((r, r)))
    return (V * np.geomspace(1, 1 / condition, r)) @ U.T


def mixtures(E: np.ndarray, n: int, noise: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    A = rng.dirichlet([0.5] * len(E), n) * rng.uniform(0.2, 1.4, (n, 1))
    return A @ E + noise * rng.standard_normal((n, E.shape[1]))


def violation(x: np.ndarray, a: np.ndarray, E: np.ndarray, constraint: str) -> float:
    """Largest violation of the optimality conditions of one pixel, from their definition."""
    size = max(np.abs(E @ x).max(), np.abs(E @ (a @ E)).max(), 1e-300)
    gradient = E @ (a @ E - x)
    if constraint == "unconstrained":
        return np.abs(gradient).max() / size
    worst = max(0.0, -a.min())
    on_the_sum = constraint == "sum_to_one" or (constraint == "shade" and a.sum() > 1 - 1e-6)
    if constraint == "sum_to_one":
        worst = max(worst, abs(a.sum() - 1))
    if constraint == "shade":
        worst = max(worst, a.sum() - 1)
    if on_the_sum:
        multiplier = -gradient[np.argmax(a)]
        if constraint == "shade":
            worst = max(worst, -multiplier / size)
        gradient = gradient + multiplier
    inactive = gradient[a <= 0]
    active = gradient[a > 1e-6]
    worst = max(worst, -inactive.min(initial=0.0) / size)
    return max(worst, np.abs(active).max(initial=0.0) / size)


def by_enumeration(x: np.ndarray, E: np.ndarray, constraint: str) -> np.ndarray:
    """The optimum over every support, each solved by least squares; the constraint decides which are allowed."""
    r = len(E)
    best, least = np.zeros(r), np.inf
    for code in range(1 << r):
        S = [k for k in range(r) if code >> k & 1]
        candidates = []
        if constraint != "sum_to_one":
            a = np.zeros(r)
            if S:
                a[S] = np.linalg.lstsq(E[S].T, x, rcond=None)[0]
            candidates.append(a)
        if constraint != "non_negative" and S:
            a, last = np.zeros(r), S[-1]
            if len(S) > 1:
                a[S[:-1]] = np.linalg.lstsq((E[S[:-1]] - E[last]).T, x - E[last], rcond=None)[0]
            a[last] = 1 - a.sum()
            candidates.append(a)
        for a in candidates:
            if a.min() >= -1e-13 and (constraint != "shade" or a.sum() <= 1 + 1e-13):
                error = float(((x - a @ E) ** 2).sum())
                if error < least:
                    best, least = a, error
    return best


@pytest.mark.parametrize("constraint", CONSTRAINTS[1:])
@pytest.mark.parametrize(("r", "condition"), [(1, 1), (2, 3), (3, 50), (5, 20), (6, 200)])
def test_optimum_is_that_of_every_support_tried(r: int, condition: float, constraint: str) -> None:
    E = endmembers_of_condition(r, 12, condition, r)
    X = mixtures(E, 15, 0.05, r)
    expected = [by_enumeration(x, E, constraint) for x in X]
    np.testing.assert_allclose(solve_abundances(X, E, constraint), expected, atol=1e-9)


@pytest.mark.parametrize("r", [*range(1, 13), 30, 63, 64, 65, 100])
def test_non_negative_is_scipys_nnls(r: int) -> None:
    E = endmembers_of_condition(r, max(20, r + 10), 30, r)
    X = mixtures(E, 40, 0.05, r)
    expected = [nnls(E.T, x)[0] for x in X]
    np.testing.assert_allclose(solve_abundances(X, E, "non_negative"), expected, atol=1e-9)


@pytest.mark.parametrize("r", range(1, 13))
def test_unconstrained_is_least_squares(r: int) -> None:
    E = endmembers_of_condition(r, 20, 30, r)
    X = mixtures(E, 40, 0.05, r)
    expected = np.linalg.lstsq(E.T, X.T, rcond=None)[0].T
    np.testing.assert_allclose(solve_abundances(X, E, "unconstrained"), expected, atol=1e-10)


@pytest.mark.parametrize("constraint", CONSTRAINTS[1:])
@pytest.mark.parametrize("r", [2, 5, TABLE_LIMIT])
def test_table_pivoting_and_active_set_agree(r: int, constraint: str) -> None:
    import dataclasses

    E = endmembers_of_condition(r, 25, 100, r)
    X = mixtures(E, 300, 0.02, r)
    problem = abundance_problem(E, constraint)
    assert problem.programme.use_table
    without = problem.programme._replace(use_table=False)
    by_pivoting = dataclasses.replace(problem, programme=without).solve(X)
    by_active_set = dataclasses.replace(problem, programme=without._replace(direct=False)).solve(X)
    np.testing.assert_allclose(problem.solve(X), by_pivoting, atol=1e-9)
    np.testing.assert_allclose(problem.solve(X), by_active_set, atol=1e-9)


@pytest.mark.parametrize("constraint", CONSTRAINTS[1:])
@pytest.mark.parametrize("r", [20, 63, 64, 100])
def test_many_endmembers_meet_the_optimality_conditions(r: int, constraint: str) -> None:
    E = endmembers_of_condition(r, r + 20, 30, r)
    X = mixtures(E, 20, 0.02, r)
    for x, a in zip(X, solve_abundances(X, E, constraint), strict=True):
        assert violation(x, a, E, constraint) <= 1e-8


@pytest.mark.parametrize("constraint", CONSTRAINTS[1:])
def test_a_library_of_more_spectra_than_bands(constraint: str) -> None:
    """Which spectra explain a pixel may not be unique; the pixel of least misfit is."""
    rng = np.random.default_rng(0)
    E = np.abs(np.cumsum(rng.normal(size=(150, 40)), axis=1)) + 0.5
    A = np.zeros((30, 150))
    np.put_along_axis(A, rng.random((30, 150)).argsort(axis=1)[:, :4], rng.dirichlet(np.ones(4), 30), axis=1)
    X = A @ E + 0.05 * rng.standard_normal((30, 40))
    with pytest.warns(UnmixWarning, match="150 endmembers in 40 bands"):
        found = solve_abundances(X, E, constraint)
    for x, a in zip(X, found, strict=True):
        assert violation(x, a, E, constraint) <= 1e-8
    if constraint == "non_negative":
        least = [nnls(E.T, x)[1] for x in X]
        np.testing.assert_allclose(np.linalg.norm(X - found @ E, axis=1), least, rtol=1e-6)


@settings(max_examples=120)
@given(
    st.integers(1, 12),
    st.integers(1, 14),
    st.sampled_from(CONSTRAINTS),
    st.sampled_from(["f4", "f8"]),
    st.integers(0, 10_000),
    st.floats(0.0, 5.0),
    st.sampled_from([0.0, 1e-3, 0.3]),
)
def test_optimality_conditions(
    r: int, n_bands: int, constraint: str, dtype: str, seed: int, decades: float, noise: float
) -> None:
    """Whatever the endmembers, more than bands or nearly dependent included, every row meets its conditions."""
    E = endmembers_of_condition(min(r, n_bands), n_bands, 10**decades, seed)
    if r > n_bands:
        E = np.vstack([E, np.random.default_rng(seed).standard_normal((r - n_bands, n_bands))])
    X = mixtures(E, 12, noise, seed).astype(dtype)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        A = solve_abundances(X, E, constraint)
    assert A.dtype == np.dtype(dtype)
    assert A.shape == (12, r)
    tolerance = 1e-5 if dtype == "f4" or 10**decades > 1e3 else 1e-8
    for x, a in zip(X.astype(float), A.astype(float), strict=True):
        size = np.abs(E @ x).max()
        rounded = np.finfo(dtype).eps * (np.abs(E @ E.T) @ np.abs(a)).max() / max(size, 1e-300)
        if size > 1e-3 * np.linalg.norm(x):  # else there is nothing to be relative to
            assert violation(x, a, E, constraint) <= tolerance + 2 * rounded


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("r", [3, 6, 10, 12])
def test_float32_is_within_2e5_of_float64_up_to_condition_200(r: int, constraint: str) -> None:
    E = np.abs(np.random.default_rng(r).random((r, 200)))
    E = spread_to_condition(E, 200)
    X = mixtures(E, 2000, 0.0, r).astype("f4")
    single = solve_abundances(X, E, constraint)
    double = solve_abundances(X.astype("f8"), E, constraint)
    assert single.dtype == np.float32
    assert np.abs(single - double).max() <= 2e-5


def spread_to_condition(E: np.ndarray, condition: float) -> np.ndarray:
    U, s, V = np.linalg.svd(E, full_matrices=False)
    return (U * np.geomspace(s[0], s[0] / condition, len(s))) @ V


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("r", [3, 10, 12])
def test_noise_free_mixtures_are_recovered(r: int, constraint: str) -> None:
    E = endmembers_of_condition(r, 40, 50, r)
    A = np.random.default_rng(r).dirichlet([0.3] * r, 200)
    A[:r] = np.eye(r)
    np.testing.assert_allclose(solve_abundances(A @ E, E, constraint), A, atol=1e-11)


@pytest.mark.parametrize("constraint", ["non_negative", "unconstrained"])
@pytest.mark.parametrize("r", [2, 4, 12])
@pytest.mark.parametrize("factor", [1e-8, 1e-4, 1e5])
def test_endmembers_of_very_different_size(r: int, constraint: str, factor: float) -> None:
    """A spectrum in another unit is no reason to lose it."""
    rng = np.random.default_rng(0)
    E = rng.random((r, 30))
    A = rng.random((50, r))
    E[1] *= factor
    A[:, 1] /= factor
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = solve_abundances(A @ E, E, constraint)
    np.testing.assert_allclose(found, A, rtol=1e-3 if factor < 1e-5 else 1e-6)


@pytest.mark.parametrize("constraint", ["non_negative", "shade"])
def test_zero_and_dark_pixels_have_no_abundance(constraint: str) -> None:
    E = np.array([[1.0, 0.5, 0.2], [0.1, 0.9, 0.4]])
    A = solve_abundances([[0.0, 0.0, 0.0], [-1.0, -1.0, -2.0]], E, constraint)
    np.testing.assert_array_equal(A, 0)


def test_shade_is_nnls_inside_and_sum_to_one_outside() -> None:
    E = endmembers_of_condition(4, 20, 10, 3)
    X = mixtures(E, 300, 0.01, 3)
    free, summed = solve_abundances(X, E, "non_negative"), solve_abundances(X, E, "sum_to_one")
    shade = solve_abundances(X, E, "shade")
    inside = free.sum(axis=1) <= 1
    assert 20 < inside.sum() < 280
    np.testing.assert_allclose(shade[inside], free[inside], atol=1e-12)
    np.testing.assert_allclose(shade[~inside], summed[~inside], atol=1e-9)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_more_endmembers_than_bands_fit_as_well_as_can_be(constraint: str) -> None:
    rng = np.random.default_rng(0)
    E = np.vstack([np.eye(3), rng.random((3, 3))])
    X = rng.dirichlet(np.ones(6), 50) @ E
    with pytest.warns(UnmixWarning, match="6 endmembers in 3 bands"):
        A = solve_abundances(X, E, constraint)
    np.testing.assert_allclose(A @ E, X, atol=1e-9)


# ------------------------------------------------------------------------------------------------------ warnings


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("r", [3, 11])
def test_duplicates_are_named_and_their_sum_is_right(r: int, constraint: str) -> None:
    E = np.random.default_rng(1).random((r, 30))
    doubled = np.vstack([E, E[:1]])
    A = np.random.default_rng(2).dirichlet([1.0] * r, 40)
    names = [*"abcdefghijk"[:r], "again"]
    with pytest.warns(UnmixWarning, match=r"a and again are .* degrees apart"):
        problem = abundance_problem(doubled, constraint, names)
    found = problem.solve(A @ E)
    np.testing.assert_allclose(found[:, 0] + found[:, -1], A[:, 0], atol=1e-8)
    np.testing.assert_allclose(found[:, 1:-1], A[:, 1:], atol=1e-8)


def test_duplicates_are_named_rightly_beside_a_dark_endmember() -> None:
    E = np.array([[0.0, 0.0, 0.0], [1.0, 2.0, 3.0], [3.0, 1.0, 1.0], [1.0, 2.0, 3.0]])
    with pytest.warns(UnmixWarning, match="tree and wood are"):
        abundance_problem(E, "sum_to_one", ["shadow", "tree", "road", "wood"])


def test_dependent_endmembers_warn_with_the_condition() -> None:
    E = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.5, 0.5, 1e-7]])
    with pytest.warns(UnmixWarning, match=r"condition \d"):
        abundance_problem(E, "non_negative")


def test_well_separated_endmembers_warn_of_nothing() -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        problem = abundance_problem(endmembers_of_condition(6, 30, 1e4, 0), "shade")
    assert problem.E.shape == (6, 30)


# --------------------------------------------------------------------------------------------------- bad input


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("r", [2, 11])
def test_rows_that_are_not_finite_are_nan_and_touch_no_other(r: int, constraint: str) -> None:
    E = endmembers_of_condition(r, 15, 5, 1)
    X = mixtures(E, 9, 0.01, 1)
    expected = solve_abundances(X, E, constraint)
    X[2, 3], X[4, 0], X[7] = np.nan, np.inf, -np.inf
    for dtype in ("f4", "f8"):
        found = solve_abundances(X.astype(dtype), E, constraint)
        assert np.isnan(found[[2, 4, 7]]).all()
        keep = [0, 1, 3, 5, 6, 8]
        np.testing.assert_allclose(found[keep], expected[keep], atol=1e-5)


def test_rows_beside_a_band_no_endmember_uses() -> None:
    """A NaN counts even where every endmember is zero."""
    E = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]])
    assert np.isnan(solve_abundances([[1.0, 1.0, np.nan]], E)).all()


LAYOUTS = {
    "fortran": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "every other band": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "reversed": lambda X: X[::-1].copy()[::-1],
    "transposed": lambda X: X.T.copy().T,
    "big-endian": lambda X: X.astype(">f8"),
    "list": lambda X: X.tolist(),
    "longdouble": lambda X: X.astype(np.longdouble),
}


@pytest.mark.parametrize("name", LAYOUTS)
@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_memory_layout_does_not_matter(name: str, constraint: str) -> None:
    E = endmembers_of_condition(3, 10, 5, 0)
    X = mixtures(E, 20, 0.01, 0)
    expected = solve_abundances(X, E, constraint)
    other = LAYOUTS[name]
    np.testing.assert_allclose(solve_abundances(other(X), E, constraint), expected, atol=1e-12)
    np.testing.assert_allclose(solve_abundances(X, other(E), constraint), expected, atol=1e-12)


def test_read_only_input_is_read_only_read() -> None:
    E = endmembers_of_condition(3, 10, 5, 0)
    X = mixtures(E, 20, 0.01, 0)
    expected = solve_abundances(X, E)
    X.flags.writeable = E.flags.writeable = False
    np.testing.assert_array_equal(solve_abundances(X, E), expected)


@pytest.mark.parametrize(
    ("dtype", "becomes"),
    [("u1", "f4"), ("i2", "f4"), ("u2", "f4"), ("f2", "f4"), ("f4", "f4"), (">f4", "f4"), ("?", "f4"),
     ("i4", "f8"), ("u8", "f8"), ("f8", "f8")],
)  # fmt: skip
def test_types(dtype: str, becomes: str) -> None:
    E = np.array([[3.0, 1.0, 0.0], [0.0, 1.0, 2.0]])
    X = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 1]]).astype(dtype)
    found = solve_abundances(X, E)
    assert found.dtype == np.dtype(becomes)
    np.testing.assert_allclose(found, [nnls(E.T, x)[0] for x in X.astype(float)], atol=1e-6)


@pytest.mark.parametrize(
    ("X", "E", "constraint", "error", "words"),
    [
        (np.ones((2, 3)), np.ones((1, 4)), "shade", DataError, "3 bands and the endmembers have 4"),
        (np.ones(3), np.ones((1, 3)), "shade", DataError, r"got \(3,\)"),
        (np.ones((0, 3)), np.ones((1, 3)), "shade", DataError, "neither zero"),
        (np.ones((2, 0)), np.ones((1, 0)), "shade", DataError, "neither zero"),
        (np.ones((2, 3, 4)), np.ones((1, 3)), "shade", DataError, "n_pixels, n_bands"),
        (np.ones((2, 3), complex), np.ones((1, 3)), "shade", DataError, "real numbers"),
        (np.array([["a", "b"]]), np.ones((1, 2)), "shade", DataError, "real numbers"),
        (np.ones((2, 3)), np.ones(3), "shade", DataError, "endmembers have shape"),
        (np.ones((2, 3)), np.ones((0, 3)), "shade", DataError, "endmembers have shape"),
        (np.ones((2, 3)), [[1, np.nan, 1]], "shade", DataError, "not finite"),
        (np.ones((2, 3)), [[1, np.inf, 1]], "shade", DataError, "not finite"),
        (np.ones((2, 3)), [[1, 1, 1], [0, 0, 0]], "shade", DataError, "endmember 2 is zero.*sum_to_one"),
        (np.ones((2, 3)), np.ones((1, 3)), "fcls", OptionError, "sum_to_one"),
    ],
)
def test_refusals(X: np.ndarray, E: np.ndarray, constraint: str, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        solve_abundances(X, E, constraint)
    assert "\n" not in str(caught.value)


def test_a_dark_endmember_is_solved_where_sums_are_one() -> None:
    E = np.array([[1.0, 0.5, 0.3], [0.0, 0.0, 0.0], [0.2, 0.9, 0.4]])
    A = np.random.default_rng(0).dirichlet([1, 1, 1], 30)
    np.testing.assert_allclose(solve_abundances(A @ E, E, "sum_to_one"), A, atol=1e-6)


# ----------------------------------------------------------------------------------------- the project's own figure


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_kkt_residual_is_small_at_the_optimum_and_large_beside_it(constraint: str) -> None:
    E = endmembers_of_condition(4, 20, 10, 0)
    X = mixtures(E, 60, 0.02, 0)
    A = solve_abundances(X, E, constraint)
    assert kkt_residual(X, A, E, constraint).max() <= 1e-9
    worse = A + np.array([0.01, -0.01, 0, 0])
    assert (kkt_residual(X, worse, E, constraint) > 1e-4).all()


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize(("n", "n_bands", "dtype"), [(10, 12, "f8"), (333, 7, "f4"), (1, 40, "f4"), (70_000, 4, "f4")])
def test_solved_with_its_residual(n: int, n_bands: int, dtype: str, constraint: str) -> None:
    """The walk tile by tile gives what one solve gives, the residual of the definition, and NaN where not valid."""
    E = endmembers_of_condition(3, n_bands, 5, 0)
    X = mixtures(E, n, 0.1, 0).astype(dtype)
    valid = np.ones(n, bool)
    if n > 4:
        X[3, 2], valid[1] = np.nan, False
    problem = abundance_problem(E, constraint)
    A, residual, squares = problem.solve_with_residual(X, valid)
    lost = ~(valid & np.isfinite(X).all(axis=1))
    assert np.isnan(A[lost]).all()
    assert np.isnan(residual[lost]).all()
    assert (squares[lost] == 0).all()
    np.testing.assert_array_equal(A[~lost], problem.solve(X)[~lost])
    expected = X[~lost].astype(float) - A[~lost].astype(float) @ E
    np.testing.assert_allclose(residual[~lost], np.sqrt((expected**2).mean(axis=1)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(squares[~lost], (X[~lost].astype(float) ** 2).sum(axis=1), rtol=1e-5)


@pytest.mark.parametrize("constraint", ["non_negative", "sum_to_one", "shade"])
@pytest.mark.parametrize("most", [1, 2, 3, 5])
def test_a_bound_on_the_number_of_endmembers_is_the_best_of_all_such_sets(constraint: str, most: int) -> None:
    from itertools import combinations

    rng = np.random.default_rng(most)
    E = rng.random((5, 9)) + 0.1
    X = rng.dirichlet(np.ones(5), 12) @ E * rng.uniform(0.5, 1.3, (12, 1)) + rng.normal(0, 0.1, (12, 9))
    A = solve_abundances(X, E, constraint, max_active=most)
    assert ((A > 0).sum(axis=1) <= most).all()
    found = ((X - A @ E) ** 2).sum(axis=1)
    best = np.full(12, np.inf)
    for chosen in combinations(range(5), most):
        part = solve_abundances(X, E[list(chosen)], constraint)
        best = np.minimum(best, ((X - part @ E[list(chosen)]) ** 2).sum(axis=1))
    np.testing.assert_allclose(found, best, rtol=1e-9)


def test_a_bound_that_cannot_be_had_is_refused() -> None:
    E = np.eye(3)
    for options, text in (({"max_active": 0}, "at least 1"), ({"max_active": True}, "whole number")):
        with pytest.raises(OptionError, match=text):
            solve_abundances(E, E, **options)
    with pytest.raises(OptionError, match="needs a constraint"):
        solve_abundances(E, E, "unconstrained", max_active=1)
    with pytest.raises(OptionError, match="at most 10"):
        solve_abundances(np.eye(12), np.eye(12), max_active=2)


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_the_answer_does_not_depend_on_the_number_of_threads(constraint: str) -> None:
    E = endmembers_of_condition(4, 12, 20, 0)
    X = mixtures(E, 9_001, 0.05, 1).astype("f4")
    one = solve_abundances(X, E, constraint, threads=1)
    np.testing.assert_array_equal(solve_abundances(X, E, constraint, threads=3), one)
    np.testing.assert_array_equal(solve_abundances(X, E, constraint), one)
    np.testing.assert_array_equal(solve_abundances(X[100:170], E, constraint), one[100:170])


@pytest.mark.parametrize("threads", [0, -1, 1.5, True, "2"])
def test_threads_that_cannot_be_had(threads: object) -> None:
    with pytest.raises(OptionError, match="whole number of at least 1"):
        solve_abundances(np.eye(2), np.eye(2), threads=threads)
