"""The pipeline end to end: constraints on the maps, its two halves, known endmembers, and what a result remembers."""

from __future__ import annotations

import json
import os
import warnings
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.errors import Cancelled, DataError, OptionError, UnmixError, UnmixWarning, WriteError
from unmix.image import as_image
from unmix.light.beer_lambert import from_optical_density
from unmix.metrics import spectral_angle
from unmix.nmf import solve_abundances
from unmix.options import CONSTRAINTS, Options

SHAPE = (12, 15)
WAVELENGTHS = np.linspace(900, 400, 10)
STAINS = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11]])


def scene(seed: int = 0, noise: float = 0.01) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    E = rng.random((3, 10)) * 0.6 + np.eye(3, 10) * 0.3 + 0.05
    A = rng.dirichlet([0.5] * 3, SHAPE[0] * SHAPE[1])
    A[:12] = np.repeat(np.eye(3), 4, axis=0)
    X = A @ E * rng.uniform(0.5, 1.05, (len(A), 1)) + noise * rng.standard_normal((len(A), 10))
    return X.reshape(*SHAPE, 10), E


@pytest.fixture
def image() -> xr.DataArray:
    values, _ = scene()
    values[3, 4] = np.nan
    return as_image(values, wavelengths=WAVELENGTHS, quantity="reflectance", pixel_size=2.0, name="field")


def pixels(result: xr.Dataset, name: str) -> np.ndarray:
    """Valid pixels of a map, endmembers last."""
    found = result[name].values.reshape(-1, SHAPE[0] * SHAPE[1]).T
    return found[np.isfinite(found).all(axis=1)].astype(np.float64)


# --------------------------------------------------------------------------------------------------- the maps


@pytest.mark.parametrize("constraint", CONSTRAINTS)
def test_maps_keep_their_constraint(image: xr.DataArray, constraint: str) -> None:
    result = unmix.unmix(image, 3, constraint=constraint)
    A = pixels(result, "abundances")
    if constraint != "unconstrained":
        assert A.min() >= 0
    if constraint in ("sum_to_one", "shade"):
        np.testing.assert_allclose(A.sum(axis=1), 1, atol=1e-6)
    assert ("brightness" in result) == (constraint == "shade")
    if constraint == "shade":
        assert pixels(result, "brightness").max() <= 1 + 1e-6
    assert result.attrs["constraint"] == constraint


@pytest.mark.parametrize("constraint", CONSTRAINTS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_maps_are_the_solution_and_its_residual(constraint: str, dtype: str) -> None:
    values, E = scene(1)
    values = values.astype(dtype)
    result = unmix.unmix(values, endmembers=E, quantity="radiance", constraint=constraint)
    X = values.reshape(-1, 10)
    A = solve_abundances(X, E, constraint).astype(np.float64)
    undivided = pixels(result, "abundances")
    if constraint == "shade":
        undivided = undivided * pixels(result, "brightness")
    np.testing.assert_allclose(undivided, A, atol=1e-5)
    error = X - A @ E
    np.testing.assert_allclose(pixels(result, "residual")[:, 0], np.sqrt((error**2).mean(axis=1)), atol=1e-6)
    assert result.attrs["relative_error"] == pytest.approx(np.sqrt((error**2).sum() / (X**2).sum()), rel=1e-4)


def test_dark_pixels_have_no_fractions_and_are_counted() -> None:
    values, E = scene(2)
    values[0, :5] = 0
    values[1, :2] = -0.5
    result = unmix.unmix(values, endmembers=E, quantity="reflectance")
    assert result.attrs["n_zero_brightness"] == 7
    assert (result["abundances"].values[:, 0, :5] == 0).all()
    assert (result["brightness"].values[0, :5] == 0).all()


def test_result_carries_what_the_contract_says(image: xr.DataArray) -> None:
    result = unmix.unmix(image, 3)
    for name in ("relative_error", "n_valid", "n_invalid", "stop_reason", "condition", "smallest_angle", "provenance"):
        assert name in result.attrs
    assert all(isinstance(value, (str, int, float)) for value in result.attrs.values())
    assert result.attrs["n_valid"] == 12 * 15 - 1
    assert result.attrs["n_invalid"] == 1
    assert result.attrs["name"] == "field"
    for name in ("abundances", "residual", "brightness"):
        assert result[name].dtype == np.float32
        assert np.isnan(result[name].values[..., 3, 4]).all()
    for name in ("y", "x"):
        xr.testing.assert_identical(result.coords[name].variable, image.coords[name].variable)
    np.testing.assert_array_equal(result.coords["wavelength"].values, WAVELENGTHS)
    assert result.coords["endmember"].values.tolist() == ["endmember 1", "endmember 2", "endmember 3"]
    E = result["endmembers"].values
    unit = E / np.linalg.norm(E, axis=1, keepdims=True)
    assert result.attrs["condition"] == pytest.approx(np.linalg.cond(unit))
    smallest = min(float(spectral_angle(E[i], E[j])) for i in range(3) for j in range(i))
    assert result.attrs["smallest_angle"] == pytest.approx(np.degrees(smallest))


def test_georeference_is_carried_over() -> None:
    from affine import Affine

    values, _ = scene()
    placed = as_image(
        values, crs="EPSG:32633", transform=Affine(30, 0, 500_000, 0, -30, 5_800_000), quantity="reflectance"
    )
    result = unmix.unmix(placed, 3)
    assert result.rio.crs.to_epsg() == 32633
    assert result["abundances"].rio.transform() == Affine(30, 0, 500_000, 0, -30, 5_800_000)


# ------------------------------------------------------------------------------------------------------ two halves


@pytest.mark.parametrize("quantity", ["reflectance", "radiance", "unknown"])
def test_two_halves_are_the_whole(quantity: str) -> None:
    values, _ = scene(3)
    image = as_image(values, wavelengths=WAVELENGTHS, quantity=quantity)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        whole = unmix.unmix(image, 3)
        found = unmix.find_endmembers(image, 3)
        halves = unmix.map_abundances(image, found)
    xr.testing.assert_equal(halves[list(whole.data_vars)], whole)
    assert found["endmembers"].identical(whole["endmembers"])


@pytest.mark.parametrize("form", ["array", "list", "data array", "transposed", "dataset", "result"])
def test_known_endmembers_are_used_as_they_are(form: str) -> None:
    values, E = scene(4)
    named = xr.DataArray(E, dims=("endmember", "band"), coords={"endmember": ["rock", "tree", "water"]})
    known: Any = {
        "array": E,
        "list": E.tolist(),
        "data array": named,
        "transposed": named.transpose("band", "endmember"),
        "dataset": named.to_dataset(name="endmembers"),
    }.get(form)
    if form == "result":
        known = unmix.unmix(values, endmembers=named, quantity="radiance")
    result = unmix.unmix(values, endmembers=known, quantity="radiance")
    np.testing.assert_array_equal(result["endmembers"].values, E)
    names = result.coords["endmember"].values.tolist()
    assert names == (
        ["rock", "tree", "water"] if form not in ("array", "list") else [f"endmember {k}" for k in (1, 2, 3)]
    )
    assert (result["anchor_row"].values == -1).all()
    assert (result["anchor_count"].values == 0).all()


@pytest.mark.parametrize(
    ("known", "more", "words"),
    [
        (np.ones((2, 9)), {}, r"\(2, 9\); the image needs \(r, 10\)"),
        (np.ones(10), {}, r"needs \(r, 10\)"),
        (np.ones((2, 10)), {"n_endmembers": 3}, "cannot be told apart"),
        (np.full((1, 10), np.nan), {}, "no value in a band"),
        (np.zeros((1, 10)), {}, "zero in every band"),
        (-scene()[1], {}, "row 1 has no positive value"),
        (-scene()[1][:1], {"n_endmembers": 3}, "row 1 has no positive value"),
        (scene()[1] * [[1], [1], [-1]], {}, "row 3 has no positive value in the bands used"),
        ([["a"] * 10], {}, "must be numbers"),
        (xr.DataArray(np.ones((2, 10)), dims=("material", "band")), {}, "dimensions endmember and band"),
        (xr.Dataset({"spectra": (("endmember", "band"), np.ones((2, 10)))}), {}, "endmember"),
        (
            xr.DataArray(np.ones((2, 10)), dims=("endmember", "band"), coords={"endmember": ["a", "a"]}),
            {},
            "must differ",
        ),
    ],
)
def test_unusable_endmembers_are_refused(known: Any, more: dict[str, Any], words: str) -> None:
    with pytest.raises(UnmixError, match=words) as caught:
        unmix.unmix(scene()[0], endmembers=known, quantity="radiance", **more)
    assert "\n" not in str(caught.value)


def test_endmembers_may_be_unknown_in_bands_that_are_not_used(image: xr.DataArray) -> None:
    E = scene()[1]
    E[:, WAVELENGTHS > 800] = np.nan
    result = unmix.unmix(image, endmembers=E, exclude=[(801, 1000)])
    assert np.isfinite(pixels(result, "abundances")).all()
    assert result.coords["good_band"].values.tolist() == (WAVELENGTHS <= 800).tolist()


# ------------------------------------------------------------------------------------------------------- quantities


def test_bands_and_scale_are_arguments_of_the_door(image: xr.DataArray) -> None:
    kept = unmix.unmix(image, 3, bands=(500, 800))
    assert (
        kept.coords["wavelength"].values.tolist() == WAVELENGTHS[(WAVELENGTHS >= 500) & (WAVELENGTHS <= 800)].tolist()
    )
    values, E = scene(5)
    scaled = unmix.unmix(np.rint(values * 10_000).astype("i2"), endmembers=E, quantity="reflectance", scale=10_000)
    plain = unmix.unmix(values, endmembers=E, quantity="reflectance")
    np.testing.assert_allclose(pixels(scaled, "brightness"), pixels(plain, "brightness"), atol=1e-3)
    with pytest.raises(OptionError, match="scale=0"):
        unmix.unmix(values, 3, scale=0)


def test_optical_density_and_brightfield_agree() -> None:
    rng = np.random.default_rng(0)
    concentrations = rng.random((*SHAPE, 2))
    density = concentrations @ STAINS
    light = from_optical_density(density, [250, 245, 240], np.uint16)
    by_density = unmix.unmix(density, endmembers=STAINS, quantity="optical_density")
    by_ten = unmix.unmix(density / np.log(10), endmembers=STAINS, quantity="optical_density", od_base="10")
    np.testing.assert_allclose(by_density["abundances"].values, concentrations.transpose(2, 0, 1), atol=1e-5)
    np.testing.assert_allclose(by_ten["abundances"], by_density["abundances"], atol=1e-5)
    seen = unmix.unmix(light, endmembers=STAINS, quantity="brightfield", white_point=(250, 245, 240))
    np.testing.assert_allclose(seen["abundances"], by_density["abundances"], atol=0.03)
    assert seen["endmembers"].attrs["units"] == "optical density (natural log)"


def test_separating_stains_with_a_matrix_is_supervised() -> None:
    concentrations = np.random.default_rng(1).random((*SHAPE, 2))
    light = from_optical_density(concentrations @ STAINS, [255, 255, 255], np.uint8)
    result = unmix.separate_stains(light, ("hematoxylin", "eosin"), stain_matrix=STAINS, white_point=(255, 255, 255))
    unit = STAINS / np.linalg.norm(STAINS, axis=1, keepdims=True)
    np.testing.assert_allclose(result["endmembers"].values, unit)
    assert [str(n) for n in result.coords["endmember"].values] == ["hematoxylin", "eosin"]
    expected = concentrations * np.linalg.norm(STAINS, axis=1)
    np.testing.assert_allclose(result["abundances"].values.transpose(1, 2, 0), expected, atol=0.05)


@pytest.mark.parametrize(
    "matrix", [np.ones((2, 2)), np.ones((3, 3)), [[0, 0, 0], [1, 1, 1]], [[np.nan, 1, 1], [1, 1, 1]]]
)
def test_bad_stain_matrix(matrix: Any) -> None:
    with pytest.raises(OptionError, match=r"stain.matrix") as caught:
        unmix.separate_stains(np.full((4, 4, 3), 200, np.uint8), stain_matrix=matrix)
    assert "\n" not in str(caught.value)


def test_counts_sum_to_one_and_background_is_subtracted() -> None:
    rng = np.random.default_rng(2)
    E = rng.random((2, 10))
    A = rng.random((SHAPE[0] * SHAPE[1], 2)) * 100
    values = (A @ E).reshape(*SHAPE, 10)
    plain = unmix.unmix(values, endmembers=E, quantity="counts")
    raised = unmix.unmix(values + 7, endmembers=E, quantity="counts", background=7)
    np.testing.assert_allclose(raised["abundances"], plain["abundances"], atol=1e-3)
    level = np.linspace(3, 30, 10)
    uneven = unmix.unmix(values + level, endmembers=E, quantity="counts", background=level)
    np.testing.assert_allclose(uneven["abundances"], plain["abundances"], atol=1e-3)
    np.testing.assert_allclose(pixels(plain, "abundances"), A, rtol=1e-4, atol=1e-4)


def test_a_guess_is_said_aloud_and_written_down() -> None:
    values = scene()[0]
    with pytest.warns(UnmixWarning, match="look like reflectance.*quantity="):
        result = unmix.unmix(values, 3)
    record = json.loads(result.attrs["provenance"])
    assert record["quantity_guessed"] is True
    assert any("look like reflectance" in text for text in record["warnings"])
    with pytest.warns(UnmixWarning, match=r"quantity=.*scale="):
        unmix.unmix(values * 1000, 3)


def test_nothing_is_warned_of_when_all_is_said(image: xr.DataArray) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = unmix.unmix(image, 3)
    record = json.loads(result.attrs["provenance"])
    assert record["warnings"] == []
    assert record["quantity_guessed"] is False


# ------------------------------------------------------------------------------------------------------- provenance


def test_provenance_is_enough_to_run_it_again(image: xr.DataArray, tmp_path: Path) -> None:
    file = tmp_path / "field.dat"
    file.write_bytes(b"x" * 321)
    image.attrs["source"] = str(file)
    result = unmix.unmix(image, 3, constraint="sum_to_one", anchor_fraction=0.01, exclude=[(400, 410)])
    text = result.attrs["provenance"]
    record = json.loads(text)
    assert "\n" not in text
    assert {"unmix", "numpy", "scipy", "numba", "xarray", "dask"} <= set(record["versions"])
    assert record["versions"]["unmix"] == unmix.__version__
    assert record["source"]["path"] == str(file)
    assert record["source"]["bytes"] == 321
    assert record["source"]["modified"] == pytest.approx(os.stat(file).st_mtime)
    assert len(record["source"]["sample_sha256"]) == 64
    assert set(record["options"]) == set(Options().as_dict())
    assert record["options"]["anchor_fraction"] == 0.01
    assert record["options"]["exclude"] == [[400, 410]]
    assert record["fit"]["fit"] == "scene"
    assert set(record["seconds"]) >= {"prepare", "endmembers", "abundances"}
    assert all(seconds >= 0 for seconds in record["seconds"].values())
    assert "seed" in record
    assert datetime.fromisoformat(record["created"]).tzinfo is not None
    options = {key: value for key, value in record["options"].items() if value != Options().as_dict()[key]}
    again = unmix.unmix(image, 3, **options)
    xr.testing.assert_equal(again, result)


def test_the_hash_tells_one_image_from_another(image: xr.DataArray) -> None:
    def sha(picture: xr.DataArray) -> str:
        return json.loads(unmix.unmix(picture, 3).attrs["provenance"])["source"]["sample_sha256"]

    other = image.copy()
    other[0, 0, 0] += 0.001
    assert sha(image) == sha(image.copy())
    assert sha(image) != sha(other)


def test_white_point_and_clipped_values_are_written_down() -> None:
    light = np.random.default_rng(0).integers(1, 250, (*SHAPE, 3), np.uint8)
    light[0, 0] = 0
    light[0, 1:3] = 255
    result = unmix.unmix(light, endmembers=STAINS, quantity="brightfield", white_point=(240, 240, 240))
    record = json.loads(result.attrs["provenance"])
    assert record["fit"]["white_point"] == [240, 240, 240]
    assert record["fit"]["sampled_with_a_zero_channel"] == 1
    assert record["fit"]["sampled_with_a_saturated_channel"] == 2
    assert record["options"]["white_point"] == [240, 240, 240]


def test_warnings_are_kept_and_given(image: xr.DataArray) -> None:
    E = scene()[1]
    with pytest.warns(UnmixWarning, match="degrees apart"):
        result = unmix.unmix(image, endmembers=np.vstack([E, E[:1]]))
    assert any("endmember 1 and endmember 4" in text for text in json.loads(result.attrs["provenance"])["warnings"])


# ------------------------------------------------------------------------------------------------ doors and errors


def test_input_is_left_alone(image: xr.DataArray) -> None:
    kept = image.copy(deep=True)
    image.data.flags.writeable = False
    unmix.unmix(image, 3, bands=(450, 850), mask=np.ones(SHAPE, bool))
    xr.testing.assert_identical(image, kept)


def test_out_writes_the_same_result(image: xr.DataArray, tmp_path: Path) -> None:
    result = unmix.unmix(image, 3, out=tmp_path / "made")
    written = list((tmp_path / "made").iterdir())
    saved = next(path for path in written if path.suffix == ".nc")
    back = unmix.open_result(saved).load()
    xr.testing.assert_identical(back, result)
    with pytest.raises(WriteError):
        unmix.unmix(image, 3, out=tmp_path / "made")


def test_path_and_array_and_image_are_one(image: xr.DataArray, tmp_path: Path) -> None:
    values, E = scene(6)
    np.save(tmp_path / "cube.npy", values)
    by_array = unmix.unmix(values, endmembers=E, quantity="reflectance")
    for source in (tmp_path / "cube.npy", str(tmp_path / "cube.npy"), as_image(values, quantity="reflectance")):
        other = unmix.unmix(source, endmembers=E, quantity="reflectance")
        np.testing.assert_array_equal(other["abundances"], by_array["abundances"])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"n_endmembers": 3, "constrain": "shade"}, OptionError, "Did you mean constraint"),
        ({"n_endmembers": 3, "quantity": "light"}, OptionError, "reflectance"),
        ({"n_endmembers": 3, "method": "pca"}, OptionError, "scene"),
        ({"n_endmembers": 3, "mask": np.zeros(SHAPE, bool)}, OptionError, "keeps no pixel"),
        ({"n_endmembers": 3, "mask": np.ones((2, 2), bool)}, OptionError, "12 rows and 15 columns"),
        ({"n_endmembers": 3, "bands": (3000, 4000)}, OptionError, "spans 400 to 900 nm"),
        ({"n_endmembers": 3, "threads": 0}, OptionError, "threads"),
        ({"n_endmembers": 3, "white_point": (1, 1, 1)}, OptionError, "brightfield"),
        ({"n_endmembers": 11}, OptionError, "at most 10"),
    ],
)
def test_refusals_are_one_line(image: xr.DataArray, arguments: dict[str, Any], error: type, words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        unmix.unmix(image, **arguments)
    assert "\n" not in str(caught.value)
    assert isinstance(caught.value, UnmixError)


@pytest.mark.parametrize(
    "source", [None, object(), "no/such/file.hdr", {"a": 1}, np.ones((3, 3)), np.ones((3, 3, 3), complex)]
)
def test_what_is_no_image_is_refused(source: Any) -> None:
    with pytest.raises(UnmixError) as caught:
        unmix.unmix(source, 2, quantity="reflectance")
    assert "\n" not in str(caught.value)


def test_stains_need_three_channels() -> None:
    with pytest.raises(OptionError, match="3 channels"):
        unmix.separate_stains(np.ones((4, 4, 5)))
    with pytest.raises(OptionError, match="2 or 3 stains"):
        unmix.unmix(np.full((9, 9, 3), 230, np.uint8), 4, quantity="brightfield")


def test_progress_and_cancelling(image: xr.DataArray) -> None:
    heard: list[tuple[str, int, int]] = []
    unmix.unmix(image, 3, progress=lambda *call: heard.append(call))
    assert {"lift", "abundances"} <= {stage for stage, _, _ in heard}
    assert all(0 <= done <= total for _, done, total in heard)

    def stop(stage: str, done: int, total: int) -> None:
        if stage == "abundances":
            raise Cancelled("enough")

    with pytest.raises(Cancelled, match="enough"):
        unmix.unmix(image, 3, progress=stop)


def test_the_same_run_gives_the_same_result(image: xr.DataArray) -> None:
    xr.testing.assert_equal(unmix.unmix(image, 3), unmix.unmix(image, 3))


def test_invalid_image_of_the_contract_is_refused(image: xr.DataArray) -> None:
    broken = image.assign_coords(valid=(("y", "x"), np.ones(SHAPE)))
    with pytest.raises(DataError, match="boolean coordinate 'valid'"):
        unmix.unmix(broken, 3)


def test_arguments_of_the_wrong_kind_are_refused_in_one_line() -> None:
    cube = np.random.default_rng(0).random((20, 20, 3))
    with pytest.raises(OptionError, match="stains=None"):
        unmix.separate_stains(cube, None)
    with pytest.raises(OptionError, match="out=5 is no path"):
        unmix.unmix(cube, 2, quantity="reflectance", out=5)
