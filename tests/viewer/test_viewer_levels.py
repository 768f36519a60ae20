"""Planes too large for one texture: which levels they have, and that every level shows the right pixels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import unmix
from unmix.blocks import source_of
from unmix.viewer import levels, overview
from unmix.viewer.layers import Shown, result_layers
from unmix.viewer.overview import Overview
from unmix.viewer.sources import layer_of_image

HEADER = "ENVI\nsamples = {x}\nlines = {y}\nbands = {b}\ndata type = 2\ninterleave = {order}\nbyte order = 0\n"
SHAPE = (90, 70, 5)


@pytest.fixture
def small_screen(monkeypatch):
    """Let planes of a few thousand pixels be large."""
    monkeypatch.setattr(levels, "ONE_TEXTURE", 1000)
    monkeypatch.setattr("unmix.viewer.layers.ONE_TEXTURE", 1000)
    monkeypatch.setattr(levels, "_COARSEST", 20)
    monkeypatch.setattr(levels, "_PIECE", 16)
    monkeypatch.setattr(levels, "_LEAST_PIECE", 8)
    monkeypatch.setattr(overview, "_MOST_PIXELS", 600)


def envi(folder: Path, order: str, nodata: str = "") -> tuple[Path, np.ndarray]:
    values = np.arange(np.prod(SHAPE), dtype="<i2").reshape(SHAPE)
    name = folder / f"{order}.hdr"
    name.write_text(HEADER.format(x=SHAPE[1], y=SHAPE[0], b=SHAPE[2], order=order) + nodata)
    stored = {"bsq": (2, 0, 1), "bil": (0, 2, 1), "bip": (0, 1, 2)}[order]
    values.transpose(stored).tofile(name.with_suffix(".img"))
    return name, values


def test_a_plane_that_fits_on_a_screen_is_one_array():
    assert levels.steps_of((1000, 1000)) == [1]
    assert levels.steps_of((4096, 4096)) == [1, 2, 4]


@pytest.mark.parametrize("nodata", ["", "data ignore value = -9999\n"])
@pytest.mark.parametrize("order", ["bsq", "bil", "bip"])
def test_every_level_of_a_file_takes_every_so_many_pixels(tmp_path, small_screen, order, nodata):
    file, values = envi(tmp_path, order, nodata)
    data, keywords, kind = layer_of_image(unmix.read(file))
    assert (kind, keywords["multiscale"]) == ("image", True)
    assert [level.shape for level in data] == [(5, 90, 70), (5, 45, 35), (5, 23, 18), (5, 12, 9)]
    for step, level in zip((1, 2, 4, 8), data, strict=True):
        np.testing.assert_array_equal(level, values[::step, ::step].transpose(2, 0, 1))


def test_a_plane_that_is_drawn_again_is_not_read_again(tmp_path, small_screen, monkeypatch):
    from unmix.readers.raw_file import RawFile

    file, values = envi(tmp_path, "bsq")
    coarsest = layer_of_image(unmix.read(file))[0][-1]
    read, plain = [], RawFile.read
    monkeypatch.setattr(RawFile, "read", lambda self, *window: read.append(window) or plain(self, *window))
    first = np.asarray(coarsest[2])
    once = len(read)
    np.testing.assert_array_equal(coarsest[2], first)
    assert len(read) == once > 0
    for band in range(5):
        np.testing.assert_array_equal(coarsest[band], values[::8, ::8, band])
    assert len(read) > once


def test_drawing_a_band_reads_that_band_only(tmp_path, small_screen, monkeypatch):
    from unmix.readers.raw_file import RawFile

    file, _ = envi(tmp_path, "bil")
    data, _, _ = layer_of_image(unmix.read(file))
    read = []
    plain = RawFile.read

    def counted(self, rows, columns, bands):
        read.append((rows.stop - rows.start) * (bands.stop - bands.start))
        return plain(self, rows, columns, bands)

    monkeypatch.setattr(RawFile, "read", counted)
    np.asarray(data[-1][3])
    assert sum(read) == 12  # the rows that are shown, one band
    read.clear()
    np.asarray(data[0][3, 10:14, 20:30])
    assert sum(read) <= 2 * 16


def test_a_file_stays_the_same_image_to_the_pipeline(tmp_path, small_screen):
    image = unmix.read(envi(tmp_path, "bil")[0])
    data, keywords, _ = layer_of_image(image)
    known = keywords["metadata"]["unmix"]
    assert known["image"] is image
    assert known["shown"] is data[0]
    assert source_of(image.data) is not None


def test_an_array_in_memory_gives_views(small_screen):
    values = np.random.default_rng(0).random((50, 60, 6)).astype(np.float32)
    data, keywords, _ = layer_of_image(unmix.as_image(values, quantity="reflectance"))
    assert keywords["multiscale"]
    assert all(np.shares_memory(level, values) for level in data)
    np.testing.assert_array_equal(data[1], values[::2, ::2].transpose(2, 0, 1))


def test_levels_of_maps_fill_as_the_maps_fill(small_screen, scene):
    result = scene[1].pad(y=(0, 40), x=(0, 40), mode="edge").assign_coords(endmember=list("abc"))
    result["abundances"] = result["abundances"].copy(data=np.ascontiguousarray(result["abundances"].values))
    layers = {keywords["name"]: (data, keywords) for data, keywords, _ in result_layers(result, Shown("field"))}
    data, keywords = layers["field | b"]
    assert keywords["multiscale"]
    result["abundances"].values[1, 8, 16] = 7.0
    assert [data[0][8, 16], data[1][4, 8], data[2][2, 4]] == [7.0] * 3
    largest = layers["field | dominant"][0]
    assert [int(np.asarray(level)[-1, -1]) for level in largest] == [
        int(result["abundances"].values[:, -1, -1].argmax()) + 1
    ] * 2 + [int(result["abundances"].values[:, 56, 52].argmax()) + 1]


def test_an_overview_holds_means_whatever_the_windows(small_screen):
    rng = np.random.default_rng(1)
    A = rng.random((2, 61, 45)).astype(np.float32)
    result = _result(A)
    seen = Overview(result)
    assert seen.step == 4
    for top in range(0, 61, 16):
        for left in range(0, 45, 20):
            seen.take(result, slice(top, min(61, top + 16)), slice(left, min(45, left + 20)))
    expected = [[A[:, y : y + 4, x : x + 4].mean((1, 2)) for x in range(0, 45, 4)] for y in range(0, 61, 4)]
    np.testing.assert_allclose(seen.maps["abundances"], np.transpose(expected, (2, 0, 1)), rtol=1e-5)


def test_maps_on_disk_are_drawn_from_disk_and_overview(small_screen, tmp_path):
    image = unmix.as_image(np.random.default_rng(2).random((80, 64, 5)).astype(np.float32), quantity="radiance")
    told = {}

    def on_block(result, rows, columns):
        if rows.stop == 0:
            told["overview"] = Overview(result)
        else:
            told["overview"].take(result, rows, columns)

    result = unmix.unmix(image, 2, out=tmp_path / "result", on_block=on_block)
    layers = result_layers(result, Shown("field"), overview=told["overview"])
    data, keywords, _ = next(one for one in layers if one[1]["name"] == "field | endmember 1")
    assert keywords["cache"] is False
    assert [level.shape for level in data] == [(80, 64), (40, 32), (20, 16)]
    assert isinstance(data[-1], np.ndarray)
    A = result["abundances"].values[0]
    np.testing.assert_array_equal(data[1], A[::2, ::2])
    np.testing.assert_allclose(data[-1], A.reshape(20, 4, 16, 4).mean((1, 3)), rtol=1e-5)
    largest = next(one for one in layers if one[1]["name"] == "field | dominant")[0]
    np.testing.assert_array_equal(largest[0], result["abundances"].values.argmax(0) + 1)


def _result(A: np.ndarray):
    import xarray as xr

    return xr.Dataset({"abundances": (("endmember", "y", "x"), A), "residual": (("y", "x"), A[0])})
