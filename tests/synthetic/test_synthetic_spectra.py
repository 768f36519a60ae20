"""Material spectra look like what they are named after."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from unmix.errors import OptionError
from unmix.synthetic import DYES, MATERIALS, material_spectrum

NM = np.arange(400.0, 2451.0, 5.0)


def at(name: str, *wavelengths: float) -> list[float]:
    return material_spectrum(name, np.array(wavelengths)).tolist()


@pytest.mark.parametrize("name", MATERIALS)
@pytest.mark.parametrize("seed", [None, 1, 2])
def test_reflectance_is_physical_and_smooth(name: str, seed: int | None) -> None:
    spectrum = material_spectrum(name, NM, None if seed is None else np.random.default_rng(seed))
    assert spectrum.shape == NM.shape
    assert spectrum.min() > 0
    assert spectrum.max() < 1
    assert np.abs(np.diff(spectrum)).max() < 0.08


def test_materials_can_be_told_apart() -> None:
    spectra = np.array([material_spectrum(name, NM) for name in MATERIALS])
    units = spectra / np.linalg.norm(spectra, axis=1, keepdims=True)
    angles = [np.arccos(units[a] @ units[b]) for a, b in combinations(range(len(units)), 2)]
    assert min(angles) > 0.05


def test_vegetation_has_a_green_peak_a_red_edge_and_water_bands() -> None:
    green, red, infrared = at("vegetation", 550, 675, 860)
    assert red < green < infrared
    assert infrared > 5 * red
    for dip, left, right in ((970, 900, 1070), (1200, 1080, 1280), (1450, 1280, 1660), (1940, 1660, 2200)):
        low, before, after = at("vegetation", dip, left, right)
        assert low < before
        assert low < after


@pytest.mark.parametrize(
    ("name", "dip", "left", "right"),
    [
        ("clay soil", 2207, 2120, 2260),
        ("red soil", 868, 760, 1050),
        ("limestone", 2338, 2230, 2420),
        ("gypsum", 1750, 1650, 1860),
        ("dry grass", 2100, 2020, 2210),
        ("snow", 1030, 950, 1090),
    ],
)
def test_minerals_absorb_where_they_should(name: str, dip: float, left: float, right: float) -> None:
    low, before, after = at(name, dip, left, right)
    assert low < 0.97 * 0.5 * (before + after)


def test_water_is_the_darkest_and_snow_the_brightest_in_the_visible() -> None:
    means = {name: material_spectrum(name, np.arange(400.0, 700.0)).mean() for name in MATERIALS}
    assert min(means, key=means.__getitem__) == "water"
    assert max(means, key=means.__getitem__) == "snow"
    assert at("water", 1650)[0] < 0.01


def test_a_generator_varies_the_material_and_its_absence_does_not() -> None:
    typical = material_spectrum("clay soil", NM)
    np.testing.assert_array_equal(typical, material_spectrum("clay soil", NM))
    varied = material_spectrum("clay soil", NM, np.random.default_rng(3))
    assert 0.001 < np.abs(varied - typical).max() < 0.15


def test_unknown_material_is_refused_with_the_known_ones() -> None:
    with pytest.raises(OptionError, match=r"'kryptonite' is not known.*vegetation"):
        material_spectrum("kryptonite", NM)


@pytest.mark.parametrize("name", list(DYES))
def test_dyes_peak_where_they_say_and_tail_to_the_red(name: str) -> None:
    nm = np.arange(380.0, 781.0)
    spectrum = DYES[name].spectrum(nm)
    assert spectrum.sum() == pytest.approx(1)
    assert abs(nm[spectrum.argmax()] - DYES[name].peak) <= 2
    mean = spectrum @ nm
    assert mean > DYES[name].peak
    assert spectrum @ (nm - mean) ** 3 > 0
