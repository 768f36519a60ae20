"""Every public solver, every form of input: the right answer where the numbers are the same, one clear error else."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import numpy as np
import pytest

import unmix.nmf
from unmix.errors import UnmixError, UnmixWarning
from unmix.nmf import (
    SeparableNMF,
    factorise_symmetric,
    find_anchors,
    kkt_residual,
    nfindr,
    preconditioned_successive_projection,
    refine,
    refine_jointly,
    smoothed_successive_projection,
    solve_abundances,
    solve_poisson_abundances,
    successive_nonnegative_projection,
    successive_projection,
    vertex_component_analysis,
)
from unmix.nmf.anchor_methods import ANCHOR_METHODS

NOT_SOLVERS = {"Refinement", "JointRefinement", "SymmetricFactorisation", "BetaDivergence"} | {
    "Sparsity", "RootSparsity", "SumToOne", "Anchored", "FixedRows", "SmoothBands", "MinimumVolume",
    "SpatialSmoothness", "TotalVariation",
}  # fmt: skip

E = np.array([[40, 0, 20, 10, 4], [2, 30, 10, 0, 60], [10, 10, 2, 50, 0]])
SHARES = np.array([[4, 0, 0], [0, 4, 0], [0, 0, 4], [2, 2, 0], [0, 2, 2], [2, 0, 2], [1, 1, 2], [2, 1, 1], [1, 2, 1]])
X = (4 * SHARES @ E // 16).astype(np.float64)
Solver = Callable[..., np.ndarray]


def anchors(method: Callable[..., np.ndarray], X: object, r: int = 3) -> np.ndarray:
    return np.asarray(method(X, r))


def joint(X: object, r: int = 3) -> np.ndarray:
    return refine_jointly([X, X], [E[:r], E[:r]], max_iterations=3).A


def symmetric(X: object, r: int = 3) -> np.ndarray:
    return factorise_symmetric(X, r, max_iterations=5).W


def estimator(X: object, r: int = 3) -> np.ndarray:
    return SeparableNMF(r, refinement="hals", max_iter=5).fit(X).components_


SOLVERS: dict[str, Solver] = {
    "solve_abundances": lambda X, r=3: solve_abundances(X, E[:r]),
    "solve_poisson_abundances": lambda X, r=3: solve_poisson_abundances(X, E[:r]),
    "kkt_residual": lambda X, r=3: kkt_residual(X, SHARES[:, :r], E[:r], "non_negative"),
    "successive_projection": partial(anchors, successive_projection),
    "smoothed_successive_projection": lambda X, r=3: smoothed_successive_projection(X, r, 1)[0],
    "nfindr": partial(anchors, nfindr),
    "preconditioned_successive_projection": partial(anchors, preconditioned_successive_projection),
    "successive_nonnegative_projection": partial(anchors, successive_nonnegative_projection),
    "vertex_component_analysis": partial(anchors, vertex_component_analysis),
    "refine": lambda X, r=3: refine(X, E[:r], max_iterations=3).E,
    "refine_jointly": joint,
    "factorise_symmetric": symmetric,
    "SeparableNMF": estimator,
    **{f"find_anchors {name}": partial(anchors, partial(find_anchors, method=name)) for name in ANCHOR_METHODS},
}
SYMMETRIC = ("factorise_symmetric",)
SIZED = [
    name
    for name in SOLVERS
    if name not in ("solve_abundances", "solve_poisson_abundances", "kkt_residual", "refine", "refine_jointly")
]


def data_for(name: str) -> np.ndarray:
    """The data, or for the factorisation of similarities those of its pixels; small whole numbers, in any dtype."""
    return (X @ X.T // 40).clip(0, 250) if name in SYMMETRIC else X


def quietly(name: str, *arguments: object, **settings: object) -> np.ndarray:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        return SOLVERS[name](*arguments, **settings)


def read_only(X: np.ndarray) -> np.ndarray:
    X = X.copy()
    X.flags.writeable = False
    return X


FORMS: dict[str, Callable[[np.ndarray], object]] = {
    "float32": lambda X: X.astype(np.float32),
    "float16": lambda X: X.astype(np.float16),
    "uint8": lambda X: X.astype(np.uint8),
    "int64": lambda X: X.astype(np.int64),
    "big endian": lambda X: X.astype(">f8"),
    "Fortran order": np.asfortranarray,
    "every other row and column": lambda X: np.repeat(np.repeat(X, 2, 0), 2, 1)[::2, ::2],
    "reversed twice": lambda X: X[::-1, ::-1].copy()[::-1, ::-1],
    "read-only": read_only,
    "a list": lambda X: X.tolist(),
}


def test_every_public_solver_is_here() -> None:
    tested = {name.split()[0] for name in SOLVERS}
    assert tested | NOT_SOLVERS == set(unmix.nmf.__all__)


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", SOLVERS)
def test_the_same_numbers_in_another_form_give_the_same_answer(name: str, form: str) -> None:
    data = data_for(name)
    expected = quietly(name, data)
    given = FORMS[form](data)
    found = quietly(name, given)
    np.testing.assert_allclose(found, expected, rtol=2e-3, atol=2e-3)
    np.testing.assert_array_equal(given, data)


@pytest.mark.filterwarnings("ignore:invalid value encountered:RuntimeWarning")
@pytest.mark.parametrize("bad", ["a row of NaN", "all NaN", "infinite", "negative"])
@pytest.mark.parametrize("name", SOLVERS)
def test_values_that_are_none_are_refused_or_stay_out_of_the_answer(name: str, bad: str) -> None:
    data = data_for(name).copy()
    if bad == "all NaN":
        data[:] = np.nan
    else:
        data[3] = {"a row of NaN": np.nan, "infinite": np.inf, "negative": -1.0}[bad]
    refusal = ValueError if name == "SeparableNMF" else UnmixError
    found: np.ndarray | None = None
    with suppress(refusal):
        found = quietly(name, data)
    if found is not None:
        assert bad != "all NaN" or np.isnan(found).all()
        by_pixel = name in ("solve_abundances", "solve_poisson_abundances", "kkt_residual")
        assert np.isfinite(np.delete(found, 3, axis=0) if by_pixel and bad != "all NaN" else found).all() or (
            bad == "all NaN"
        )
        if found.dtype.kind == "i" and bad != "negative":
            assert 3 not in found


@pytest.mark.parametrize(
    "shape", [(0, 5), (9, 0), (5,), (2, 9, 5), ()], ids=["no rows", "no bands", "one", "three", "no dimensions"]
)
@pytest.mark.parametrize("name", SOLVERS)
def test_wrong_shapes_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(UnmixError if name != "SeparableNMF" else ValueError, match=r".{20,}"):
        quietly(name, np.ones(shape))


@pytest.mark.parametrize("values", [np.ones((9, 5), complex), np.full((9, 5), "a"), np.full((9, 5), None)])
@pytest.mark.parametrize("name", SOLVERS)
def test_what_is_no_real_number_is_refused(name: str, values: np.ndarray) -> None:
    with pytest.raises(UnmixError if name != "SeparableNMF" else (ValueError, TypeError), match=r".{15,}"):
        quietly(name, values[:, :9])


@pytest.mark.parametrize("r", [0, -1, 2.5, 50])
@pytest.mark.parametrize("name", SIZED)
def test_a_number_that_the_data_cannot_carry_is_refused_or_clamped_aloud(name: str, r: float) -> None:
    if name == "SeparableNMF" and r == 50:
        with pytest.warns(UnmixWarning, match="5 are used"):
            SeparableNMF(50).fit(X)
        return
    with pytest.raises(UnmixError, match=f"{r}"):
        quietly(name, data_for(name), r=r)
