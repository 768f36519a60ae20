"""The stain fit on slides whose stain vectors are known, on slides that hold no answer, and on real ones."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.blocks import sample_pixels
from unmix.errors import Cancelled, DataError, OptionError, UnmixWarning
from unmix.fits.stains import find_stain_vectors
from unmix.image import as_image
from unmix.light.additive import additive_rule
from unmix.materials.stains import reference_vectors
from unmix.options import Options

HE = ("hematoxylin", "eosin")
H_DAB = ("hematoxylin", "dab")
SIDE = 150
WHITE = 240.0

no_glass = pytest.mark.filterwarnings("ignore:the brightest light seen is")  # its own tests are with the white point


def slide(names, shares, seed=0, noise=2.0, side=SIDE):
    """Return an 8-bit slide and its densities: tissue of one main stain a pixel, a little of the others, some glass."""
    rng = np.random.default_rng(seed)
    vectors = reference_vectors(names)
    n, r = side * side, len(names)
    amounts = rng.gamma(0.5, 0.12, (n, r))
    amounts[:, np.array(shares) == 0] = 0
    main = rng.choice(r, n, p=shares)
    amounts[np.arange(n), main] += rng.gamma(3.0, 0.25, n)
    amounts *= (rng.random(n) < 0.7)[:, None]
    light = WHITE * np.exp(-amounts @ vectors) + rng.normal(0, noise, (n, 3))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(side, side, 3)


def amounts_of(share, seed=0):
    """Return the amounts of two stains: one main stain a pixel, a little of the other, some glass."""
    rng = np.random.default_rng(seed)
    n = SIDE * SIDE
    amounts = rng.gamma(0.5, 0.12, (n, 2))
    amounts[np.arange(n), (rng.random(n) > share).astype(int)] += rng.gamma(3.0, 0.25, n)
    return amounts * (rng.random(n) < 0.7)[:, None]


def fit(values, names, options=None, progress=None, **about):
    options = options or Options()
    image = as_image(values, **{"quantity": "brightfield", **about})
    rule, _ = additive_rule(image, sample_pixels(image)[0], options)
    return find_stain_vectors(image, rule, names, options, progress=progress)


def angles(a, b):
    return np.degrees(np.arccos(np.clip(np.sum(np.asarray(a) * np.asarray(b), axis=1), -1, 1)))


# --- known answers --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "shares", "mean_bound", "bound"),
    [
        (HE, (0.5, 0.5), 1.5, 2.2),
        (HE, (0.8, 0.2), 1.5, 2.2),
        (HE, (0.05, 0.95), 1.8, 2.8),
        (HE, (0.95, 0.05), 1.8, 2.8),
        (H_DAB, (0.5, 0.5), 1.5, 2.2),
        (H_DAB, (0.95, 0.05), 1.8, 2.8),
        (("hematoxylin", "eosin", "dab"), (0.4, 0.3, 0.3), 1.5, 3.2),
        (("fast red", "fast blue", "dab"), (0.4, 0.3, 0.3), 1.8, 3.0),
    ],
)
def test_vectors_of_a_slide_whose_stains_are_known(names, shares, mean_bound, bound):
    truth = reference_vectors(names)
    worst = []
    for seed in range(4):
        found = fit(slide(names, shares, seed, noise=(1.0, 2.0, 3.0, 4.0)[seed]), names)
        assert found.notes["stain_flag"] == "none"
        worst.append(angles(found.spectra, truth).max())
    assert np.mean(worst) <= mean_bound
    assert max(worst) <= bound


@pytest.mark.parametrize("names", [HE, H_DAB, ("hematoxylin", "eosin", "dab")])
def test_the_order_of_the_names_does_not_matter(names):
    rgb = slide(names, np.full(len(names), 1 / len(names)))
    forward, backward = fit(rgb, names), fit(rgb, names[::-1])
    assert backward.names == names[::-1]
    np.testing.assert_allclose(backward.spectra[::-1], forward.spectra, atol=2e-3)


def test_what_a_fit_hands_over():
    rgb = slide(HE, (0.5, 0.5))
    found = fit(rgb, HE)
    assert found.names == HE
    np.testing.assert_allclose(np.linalg.norm(found.spectra, axis=1), 1.0, atol=1e-12)
    assert found.spectra.min() >= 0
    notes = found.notes
    gates = [
        "gate_background", "gate_clipped", "gate_over_dense", "gate_brighter_than_white", "gate_colour", "gate_grey",
        "gate_off_plane",
    ]  # fmt: skip
    assert notes["pixels_sampled"] == SIDE * SIDE
    assert sum(notes[gate] for gate in gates) + notes["pixels_fitted"] == SIDE * SIDE
    assert 0.25 * SIDE**2 < notes["gate_background"] < 0.40 * SIDE**2
    assert notes["share_hematoxylin"] + notes["share_eosin"] == pytest.approx(1.0)
    assert notes["share_hematoxylin"] == pytest.approx(0.5, abs=0.06)
    apart = np.degrees(np.arccos(found.spectra[0] @ found.spectra[1]))
    assert notes["smallest_angle"] == pytest.approx(apart)
    assert notes["hull_width_degrees"] > apart
    assert notes["angle_to_reference_eosin"] == pytest.approx(angles(found.spectra, reference_vectors(HE))[1])
    assert notes["naming_margin_degrees"] > 10
    assert found.objective.shape == (notes["refinement_iterations"],)


def test_the_anchor_pixel_has_the_direction_of_its_vector():
    rgb = slide(HE, (0.5, 0.5))
    found = fit(rgb, HE)
    for k in range(2):
        density = -np.log(rgb[found.anchor_row[k], found.anchor_col[k]] / WHITE)
        assert angles(density[None] / np.linalg.norm(density), found.spectra[k : k + 1])[0] < 3
        assert found.anchor_count[k] > 50


def test_two_runs_and_every_block_layout_give_the_same_bits():
    import dask.array as da

    rgb = slide(HE, (0.5, 0.5))
    first = fit(rgb, HE)
    for again in (fit(rgb, HE), fit(da.from_array(rgb, chunks=(64, 77, 3)), HE)):
        np.testing.assert_array_equal(again.spectra, first.spectra)
        np.testing.assert_array_equal(again.anchor_row, first.anchor_row)
        assert dict(again.notes).keys() == dict(first.notes).keys()


@pytest.mark.parametrize(
    "convert",
    [
        lambda rgb: rgb.astype(np.uint16) * 257,
        lambda rgb: rgb.astype(np.uint16) * 16,
        lambda rgb: rgb.astype(np.float32) / 255,
        lambda rgb: rgb.astype(np.float64),
    ],
    ids=["16 bits", "12 bits in 16", "float 0..1", "float 0..255"],
)
def test_the_unit_of_light_does_not_matter(convert):
    rgb = slide(HE, (0.5, 0.5))
    assert angles(fit(convert(rgb), HE).spectra, fit(rgb, HE).spectra).max() < 0.2


def test_optical_density_images_need_no_white_point():
    rgb = slide(HE, (0.5, 0.5))
    density = -np.log(np.maximum(rgb, 1) / WHITE)
    natural = fit(density.astype(np.float32), HE, quantity="optical_density")
    assert angles(natural.spectra, reference_vectors(HE)).max() < 3.5
    tens = (density / np.log(10)).astype(np.float32)
    logged = fit(tens, HE, Options(od_base="10"), quantity="optical_density")
    np.testing.assert_allclose(logged.spectra, natural.spectra, atol=1e-4)


@pytest.mark.parametrize("colour", [(8, 8, 8), (20, 120, 60), (30, 50, 150), (230, 200, 60)])
def test_artefacts_do_not_move_the_vectors(colour):
    rgb = slide(HE, (0.5, 0.5))
    rng = np.random.default_rng(9)
    dirty = rgb.reshape(-1, 3).copy()
    at = rng.choice(len(dirty), len(dirty) // 50, replace=False)
    dirty[at] = np.clip(np.array(colour) + rng.normal(0, 6, (len(at), 3)), 0, 255)
    assert angles(fit(dirty.reshape(rgb.shape), HE).spectra, fit(rgb, HE).spectra).max() < 1.0


@pytest.mark.parametrize("colour", [(95, 120, 195), (165, 190, 225), (150, 150, 215)])
@pytest.mark.parametrize("noise", [0.0, 2.5])
def test_a_pen_of_one_colour_near_that_of_a_stain_does_not_move_the_vectors(colour, noise):
    clean = slide(HE, (0.5, 0.5))
    marked = clean.copy()
    stroke = marked[40:52, 20:100]
    stroke[...] = np.clip(np.rint(np.array(colour) + np.random.default_rng(2).normal(0, noise, stroke.shape)), 0, 255)
    found, expected = fit(marked, HE), fit(clean, HE)
    assert expected.notes["gate_one_colour"] == 0
    assert 0.7 * 960 < found.notes["gate_one_colour"] < 2 * 960
    assert angles(found.spectra, expected.spectra).max() < 0.5


@no_glass
@pytest.mark.filterwarnings("ignore:the dense third")
def test_a_picture_in_flat_colours_keeps_them():
    colours = np.array([(120, 90, 170), (210, 120, 180), (160, 100, 175), (190, 150, 200)], np.uint8)
    picture = colours[np.random.default_rng(0).integers(0, 4, (80, 80))]
    assert fit(picture, HE, quantity="brightfield").notes["gate_one_colour"] == 0


@pytest.mark.parametrize(("there", "named"), [(HE, H_DAB), (H_DAB, HE)])
def test_stains_that_are_others_than_named_are_said_aloud(there, named):
    between = reference_vectors(there) + 0.15 * reference_vectors(named)
    light = WHITE * np.exp(-amounts_of(0.5) @ (between / np.linalg.norm(between, axis=1, keepdims=True)))
    picture = np.rint(light).astype(np.uint8).reshape(SIDE, SIDE, 3)
    with pytest.warns(UnmixWarning, match=f"are nearer to {there[0]} and {there[1]}"):
        found = fit(picture, named)
    assert found.notes["stain_flag"] == "other stains likely"
    assert fit(picture, there).notes["stain_flag"] == "none"


def test_masked_pixels_are_not_looked_at():
    rgb = slide(HE, (0.5, 0.5))
    dirty = rgb.copy()
    dirty[: SIDE // 2] = (90, 200, 90)
    valid = np.ones(rgb.shape[:2], bool)
    valid[: SIDE // 2] = False
    found = fit(dirty, HE, valid=valid)
    np.testing.assert_array_equal(found.spectra, fit(rgb, HE, valid=valid).spectra)
    assert found.anchor_row.min() >= SIDE // 2


# --- slides that do not hold the whole answer -----------------------------------------------------


@pytest.mark.parametrize(("names", "present"), [(HE, 0), (HE, 1), (H_DAB, 0), (H_DAB, 1)])
def test_one_stain_absent_is_flagged_and_the_right_one_named(names, present):
    for seed in range(3):
        shares = np.eye(2)[present]
        with pytest.warns(UnmixWarning, match=f"only {names[present]} is there"):
            found = fit(slide(names, shares, seed), names)
        assert found.notes["stain_flag"] == "one stain"
        error = angles(found.spectra, reference_vectors(names))
        assert error[present] < 3.3
        assert error[1 - present] < 1e-5
        assert (found.anchor_row[1 - present], found.anchor_count[1 - present]) == (-1, 0)
        assert found.anchor_row[present] >= 0


def test_two_stains_named_as_three_fall_back_to_the_references():
    with pytest.warns(UnmixWarning, match="Name the two stains that are there"):
        found = fit(slide(HE, (1.0, 0.0)), ("hematoxylin", "eosin", "dab"))
    assert found.notes["stain_flag"] == "stains too close"
    np.testing.assert_array_equal(found.spectra, reference_vectors(found.names))


@pytest.mark.parametrize(
    ("there", "named", "nearest"),
    [(H_DAB, HE, "dab"), (HE, H_DAB, "eosin"), (("alcian blue", "hematoxylin"), HE, "hematoxylin")],
)
def test_a_slide_of_other_stains_is_said_aloud(there, named, nearest):
    with pytest.warns(UnmixWarning, match=rf"degrees from the published one \(nearest stain: {nearest}\)"):
        found = fit(slide(there, (0.5, 0.5)), named)
    assert found.notes["stain_flag"] == "unlike reference"
    assert found.anchor_row.min() >= 0


@pytest.mark.parametrize(
    "rgb",
    [
        np.full((60, 60, 3), 255, np.uint8),
        np.full((60, 60, 3), 238, np.uint8),
        np.full((60, 60, 3), 8, np.uint8),
        np.full((60, 60, 3), (20, 120, 60), np.uint8),
        np.array([[[100, 50, 150]]], np.uint8),
        np.full((1, 1, 3), 128, np.uint8),
        slide(HE, (0.5, 0.5), side=16),
    ],
    ids=["white", "glass", "ink", "green ink", "one pixel", "one grey pixel", "tiny"],
)
@no_glass
@pytest.mark.parametrize("names", [HE, ("hematoxylin", "eosin", "dab")])
def test_without_tissue_the_references_stand_in_flagged(rgb, names):
    with pytest.warns(UnmixWarning, match="300 are needed"):
        found = fit(rgb, names)
    assert found.notes["stain_flag"] == "too little tissue"
    np.testing.assert_array_equal(found.spectra, reference_vectors(names))
    np.testing.assert_array_equal(found.anchor_row, -1)
    np.testing.assert_array_equal(found.anchor_count, 0)


@no_glass
def test_one_flat_colour_is_one_stain():
    with pytest.warns(UnmixWarning, match="span 0.0 degrees"):
        found = fit(np.full((60, 60, 3), (120, 80, 160), np.uint8), HE)
    assert np.isfinite(found.spectra).all()


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_a_grey_picture_has_no_colour(dtype):
    grey = np.random.default_rng(0).integers(20, 200, (60, 60, 1)).repeat(3, axis=2).astype(dtype)
    with pytest.raises(DataError, match="no colour"):
        fit(grey, HE, white_point=(220.0, 210.0, 200.0))


def test_bands_and_names_are_refused_early():
    rgb = slide(HE, (0.5, 0.5), side=40)
    four = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    with pytest.raises(OptionError, match=r'the image has 4\. Use method="scene"'):
        fit(four, HE)
    with pytest.raises(OptionError, match="2 or 3 stains; 1 were named"):
        fit(rgb, ("hematoxylin",))
    with pytest.raises(OptionError, match="named twice"):
        fit(rgb, ("dab", "DAB"))
    with pytest.raises(OptionError, match="Did you mean 'eosin'"):
        fit(rgb, ("hematoxylin", "eosine"))


def test_an_alpha_channel_that_is_no_good_band_is_left_out():
    rgb = slide(HE, (0.5, 0.5))
    four = np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
    found = fit(four, HE, good_bands=[True, True, True, False])
    np.testing.assert_array_equal(found.spectra[:, :3], fit(rgb, HE).spectra)
    assert np.isnan(found.spectra[:, 3]).all()


def test_a_caller_can_stop_the_fit():
    import dask.array as da

    def stop(stage, done, total):
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        fit(da.from_array(slide(HE, (0.5, 0.5)), chunks=(50, 50, 3)), HE, progress=stop)


def test_the_number_of_fitted_pixels_is_an_option():
    found = fit(slide(HE, (0.5, 0.5)), HE, Options(fit_pixels=2000))
    assert 1000 < found.notes["pixels_fitted"] + found.notes["gate_off_plane"] <= 2000
    assert angles(found.spectra, reference_vectors(HE)).max() < 5


@pytest.mark.parametrize("weights", [(1.0, 0.0, 0.0), (0.0, 0.0, 0.0), (0.0, 10.0, 10.0), (1.0, 10.0, 0.0)])
@pytest.mark.parametrize("names", [HE, ("hematoxylin", "eosin", "dab")])
def test_extreme_weights_still_give_stain_vectors(weights, names):
    sparsity, anchor_weight, prior_weight = weights
    options = Options(sparsity=sparsity, anchor_weight=anchor_weight, prior_weight=prior_weight)
    found = fit(slide(names, np.full(len(names), 1 / len(names))), names, options)
    np.testing.assert_allclose(np.linalg.norm(found.spectra, axis=1), 1.0)
    assert found.spectra.min() >= 0


@settings(max_examples=25)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(1, 40), st.sampled_from([HE, ("dab", "aec", "pas")]))
def test_any_picture_gives_finite_unit_vectors_or_a_plain_refusal(seed, height, width, names):
    rng = np.random.default_rng(seed)
    low, high = np.sort(rng.integers(1, 256, 2))
    rgb = rng.integers(low, high + 1, (height, width, 3), dtype=np.uint8)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        try:
            found = fit(rgb, names)
        except DataError:
            return
    assert np.isfinite(found.spectra).all()
    np.testing.assert_allclose(np.linalg.norm(found.spectra, axis=1), 1.0)


# --- real slides ----------------------------------------------------------------------------------


def picture(path):
    from skimage.io import imread

    return np.ascontiguousarray(imread(path)[..., :3])


def density_of(rgb):
    x = rgb.reshape(-1, 3).astype(float)
    return np.maximum(-np.log(np.clip(x, 1, 255) / np.maximum(np.percentile(x, 99.5, axis=0), 200)), 0)


@pytest.mark.realdata
def test_h_dab_against_a_measured_reference(real_data):
    sheet = picture(real_data / "histology" / "deepliif_train_Bladder1.png")
    tile, h_only, marker = (np.ascontiguousarray(sheet[:, 512 * k : 512 * k + 512]) for k in (0, 1, 4))
    x = density_of(h_only)
    hematoxylin = np.abs(np.linalg.svd(x[np.linalg.norm(x, axis=1) > 0.5][::7], full_matrices=False)[2][0])
    y, m = density_of(tile), marker.max(axis=-1).ravel()
    y = y[m > np.percentile(m, 99)]
    y = y[np.linalg.norm(y, axis=1) > 0.5]
    dab = np.median(y / np.linalg.norm(y, axis=1, keepdims=True), axis=0)
    error = angles(fit(tile, H_DAB).spectra, [hematoxylin, dab / np.linalg.norm(dab)])
    assert error[0] <= 3.0
    assert error[1] <= 7.0


@pytest.mark.realdata
@pytest.mark.parametrize(
    "name",
    [
        "torchstain_source.png", "torchstain_target.png", "tia_TCGA-HE-7130-01Z-00-DX1.png", "tiatoolbox_target.png",
        "warwick_toolbox_image1.tif", "henorm_example1.png", "bksvd_hist0.png", "bksvd_hist1.png", "bksvd_hist2.png",
        "bcdsg_region.png",
    ],
)  # fmt: skip
def test_h_and_e_tiles_are_physical_and_in_order(real_data, name):
    from scipy.optimize import nnls

    rgb = picture(real_data / "histology" / name)
    found = fit(rgb, HE)
    h, e = found.spectra
    assert found.notes["stain_flag"] == "none"
    assert 10 <= found.notes["smallest_angle"] <= 60
    assert found.spectra.min() >= 0
    assert h[0] / h[2] > e[0] / max(e[2], 1e-9)
    x = density_of(rgb)
    x = x[(x > 0.15).any(axis=1)]
    x = x[:: max(1, len(x) // 1500)]
    singular = np.linalg.svd(x, compute_uv=False)
    left = [nnls(found.spectra.T, row)[1] for row in x]
    assert np.linalg.norm(left) <= 1.6 * singular[2]


@pytest.mark.realdata
@pytest.mark.parametrize("colour", [(8, 8, 8), (20, 120, 60), (30, 50, 150)])
def test_artefacts_do_not_move_the_vectors_of_a_real_slide(real_data, colour):
    rgb = picture(real_data / "histology" / "torchstain_source.png")
    rng = np.random.default_rng(1)
    dirty = rgb.reshape(-1, 3).copy()
    at = rng.choice(len(dirty), len(dirty) // 50, replace=False)
    dirty[at] = np.clip(np.array(colour) + rng.normal(0, 6, (len(at), 3)), 0, 255)
    assert angles(fit(dirty.reshape(rgb.shape), HE).spectra, fit(rgb, HE).spectra).max() < 3.0


def tinted_single_stain(seed):
    """Return dense hematoxylin and pale tissue whose colour is anything, as glass of an unknown tint makes it."""
    rng = np.random.default_rng(seed)
    vectors = reference_vectors(HE)
    n = SIDE * SIDE
    density = rng.gamma(6.0, 0.18, (n, 1)) * vectors[0] + rng.normal(0, 0.01, (n, 3))
    pale = rng.random(n) < 0.5
    amount = rng.uniform(0.3, 0.5, (n, 1))
    mix = rng.random((n, 1))
    density[pale] = (amount * (mix * vectors[0] + (1 - mix) * vectors[1]))[pale]
    density[: n // 4] = 0.0
    light = 240 * np.exp(-np.maximum(density, 0)) + rng.normal(0, 1, (n, 3))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(SIDE, SIDE, 3)


def test_a_stain_in_pale_tissue_only_is_doubted_and_kept():
    with pytest.warns(UnmixWarning, match="eosin is seen in pale tissue only; hematoxylin may be alone"):
        found = fit(tinted_single_stain(1), HE)
    assert found.notes["stain_flag"] == "one stain likely"
    assert found.notes["dense_width_degrees"] < 0.5 * found.notes["hull_width_degrees"]
    assert np.degrees(np.arccos(found.spectra[0] @ reference_vectors(HE)[0])) < 3
    assert not np.allclose(found.spectra[1], reference_vectors(HE)[1])


@pytest.mark.parametrize("shares", [(0.5, 0.5), (0.97, 0.03), (0.03, 0.97)])
def test_a_rare_stain_in_dense_tissue_is_not_doubted(shares):
    assert fit(slide(HE, shares), HE).notes["stain_flag"] == "none"
