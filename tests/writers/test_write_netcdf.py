"""NetCDF: a result read back is the result."""

from __future__ import annotations

import os

import h5py
import numpy as np
import pytest
import xarray as xr
from affine import Affine

from unmix.errors import WriteError
from unmix.readers import open_result
from unmix.writers.netcdf import write_netcdf

NORTH_UP = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
ROTATED = Affine(28.0, 6.0, 400_000.0, 6.0, -28.0, 4_000_000.0)

KINDS = {
    "without place": {},
    "georeferenced": {"crs": "EPSG:32611", "transform": NORTH_UP, "brightness": True},
    "rotated": {"crs": "EPSG:32611", "transform": ROTATED},
    "calibrated": {"quantity": "brightfield", "n_bands": 3, "names": ("hematoxylin", "eosin"), "pixel_size": 0.5},
    "seconds as unit": {"pixel_size": 0.5, "pixel_unit": "s"},
    "unknown wavelengths": {"wavelengths": [np.nan, 420, 430, np.nan, 450, 460, 470, 480, 455]},
    "band names": {"band_names": list("abcdefghi"), "fwhm": np.linspace(5, 9, 9)},
    "unicode": {"names": ("水", "=cmd", "Größe µ", "a" * 300)},
    "one endmember": {"names": ("only",)},
    "one pixel": {"shape": (1, 1)},
}


@pytest.mark.parametrize("kind", KINDS)
def test_a_result_reads_back_identical(tmp_path, make, kind):
    result = make(**KINDS[kind])
    path = write_netcdf(result, tmp_path / "result.nc")
    back = open_result(path)
    xr.testing.assert_identical(back, result)
    assert back["endmember"].dtype.kind == "U"
    assert back["good_band"].dtype == bool
    assert os.listdir(tmp_path) == ["result.nc"]


def test_what_a_user_adds_is_kept(tmp_path, make):
    result = make(shape=(5, 6))
    plane = ("y", "x")
    result = result.assign(burnt=(plane, np.eye(5, 6) > 0), label=(plane, np.arange(30).reshape(5, 6), {"units": "m"}))
    result = result.assign_coords(lat=(plane, np.random.default_rng(0).random((5, 6))))
    xr.testing.assert_identical(open_result(write_netcdf(result, tmp_path / "result.nc")), result)


def test_a_result_read_back_can_be_written_again(tmp_path, make):
    result = make(**KINDS["georeferenced"])
    first = open_result(write_netcdf(result, tmp_path / "first.nc"))
    second = write_netcdf(first.isel(y=slice(2, 9)), tmp_path / "second.nc")
    xr.testing.assert_identical(open_result(second), result.isel(y=slice(2, 9)))


def test_a_lazy_result_is_written_over_its_own_file(tmp_path, make):
    result = make(shape=(600, 30))
    path = write_netcdf(result, tmp_path / "result.nc")
    with xr.open_dataset(path, engine="h5netcdf", chunks={}) as lazy:
        write_netcdf(lazy.assign_attrs(relative_error=0.5), path, overwrite=True)
    xr.testing.assert_identical(open_result(path), result.assign_attrs(relative_error=0.5))


def test_a_long_provenance_is_kept(tmp_path, make):
    result = make().assign_attrs(provenance='{"warnings": ["' + "é" * 200_000 + '"]}')
    assert open_result(write_netcdf(result, tmp_path / "result.nc")).attrs == result.attrs


def test_maps_are_deflated_in_chunks_with_a_checksum(tmp_path, make):
    path = write_netcdf(make(shape=(600, 700), brightness=True), tmp_path / "result.nc")
    with h5py.File(path) as file:
        for name, chunks in {"abundances": (1, 512, 512), "residual": (512, 512), "brightness": (512, 512)}.items():
            assert file[name].chunks == chunks
            assert (file[name].compression, file[name].compression_opts) == ("gzip", 4)
            assert file[name].fletcher32
            assert file[name].shuffle


def test_an_attribute_netcdf_cannot_hold_is_one_line(tmp_path, make):
    with pytest.raises(WriteError, match=r"^[^\n]*result\.nc could not be written: [^\n]+$"):
        write_netcdf(make().assign_attrs(thing={"a": 1}), tmp_path / "result.nc")
    assert os.listdir(tmp_path) == []


def test_a_changed_attribute_is_named(tmp_path, make, monkeypatch):
    def spoil(path):
        with h5py.File(path, "r+") as file:
            file.attrs["n_valid"] = 1
            file["residual"].attrs["units"] = "m"

    monkeypatch.setattr("unmix.writers.commit._sync", spoil)
    with pytest.raises(WriteError, match="attributes, residual did not read back as written"):
        write_netcdf(make(), tmp_path / "result.nc")


@pytest.mark.parametrize("kind", KINDS)
def test_the_layout_is_that_of_the_netcdf_library(tmp_path, make, kind):
    """Every dimension is a scale with an id; every variable refers to the scales of its dimensions and they to it."""
    result = make(**KINDS[kind])
    with h5py.File(write_netcdf(result, tmp_path / "result.nc")) as file:
        assert {file[name].attrs["_Netcdf4Dimid"] for name in result.sizes} == set(range(len(result.sizes)))
        for name, size in result.sizes.items():
            assert file[name].shape == (size,)
            assert file[name].attrs["CLASS"] == b"DIMENSION_SCALE"
            label = file[name].attrs["NAME"]
            assert label == name.encode() if name in result.coords else label.startswith(b"This is a netCDF dimension")
        for name, variable in result.variables.items():
            if name not in result.sizes:
                scales = [file[file[name].attrs["DIMENSION_LIST"][k][0]].name for k in range(variable.ndim)]
                assert scales == [f"/{dim}" for dim in variable.dims]


@pytest.mark.parametrize("variable", ["abundances", "endmembers", "endmember"])
def test_a_changed_variable_is_named(tmp_path, make, monkeypatch, variable):
    def spoil(path):
        with h5py.File(path, "r+") as file:
            file[variable][...] = 0 if variable != "endmember" else list("xyz")

    monkeypatch.setattr("unmix.writers.commit._sync", spoil)
    with pytest.raises(WriteError, match=f"{variable} did not read back as written"):
        write_netcdf(make(), tmp_path / "result.nc")
    assert os.listdir(tmp_path) == []
