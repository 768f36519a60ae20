"""TIFF files written by tifffile, in every layout a window has to be cut from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

import unmix
from unmix.blocks import Block, load_block, load_pixels, window_reader
from unmix.errors import OptionError, ReadError
from unmix.light.pixels import with_mask
from unmix.readers.tiff_metadata import named_wavelengths


@pytest.fixture
def rgb() -> np.ndarray:
    rows, columns = np.mgrid[:150, :170]
    return np.stack([rows + 60, columns + 40, 250 - rows], axis=-1).astype(np.uint8)


@pytest.fixture
def stack() -> np.ndarray:
    """Return planes (c, y, x) of uint16."""
    return np.random.default_rng(0).integers(0, 4000, (6, 40, 50), np.uint16)


LAYOUTS = {
    "plain": {},
    "strips": {"rowsperstrip": 7, "compression": "zlib", "predictor": True},
    "lzw": {"rowsperstrip": 16, "compression": "lzw"},
    "tiles": {"tile": (32, 48), "compression": "zlib"},
    "jpeg tiles": {"tile": (64, 64), "compression": "jpeg"},
    "jpeg tiles in RGB": {"tile": (64, 64), "compression": "jpeg", "compressionargs": {"outcolorspace": "rgb"}},
    "jpeg strips": {"rowsperstrip": 16, "compression": "jpeg"},
    "planes": {"planarconfig": "separate", "tile": (32, 32), "compression": "zlib"},
    "big endian": {"byteorder": ">", "tile": (32, 32)},
    "big": {"bigtiff": True, "rowsperstrip": 10, "compression": "zstd"},
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_of_rgb(tmp_path, rgb, layout):
    options = dict(LAYOUTS[layout])
    file_options = {key: options.pop(key) for key in ("byteorder", "bigtiff") if key in options}
    values = rgb.transpose(2, 0, 1) if options.get("planarconfig") else rgb
    tifffile.imwrite(tmp_path / "a.tif", values, photometric="rgb", **options, **file_options)
    expected = tifffile.imread(tmp_path / "a.tif")
    expected = expected.transpose(1, 2, 0) if options.get("planarconfig") else expected
    image = unmix.read(tmp_path / "a.tif")
    assert image.chunks is not None
    assert image.attrs["quantity"] == "brightfield"
    assert list(image.coords["band_name"].values) == ["red", "green", "blue"]
    np.testing.assert_array_equal(image.values, expected)
    part = unmix.read(tmp_path / "a.tif", region=(31, 47, 97, 130))
    np.testing.assert_array_equal(part.values, expected[31:97, 47:130])
    np.testing.assert_array_equal(image[5:100:7, 3, 1:].values, expected[5:100:7, 3, 1:])


@pytest.mark.parametrize(
    "options", [{}, {"compression": "zlib", "tile": (16, 16)}, {"compression": "zlib", "rowsperstrip": 9}]
)
@pytest.mark.parametrize("byteorder", ["<", ">"])
def test_pages_are_bands(tmp_path, stack, options, byteorder):
    tifffile.imwrite(tmp_path / "a.tif", stack, photometric="minisblack", byteorder=byteorder, **options)
    image = unmix.read(tmp_path / "a.tif")
    assert image.dtype == np.uint16
    assert image.attrs["quantity"] == "unknown"
    np.testing.assert_array_equal(image.values, stack.transpose(1, 2, 0))


def test_three_fluorescence_channels_are_not_a_slide(tmp_path, stack):
    tifffile.imwrite(tmp_path / "a.tif", stack[:3].astype(np.uint8), photometric="minisblack")
    assert unmix.read(tmp_path / "a.tif").attrs["quantity"] == "unknown"


@pytest.mark.parametrize("options", [{}, {"compression": "zlib"}])
def test_ome_names_wavelengths_and_pixel_size(tmp_path, stack, options):
    metadata = {
        "axes": "CYX",
        "PhysicalSizeX": 0.5,
        "PhysicalSizeXUnit": "µm",
        "PhysicalSizeY": 250.0,
        "PhysicalSizeYUnit": "nm",
        "Channel": {
            "Name": list("abcdef"),
            "EmissionWavelength": [450, 500, 550, 600, 650, 700],
            "EmissionWavelengthUnit": ["nm"] * 6,
        },
    }
    tifffile.imwrite(tmp_path / "a.ome.tif", stack, metadata=metadata, photometric="minisblack", **options)
    image = unmix.read(tmp_path / "a.ome.tif", region=(10, 0, 40, 50))
    np.testing.assert_array_equal(image.values, stack.transpose(1, 2, 0)[10:])
    assert image.attrs["quantity"] == "counts"
    assert list(image.coords["band_name"].values) == list("abcdef")
    np.testing.assert_array_equal(image.coords["wavelength"], [450, 500, 550, 600, 650, 700])
    np.testing.assert_allclose(image.coords["y"].values[:2], [10.5 * 0.25, 11.5 * 0.25])
    np.testing.assert_allclose(image.coords["x"].values[:2], [0.25, 0.75])
    assert image.coords["x"].attrs["units"] == "um"


@pytest.mark.parametrize("kind", ["ome", "imagej"])
@pytest.mark.parametrize("name", ["ChS1: {}", "ChS1-T1 {} nm", "c:1/4 - ChS2: {}"])
def test_wavelengths_in_zen_names_of_channels(tmp_path, kind, name):
    path, values = tmp_path / "from zen.ome.tif", np.zeros((4, 9, 8), np.uint16)
    path = path if kind == "ome" else tmp_path / "from zen.tif"
    names = [name.format(nm) for nm in (415, 424, 433, 442)]
    about = {"axes": "CYX", **({"Channel": {"Name": names}} if kind == "ome" else {"Labels": names})}
    tifffile.imwrite(path, values, metadata=about, **{kind: True})
    image = unmix.read(path)
    np.testing.assert_array_equal(image["wavelength"], [415, 424, 433, 442])
    assert image.attrs["quantity"] == "counts"
    assert list(image["band_name"].values) == names


def test_names_that_only_look_like_wavelengths_are_names():
    for names in (["ChS1-T1", "ChS2-T1"], ["ChS1: 415", "ChS1: 415"], ["ChS1: 415", "T PMT"], ["DAPI 405", "GFP 488"],
                  ["ChS1: 5", "ChS1: 6"], ["ChS1: 415"], ["ChS1: 4150", "ChS1: 4160"], []):  # fmt: skip
        assert np.isnan(named_wavelengths(names)).all()


@pytest.mark.parametrize("kind", ["ome", "imagej", "deflated"])
def test_further_axes_are_chosen_by_name(tmp_path, kind):
    values = np.random.default_rng(0).integers(0, 4000, (2, 3, 4, 20, 21), np.uint16)
    options = {"imagej": {"imagej": True}, "ome": {}, "deflated": {"compression": "zlib"}}[kind]
    path = tmp_path / ("a.tif" if kind == "imagej" else "a.ome.tif")
    tifffile.imwrite(path, values, metadata={"axes": "TZCYX"}, photometric="minisblack", **options)
    with pytest.raises(ReadError, match=r"further axes, t \(2\), z \(3\): choose a place on each, as series='t=0,z=0'"):
        unmix.read(path)
    expected = values[1, 2].transpose(1, 2, 0)
    np.testing.assert_array_equal(unmix.read(path, series="t=1,z=2").values, expected)
    np.testing.assert_array_equal(unmix.read(path, series={"t": 1, "Z": 2, "series": 0}).values, expected)
    for wrong, said in [
        ("t=2,z=0", "t=2, but"),
        ("q=1", "no axis 'q'"),
        ("t=x", "not a whole number"),
        ("3", "holds 1 image"),
    ]:
        with pytest.raises(OptionError, match=said):
            unmix.read(path, series=wrong)


def test_levels_and_regions_in_level_zero_pixels(tmp_path, rgb):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        options = {"photometric": "rgb", "tile": (32, 32), "compression": "zlib"}
        file.write(rgb, subifds=2, **options)
        file.write(rgb[::2, ::2], subfiletype=1, **options)
        file.write(rgb[::4, ::4], subfiletype=1, **options)
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.tif", level=1).values, rgb[::2, ::2])
    part = unmix.read(tmp_path / "a.tif", level=1, region=(20, 40, 61, 80))
    np.testing.assert_array_equal(part.values, rgb[::2, ::2][10:31, 20:40])
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.tif", level=2).values, rgb[::4, ::4])
    with pytest.raises(OptionError, match=r"level=3: a.tif has levels 0 to 2"):
        unmix.read(tmp_path / "a.tif", level=3)


def test_alpha_is_dropped_and_zero_is_invalid(tmp_path, rgb):
    alpha = np.full(rgb.shape[:2], 200, np.uint8)
    alpha[:10] = 0
    tifffile.imwrite(
        tmp_path / "a.tif", np.dstack([rgb, alpha]), photometric="rgb", extrasamples=["unassalpha"], tile=(32, 32)
    )
    image = unmix.read(tmp_path / "a.tif", region=(5, 0, 60, 60))
    np.testing.assert_array_equal(image.values, rgb[5:60, :60])
    np.testing.assert_array_equal(image.coords["valid"].values, alpha[5:60, :60] > 0)
    tifffile.imwrite(tmp_path / "b.tif", np.dstack([rgb, alpha]), photometric="rgb", extrasamples=["unspecified"])
    assert unmix.read(tmp_path / "b.tif").shape[2] == 4


def test_several_images_are_chosen_by_series(tmp_path, rgb):
    with tifffile.TiffWriter(tmp_path / "a.tif") as file:
        file.write(rgb, photometric="rgb")
        file.write(rgb[:50], photometric="rgb")
    with pytest.raises(
        ReadError, match=r"holds 2 images: choose one by series=. 0: .*150 x 170 x 3\); 1: .*50 x 170 x 3"
    ):
        unmix.read(tmp_path / "a.tif")
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.tif", series=1).values, rgb[:50])
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.tif", series="0").values, rgb)


def test_what_is_no_image_of_bands_is_refused(tmp_path, rgb, stack):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, stack[0], photometric="minisblack")
    with pytest.raises(ReadError, match="one band: there is nothing to unmix"):
        unmix.read(path)
    tifffile.imwrite(path, rgb[..., 0], photometric="palette", colormap=np.zeros((3, 256), np.uint16))
    with pytest.raises(ReadError, match="palette colours"):
        unmix.read(path)
    tifffile.imwrite(path, np.dstack([rgb, rgb[..., :1]]), photometric="separated")
    with pytest.raises(ReadError, match="CMYK colours"):
        unmix.read(path)
    tifffile.imwrite(path, stack.astype(np.complex64), photometric="minisblack")
    with pytest.raises(ReadError, match="holds complex64"):
        unmix.read(path)


@pytest.mark.parametrize(
    "options",
    [{}, {"tile": (32, 32)}, {"tile": (32, 32), "compression": "zlib"}, {"rowsperstrip": 9, "compression": "jpeg"}],
)
def test_truncated_files_give_no_pixels(tmp_path, rgb, options):
    path = tmp_path / "a.tif"
    noise = np.random.default_rng(0).integers(0, 255, rgb.shape, np.uint8)
    tifffile.imwrite(path, noise, photometric="rgb", **options)
    content = path.read_bytes()
    for keep in (3, 8, 100, len(content) // 2, len(content) - 40):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.tif") as caught:
            unmix.read(path).compute()
        assert "\n" not in str(caught.value)


def test_xml_that_declares_entities_is_not_parsed(tmp_path, rgb):
    xml = '<?xml version="1.0"?><!DOCTYPE OME [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;">]><OME>&b;</OME>'
    tifffile.imwrite(tmp_path / "a.ome.tif", rgb, photometric="rgb", description=xml, metadata=None)
    with pytest.raises(ReadError, match="declares a document type or entities"):
        unmix.read(tmp_path / "a.ome.tif")


def test_planes_in_other_files_are_not_followed(tmp_path, stack):
    tifffile.imwrite(tmp_path / "secret.tif", stack[0], photometric="minisblack", metadata=None)
    here, there = (f"urn:uuid:{digit * 8}-0000-0000-0000-{digit * 12}" for digit in "01")
    planes = "".join(
        f'<TiffData FirstC="{channel}" IFD="0" PlaneCount="1"><UUID FileName="{name}">{uuid}</UUID></TiffData>'
        for channel, (name, uuid) in enumerate([("a.ome.tif", here), ("secret.tif", there)])
    )
    xml = (
        '<?xml version="1.0" encoding="UTF-8"?><OME xmlns="http://www.openmicroscopy.org/Schemas/OME/2016-06" '
        f'UUID="{here}"><Image ID="Image:0"><Pixels ID="Pixels:0" DimensionOrder="XYCZT" Type="uint16" '
        f'SizeX="50" SizeY="40" SizeC="2" SizeZ="1" SizeT="1">{planes}</Pixels></Image></OME>'
    )
    options = {"photometric": "minisblack", "metadata": None, "compression": "zlib"}
    tifffile.imwrite(tmp_path / "a.ome.tif", stack[0], description=xml, **options)
    with pytest.raises(ReadError, match=r"a.ome.tif keeps some of its planes in other files|a.ome.tif has one band"):
        unmix.read(tmp_path / "a.ome.tif")


def test_a_bomb_is_refused_by_its_header(tmp_path, rgb, monkeypatch):
    tifffile.imwrite(
        tmp_path / "a.tif", np.zeros((400, 400, 3), np.uint8), photometric="rgb", compression="zlib", rowsperstrip=400
    )
    monkeypatch.setattr("unmix.readers.limits.memory_limit", lambda: 100_000)
    with pytest.raises(ReadError, match=r"one tile or strip \(400 x 400 x 3, uint8\) needs 480,000 bytes"):
        unmix.read(tmp_path / "a.tif")


def test_photographs_of_the_glass_need_no_choice(tmp_path: Path) -> None:
    path, rgb = tmp_path / "slide.ome.tif", np.random.default_rng(0).integers(0, 255, (40, 50, 3)).astype(np.uint8)
    with tifffile.TiffWriter(path, ome=True) as file:
        for name in ("label image", "slide", "Macro"):
            values = rgb if name == "slide" else rgb[:20, :30].copy()
            file.write(values, photometric="rgb", metadata={"axes": "YXS", "Name": name})
    np.testing.assert_array_equal(unmix.read(path).values, rgb)
    assert unmix.read(path, series=2).shape == (20, 30, 3)


@pytest.mark.parametrize(("per_cm", "unit", "size"), [(20000, 3, 0.5), (10, 3, None), (300, 2, None), (50000, 2, None)])
def test_a_plain_tiff_is_calibrated_where_only_a_microscope_has_such_pixels(
    per_cm: int, unit: int, size: float | None, tmp_path: Path
) -> None:
    path, rgb = tmp_path / "levels.tif", np.random.default_rng(0).integers(0, 255, (96, 64, 3)).astype(np.uint8)
    layout = {"photometric": "rgb", "tile": (16, 16), "compression": "zlib", "metadata": None}
    with tifffile.TiffWriter(path) as file:
        file.write(rgb, subifds=1, resolution=(per_cm, per_cm), resolutionunit=unit, **layout)
        file.write(rgb[::2, ::2].copy(), subfiletype=1, **layout)
    for level, step in ((0, 1), (1, 2)):
        found = unmix.image.pixel_size(unmix.read(path, level=level))
        assert found == (None if size is None else (step * size, step * size, "um"))


def test_windows_of_an_image_with_alpha_are_read_without_its_chunks(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    rgba = rng.integers(0, 255, (90, 70, 4)).astype(np.uint8)
    rgba[..., 3] *= rng.random((90, 70)) > 0.3
    path, chosen = tmp_path / "rgba.tif", rng.random((90, 70)) > 0.5
    tifffile.imwrite(path, rgba, photometric="rgb", extrasamples=["unassalpha"], tile=(16, 16), compression="zlib")
    image = unmix.read(path)
    for one, expected in ((image, rgba[..., 3] > 0), (with_mask(image, chosen), (rgba[..., 3] > 0) & chosen)):
        np.testing.assert_array_equal(one.coords["valid"].values, expected)
        block = Block(slice(5, 41), slice(30, 64))
        assert window_reader(one, block) is not None
        values, valid = load_block(one, block)
        np.testing.assert_array_equal(values, rgba[5:41, 30:64, :3])
        np.testing.assert_array_equal(valid, expected[5:41, 30:64])
        y, x = np.array([6, 40, 22]), np.array([31, 63, 50])
        np.testing.assert_array_equal(load_pixels(one, block, y, x)[1], expected[y, x])


@pytest.mark.parametrize("planes", ["contig", "separate"])
def test_windows_that_are_whole_tiles_are_those_of_the_image(tmp_path: Path, planes: str) -> None:
    values = np.random.default_rng(3).integers(0, 256, (80, 112, 3)).astype(np.uint8)
    path = tmp_path / "whole tiles.tif"
    stored = values if planes == "contig" else values.transpose(2, 0, 1)
    tifffile.imwrite(path, stored, photometric="rgb", planarconfig=planes, tile=(32, 48), compression="zlib")
    image = unmix.read(path)
    for top in (0, 1, 32, 64):
        for left in (0, 48, 49, 96):
            block = Block(slice(top, min(top + 32, 80)), slice(left, min(left + 48, 112)))
            np.testing.assert_array_equal(load_block(image, block)[0], values[block.window])
            np.testing.assert_array_equal(image[(*block.window, 1)].values, values[(*block.window, 1)])
