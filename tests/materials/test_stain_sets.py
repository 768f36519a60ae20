"""Stain sets: kept as JSON, exchanged with QuPath, and anything else refused in one line."""

from __future__ import annotations

import contextlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from unmix.errors import OptionError, ReadError, UnmixError
from unmix.materials.stain_sets import (
    StainSet,
    load_stain_set,
    measured_stain_set,
    stain_set,
    stain_set_from_json,
    stain_set_from_qupath,
    stain_set_to_json,
    stain_set_to_qupath,
)
from unmix.materials.stains import STAIN_SETS, reference_vectors

QUPATH = (
    '{"Name" : "H-DAB default", "Stain 1" : "Hematoxylin", "Values 1" : "0.65111 0.70119 0.29049", '
    '"Stain 2" : "DAB", "Values 2" : "0.26917 0.56824 0.77759", "Background" : " 255 255 255"}'
)

names = st.text(st.characters(whitelist_categories=["L", "N"]), min_size=1, max_size=12)
vectors = st.tuples(*[st.floats(0.01, 3)] * 3)
sets = st.builds(
    lambda name, members, white, strongest: measured_stain_set(
        name, members, white_point=white, concentrations=strongest and (strongest,) * len(members)
    ),
    names,
    st.dictionaries(names, vectors, min_size=1, max_size=3),
    st.none() | st.tuples(*[st.floats(1, 65535)] * 3),
    st.none() | st.floats(0.1, 9),
)


@pytest.mark.parametrize("name", STAIN_SETS)
def test_every_named_set_has_the_reference_vectors_and_a_source(name):
    chosen = stain_set(name)
    assert chosen.name == name
    np.testing.assert_allclose(chosen.matrix, reference_vectors(name), atol=1e-15)
    assert all(len(source) > 20 for source in chosen.sources)


@given(sets)
def test_json_round_trip_is_exact(chosen):
    assert stain_set_from_json(stain_set_to_json(chosen)) == chosen


def test_a_set_is_saved_shared_and_used_by_its_file(tmp_path):
    lab = measured_stain_set("scanner 2", {"hematoxylin": (0.6, 0.7, 0.3), "our brown": (0.3, 0.5, 0.8)})
    path = tmp_path / "lab.json"
    path.write_text(stain_set_to_json(lab), encoding="utf-8")
    assert load_stain_set(path) == stain_set(str(path)) == stain_set(path) == lab
    assert stain_set(lab) is lab


def test_what_qupath_wrote_is_read():
    found = stain_set_from_qupath(QUPATH)
    assert (found.name, found.stains, found.white_point) == ("H-DAB default", ("hematoxylin", "dab"), (255, 255, 255))
    np.testing.assert_allclose(found.matrix, [[0.65111, 0.70119, 0.29049], [0.26917, 0.56824, 0.77759]], atol=1e-5)
    script = stain_set_from_qupath(f"setColorDeconvolutionStains('{QUPATH}');")
    assert script == found == stain_set(QUPATH)


def test_qupaths_third_stain_is_read_and_its_residual_left_out():
    third = QUPATH.replace('"Background"', '"Stain 3" : "{}", "Values 3" : "0.6 .613 0.7", "Background"')
    assert stain_set_from_qupath(third.replace("{}", "NM")).stains == ("hematoxylin", "dab", "NM")
    assert stain_set_from_qupath(third.replace("{}", "Residual")).stains == ("hematoxylin", "dab")


@settings(max_examples=40)
@given(sets.filter(lambda s: len(s.stains) > 1 and (s.white_point is None or max(s.white_point) <= 255)))
def test_qupath_round_trip_keeps_directions_to_five_decimals(chosen):
    lowered = [stain.lower() for stain in chosen.stains]
    text = stain_set_to_qupath(chosen)
    back = json.loads(text)
    assert [*back][:1] + [*back][-1:] == ["Name", "Background"]
    if "residual" in lowered or len(set(lowered)) < len(lowered):
        return
    np.testing.assert_allclose(stain_set_from_qupath(text).matrix, chosen.matrix, atol=2e-5)


def test_the_written_text_is_qupaths_own():
    plain = measured_stain_set(
        "H-DAB default", {"hematoxylin": (0.65111, 0.70119, 0.29049), "dab": (0.26917, 0.56824, 0.77759)}
    )
    assert stain_set_to_qupath(plain) == QUPATH


def test_a_laboratorys_own_names_come_back_from_qupath_as_they_were():
    lab = measured_stain_set("scanner 2", {"hematoxylin": (0.65, 0.7, 0.29), "our pink": (0.1, 0.9, 0.4)})
    text = stain_set_to_qupath(lab)
    assert '"Hematoxylin"' in text
    assert stain_set_from_qupath(text).stains == ("hematoxylin", "our pink")


def test_qupath_cannot_hold_one_stain_or_sixteen_bit_light():
    with pytest.raises(OptionError, match="two or three"):
        stain_set_to_qupath(measured_stain_set("one", {"dab": (1, 2, 3)}))
    with pytest.raises(OptionError, match="8-bit"):
        stain_set_to_qupath(
            measured_stain_set("x", {"a": (1, 2, 3), "b": (3, 1, 1)}, white_point=(60000, 60000, 60000))
        )


def one_set(name="x", version=1, **stain):
    return json.dumps({"format": "unmix stain set", "version": version, "name": name, "stains": [stain]})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "not JSON"),
        ("[1, 2]", "not an object"),
        ('{"format": "other"}', "no stain set"),
        (one_set(version=9), "version 9"),
        ('{"format": "unmix stain set", "version": 1, "name": "x", "stains": 3}', "a list 'stains'"),
        (one_set(vectors=[[1, 1, 1]]), "is no name"),
        (one_set().replace("{}", '{"name": "a"}'), "needs 'vectors'"),
        (one_set().replace("{}", '{"name": "a", "vectors": [[1, "b"]]}'), "must be numbers"),
        (one_set().replace("{}", '{"name": "a", "vectors": [[1, NaN, 1]]}'), "none negative"),
        (one_set("").replace("{}", '{"name": "a", "vectors": [[1, 1, 1]]}'), "is no name"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_other_json_is_refused_in_one_line(text, reason, tmp_path):
    with pytest.raises(OptionError, match=reason) as refusal:
        stain_set_from_json(text)
    assert "\n" not in str(refusal.value)
    path = tmp_path / "bad.json"
    path.write_text(text)
    with pytest.raises(ReadError, match=r"bad\.json"):
        load_stain_set(path)


def test_files_that_are_missing_large_or_not_text_are_refused(tmp_path):
    with pytest.raises(ReadError, match="cannot be read"):
        load_stain_set(tmp_path / "none.json")
    (tmp_path / "large.json").write_bytes(b" " * 1_000_001)
    with pytest.raises(ReadError, match="larger than 1 MB"):
        load_stain_set(tmp_path / "large.json")
    (tmp_path / "binary.json").write_bytes(b"\xff\xfe\x00\x80")
    with pytest.raises(ReadError):
        load_stain_set(tmp_path / "binary.json")


@pytest.mark.parametrize(
    "text",
    [
        "{}",
        '{"Name" : "x", "Stain 1" : "a"}',
        '{"Name" : "x", "Stain 1" : "a", "Values 1" : "1 2"}',
        '{"Name" : "x", "Stain 1" : "a", "Values 1" : "1 2 b"}',
        '{"Name" : "x", "Stain 1" : "a", "Values 1" : "0 0 0"}',
        '{"Name" : "x", "Stain 1" : "a", "Values 1" : "1 2 3", "Background" : "0 0 0"}',
        '{"Name" : "x", "Stain 1" : "a", "Values 1" : "1 2 3", "Stain 2" : "A ", "Values 2" : 7}',
        "{" * 5,
    ],
)
def test_text_that_is_not_qupaths_is_refused(text):
    with pytest.raises(OptionError):
        stain_set_from_qupath(text)


@settings(max_examples=60)
@given(st.text())
def test_any_text_is_a_stain_set_or_a_plain_refusal(text):
    for read in (stain_set_from_json, stain_set_from_qupath, stain_set):
        with contextlib.suppress(UnmixError):
            assert isinstance(read(text), StainSet)


@pytest.mark.parametrize(
    ("stains", "variants"),
    [((), ()), (("a",), ()), (("a", "a"), (((1, 1, 1),), ((1, 2, 1),))), (("a",), (((1, -1, 1),),)), (("a",), ((),))],
)
def test_sets_that_cannot_be_are_refused(stains, variants):
    with pytest.raises(OptionError):
        StainSet("x", stains, variants)


def test_several_vectors_of_a_stain_are_their_normalised_sum():
    chosen = StainSet("x", ("a",), (((1, 0, 0), (0, 5, 0)),))
    np.testing.assert_allclose(chosen.matrix, [[2**-0.5, 2**-0.5, 0]])
