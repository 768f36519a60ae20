"""Named stains: unit vectors, the published numbers, the names people type."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.errors import OptionError
from unmix.materials.stains import (
    STAIN_SETS,
    STAINS,
    find_stain,
    nearest_stain,
    reference_vectors,
    stain_names,
)


@pytest.mark.parametrize("name", STAINS)
def test_every_stain_has_unit_non_negative_vectors_a_source_each_and_a_colour(name):
    stain = STAINS[name]
    assert len(stain.sources) == len(stain.variants)
    assert all(len(source) > 20 for source in stain.sources)
    np.testing.assert_allclose(np.linalg.norm(stain.variant_vectors, axis=1), 1.0, atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(stain.vector), 1.0, atol=1e-12)
    assert stain.vector.min() > 0
    assert len(stain.colour) == 7
    assert stain.colour.startswith("#")


def test_the_numbers_agree_with_those_scikit_image_publishes():
    from skimage import color

    published = {
        "H-DAB": color.rgb_from_hdx[:2],
        "H-AEC": color.rgb_from_hax[:2],
        "H-PAS": color.rgb_from_hpx[:2],
        "Masson trichrome": color.rgb_from_bpx[:2],
        "Feulgen-light green": color.rgb_from_fgx[:2],
        "Giemsa": color.rgb_from_bex[:2],
        "methyl green-DAB": color.rgb_from_gdx[:2],
        "FastRed-FastBlue-DAB": color.rgb_from_rbd,
        "Azan-Mallory": color.rgb_from_bro,
    }
    for name, rows in published.items():
        rows = rows / np.linalg.norm(rows, axis=1, keepdims=True)
        cosine = np.sum(rows * reference_vectors(name), axis=1)
        assert np.degrees(np.arccos(np.clip(cosine, -1, 1))).max() < 2.0, name  # hematoxylin is printed in two ways


def test_eosin_has_two_published_vectors_and_its_reference_lies_between_them():
    eosin = find_stain("eosin")
    a, b = eosin.variant_vectors
    assert 25 < np.degrees(np.arccos(a @ b)) < 35
    np.testing.assert_allclose(eosin.vector @ a, eosin.vector @ b)
    np.testing.assert_allclose(np.linalg.det([a, b, eosin.vector]), 0.0, atol=1e-12)


def test_every_stain_set_names_two_or_three_known_stains_that_differ():
    for name, stains in STAIN_SETS.items():
        assert stain_names(name) == stains
        assert len(stains) in (2, 3)
        cosine = reference_vectors(stains) @ reference_vectors(stains).T
        assert np.degrees(np.arccos(cosine[np.triu_indices(len(stains), 1)].max())) > 15


@pytest.mark.parametrize("typed", ["DAB", "dab", " Dab ", "d-a-b"])
def test_spelling_of_a_name_does_not_matter(typed):
    assert find_stain(typed).name == "dab"


def test_british_spelling_and_short_names_of_sets():
    assert stain_names(("Haematoxylin", "Eosin")) == ("hematoxylin", "eosin")
    assert stain_names("h&e") == stain_names("HE") == ("hematoxylin", "eosin")
    assert stain_names("h dab") == ("hematoxylin", "dab")
    assert stain_names("hematoxylin") == ("hematoxylin",)


def test_an_unknown_name_is_refused_with_the_nearest_and_the_list():
    with pytest.raises(OptionError, match=r"Did you mean 'eosin'\?.*hematoxylin, eosin, dab") as refusal:
        reference_vectors(["hematoxylin", "eosine"])
    assert "\n" not in str(refusal.value)
    with pytest.raises(OptionError, match=r"Did you mean 'H-DAB'\?.*Masson trichrome"):
        stain_names("H-DAP")
    with pytest.raises(OptionError, match="Known stains"):
        find_stain("xyzzy")
    with pytest.raises(OptionError, match="is not a name"):
        stain_names([3])  # type: ignore[list-item]


def test_two_stains_never_share_one_vector():
    with pytest.raises(OptionError, match="named twice"):
        stain_names(("hematoxylin", "Haematoxylin"))


@given(st.sampled_from(list(STAINS)))
def test_the_nearest_stain_of_a_published_vector_is_that_stain(name):
    for vector in STAINS[name].variant_vectors:
        assert nearest_stain(vector) == name


def test_colours_look_like_the_stains():
    def channels(name):
        code = find_stain(name).colour
        return [int(code[i : i + 2], 16) for i in (1, 3, 5)]

    red, green, blue = channels("dab")
    assert red > green > blue
    red, green, blue = channels("hematoxylin")
    assert blue > red > 0
    assert blue > green
    red, green, blue = channels("eosin")
    assert red > blue > green
