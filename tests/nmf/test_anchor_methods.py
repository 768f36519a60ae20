"""Every anchor method by name: exact on separable data, right for any layout, and one way of refusing bad input."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import DataError, OptionError
from unmix.nmf import find_anchors
from unmix.nmf.anchor_methods import ANCHOR_METHODS, RANDOM_METHODS
from unmix.options import ANCHORS
from unmix.synthetic import hyperspectral_scene

METHODS = sorted(ANCHOR_METHODS)


def separable(
    seed: int, r: int = 4, b: int = 12, n: int = 60, dtype: Any = np.float64, shade: bool = False
) -> tuple[np.ndarray, set[int]]:
    """Return data whose pure pixels are known: the others mix at least a tenth of something else."""
    rng = np.random.default_rng(seed)
    E = rng.uniform(0.1, 0.5, (r, b))
    E[np.arange(r), rng.permutation(b)[:r]] += 0.5
    A = 0.9 * rng.dirichlet(np.full(r, 0.8), n) + 0.1 / r
    if shade:
        A *= rng.uniform(0.4, 0.9, (n, 1))
    at = rng.permutation(n)[:r]
    A[at] = np.eye(r)
    return (A @ E).astype(dtype), set(at.tolist())


def mean_angle(found: np.ndarray, true: np.ndarray) -> float:
    from scipy.optimize import linear_sum_assignment

    unit = [M / np.linalg.norm(M, axis=1)[:, None] for M in (found.astype(float), true)]
    angles = np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1))
    return float(angles[linear_sum_assignment(angles)].mean())


def test_the_scene_fit_offers_every_method() -> None:
    assert set(ANCHOR_METHODS) <= set(ANCHORS)
    assert set(RANDOM_METHODS) <= set(ANCHOR_METHODS)


@pytest.mark.parametrize("method", METHODS)
@settings(max_examples=25)
@given(
    seed=st.integers(0, 2**32 - 1),
    r=st.integers(2, 7),
    more_bands=st.integers(0, 9),
    more_pixels=st.integers(0, 80),
    dtype=st.sampled_from([np.float32, np.float64]),
    scale=st.sampled_from([1e-6, 1.0, 4e4]),
)
def test_exact_on_separable_data(
    method: str, seed: int, r: int, more_bands: int, more_pixels: int, dtype: Any, scale: float
) -> None:
    X, pure = separable(seed, r, r + more_bands, r + more_pixels, dtype)
    found = find_anchors(X * dtype(scale), r, method, seed=seed % 1000)
    assert found.dtype == np.int64
    assert found.shape == (r,)
    assert set(found.tolist()) == pure


@pytest.mark.parametrize("method", METHODS)
def test_one_anchor_is_the_longest_row(method: str) -> None:
    X, pure = separable(2, 1, 6, 30, shade=True)
    assert set(find_anchors(X, 1, method).tolist()) == pure


@pytest.mark.parametrize("method", sorted(set(METHODS) - {"nfindr"}))
@pytest.mark.parametrize("seed", range(5))
def test_exact_where_mixtures_are_shaded(method: str, seed: int) -> None:
    X, pure = separable(seed, 5, 20, 200, shade=True)
    assert set(find_anchors(X, 5, method).tolist()) == pure


def test_nfindr_takes_shade_for_a_material() -> None:
    """Its known failure: the largest simplex has a dark pixel as a vertex, because darkness is a direction too."""
    missed = 0
    for seed in range(5):
        X, pure = separable(seed, 5, 20, 200, shade=True)
        missed += set(find_anchors(X, 5, "nfindr").tolist()) != pure
    assert missed == 5


@pytest.mark.parametrize("method", ["spa", "snpa"])
def test_a_brightly_lit_mixture_is_taken_for_a_material(method: str) -> None:
    """Their known failure; what works at equal brightness is not fooled."""
    X = np.array([[0.6, 0.1, 0.1], [0.1, 0.6, 0.1], [0.7, 0.7, 0.2], [0.3, 0.4, 0.1]])
    assert 2 in find_anchors(X, 2, method)
    for other in ("vca", "adaptive"):
        assert set(find_anchors(X, 2, other).tolist()) == {0, 1}


@pytest.mark.parametrize("method", ["spa", "snpa", "smoothed"])
def test_a_dark_material_is_missed_in_noise(method: str) -> None:
    """Their known failure: water has no length of its own to speak of; the simplex of largest volume needs it."""
    rng = np.random.default_rng(0)
    sand, grass, water = np.array([[0.5, 0.5, 0.6, 0.6], [0.05, 0.1, 0.5, 0.4], [0.02, 0.015, 0.01, 0.0]])
    share = rng.uniform(0.05, 0.95, (100, 1))
    mixtures = share * sand + (1 - share) * grass + 0.03 * rng.standard_normal((100, 4))
    X = np.vstack([water, sand, grass, mixtures])
    assert 0 not in find_anchors(X, 3, method)
    assert 0 in find_anchors(X, 3, "nfindr")


@pytest.mark.parametrize("method", METHODS)
def test_zero_and_not_finite_rows_never_win(method: str) -> None:
    X, pure = separable(7, 4, 10, 40)
    bad = np.zeros((8, 10))
    bad[2:5, 3] = [np.nan, np.inf, -np.inf]
    bad[5] = np.nan
    bad[6] = np.inf
    bad[7] = [np.inf, -np.inf] * 5
    spread = np.vstack([bad[:3], X[:20], bad[3:6], X[20:], bad[6:]])
    place = {row: row + 3 if row < 20 else row + 6 for row in pure}
    assert set(find_anchors(spread, 4, method).tolist()) == set(place.values())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_ties_go_to_the_lowest_index(method: str, dtype: Any) -> None:
    X, pure = separable(3, 5, 11, 61, dtype)
    repeated = np.vstack([X, X, X[::-1]])
    assert set(find_anchors(repeated, 5, method).tolist()) == pure
    late = np.vstack([X * dtype(0), X[::-1], X])
    assert set(find_anchors(late, 5, method).tolist()) == {2 * len(X) - 1 - row for row in pure}


@pytest.mark.parametrize("method", METHODS)
def test_layout_and_type_do_not_matter(method: str) -> None:
    X, _ = separable(11, 4, 9, 80)
    X = np.round(X * 250)
    expected = find_anchors(X, 4, method).tolist()
    read_only = X.astype(np.float32)
    read_only.flags.writeable = False
    wide = np.zeros((160, 27))
    wide[::2, ::3] = X
    forms = [X.astype(t) for t in ("f2", "f4", ">f4", ">f8", "u1", "i2", "u2", "i4", "i8", "u8")]
    forms += [np.asfortranarray(X), read_only, wide[::2, ::3], np.flip(np.flip(X, 1).copy(), 1)]
    for form in forms:
        before = form.copy()
        assert find_anchors(form, 4, method).tolist() == expected
        np.testing.assert_array_equal(form, before)
    assert find_anchors(X.tolist(), 4, method).tolist() == expected


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_rank_below_r_is_refused_by_its_number(method: str, dtype: Any) -> None:
    X, _ = separable(5, 3, 8, 50, dtype)
    with pytest.raises(DataError, match=r"rank 3\. Ask for at most 3"):
        find_anchors(X, 5, method)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize(
    ("X", "r", "error", "words"),
    [
        (np.ones((5, 3)), 0, OptionError, "r=0"),
        (np.ones((5, 3)), -1, OptionError, "r=-1"),
        (np.ones((5, 3)), 1.5, OptionError, "r=1.5"),
        (np.ones((5, 3)), True, OptionError, "r=True"),
        (np.ones((5, 3)), "2", OptionError, "r='2'"),
        (np.ones((5, 3)), None, OptionError, "r=None"),
        (np.ones((5, 3)), 4, OptionError, "r=4"),
        (np.ones((2, 3)), 3, OptionError, "r=3"),
        (np.ones(5), 1, DataError, "shape"),
        (np.ones((2, 5, 3)), 1, DataError, "shape"),
        (np.empty((0, 3)), 1, DataError, "shape"),
        (np.empty((5, 0)), 1, DataError, "shape"),
        (np.zeros((5, 3)), 1, DataError, "not zero"),
        (np.full((5, 3), np.nan), 2, DataError, "not zero"),
        (np.ones((5, 3), complex), 1, DataError, "complex"),
        (np.full((5, 3), "a"), 1, DataError, "real numbers"),
        (np.vstack([np.eye(3)[0], np.zeros((4, 3))]), 2, DataError, "rank 1"),
        (np.vstack([np.ones((1, 3)), np.full((4, 3), np.nan)]), 3, DataError, "rank 1"),
    ],
)
def test_bad_input(method: str, X: Any, r: Any, error: type[Exception], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        find_anchors(X, r, method)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("method", ["SPA", "", "robust", None, 3, ["spa"]])
def test_unknown_method_lists_the_known(method: Any) -> None:
    with pytest.raises(OptionError, match="spa, pspa, snpa, vca, nfindr, smoothed, adaptive"):
        find_anchors(np.eye(3), 2, method)


def test_noise_robustness_in_order() -> None:
    """At 25 dB, on average over scenes, what looks at more than the longest residual is nearer to the truth."""
    angles: dict[str, list[float]] = {method: [] for method in METHODS}
    for seed in range(6):
        scene = hyperspectral_scene(seed, 5, 60, (40, 40), snr=25)
        X = scene.image.values.reshape(-1, 60)
        for method in METHODS:
            angles[method].append(mean_angle(X[find_anchors(X, 5, method)], scene.endmembers))
    mean = {method: np.mean(values) for method, values in angles.items()}
    assert max(mean["pspa"], mean["snpa"], mean["nfindr"], mean["smoothed"]) < mean["spa"]
    assert max(mean.values()) < 0.25


@pytest.mark.parametrize("method", METHODS)
def test_memory_beyond_the_data_is_a_few_numbers_a_pixel(method: str) -> None:
    import tracemalloc

    X, _ = separable(0, 4, 200, 25_000, np.float32)
    find_anchors(X[:500], 4, method)
    tracemalloc.start()
    find_anchors(X, 4, method)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.75 * X.nbytes
