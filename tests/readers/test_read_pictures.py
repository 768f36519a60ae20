"""PNG and JPEG pictures written by Pillow and imagecodecs, and by hand where no library would."""

from __future__ import annotations

import struct
import zlib

import imagecodecs
import numpy as np
import pytest
from PIL import Image

import unmix
from unmix.errors import ReadError


@pytest.fixture
def rgb() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)


def test_rgb_png_is_brightfield_and_unchanged(tmp_path, rgb):
    Image.fromarray(rgb).save(tmp_path / "a b é.png")
    image = unmix.read(tmp_path / "a b é.png")
    np.testing.assert_array_equal(image.values, rgb)
    assert image.dtype == np.uint8
    assert image.attrs["quantity"] == "brightfield"
    assert list(image.coords["band_name"].values) == ["red", "green", "blue"]
    assert image.coords["valid"].values.all()
    part = unmix.read(tmp_path / "a b é.png", region=(1, 2, 4, 6))
    np.testing.assert_array_equal(part.values, rgb[1:4, 2:6])


def test_alpha_is_dropped_and_zero_is_invalid(tmp_path, rgb):
    alpha = np.full((5, 7), 255, np.uint8)
    alpha[0, 0], alpha[1, 1] = 0, 128
    Image.fromarray(np.dstack([rgb, alpha])).save(tmp_path / "a.png")
    image = unmix.read(tmp_path / "a.png")
    np.testing.assert_array_equal(image.values, rgb)
    np.testing.assert_array_equal(image.coords["valid"].values, alpha > 0)


def test_sixteen_bits_stay(tmp_path, rgb):
    deep = rgb.astype(np.uint16) * 257
    deep[0, 0, 0] = 1
    for values in (deep, np.dstack([deep, np.full((5, 7), 65535, np.uint16)])):
        (tmp_path / "a.png").write_bytes(imagecodecs.png_encode(values))
        image = unmix.read(tmp_path / "a.png")
        assert image.dtype == np.uint16
        np.testing.assert_array_equal(image.values, deep)


def test_palette_is_expanded(tmp_path, rgb):
    picture = Image.fromarray(rgb).quantize(16)
    picture.save(tmp_path / "a.png")
    np.testing.assert_array_equal(unmix.read(tmp_path / "a.png").values, np.asarray(picture.convert("RGB")))
    picture.save(tmp_path / "b.png", transparency=3)
    np.testing.assert_array_equal(unmix.read(tmp_path / "b.png").coords["valid"].values, np.asarray(picture) != 3)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_the_camera_is_applied(tmp_path, rgb, orientation):
    from PIL import ImageOps

    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "a.jpg"
    Image.fromarray(rgb).save(path, exif=exif, quality=95, subsampling=0)
    with Image.open(path) as picture:
        expected = np.asarray(ImageOps.exif_transpose(picture))
    np.testing.assert_array_equal(unmix.read(path).values, expected)


@pytest.mark.parametrize(
    ("mode", "suffix", "said"),
    [
        ("L", "png", "no colour \\(grey\\)"),
        ("LA", "png", "grey with alpha"),
        ("1", "png", "no colour"),
        ("I;16", "png", "no colour"),
        ("L", "jpg", "no colour"),
        ("CMYK", "jpg", "CMYK picture.*Convert it to RGB"),
    ],
)
def test_no_colour_is_refused(tmp_path, mode, suffix, said):
    Image.new(mode, (6, 4)).save(tmp_path / f"a.{suffix}")
    with pytest.raises(ReadError, match=said):
        unmix.read(tmp_path / f"a.{suffix}")


def test_animation_is_refused(tmp_path, rgb):
    frames = [Image.fromarray(rgb), Image.fromarray(rgb[::-1].copy())]
    frames[0].save(tmp_path / "a.png", save_all=True, append_images=frames[1:])
    with pytest.raises(ReadError, match="animation of 2 frames"):
        unmix.read(tmp_path / "a.png")


def png_declaring(width: int, height: int, bits: int = 8) -> bytes:
    """Return a PNG of a few bytes whose header declares any size."""

    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(b"\0" * 100)) + chunk(b"IEND", b"")


@pytest.mark.parametrize("bits", [8, 16])
def test_a_bomb_is_refused_by_its_header(tmp_path, bits):
    (tmp_path / "a.png").write_bytes(png_declaring(60000, 60000, bits))
    with pytest.raises(ReadError, match="declares 60000 x 60000 pixels; the limit"):
        unmix.read(tmp_path / "a.png")
    (tmp_path / "a.png").write_bytes(png_declaring(0, 5, bits))
    with pytest.raises(ReadError, match=r"a.png"):
        unmix.read(tmp_path / "a.png")


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_truncated_pictures_are_refused(tmp_path, rgb, suffix):
    path = tmp_path / f"a.{suffix}"
    Image.fromarray(np.tile(rgb, (20, 20, 1))).save(path)
    content = path.read_bytes()
    for keep in (9, 20, len(content) // 2):
        path.write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.") as caught:
            unmix.read(path)
        assert "\n" not in str(caught.value)


def test_truncated_deep_pictures_are_refused(tmp_path):
    content = imagecodecs.png_encode(np.random.default_rng(0).integers(0, 65535, (50, 50, 3), np.uint16))
    for keep in (30, 60, 5000, len(content) - 20):
        (tmp_path / "a.png").write_bytes(content[:keep])
        with pytest.raises(ReadError, match=r"a\.png"):
            unmix.read(tmp_path / "a.png")
