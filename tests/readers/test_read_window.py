"""What all lazy readers share: windows, scaling, nodata, chunks, pickling and threads."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np
import pytest
import rasterio
import tifffile
from hypothesis import given, settings
from hypothesis import strategies as st

import unmix
from unmix import blocks
from unmix.readers.window import Decoded, Physical, chunks_along, is_impossible

CUBE = np.random.default_rng(0).integers(-5, 5, (9, 8, 7)).astype(np.int16)
WHOLE = (0, 0, 9, 8)


def physical(**options) -> Physical:
    bands = options.pop("bands", tuple(range(7)))
    return Physical(Decoded("memory", CUBE), options.pop("window", WHOLE), bands, np.ones(len(bands), bool), **options)


def slices(size: int):
    ends = st.one_of(st.none(), st.integers(-size - 1, size + 1))
    steps = st.sampled_from([None, 1, 2, 3, -1, -2])
    return st.one_of(st.integers(-size, size - 1), st.builds(slice, ends, ends, steps))


@settings(max_examples=120, deadline=None)
@given(
    index=st.tuples(slices(9), slices(8), slices(7)),
    nodata=st.sampled_from([None, 0.0, -3.0]),
    offset=st.sampled_from([None, 2.0]),
)
def test_any_slice_is_the_slice_of_the_whole(index, nodata, offset):
    source = physical(nodata=nodata, offset=None if offset is None else np.full(7, offset))
    np.testing.assert_array_equal(source[index], source[:, :, :][index])


def test_values_divide_scale_and_shift():
    np.testing.assert_array_equal(physical()[:, :, :], CUBE)
    np.testing.assert_array_equal(physical(divisor=3.0)[:, :, :], CUBE.astype("f4") / np.float32(3))
    gains = np.arange(7) + 0.5
    source = physical(scale=gains[[1, 5]], offset=np.array([1.0, 2.0]), bands=(1, 5), window=(2, 1, 8, 7))
    np.testing.assert_allclose(source[:, :, :], CUBE[2:8, 1:7][:, :, [1, 5]] * gains[[1, 5]] + [1, 2], rtol=1e-6)


def test_types_that_are_too_small_or_foreign():
    half = Physical(Decoded("memory", CUBE.astype("f2")), WHOLE, tuple(range(7)), np.ones(7, bool))
    assert half[:, :, :].dtype == np.float32
    big = Physical(Decoded("memory", CUBE.astype("f8")), WHOLE, tuple(range(7)), np.ones(7, bool), nodata=-3.0)
    assert big.dtype == np.float32
    unsigned = Physical(Decoded("memory", CUBE.astype("u2")), WHOLE, tuple(range(7)), np.ones(7, bool), nodata=-9999.0)
    assert unsigned.dtype == np.uint16


@pytest.mark.parametrize(
    ("nodata", "dtype", "impossible"),
    [
        (0, "i2", False),
        (-9999, "i2", True),
        (-1, "f4", True),
        (-0.01, "f4", False),
        (1e20, "f4", True),
        (255, "u1", False),
        (65535, "u2", True),
    ],
)
def test_which_nodata_cannot_be_a_measurement(nodata, dtype, impossible):
    assert is_impossible(nodata, np.dtype(dtype)) is impossible


def test_extreme_nodata_need_not_be_equal_to_the_last_digit():
    values = np.array([[[1.0, -3.4028235e38], [1.0, 2.0]]], "f4")
    source = Physical(Decoded("memory", values), (0, 0, 1, 2), (0, 1), np.ones(2, bool), nodata=-3.40282e38)
    assert np.isnan(source[:, :, :]).sum() == 1


@given(
    grain=st.tuples(st.integers(1, 50), st.integers(1, 3000)),
    top=st.integers(0, 500),
    left=st.integers(0, 500),
    height=st.integers(1, 5000),
    width=st.integers(1, 2500),
    n_bands=st.integers(1, 300),
)
@settings(max_examples=80, deadline=None)
def test_chunks_cover_the_window_along_the_grain(grain, top, left, height, width, n_bands):
    rows, columns, bands = chunks_along(grain, (top, left, top + height, left + width), n_bands)
    assert (sum(rows), sum(columns), bands) == (height, width, (n_bands,))
    edges = np.cumsum((top, *rows))[1:-1]
    assert not (edges % grain[0]).any()
    if grain[1] >= left + width:
        assert columns == (width,)
    else:
        assert not (np.cumsum((left, *columns))[1:-1] % grain[1]).any()
    tile = min(grain[0], height) * min(grain[1], width)
    at_most = blocks.BLOCK_BYTES // (4 * n_bands) + tile + grain[0] * width + max(rows) * min(grain[1], width)
    assert max(rows) * max(columns) <= at_most


def test_a_large_image_has_several_chunks_of_whole_rows(tmp_path):
    np.save(tmp_path / "a.npy", np.zeros((400, 300, 20), np.uint16))
    image = unmix.read(tmp_path / "a.npy")
    assert image.chunks == ((100,) * 4, (300,), (20,))


def sources(tmp_path):
    """Write one cube in three ways and return the images and the cube."""
    cube = np.random.default_rng(0).integers(0, 60000, (96, 80, 6), np.uint16)
    np.save(tmp_path / "a.npy", cube)
    tifffile.imwrite(
        tmp_path / "a.tif", cube.transpose(2, 0, 1), photometric="minisblack", compression="zlib", tile=(16, 16)
    )
    profile = {
        "driver": "GTiff",
        "height": 96,
        "width": 80,
        "count": 6,
        "dtype": "uint16",
        "tiled": True,
        "blockxsize": 16,
        "blockysize": 16,
    }
    with rasterio.open(
        tmp_path / "g.tif", "w", crs="EPSG:32633", transform=rasterio.Affine(1, 0, 5, 0, -1, 5), **profile
    ) as file:
        file.write(cube.transpose(2, 0, 1))
    return cube, [unmix.read(tmp_path / name, scale=2) for name in ("a.npy", "a.tif", "g.tif")]


def pixels(image, window) -> np.ndarray:
    """Return a window, computed in the calling thread."""
    return image[window].compute(scheduler="synchronous").values


def test_threads_read_the_same_pixels(tmp_path):
    cube, images = sources(tmp_path)
    windows = [(slice(y, y + 31), slice(x, x + 27)) for y in range(0, 90, 13) for x in range(0, 70, 23)]
    for image in images:
        with ThreadPoolExecutor(8) as pool:
            parts = list(pool.map(partial(pixels, image), windows))
        for window, part in zip(windows, parts, strict=True):
            np.testing.assert_array_equal(part, cube[window].astype("f4") / 2)


def test_images_pickle_and_blocks_read_the_file_once(tmp_path, monkeypatch):
    cube, images = sources(tmp_path)
    for image in images:
        np.testing.assert_array_equal(pickle.loads(pickle.dumps(image)).values, cube.astype("f4") / 2)  # noqa: S301
    reads = []
    plain = Physical.__getitem__
    monkeypatch.setattr(Physical, "__getitem__", lambda self, window: reads.append(window) or plain(self, window))
    image = unmix.read(tmp_path / "a.npy", scale=2).chunk({"y": 24})
    reads.clear()
    sums = blocks.map_blocks(lambda values, valid, block: values.sum() + valid.sum(), images[0])
    assert len(reads) == len(sums) == len(blocks.blocks_of(images[0]))
    assert image.chunks[0] == (24,) * 4


def test_the_sample_is_read_without_reading_the_file(tmp_path, monkeypatch):
    np.save(tmp_path / "a.npy", np.zeros((2000, 30, 20), np.float32))
    rows = []
    from unmix.readers.raw_file import RawFile

    plain = RawFile.read
    monkeypatch.setattr(RawFile, "read", lambda self, y, x, b: rows.append(y.stop - y.start) or plain(self, y, x, b))
    unmix.read(tmp_path / "a.npy")
    assert sum(rows) <= 10
