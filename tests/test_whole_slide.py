"""A whole slide: judged on tiles, mapped tile by tile, glass left out, written as pyramids."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import xarray as xr
import zarr

import unmix
from unmix.cli.flags import FORMATS as NAMED_FORMATS
from unmix.errors import Cancelled, OptionError, ReadError, WriteError
from unmix.light.beer_lambert import to_optical_density
from unmix.metrics import spectral_angle
from unmix.slides import judging, mapping
from unmix.stores import PER_UNIT
from unmix.stores.slide_maps import view_behind
from unmix.synthetic import stained_slide
from unmix.synthetic.truth import Scene
from unmix.writers import FORMATS, plan_slide, slide_tiff
from unmix.writers.reduced import mean_and_largest, reduced
from unmix.writers.slide_plan import planned_pyramid
from unmix.writers.slide_pyramid import as_bytes, halved, level_shapes

SIZE, TILE = 2048, 256


@pytest.fixture(scope="module")
def truth() -> Scene:
    return stained_slide(3, shape=(TILE * 2, TILE * 2))


@pytest.fixture(scope="module")
def slide(tmp_path_factory: pytest.TempPathFactory, truth: Scene) -> Path:
    """Return a slide of 2048 x 2048 pixels, three quarters glass, with two further levels."""
    path = tmp_path_factory.mktemp("slides") / "slide.ome.tif"
    values = np.empty((SIZE, SIZE, 3), np.uint8)
    values[:] = np.rint(truth.white_point).astype(np.uint8)
    tissue = truth.image.values
    for top, left in ((0, 0), (512, 1024), (1024, 512), (1536, 1536)):
        values[top : top + 512, left : left + 512] = tissue
    layout = {"tile": (TILE, TILE), "photometric": "rgb", "compression": "zlib"}
    about = {"axes": "YXS", "PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "µm", "PhysicalSizeY": 0.5,
             "PhysicalSizeYUnit": "µm"}  # fmt: skip
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(values, subifds=2, metadata=about, **layout)
        for step in (4, 16):
            small = values.reshape(SIZE // step, step, SIZE // step, step, 3).mean((1, 3))
            file.write(np.rint(small).astype(np.uint8), subfiletype=1, metadata=None, **layout)
    return path


@pytest.fixture(scope="module")
def small_is_large() -> Iterator[None]:
    """Treat the test's slide as a whole one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(judging, "LARGE_PIXELS", 1_000_000)
        patch.setattr(slide_tiff, "LARGE_PIXELS", 1_000_000)
        patch.setattr(judging, "_OVERVIEW_PIXELS", 300_000)
        patch.setattr(judging, "_TILE", 256)
        yield


@pytest.fixture(scope="module")
def result(slide: Path, small_is_large: None) -> xr.Dataset:
    return unmix.separate_stains(slide)


def test_stains_are_found_and_glass_is_left_out(result: xr.Dataset, truth: Scene) -> None:
    angles = np.degrees(spectral_angle(result["endmembers"].values, truth.endmembers))
    assert angles.max() < 6
    fit = json.loads(result.attrs["provenance"])["fit"]
    assert fit["overview_level"] == 1
    assert fit["fit_level"] == 0
    assert 4 <= fit["fit_tiles"] <= 48
    assert 0.55 * SIZE**2 < result.attrs["n_background"] < 0.9 * SIZE**2
    assert result.attrs["n_blocks_skipped"] >= 0
    assert result.attrs["n_valid"] == SIZE**2
    maps = result["abundances"].values
    assert (maps[:, 100:400, 1000:1400] == 0).all()
    assert (maps[:, 512:1024, 1024:1536].max(axis=(1, 2)) > 0.3).all()


def test_tissue_is_solved_as_in_memory(slide: Path, result: xr.Dataset) -> None:
    white = json.loads(result.attrs["provenance"])["fit"]["white_point"]
    image = unmix.read(slide).compute()
    plain = unmix.separate_stains(image, stain_matrix=result["endmembers"].values, white_point=white)
    for place in ((slice(0, 512), slice(0, 512)), (slice(1536, 2048), slice(1536, 2048))):
        inside = tuple(slice(s.start, s.stop) for s in place)
        found, expected = result["abundances"].values[:, *inside], plain["abundances"].values[:, *inside]
        glass = (found == 0).all(axis=0)
        np.testing.assert_allclose(found[:, ~glass], expected[:, ~glass], rtol=0, atol=1e-6)
        assert np.abs(expected[:, glass]).max(initial=0) < 0.2


def test_anchors_lie_where_they_are_on_the_slide(slide: Path, result: xr.Dataset) -> None:
    image = unmix.read(slide).values
    white = np.array(json.loads(result.attrs["provenance"])["fit"]["white_point"])
    for k in range(2):
        row, column = int(result["anchor_row"][k]), int(result["anchor_col"][k])
        density = -np.log(np.maximum(image[row, column], 0.5) / white)
        angle = np.degrees(spectral_angle(density[None], result["endmembers"].values[k][None]))
        assert angle[0] < 8


def test_the_answer_does_not_depend_on_threads(slide: Path, result: xr.Dataset) -> None:
    again = unmix.separate_stains(slide, threads=1)
    np.testing.assert_array_equal(again["abundances"], result["abundances"])
    np.testing.assert_array_equal(again["endmembers"], result["endmembers"])


def test_sums_of_the_one_pass_are_those_of_the_maps(slide: Path, result: xr.Dataset) -> None:
    maps, residual = result["abundances"].values, result["residual"].values
    means, largest = mean_and_largest(result["abundances"])
    np.testing.assert_allclose(means, maps.mean((1, 2), dtype=np.float64), atol=2e-5)
    np.testing.assert_allclose(largest, maps.max((1, 2)), atol=0.5001 / PER_UNIT)
    picture = reduced(result["abundances"], 1024)
    np.testing.assert_allclose(picture, maps.reshape(2, 1024, 2, 1024, 2).mean((2, 4)), atol=0.5001 / PER_UNIT)
    white = json.loads(result.attrs["provenance"])["fit"]["white_point"]
    density = to_optical_density(unmix.read(slide).values, np.array(white)).astype(np.float64)
    solved = (maps > 0).any(axis=0) | (residual > 0)
    misfit, squares = 3 * (residual[solved].astype(np.float64) ** 2).sum(), (density[solved] ** 2).sum()
    assert result.attrs["relative_error"] == pytest.approx(np.sqrt(misfit / squares), rel=1e-3)


def test_a_slide_that_changed_is_not_read_any_more(slide: Path, result: xr.Dataset, tmp_path: Path) -> None:
    copy = tmp_path / "a slide.ome.tif"
    copy.write_bytes(slide.read_bytes())
    found = unmix.separate_stains(copy, stain_matrix=result["endmembers"].values)
    assert list(tmp_path.iterdir()) == [copy]
    copy.write_bytes(copy.read_bytes() + b" ")
    with pytest.raises(ReadError, match="has changed since it was opened"):
        found["abundances"][:, :64, :64].compute()


def decoded_tiles(monkeypatch: pytest.MonkeyPatch) -> list[tuple[tuple[int, int, int, int], int]]:
    """Return a list that fills with the page (its size) and the number of every tile that is decoded from now on."""
    from unmix.readers.tiff_segments import Segments

    seen: list[tuple[tuple[int, int, int, int], int]] = []
    decode = Segments.pixels

    def counted(self: Segments, file: Any, number: int) -> np.ndarray | None:
        seen.append((self.shape, number))
        return decode(self, file, number)

    monkeypatch.setattr(Segments, "pixels", counted)
    return seen


def test_tiles_of_glass_are_not_decoded_and_others_once(
    slide: Path, result: xr.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded = decoded_tiles(monkeypatch)
    maps = result["abundances"].compute(scheduler="synchronous").values
    tiles = [number for shape, number in decoded if shape[1:3] == (SIZE, SIZE)]
    assert len(tiles) == len(set(tiles))
    seen = maps.max(axis=0).reshape(SIZE // TILE, TILE, SIZE // TILE, TILE).max((1, 3)).ravel() > 0
    assert set(np.flatnonzero(seen)) == set(tiles), "tiles that only the margin of tissue reaches into are not decoded"
    assert len(tiles) == 16
    for window in ((slice(480, 530), slice(490, 540)), (slice(505, 512), slice(1000, 1030))):
        found = result["abundances"][(slice(None), *window)].values
        np.testing.assert_array_equal(found, maps[(slice(None), *window)])


def test_an_ordinary_image_of_a_file_is_decoded_once(slide: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a share of the budget holds it; the numbers are those of the image that is read again for every pass."""
    image = unmix.read(slide, region=(0, 0, 960, 960))
    decoded = decoded_tiles(monkeypatch)
    once = unmix.separate_stains(image)
    assert sorted(number for _, number in decoded) == sorted(8 * y + x for y in range(4) for x in range(4))
    again = unmix.separate_stains(image, memory=0.02)
    assert len(decoded) > 3 * 16
    for name in ("endmembers", "abundances", "residual"):
        np.testing.assert_array_equal(once[name].values, again[name].values)


def test_an_ordinary_image_is_judged_as_ever(slide: Path, small_is_large: None) -> None:
    assert judging.judge_slide(unmix.read(slide)) is not None
    assert judging.judge_slide(unmix.read(slide, region=(0, 0, 900, 900))) is None
    assert judging.judge_slide(unmix.read(slide).compute()) is None


def test_a_slide_is_written_as_a_pyramid(result: xr.Dataset, tmp_path: Path) -> None:
    paths = unmix.write(result, tmp_path / "o")
    assert [path.name for path in paths] == ["endmembers.csv", "preview.png", "concentrations.ome.tif"]
    maps = result["abundances"].values
    with tifffile.TiffFile(paths[-1]) as file:
        series = file.series[0]
        assert [level.shape for level in series.levels] == [(2, 2048, 2048), (2, 1024, 1024)]
        assert series.axes == "CYX"
        assert file.pages.first.tilewidth == 512
        told = file.ome_metadata
        stored, half = series.asarray(), series.levels[1].asarray()
    np.testing.assert_array_equal(stored, np.clip(np.floor(maps * 64 + 0.5), 0, 255))
    means = stored.reshape(2, 1024, 2, 1024, 2).mean((2, 4))
    assert np.abs(half - means).max() <= 0.5
    for text in ('Name="hematoxylin"', 'PhysicalSizeX="0.5"', "concentration = value / 64", "Provenance"):
        assert text in told
    back = unmix.read(paths[-1])
    assert back.shape == (2048, 2048, 2)
    assert unmix.image.pixel_size(back)[:2] == (0.5, 0.5)


def held_by(path: Path) -> list[bytes]:
    """Return what a pyramid says of itself and the pixels of every level: ISA-L may pack them in another way."""
    with tifffile.TiffFile(path) as file:
        return [(file.ome_metadata or "").encode(), *(level.asarray().tobytes() for level in file.series[0].levels)]


def test_a_slide_that_will_be_written_is_decoded_once_and_gives_the_same_file(
    slide: Path, result: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = held_by(unmix.write(result, tmp_path / "later", formats="slide")[0])
    told: list[tuple[slice, slice]] = []

    def again(*window: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        raise AssertionError(f"{window} is solved again")

    with monkeypatch.context() as patch:
        patch.setattr(mapping._Solver, "__call__", again)
        at_once = unmix.separate_stains(
            slide, out=tmp_path / "at once", on_block=lambda found, rows, columns: told.append((rows, columns))
        )
    assert held_by(tmp_path / "at once" / "concentrations.ome.tif") == expected
    assert told[-1] == (slice(0, 2048), slice(0, 2048))
    for name in ("relative_error", "n_valid", "n_background", "n_blocks_skipped"):
        assert at_once.attrs[name] == pytest.approx(result.attrs[name], rel=1e-6)
    for k in range(2):
        seen, whole = (view_behind(one["abundances"].data).slide.overview for one in (at_once, result))
        np.testing.assert_array_equal(seen.picture(k), whole.picture(k))
    assert held_by(unmix.write(at_once, tmp_path / "twice", formats="slide")[0]) == expected


def test_no_tiles_are_made_for_outputs_without_them(slide: Path, small_is_large: None, tmp_path: Path) -> None:
    for out, formats in ((None, ()), (tmp_path / "maps.ome.zarr", ()), (tmp_path / "o", ("ome_zarr",))):
        with plan_slide(out, formats):
            assert planned_pyramid((2, 10, 10)) is None
    with plan_slide(tmp_path / "o"):
        assert planned_pyramid((2, 10, 10)) is not None
        with pytest.raises(Cancelled):
            unmix.separate_stains(slide, progress=cancel_late)
    assert not list(tmp_path.iterdir())


def test_a_file_name_of_ome_tiff_gives_the_pyramid(slide: Path, small_is_large: None, tmp_path: Path) -> None:
    """What QuPath opens, whether a folder or a file is named; float32 where it is asked for."""
    in_folder, named, later = tmp_path / "o", tmp_path / "stains.ome.tiff", tmp_path / "later.ome.tif"
    unmix.separate_stains(slide, out=in_folder)
    result = unmix.separate_stains(slide, out=named)
    assert held_by(named) == held_by(in_folder / "concentrations.ome.tif")
    assert unmix.write(result, later) == [later]
    assert held_by(later) == held_by(named)
    exact = unmix.write(result, tmp_path / "exact.ome.tif", formats="ome_tiff")
    with tifffile.TiffFile(exact[0]) as file:
        np.testing.assert_array_equal(file.asarray(), result["abundances"].values)


def cancel_late(stage: str, done: int, total: int) -> None:
    """Stop when something has been solved."""
    if stage == "abundances" and done:
        raise Cancelled("stopped")


def test_ome_zarr_holds_levels_channels_and_places(result: xr.Dataset, tmp_path: Path) -> None:
    path = unmix.write(result, tmp_path / "maps.ome.zarr")[0]
    group = zarr.open_group(str(path), mode="r")
    scales = group.attrs["multiscales"][0]
    assert scales["version"] == "0.4"
    assert [axis["name"] for axis in scales["axes"]] == ["c", "y", "x"]
    assert [one["path"] for one in scales["datasets"]] == ["0", "1"]
    assert scales["datasets"][1]["coordinateTransformations"] == [
        {"type": "scale", "scale": [1.0, 1.0, 1.0]},
        {"type": "translation", "translation": [0.0, 0.25, 0.25]},
    ]
    assert [one["label"] for one in group.attrs["omero"]["channels"]] == ["hematoxylin", "eosin"]
    maps = result["abundances"].values
    assert group["0"].dtype == np.float16
    np.testing.assert_array_equal(group["0"][:], maps.astype(np.float16))
    means = maps.astype(np.float16).astype(np.float64).reshape(2, 1024, 2, 1024, 2).mean((2, 4))
    np.testing.assert_allclose(group["1"][:], means, rtol=1e-3, atol=1e-6)
    with pytest.raises(WriteError, match="exists"):
        unmix.write(result, path)
    unmix.write(result, path, overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["maps.ome.zarr"]


def test_a_zarr_that_fails_leaves_the_old_one(
    result: xr.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = unmix.write(result, tmp_path / "maps.ome.zarr")[0]
    monkeypatch.setattr("unmix.writers.ome_zarr._differences", lambda *_: "values")
    with pytest.raises(WriteError, match="values did not read back"):
        unmix.write(result, path, overwrite=True)
    assert [one.name for one in tmp_path.iterdir()] == ["maps.ome.zarr"]
    assert zarr.open_group(str(path), mode="r")["0"].shape == (2, 2048, 2048)


def test_a_folder_that_is_no_zarr_is_never_replaced(result: xr.Dataset, tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    (tmp_path / "a.zarr" / "mine").write_text("mine")
    with pytest.raises(WriteError, match="is no Zarr group"):
        unmix.write(result, tmp_path / "a.zarr", overwrite=True)
    assert (tmp_path / "a.zarr" / "mine").read_text() == "mine"


def test_only_stains_are_written_in_8_bits(tmp_path: Path) -> None:
    E = np.eye(2, 4) + 0.1
    found = unmix.map_abundances(np.full((8, 8, 4), 0.3), E, quantity="reflectance")
    with pytest.raises(OptionError, match="'slide' holds concentrations"):
        unmix.write(found, tmp_path / "o", formats="slide")


def test_8_bit_concentrations_and_their_halves() -> None:
    maps = np.array([[0, 1, 3.99], [np.nan, 9, 0.0078]], np.float32)
    np.testing.assert_array_equal(as_bytes(maps), [[0, 64, 255], [0, 255, 0]])
    np.testing.assert_array_equal(halved(np.array([[0, 4, 9], [4, 8, 9], [1, 1, 3]], np.uint8)), [[4, 9], [1, 3]])
    assert level_shapes(5000, 700) == [(2500, 350), (1250, 175), (625, 88)]


def test_the_command_line_names_every_format() -> None:
    assert set(NAMED_FORMATS) == {one.name for one in FORMATS}


@pytest.mark.parametrize(
    ("grain", "tile"),
    [((240, 240), (240, 240)), ((512, 512), (256, 256)), ((128, 1000), (256, 250)), ((1, 400), (256, 200))],
)
def test_tiles_to_fit_are_whole_tiles_of_the_file_or_parts_of_one(
    slide: Path, monkeypatch: pytest.MonkeyPatch, grain: tuple[int, int], tile: tuple[int, int]
) -> None:
    image = unmix.read(slide)
    whole = judging.pyramid_of(image)
    assert whole is not None
    monkeypatch.setattr(judging, "pyramid_of", lambda image: replace(whole, grain=grain))
    assert judging._tile_shape(image) == tile


def test_a_slide_in_tiles_of_240_is_judged_on_its_own_tiles(
    tmp_path: Path, small_is_large: None, truth: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    values = np.tile(truth.image.values, (4, 4, 1))[:1920, :1920]
    values[:700] = np.rint(truth.white_point).astype(np.uint8)
    path = tmp_path / "aperio like.tif"
    layout = {"tile": (240, 240), "photometric": "rgb", "compression": "zlib"}
    about = {"axes": "YXS", **{f"PhysicalSize{axis}": 0.5 for axis in "XY"}}
    with tifffile.TiffWriter(path, ome=True) as file:
        file.write(values, subifds=1, metadata=about, **layout)
        small = np.rint(values.reshape(480, 4, 480, 4, 3).mean((1, 3))).astype(np.uint8)
        file.write(small, subfiletype=1, metadata=None, **layout)
    decoded: list[tuple[int, int]] = []
    read = judging.map_blocks

    def noted(function: Any, level: xr.DataArray, *, blocks: Any, **given: Any) -> Any:
        decoded.extend((block.rows.start, block.columns.start) for block in blocks)
        return read(function, level, blocks=blocks, **given)

    monkeypatch.setattr(judging, "map_blocks", noted)
    result = unmix.separate_stains(path)
    assert decoded
    assert not np.any(np.array(decoded) % 240)
    for k in range(2):
        row, column = int(result["anchor_row"][k]), int(result["anchor_col"][k])
        density = -np.log(np.maximum(values[row, column], 0.5) / truth.white_point)
        angle = np.degrees(spectral_angle(density[None], result["endmembers"].values[k][None]))
        assert angle[0] < 8


def test_tiles_that_were_judged_are_not_decoded_again(
    tmp_path: Path, small_is_large: None, truth: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The maps are those of tiles decoded anew; of the last tiles down a part lies on the slide."""
    path = tmp_path / "tiles of 512.tif"
    values = np.tile(truth.image.values, (4, 4, 1))[:1900]
    values[:1024, :1024] = np.rint(truth.white_point).astype(np.uint8)
    about = {"axes": "YXS", **{f"PhysicalSize{axis}": 0.5 for axis in "XY"}}
    with tifffile.TiffWriter(path, ome=True) as file:
        for step, more in ((1, {"subifds": 1, "metadata": about}), (4, {"subfiletype": 1, "metadata": None})):
            file.write(values[::step, ::step], tile=(512, 512), photometric="rgb", compression="zlib", **more)
    image = unmix.read(path)
    decoded = decoded_tiles(monkeypatch)
    result = unmix.separate_stains(image)
    tiles = [number for shape, number in decoded if shape[1:3] == (1900, SIZE)]
    monkeypatch.setattr(judging, "_KEPT_BYTES", 0)
    again = unmix.separate_stains(image)
    assert 12 <= len(set(tiles)) < 16
    twice = {number for number in tiles if tiles.count(number) > 1}
    assert twice <= {12, 13, 14, 15}, "only parts of tiles may be decoded again"
    assert len([number for shape, number in decoded if shape[1:3] == (1900, SIZE)]) > 2 * len(tiles)
    one, other = (view_behind(found["abundances"].data) for found in (result, again))
    assert one is not None
    assert other is not None
    for k in range(3):
        np.testing.assert_array_equal(one.slide.overview.picture(k), other.slide.overview.picture(k))
    np.testing.assert_array_equal(result["endmembers"].values, again["endmembers"].values)


def test_small_slides_are_judged_on_fewer_tiles() -> None:
    for side, expected in ((4, 16), (20, 24), (36, 40), (64, 48)):
        corners = judging._tissue_tiles(np.ones((side, side), bool), (256 * side, 256 * side), (256, 256))
        assert len(corners) == len(np.unique(corners, axis=0)) == expected


def test_maps_are_picked_in_any_order(result: xr.Dataset) -> None:
    view = view_behind(result["abundances"].data)
    assert view is not None
    window = slice(512, 560), slice(1024, 1100)
    both = view[(slice(None), *window)]
    assert both.any()
    np.testing.assert_array_equal(view[(slice(None, None, -1), *window)], both[::-1])
    np.testing.assert_array_equal(view[(slice(1, 2), *window)], both[1:])
    np.testing.assert_array_equal(view[(0, *window)], both[0])
