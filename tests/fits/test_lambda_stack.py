"""The lambda-stack fit on stacks whose dyes are known, on stacks that hold no answer, and on real ones."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import gaussian_filter
from scipy.optimize import linear_sum_assignment

import unmix
from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.fits import lambda_windows
from unmix.fits.lambda_poisson import factorise_counts, kullback_leibler, merge_components
from unmix.fits.lambda_stack import find_dye_spectra
from unmix.fits.lambda_windows import block_sums, load_windows, window_mean
from unmix.image import as_image
from unmix.light.additive import additive_rule
from unmix.options import Options
from unmix.readers.saved_result import open_endmembers
from unmix.sampling import sample_pixels

BANDS = 28


def dyes(rng, r):
    """Return emission spectra (r, bands): a steep side, a long tail, peaks spread over the bands."""
    band = np.arange(BANDS)
    peak = np.linspace(3, BANDS - 6, r)[:, None] + rng.uniform(-1, 1, (r, 1))
    width = np.where(band < peak, rng.uniform(1.2, 2.0, (r, 1)), rng.uniform(2.2, 4.0, (r, 1)))
    spectra = np.exp(-0.5 * ((band - peak) / width) ** 2)
    return spectra / spectra.sum(axis=1, keepdims=True)


def stack(seed, r, side=96, photons=150, shares=None, offset=0.0, read_noise=0.0):
    """Return photon counts (side, side, bands) of r dyes with smooth, partly overlapping maps, and their spectra."""
    rng = np.random.default_rng(seed)
    spectra = dyes(rng, r)
    shares = np.full(r, 1 / r) if shares is None else np.asarray(shares)
    fields = [gaussian_filter(rng.normal(size=(side, side)), rng.uniform(2, 5)) for _ in range(r)]
    maps = np.stack([np.maximum(f / f.std() - rng.uniform(0.3, 1.0), 0) for f in fields], axis=-1)
    maps *= shares / maps.mean(axis=(0, 1))
    counts = rng.poisson(photons * maps @ spectra + 0.02) + offset
    if read_noise:
        counts = np.rint(counts + rng.normal(0, read_noise, counts.shape))
    return np.maximum(counts, 0).astype(np.uint16), spectra


def fit(values, r, options=None, **about):
    options = options or Options()
    image = as_image(values, **{"quantity": "counts", **about})
    rule, _ = additive_rule(image, sample_pixels(image)[0], options)
    return find_dye_spectra(image, rule, r, options)


def angles(truth, found):
    """Return the angle in degrees of each true spectrum to the one matched to it."""
    unit = [m / np.linalg.norm(m, axis=1, keepdims=True) for m in (truth, found)]
    angle = np.degrees(np.arccos(np.clip(unit[0] @ unit[1].T, -1, 1)))
    rows, columns = linear_sum_assignment(angle)
    return angle[rows, columns]


# --- known answers --------------------------------------------------------------------------------


@pytest.mark.parametrize("r", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("extra", [0, 3])
def test_dyes_of_a_stack_whose_spectra_are_known(r, extra):
    for seed in range(3):
        counts, spectra = stack(seed, r)
        found = fit(counts, r, Options(extra_anchors=extra))
        error = angles(spectra, found.spectra)
        assert error.mean() < 3.0
        assert error.max() < 9.0


def test_a_weak_dye_is_not_merged_into_a_strong_one():
    for seed in range(3):
        counts, spectra = stack(seed, 5, shares=(0.6, 0.05, 0.2, 0.1, 0.05))
        assert angles(spectra, fit(counts, 5).spectra).max() < 10.0


def test_a_camera_offset_is_found_and_does_not_become_a_dye():
    counts, spectra = stack(0, 3, offset=20.0, read_noise=2.0)
    found = fit(counts, 3)
    np.testing.assert_allclose(found.notes["offset_by_band"], 20.0, atol=1.0)
    assert angles(spectra, found.spectra).max() < 8.0


def test_the_dark_level_that_the_fit_leaves_out_is_left_out_of_the_maps():
    counts, _ = stack(0, 3, side=48, offset=40.0, read_noise=2.0)
    result = unmix.unmix(counts, 3, quantity="counts")
    dark = json.loads(result.attrs["provenance"])["fit"]["offset_by_band"]
    np.testing.assert_allclose(dark, 40.0, atol=1.5)
    told = unmix.map_abundances(counts, result["endmembers"], quantity="counts", background=tuple(dark))
    np.testing.assert_allclose(result["abundances"], told["abundances"], rtol=1e-5, atol=1e-4)
    kept = unmix.unmix(counts, 3, quantity="counts", background=(0,))
    np.testing.assert_allclose(kept["endmembers"], result["endmembers"], atol=1e-6)
    assert kept["abundances"].sum("endmember").min() > 0.7 * 40 * counts.shape[2]
    assert result["abundances"].sum("endmember").min() < 10 * counts.shape[2]


def test_a_set_of_dyes_takes_its_dark_level_along(tmp_path):
    counts, _ = stack(0, 3, side=48, offset=40.0, read_noise=2.0)
    whole = unmix.unmix(counts, 3, quantity="counts")
    unmix.write(whole, tmp_path / "result.nc")
    found = unmix.find_endmembers(counts, 3, quantity="counts")
    for dyes in (found, whole, unmix.open_result(tmp_path / "result.nc"), open_endmembers(tmp_path / "result.nc")):
        np.testing.assert_array_equal(
            unmix.map_abundances(counts, dyes, quantity="counts")["abundances"], whole["abundances"]
        )
    for notes in ("", "[]", '{"offset_by_band": "high"}', '{"offset_by_band": [1, 2]}', '{"offset_by_band": {}}'):
        told = unmix.map_abundances(counts, found.assign_attrs(notes=notes), quantity="counts")
        assert told["abundances"].sum("endmember").min() > 0.7 * 40 * counts.shape[2]


def test_what_a_fit_hands_over():
    counts, _ = stack(0, 3)
    found = fit(counts, 3, wavelengths=np.linspace(420, 690, BANDS))
    assert found.names == ("dye 1", "dye 2", "dye 3")
    np.testing.assert_allclose(found.spectra.sum(axis=1), 1.0)
    assert found.spectra.min() >= 0
    assert list(found.spectra.argmax(axis=1)) == sorted(found.spectra.argmax(axis=1))
    assert found.objective.shape == (55,)
    assert found.notes["shares"].sum() == pytest.approx(1.0)
    assert 0 < found.notes["smallest_angle"] < 90
    assert found.notes["merge_similarity_last_accepted"] is None or found.notes["merge_similarity_last_accepted"] >= 0.6
    assert (found.anchor_count > 0).all()
    averaged = gaussian_filter(counts.astype(float), (2, 2, 0))
    for k in range(3):
        pixel = averaged[found.anchor_row[k], found.anchor_col[k]]
        assert angles(found.spectra[k : k + 1], pixel[None])[0] < 25


def test_dyes_are_in_the_order_of_their_peak_wavelengths_whatever_the_order_of_the_bands():
    counts, _ = stack(0, 3)
    forward = fit(counts, 3, wavelengths=np.linspace(420, 690, BANDS))
    backward = fit(counts[..., ::-1], 3, wavelengths=np.linspace(420, 690, BANDS)[::-1])
    np.testing.assert_allclose(backward.spectra[:, ::-1], forward.spectra, atol=1e-6)


def test_two_runs_and_every_block_layout_give_the_same_bits():
    import dask.array as da

    counts, _ = stack(1, 3)
    first = fit(counts, 3)
    for again in (fit(counts, 3), fit(da.from_array(counts, chunks=(40, 33, BANDS)), 3)):
        np.testing.assert_array_equal(again.spectra, first.spectra)
        np.testing.assert_array_equal(again.anchor_row, first.anchor_row)


def test_the_unit_of_the_counts_does_not_matter():
    counts, _ = stack(2, 3)
    scaled = fit(counts.astype(np.float32) * np.float32(6.2), 3)
    assert angles(fit(counts, 3).spectra, scaled.spectra).max() < 0.1


@pytest.mark.parametrize("shape", [(95, 94), (64, 17), (7, 90)])
def test_sides_need_not_be_multiples_of_three(shape):
    counts, spectra = stack(0, 2)
    assert angles(spectra, fit(counts[: shape[0], : shape[1]], 2).spectra).max() < 10


def test_invalid_pixels_are_not_looked_at():
    counts, spectra = stack(0, 3)
    values = counts.astype(np.float32)
    values[:30, :50] = np.nan
    values[60:70, 5:9, 3] = np.inf
    found = fit(values, 3)
    assert angles(spectra, found.spectra).max() < 5
    junk = counts.copy()
    junk[:30] = 65535
    valid = np.ones(counts.shape[:2], bool)
    valid[:30] = False
    masked = fit(junk, 3, valid=valid)
    np.testing.assert_array_equal(masked.spectra, fit(np.where(valid[..., None], counts, 0), 3, valid=valid).spectra)
    assert masked.anchor_row.min() >= 30


def test_bad_bands_are_nan_and_the_others_sum_to_one():
    counts, spectra = stack(0, 3)
    good = np.arange(BANDS) != 10
    found = fit(counts, 3, good_bands=good)
    assert np.isnan(found.spectra[:, 10]).all()
    np.testing.assert_allclose(found.spectra[:, good].sum(axis=1), 1.0)
    assert angles(spectra[:, good], found.spectra[:, good]).max() < 5


def test_a_large_stack_is_judged_by_windows_that_fit_in_memory(monkeypatch):
    counts, spectra = stack(0, 3, side=300)
    monkeypatch.setattr(lambda_windows, "WINDOW_BYTES", 4 * BANDS * 63 * 63 * 9)
    image = as_image(counts, quantity="counts")
    rule, _ = additive_rule(image, sample_pixels(image)[0], Options())
    values, valid, positions = load_windows(image, rule)
    assert values.shape == (9, 63, 63, BANDS)
    assert valid.all()
    assert len(np.unique(positions)) == positions.size
    np.testing.assert_array_equal(values.reshape(-1, BANDS), counts.reshape(-1, BANDS)[positions.ravel()])
    assert angles(spectra, find_dye_spectra(image, rule, 3, Options()).spectra).max() < 5


# --- refusals and warnings ------------------------------------------------------------------------


def test_too_many_dyes_are_refused_with_the_way_out():
    counts, _ = stack(0, 2, side=40)
    with pytest.raises(OptionError, match="outside 1 to 28"):
        fit(counts, 29)
    with pytest.raises(OptionError, match="outside 1 to 28"):
        fit(counts, 0)


def test_a_stack_without_emission_is_refused():
    with pytest.raises(DataError, match="no pixel is brighter than the offset"):
        fit(np.full((30, 30, 8), 7, np.uint16), 2)


def test_fewer_distinct_spectra_than_dyes_are_refused():
    rng = np.random.default_rng(0)
    one = rng.gamma(1.0, 500.0, (40, 40, 1)) * dyes(rng, 1)[0]
    with pytest.raises(DataError, match=r"has 1 distinct spectra, 2 dyes were asked for\. Ask for at most 1"):
        fit(one.astype(np.float32), 2)
    np.testing.assert_allclose(fit(one.astype(np.float32), 1).spectra.sum(), 1.0)


def test_one_pixel_has_no_offset_to_be_told_from():
    with pytest.raises(DataError, match="no pixel is brighter than the offset"):
        fit(np.full((1, 1, 8), 7, np.uint16), 1)


def test_asking_for_more_dyes_than_there_are_is_said_aloud():
    counts, _ = stack(0, 2)
    with pytest.warns(UnmixWarning, match="as fragments of one dye are"):
        fit(counts, 4, Options(extra_anchors=0))


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 25), st.integers(1, 25), st.integers(2, 9), st.integers(1, 8))
def test_any_counts_give_finite_spectra_or_a_plain_refusal(seed, height, width, n_bands, r):
    rng = np.random.default_rng(seed)
    counts = rng.poisson(rng.gamma(0.5, 20, (height, width, n_bands)))
    counts[0, 0] += 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        try:
            found = fit(counts.astype(np.uint16), r)
        except (DataError, OptionError):
            return
    assert np.isfinite(found.spectra).all()
    np.testing.assert_allclose(found.spectra.sum(axis=1), 1.0)
    assert (found.anchor_row >= 0).all()


# --- the parts ------------------------------------------------------------------------------------


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_the_divergence_never_rises(seed, k):
    rng = np.random.default_rng(seed)
    X = rng.poisson(rng.gamma(0.3, 30, (60, 3)) @ rng.random((3, 12))).astype(float)
    factors = factorise_counts(X, rng.random((k, 12)))
    assert (np.diff(factors.objective) <= 1e-9 * (1 + X.sum())).all()
    np.testing.assert_allclose(factors.spectra.sum(axis=1), 1.0)
    assert factors.maps.min() >= 0
    assert factors.objective[-1] == pytest.approx(
        kullback_leibler(X, np.maximum(factors.maps @ factors.spectra, 1e-12))
    )


def test_the_divergence_against_its_definition():
    from scipy.special import kl_div

    rng = np.random.default_rng(0)
    X, model = rng.poisson(2.0, (30, 5)).astype(float), rng.random((30, 5)) + 0.1
    assert kullback_leibler(X, model) == pytest.approx(kl_div(X, model).sum())


def test_fragments_of_one_dye_are_merged_and_an_overlapping_dye_is_not():
    band = np.arange(20)
    left, right, other = (np.exp(-0.5 * ((band - c) / 2.0) ** 2) for c in (8.0, 9.0, 10.0))
    spectra = np.array([s / s.sum() for s in (left, right, other)])
    amounts = np.random.default_rng(0).gamma(1.0, 1.0, (500, 2))
    maps = np.column_stack([0.7 * amounts[:, 0], 0.3 * amounts[:, 0], amounts[:, 1] * (amounts[:, 0] < 0.3)])
    merged = merge_components(maps, spectra, 2)
    assert set(merged.parts) == {(0, 1), (2,)}
    together = merged.parts.index((0, 1))
    np.testing.assert_allclose(merged.spectra[together], 0.7 * spectra[0] + 0.3 * spectra[1])
    np.testing.assert_allclose(merged.maps[:, together], amounts[:, 0])
    assert merged.accepted[0] > 0.9 > merged.refused


def test_window_means_count_valid_pixels_only():
    rng = np.random.default_rng(0)
    values = rng.random((2, 9, 8, 3)).astype(np.float32)
    valid = rng.random((2, 9, 8)) < 0.7
    values[~valid] = 0
    averaged = window_mean(values, valid, 7)
    for w, y, x in ((0, 4, 4), (1, 0, 0), (0, 8, 3)):
        window = (w, slice(max(0, y - 3), y + 4), slice(max(0, x - 3), x + 4))
        np.testing.assert_allclose(averaged[w, y, x], values[window][valid[window]].mean(axis=0), rtol=1e-4)


def test_block_sums_keep_every_count_that_fits():
    values = np.arange(2 * 7 * 8 * 2, dtype=np.float32).reshape(2, 7, 8, 2)
    summed = block_sums(values, 3)
    assert summed.shape == (2 * 2 * 2, 2)
    np.testing.assert_array_equal(summed[0], values[0, :3, :3].sum(axis=(0, 1)))
    np.testing.assert_array_equal(summed.sum(axis=0), values[:, :6, :6].sum(axis=(0, 1, 2)))


# --- real stacks ----------------------------------------------------------------------------------


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["33_mixture.lsm", "38_mixture.lsm"])
def test_five_dyes_against_single_dye_stacks_of_the_same_instrument(real_data, name):
    import tifffile

    references = []
    for dye in ("hoehst", "lyso_tracker_green", "golgi", "mito_tracker", "cell_mask"):
        counts = tifffile.imread(real_data / "fluorescence" / f"spectral_{dye}.lsm").reshape(BANDS, -1).T.astype(float)
        total = counts.sum(axis=1)
        bright, dim = total >= np.percentile(total, 97), total <= np.percentile(total, 10)
        references.append(np.maximum(counts[bright].mean(axis=0) - counts[dim].mean(axis=0), 0))
    cube = np.moveaxis(tifffile.imread(real_data / "fluorescence" / name).reshape(BANDS, 256, 256), 0, -1)
    found = fit(cube, 5)
    assert found.notes["components_merged"] == 3
    assert angles(np.array(references), found.spectra).mean() <= 12.0
