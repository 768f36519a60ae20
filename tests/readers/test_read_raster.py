"""GeoTIFF and JPEG 2000 written by rasterio."""

from __future__ import annotations

import numpy as np
import pytest
import rasterio
from rasterio.crs import CRS
from rasterio.transform import from_origin

import unmix
from unmix.errors import OptionError, ReadError, UnmixWarning

PLACE = {"crs": CRS.from_epsg(32633), "transform": from_origin(400000, 5800000, 30, 30)}


def save(path, cube: np.ndarray, *, tags=None, names=None, scales=None, offsets=None, overviews=(), **options) -> None:
    """Write a cube (y, x, band) by rasterio."""
    height, width, count = cube.shape
    profile = {"driver": "GTiff", "height": height, "width": width, "count": count, "dtype": cube.dtype, **options}
    with rasterio.open(path, "w", **profile) as file:
        file.write(cube.transpose(2, 0, 1))
        for band, text in enumerate(tags or [], 1):
            file.update_tags(band, **text)
        if names:
            file.descriptions = names
        if scales:
            file.scales = scales
        if offsets:
            file.offsets = offsets
        if overviews:
            file.build_overviews(overviews)


@pytest.fixture
def cube() -> np.ndarray:
    return np.random.default_rng(0).integers(1, 9000, (70, 90, 5), np.int16)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"tiled": True, "blockxsize": 32, "blockysize": 16},
        {"interleave": "pixel", "compress": "deflate"},
        {"bigtiff": "YES", "compress": "zstd"},
    ],
)
def test_values_place_and_windows(tmp_path, cube, options):
    save(tmp_path / "a.tif", cube, **PLACE, **options)
    image = unmix.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(image.values, cube)
    assert image.dtype == np.int16
    assert image.rio.crs == PLACE["crs"]
    part = unmix.read(tmp_path / "a.tif", region=(10, 20, 50, 60))
    np.testing.assert_array_equal(part.values, cube[10:50, 20:60])
    assert part.coords["x"].values[0] == 400000 + 20 * 30 + 15
    assert part.coords["y"].values[0] == 5800000 - 10 * 30 - 15


def test_a_raster_on_a_map_is_never_brightfield(tmp_path, cube):
    save(tmp_path / "a.tif", cube[..., :3].astype(np.uint8), **PLACE, photometric="RGB")
    image = unmix.read(tmp_path / "a.tif")
    assert image.attrs["quantity"] == "unknown"
    assert list(image.coords["band_name"].values) == ["red", "green", "blue"]


def test_scale_offset_nodata_and_tags(tmp_path, cube):
    cube[0, 0], cube[1, 1, 2] = -32768, -32768
    tags = [
        {"wavelength": str(0.4 + k / 10), "wavelength_units": "Micrometers", "fwhm": "0.01", "bbl": str(int(k != 1))}
        for k in range(5)
    ]
    save(
        tmp_path / "a.tif",
        cube,
        tags=tags,
        names=[f"b{k}" for k in range(5)],
        scales=[1e-4] * 5,
        offsets=[0.5] * 5,
        nodata=-32768,
        **PLACE,
    )
    image = unmix.read(tmp_path / "a.tif").compute()
    assert image.dtype == np.float32
    expected = cube * np.float32(1e-4) + np.float32(0.5)
    np.testing.assert_allclose(image.values[2:], expected[2:], rtol=1e-6)
    np.testing.assert_allclose(image.coords["wavelength"], [400, 500, 600, 700, 800])
    np.testing.assert_allclose(image.coords["fwhm"], 10)
    assert list(image.coords["good_band"].values) == [True, False, True, True, True]
    assert list(image.coords["band_name"].values) == ["b0", "b1", "b2", "b3", "b4"]
    assert int((~image.coords["valid"]).sum()) == 2
    assert image.encoding == {"recorded_dtype": "<i2", "scale": 1e-4, "offset": 0.5, "nodata": -32768.0}
    assert image.attrs["quantity"] == "reflectance"
    assert "scale_factor" not in image.attrs
    np.testing.assert_allclose(unmix.read(tmp_path / "a.tif", scale=100).values[2:], cube[2:] / np.float32(100))


def test_units_that_are_missing_are_said(tmp_path, cube):
    save(tmp_path / "a.tif", cube, tags=[{"WAVELENGTH": str(400 + k)} for k in range(5)], **PLACE)
    with pytest.warns(UnmixWarning, match="taken as nanometres"):
        assert unmix.read(tmp_path / "a.tif").coords["wavelength"].values[4] == 404


def test_overviews_are_levels(tmp_path, cube):
    smooth = np.repeat(np.repeat(cube[:32, :32], 2, 0), 2, 1)
    save(tmp_path / "a.tif", smooth, overviews=[2], tiled=True, blockxsize=16, blockysize=16, **PLACE)
    image = unmix.read(tmp_path / "a.tif", level=1)
    np.testing.assert_array_equal(image.values, cube[:32, :32])
    assert image.coords["x"].values[0] == 400000 + 30
    part = unmix.read(tmp_path / "a.tif", level=1, region=(10, 20, 30, 40))
    np.testing.assert_array_equal(part.values, cube[5:15, 10:20])
    with pytest.raises(OptionError, match=r"level=2: a.tif has levels 0 to 1"):
        unmix.read(tmp_path / "a.tif", level=2)
    with pytest.raises(OptionError, match="is a GeoTIFF"):
        unmix.read(tmp_path / "a.tif", series=1)


def test_jpeg_2000(tmp_path, cube):
    small = cube[..., :3].clip(0, 255).astype(np.uint8)
    options = {"driver": "JP2OpenJPEG", "QUALITY": "100", "REVERSIBLE": "YES", "YCBCR420": "NO"}
    save(tmp_path / "a.jp2", small, **PLACE, **options)
    image = unmix.read(tmp_path / "a.jp2")
    np.testing.assert_array_equal(image.values, small)
    assert image.rio.crs == PLACE["crs"]


def test_alpha_is_no_band(tmp_path, cube):
    rgba = cube[..., :4].astype(np.uint8)
    rgba[..., 3] = 255
    rgba[:5, :, 3] = 0
    save(tmp_path / "a.tif", rgba, photometric="RGB", alpha="YES", **PLACE)
    image = unmix.read(tmp_path / "a.tif")
    assert image.shape == (70, 90, 3)
    np.testing.assert_array_equal(image.coords["valid"].values, rgba[..., 3] > 0)


def test_refusals(tmp_path, cube):
    save(tmp_path / "a.tif", cube[..., :1], **PLACE)
    with pytest.raises(ReadError, match="one band: there is nothing to unmix"):
        unmix.read(tmp_path / "a.tif")
    save(tmp_path / "a.tif", cube.astype(np.complex64), **PLACE)
    with pytest.raises(ReadError, match="complex64"):
        unmix.read(tmp_path / "a.tif")


def test_truncated_files_give_no_pixels(tmp_path, cube):
    path = tmp_path / "a.tif"
    save(path, cube, compress="deflate", **PLACE)
    content = path.read_bytes()
    for keep in (8, 150, len(content) // 2, len(content) - 100):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.tif"):
            unmix.read(path).compute()


VRT = """<VRTDataset rasterXSize="4" rasterYSize="4"><VRTRasterBand dataType="Byte" band="1"
 subClass="VRTRawRasterBand">
<SourceFilename relativetoVRT="0">/etc/hostname</SourceFilename></VRTRasterBand></VRTDataset>"""


@pytest.mark.parametrize("name", ["a.vrt", "a.tif", "a.img", "a.hdr", "a.png"])
def test_a_virtual_dataset_by_any_name(tmp_path, name):
    for text in (VRT, '<?xml version="1.0"?>\n' + VRT):
        (tmp_path / name).write_text(text)
        with pytest.raises(ReadError, match="virtual dataset"):
            unmix.read(tmp_path / name)


def test_files_beside_a_raster_are_not_looked_at(tmp_path, cube):
    save(tmp_path / "a.tif", cube, **PLACE)
    (tmp_path / "a.tif.aux.xml").write_text(
        "<PAMDataset><PAMRasterBand band='1'><Scale>7</Scale></PAMRasterBand></PAMDataset>"
    )
    (tmp_path / "a.tif.ovr").write_bytes((tmp_path / "a.tif").read_bytes())
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.tif").values, cube)
    with pytest.raises(OptionError, match="only level 0"):
        unmix.read(tmp_path / "a.tif", level=1)
