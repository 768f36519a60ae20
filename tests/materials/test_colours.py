"""Colours: distinct, legible, and those of the light a stain lets through."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage.color import deltaE_ciede2000, rgb2lab

from unmix.errors import DataError
from unmix.materials.colours import (
    PALETTE,
    endmember_colours,
    palette,
    readable,
    stain_colour,
    visible_density,
)

HEMATOXYLIN, EOSIN, DAB = (0.65, 0.70, 0.29), (0.07, 0.99, 0.11), (0.27, 0.57, 0.78)


def contrast_on_white(colour):
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return 1.05 / (linear @ [0.2126, 0.7152, 0.0722] + 0.05)


def test_the_listed_colours_stay_apart():
    lab = rgb2lab(palette(len(PALETTE))[None])[0]
    apart = deltaE_ciede2000(lab[:, None], lab[None])[np.triu_indices(len(PALETTE), 1)]
    assert apart.min() >= 15.9


@pytest.mark.parametrize("n_colours", [0, 1, 12, 13, 40])
def test_there_are_as_many_colours_as_asked_for(n_colours):
    found = palette(n_colours)
    assert found.shape == (n_colours, 3)
    assert ((found >= 0) & (found <= 1)).all()
    assert len({tuple(colour) for colour in found.round(4)}) == n_colours
    np.testing.assert_array_equal(found[:5], palette(5)[: min(5, n_colours)])


def test_stains_look_like_themselves():
    hematoxylin, eosin, dab = (stain_colour(vector) for vector in (HEMATOXYLIN, EOSIN, DAB))
    assert hematoxylin[2] > hematoxylin[0] > 0.3
    assert eosin[0] > eosin[2] > eosin[1]
    assert dab[0] > dab[1] > dab[2]


@given(st.lists(st.floats(0.01, 5.0), min_size=3, max_size=3), st.floats(0.1, 10.0))
def test_the_colour_of_a_stain_does_not_depend_on_its_length(vector, scale):
    np.testing.assert_allclose(stain_colour(np.multiply(vector, scale)), stain_colour(vector), atol=1e-9)


@pytest.mark.parametrize("vector", [(0, 0, 0), (np.nan, np.nan, np.nan), (-1, 0.5, 0.2), (np.inf, 1, 1)])
def test_a_strange_stain_still_has_a_colour(vector):
    found = stain_colour(vector)
    assert np.isfinite(found).all()
    assert ((found >= 0) & (found <= 1)).all()


def test_only_densities_are_seen_as_colours():
    spectra = [HEMATOXYLIN, EOSIN]
    np.testing.assert_array_equal(endmember_colours(spectra, "reflectance"), palette(2))
    np.testing.assert_array_equal(endmember_colours(spectra, "counts"), palette(2))
    np.testing.assert_array_equal(endmember_colours(spectra, "brightfield")[1], stain_colour(EOSIN))


def test_many_bands_are_seen_through_red_green_and_blue():
    nm = np.linspace(400, 700, 31)
    spectra = np.exp(-(((nm - 550) / 30) ** 2))[None]
    density = visible_density(spectra, nm)
    assert density is not None
    assert density[0, 1] > 20 * max(density[0, 0], density[0, 2])
    assert visible_density(spectra) is None
    assert visible_density(spectra, nm + 600) is None
    assert visible_density(spectra, np.full(31, np.nan)) is None
    np.testing.assert_array_equal(endmember_colours(spectra, "optical_density", nm + 600), palette(1))


@given(st.tuples(*[st.floats(0, 1)] * 3))
def test_readable_colours_are_dark_enough_for_text(colour):
    found = readable(np.array(colour))
    assert contrast_on_white(found) >= 3.6
    if contrast_on_white(np.array(colour)) >= 3.6:
        np.testing.assert_array_equal(found, colour)


def test_spectra_of_another_shape_are_refused():
    with pytest.raises(DataError, match=r"shape \(3,\)"):
        endmember_colours([1.0, 2.0, 3.0], "brightfield")
