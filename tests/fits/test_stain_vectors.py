"""One matrix for many slides; a stain's vector from a region or a control slide; a matrix that is given."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest

import unmix
from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.fits.stain_patches import single_stain_vector
from unmix.fits.stain_summary import stain_set_of
from unmix.materials.stain_sets import measured_stain_set, stain_set_to_json
from unmix.materials.stains import reference_vectors
from unmix.stain_vectors import cohort_stain_matrix, measure_stain

HE = ("hematoxylin", "eosin")
LAB = np.array([[0.58, 0.74, 0.34], [0.12, 0.90, 0.42]])
LAB /= np.linalg.norm(LAB, axis=1, keepdims=True)


def angles(a, b):
    return np.degrees(np.arccos(np.clip(np.sum(np.asarray(a) * np.asarray(b), axis=-1), -1, 1)))


def tile(seed, shares=(0.5, 0.5), vectors=LAB, white=(243.0, 240.0, 246.0), side=120, noise=1.5):
    rng = np.random.default_rng(seed)
    n = side * side
    amounts = rng.gamma(0.5, 0.12, (n, len(vectors)))
    amounts[:, np.array(shares) == 0] = 0
    amounts[np.arange(n), rng.choice(len(vectors), n, p=shares)] += rng.gamma(3.0, 0.25, n)
    amounts *= (rng.random(n) < 0.7)[:, None]
    light = np.array(white) * np.exp(-amounts @ vectors) + rng.normal(0, noise, (n, 3))
    return np.clip(np.rint(light), 0, 255).astype(np.uint8).reshape(side, side, 3)


# --- a cohort -------------------------------------------------------------------------------------


def test_one_matrix_for_many_slides_is_nearer_the_truth_than_those_of_its_lean_slides():
    slides = [tile(k, shares) for k, shares in enumerate([(0.97, 0.03), (0.5, 0.5), (0.03, 0.97), (0.7, 0.3)])]
    cohort = cohort_stain_matrix(slides)
    error = angles(cohort["endmembers"].values, LAB)
    assert error.max() < 2.0
    assert error.mean() < np.mean([angles(unmix.separate_stains(s)["endmembers"].values, LAB).max() for s in slides])
    assert cohort["slide_angle"].shape == (4, 2)
    assert cohort["slide_angle"].values.max() < 8
    np.testing.assert_array_equal(cohort["slide_flag"].values, ["none"] * 4)
    assert json.loads(cohort.attrs["notes"])["pixels_sampled"] == 4 * 120 * 120
    result = unmix.separate_stains(slides[0], stain_matrix=cohort)
    np.testing.assert_allclose(result["endmembers"].values, cohort["endmembers"].values)
    assert result.attrs["stain_flag"] == "given"


def test_slides_lit_differently_are_brought_to_their_own_white_point():
    white = [(243.0, 240.0, 246.0), (225.0, 230.0, 220.0), (250.0, 235.0, 228.0)]
    cohort = cohort_stain_matrix([tile(k, white=w) for k, w in enumerate(white)])
    assert angles(cohort["endmembers"].values, LAB).max() < 2.0
    assert cohort["slide_angle"].values.max() < 2.5


def test_a_slide_of_other_stains_stands_out():
    odd = tile(9, vectors=reference_vectors("H-DAB"))
    with pytest.warns(UnmixWarning, match=r"1 of 6 slides are 10 degrees or more from the cohort's: slide 6 "):
        cohort = cohort_stain_matrix([tile(k) for k in range(5)] + [odd])
    off = cohort["slide_angle"].values.max(axis=1)
    assert off[5] > 3 * off[:5].max()


def test_a_slide_of_one_image_is_the_slides_own_fit():
    rgb = tile(3)
    cohort = cohort_stain_matrix([rgb])
    np.testing.assert_allclose(cohort["endmembers"].values, unmix.separate_stains(rgb)["endmembers"].values, atol=1e-12)
    np.testing.assert_allclose(cohort["slide_angle"].values, 0, atol=1e-5)


def test_blank_slides_do_not_count_and_are_named(tmp_path):
    from skimage.io import imsave

    paths = []
    for name, rgb in (("a", tile(1)), ("blank", np.full((40, 40, 3), 240, np.uint8)), ("c", tile(2))):
        paths.append(tmp_path / f"{name}.png")
        imsave(paths[-1], rgb, check_contrast=False)
    with pytest.warns(UnmixWarning, match=r"1 of 3 slides have too little tissue and do not count: blank"):
        cohort = cohort_stain_matrix(paths, quantity="brightfield")
    assert np.isnan(cohort["slide_angle"].values[1]).all()
    assert angles(cohort["endmembers"].values, LAB).max() < 2.5
    with pytest.warns(UnmixWarning, match="300 are needed"):
        none = cohort_stain_matrix([np.full((40, 40, 3), 240, np.uint8)] * 2)
    np.testing.assert_allclose(none["endmembers"].values, reference_vectors(HE))


def test_an_empty_cohort_and_wrong_options_are_refused():
    with pytest.raises(OptionError, match="at least one slide"):
        cohort_stain_matrix([])
    with pytest.raises(OptionError, match="sparsiti"):
        cohort_stain_matrix([tile(1)], sparsiti=1)
    with pytest.raises(OptionError, match="this image has 4"):
        cohort_stain_matrix([np.zeros((9, 9, 4), np.uint8)])


# --- a region, a control slide --------------------------------------------------------------------


def test_a_region_drawn_on_one_stain_gives_its_vector():
    rgb = tile(1, side=200)
    brown = reference_vectors(["dab"])[0]
    rng = np.random.default_rng(0)
    patch = np.array([243.0, 240.0, 246.0]) * np.exp(-rng.gamma(3, 0.25, (40, 50, 1)) * brown)
    rgb[20:60, 30:80] = np.clip(np.rint(patch + rng.normal(0, 1.5, patch.shape)), 0, 255)
    mask = np.zeros(rgb.shape[:2], bool)
    mask[20:60, 30:80] = True
    assert angles(measure_stain(rgb, mask=mask), brown) < 0.8
    assert angles(measure_stain(rgb.astype(np.uint16) * 257, mask=mask), brown) < 0.8


def test_a_control_slide_gives_its_vector():
    control = tile(4, (1.0, 0.0))
    assert angles(measure_stain(control), LAB[0]) < 1.0


def test_a_measured_set_is_fitted_used_and_shared(tmp_path):
    vectors = {"hematoxylin": measure_stain(tile(4, (1.0, 0.0))), "our pink": measure_stain(tile(5, (0.0, 1.0)))}
    lab = measured_stain_set("our lab", vectors)
    path = tmp_path / "lab.json"
    path.write_text(stain_set_to_json(lab))
    for stains in (lab, str(path), path):
        result = unmix.separate_stains(tile(6), stains)
        assert [str(name) for name in result["endmember"].values] == ["hematoxylin", "our pink"]
        assert angles(result["endmembers"].values, LAB).max() < 2.5
    as_given = unmix.separate_stains(tile(6), lab, stain_matrix=lab)
    np.testing.assert_allclose(as_given["endmembers"].values, lab.matrix)


def test_a_region_of_several_colours_is_said_aloud():
    with pytest.warns(UnmixWarning, match="may hold several stains"):
        measure_stain(tile(1))


def test_a_region_without_stain_or_outside_is_refused():
    rgb = tile(1)
    with pytest.raises(DataError, match="30 are needed"):
        measure_stain(np.full((30, 30, 3), 240, np.uint8))
    with pytest.raises(OptionError, match="the mask has shape"):
        measure_stain(rgb, mask=np.ones((3, 3), bool))
    with pytest.raises(OptionError, match="keeps no pixel"):
        measure_stain(rgb, mask=np.zeros(rgb.shape[:2], bool))


def test_dirt_in_a_region_does_not_move_its_vector():
    rng = np.random.default_rng(0)
    x = rng.gamma(3, 0.25, (2000, 1)) * LAB[0] + rng.normal(0, 0.01, (2000, 3))
    x[:100] = rng.uniform(0.5, 1.5, (100, 1)) * np.array([1.0, 0.1, 0.1])
    assert angles(single_stain_vector(x), LAB[0]) < 0.3


@pytest.mark.realdata
def test_the_hematoxylin_only_panel_is_a_control_slide(real_data):
    from skimage.io import imread

    sheet = imread(real_data / "histology" / "deepliif_train_Bladder1.png")[..., :3]
    control = np.ascontiguousarray(sheet[:, 512:1024])
    x = -np.log(np.clip(control.reshape(-1, 3), 1, 255) / np.maximum(np.percentile(control, 99.5, axis=(0, 1)), 200))
    x = np.maximum(x, 0)
    truth = np.abs(np.linalg.svd(x[np.linalg.norm(x, axis=1) > 0.5][::7], full_matrices=False)[2][0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        assert angles(measure_stain(control), truth) < 3.0


# --- a matrix that is given -----------------------------------------------------------------------


def test_a_given_matrix_is_judged_beside_the_references():
    result = unmix.separate_stains(tile(1), stain_matrix=2 * LAB)
    np.testing.assert_allclose(result["endmembers"].values, LAB)
    notes = json.loads(result.attrs["provenance"])["fit"]
    assert notes["stain_flag"] == "given"
    assert notes["angle_to_reference_eosin"] == pytest.approx(angles(LAB, reference_vectors(HE))[1])
    assert notes["white_point"] is not None


def test_a_swapped_matrix_is_said_aloud():
    with pytest.warns(UnmixWarning, match="may be swapped"):
        unmix.separate_stains(tile(1), stain_matrix=LAB[::-1])


def test_named_matrices_are_put_in_the_order_asked_for():
    own = stain_set_of(unmix.separate_stains(tile(1)), "own")
    turned = unmix.separate_stains(tile(1), HE[::-1], stain_matrix=own)
    np.testing.assert_allclose(turned["endmembers"].values, own.matrix[::-1])
    with pytest.raises(OptionError, match="no row for dab"):
        unmix.separate_stains(tile(1), "H-DAB", stain_matrix=own)


@pytest.mark.parametrize(
    "matrix", [np.eye(3), np.eye(2), [[1, 2, 3]], [[0, 0, 0], [1, 1, 1]], [[np.nan, 1, 1], [1, 2, 3]], "x", [1, 2, 3]]
)
def test_matrices_that_do_not_fit_are_refused(matrix):
    with pytest.raises(OptionError):
        unmix.separate_stains(tile(1, side=20), stain_matrix=matrix)


def test_brightfield_of_more_channels_is_separated_by_a_matrix_of_as_many():
    rng = np.random.default_rng(0)
    vectors = rng.uniform(0.1, 1.0, (2, 7))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    amounts = rng.gamma(1.0, 0.5, (30, 30, 2))
    light = np.rint(60_000 * np.exp(-amounts @ vectors)).astype(np.uint16)
    result = unmix.separate_stains(light, stain_matrix=vectors, white_point=[60_000] * 7)
    np.testing.assert_allclose(result["abundances"].values, np.moveaxis(amounts, -1, 0), atol=2e-3)
    assert result["residual"].attrs["units"] == "optical density (natural log)"
    with pytest.raises(OptionError, match="stain_matrix= for all"):
        unmix.separate_stains(light)
