"""The second contract: what a fit hands over, what a result must have, and its provenance as JSON."""

from __future__ import annotations

import json

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import DataError
from unmix.image import as_image
from unmix.quantity import UNITS
from unmix.result import Endmembers, as_json, check_result, make_endmember_set, make_result

SPECTRA = np.arange(8.0).reshape(2, 4)


@pytest.fixture
def image() -> xr.DataArray:
    return as_image(np.ones((3, 5, 4)), wavelengths=[400, 300, 200, np.nan], quantity="radiance", pixel_size=2)


def result_of(image: xr.DataArray, found: Endmembers, **more: np.ndarray) -> xr.Dataset:
    maps = {"abundances": np.zeros((2, 3, 5), np.float32), "residual": np.zeros((3, 5), np.float32), **more}
    return make_result(image, make_endmember_set(image, found), maps, {"n_valid": 15}, {"seed": "none"})


def test_endmembers_fill_in_what_no_pixel_stands_behind() -> None:
    found = Endmembers(SPECTRA, ("a", "b"))
    assert found.anchor_row.tolist() == [-1, -1]
    assert found.anchor_col.tolist() == [-1, -1]
    assert found.anchor_count.tolist() == [0, 0]
    assert found.anchor_row.dtype == np.int64


@pytest.mark.parametrize(
    ("spectra", "names", "more", "words"),
    [
        (SPECTRA, ("a",), {}, "1 endmember names"),
        (SPECTRA[0], ("a", "b"), {}, r"shape \(4,\)"),
        (SPECTRA, ("a", "a"), {}, "must differ"),
        (SPECTRA, ("a", "b"), {"anchor_row": np.zeros(3)}, "anchor_row has shape"),
        (SPECTRA, ("a", "b"), {"anchor_count": np.zeros((2, 1))}, "anchor_count has shape"),
    ],
)
def test_inconsistent_endmembers_are_refused(spectra: np.ndarray, names: tuple, more: dict, words: str) -> None:
    with pytest.raises(DataError, match=words):
        Endmembers(spectra, names, **more)


def test_endmembers_are_frozen() -> None:
    with pytest.raises(AttributeError):
        Endmembers(SPECTRA, ("a", "b")).names = ("c", "d")


def test_endmember_set_carries_bands_units_and_objective(image: xr.DataArray) -> None:
    found = Endmembers(SPECTRA, ("a", "b"), objective=np.array([3.0, 2.0]), notes={"n": np.int64(3)})
    dataset = make_endmember_set(image, found)
    np.testing.assert_array_equal(dataset["endmembers"].values, SPECTRA)
    np.testing.assert_array_equal(dataset.coords["wavelength"].values, [400, 300, 200, np.nan])
    assert dataset.coords["endmember"].values.tolist() == ["a", "b"]
    assert dataset["endmembers"].attrs["units"] == UNITS["radiance"]
    assert dataset["objective"].dims == ("iteration",)
    assert json.loads(dataset.attrs["notes"]) == {"n": 3}


def test_result_has_dims_types_and_places(image: xr.DataArray) -> None:
    result = result_of(image, Endmembers(SPECTRA, ("a", "b")), brightness=np.ones((3, 5), np.float32))
    assert result["abundances"].dims == ("endmember", "y", "x")
    assert result["abundances"].dtype == np.float32
    assert result["residual"].dims == ("y", "x")
    assert result["brightness"].dims == ("y", "x")
    xr.testing.assert_identical(result.coords["y"], image.coords["y"].drop_vars([]))
    assert result.attrs["n_valid"] == 15
    assert json.loads(result.attrs["provenance"]) == {"seed": "none"}
    assert check_result(result) is result


@pytest.mark.parametrize(
    ("spoil", "words"),
    [
        (lambda r: r.drop_vars("residual"), "'residual'"),
        (lambda r: r.transpose("y", "x", "endmember", "band"), "'abundances' with dims"),
        (lambda r: r.assign(abundances=r["abundances"].astype("f8")), "float64"),
        (lambda r: r.drop_attrs(), "provenance"),
        (lambda r: r["abundances"], "DataArray"),
    ],
)
def test_what_is_not_a_result_is_refused(image: xr.DataArray, spoil: object, words: str) -> None:
    result = result_of(image, Endmembers(SPECTRA, ("a", "b")))
    with pytest.raises(DataError, match=words):
        check_result(spoil(result))


def test_json_is_plain_whatever_is_in_it() -> None:
    text = as_json(
        {
            "array": np.array([1.0, np.nan]),
            "scalar": np.float32(0.5),
            "inf": float("inf"),
            "flag": np.bool_(True),
            "nested": {"tuple": (1, 2), 3: "key"},
            "path": object,
            "none": None,
        }
    )
    assert "\n" not in text
    back = json.loads(text)
    assert back["array"] == [1.0, None]
    assert back["scalar"] == 0.5
    assert back["inf"] is None
    assert back["flag"] is True
    assert back["nested"] == {"tuple": [1, 2], "3": "key"}
    assert back["none"] is None


def test_saved_result_reads_back_identical(tmp_path: object, image: xr.DataArray) -> None:
    values = np.random.default_rng(0).random((6, 5, 4))
    values[2, 3] = np.nan
    picture = as_image(values, wavelengths=[700, 600, 500, 400], quantity="radiance", pixel_size=0.5, name="ü")
    result = unmix.unmix(picture, endmembers=np.eye(2, 4) + 0.1)
    path = tmp_path / "result.nc"
    unmix.write(result, path)
    back = unmix.open_result(path)
    xr.testing.assert_identical(back.load(), result)
    assert back["abundances"].dtype == np.float32
    assert back["anchor_row"].dtype == np.int64
    assert back.coords["good_band"].dtype == bool
    assert np.isnan(back["abundances"].values[:, 2, 3]).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda result: result.assign_coords(good_band=True), "'good_band' of a result has dims"),
        (lambda result: result.assign_coords(wavelength=5.0), "'wavelength' of a result has dims"),
        (lambda result: result.assign_coords(wavelength=("band", list("abcd"))), "holds numbers"),
        (lambda result: result.assign_attrs(quantity=np.arange(5)), "'quantity' of a result is text"),
    ],
)
def test_coordinates_and_words_that_later_steps_rely_on_are_checked(image: xr.DataArray, change, words: str) -> None:
    result = result_of(image, Endmembers(SPECTRA, ("a", "b")))
    with pytest.raises(DataError, match=words):
        check_result(change(result))
