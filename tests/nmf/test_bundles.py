"""The best few endmembers of each pixel out of many, against the full enumeration done by hand."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from unmix.errors import OptionError
from unmix.nmf.abundances import solve_abundances
from unmix.nmf.bundles import LEAST_GAIN, subset_problem


def test_models_take_at_most_one_of_each_material() -> None:
    problem = subset_problem(np.eye(4) + 0.1, 3, "non_negative", ["a", "a", "b", "c"])
    assert set(problem.models) == {(0,), (1,), (2,), (3,), (0, 2), (0, 3), (1, 2), (1, 3), (2, 3), (0, 2, 3), (1, 2, 3)}
    assert len(subset_problem(np.eye(4) + 0.1, 9, "shade").models) == 15


@pytest.mark.parametrize("constraint", ["non_negative", "sum_to_one", "shade", "unconstrained"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_the_choice_is_that_of_trying_them_all(constraint: str, dtype: type) -> None:
    rng = np.random.default_rng(0)
    E = rng.uniform(0.1, 1, (5, 12))
    X = (rng.dirichlet(np.full(5, 0.3), 60) @ E + 0.02 * rng.standard_normal((60, 12))).astype(dtype)
    A, residual, model = subset_problem(E, 2, constraint).solve(X)
    for i in range(len(X)):
        fits = {}
        for size in (1, 2):
            for chosen in combinations(range(5), size):
                a = solve_abundances(X[i : i + 1].astype(float), E[list(chosen)], constraint)
                fits[chosen] = float(np.sqrt(np.mean((X[i] - a @ E[list(chosen)]) ** 2)))
        one = min((k for k in fits if len(k) == 1), key=fits.get)
        two = min((k for k in fits if len(k) == 2), key=fits.get)
        best = two if fits[two] < (1 - LEAST_GAIN) * fits[one] else one
        assert residual[i] == pytest.approx(fits[best], rel=1e-3)
        assert set(np.flatnonzero(A[i])) <= set(best)
    assert (model >= 0).all()


def test_pixels_of_known_bundles_get_their_own_spectra_back() -> None:
    rng = np.random.default_rng(1)
    E = rng.uniform(0.1, 1, (6, 30))
    truth = np.zeros((50, 6))
    for row in truth:
        row[[rng.integers(0, 3), rng.integers(3, 6)]] = 0.3, 0.7
    A, residual, _ = subset_problem(E, 2, "shade", list("aaabbb")).solve(truth @ E)
    np.testing.assert_allclose(A, truth, atol=1e-6)
    assert residual.max() < 1e-7


def test_rows_that_are_not_finite_have_no_model() -> None:
    X = np.ones((3, 4))
    X[1, 2] = np.nan
    A, residual, model = subset_problem(np.eye(2, 4) + 0.1, 2, "non_negative").solve(X)
    assert model[1] == -1
    assert np.isnan(A[1]).all()
    assert np.isnan(residual[1])
    assert (model[[0, 2]] >= 0).all()


def test_too_many_models_are_refused_with_the_way_out() -> None:
    with pytest.raises(OptionError, match="Select fewer spectra"):
        subset_problem(np.random.default_rng(0).random((60, 5)), 4, "shade")
