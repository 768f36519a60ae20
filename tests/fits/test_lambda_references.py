"""Reference spectra from single-dye stacks, and unmixing with them."""

from __future__ import annotations

import numpy as np
import pytest

import unmix
from unmix.dye_references import dye_references, subtract_dark_level
from unmix.errors import DataError, OptionError, UnmixWarning
from unmix.fits.lambda_references import reference_spectrum
from unmix.synthetic import lambda_stack

DYES = ("nuclear blue", "golgi green", "membrane red")


def scene(seed=1001, **about):
    return lambda_stack(seed, shape=(128, 128), dyes=DYES, **about)


def single_dye_stacks(offset=20.0, seed=7, gain=1.0):
    """Return counts (y, x, band) of each dye of `scene` alone, at the places it has there."""
    made = scene()
    rng = np.random.default_rng(seed)
    return {
        name: (gain * rng.poisson(made.abundances[k][..., None] * made.endmembers[k]) + offset).astype(np.uint16)
        for k, name in enumerate(made.names)
    }


def angles(a, b):
    cosine = np.sum(a * b, axis=1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1))
    return np.degrees(np.arccos(np.clip(cosine, -1, 1)))


def test_references_are_the_dyes_whatever_the_offset():
    for offset in (0.0, 20.0, 400.0):
        found = dye_references(single_dye_stacks(offset))
        assert [str(name) for name in found["endmember"].values] == list(DYES)
        np.testing.assert_allclose(found["endmembers"].values.sum(axis=1), 1.0)
        assert angles(found["endmembers"].values, scene().endmembers).max() < 3.0


def test_a_mixture_is_unmixed_with_its_references():
    mixture = scene(offset=50.0)
    references = dye_references(single_dye_stacks())
    result = unmix.unmix(subtract_dark_level(mixture.image), endmembers=references, quantity="counts")
    assert [str(name) for name in result["endmember"].values] == list(DYES)
    for k in range(3):
        got, true = result["abundances"].values[k], mixture.abundances[k]
        assert np.corrcoef(got.ravel(), true.ravel())[0, 1] > 0.93
        assert got.mean() == pytest.approx(true.mean(), rel=0.1, abs=0.6)


def test_the_dark_level_is_the_cameras_offset():
    cleared = subtract_dark_level(scene(offset=50.0, read_noise=2.0).image)
    plain = scene(offset=0.0).image.values.astype(float)
    assert cleared.dtype == np.float32
    assert cleared.values.min() >= 0
    assert np.median(cleared.values.mean(axis=(0, 1)) - plain.mean(axis=(0, 1))) == pytest.approx(0, abs=1.3)
    assert cleared.attrs["quantity"] == "counts"
    assert cleared.coords["valid"].values.all()


def test_the_dark_level_of_a_lazy_stack_stays_lazy():
    import dask.array as da

    values = scene(offset=50.0).image.values
    lazy = subtract_dark_level(unmix.as_image(da.from_array(values, chunks=(64, 64, 28)), quantity="counts"))
    assert lazy.chunks is not None
    np.testing.assert_allclose(lazy.values, subtract_dark_level(values).values, atol=1e-4)


def test_saturated_references_are_said_aloud():
    stack = np.minimum(single_dye_stacks(gain=100.0)["golgi green"], 255).astype(np.uint8)
    with pytest.warns(UnmixWarning, match="saturated"):
        dye_references({"golgi green": stack})


def test_stacks_that_do_not_fit_or_hold_nothing_are_refused():
    stacks = single_dye_stacks()
    with pytest.raises(OptionError, match="at least one"):
        dye_references({})
    with pytest.raises(OptionError, match="the stack of b has 9 bands"):
        dye_references({"a": stacks["golgi green"], "b": stacks["golgi green"][..., :9]})
    a = unmix.as_image(stacks["golgi green"], wavelengths=np.linspace(410, 680, 28), quantity="counts")
    b = unmix.as_image(stacks["golgi green"], wavelengths=np.linspace(420, 690, 28), quantity="counts")
    with pytest.raises(OptionError, match=r"10\.0 nm"):
        dye_references({"a": a, "b": b})
    with pytest.raises(DataError, match="no brighter"):
        dye_references({"a": np.full((20, 20, 5), 7, np.uint8)})
    with pytest.raises(DataError, match="100 are needed"):
        reference_spectrum(np.ones((50, 3)))


@pytest.mark.realdata
def test_real_mixtures_are_reconstructed_to_the_noise_with_their_references(real_data):
    import tifffile

    folder = real_data / "fluorescence"
    names = ("hoehst", "lyso_tracker_green", "golgi", "mito_tracker", "cell_mask")
    stacks = {
        name: np.moveaxis(tifffile.imread(folder / f"spectral_{name}.lsm").reshape(28, 256, 256), 0, -1)
        for name in names
    }
    references = dye_references(stacks)
    for mixture in ("33_mixture.lsm", "38_mixture.lsm"):
        cube = np.moveaxis(tifffile.imread(folder / mixture).reshape(28, 256, 256), 0, -1)
        result = unmix.unmix(cube, endmembers=references, quantity="counts")
        assert 0.25 < result.attrs["relative_error"] < 0.35
        assert (result["abundances"].mean(("y", "x")).values > 0).all()
