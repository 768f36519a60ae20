"""Joint factorisation is the refinement of the images side by side, weighed."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from unmix.errors import ConvergenceWarning, DataError, OptionError
from unmix.nmf import Anchored, JointRefinement, SmoothBands, SumToOne, refine, refine_jointly
from unmix.nmf.joint import balance


@pytest.fixture
def pair() -> tuple[list[np.ndarray], list[np.ndarray], np.ndarray]:
    rng = np.random.default_rng(0)
    A = rng.dirichlet([0.5] * 3, 60)
    truth = [rng.random((3, 5)), 10 * rng.random((3, 4))]
    images = [np.maximum(A @ E + 0.02 * E.mean() * rng.standard_normal((60, E.shape[1])), 1e-3) for E in truth]
    return images, [np.maximum(E + 0.1 * E.mean() * rng.standard_normal(E.shape), 0.01) for E in truth], A


def refine_quietly(*arguments: object, **settings: object) -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return refine(*arguments, **settings)


def jointly(*arguments: object, **settings: object) -> JointRefinement:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return refine_jointly(*arguments, **settings)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize(("loss", "power"), [("frobenius", 0.5), ("kullback_leibler", 1.0), (1.5, 1 / 1.5)])
def test_equals_the_refinement_of_the_scaled_images_side_by_side(
    pair: tuple, loss: object, power: float, dtype: str
) -> None:
    images, starts, _ = pair
    images = [X.astype(dtype) for X in images]
    weights = [2.0, 0.3]
    found = jointly(images, starts, weights=weights, loss=loss, max_iterations=20)
    scaled = [w**power for w in weights]
    X = np.hstack([s * X for s, X in zip(scaled, images, strict=True)]).astype(dtype)
    E = np.hstack([s * E for s, E in zip(scaled, starts, strict=True)])
    expected = refine_quietly(X, E, loss=loss, max_iterations=20)
    close = 1e-10 if dtype == "f8" else 1e-3
    np.testing.assert_allclose(found.A, expected.A, rtol=close, atol=close)
    np.testing.assert_allclose(found.endmembers[0] * scaled[0], expected.E[:, :5], rtol=close, atol=close)
    np.testing.assert_allclose(found.endmembers[1] * scaled[1], expected.E[:, 5:], rtol=close, atol=close)
    assert len(found.objective) == len(expected.objective)


def test_one_image_is_plain_refinement(pair: tuple) -> None:
    images, starts, _ = pair
    alone, plain = jointly(images[:1], starts[:1], weights=[1.0]), refine_quietly(images[0], starts[0])
    np.testing.assert_allclose(alone.A, plain.A)
    np.testing.assert_allclose(alone.endmembers[0], plain.E)


def test_two_images_tell_what_one_cannot() -> None:
    rng = np.random.default_rng(1)
    A = rng.dirichlet([0.5] * 3, 200)
    truth = [np.array([[1.0, 0.2], [0.2, 1.0], [0.6, 0.6]]), np.array([[0.1, 0.1], [0.1, 0.1], [1.0, 0.1]])]
    images = [A @ E for E in truth]
    found = refine_jointly(images, truth)
    np.testing.assert_allclose(found.A, A, atol=1e-6)
    assert found.converged


def test_unit_of_an_image_does_not_matter_when_balanced(pair: tuple) -> None:
    images, starts, _ = pair
    plain = jointly(images, starts)
    other = jointly([images[0], 1000 * images[1]], [starts[0], 1000 * starts[1]])
    np.testing.assert_allclose(other.A, plain.A, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(other.endmembers[1] / 1000, plain.endmembers[1], rtol=1e-7)
    assert balance([2 * np.ones((3, 4)), np.zeros((3, 1))]) == [1 / 48, 1.0]


def test_terms_read_each_image_by_itself(pair: tuple) -> None:
    images, starts, _ = pair
    smooth = jointly(images, starts, terms=(SmoothBands(1e6),), anchor_weight=0.01, max_iterations=3000)
    for E in smooth.endmembers:
        assert (np.ptp(E, axis=1) < 0.02 * E.mean()).all()
    assert not np.isclose(smooth.endmembers[0].mean(), smooth.endmembers[1].mean(), rtol=0.5)
    target = np.hstack(starts) * 1.1
    held = jointly(images, starts, terms=(Anchored(1e9, to=target), SumToOne(0.1)), anchor_weight=0)
    np.testing.assert_allclose(np.hstack(held.endmembers), target, rtol=1e-6)


@pytest.mark.parametrize(
    ("change", "error", "words"),
    [
        (lambda X, E: (X, E[:1], {}), DataError, "2 images and 1 sets of endmembers"),
        (lambda X, E: ([], [], {}), DataError, "0 images"),
        (lambda X, E: ([X[0], X[1][:5]], E, {}), DataError, r"same number of pixels; got \[60, 5\]"),
        (lambda X, E: (X, [E[0], E[1][:2]], {}), DataError, r"same number of endmembers; got \[3, 2\]"),
        (lambda X, E: (X[::-1], E, {}), DataError, "image 1 has 4 bands and its endmembers have 5"),
        (lambda X, E: (X, E, {"weights": [1.0]}), OptionError, "one number for each of 2 images"),
        (lambda X, E: (X, E, {"weights": [1.0, 0.0]}), OptionError, "above 0"),
        (lambda X, E: (X, E, {"weights": [1.0, np.nan]}), OptionError, "finite"),
        (lambda X, E: (X, E, {"loss": "itakura_saito"}), OptionError, "knows no scale"),
        (lambda X, E: ([X[0], X[1] * np.nan], E, {"weights": [1, 1]}), DataError, "not finite"),
    ],
)
def test_refusals(pair: tuple, change: object, error: type[Exception], words: str) -> None:
    images, starts, settings = change(pair[0], pair[1])
    with pytest.raises(error, match=words):
        refine_jointly(images, starts, **settings)


def test_an_answer_that_does_not_belong_together_is_refused() -> None:
    with pytest.raises(DataError, match="as many endmembers"):
        JointRefinement(np.ones((4, 2)), (np.ones((3, 5)),), np.zeros(1), "", True)


def test_a_callback_hears_each_images_own_endmembers(pair: tuple) -> None:
    images, starts, _ = pair
    heard: list[tuple[np.ndarray, tuple[np.ndarray, ...]]] = []

    def hear(iteration: int, objective: float, A: np.ndarray, endmembers: tuple[np.ndarray, ...]) -> None:
        assert not A.flags.writeable
        heard.append((A.copy(), endmembers))

    found = jointly(images, starts, max_iterations=5, callback=hear)
    assert len(heard) == len(found.objective) - 1
    np.testing.assert_array_equal(heard[-1][0], found.A)
    for last, own in zip(heard[-1][1], found.endmembers, strict=True):
        np.testing.assert_array_equal(last, own)
    counted: list[int] = []
    jointly(images, starts, max_iterations=5, callback=lambda iteration, objective: counted.append(iteration))
    assert counted == list(range(1, len(found.objective)))
