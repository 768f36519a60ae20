"""GeoTIFF: values, names and place come back; damage is noticed."""

from __future__ import annotations

import json
import os

import numpy as np
import pytest
import rasterio
import tifffile
from affine import Affine
from hypothesis import given, settings
from hypothesis import strategies as st
from rasterio.crs import CRS

from unmix.errors import WriteError
from unmix.writers.cog import write_cog
from unmix.writers.facts import affine, label
from unmix.writers.geotiff import write_abundances, write_brightness, write_residual

NORTH_UP = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
ROTATED = Affine(28.0, 6.0, 400_000.0, 6.0, -28.0, 4_000_000.0)

pytestmark = pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED])
@pytest.mark.parametrize("shape", [(21, 34), (300, 270)])
def test_values_names_and_place_come_back(tmp_path, make, transform, shape):
    result = make(shape=shape, crs="EPSG:32611", transform=transform, names=("tree", "水 <&>", "=cmd|' /C calc'!A0"))
    path = write_abundances(result, tmp_path / "maps.tif")
    with rasterio.open(path) as file:
        assert file.read().tobytes() == result["abundances"].values.tobytes()
        assert file.descriptions == ("tree", "水 <&>", "=cmd|' /C calc'!A0")
        assert file.crs == CRS.from_epsg(32611)
        assert file.transform == transform
        assert all(np.isnan(value) for value in file.nodatavals)
        assert set(file.dtypes) == {"float32"}
        assert file.block_shapes == [(256, 256)] * 3
        assert file.compression.value == "DEFLATE"
        tags = file.tags()
    assert tags["unmix_version"] == "9.8.7"
    assert json.loads(tags["unmix_options"]) == {"constraint": "shade", "remark": "Größe <&>"}
    assert json.loads(tags["unmix_provenance"]) == json.loads(result.attrs["provenance"])
    assert os.listdir(tmp_path) == ["maps.tif"]


def test_a_selection_of_a_result_lies_where_it_was(tmp_path, make):
    result = make(crs="EPSG:32611", transform=NORTH_UP).isel(y=slice(3, 15), x=slice(5, 30))
    with rasterio.open(write_abundances(result, tmp_path / "maps.tif")) as file:
        assert file.transform[:6] == pytest.approx((30.0, 0.0, 400_150.0, 0.0, -30.0, 3_999_910.0))


def test_every_other_pixel_is_twice_as_large(make):
    result = make(crs="EPSG:32611", transform=NORTH_UP).isel(y=slice(None, None, 2), x=slice(None, None, 2))
    assert affine(result) == pytest.approx((60.0, 0.0, 399_985.0, 0.0, -60.0, 4_000_015.0))


def test_a_result_of_one_pixel_keeps_its_place(tmp_path, make):
    result = make(crs="EPSG:32611", transform=NORTH_UP).isel(y=slice(5, 6), x=slice(2, 3))
    with rasterio.open(write_abundances(result, tmp_path / "maps.tif")) as file:
        assert file.transform[:6] == pytest.approx((30.0, 0.0, 400_060.0, 0.0, -30.0, 3_999_850.0))


def test_a_result_without_a_place_becomes_a_plain_tiff(tmp_path, make):
    result = make(pixel_size=0.5)
    with rasterio.open(write_abundances(result, tmp_path / "maps.tif")) as file:
        assert file.crs is None
        assert file.transform == Affine.identity()
        np.testing.assert_array_equal(file.read(), result["abundances"].values)


def test_residual_and_brightness_are_files_of_one_band(tmp_path, scene_result):
    for write, name in ((write_residual, "residual"), (write_brightness, "brightness")):
        with rasterio.open(write(scene_result, tmp_path / f"{name}.tif")) as file:
            assert file.descriptions == (name,)
            np.testing.assert_array_equal(file.read(1), scene_result[name].values)
            assert file.transform == NORTH_UP


def test_lazy_maps_are_written_as_those_in_memory(tmp_path, make):
    result = make(shape=(520, 40), crs="EPSG:32611", transform=NORTH_UP)
    path = write_abundances(result.chunk({"y": 100, "x": 17}), tmp_path / "maps.tif")
    with rasterio.open(path) as file:
        np.testing.assert_array_equal(file.read(), result["abundances"].values)


@settings(max_examples=25, deadline=None)
@given(st.text(max_size=40))
def test_any_name_becomes_one_visible_line_that_comes_back(tmp_path_factory, make_once, name):
    result = make_once.assign_coords(endmember=[name])
    path = write_abundances(result, tmp_path_factory.mktemp("names") / "maps.tif")
    with rasterio.open(path) as file:
        assert file.descriptions == (label(name, 0),)
    assert label(name, 0).isprintable()
    assert label(name, 0).strip()


@pytest.fixture(scope="module")
def make_once(make):
    return make(names=("one",), shape=(3, 4))


def test_a_changed_byte_is_noticed(tmp_path, scene_result, monkeypatch):
    def spoil(path):
        with tifffile.TiffFile(path) as file:
            offset = file.pages.first.dataoffsets[-1]
        content = bytearray(path.read_bytes())
        content[offset + 40] ^= 1
        path.write_bytes(content)

    monkeypatch.setattr("unmix.writers.commit._sync", spoil)
    with pytest.raises(WriteError, match=r"maps\.tif: values did not read back as written"):
        write_abundances(scene_result, tmp_path / "maps.tif")
    assert os.listdir(tmp_path) == []


def test_a_refusal_of_rasterio_is_one_line(tmp_path, scene_result, monkeypatch):
    def refuse(*arguments, **profile):
        raise rasterio.errors.RasterioIOError("Write failed.\nSee previous exception for details.")

    monkeypatch.setattr(rasterio, "open", refuse)
    with pytest.raises(WriteError, match=r"^[^\n]*maps\.tif could not be written: Write failed[^\n]*$"):
        write_abundances(scene_result, tmp_path / "maps.tif")
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("write", [write_abundances, write_cog])
def test_any_number_of_threads_gives_the_same_bytes(tmp_path, make, monkeypatch, write):
    result = make(shape=(1100, 1200), crs="EPSG:32611", transform=NORTH_UP)
    files = []
    for threads in (1, 2, 7):
        for module in ("cog", "stored_pieces"):
            monkeypatch.setattr(f"unmix.writers.{module}.thread_count", lambda _, n=threads: n)
        files.append(write(result, tmp_path / f"{threads}.tif").read_bytes())
    assert files[0] == files[1] == files[2]
