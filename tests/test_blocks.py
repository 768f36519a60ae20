"""Walking an image: every pixel once, the same sample and the same answers whatever the layout."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st
from threadpoolctl import threadpool_info

import unmix
from unmix.blocks import (
    SAMPLE_LEAST,
    Block,
    blocks_of,
    blocks_within,
    default_sample_size,
    for_blocks,
    lazy_array,
    load_block,
    map_blocks,
    sample_positions,
)
from unmix.errors import Cancelled
from unmix.image import as_image
from unmix.sampling import gather_pixels, sample_pixels

LAYOUTS = [None, (7, 5, 3), (1, -1, -1), (-1, 1, 2), (13, 11, -1), ((3, 0, 27), (20, 20), -1)]


@pytest.fixture(scope="module")
def values() -> np.ndarray:
    """Three materials, brightness scatter, noise, and a hole: 30 x 40 x 8."""
    rng = np.random.default_rng(5)
    E = rng.random((3, 8)) + 2 * np.eye(3, 8)
    A = rng.dirichlet([0.4] * 3, 1200) * rng.uniform(0.6, 1.0, (1200, 1))
    X = (A @ E + rng.normal(0, 0.01, (1200, 8))).reshape(30, 40, 8).astype("f4")
    X[4:7, 30:] = np.nan
    return X


def laid_out(values: np.ndarray, layout: tuple | None, **more: object) -> xr.DataArray:
    if layout is None:
        return as_image(values, **more)
    da = pytest.importorskip("dask.array")
    return as_image(da.from_array(values, chunks=layout), **more)


@settings(max_examples=60)
@given(st.integers(1, 40), st.integers(1, 30), st.data())
def test_blocks_tile_the_image(height: int, width: int, data: st.DataObject) -> None:
    chunks = (data.draw(st.integers(1, 45)), data.draw(st.integers(1, 35)), -1)
    image = laid_out(np.zeros((height, width, 2), "f4"), chunks)
    seen = np.zeros((height, width), int)
    for block in blocks_of(image):
        seen[block.window] += 1
        assert block.shape == seen[block.window].shape
    assert (seen == 1).all()


@pytest.mark.parametrize("shape", [(1, 1, 1), (1, 3_000_000, 3), (3000, 1000, 3), (5, 7, 200)])
def test_blocks_in_memory_are_whole_rows(shape: tuple[int, int, int]) -> None:
    image = xr.DataArray(np.broadcast_to(np.uint8(0), shape), dims=("y", "x", "band"))
    blocks = blocks_of(image)
    assert blocks[0].rows.start == 0
    assert blocks[-1].rows.stop == shape[0]
    assert all(a.rows.stop == b.rows.start for a, b in pairwise(blocks))
    assert all(block.columns == slice(0, shape[1]) for block in blocks)


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("threads", [1, 4])
def test_map_blocks_sees_every_pixel_once_in_order(values: np.ndarray, layout: tuple | None, threads: int) -> None:
    image = laid_out(values, layout)
    out = np.zeros(values.shape, "f4")
    flags = np.zeros(values.shape[:2], bool)

    def copy(part: np.ndarray, valid: np.ndarray, block: Block) -> tuple[int, int]:
        out[block.window] += part
        flags[block.window] = valid
        return block.rows.start, block.columns.start

    answers = map_blocks(copy, image, threads=threads)
    np.testing.assert_array_equal(out, values)
    np.testing.assert_array_equal(flags, np.isfinite(values).all(-1))
    assert answers == sorted(answers)
    assert len(answers) == len(blocks_of(image))


def test_blocks_of_an_image_in_memory_are_views(values: np.ndarray) -> None:
    image = as_image(values)
    part, _ = load_block(image, Block(slice(2, 5), slice(0, 40)))
    assert np.shares_memory(part, values)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_sample_does_not_depend_on_layout(values: np.ndarray, layout: tuple | None) -> None:
    plain, where = sample_pixels(as_image(values), 300)
    other, places = sample_pixels(laid_out(values, layout), 300, threads=3)
    np.testing.assert_array_equal(where, places)
    np.testing.assert_array_equal(plain, other)
    np.testing.assert_array_equal(plain, values.reshape(-1, 8)[where])
    assert np.isfinite(plain).all()


@settings(max_examples=200)
@given(st.integers(1, 10**9), st.integers(1, 5000))
def test_sample_positions_are_distinct_sorted_and_spread(n_pixels: int, n_sample: int) -> None:
    positions = sample_positions(n_pixels, n_sample)
    assert positions[0] >= 0
    assert positions[-1] < n_pixels
    assert (np.diff(positions) > 0).all()
    if n_sample >= n_pixels:
        assert len(positions) == n_pixels
        return
    assert 0.5 * n_sample <= len(positions) <= n_sample
    assert np.diff(positions).max(initial=0) <= 2 * n_pixels / n_sample + 1
    assert len(set(np.floor(positions / n_pixels * 4))) >= min(4, len(positions) // 2)


def test_sample_size() -> None:
    assert default_sample_size(100) == 100
    assert default_sample_size(100_000) == SAMPLE_LEAST
    assert default_sample_size(10_000_000) == 500_000


def test_sample_grows_where_most_of_the_image_is_invalid() -> None:
    valid = np.zeros((400, 400), bool)
    valid[200, 100:160] = True
    image = as_image(np.ones((400, 400, 2), "f4"), valid=valid)
    sample, positions = sample_pixels(image, 50)
    assert len(sample) >= 25
    assert valid.ravel()[positions].all()
    nothing, _ = sample_pixels(as_image(np.ones((40, 40, 2), "f4"), valid=np.zeros((40, 40), bool)), 50)
    assert len(nothing) == 0


@pytest.mark.parametrize("layout", LAYOUTS)
def test_gathered_pixels_keep_the_order_asked_for(values: np.ndarray, layout: tuple | None) -> None:
    positions = np.array([1199, 0, 3, 3, 640, 41])
    found, valid = gather_pixels(laid_out(values, layout), positions)
    np.testing.assert_array_equal(found, values.reshape(-1, 8)[positions])
    np.testing.assert_array_equal(valid, np.isfinite(found).all(1))


class Watched:
    """A lazy source that counts how often each of its rows is read."""

    def __init__(self, values: np.ndarray) -> None:
        self.values, self.shape, self.dtype, self.ndim = values, values.shape, values.dtype, 3
        self.chunks = ((5,) * (len(values) // 5), (values.shape[1],), (values.shape[2],))
        self.reads = np.zeros(len(values), int)

    def __getitem__(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        self.reads[window[0]] += 1
        return self.values[window]


def test_gathering_reads_only_the_blocks_it_needs(values: np.ndarray) -> None:
    watched = Watched(values)
    image = as_image(lazy_array(watched), sample=values[:1])
    found, _ = gather_pixels(image, np.array([10 * 40 + 3, 11 * 40]))
    np.testing.assert_array_equal(found, values.reshape(-1, 8)[[403, 440]])
    assert (watched.reads[:10] == 0).all()
    assert (watched.reads[15:] == 0).all()


def test_a_run_reads_the_image_a_few_times(values: np.ndarray) -> None:
    """Sample, lift, the gate's closer look, the anchors' spectra, abundances: never a pass for each endmember."""
    watched = Watched(values)
    image = as_image(lazy_array(watched), sample=values[:1], quantity="radiance")
    unmix.unmix(image, 3)
    assert watched.reads.max() <= 5


@pytest.fixture(scope="module")
def plain(values: np.ndarray) -> xr.Dataset:
    return unmix.unmix(as_image(values, quantity="reflectance"), 3, threads=1)


@pytest.mark.parametrize(("layout", "threads"), [*zip(LAYOUTS, (4, 4, 1, 4, 1, 4), strict=True)])
def test_result_does_not_depend_on_layout_or_threads(
    values: np.ndarray, plain: xr.Dataset, layout: tuple | None, threads: int
) -> None:
    other = unmix.unmix(laid_out(values, layout, quantity="reflectance"), 3, threads=threads)
    for name in ("anchor_row", "anchor_col", "anchor_count"):
        np.testing.assert_array_equal(plain[name], other[name])
    np.testing.assert_allclose(plain["abundances"], other["abundances"], atol=1e-5)
    np.testing.assert_allclose(plain["residual"], other["residual"], atol=1e-5)
    np.testing.assert_allclose(plain["endmembers"], other["endmembers"], rtol=1e-6)
    assert plain.attrs["n_valid"] == other.attrs["n_valid"]
    assert plain.attrs["relative_error"] == pytest.approx(other.attrs["relative_error"], rel=1e-5)


def test_transposed_memory_gives_the_same_result(values: np.ndarray, plain: xr.Dataset) -> None:
    bands_first = np.ascontiguousarray(values.transpose(2, 0, 1)).transpose(1, 2, 0)
    assert not bands_first.flags.c_contiguous
    other = unmix.unmix(as_image(bands_first, quantity="reflectance"), 3)
    np.testing.assert_array_equal(plain["anchor_row"], other["anchor_row"])
    np.testing.assert_allclose(plain["abundances"], other["abundances"], atol=1e-5)


# ------------------------------------------------------------------------------------------- progress and errors


def test_progress_counts_to_the_end(values: np.ndarray) -> None:
    calls: list[tuple[str, int, int]] = []
    map_blocks(lambda *_: None, laid_out(values, (7, -1, -1)), stage="here", progress=lambda *a: calls.append(a))
    assert calls == [("here", k, 5) for k in range(6)]


@pytest.mark.parametrize("layout", [None, (2, -1, -1)])
def test_cancelled_stops_the_walk(values: np.ndarray, layout: tuple | None) -> None:
    walked = []

    def stop(stage: str, done: int, total: int) -> None:
        if done == 1:
            raise Cancelled("stop")

    with pytest.raises(Cancelled, match="stop"):
        map_blocks(lambda *a: walked.append(1), laid_out(values, layout), threads=2, progress=stop)
    assert len(walked) <= 6  # what other threads had begun; fifteen blocks in all


def test_cancelled_before_the_first_block(values: np.ndarray) -> None:
    def stop(*_: object) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        unmix.unmix(as_image(values, quantity="reflectance"), 3, progress=stop)


@pytest.mark.parametrize("layout", [None, (7, -1, -1)])
def test_errors_inside_blocks_come_out_as_they_are(values: np.ndarray, layout: tuple | None) -> None:
    class OddError(Exception):
        pass

    def fail(*_: object) -> None:
        raise OddError("mine")

    with pytest.raises(OddError, match=r"^mine$"):
        map_blocks(fail, laid_out(values, layout), threads=2)


def test_blas_has_one_thread_inside_a_block_and_its_own_again_after(values: np.ndarray) -> None:
    def of_blas() -> set[int]:
        return {pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas"}

    before = of_blas()
    inside = map_blocks(lambda *_: of_blas(), laid_out(values, (10, -1, -1)), threads=2)
    assert all(threads == {1} for threads in inside)
    assert of_blas() == before


def test_blas_has_one_thread_inside_a_block_whichever_thread_runs_the_blocks(values: np.ndarray) -> None:
    def threads_seen() -> set[int]:
        inside = map_blocks(lambda *_: threadpool_info(), laid_out(values, (10, -1, -1)), threads=2)
        return {pool["num_threads"] for seen in inside for pool in seen if pool["user_api"] == "blas"}

    before = threadpool_info()
    with ThreadPoolExecutor(1) as elsewhere:  # what is limited once in the main thread is its own from then on
        assert [threads_seen(), elsewhere.submit(threads_seen).result(), threads_seen()] == [{1}, {1}, {1}]
    assert threadpool_info() == before


def test_blocks_run_on_the_number_of_threads_asked_for(values: np.ndarray) -> None:
    names = map_blocks(lambda *_: threading.get_ident(), laid_out(values, (1, -1, -1)), threads=1)
    assert len(set(names)) == 1


@settings(max_examples=30)
@given(budget=st.integers(0, 10**9), threads=st.integers(1, 64))
def test_blocks_in_work_keep_within_a_quarter_of_the_budget(budget: int, threads: int) -> None:
    image = as_image(np.broadcast_to(np.float32(0.5), (600, 50, 100)), quantity="reflectance")
    blocks = blocks_within(blocks_of(image), image, budget, threads)
    assert [block.rows.start for block in blocks] == [0, *(block.rows.stop for block in blocks[:-1])]
    assert blocks[-1].rows.stop == 600
    largest = max(block.shape[0] for block in blocks) * 50 * 100 * 4
    assert largest <= max(4_000_000, budget // (4 * threads))


def test_as_many_threads_as_processors_from_whichever_thread() -> None:
    from dask.system import CPU_COUNT

    def threads_of_a_walk() -> set[int]:
        used = set[int]()
        everywhere = [Block(slice(k, k + 1), slice(0, 1)) for k in range(6 * CPU_COUNT + 24)]
        for_blocks(lambda _block: (used.add(threading.get_ident()), time.sleep(0.002)), everywhere)
        return used

    with ThreadPoolExecutor(1) as pool:
        walks = [threads_of_a_walk(), pool.submit(threads_of_a_walk).result()]
    assert all(1 <= len(used) <= CPU_COUNT for used in walks)
