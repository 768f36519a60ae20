"""OME-TIFF: channels, names, pixel size and pyramid come back."""

from __future__ import annotations

import os
from xml.etree import ElementTree

import numpy as np
import pytest
import rasterio
import tifffile

from unmix.errors import WriteError
from unmix.materials.colours import stain_colour
from unmix.writers import ome_tiff
from unmix.writers.ome_tiff import write_abundances

SPACE = "{http://www.openmicroscopy.org/Schemas/OME/2016-06}"


def pixels_of(path):
    with tifffile.TiffFile(path) as file:
        return ElementTree.fromstring(file.ome_metadata).find(f".//{SPACE}Pixels")


@pytest.mark.parametrize("shape", [(21, 34), (530, 40), (300, 700)])
@pytest.mark.parametrize("names", [("hematoxylin",), ("hematoxylin", '水 <&> "eosin"')])
def test_values_and_names_come_back(tmp_path, make, shape, names):
    result = make(quantity="brightfield", names=names, n_bands=3, shape=shape, pixel_size=(0.5, 0.25))
    path = write_abundances(result, tmp_path / "maps.ome.tif")
    with tifffile.TiffFile(path) as file:
        assert file.is_ome
        assert file.pages[0].is_tiled == (max(shape) > 512)
        assert file.pages[0].compression.name == "ADOBE_DEFLATE"
        assert file.series[0].axes == ("CYX" if len(names) > 1 else "YX")
        np.testing.assert_array_equal(file.asarray().reshape(len(names), *shape), result["abundances"].values)
    assert [channel.get("Name") for channel in pixels_of(path).iter(f"{SPACE}Channel")] == list(names)
    assert os.listdir(tmp_path) == ["maps.ome.tif"]


def test_the_pixel_size_is_written_in_micrometres(tmp_path, stain_result):
    pixels = pixels_of(write_abundances(stain_result, tmp_path / "maps.ome.tif"))
    assert float(pixels.get("PhysicalSizeY")) == 0.5
    assert float(pixels.get("PhysicalSizeX")) == 0.25
    assert pixels.get("PhysicalSizeXUnit") == "µm"


@pytest.mark.parametrize(("unit", "micrometres"), [("nm", 2e-3), ("mm", 2000.0), ("µm", 2.0)])
def test_other_lengths_are_converted(tmp_path, make, unit, micrometres):
    result = make(quantity="counts", pixel_size=2.0, pixel_unit=unit)
    pixels = pixels_of(write_abundances(result, tmp_path / "maps.ome.tif"))
    assert float(pixels.get("PhysicalSizeX")) == pytest.approx(micrometres)


def test_a_result_without_pixel_size_says_none(tmp_path, make):
    pixels = pixels_of(write_abundances(make(quantity="counts"), tmp_path / "maps.ome.tif"))
    assert pixels.get("PhysicalSizeX") is None


def test_channels_have_the_colours_of_the_stains(tmp_path, stain_result):
    pixels = pixels_of(write_abundances(stain_result, tmp_path / "maps.ome.tif"))
    for channel, spectrum in zip(pixels.iter(f"{SPACE}Channel"), stain_result["endmembers"].values, strict=True):
        colour = int(channel.get("Color")) % (1 << 32)
        assert colour & 255 == 255
        found = [(colour >> shift) & 255 for shift in (24, 16, 8)]
        np.testing.assert_allclose(found, 255 * stain_colour(spectrum), atol=0.5)


def test_the_same_result_gives_the_same_bytes(tmp_path, stain_result):
    first = write_abundances(stain_result, tmp_path / "a.ome.tif").read_bytes()
    assert write_abundances(stain_result, tmp_path / "b.ome.tif").read_bytes() == first


def test_large_maps_carry_smaller_levels(tmp_path, make, monkeypatch):
    monkeypatch.setattr(ome_tiff, "_LEVELS_FROM", 1200)
    result = make(quantity="counts", shape=(1301, 530), names=("a", "b"))
    path = write_abundances(result.chunk({"y": 300}), tmp_path / "maps.ome.tif")
    maps = result["abundances"].values
    with tifffile.TiffFile(path) as file:
        levels = file.series[0].levels
        assert [level.shape for level in levels] == [(2, 1301, 530), (2, 651, 265)]
        np.testing.assert_array_equal(levels[0].asarray(), maps)
        inside = np.nanmean(maps[:, 400:1300].reshape(2, 450, 2, 265, 2).astype("float64"), axis=(2, 4))
        np.testing.assert_allclose(levels[1].asarray()[:, 200:650], inside, rtol=1e-6)
        assert np.isnan(levels[1].asarray()[:, :100, :50]).all()


def test_a_changed_value_is_noticed(tmp_path, stain_result, monkeypatch):
    def spoil(path):
        with tifffile.TiffFile(path) as file:
            offset = file.pages[1].dataoffsets[0]
        content = bytearray(path.read_bytes())
        content[offset + 40] ^= 1
        path.write_bytes(content)

    monkeypatch.setattr("unmix.writers.commit._sync", spoil)
    with pytest.raises(WriteError, match="values did not read back"):
        write_abundances(stain_result, tmp_path / "maps.ome.tif")
    assert os.listdir(tmp_path) == []


def test_other_libraries_read_the_pieces(tmp_path, make):
    """GDAL undoes the differences and the deflating with code of its own, tiles at the edge included."""
    result = make(quantity="counts", shape=(530, 700), names=("a", "b"))
    path = write_abundances(result, tmp_path / "maps.ome.tif")
    for k, expected in enumerate(result["abundances"].values):
        with rasterio.open(f"GTIFF_DIR:{k + 1}:{path}") as file:
            np.testing.assert_array_equal(file.read(1), expected)
