"""DataArrays and Datasets of rioxarray and others go straight in: any band dimension, any order, everything kept."""

from __future__ import annotations

import numpy as np
import pytest
import rioxarray
import xarray as xr
from affine import Affine

import unmix
from unmix.conventions.spectral_axis import other_axis, spectral_axis
from unmix.errors import DataError, UnmixWarning

PLACE = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
CUBE = np.random.default_rng(3).random((5, 4, 6)).astype("float32")
NM = np.linspace(400.0, 900.0, 6)


@pytest.fixture
def raster(tmp_path):
    """Return a GeoTIFF (nodata, names, CRS) as rioxarray opens it: bands first."""
    import rasterio

    with rasterio.open(
        tmp_path / "a b.tif", "w", driver="GTiff", height=5, width=4, count=6, dtype="float32", nodata=-9999.0,
        crs="EPSG:32611", transform=PLACE,
    ) as file:  # fmt: skip
        values = CUBE.transpose(2, 0, 1).copy()
        values[:, 0, 0] = -9999
        file.write(values)
        file.descriptions = [f"b{k}" for k in range(6)]
    return tmp_path / "a b.tif"


@pytest.mark.parametrize("masked", [False, True])
def test_a_raster_of_rioxarray_goes_straight_in(raster, masked):
    given = rioxarray.open_rasterio(raster, masked=masked)
    image = unmix.as_image(given)
    assert image.dims == ("y", "x", "band")
    assert image.rio.crs.to_epsg() == 32611
    assert image.rio.transform() == PLACE
    assert image.coords["band_name"].values.tolist() == [f"b{k}" for k in range(6)]
    assert image.coords["valid"].values.sum() == 19
    np.testing.assert_array_equal(image.values[1:], CUBE[1:])
    assert "wavelength" not in image.coords
    result = unmix.unmix(given, 2, quantity="reflectance")
    result["abundances"].rio.to_raster(raster.with_name("maps.tif"))
    with rioxarray.open_rasterio(raster.with_name("maps.tif")) as maps:
        assert maps.rio.crs == image.rio.crs
        assert maps.rio.transform() == PLACE
        np.testing.assert_array_equal(maps.values, result["abundances"].values)


@pytest.mark.parametrize("dims", [("wavelength", "y", "x"), ("lat", "lon", "bands"), ("row", "lambda", "col")])
def test_bands_first_middle_last_and_under_other_names(dims):
    letters = [unmix.image.letter_of(dim) for dim in dims]
    given = xr.DataArray(CUBE.transpose([("y", "x", "b").index(letter) for letter in letters]), dims=dims)
    np.testing.assert_array_equal(unmix.as_image(given).values, CUBE)


def test_an_unknown_name_is_the_band_only_if_the_others_are_known():
    given = xr.DataArray(CUBE, dims=("y", "x", "spectral_channel_nr"))
    np.testing.assert_array_equal(unmix.as_image(given).values, CUBE)
    for dims in [("y", "x", "time"), ("y", "a", "b"), ("p", "q", "r")]:
        with pytest.raises(DataError, match="Rename or select them first") as caught:
            unmix.as_image(xr.DataArray(CUBE, dims=dims))
        assert "\n" not in str(caught.value)


def test_there_and_back_through_bands_first():
    image = unmix.as_image(CUBE, wavelengths=NM, crs="EPSG:32611", transform=PLACE, band_names=list("abcdef"))
    xr.testing.assert_identical(unmix.as_image(image.transpose("band", "y", "x")), image)


@pytest.mark.parametrize(
    ("values", "attrs"),
    [(NM, {"units": "nm"}), (NM / 1000, {"units": "um"}), (1e7 / NM, {"units": "cm-1"}), (NM, {})],
)
def test_wavelengths_come_in_nanometres_whatever_their_unit(values, attrs):
    coords = {"wavelength": ("wavelength", values, attrs)}
    image = unmix.as_image(xr.DataArray(CUBE, dims=("y", "x", "wavelength"), coords=coords))
    np.testing.assert_allclose(image.coords["wavelength"], NM)


def test_micrometres_without_a_unit_are_guessed_aloud():
    given = xr.DataArray(CUBE, dims=("y", "x", "wavelength"), coords={"wavelength": NM / 1000})
    with pytest.warns(UnmixWarning, match="taken as micrometres"):
        image = unmix.as_image(given)
    np.testing.assert_allclose(image.coords["wavelength"], NM)


@pytest.mark.parametrize(
    ("name", "attrs", "label"),
    [
        ("raman_shift", {"units": "1/cm"}, "Raman shift (1/cm)"),
        ("wavenumber", {"units": "cm-1", "long_name": "Raman shift"}, "Raman shift (1/cm)"),
        ("mz", {}, "m/z"),
        ("energy", {"units": "keV"}, "energy (keV)"),
        ("energy_loss", {"units": "eV"}, "energy loss (eV)"),
    ],
)
def test_what_is_no_wavelength_does_not_become_one(name, attrs, label):
    coords = {name: ("s", NM, attrs)}
    image = unmix.as_image(xr.DataArray(CUBE, dims=("y", "x", "s"), coords=coords))
    assert "wavelength" not in image.coords
    assert spectral_axis(image.coords).label == label
    result = unmix.unmix(image, endmembers=CUBE[0, :2, 1:], quantity="counts", bands=(450, 900), exclude=[(590, 610)])
    assert result.sizes["band"] == 5
    assert result["good_band"].values.tolist() == [True, False, True, True, True]
    assert spectral_axis(result.coords).label == label


def test_a_dataset_with_one_cube_and_a_grid_mapping_of_its_own_name():
    crs = xr.DataArray(0).rio.write_crs("EPSG:32611").coords["spatial_ref"]
    cube = xr.DataArray(CUBE, dims=("northing", "easting", "band"), attrs={"grid_mapping": "crs"})
    given = xr.Dataset({"rfl": cube, "crs": ((), 0, crs.attrs), "quality": (("northing", "easting"), CUBE[..., 0])})
    image = unmix.as_image(given)
    assert image.rio.crs.to_epsg() == 32611
    with pytest.raises(DataError, match="the Dataset has rfl, more"):
        unmix.as_image(given.assign(more=cube))


def test_other_axis_leaves_light_alone():
    assert other_axis(NM, "wavelength", "nm") is None
    assert other_axis(NM, "wavenumber", "cm-1") is None
