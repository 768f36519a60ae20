"""What GIS people expect: COG, ENVI pairs, Zarr, CF, STAC; opened by rasterio, rioxarray, xarray and gdalinfo."""

from __future__ import annotations

import json
import shutil
import subprocess
import zlib

import dask.array as da
import numpy as np
import pytest
import rasterio
import rioxarray
import xarray as xr
from affine import Affine

import unmix
import unmix.writers.zarr_result
from unmix.errors import OptionError, ReadError, WriteError
from unmix.ground_grid import GroundGrid, on_the_ground, with_ground_grid

NORTH_UP = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)
ROTATED = Affine(28.0, 6.0, 400_000.0, 6.0, -28.0, 4_000_000.0)
GDALINFO = shutil.which("gdalinfo")


def test_a_cog_opens_everywhere(scene_result, tmp_path):
    (path,) = unmix.write(scene_result, tmp_path / "maps of.cog.tif")
    with rasterio.open(path) as file:
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert list(file.descriptions) == ["tree", "water", "soil"]
        assert np.isnan(file.nodata)
        assert file.crs.to_epsg() == 32611
        assert file.transform == NORTH_UP
        np.testing.assert_array_equal(file.read(), scene_result["abundances"].values)
        assert file.tags()["unmix_quantity"] == "reflectance"
    with rioxarray.open_rasterio(path, masked=True) as maps:
        assert maps.rio.crs.to_epsg() == 32611
    assert [entry.name for entry in tmp_path.iterdir()] == ["maps of.cog.tif"]


def test_large_cogs_have_overviews(make, tmp_path):
    result = make(shape=(700, 1100), crs="EPSG:32611", transform=NORTH_UP)
    unmix.write(result, tmp_path / "a.cog.tif")
    with rasterio.open(tmp_path / "a.cog.tif") as file:
        assert file.overviews(1)[0] == 2
        assert file.block_shapes[0] == (512, 512)


@pytest.mark.skipif(
    GDALINFO is None, reason="gdalinfo (Debian gdal-bin) is not installed; rasterio's GDAL is tested above"
)
@pytest.mark.parametrize("name", ["geotiff", "cog", "envi", "netcdf"])
def test_gdalinfo_reads_names_nodata_and_place(scene_result, tmp_path, name):
    written = unmix.write(scene_result, tmp_path, formats=[name])
    source = f"NETCDF:{written[0]}:abundances" if name == "netcdf" else str(written[0])
    told = json.loads(subprocess.run([GDALINFO, "-json", source], capture_output=True, text=True, check=True).stdout)
    assert told["size"] == [34, 21]
    assert 'ID["EPSG",32611]' in told["coordinateSystem"]["wkt"] or "UTM" in told["coordinateSystem"]["wkt"]
    np.testing.assert_allclose(told["geoTransform"], NORTH_UP.to_gdal(), rtol=1e-9)
    assert len(told["bands"]) == 3
    assert all(str(band["noDataValue"]).lower() == "nan" for band in told["bands"])
    if name != "netcdf":
        assert [band["description"] for band in told["bands"]] == ["tree", "water", "soil"]


def test_the_spectral_library_is_read_back(scene_result, tmp_path):
    scene_result = scene_result.assign_coords(endmember=["tree, green", "water {deep}", "soil"])
    assert unmix.write(scene_result, tmp_path / "pure.sli") == [tmp_path / "pure.sli", tmp_path / "pure.hdr"]
    library = unmix.read_library(tmp_path / "pure.hdr")
    assert list(library.names) == ["tree; green", "water (deep)", "soil"]
    np.testing.assert_allclose(library.wavelengths, scene_result["wavelength"])
    np.testing.assert_array_equal(library.spectra, scene_result["endmembers"].values)
    text = (tmp_path / "pure.hdr").read_text()
    assert "file type = ENVI Spectral Library" in text
    assert "bbl = {1, 1, 1, 1, 0, 1, 1, 1, 1}" in text
    with pytest.raises(WriteError, match=r"pure.sli exists"):
        unmix.write(scene_result, tmp_path / "pure.sli")
    (tmp_path / "pure.sli").unlink()
    with pytest.raises(WriteError, match=r"pure.hdr exists"):
        unmix.write(scene_result, tmp_path / "pure.sli")


@pytest.mark.parametrize("transform", [NORTH_UP, ROTATED, None])
def test_envi_maps_are_read_back_here_and_by_gdal(make, tmp_path, transform):
    place = {} if transform is None else {"crs": "EPSG:32611", "transform": transform}
    result = make(**place)
    unmix.write(result, tmp_path, formats=["envi"])
    image = unmix.read(tmp_path / "abundances.hdr", quantity="unknown")
    np.testing.assert_array_equal(image.values, result["abundances"].transpose("y", "x", "endmember").values)
    assert image.coords["band_name"].values.tolist() == ["tree", "water", "soil"]
    with rasterio.open(tmp_path / "abundances.img") as file:
        np.testing.assert_array_equal(file.read(), result["abundances"].values)
        if transform is not None:
            assert image.rio.transform().almost_equals(transform, 1e-6)
            assert file.transform.almost_equals(transform, 1e-6)
            assert image.rio.crs.to_epsg() == 32611


def test_maps_of_result_nc_say_where_they_lie(scene_result, tmp_path):
    unmix.write(scene_result, tmp_path / "result.nc")
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf", decode_coords=False) as raw:
        assert raw.attrs["Conventions"].startswith("CF-1.")
        for name in ("abundances", "residual", "brightness"):
            assert raw[name].attrs["grid_mapping"] == "spatial_ref"
        assert raw["spatial_ref"].attrs["grid_mapping_name"] == "transverse_mercator"
        assert raw["x"].attrs["standard_name"] == "projection_x_coordinate"
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf", decode_coords="all") as found:
        assert found["abundances"].rio.crs.to_epsg() == 32611
        assert found["abundances"].rio.transform() == NORTH_UP
    xr.testing.assert_identical(unmix.open_result(tmp_path / "result.nc"), scene_result)


def test_zarr_is_identical_and_lies_where_it_did(scene_result, tmp_path):
    unmix.write(scene_result, tmp_path / "result.zarr")
    xr.testing.assert_identical(unmix.open_result(tmp_path / "result.zarr"), scene_result)
    with unmix.open_result(tmp_path / "result.zarr", chunks={}) as lazy:
        assert lazy["abundances"].chunks is not None
        xr.testing.assert_identical(lazy.load(), scene_result)
    with xr.open_zarr(tmp_path / "result.zarr", decode_coords="all") as found:
        assert found["abundances"].rio.crs.to_epsg() == 32611
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["result.zarr"]
    unmix.write(scene_result, tmp_path / "result.zarr", overwrite=True)
    (tmp_path / "result.zarr/abundances/.zarray").write_text(
        (tmp_path / "result.zarr/abundances/.zarray").read_text().replace('"zlib"', '"pickle"')
    )
    with pytest.raises(ReadError, match="the codec 'pickle' is not known to be safe"):
        unmix.open_result(tmp_path / "result.zarr")


STAC_ITEM = {
    "type": str, "stac_version": str, "stac_extensions": list, "id": str, "geometry": dict, "bbox": list,
    "properties": dict, "links": list, "assets": dict,
}  # fmt: skip


def test_a_stac_item_lists_what_was_written(scene_result, tmp_path):
    names = ["cog", "csv", "netcdf", "stac"]
    written = unmix.write(scene_result, tmp_path, formats=names)
    assert written[-1].name == "item.json"
    item = json.loads((tmp_path / "item.json").read_text())
    assert {key: type(value) for key, value in item.items()} == STAC_ITEM
    assert (item["type"], item["stac_version"]) == ("Feature", "1.0.0")
    properties = item["properties"]
    assert properties["datetime"] is None
    assert properties["start_datetime"] < properties["end_datetime"]
    assert properties["proj:code"] == "EPSG:32611"
    west, south, east, north = item["bbox"]
    assert -118.2 < west < east < -118.0
    assert 36.1 < south < north < 36.2
    ring = np.array(item["geometry"]["coordinates"][0])
    assert ring[0].tolist() == ring[-1].tolist()
    assert [ring[:, 0].min(), ring[:, 1].min(), ring[:, 0].max(), ring[:, 1].max()] == item["bbox"]
    assert set(item["assets"]) == {"result.nc", "endmembers.csv", "abundances.cog.tif"}
    for name, asset in item["assets"].items():
        assert (tmp_path / asset["href"]).is_file(), name
        assert asset["roles"]
    assert "http" not in (tmp_path / "item.json").read_text()
    assert "cloud-optimized" in item["assets"]["abundances.cog.tif"]["type"]


def test_a_stac_item_says_when_if_the_file_does(scene_result):
    from unmix.writers.stac import item_of

    item = item_of(scene_result.assign_attrs(acquired="2023-03-16T04:51:33Z"), ())
    assert item["properties"]["datetime"] == "2023-03-16T04:51:33Z"


def test_stac_across_the_180th_meridian(make):
    from unmix.writers.stac import item_of

    result = make(crs="EPSG:32701", transform=Affine(1000, 0, 150_000, 0, -1000, 8_000_000))
    item = item_of(result, ())
    west, _, east, _ = item["bbox"]
    assert west > 170
    assert east < -170
    assert item["geometry"]["type"] == "MultiPolygon"


def test_what_stac_cannot_say_is_refused(make, scene_result, tmp_path):
    with pytest.raises(OptionError, match="needs a place on Earth"):
        unmix.write(make(), tmp_path / "a", formats=["csv", "stac"])
    with pytest.raises(OptionError, match="'stac' describes other files"):
        unmix.write(scene_result, tmp_path / "b", formats=["stac"])


def turned(result: xr.Dataset) -> tuple[xr.Dataset, np.ndarray]:
    """Return a result in sensor geometry with a table that turns it by 90 degrees, and the maps expected."""
    height, width = result.sizes["y"], result.sizes["x"]
    line, sample = np.zeros((2, width + 1, height), np.int32)
    line[1:], sample[1:] = np.arange(1, height + 1)[None, :], np.arange(width, 0, -1)[:, None]
    grid = GroundGrid(line, sample, rasterio.crs.CRS.from_epsg(4326), Affine(0.001, 0, -118.0, 0, -0.001, 36.0))
    maps = np.rot90(result["abundances"].values, axes=(1, 2))
    expected = np.concatenate([np.full((len(maps), 1, height), np.nan, "float32"), maps], axis=1)
    return with_ground_grid(result.assign_coords(y=np.arange(height), x=np.arange(width)), grid), expected


def test_a_lookup_table_lays_maps_out_when_they_are_written(make, tmp_path):
    result, expected = turned(make(brightness=True))
    names = ["geotiff", "cog", "residual", "brightness", "envi", "netcdf", "csv", "stac"]
    unmix.write(result, tmp_path, formats=names)
    for name in ("abundances.tif", "abundances.cog.tif", "abundances.img"):
        with rasterio.open(tmp_path / name) as file:
            np.testing.assert_array_equal(file.read(), expected)
            assert file.crs.to_epsg() == 4326
            assert file.transform.almost_equals(Affine(0.001, 0, -118.0, 0, -0.001, 36.0))
    with rasterio.open(tmp_path / "residual.tif") as file:
        np.testing.assert_array_equal(file.read(1)[1:], np.rot90(result["residual"].values))
    xr.testing.assert_identical(unmix.open_result(tmp_path / "result.nc"), result)
    with xr.open_dataset(tmp_path / "result.nc", engine="h5netcdf", decode_coords="all") as found:
        assert found["glt_x"].encoding["grid_mapping"] == "ground_ref"
    assert json.loads((tmp_path / "item.json").read_text())["bbox"][0] == -118.0


def test_a_part_of_a_sensor_image_is_laid_out_in_its_place(make):
    result, expected = turned(make())
    part = result.isel(y=slice(3, 12), x=slice(5, 20))
    laid = on_the_ground(part)["abundances"].values
    inside = np.isfinite(laid).any(axis=0)
    np.testing.assert_array_equal(laid[:, inside], expected[:, inside])
    assert laid.shape == expected.shape
    assert inside.sum() == np.isfinite(part["abundances"].values).all(axis=0).sum()
    binned = result.drop_vars("valid", errors="ignore").coarsen(y=3, x=2, boundary="trim").mean()
    with pytest.raises(unmix.errors.DataError, match="no longer counts the sensor's rows"):
        on_the_ground(binned)


def test_chunks_of_zarr_are_zlib_to_everyone(scene_result, tmp_path):
    (path,) = unmix.write(scene_result, tmp_path / "result.zarr")
    told = json.loads((path / "abundances/.zarray").read_text())
    assert (told["compressor"], told["filters"]) == ({"id": "zlib", "level": 4}, None)
    chunk = zlib.decompress((path / "abundances/1.0.0").read_bytes())
    assert chunk == scene_result["abundances"].values[1].tobytes()
    with rasterio.open(f'ZARR:"{path}":/abundances') as file:
        np.testing.assert_array_equal(file.read(), scene_result["abundances"].values)


@pytest.mark.parametrize("name", ["abundances", "residual", "endmembers"])
def test_a_zarr_whose_chunks_changed_is_noticed(scene_result, tmp_path, monkeypatch, name):
    fill = unmix.writers.zarr_result._fill

    def damaged(folder, result):
        checksums = fill(folder, result)
        chunk = next(path for path in (folder / name).iterdir() if path.name.startswith("0"))
        other = fill(tmp_path / "other", with_other_values(result))
        assert other.keys() == checksums.keys()
        chunk.write_bytes((tmp_path / "other" / name / chunk.name).read_bytes())
        return checksums

    monkeypatch.setattr("unmix.writers.zarr_result._fill", damaged)
    with pytest.raises(WriteError, match=f"result.zarr: {name} did not read back as written"):
        unmix.write(scene_result, tmp_path / "result.zarr")
    assert not (tmp_path / "result.zarr").exists()


def with_other_values(result: xr.Dataset) -> xr.Dataset:
    return result.assign({name: result[name] + 1 for name in ("abundances", "residual", "endmembers")})


def test_lazy_maps_are_computed_once_for_a_zarr(scene_result, tmp_path):
    seen = []

    def counted(block: np.ndarray) -> np.ndarray:
        seen.append(block.shape)
        return block

    maps = scene_result["residual"].data
    lazy = scene_result.assign(
        residual=(("y", "x"), da.from_array(maps).map_blocks(counted, dtype=maps.dtype, meta=maps))
    )
    unmix.write(lazy, tmp_path / "result.zarr")
    assert seen == [maps.shape]
