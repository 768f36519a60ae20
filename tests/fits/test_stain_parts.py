"""The pieces of the stain fit: gates, plane and edges, refinement."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.fits.stain_gate_kernel import cosine_to_cones
from unmix.fits.stain_gates import gate_pixels
from unmix.fits.stain_noise import (
    ORDINARY_SCATTER,
    colour_scatter,
    density_noise,
    less_noise,
    noise_within_scatter,
    weights_at_scatter,
)
from unmix.fits.stain_plane import find_corners, find_edges
from unmix.fits.stain_refine import refine_stain_vectors
from unmix.fits.stain_regions import deciding_region
from unmix.materials.stain_sets import stain_set
from unmix.materials.stains import reference_vectors

HE = ("hematoxylin", "eosin")
H_DAB = ("hematoxylin", "dab")


def angles(a, b):
    return np.degrees(np.arccos(np.clip(np.sum(np.asarray(a) * np.asarray(b), axis=1), -1, 1)))


def test_angle_to_a_cone_against_a_dense_search():
    rng = np.random.default_rng(0)
    a, b = reference_vectors(HE)
    directions = rng.normal(size=(200, 3))
    directions /= np.linalg.norm(directions, axis=1, keepdims=True)
    t = np.linspace(0, 1, 4001)[:, None]
    cone = (1 - t) * a + t * b
    cone /= np.linalg.norm(cone, axis=1, keepdims=True)
    found = [cosine_to_cones(*direction, np.array([[a, b]]), 1.0) for direction in directions]
    np.testing.assert_allclose(found, (directions @ cone.T).max(axis=1), atol=1e-6)


def test_each_gate_drops_what_it_is_for():
    h, e = reference_vectors(HE)
    density = np.array([0.1 * h, 0.8 * h, 0.8 * e, 3.0 * h, 0.8 * h, [0.9, 0.5, -0.2], [0, 0, 1.0], 0.6 * h + 0.4 * e])
    clipped = np.array([0, 0, 0, 0, 1, 0, 0, 0], bool)
    kept, counts = gate_pixels(density, clipped, stain_set(HE).variant_vectors)
    np.testing.assert_array_equal(kept, [1, 2, 7])
    assert counts == {
        "gate_background": 1, "gate_clipped": 1, "gate_over_dense": 1, "gate_brighter_than_white": 1,
        "pixels_with_stain_density": 4, "gate_colour": 1, "gate_grey": 0, "gate_one_colour": 0,
    }  # fmt: skip


def beside_grey(names, n_grey, n_stained):
    """Return densities of a few grey pixels and of many of the stains."""
    return np.vstack([np.full((n_grey, 3), 0.5), np.repeat(0.8 * reference_vectors(names), n_stained // 2, axis=0)])


def test_a_little_grey_is_dropped_for_h_dab_and_kept_where_it_is_a_mixture_of_the_stains():
    for names, n_dropped in ((H_DAB, 2), (("methyl green", "ponceau fuchsin"), 0)):
        density = beside_grey(names, 2, 40)
        _, counts = gate_pixels(density, np.zeros(42, bool), stain_set(names).variant_vectors)
        assert counts["gate_grey"] == n_dropped


def test_much_grey_is_a_stain_and_stays():
    kept, counts = gate_pixels(beside_grey(H_DAB, 6, 40), np.zeros(46, bool), stain_set(H_DAB).variant_vectors)
    assert (len(kept), counts["gate_grey"]) == (46, 0)


@pytest.mark.parametrize("sigma", [0.005, 0.02, 0.05])
def test_scatter_off_the_plane_is_the_noise(sigma):
    rng = np.random.default_rng(0)
    density = rng.gamma(2, 0.4, (20_000, 2)) @ reference_vectors(HE) + rng.normal(0, sigma, (20_000, 3))
    assert colour_scatter(density, reference_vectors(HE)) == pytest.approx(sigma, rel=0.05)


def test_scatter_outside_the_cone_of_three_stains_grows_with_the_noise():
    rng = np.random.default_rng(0)
    vectors = reference_vectors(("hematoxylin", "eosin", "dab"))
    density = rng.dirichlet(np.full(3, 0.3), 20_000) @ vectors
    assert colour_scatter(density, vectors) == 0.0
    found = [colour_scatter(density + rng.normal(0, sigma, density.shape), vectors) for sigma in (0.005, 0.01, 0.02)]
    np.testing.assert_allclose(found, [0.005, 0.01, 0.02], rtol=0.5)


def test_weights_hold_at_ordinary_scatter_and_trust_the_hull_where_there_is_little():
    for scatter in (ORDINARY_SCATTER, 10 * ORDINARY_SCATTER):
        assert weights_at_scatter(scatter, 0.06, 0.05) == (0.06, 0.05)
    sparsity, anchor_weight = weights_at_scatter(ORDINARY_SCATTER / 2, 0.06, 0.05)
    assert (sparsity, anchor_weight) == (pytest.approx(0.015), pytest.approx(0.8))
    assert weights_at_scatter(0.0, 0.06, 0.05) == (pytest.approx(0.0006), pytest.approx(500))


def test_noise_of_light_becomes_noise_of_density():
    rng = np.random.default_rng(0)
    density, noise = np.full((20_000, 3), 0.5), np.array([0.01, 0.02, 0.01])
    measured = -np.log(np.exp(-density) + noise * rng.standard_normal(density.shape)) - density
    assert density_noise(density, noise) == pytest.approx(np.sqrt(np.mean(measured**2)), rel=0.02)
    np.testing.assert_array_equal(noise_within_scatter(density, noise, 1.0), noise)
    assert density_noise(density, noise_within_scatter(density, noise, 0.005)) == pytest.approx(0.005 * 2**0.5)
    np.testing.assert_array_equal(noise_within_scatter(density, None, 1.0), 0.0)


def test_what_noise_does_to_edges_is_taken_back():
    """Edges are tails: noise widens the fan. Most of that is gone, and without noise nothing moves."""
    rng = np.random.default_rng(0)
    truth = reference_vectors(HE)
    clean = rng.gamma(0.5, 0.1, (40_000, 2))
    clean[np.arange(len(clean)), rng.integers(0, 2, len(clean))] += rng.gamma(3.0, 0.3, len(clean))
    clean, noise = clean @ truth, np.full(3, 0.012)
    density = np.maximum(-np.log(np.maximum(np.exp(-clean) + noise * rng.standard_normal(clean.shape), 1 / 255)), 0)

    def edges(these):
        return find_edges(these, truth).vectors

    ideal, noisy = edges(clean), edges(density)
    np.testing.assert_allclose(less_noise(edges, density, noisy, np.zeros(3)), noisy, atol=1e-12)
    mended = less_noise(edges, density, noisy, noise)
    assert angles(noisy, ideal).min() > 1.0
    assert (angles(mended, ideal) < 0.6 * angles(noisy, ideal)).all()
    np.testing.assert_array_equal(mended, less_noise(edges, density, noisy, noise))


@pytest.mark.parametrize(("factor", "kept"), [(1.0, True), (4.0, False), (0.3, False)])
def test_a_rare_grey_stain_stays_and_dirt_and_haze_of_the_same_share_go(factor, kept):
    """A stain is as often denser than the rest as paler; dirt is dense, haze is pale."""
    rng = np.random.default_rng(0)
    h, dab = reference_vectors(H_DAB)
    colours = np.where(rng.random(5000) < 0.06, 2, rng.integers(0, 2, 5000))
    amount = 0.25 + rng.gamma(3.0, 0.1, 5000)
    amount[colours == 2] *= factor
    density = amount[:, None] * np.array([h, dab, np.full(3, 3**-0.5)])[colours]
    _, counts = gate_pixels(density, np.zeros(len(density), bool), stain_set(H_DAB).variant_vectors)
    assert (counts["gate_grey"] == 0) == kept


def test_edges_of_noiseless_mixtures_are_the_ends_of_the_fan():
    truth = reference_vectors(HE)
    share = np.linspace(0, 1, 5001)
    density = share[:, None] * truth[0] + (1 - share)[:, None] * truth[1]
    corners = find_edges(density, truth)
    assert angles(corners.vectors, truth).max() < 1.0
    assert corners.n_off_plane == 0
    swapped = find_edges(density, truth[::-1])
    np.testing.assert_allclose(swapped.vectors, corners.vectors[::-1], atol=1e-12)


def test_refinement_without_penalties_leaves_exact_vectors_alone():
    truth = reference_vectors(HE)
    amounts = np.random.default_rng(0).gamma(1.0, 0.5, (2000, 2))
    refined = refine_stain_vectors(amounts @ truth, truth, truth, sparsity=0.0)
    np.testing.assert_allclose(refined.vectors, truth, atol=1e-9)
    np.testing.assert_allclose(refined.shares, amounts.sum(axis=0) / amounts.sum(), atol=1e-6)
    assert refined.stop_reason == "converged"


def test_refinement_draws_vectors_that_are_too_wide_inwards_and_stronger_anchors_hold_them():
    truth = reference_vectors(HE)
    rng = np.random.default_rng(0)
    density = np.maximum(rng.gamma(1.0, 0.5, (4000, 2)) @ truth + rng.normal(0, 0.02, (4000, 3)), 0)
    wide = np.maximum(truth + 0.25 * (truth - truth[::-1]), 0)
    wide /= np.linalg.norm(wide, axis=1, keepdims=True)
    apart = []
    for weight in (0.0, 0.05, 10.0):
        vectors = refine_stain_vectors(density, wide, truth, anchor_weight=weight).vectors
        apart.append(np.degrees(np.arccos(vectors[0] @ vectors[1])))
    assert apart[0] < apart[1] < apart[2] <= np.degrees(np.arccos(wide[0] @ wide[1]))


def test_a_little_dense_ink_off_the_plane_does_not_turn_it():
    h, e = reference_vectors(HE)
    near = np.array([h + 0.3 * e, e + 0.3 * h])
    near /= np.linalg.norm(near, axis=1, keepdims=True)
    rng = np.random.default_rng(0)
    tissue = rng.uniform(0.2, 0.7, (9600, 1)) * (lambda t: t * near[0] + (1 - t) * near[1])(rng.random((9600, 1)))
    brown = rng.uniform(1.5, 2.2, (400, 1)) * reference_vectors(["dab"])
    density = np.maximum(np.vstack([tissue, brown]) + rng.normal(0, 0.01, (10_000, 3)), 0)
    clean, dirty = find_edges(density[:9600], near), find_edges(density, near)
    assert angles(clean.vectors, near).max() < 3
    assert angles(dirty.vectors, clean.vectors).max() < 0.5
    assert not dirty.kept[9600:].any()


def test_a_rare_stain_is_not_taken_for_ink():
    h, e = reference_vectors(HE)
    rng = np.random.default_rng(0)
    density = rng.uniform(0.3, 1.5, (10_000, 1)) * np.where(np.arange(10_000)[:, None] < 400, h, e)
    density = np.maximum(density + rng.normal(0, 0.02, density.shape), 0)
    found = find_edges(density, np.array([h, e]))
    assert found.kept[:400].mean() > 0.9
    assert angles(found.vectors, [h, e]).max() < 6


def test_corners_of_noiseless_mixtures_of_three_stains():
    truth = reference_vectors(("hematoxylin", "eosin", "dab"))
    rng = np.random.default_rng(0)
    shares = rng.dirichlet(np.full(3, 0.2), 20_000)
    corners = find_corners(shares @ truth * rng.uniform(0.3, 2.0, (20_000, 1)))
    nearest = np.degrees(np.arccos(np.clip(corners.vectors @ truth.T, -1, 1)))
    assert sorted(nearest.argmin(axis=1)) == [0, 1, 2]
    assert nearest.min(axis=1).max() < 1.0
    assert corners.counts.min() >= 20


def test_corners_of_one_colour_coincide():
    density = np.random.default_rng(0).uniform(0.3, 2.0, (500, 1)) * reference_vectors(["eosin"])
    corners = find_corners(density)
    assert corners.width_degrees < 1e-3
    assert np.isfinite(corners.vectors).all()


def picture_with_a_part(part_vectors, part):
    """Return densities of a picture of 100 columns, whose rows in `part` are of other vectors, and their positions."""
    rng = np.random.default_rng(0)
    amounts = rng.gamma(0.5, 0.1, (30_000, 2))
    amounts[np.arange(30_000), rng.integers(0, 2, 30_000)] += rng.gamma(3.0, 0.25, 30_000)
    density, positions = amounts @ reference_vectors(HE), np.arange(30_000)
    inside = (positions // 100 >= part[0]) & (positions // 100 < part[1])
    density[inside] = amounts[inside] @ part_vectors
    return density, positions


def region_of(density, positions):
    references = reference_vectors(HE)
    return deciding_region(density, positions, 100, lambda these: find_edges(these, references), 12.0)


def test_the_part_that_decides_is_named():
    pen = reference_vectors(HE) + np.array([0.5, 0.3, 0.0])
    region = region_of(*picture_with_a_part(pen / np.linalg.norm(pen, axis=1, keepdims=True), (230, 290)))
    assert region.moved > 6
    assert region.where == "the part between 75 and 100 % of its height"


def test_no_part_decides_where_all_are_alike_or_one_stain_is_in_a_part_only():
    both = reference_vectors(HE)
    assert region_of(*picture_with_a_part(both, (0, 0))).moved < 1.0
    density, positions = picture_with_a_part(both, (0, 0))
    rest = positions // 100 >= 75
    density[rest] = np.linalg.norm(density[rest], axis=1, keepdims=True) * both[0]
    assert region_of(density, positions).moved < 2.0
    assert region_of(density[:400], positions[:400]) is None
