"""NetCDF by the CF convention and Zarr stores, written by xarray; what would run code is refused."""

from __future__ import annotations

import json

import numpy as np
import pytest
import rioxarray  # noqa: F401  (registers the .rio accessor)
import xarray as xr
from affine import Affine

import unmix
from unmix.errors import OptionError, ReadError, UnmixError, UnmixWarning

CUBE = np.random.default_rng(2).random((12, 8, 6)).astype("float32")
NM = np.linspace(450.0, 950.0, 6)
PLACE = Affine(30.0, 0.0, 400_000.0, 0.0, -30.0, 4_000_000.0)


def dataset(band="wavelength", y="y", x="x", unit="nm", crs="EPSG:32611", values=NM):
    """Return a Dataset with a cube, bands first, and its CRS in a variable of its own name."""
    coords = {
        band: (band, values, {"units": unit} if unit else {}),
        y: (y, 3_999_985.0 - 30 * np.arange(12)),
        x: (x, 400_015.0 + 30 * np.arange(8)),
    }
    cube = xr.DataArray(CUBE.transpose(2, 0, 1), dims=(band, y, x), coords=coords)
    found = cube.to_dataset(name="rfl")
    if crs is not None:
        found["crs"] = xr.DataArray(0, attrs=xr.DataArray(0).rio.write_crs(crs).coords["spatial_ref"].attrs)
        found["rfl"].attrs["grid_mapping"] = "crs"
    found["quality"] = ((y, x), np.zeros((12, 8), "u1"))
    return found


@pytest.fixture(params=["nc", "zarr2", "zarr3"])
def save(request, tmp_path):
    """Return what saves a Dataset as NetCDF 4 or as Zarr of either format."""

    def save(found, **encoding):
        if request.param == "nc":
            found.to_netcdf(tmp_path / "a.nc", engine="h5netcdf", encoding=encoding)
            return tmp_path / "a.nc"
        found.to_zarr(tmp_path / "a.zarr", zarr_format=int(request.param[-1]), encoding=encoding, consolidated=False)
        return tmp_path / "a.zarr"

    return save


@pytest.mark.parametrize(
    ("names", "unit", "values"),
    [
        ({}, "nm", NM),
        ({"band": "bands"}, "um", NM / 1000),
        ({"band": "spectral", "y": "northing", "x": "easting"}, "nm", NM),
    ],
)
def test_any_band_dimension_any_unit_and_the_place(save, names, unit, values):
    path = save(dataset(unit=unit, values=values, **names))
    image = unmix.read(path)
    np.testing.assert_array_equal(image.values, CUBE)
    assert image.chunks is not None
    np.testing.assert_allclose(image.coords["wavelength"], NM)
    assert image.rio.crs.to_epsg() == 32611
    assert image.rio.transform().almost_equals(PLACE)
    part = unmix.read(path, region=(2, 1, 9, 5), bands=(500, 800))
    np.testing.assert_array_equal(part.values, CUBE[2:9, 1:5, 1:4])
    assert part.rio.transform().c == 400_030


def test_packed_numbers_are_unpacked_once(save):
    found = dataset()
    found["rfl"] = found["rfl"].where(found["rfl"].coords["y"] < 3_999_980)
    image = unmix.read(save(found, rfl={"dtype": "i2", "scale_factor": 1e-4, "add_offset": 0.5, "_FillValue": -32768}))
    np.testing.assert_allclose(image.values[1:], CUBE[1:], atol=6e-5)
    assert not image.coords["valid"].values[0].any()
    assert image.coords["valid"].values[1:].all()


def test_degrees_without_a_grid_mapping_are_wgs84(save):
    found = dataset(y="lat", x="lon", crs=None)
    found = found.assign_coords(
        lat=("lat", 36 - 0.01 * np.arange(12), {"units": "degrees_north"}),
        lon=("lon", -118 + 0.01 * np.arange(8), {"units": "degrees_east"}),
    )
    path = save(found)
    image = unmix.read(path)
    np.testing.assert_array_equal(image.values, CUBE)
    if path.suffix == ".nc":
        assert image.rio.crs.to_epsg() == 4326


def test_several_cubes_are_chosen_by_key(save):
    path = save(dataset().assign(more=dataset()["rfl"] * 2))
    with pytest.raises(ReadError, match=r"choose one by key=. It has"):
        unmix.read(path)
    np.testing.assert_allclose(unmix.read(path, key="more").values, 2 * CUBE)
    with pytest.raises(ReadError, match="holds no"):
        unmix.read(path, key="none")


def test_a_swath_keeps_latitude_and_longitude(tmp_path):
    y, x = np.mgrid[:12, :8]
    found = xr.Dataset(
        {"rfl": (("lines", "samples", "bands"), CUBE)},
        coords={"lat": (("lines", "samples"), 36 - 0.01 * y), "lon": (("lines", "samples"), -118 + 0.01 * x)},
    )
    found.to_netcdf(tmp_path / "s.nc", engine="h5netcdf")
    image = unmix.read(tmp_path / "s.nc")
    assert image.coords["latitude"].dims == ("y", "x")
    assert image.coords["longitude"].values[0, 2] == pytest.approx(-117.98)
    result = unmix.unmix(image, endmembers=CUBE[0, :2], quantity="reflectance")
    unmix.write(result, tmp_path / "out", formats=["netcdf", "csv", "stac"])
    assert json.loads((tmp_path / "out/item.json").read_text())["bbox"] == [-118.0, 35.89, -117.93, 36.0]
    with xr.open_dataset(tmp_path / "out/result.nc", engine="h5netcdf", decode_coords=False) as raw:
        assert set(raw["abundances"].attrs["coordinates"].split()) >= {"latitude", "longitude"}
    assert unmix.open_result(tmp_path / "out/result.nc").identical(result)


@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
@pytest.mark.parametrize("version", [2, 3])
def test_a_codec_that_could_run_code_is_refused(tmp_path, version):
    path = tmp_path / "a.zarr"
    dataset().to_zarr(path, zarr_format=version, consolidated=False)
    file = path / "rfl" / (".zarray" if version == 2 else "zarr.json")
    told = json.loads(file.read_text())
    if version == 2:
        told["filters"] = [{"id": "pickle"}]
    else:
        told["codecs"] = [*told["codecs"], {"name": "numcodecs.pickle", "configuration": {}}]
    file.write_text(json.dumps(told))
    with pytest.raises(ReadError, match=r"the codec '(numcodecs\.)?pickle' is not known to be safe, and is never run"):
        unmix.read(path)


def test_a_chunk_that_claims_too_much_is_refused(tmp_path, monkeypatch):
    dataset().to_zarr(tmp_path / "a.zarr", zarr_format=2, consolidated=False)
    monkeypatch.setattr("unmix.readers.limits.memory_limit", lambda: 1000)
    with pytest.raises(ReadError, match=r"one chunk of 'rfl' .* needs 2,304 bytes at once"):
        unmix.read(tmp_path / "a.zarr")


@pytest.mark.filterwarnings("ignore::unmix.errors.UnmixWarning")
def test_damaged_stores_give_one_line_errors(tmp_path):
    path = tmp_path / "a.zarr"
    dataset().to_zarr(path, zarr_format=2, consolidated=False)
    rng = np.random.default_rng(0)
    for file in (path / "rfl/.zarray", path / "rfl/.zattrs", path / ".zgroup", path / "rfl/0.0.0"):
        content = file.read_bytes()
        mutants = [content[: len(content) * k // 3] for k in range(3)]
        for _ in range(5):
            mutant = bytearray(content)
            mutant[int(rng.integers(len(content)))] ^= 1 << int(rng.integers(7))
            mutants.append(bytes(mutant))
        for mutant in mutants:
            file.write_bytes(mutant)
            assert "\n" not in said_about(path)
        file.write_bytes(content)


def said_about(path) -> str:
    """Return what reading a store says against it, nothing where it is read."""
    try:
        unmix.read(path).compute()
    except UnmixError as error:
        return str(error)
    return ""


def test_a_result_is_no_image_and_a_plain_folder_no_store(tmp_path):
    result = unmix.unmix(CUBE, endmembers=CUBE[0, :2], quantity="radiance")
    unmix.write(result, tmp_path / "r.zarr")
    with pytest.raises(ReadError, match="is an unmix result, not an image"):
        unmix.read(tmp_path / "r.zarr")
    (tmp_path / "b.zarr").mkdir()
    with pytest.raises(ReadError, match=r"is a folder\. Give one file in it"):
        unmix.read(tmp_path / "b.zarr")


WATER_NM = np.array([450.0, 860.0, 1240.0, 1380.0, 1650.0, 1900.0])


def leave_out(tmp_path, *, crs="EPSG:32611", good=None, values=CUBE, **options):
    """Return which bands of a GeoTIFF with these wavelengths are not good."""
    import rasterio

    place = {} if crs is None else {"crs": crs, "transform": PLACE}
    with rasterio.open(
        tmp_path / "w.tif", "w", driver="GTiff", height=12, width=8, count=6, dtype=values.dtype, **place
    ) as file:
        file.write(values.transpose(2, 0, 1))
        for band in range(6):
            tags = {"wavelength": str(WATER_NM[band]), "wavelength_units": "nm"}
            file.update_tags(band + 1, **tags, **({} if good is None else {"bbl": str(good[band])}))
    return np.flatnonzero(~unmix.read(tmp_path / "w.tif", **options).coords["good_band"].values).tolist()


MOON = 'GEOGCS["Moon",DATUM["D_Moon",SPHEROID["Moon",1737400,0]],PRIMEM["0",0],UNIT["degree",0.0174532925199433]]'


def test_water_bands_are_left_out_of_reflectance_of_earth_aloud(tmp_path):
    with pytest.warns(UnmixWarning, match="gives no list of good bands: 2 bands within 1350-1433 and 1804-1968 nm"):
        assert leave_out(tmp_path) == [3, 5]
    assert leave_out(tmp_path, water_bands="keep") == []
    with pytest.raises(OptionError, match="water_bands='drop' is not known"):
        leave_out(tmp_path, water_bands="drop")


@pytest.mark.filterwarnings("ignore::rasterio.errors.NotGeoreferencedWarning")
@pytest.mark.parametrize(
    ("what", "expected"),
    [
        ({"crs": None}, []),  # a laboratory cube
        ({"crs": MOON}, []),
        ({"good": [1, 1, 1, 1, 1, 1]}, []),  # the file says that all are good
        ({"good": [1, 0, 1, 1, 1, 1]}, [1]),
        ({"quantity": "radiance"}, []),
        ({"exclude": [(1370, 1390)]}, [3]),  # the user has judged them
    ],
)
def test_water_bands_are_kept_where_somebody_judged_or_there_is_no_air(tmp_path, what, expected):
    assert leave_out(tmp_path, **what) == expected


def test_an_empty_water_band_means_that_they_were_judged(tmp_path):
    values = CUBE.copy()
    values[:, :, 3] = np.nan
    assert leave_out(tmp_path, values=values) == [3]
