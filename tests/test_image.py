"""The first contract: shapes, coordinates, valid pixels, good bands, what is guessed and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

import unmix
from unmix.errors import DataError, OptionError, UnmixError, UnmixWarning
from unmix.image import DIMS, as_image, check_image, guess_quantity, has_crs, pixel_size, sample_rows
from unmix.quantity import QUANTITIES

dask_array = pytest.importorskip("dask.array")

SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 9), st.integers(1, 6))
KINDS = ["u1", "<u2", ">u2", "i2", "i4", "f2", "f4", ">f4", "f8", ">f8"]


@st.composite
def cubes(draw: st.DrawFn) -> np.ndarray:
    values = draw(hnp.arrays(draw(st.sampled_from(KINDS)), draw(SHAPES), elements=st.integers(0, 100)))
    if values.dtype.kind == "f":
        holes = draw(hnp.arrays(np.int8, values.shape, elements=st.integers(0, 9)))
        values[holes == 7] = np.nan
        values[holes == 8] = np.inf
        values[holes == 9] = -np.inf
    return values


def expected_good(values: np.ndarray) -> np.ndarray:
    """The definition: a band is good if any of its values is finite."""
    return np.isfinite(values).any(axis=(0, 1))


@settings(max_examples=150)
@given(cubes(), st.randoms(use_true_random=False))
def test_contract_holds_for_any_array(values: np.ndarray, random: object) -> None:
    good = expected_good(values)
    if not good.any():
        with pytest.raises(DataError, match="no good band"):
            as_image(values)
        return
    mask = np.array([[random.random() < 0.8 for _ in range(values.shape[1])] for _ in range(values.shape[0])])
    image = check_image(as_image(values, valid=mask))
    assert image.dims == DIMS
    assert image.dtype == values.dtype
    assert np.shares_memory(image.data, values)
    np.testing.assert_array_equal(image.coords["good_band"].values, good)
    np.testing.assert_array_equal(image.coords["valid"].values, np.isfinite(values[:, :, good]).all(axis=2) & mask)
    assert image.attrs["quantity"] in QUANTITIES


@settings(max_examples=60)
@given(cubes())
def test_lazy_and_in_memory_images_agree(values: np.ndarray) -> None:
    good = expected_good(values)
    rows_seen = np.isfinite(sample_rows(values)).any(axis=(0, 1))
    if not good.any() or (rows_seen != good).any():
        return  # the lazy image judges bands by a few rows only; its readers pass a better sample
    plain = as_image(values)
    lazy = as_image(dask_array.from_array(values, chunks=(2, 3, -1)))
    assert lazy.chunks is not None
    xr.testing.assert_identical(lazy.compute(), plain)


def test_valid_looks_at_good_bands_only() -> None:
    values = np.ones((2, 2, 3), "f4")
    values[0, 0, 1] = np.nan
    assert not as_image(values).coords["valid"].values[0, 0]
    flagged = as_image(values, good_bands=[True, False, True])
    assert flagged.coords["valid"].values.all()


def test_all_nan_band_is_not_good_and_does_not_hide_pixels() -> None:
    values = np.ones((3, 4, 3), "f4")
    values[:, :, 2] = np.nan
    image = as_image(values)
    assert image.coords["good_band"].values.tolist() == [True, True, False]
    assert image.coords["valid"].values.all()


def test_a_band_that_only_the_sample_misses_is_good() -> None:
    values = np.full((100, 3, 2), np.nan, "f4")
    values[..., 0] = 1
    values[55:60, :, 1] = 1
    assert not np.isfinite(sample_rows(values)[..., 1]).any()
    assert as_image(values).coords["good_band"].values.all()


@pytest.mark.parametrize(
    "wavelengths",
    [[450.0, 550.0, 650.0], [650.0, 550.0, 450.0], [450.0, np.nan, 440.0], [np.nan, np.nan, np.nan]],
)
def test_wavelengths_stay_in_file_order(wavelengths: list[float]) -> None:
    image = as_image(np.ones((2, 2, 3), "f4"), wavelengths=wavelengths, fwhm=[1, 2, 3], band_names=["a", "b", "c"])
    np.testing.assert_array_equal(image.coords["wavelength"].values, wavelengths)
    assert image.coords["fwhm"].values.tolist() == [1, 2, 3]
    assert image.coords["band_name"].values.tolist() == ["a", "b", "c"]


def test_wavelengths_in_micrometres_are_told_by_their_range_aloud() -> None:
    with pytest.warns(UnmixWarning, match="wavelengths.*0.4 to 2.4 is taken as micrometres"):
        image = as_image(np.ones((2, 2, 3), "f4"), wavelengths=[0.4, np.nan, 2.4], fwhm=[0.01, 0.01, 0.02])
    np.testing.assert_allclose(image.coords["wavelength"].values, [400, np.nan, 2400])
    np.testing.assert_allclose(image.coords["fwhm"].values, [10, 10, 20])


def test_wavelengths_that_are_neither_unit_are_left_out_aloud() -> None:
    with pytest.warns(UnmixWarning, match="neither nanometres nor micrometres; they are left out"):
        image = as_image(np.ones((2, 2, 3), "f4"), wavelengths=[1, 2, 300])
    assert "wavelength" not in image.coords


@pytest.mark.parametrize("order", [("band", "y", "x"), ("x", "y", "band"), ("y", "band", "x"), ("y", "x", "band")])
def test_data_array_in_any_order_keeps_its_coordinates(order: tuple[str, ...]) -> None:
    values = np.random.default_rng(0).random((3, 4, 5)).astype("f4")
    first = as_image(
        values, wavelengths=[500, 400, 300, 200, 100], quantity="radiance", valid=values[..., 0] < 0.9, name="it"
    )
    turned = first.transpose(*order)
    again = as_image(turned)
    assert np.shares_memory(again.data, values)
    xr.testing.assert_identical(again, first)


def test_round_trip_through_bands_first_with_a_georeference() -> None:
    image = as_image(
        np.random.default_rng(1).random((4, 6, 3)).astype("f4"),
        crs="EPSG:32633",
        transform=Affine(30, 0, 500_000, 0, -30, 5_800_000),
        quantity="reflectance",
        wavelengths=[400, 500, 600],
    )
    back = image.transpose("band", "y", "x").transpose("y", "x", "band")
    xr.testing.assert_identical(back, image)
    assert image.transpose("band", "y", "x").rio.crs.to_epsg() == 32633
    assert image.transpose("band", "y", "x").rio.transform() == Affine(30, 0, 500_000, 0, -30, 5_800_000)


def rasterio_style(values: np.ndarray, **attrs: object) -> xr.DataArray:
    """A DataArray as rioxarray.open_rasterio makes it: bands first, numbered, spatial_ref, nodata in attrs."""
    import rioxarray  # noqa: F401

    array = xr.DataArray(values, dims=("band", "y", "x"), coords={"band": np.arange(1, len(values) + 1)}, attrs=attrs)
    array = array.assign_coords(y=5000.0 - np.arange(values.shape[1]), x=np.arange(values.shape[2]) + 0.5)
    array.rio.write_crs("EPSG:32633", inplace=True)
    return array


def test_rioxarray_image_with_nodata() -> None:
    values = np.ones((3, 4, 5), "i2")
    values[:, 0, 0] = -9999
    values[1, 2, 2] = -9999  # one band only: still a value of the others
    image = as_image(rasterio_style(values, _FillValue=-9999, scale_factor=1.0, add_offset=0.0))
    assert image.dtype == np.int16
    assert np.shares_memory(image.data, values)
    assert np.argwhere(~image.coords["valid"].values).tolist() == [[0, 0]]
    assert image.rio.crs.to_epsg() == 32633
    lazy = as_image(rasterio_style(values, _FillValue=-9999).chunk(y=2))
    np.testing.assert_array_equal(lazy.coords["valid"].values, image.coords["valid"].values)
    scaled = as_image(rasterio_style(values, _FillValue=-9999, scale_factor=0.1), scale=10)
    np.testing.assert_array_equal(scaled.coords["valid"].values, image.coords["valid"].values)


def test_data_array_whose_scale_was_not_applied_is_refused() -> None:
    array = rasterio_style(np.ones((3, 4, 5), "i2"), scale_factor=0.0001, add_offset=0.0)
    with pytest.raises(DataError, match=r"scale_factor=0\.0001.*mask_and_scale=True"):
        as_image(array)


def test_masked_array_keeps_its_mask() -> None:
    values = np.arange(24, dtype="u1").reshape(2, 4, 3)
    masked = np.ma.MaskedArray(values, np.zeros(values.shape, bool))
    masked.mask[1, 2, 0] = True
    image = as_image(masked)
    assert image.dtype == np.uint8
    assert np.argwhere(~image.coords["valid"].values).tolist() == [[1, 2]]
    masked.mask[:, :, 1] = True
    image = as_image(masked)
    assert image.coords["good_band"].values.tolist() == [True, False, True]
    assert np.argwhere(~image.coords["valid"].values).tolist() == [[1, 2]]


def test_a_mask_never_makes_an_invalid_pixel_valid() -> None:
    first = as_image(np.ones((2, 2, 3), "u1"), valid=[[True, False], [True, True]])
    again = as_image(first, valid=[[False, True], [True, True]])
    assert again.coords["valid"].values.tolist() == [[False, False], [True, True]]


def test_mask_given_as_data_array_is_turned() -> None:
    mask = xr.DataArray(np.array([[True, False], [True, True]]), dims=("x", "y"))
    image = as_image(np.ones((2, 2, 3)), valid=mask)
    assert image.coords["valid"].values.tolist() == [[True, True], [False, True]]


# ---------------------------------------------------------------------------------------------- what is guessed


def guessed(values: np.ndarray, **more: object) -> str:
    return as_image(values, **more).attrs["quantity"]


def test_guess_rules() -> None:
    rng = np.random.default_rng(0)
    assert guessed(rng.integers(0, 255, (4, 4, 3), np.uint8)) == "brightfield"
    assert guessed(rng.integers(0, 65535, (4, 4, 3), np.uint16)) == "brightfield"
    assert guessed(rng.integers(0, 65535, (4, 4, 3)).astype(">u2")) == "brightfield"
    assert guessed(rng.integers(0, 255, (4, 4, 4), np.uint8)) == "unknown"
    assert guessed(rng.integers(0, 255, (4, 4, 3)).astype("i4")) == "unknown"
    assert guessed(rng.random((4, 4, 5))) == "reflectance"
    assert guessed(rng.random((4, 4, 5)) * 1.5 - 0.05) == "reflectance"
    assert guessed(rng.random((4, 4, 4))) == "unknown"
    assert guessed(rng.random((4, 4, 5)) * 3) == "unknown"
    assert guessed(rng.random((4, 4, 5)) - 0.5) == "unknown"
    assert guessed(rng.integers(0, 10000, (4, 4, 50)).astype("u2")) == "unknown"
    assert guessed(rng.random((4, 4, 5)), quantity="counts") == "counts"


def test_raster_with_a_crs_is_never_brightfield() -> None:
    values = np.ones((4, 4, 3), "u1")
    image = as_image(values, crs="EPSG:4326", transform=Affine(1, 0, 0, 0, -1, 0))
    assert has_crs(image)
    assert image.attrs["quantity"] == "unknown"
    assert guess_quantity(values, georeferenced=True) == "unknown"


def test_placement_without_a_crs_is_no_map() -> None:
    image = as_image(np.ones((4, 4, 3), "u1"), transform=Affine(2, 0, 0, 0, 2, 0))
    assert not has_crs(image)
    assert image.attrs["quantity"] == "brightfield"


def test_a_guess_is_said_and_a_statement_is_not_a_guess() -> None:
    values = np.random.default_rng(0).random((4, 4, 6))
    guess = as_image(values)
    assert guess.attrs["quantity_guessed"] == 1
    assert "quantity_guessed" not in as_image(values, quantity="radiance").attrs
    assert as_image(guess).attrs["quantity_guessed"] == 1
    assert "quantity_guessed" not in as_image(as_image(values, quantity="radiance")).attrs


def test_a_guess_made_before_scaling_is_made_again() -> None:
    raw = as_image((np.random.default_rng(0).random((4, 4, 6)) * 10_000).astype("u2"))
    assert raw.attrs["quantity"] == "unknown"
    scaled = as_image(raw, scale=10_000)
    assert scaled.dtype == np.float32
    assert scaled.attrs["quantity"] == "reflectance"


# --------------------------------------------------------------------------------------------------- lazy images


class Watched:
    """An array that counts the pixels read from it."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, values.ndim
        self.pixels_read = 0

    def __getitem__(self, window: tuple[slice, ...]) -> np.ndarray:
        part = self.values[window]
        self.pixels_read += part.shape[0] * part.shape[1]
        return part


def test_lazy_image_reads_no_more_than_a_few_rows() -> None:
    watched = Watched(np.random.default_rng(0).random((1000, 20, 6)).astype("f4"))
    lazy = dask_array.from_array(watched, chunks=(1, 20, 6), asarray=False, name=False)
    image = as_image(lazy, wavelengths=400 + np.arange(6), crs="EPSG:32633", transform=Affine(1, 0, 0, 0, -1, 0))
    assert watched.pixels_read <= 5 * 20
    assert image.attrs["quantity"] == "reflectance"


def test_lazy_image_with_a_sample_reads_nothing() -> None:
    watched = Watched(np.random.default_rng(0).random((50, 20, 6)).astype("f4"))
    lazy = dask_array.from_array(watched, chunks=(10, 20, 6), asarray=False, name=False)
    image = as_image(lazy, sample=watched.values[:1])
    assert watched.pixels_read == 0
    assert image.attrs["quantity"] == "reflectance"


def test_lazy_image_whose_sample_is_all_invalid_is_not_refused_yet() -> None:
    values = np.full((100, 3, 5), np.nan, "f4")
    values[41] = 0.5
    image = as_image(dask_array.from_array(values, chunks=(10, 3, 5)))
    assert image.coords["good_band"].values.all()
    assert int(image.coords["valid"].values.sum()) == 3


# ----------------------------------------------------------------------------------------------------- placement


def test_where_every_pixel_of_a_lazy_image_is_valid_one_true_stands_for_all() -> None:
    """A whole slide has as many pixels as fit into memory once, not twice."""
    import dask.array as da

    image = as_image(da.zeros((3000, 2000, 3), dtype="uint8") + 9, quantity="brightfield", pixel_size=0.5)
    assert image.coords["valid"].data.strides == (0, 0)


def test_pixel_size_of_a_calibrated_image() -> None:
    image = as_image(np.ones((3, 4, 3), "u1"), pixel_size=(0.5, 0.25))
    assert pixel_size(image) == (0.5, 0.25, "um")
    np.testing.assert_allclose(image.coords["y"], [0.25, 0.75, 1.25])
    assert pixel_size(as_image(np.ones((3, 4, 3)), pixel_size=2, pixel_unit="nm")) == (2, 2, "nm")
    assert pixel_size(as_image(np.ones((3, 4, 3)))) is None


def test_georeferenced_coordinates_are_pixel_centres() -> None:
    image = as_image(np.ones((2, 3, 3)), crs="EPSG:32633", transform=Affine(10, 0, 100, 0, -20, 1000))
    np.testing.assert_allclose(image.coords["x"], [105, 115, 125])
    np.testing.assert_allclose(image.coords["y"], [990, 970])
    assert pixel_size(image)[:2] == (20, 10)
    assert pixel_size(image)[2] in ("metre", "meter", "m")


def test_placing_an_image_copies_nothing_and_touches_no_input() -> None:
    values = np.ones((4, 5, 3), "f4")
    placed = as_image(values, crs="EPSG:32633", transform=Affine(10, 0, 100, 0, -20, 1000))
    assert np.shares_memory(placed.data, values)
    bare = xr.DataArray(values, dims=DIMS, coords={"y": np.arange(4.0), "x": np.arange(5.0)})
    assert np.shares_memory(as_image(bare, crs="EPSG:32633").data, values)
    assert bare.coords["y"].attrs == {}
    assert "spatial_ref" not in bare.coords
    assert bare.attrs == {}


def test_rotated_transform_survives_without_coordinates() -> None:
    turned = Affine.translation(100, 200) @ Affine.rotation(30) @ Affine.scale(10, -10)
    image = as_image(np.ones((2, 3, 3)), crs="EPSG:32633", transform=turned)
    assert "y" not in image.coords
    assert "x" not in image.coords
    back = image.transpose("band", "y", "x").rio.transform()
    np.testing.assert_allclose(list(back)[:6], list(turned)[:6])
    assert image.rio.crs.to_epsg() == 32633


def test_nothing_recorded_ends_in_attrs() -> None:
    """CF's scale_factor in attrs would be applied twice by the next reader."""
    array = xr.DataArray(np.ones((2, 2, 3)), dims=DIMS, attrs={"scale_factor": 1.0, "_FillValue": -1, "long_name": "x"})
    array.encoding = {"dtype": "int16", "scale_factor": 0.1}
    image = as_image(array, quantity="radiance", source="a", name="b")
    assert set(image.attrs) == {"quantity", "source", "name"}
    assert image.encoding["scale_factor"] == 0.1


def test_scale_divides_once_and_gives_float32() -> None:
    image = as_image(np.full((2, 2, 5), 5000, "i2"), scale=10_000)
    assert image.dtype == np.float32
    assert float(image[0, 0, 0]) == 0.5


# ------------------------------------------------------------------------------------------------------ refusals


@pytest.mark.parametrize(
    ("make", "error", "words"),
    [
        (lambda: as_image(np.ones((3, 3))), DataError, "3 axes"),
        (lambda: as_image(np.ones((3, 3, 3, 3))), DataError, "has 4"),
        (lambda: as_image(np.ones((0, 3, 3))), DataError, "empty"),
        (lambda: as_image(np.ones((3, 3, 0))), DataError, "empty"),
        (lambda: as_image(np.ones((3, 3, 3), complex)), DataError, "complex128"),
        (lambda: as_image(np.full((3, 3, 3), "a")), DataError, "real numbers"),
        (lambda: as_image(np.full((3, 3, 3), None)), DataError, "object"),
        (lambda: as_image(np.full((3, 3, 3), np.nan)), DataError, "no good band"),
        (lambda: as_image(np.ones((3, 3, 3)), good_bands=[False] * 3), DataError, "no good band"),
        (lambda: as_image(np.ones((3, 3, 3)), wavelengths=[1, 2]), OptionError, "3 bands"),
        (lambda: as_image(np.ones((3, 3, 3)), wavelengths=[400, -500, 600]), OptionError, "-500 is no wavelength.*NaN"),
        (lambda: as_image(np.ones((3, 3, 3)), wavelengths=[400, 500, np.inf]), OptionError, "inf is no wavelength"),
        (lambda: as_image(np.ones((3, 3, 3)), wavelengths=[0, 500, 600]), OptionError, "0 is no wavelength"),
        (lambda: as_image(np.ones((3, 3, 3)), wavelengths=["a", "b", "c"]), OptionError, "wavelengths"),
        (lambda: as_image(np.ones((3, 3, 3)), white_point=[255, 255]), OptionError, "white_point"),
        (lambda: as_image(np.ones((3, 3, 3)), quantity="refl"), OptionError, "reflectance"),
        (lambda: as_image(np.ones((3, 3, 3)), valid=np.ones((2, 3), bool)), OptionError, r"mask has shape \(2, 3\)"),
        (lambda: as_image(np.ones((3, 3, 3)), valid=np.ones((3, 3))), OptionError, "float64"),
        (lambda: as_image(np.ones((3, 3, 3)), scale=0), OptionError, "positive"),
        (lambda: as_image(np.ones((3, 3, 3)), scale=float("nan")), OptionError, "positive"),
        (lambda: as_image(np.ones((3, 3, 3)), pixel_size=-1), OptionError, "positive"),
        (lambda: as_image(np.ones((3, 3, 3)), pixel_size=1, crs="EPSG:4326"), OptionError, "not both"),
        (lambda: as_image(xr.DataArray(np.ones((3, 3, 3)), dims=("t", "y", "x"))), DataError, "y, x and band"),
        (lambda: as_image(xr.DataArray(np.ones((3, 3)), dims=("y", "x"))), DataError, "y, x and band"),
        (lambda: check_image(np.ones((3, 3, 3))), DataError, "as_image"),
        (lambda: check_image(xr.DataArray(np.ones((3, 3, 3)), dims=DIMS)), DataError, "good_band"),
        (
            lambda: as_image(xr.DataArray(np.ones((3, 3, 3)), dims=DIMS, attrs={"quantity": "light"})),
            OptionError,
            "'light'",
        ),
    ],
)
def test_refusals_are_one_line_with_a_way_out(make: object, error: type[UnmixError], words: str) -> None:
    with pytest.raises(error, match=words) as caught:
        make()
    assert "\n" not in str(caught.value)


def test_public_door_is_the_same() -> None:
    assert unmix.as_image is as_image


def test_a_dask_array_of_unknown_size_is_refused() -> None:
    import dask.array as da

    values = da.ones((40, 5), chunks=10)
    unknown = values[da.ones(40, chunks=10) > 0][None]
    with pytest.raises(DataError, match="compute_chunk_sizes"):
        as_image(unknown)
