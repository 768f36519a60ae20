"""Whole slides: levels, regions, pixel size, what OpenSlide and tifffile say of the same file, what is refused."""

from __future__ import annotations

import copy
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import openslide
import pytest
import tifffile

import unmix
from unmix.blocks import Block, load_block
from unmix.errors import OptionError, ReadError
from unmix.image import pixel_size
from unmix.readers import slide
from unmix.readers.pyramid import pyramid_of
from unmix.readers.request import Request


@pytest.fixture(scope="module")
def pyramid(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiled TIFF of two levels that both libraries read."""
    path = tmp_path_factory.mktemp("slides") / "a slide.tif"
    values = np.random.default_rng(0).integers(0, 256, (600, 700, 3)).astype(np.uint8)
    layout = {"tile": (128, 128), "photometric": "rgb", "compression": "zlib", "metadata": None}
    with tifffile.TiffWriter(path, bigtiff=False) as file:
        file.write(values, subifds=0, **layout)
        file.write(np.ascontiguousarray(values[::2, ::2]), subfiletype=1, **layout)
    return path


def test_openslide_reads_windows_of_levels(pyramid: Path) -> None:
    image = slide.read(pyramid, Request())
    whole = tifffile.imread(pyramid, key=0)
    np.testing.assert_array_equal(image.values, whole)
    assert image.attrs["quantity"] == "brightfield"
    assert list(image["band_name"].values) == ["red", "green", "blue"]
    part = slide.read(pyramid, Request(region=(101, 33, 333, 512)))
    np.testing.assert_array_equal(part.values, whole[101:333, 33:512])
    half = slide.read(pyramid, Request(level=1, region=(100, 40, 300, 512)))
    np.testing.assert_array_equal(half.values, tifffile.imread(pyramid, key=1)[50:150, 20:256])


def test_a_window_does_not_read_the_chunk_around_it(pyramid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    image, seen = slide.read(pyramid, Request()), []
    read = slide.SlideLevel.read

    def noted(self: slide.SlideLevel, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        seen.append((rows.stop - rows.start, columns.stop - columns.start))
        return read(self, rows, columns, bands)

    monkeypatch.setattr(slide.SlideLevel, "read", noted)
    values, valid = load_block(image, Block(slice(40, 60), slice(5, 12)))
    assert seen == [(20, 7)]
    np.testing.assert_array_equal(values, tifffile.imread(pyramid, key=0)[40:60, 5:12])
    assert valid.all()


def test_a_thread_opens_a_slide_once(pyramid: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened, really = [], openslide.OpenSlide

    def noted(path: str) -> openslide.OpenSlide:
        opened.append(path)
        return really(path)

    monkeypatch.setattr(openslide, "OpenSlide", noted)
    level = slide.SlideLevel(str(pyramid), 0, (600, 700, 3), (512, 512), (1.0, 1.0), (255, 255, 255))
    windows = [(slice(k, k + 9), slice(0, 40), slice(0, 3)) for k in range(0, 500, 100)]
    whole = tifffile.imread(pyramid, key=0)
    for window in windows:
        np.testing.assert_array_equal(level.read(*window), whole[window])
    assert len(opened) == 1
    with ThreadPoolExecutor(1) as other:
        for window in windows:
            np.testing.assert_array_equal(other.submit(level.read, *window).result(), whole[window])
    assert len(opened) == 2
    sent = copy.deepcopy(level)  # as a task is sent to another process: without the handle
    assert sent == level
    np.testing.assert_array_equal(sent.read(*windows[0]), whole[windows[0]])
    assert len(opened) == 3


def test_levels_belong_to_the_image_as_it_was_read(pyramid: Path) -> None:
    image = slide.read(pyramid, Request(region=(100, 40, 300, 512)))
    levels = pyramid_of(image)
    assert levels is not None
    assert levels.shapes == ((200, 472), (100, 236))
    assert pyramid_of(image.copy(deep=False)) == levels
    assert pyramid_of(image[10:50]) is None
    assert pyramid_of(image.compute()) is None


def test_what_was_never_scanned_is_background(monkeypatch: pytest.MonkeyPatch) -> None:
    from PIL import Image

    class Slide:
        def __init__(self, path: object) -> None: ...
        def read_region(self, place: tuple[int, int], level: int, size: tuple[int, int]) -> Image.Image:
            pixels = np.full((size[1], size[0], 4), 100, np.uint8)
            pixels[0, :, 3], pixels[1:, :, 3] = 0, 255
            return Image.fromarray(pixels, "RGBA")

    monkeypatch.setattr(openslide, "OpenSlide", Slide)
    level = slide.SlideLevel("a", 0, (4, 5, 3), (4, 5), (1.0, 1.0), (240, 241, 242))
    values = level.read(slice(0, 4), slice(0, 5), slice(0, 3))
    np.testing.assert_array_equal(values[0], np.broadcast_to([240, 241, 242], (5, 3)))
    assert (values[1:] == 100).all()


@pytest.mark.parametrize(
    ("content", "name", "said"),
    [
        (b"SQLite format 3\0" + bytes(200), "a.svslide", "is of no kind OpenSlide .* reads"),
        (b"\xff\xd8\xff\xe0" + bytes(200), "a.mrxs", "is of no kind OpenSlide .* reads"),
        (b"ZISRAWFILE" + bytes(200), "a.czi", "is damaged or incomplete"),
    ],
)
def test_what_is_no_slide_is_one_line(tmp_path: Path, content: bytes, name: str, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ReadError, match=said) as caught:
        unmix.read(tmp_path / name)
    assert name in str(caught.value)


def test_an_olympus_overview_is_not_taken_for_the_slide(tmp_path: Path, pyramid: Path) -> None:
    (tmp_path / "a.vsi").write_bytes(pyramid.read_bytes())
    with pytest.raises(ReadError, match=r"a\.vsi is of no kind OpenSlide"):
        unmix.read(tmp_path / "a.vsi")


def test_without_openslide_the_extra_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a.mrxs").write_bytes(b"\xff\xd8\xff\xe0" + bytes(200))
    monkeypatch.setitem(sys.modules, "openslide", None)
    with pytest.raises(ReadError, match=r"pip install 'unmix\[slides\]'"):
        unmix.read(tmp_path / "a.mrxs")


def test_choices_a_slide_does_not_have_are_refused(pyramid: Path) -> None:
    with pytest.raises(OptionError, match="has levels 0 to 1"):
        slide.read(pyramid, Request(level=2))
    with pytest.raises(OptionError, match="associated images"):
        slide.read(pyramid, Request(series=1))


@pytest.mark.realdata
@pytest.mark.parametrize("name", ["CMU-1-Small-Region.svs", "test3-DAPI-2-387.ndpi"])
def test_both_libraries_read_the_same_pixels(real_data: Path, name: str) -> None:
    path = real_data / "histology" / name
    region = (100, 200, 900, 1300)
    ours, theirs = unmix.read(path, region=region), slide.read(path, Request(region=region))
    np.testing.assert_array_equal(ours.values, theirs.values)
    np.testing.assert_allclose(pixel_size(ours)[:2], pixel_size(theirs)[:2], rtol=1e-6)
    with pytest.raises(OptionError, match="macro"):
        slide.read(path, Request(series=1))


@pytest.mark.realdata
def test_levels_of_a_real_slide(real_data: Path) -> None:
    path = real_data / "histology" / "test3-DAPI-2-387.ndpi"
    ours, theirs = unmix.read(path, level=3), slide.read(path, Request(level=3))
    np.testing.assert_array_equal(ours.values, theirs.values)
    assert pyramid_of(ours).shapes[3] == ours.shape[:2]
    shapes = pyramid_of(ours).shapes
    assert pyramid_of(theirs).shapes[: len(shapes)] == shapes
