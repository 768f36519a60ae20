"""Spectral libraries: selection, resampling with a Gaussian response, matching, shade."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import DataError, OptionError
from unmix.materials.library import SpectralLibrary, band_widths, match_library, numbered, resample

FINE = np.arange(400.0, 2401.0, 1.0)


def library() -> SpectralLibrary:
    spectra = [[0.1, 0.2, 0.5], [0.1, 0.2, 0.6], [0.3, 0.35, 0.4], [0.05, 0.04, 0.01]]
    return SpectralLibrary(spectra, ["grass", "grass", "soil", "water"], [450, 650, 850])


def test_names_are_told_apart_and_wavelengths_rise() -> None:
    falling = SpectralLibrary([[3.0, 1.0, 2.0]], ["a"], [900, 500, 700], fwhm=[9, 5, 7])
    np.testing.assert_array_equal(falling.wavelengths, [500, 700, 900])
    np.testing.assert_array_equal(falling.spectra, [[1, 2, 3]])
    np.testing.assert_array_equal(falling.fwhm, [5, 7, 9])
    assert library().names == ("grass", "grass 2", "soil", "water")
    assert library().materials == ("grass", "grass", "soil", "water")


@given(st.lists(st.sampled_from(["a", "a 2", "b", "b 2", "a 3"]), min_size=1, max_size=12))
def test_numbered_names_differ_and_keep_their_beginning(names: list[str]) -> None:
    told = numbered(names)
    assert len(set(told)) == len(names)
    assert all(new.startswith(old) for new, old in zip(told, names, strict=True))


def test_selection_is_by_name_or_by_material() -> None:
    assert library().select(["soil", "grass 2"]).names == ("soil", "grass 2")
    assert library().select(["grass"]).names == ("grass",), "a name goes before a material"
    bundle = SpectralLibrary(np.eye(3), ["g1", "g2", "s"], [1, 2, 3], materials=["grass", "grass", "soil"])
    assert bundle.select(["grass"]).names == ("g1", "g2")
    with pytest.raises(OptionError, match="Did you mean 'grass'"):
        library().select(["gras"])
    with pytest.raises(OptionError, match="no spectrum"):
        library().select([])


@pytest.mark.parametrize(
    ("change", "words"),
    [({"names": ["a"]}, "1 names"), ({"wavelengths": [1, 2]}, "2 wavelengths"),
     ({"wavelengths": [1, 2, np.nan]}, "not a"), ({"wavelengths": [0, 1, 2]}, "not a positive"),
     ({"fwhm": [1, 2]}, "fwhm"), ({"materials": ["x"]}, "1 materials")],
)  # fmt: skip
def test_what_does_not_fit_together_is_refused(change: dict, words: str) -> None:
    given = {"spectra": np.ones((2, 3)), "names": ["a", "b"], "wavelengths": [1, 2, 3]} | change
    with pytest.raises(DataError, match=words):
        SpectralLibrary(**given)


def test_a_gaussian_seen_through_a_gaussian_is_a_wider_gaussian() -> None:
    """Widths add in squares: the known answer of convolution."""
    sigma, response = 30.0, 40.0
    spectrum = np.exp(-0.5 * ((FINE - 1200) / sigma) ** 2)
    centres = np.arange(900.0, 1501.0, 20.0)
    to_fwhm = np.full(len(centres), response * 2 * np.sqrt(2 * np.log(2)))
    wider = np.hypot(sigma, response)
    expected = sigma / wider * np.exp(-0.5 * ((centres - 1200) / wider) ** 2)
    np.testing.assert_allclose(resample(spectrum[None], FINE, centres, to_fwhm, 0 * FINE)[0], expected, atol=1e-6)


def test_only_the_width_that_is_missing_is_smoothed_away() -> None:
    spectrum = np.exp(-0.5 * ((FINE - 1200) / 30.0) ** 2)
    centres = np.array([1150.0, 1200.0])
    from_fwhm = np.full(len(FINE), 60.0)
    twice = resample(spectrum[None], FINE, centres, np.full(2, 100.0), from_fwhm)
    np.testing.assert_allclose(twice, resample(spectrum[None], FINE, centres, np.full(2, 80.0), 0 * FINE), atol=1e-9)
    same = resample(spectrum[None], FINE, centres, np.full(2, 60.0), from_fwhm)
    np.testing.assert_allclose(same[0], np.interp(centres, FINE, spectrum), atol=1e-12)


@settings(max_examples=25)
@given(st.floats(0.01, 5.0), st.floats(0.0, 0.002), st.floats(2.0, 60.0))
def test_a_straight_line_stays_itself(level: float, slope: float, width: float) -> None:
    line = level + slope * (FINE - 400)
    centres = np.linspace(700, 2100, 15)
    found = resample(line[None], FINE, centres, np.full(15, width))[0]
    np.testing.assert_allclose(found, level + slope * (centres - 400), rtol=1e-4)


def test_bands_without_values_are_nan_and_gaps_do_not_pull_down() -> None:
    spectrum = np.full(len(FINE), 0.5)
    spectrum[(FINE > 1340) & (FINE < 1460)] = np.nan
    found = resample(spectrum[None], FINE, np.array([350.0, 1000.0, 1335.0, 1400.0, 2500.0, np.nan]), np.full(6, 20.0))[
        0
    ]
    np.testing.assert_allclose(found[[1, 2]], 0.5)
    assert np.isnan(found[[0, 3, 4, 5]]).all()


def test_widths_that_are_not_known_are_the_distance_between_bands() -> None:
    np.testing.assert_array_equal(band_widths(np.array([400, 410, 430, np.nan])), [10, 10, 20, np.nan])
    assert library().resampled([500, 600]).fwhm.tolist() == [100, 100]


def test_the_nearest_spectrum_its_runner_up_and_the_margin() -> None:
    """The runner-up is of another material: two spectra of grass do not contend."""
    match = match_library(2.5 * library().spectra[1], library())[0]
    assert match.name == "grass 2"
    assert match.angle == pytest.approx(0, abs=1e-7)
    assert match.runner_up == "soil"
    u, v = library().spectra[1], library().spectra[2]
    angle = np.arccos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    assert match.margin == pytest.approx(angle, abs=1e-6)
    alone = match_library([[1.0, 1, 1]], library().select(["grass", "grass 2"]))[0]
    assert (alone.runner_up, alone.margin) == ("", np.inf)


def test_shade_is_one_more_spectrum() -> None:
    shaded = library().with_shade(0.01)
    assert shaded.names[-1] == "shade"
    np.testing.assert_array_equal(shaded.spectra[-1], 0.01)
    for wrong in (-0.1, np.nan):
        with pytest.raises(OptionError, match="shade"):
            library().with_shade(wrong)
    with pytest.raises(OptionError, match="already"):
        shaded.with_shade()
