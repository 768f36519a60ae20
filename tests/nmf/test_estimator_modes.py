"""SeparableNMF in every mode: scikit-learn's contract, and losses, terms and anchors that act in fit and transform."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.utils.estimator_checks import estimator_checks_generator

from unmix.errors import OptionError, UnmixError
from unmix.nmf import FixedRows, MinimumVolume, SeparableNMF, SmoothBands, Sparsity, SpatialSmoothness, SumToOne
from unmix.nmf.anchor_methods import ANCHOR_METHODS

MODES = {
    "extrapolated": SeparableNMF(refinement="extrapolated_hals", max_iter=20, scale="sum"),
    "gradient": SeparableNMF(refinement="fast_gradient", max_iter=20, scale="norm"),
    "multiplicative": SeparableNMF(refinement="multiplicative", max_iter=20, scale="max", anchor_weight=0.1),
    "counts": SeparableNMF(refinement="multiplicative", max_iter=5, loss="kullback_leibler"),
    "between": SeparableNMF(refinement="multiplicative", max_iter=5, loss=1.5),
    "counts, anchors": SeparableNMF(loss="kullback_leibler", max_iter=20),
    "terms, anchors": SeparableNMF(terms=(Sparsity(0.05), SumToOne(0.1)), max_iter=20),
    "terms": SeparableNMF(refinement="hals", max_iter=5, terms=(Sparsity(0.05), MinimumVolume(0.1)), anchor_weight=0.1),
} | {name: SeparableNMF(anchors=name) for name in ANCHOR_METHODS if name != "spa"}
NOISY = [
    {},
    {"refinement": "hals"},
    {"refinement": "multiplicative", "loss": "kullback_leibler"},
    {"refinement": "hals", "terms": (Sparsity(0.05),), "anchor_weight": 0.1},
    {"loss": "kullback_leibler", "scale": "max"},
]
ALLOWED = [
    "ignore::unmix.errors.UnmixWarning",  # clamping and convergence on scikit-learn's toy data are not the point here
    "ignore::sklearn.exceptions.SkipTestWarning",
]


def checks() -> Iterator[object]:
    """Every check of scikit-learn but the one that needs another array library to be switched on."""
    for name, model in MODES.items():
        for estimator, check in estimator_checks_generator(model):
            if check.func.__name__ != "check_array_api_input":
                yield pytest.param(estimator, check, id=f"{name}-{check.func.__name__}")


@pytest.mark.filterwarnings(*ALLOWED)
@pytest.mark.parametrize(("estimator", "check"), list(checks()))
def test_scikit_learns_own_checks(estimator: SeparableNMF, check: object, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("unmix.nmf.estimator._HELD_ITERATIONS", 10)  # the contract holds before the optimum
    check(estimator)


@pytest.fixture
def noisy() -> np.ndarray:
    rng = np.random.default_rng(0)
    E = rng.random((3, 12)) + 0.1
    A = rng.dirichlet([1.0] * 4, 60)[:, :3]
    A[[7, 3, 50]] = np.eye(3)
    return np.maximum(A @ E + 0.03 * rng.standard_normal((60, 12)), 1e-3)


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
@pytest.mark.parametrize("settings", NOISY)
def test_fit_transform_is_fit_then_transform_and_scale_changes_nothing_else(noisy: np.ndarray, settings: dict) -> None:
    model = SeparableNMF(3, **settings)
    A = model.fit_transform(noisy)
    np.testing.assert_array_equal(SeparableNMF(3, **settings).fit(noisy).transform(noisy), A)
    np.testing.assert_allclose(model.transform(noisy[5:9]), A[5:9], atol=1e-7)
    for scale in ("sum", "norm", "max"):
        other = SeparableNMF(3, **(settings | {"scale": scale})).fit(noisy)
        restored = other.inverse_transform(other.transform(noisy))
        np.testing.assert_allclose(restored, model.inverse_transform(A), atol=1e-9)


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
def test_error_and_score_are_the_loss(noisy: np.ndarray) -> None:
    model = SeparableNMF(3, refinement="hals").fit(noisy)
    Y = model.inverse_transform(model.transform(noisy))
    assert model.reconstruction_err_ == pytest.approx(np.linalg.norm(noisy - Y), rel=1e-9)
    assert model.score(noisy) == pytest.approx(-0.5 * ((noisy - Y) ** 2).sum() / len(noisy), rel=1e-9)
    counts = SeparableNMF(3, loss="kullback_leibler").fit(noisy)
    Y = counts.inverse_transform(counts.transform(noisy))
    divergence = (noisy * np.log(noisy / Y) - noisy + Y).sum()
    assert counts.reconstruction_err_ == pytest.approx(np.sqrt(2 * divergence), rel=1e-6)
    search = GridSearchCV(SeparableNMF(), {"n_components": [1, 2, 3]}, cv=2).fit(noisy)
    assert search.best_params_ == {"n_components": 3}


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
def test_abundances_minimise_the_loss_asked_for(noisy: np.ndarray) -> None:
    """At its optimum the gradient of the divergence is zero where an abundance is not, and never negative."""
    model = SeparableNMF(3, loss="kullback_leibler").fit(noisy)
    A, E = model.transform(noisy), model.components_
    gradient = (1 - noisy / (A @ E)) @ E.T
    assert (gradient > -1e-2).all()
    assert np.abs(A * gradient).max() < 1e-3


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
def test_terms_act_in_fit_and_in_transform(noisy: np.ndarray) -> None:
    plain = SeparableNMF(3).fit(noisy)
    sparse = SeparableNMF(3, terms=(Sparsity(0.3),)).fit(noisy)
    assert (sparse.transform(noisy) == 0).mean() > (plain.transform(noisy) == 0).mean() + 0.05
    np.testing.assert_array_equal(sparse.components_, plain.components_)
    settings = {"refinement": "hals", "anchor_weight": 0.1}
    smooth = SeparableNMF(3, terms=(SmoothBands(10.0),), **settings).fit(noisy)
    rough = SeparableNMF(3, **settings).fit(noisy)
    assert np.abs(np.diff(smooth.components_)).sum() < 0.5 * np.abs(np.diff(rough.components_)).sum()
    held = SeparableNMF(3, terms=(FixedRows((1,)),), **settings).fit(noisy)
    np.testing.assert_array_equal(held.components_[1], noisy[held.anchor_indices_[1]])


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
def test_spatial_terms_know_their_grid(noisy: np.ndarray) -> None:
    def roughness(model: SeparableNMF) -> float:
        return (np.diff(model.fit_transform(noisy).reshape(6, 10, 3), axis=1) ** 2).sum()

    term = SpatialSmoothness(5.0, (6, 10))
    grid = SeparableNMF(3, terms=(term,), refinement="hals", anchor_weight=1.0)
    assert roughness(grid) < 0.5 * roughness(SeparableNMF(3))
    with pytest.raises(UnmixError, match="X 4 rows"):
        grid.transform(noisy[:4])


def test_refitting_forgets_the_first_fit(noisy: np.ndarray) -> None:
    settings = {"terms": (Sparsity(0.1),)}
    again = SeparableNMF(3, **settings).fit(100 * noisy[:30]).fit(noisy)
    np.testing.assert_array_equal(again.transform(noisy), SeparableNMF(3, **settings).fit(noisy).transform(noisy))


@pytest.mark.filterwarnings("ignore::unmix.errors.ConvergenceWarning")
def test_models_with_terms_pickle_and_clone(noisy: np.ndarray) -> None:
    model = SeparableNMF(3, terms=(Sparsity(0.1), SumToOne(0.2)), loss=1.5, refinement="multiplicative").fit(noisy)
    loaded = pickle.loads(pickle.dumps(model))  # noqa: S301  (our own bytes)
    np.testing.assert_array_equal(loaded.transform(noisy), model.transform(noisy))
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize("anchors", list(ANCHOR_METHODS))
def test_anchors_by_name_start_the_model(noisy: np.ndarray, anchors: str) -> None:
    model = SeparableNMF(3, anchors=anchors).fit(noisy)
    np.testing.assert_array_equal(model.components_, noisy[model.anchor_indices_])
    np.testing.assert_array_equal(SeparableNMF(3, anchors=anchors).fit(noisy).anchor_indices_, model.anchor_indices_)


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (SeparableNMF(2, anchors="kmeans"), "spa, pspa"),
        (SeparableNMF(2, loss="l1"), "frobenius, kullback_leibler"),
        (SeparableNMF(2, loss="kullback_leibler", refinement="hals"), "needs 'multiplicative'"),
        (SeparableNMF(2, refinement="hals", terms=(Sparsity(0.1),)), "anchor_weight above 0"),
        (SeparableNMF(2, refinement="hals", terms=("sparse",)), "no term"),
        (SeparableNMF(2, terms=("sparse",)), "no term"),
    ],
)
def test_refusals(noisy: np.ndarray, model: SeparableNMF, words: str) -> None:
    with pytest.raises(OptionError, match=words):
        model.fit(noisy)
