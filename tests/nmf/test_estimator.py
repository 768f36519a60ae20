"""SeparableNMF keeps scikit-learn's contract and its own: exact on separable data, four scales, clamping."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MaxAbsScaler
from sklearn.utils.estimator_checks import estimator_checks_generator

import unmix
from unmix.errors import OptionError, UnmixError, UnmixWarning
from unmix.metrics import match_endmembers
from unmix.nmf import SeparableNMF

ALLOWED = [
    "ignore::unmix.errors.UnmixWarning",  # clamping and convergence on scikit-learn's toy data are not the point here
    "ignore::sklearn.exceptions.SkipTestWarning",
]


def checks() -> Iterator[object]:
    """Every check of scikit-learn but the one that needs another array library to be switched on."""
    for model in (SeparableNMF(), SeparableNMF(refinement="hals", max_iter=20)):
        for estimator, check in estimator_checks_generator(model):
            if check.func.__name__ != "check_array_api_input":
                yield pytest.param(estimator, check, id=f"{model.refinement}-{check.func.__name__}")


@pytest.mark.filterwarnings(*ALLOWED)
@pytest.mark.parametrize(("estimator", "check"), checks())
def test_scikit_learns_own_checks(estimator: SeparableNMF, check: object) -> None:
    check(estimator)


@pytest.fixture
def separable() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(0)
    E = rng.random((3, 12)) + 0.1
    A = rng.dirichlet([1.0] * 4, 60)[:, :3]
    A[[7, 3, 50]] = np.eye(3)
    return A @ E, E


@pytest.mark.parametrize("refinement", ["none", "hals"])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_separable_data_is_factored_exactly(
    separable: tuple[np.ndarray, np.ndarray], dtype: str, refinement: str
) -> None:
    X, E = separable
    X = X.astype(dtype)
    model = SeparableNMF(3, refinement=refinement)
    A = model.fit_transform(X)
    assert set(model.anchor_indices_) == {7, 3, 50}
    assert model.components_.dtype == X.dtype
    assert A.dtype == X.dtype
    assert match_endmembers(model.components_, E)[1].max() < 1e-3
    np.testing.assert_allclose(model.inverse_transform(A), X, atol=2e-5 if dtype == "f4" else 1e-7)
    np.testing.assert_allclose(model.transform(X), A, atol=1e-6)
    assert model.n_components_ == 3
    assert model.objective_history_[-1] < 1e-6


@pytest.mark.parametrize(
    ("scale", "measure"), [("sum", np.sum), ("norm", lambda e, axis: np.linalg.norm(e, axis=axis)), ("max", np.max)]
)
def test_scales(separable: tuple[np.ndarray, np.ndarray], scale: str, measure: object) -> None:
    X, _ = separable
    plain, scaled = SeparableNMF(3).fit(X), SeparableNMF(3, scale=scale).fit(X)
    np.testing.assert_allclose(measure(scaled.components_, axis=1), 1)
    np.testing.assert_allclose(scaled.inverse_transform(scaled.transform(X)), X, atol=1e-9)
    np.testing.assert_array_equal(plain.components_, X[plain.anchor_indices_])


def test_hals_history_falls_and_counts(separable: tuple[np.ndarray, np.ndarray]) -> None:
    X = np.maximum(separable[0] + 0.05 * np.random.default_rng(1).standard_normal(separable[0].shape), 0)
    model = SeparableNMF(3, refinement="hals", tol=1e-3).fit(X)
    assert (np.diff(model.objective_history_) <= 1e-12).all()
    assert model.n_iter_ == len(model.objective_history_) - 1 >= 1
    assert model.objective_history_[-1] < SeparableNMF(3).fit(X).objective_history_[-1]


def test_pipeline_grid_search_pickle_and_clone(separable: tuple[np.ndarray, np.ndarray]) -> None:
    X, _ = separable
    pipe = make_pipeline(MaxAbsScaler(), SeparableNMF(3))
    assert pipe.fit_transform(X).shape == (60, 3)
    assert pipe.get_feature_names_out().tolist() == [f"separablenmf{k}" for k in range(3)]

    def score(model: SeparableNMF, X: np.ndarray, y: object = None) -> float:
        return -float(((X - model.inverse_transform(model.transform(X))) ** 2).sum())

    search = GridSearchCV(SeparableNMF(), {"n_components": [1, 2, 3]}, scoring=score, cv=2).fit(X)
    assert search.best_params_ == {"n_components": 3}
    model = SeparableNMF(3, scale="sum").fit(X)
    loaded = pickle.loads(pickle.dumps(model))  # noqa: S301  (our own bytes)
    np.testing.assert_array_equal(loaded.transform(X), model.transform(X))
    copy = clone(model)
    assert copy.get_params() == model.get_params()
    assert not hasattr(copy, "components_")


def test_too_many_components_are_clamped_aloud() -> None:
    X = np.random.default_rng(0).random((20, 4))
    with pytest.warns(UnmixWarning, match=r"n_components=9 is more than X of shape \(20, 4\) can hold; 4 are used"):
        model = SeparableNMF(9).fit(X)
    assert model.components_.shape == (4, 4)
    assert model.n_components_ == 4


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (SeparableNMF(0), "n_components=0"),
        (SeparableNMF(2.5), "n_components=2.5"),
        (SeparableNMF(True), "n_components=True"),
        (SeparableNMF("3"), "n_components='3'"),
        (SeparableNMF(2, refinement="mu"), "none, hals"),
        (SeparableNMF(2, scale="one"), "data, sum, norm, max"),
        (SeparableNMF(2, refinement="hals", anchor_weight=-1.0), "anchor_weight=-1"),
    ],
)
def test_refusals(model: SeparableNMF, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        model.fit(np.random.default_rng(0).random((10, 4)))


def test_negative_and_rank_deficient_data() -> None:
    with pytest.raises(ValueError, match="Negative values"):
        SeparableNMF(2).fit(-np.ones((4, 3)))
    with pytest.raises(UnmixError, match="rank 1"):
        SeparableNMF(2).fit(np.outer(np.arange(1, 5), np.ones(3)))


def test_tags_and_the_public_door() -> None:
    from sklearn.utils import get_tags

    assert get_tags(SeparableNMF()).input_tags.positive_only
    assert unmix.SeparableNMF is SeparableNMF


def test_a_callback_hears_every_iteration_of_the_fit(separable: tuple[np.ndarray, np.ndarray]) -> None:
    X = separable[0] + 0.01 * np.random.default_rng(1).random((60, 12))
    heard: list[tuple[float, np.ndarray]] = []
    model = SeparableNMF(3, refinement="hals", max_iter=30)
    model.fit(X, callback=lambda iteration, objective, A, E: heard.append((objective, E.copy())))
    assert [value for value, _ in heard] == model.objective_history_[1:].tolist()
    np.testing.assert_array_equal(heard[-1][1], model.components_)
    heard.clear()
    SeparableNMF(3).fit(X, callback=lambda iteration, objective: heard.append(objective))
    assert heard == []
