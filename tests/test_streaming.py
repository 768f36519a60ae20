"""Maps that go to a store: the same numbers as in memory, final facts, nothing left behind."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import unmix
from unmix.abundance_maps import solve_blocks
from unmix.blocks import Block
from unmix.errors import Cancelled, UnmixWarning, WriteError
from unmix.light.additive import Additive, additive_rule
from unmix.light.tables import ClearCells, LightTables, light_tables
from unmix.nmf.abundances import abundance_problem
from unmix.options import Options
from unmix.result import Endmembers
from unmix.slides.glass import Glass
from unmix.synthetic import separable_scene, stained_slide

MAPS = ("abundances", "residual", "brightness")


@pytest.fixture(scope="module")
def scene() -> xr.DataArray:
    image = separable_scene(seed=1, n_endmembers=3, n_bands=12, shape=(60, 70)).image
    image.values[5:9, 3:20] = np.nan
    return unmix.as_image(image.values, quantity="reflectance")


@pytest.fixture(scope="module")
def in_memory(scene: xr.DataArray) -> xr.Dataset:
    return unmix.unmix(scene, 3)


def lazy(image: xr.DataArray, chunks: tuple[int, int, int]) -> xr.DataArray:
    import dask.array as da

    return unmix.as_image(da.from_array(image.values, chunks=chunks), quantity=image.attrs["quantity"])


def test_beyond_the_budget_the_maps_are_lazy_and_bit_equal(scene: xr.DataArray, in_memory: xr.Dataset) -> None:
    with pytest.warns(UnmixWarning, match="the maps need .* GB, the memory budget is 0 GB: they are kept in a scratch"):
        found = unmix.unmix(scene, 3, memory=0)
    assert in_memory["abundances"].chunks is None
    for name in MAPS:
        assert found[name].chunks is not None
        np.testing.assert_array_equal(found[name], in_memory[name])
    same = {key: value for key, value in in_memory.attrs.items() if key != "provenance"}
    assert {key: found.attrs[key] for key in same} == same
    assert any("scratch file" in text for text in json.loads(found.attrs["provenance"])["warnings"])


@pytest.mark.parametrize("chunks", [(7, 70, 12), (30, 17, 12)])
def test_the_store_does_not_depend_on_the_blocks(
    scene: xr.DataArray, in_memory: xr.Dataset, chunks: tuple[int, int, int]
) -> None:
    with pytest.warns(UnmixWarning, match="scratch"):
        found = unmix.unmix(lazy(scene, chunks), 3, memory=0, threads=2)
    np.testing.assert_array_equal(found["anchor_row"], in_memory["anchor_row"])
    for name in MAPS:
        np.testing.assert_allclose(found[name], in_memory[name], atol=1e-5)


def test_out_streams_and_what_is_read_back_is_what_is_returned(
    scene: xr.DataArray, in_memory: xr.Dataset, tmp_path: Path
) -> None:
    found = unmix.unmix(scene, 3, out=tmp_path / "o")
    assert found["abundances"].chunks is not None
    np.testing.assert_array_equal(found["abundances"], in_memory["abundances"])
    xr.testing.assert_identical(unmix.open_result(tmp_path / "o" / "result.nc"), found.compute())
    assert {path.name for path in (tmp_path / "o").iterdir()} == {
        "result.nc", "endmembers.csv", "preview.png", "abundances.tif"
    }  # fmt: skip


def test_an_output_that_exists_is_refused_before_any_work(scene: xr.DataArray, tmp_path: Path) -> None:
    (tmp_path / "result.nc").write_text("mine")
    calls: list[str] = []
    with pytest.raises(WriteError, match="exists"):
        unmix.unmix(scene, 3, out=tmp_path, progress=lambda stage, *_: calls.append(stage))
    assert calls == []
    assert (tmp_path / "result.nc").read_text() == "mine"


def test_a_cancelled_run_leaves_nothing(scene: xr.DataArray, tmp_path: Path) -> None:
    def stop(stage: str, done: int, total: int) -> None:
        if stage == "abundances" and done == 2:
            raise Cancelled("stopped")

    before = set(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else set()
    with pytest.raises(Cancelled):
        unmix.unmix(lazy(scene, (10, 70, 12)), 3, out=tmp_path / "o", progress=stop)
    assert list(tmp_path.iterdir()) == []
    import gc

    gc.collect()
    if before:
        assert len(os.listdir("/proc/self/fd")) <= len(before) + 1


def slide_problem(r: int) -> tuple[Additive, np.ndarray]:
    E = np.array([[0.65, 0.70, 0.29], [0.07, 0.99, 0.11], [0.27, 0.57, 0.78]])[:r]
    image = unmix.as_image(np.zeros((4, 4, 3), np.uint8), quantity="brightfield")
    rule, _ = additive_rule(image, np.full((9, 3), 240, np.uint8), Options(white_point=(243, 240, 246)))
    return rule, E / np.linalg.norm(E, axis=1, keepdims=True)


@pytest.mark.parametrize("r", [2, 3])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_tables_of_light_solve_what_the_exact_solver_solves(r: int, dtype: type) -> None:
    rule, E = slide_problem(r)
    problem = abundance_problem(E, "non_negative")
    tables = light_tables(rule, problem, np.dtype(dtype))
    assert tables is not None
    values = np.random.default_rng(0).integers(0, 256, (60, 70, 3)).astype(dtype)
    valid, clear = np.ones((60, 70), bool), np.zeros((60, 70), bool)
    valid[3], clear[:, 5] = False, True
    cells = ClearCells(clear[:1], np.zeros(60, np.int64), np.arange(70))
    maps = np.empty((r + 1, 60, 70), np.float32)
    misfit, squares, n_solved, n_clear = tables.solve(values, valid, cells, maps)
    solved = (valid & ~clear).ravel()
    A, residual, sizes = problem.solve_with_residual(rule(values).astype(np.float64), solved)
    flat = maps.reshape(r + 1, -1).T
    np.testing.assert_allclose(flat[solved, :r], A[solved], atol=2e-6)
    np.testing.assert_allclose(flat[solved, r], residual[solved], atol=2e-6)
    assert np.isnan(flat[~valid.ravel()]).all()
    assert (flat[(valid & clear).ravel()] == 0).all()
    assert (n_solved, n_clear) == (solved.sum(), (valid & clear).sum())
    assert misfit == pytest.approx(3 * (residual[solved] ** 2).sum(), rel=1e-6)
    assert squares == pytest.approx(sizes.sum(), rel=1e-6)
    assert_sums_are_those_of(maps, tables, values, valid, cells)


def assert_sums_are_those_of(
    maps: np.ndarray, tables: LightTables, values: np.ndarray, valid: np.ndarray, cells: ClearCells
) -> None:
    """Check the sums over cells of 16 pixels a side, the block beginning at row 3 and column 5 of the first."""
    n_maps, shape = len(maps), (4, 5)
    into = np.zeros((n_maps, *shape), np.uint32), np.zeros(shape, np.uint32), np.zeros(n_maps, np.uint16)
    tables.add_to(into, values, valid, cells, place=(3, 5, 16), per_unit=1000, most=4000)
    numbers = np.minimum(np.floor(np.nan_to_num(maps) * np.float32(1000) + np.float32(0.5)), 4000)
    y, x = np.meshgrid((np.arange(60) + 3) // 16, (np.arange(70) + 5) // 16, indexing="ij")
    for found, one in zip(into[0], numbers, strict=True):
        expected = np.zeros(shape)
        np.add.at(expected, (y, x), one)
        np.testing.assert_allclose(found, expected, atol=2)
    np.testing.assert_array_equal(into[1], np.histogram2d(y[~valid], x[~valid], bins=(range(5), range(6)))[0])
    np.testing.assert_allclose(into[2], numbers.max((1, 2)), atol=1)


def test_tables_are_for_light_in_whole_numbers_only() -> None:
    rule, E = slide_problem(2)
    problem = abundance_problem(E, "non_negative")
    for dtype in (np.float32, np.int16, np.dtype(np.uint16).newbyteorder()):
        assert light_tables(rule, problem, np.dtype(dtype)) is None
    assert light_tables(rule, abundance_problem(E, "sum_to_one"), np.dtype(np.uint8)) is None
    assert light_tables(Additive("reflectance", np.arange(3), 3), problem, np.dtype(np.uint8)) is None


def test_glass_is_zero_and_counted_whatever_the_blocks() -> None:
    slide = stained_slide(2, shape=(96, 128))
    cells = np.zeros((6, 8), bool)
    cells[:3, :4], cells[5] = True, True
    glass = Glass(cells, (96, 128))
    assert glass.covers(Block(slice(0, 48), slice(0, 64)))
    assert not glass.covers(Block(slice(0, 49), slice(0, 64)))
    assert glass.share == pytest.approx(cells.mean())
    rule, _ = additive_rule(slide.image, slide.image.values.reshape(-1, 3), Options())
    found = Endmembers(slide.endmembers, slide.names)
    plain = solve_blocks(slide.image, rule, found, Options())
    where = np.kron(cells, np.ones((16, 16), bool))
    for chunks in ((48, 64, 3), (17, 50, 3)):
        seen = solve_blocks(lazy(slide.image, chunks), rule, found, Options(), glass=glass)
        for name in ("abundances", "residual"):
            np.testing.assert_array_equal(seen.maps[name], np.where(where, 0, plain.maps[name]))
        assert seen.facts["n_background"] == where.sum()
        assert seen.facts["n_valid"] == 96 * 128
