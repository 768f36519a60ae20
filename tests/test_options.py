"""Every knob once: bounds, types, near names, and defaults that agree with the solvers."""

from __future__ import annotations

import inspect
from dataclasses import FrozenInstanceError, fields
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.errors import OptionError
from unmix.nmf.refine import refine
from unmix.options import Options
from unmix.quantity import DEFAULT_CONSTRAINT, QUANTITIES

KNOBS = {knob.name: knob for knob in fields(Options)}
NUMBERS = [name for name, knob in KNOBS.items() if knob.metadata["kind"] in (int, float)]
NAMES = [name for name, knob in KNOBS.items() if knob.metadata["choices"]]
TUPLES = [name for name, knob in KNOBS.items() if knob.metadata["kind"] is tuple]


def refused(**keywords: Any) -> str:
    with pytest.raises(OptionError) as caught:
        Options.from_keywords(keywords)
    assert "\n" not in str(caught.value)
    return str(caught.value)


def test_every_knob_is_of_one_of_three_kinds_and_says_what_it_does() -> None:
    assert set(NUMBERS) | set(NAMES) | set(TUPLES) == set(KNOBS)
    for knob in KNOBS.values():
        assert knob.metadata["help"].endswith(".")
        assert set(knob.metadata["doors"]) <= {"run", "stains"}


def test_defaults_are_allowed_and_keep_their_type() -> None:
    options = Options()
    for name, knob in KNOBS.items():
        value = getattr(options, name)
        assert value == knob.default
        assert value is None or isinstance(value, knob.metadata["kind"])


@pytest.mark.parametrize("name", NUMBERS)
def test_bounds(name: str) -> None:
    about = KNOBS[name].metadata
    step = 1 if about["kind"] is int else 1e-6
    for limit, outward in ((about["low"], -step), (about["high"], step)):
        if limit is not None:
            assert getattr(Options(**{name: limit}), name) == limit
            assert name in refused(**{name: limit + outward})
    assert about["low"] is not None


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("value", [True, False, float("nan"), float("inf"), -float("inf"), "1", [1], 1j, 10**400])
def test_what_is_no_finite_number_is_refused(name: str, value: Any) -> None:
    assert name in refused(**{name: value})


@pytest.mark.parametrize("name", [name for name in NUMBERS if KNOBS[name].metadata["kind"] is int])
def test_whole_numbers(name: str) -> None:
    low = KNOBS[name].metadata["low"]
    assert "whole" in refused(**{name: low + 0.5})
    for value in (low + 1, float(low + 1), np.int64(low + 1), np.float32(low + 1)):
        kept = getattr(Options(**{name: value}), name)
        assert kept == low + 1
        assert type(kept) is int


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("value", ["nonsense", "", 3, ["scene"], np.array(["e", "10"]), True])
def test_names(name: str, value: Any) -> None:
    assert name in refused(**{name: value})
    for choice in KNOBS[name].metadata["choices"]:
        assert getattr(Options(**{name: choice}), name) == choice


@pytest.mark.parametrize("name", sorted(set(KNOBS) - {n for n, k in KNOBS.items() if k.default is None}))
def test_none_is_refused_where_a_value_is_needed(name: str) -> None:
    assert repr(KNOBS[name].default) in refused(**{name: None})


@pytest.mark.parametrize("bands", [(400, 2450), [400.0, 2450.0], np.array([400, 2450])])
def test_band_range(bands: Any) -> None:
    assert Options(bands=bands).bands == (400.0, 2450.0)


@pytest.mark.parametrize(
    "bands", [(2450, 400), (400, 400), (400,), (1, 2, 3), 400, "12", "400-2450", (400, float("nan"))]
)
def test_bad_band_range(bands: Any) -> None:
    assert "bands" in refused(bands=bands)


def test_excluded_ranges() -> None:
    assert Options(exclude=(1340, 1450)).exclude == ((1340.0, 1450.0),)
    assert Options(exclude=[(1340, 1450), (1800, 1960)]).exclude == ((1340.0, 1450.0), (1800.0, 1960.0))
    assert Options(exclude=[]).exclude == ()
    assert "exclude" in refused(exclude=[(1450, 1340)])
    assert "exclude" in refused(exclude="1340-1450")
    assert "exclude" in refused(exclude=1340)


@pytest.mark.parametrize("white", [(0, 1, 1), (-1,), (), "255", (float("nan"),), (float("inf"), 1), 255, ("a", "b")])
def test_bad_white_point(white: Any) -> None:
    assert "white_point" in refused(white_point=white)


def test_white_point_becomes_plain_floats() -> None:
    assert Options(white_point=np.array([250, 251, 252], "u1")).white_point == (250.0, 251.0, 252.0)


@pytest.mark.parametrize("background", [-1, (1, -1), (), "4", float("nan"), float("inf"), True, ("a",)])
def test_bad_background(background: Any) -> None:
    assert "background" in refused(background=background)


def test_background_is_one_number_or_one_a_band() -> None:
    assert Options(background=4).background == (4.0,)
    assert Options(background=np.array([1, 2], "u2")).background == (1.0, 2.0)


@pytest.mark.parametrize(("wrong", "right"), [("constrain", "constraint"), ("anchor_fractions", "anchor_fraction")])
def test_unknown_keyword_names_the_nearest(wrong: str, right: str) -> None:
    assert f"Did you mean {right}?" in refused(**{wrong: 1})


def test_unknown_keyword_without_a_near_name_lists_them_all() -> None:
    message = refused(zzzzzz=1)
    assert all(name in message for name in KNOBS)


def test_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Options().scale = 2.0


def test_constraint_follows_the_quantity_until_said() -> None:
    assert set(DEFAULT_CONSTRAINT) == set(QUANTITIES)
    assert {q: Options().constraint_for(q) for q in QUANTITIES} == DEFAULT_CONSTRAINT
    assert Options(constraint="unconstrained").constraint_for("reflectance") == "unconstrained"
    shaded = {q for q, c in DEFAULT_CONSTRAINT.items() if c == "shade"}
    assert shaded == {"reflectance", "radiance", "unknown"}


def test_defaults_are_those_of_the_solvers() -> None:
    signature = inspect.signature(refine).parameters
    assert Options().refinement_weight == signature["anchor_weight"].default
    assert Options().max_iterations == signature["max_iterations"].default


def test_stain_and_lambda_defaults_are_those_of_their_solvers() -> None:
    """Where a fit's own functions carry a default for an option's name, it is the same one."""
    from unmix.fits import lambda_poisson, lambda_stack, lambda_windows, stain_gates, stain_plane, stain_refine, stains

    checked = 0
    for module in (lambda_poisson, lambda_stack, lambda_windows, stain_gates, stain_plane, stain_refine, stains):
        for function in vars(module).values():
            if inspect.isfunction(function) and function.__module__ == module.__name__:
                for name, parameter in inspect.signature(function).parameters.items():
                    if name in KNOBS and parameter.default is not inspect.Parameter.empty:
                        assert parameter.default == KNOBS[name].default, (function.__qualname__, name)
                        checked += 1
    assert checked >= 4


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("number", [np.float16, np.float32, np.longdouble, np.uint8])
def test_a_number_of_numpy_is_checked_without_a_warning(number: type) -> None:
    assert Options(scale=number(3)).scale == 3.0
    if issubclass(number, np.floating):
        assert "finite" in refused(scale=number("inf"))


VALUES = st.none() | st.floats() | st.text(max_size=8) | st.lists(st.floats(), max_size=3)


@given(st.dictionaries(st.sampled_from(sorted(KNOBS)), VALUES, max_size=4))
def test_any_keywords_give_options_or_an_option_error(keywords: dict[str, Any]) -> None:
    try:
        options = Options.from_keywords(keywords)
    except OptionError:
        return
    assert Options(**options.as_dict()) == options
