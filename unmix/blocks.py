"""How an image is walked: its blocks, where a sample of its pixels lies, and a function over every block.

The only Dask calls of the core are here. Kernels are serial and release the interpreter lock; parallelism is over
blocks, by threads, with one BLAS thread inside a block. No answer depends on the block layout.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from typing import Any, Protocol, TypeVar

import numpy as np
import xarray as xr

from .nmf.threads import one_blas_thread, side_by_side
from .usable_pixels import UsablePixels, usable_pixels

T = TypeVar("T")
Progress = Callable[[str, int, int], None]
"""Called as ``progress(stage, done, total)``; raise `unmix.errors.Cancelled` from it to stop the run."""

BLOCK_BYTES = 64_000_000
SAMPLE_SHARE = 0.05
_SMALL_BLOCK = 4_000_000
SAMPLE_LEAST = 20_000
SAMPLE_VALUES = 50_000_000
_GOLDEN = 0.6180339887498949


class Source(Protocol):
    """What a lazy reader gives: an array that reads a window when it is sliced, and holds no open file."""

    shape: tuple[int, int, int]
    dtype: np.dtype
    ndim: int
    chunks: tuple[int, int, int]

    def __getitem__(self, window: tuple[slice, slice, slice]) -> np.ndarray:
        """Return the values (y, x, band) in a window."""


_SOURCES: weakref.WeakValueDictionary[str, Source] = weakref.WeakValueDictionary()
"""The source behind every lazy array that is still as it was made: its windows need not go through whole chunks."""


@dataclass(frozen=True)
class Block:
    """A window of whole pixels: rows and columns, half open."""

    rows: slice
    columns: slice

    @property
    def shape(self) -> tuple[int, int]:
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    @property
    def window(self) -> tuple[slice, slice]:
        return self.rows, self.columns


def lazy_array(source: Source) -> Any:
    """Return a Dask array over a `Source`; nothing is read until it is computed."""
    import dask.array as da

    meta = np.empty((0, 0, 0), source.dtype)
    array = da.from_array(source, chunks=source.chunks, name=False, asarray=False, fancy=False, lock=False, meta=meta)
    _SOURCES[array.name] = source
    return array


def source_of(array: Any) -> Source | None:
    """Return the `Source` behind an array that `lazy_array` made and nobody has changed since, else None."""
    return _SOURCES.get(getattr(array, "name", ""))


def blocks_of(image: xr.DataArray) -> list[Block]:
    """Cut an image into blocks along its own grain: whole rows in memory, the file's chunks when lazy."""
    height, width, n_bands = image.shape
    if image.chunks is None:
        n_values = height * width * n_bands
        n_blocks = -(-n_values * 4 // BLOCK_BYTES)
        if n_values > BLOCK_BYTES // 64:
            at_least = 16 if n_values > BLOCK_BYTES // 4 else 4
            n_blocks = -(-n_blocks // at_least) * at_least
        edges = np.unique(np.linspace(0, height, min(n_blocks, height) + 1).astype(int))
        return [Block(slice(int(a), int(b)), slice(0, width)) for a, b in pairwise(edges)]
    spans = []
    for sizes in image.chunks[:2]:
        ends = np.cumsum(sizes)
        spans.append([slice(int(end - size), int(end)) for end, size in zip(ends, sizes, strict=True) if size])
    return [Block(rows, columns) for rows in spans[0] for columns in spans[1]]


def smaller_blocks(blocks: list[Block], longest: int) -> list[Block]:
    """Cut blocks so that none is longer than `longest` pixels on a side."""
    spans = [
        [
            [slice(a, min(a + longest, span.stop)) for a in range(span.start, span.stop, longest)]
            for span in block.window
        ]
        for block in blocks
    ]
    return [Block(rows, columns) for down, across in spans for rows in down for columns in across]


def blocks_within(blocks: list[Block], image: xr.DataArray, budget: int, threads: int | None) -> list[Block]:
    """Cut blocks of whole rows so that those in work at a time take at most a quarter of a budget of bytes.

    Tiles are left as they are: a part of one costs as much to decode as the whole.
    """
    share = max(_SMALL_BLOCK, budget // (4 * (threads or os.cpu_count() or 1)))
    rows = max(1, share // (4 * image.sizes["x"] * image.sizes["band"]))
    if any(block.shape[1] != image.sizes["x"] for block in blocks):
        return blocks
    return [
        Block(slice(top, min(top + rows, block.rows.stop)), block.columns)
        for block in blocks
        for top in range(block.rows.start, block.rows.stop, rows)
    ]


def map_blocks(
    function: Callable[[np.ndarray, np.ndarray, Block], T],
    image: xr.DataArray,
    *,
    blocks: list[Block] | None = None,
    stage: str = "",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[T]:
    """Call ``function(values (h, w, band), valid (h, w), block)`` on every block; return what it returns, in order.

    Functions write their large outputs in place and return small things only.
    """
    blocks = blocks_of(image) if blocks is None else blocks

    load = block_loader(image)

    def call(block: Block) -> T:
        return function(*load(block), block)

    return for_blocks(call, blocks, stage=stage, threads=threads, progress=progress)


def for_blocks(
    function: Callable[[Block], T],
    blocks: list[Block],
    *,
    stage: str = "",
    threads: int | None = None,
    progress: Progress | None = None,
) -> list[T]:
    """Call ``function(block)`` on every block, by threads, each with one BLAS thread; return the answers in order."""
    from dask import config
    from dask.system import CPU_COUNT

    lock, done = threading.Lock(), 0

    def call(block: Block) -> T:
        nonlocal done
        answer = function(block)
        with lock:
            done += 1
            if progress is not None:
                progress(stage, done, len(blocks))
        return answer

    if progress is not None:
        progress(stage, 0, len(blocks))
    with one_blas_thread():
        return side_by_side(call, blocks, threads or config.get("num_workers", CPU_COUNT))


@dataclass(frozen=True)
class WindowReader:
    """One block of a file, with all that is needed to read and judge it; small, so that a task can carry it."""

    source: Source
    block: Block
    rule: UsablePixels | None
    valid: np.ndarray | None

    def read(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the values (h, w, band) and the valid pixels (h, w)."""
        values = self.source[(*self.block.window, slice(None))]
        if self.valid is not None:
            return values, self.valid
        assert self.rule is not None
        return values, self.rule.of(values, (slice(None), slice(None)))

    def pick(self, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return values (n, band) and valid flags (n,) of some pixels, given by rows and columns of the image.

        Where the file lets pixels be picked, the others are neither converted nor, where whole rows are spared, read.
        """
        inside = y - self.block.rows.start, x - self.block.columns.start
        if not hasattr(self.source, "pick"):
            values, flags = self.read()
            return values[inside], flags[inside]
        values = self.source.pick(self.block.window, y, x)
        if self.valid is not None:
            return values, self.valid[inside]
        assert self.rule is not None
        return values, self.rule.of(values, inside)


def window_reader(image: xr.DataArray, block: Block) -> WindowReader | None:
    """Return what reads one block of a file, None where the image is in memory or was changed since it was read."""
    reader_of = _window_readers(image)
    return None if reader_of is None else reader_of(block)


def _window_readers(image: xr.DataArray) -> Callable[[Block], WindowReader] | None:
    """Return what makes the readers of blocks of a file; what there is to know of the image is looked up once."""
    valid = image.coords["valid"].data
    source, rule = source_of(image.data), usable_pixels(valid)
    if source is None or (rule is None and hasattr(valid, "dask")):
        return None
    if rule is None:
        return lambda block: WindowReader(source, block, None, valid[block.window])
    return lambda block: WindowReader(source, block, rule.within(block.window), None)


def block_loader(image: xr.DataArray) -> Callable[[Block], tuple[np.ndarray, np.ndarray]]:
    """Return what loads blocks of an image, as `load_block` does; for many small ones."""
    reader_of = _window_readers(image)
    if reader_of is None:
        return partial(load_block, image)
    return lambda block: reader_of(block).read()


def load_block(image: xr.DataArray, block: Block) -> tuple[np.ndarray, np.ndarray]:
    """Return the values and the valid pixels of one block; a view where the image is in memory."""
    reader = window_reader(image, block)
    if reader is not None:
        return reader.read()
    values, valid = image.data[block.window], image.coords["valid"].data[block.window]
    if hasattr(values, "dask") or hasattr(valid, "dask"):
        from dask.base import compute

        values, valid = compute(values, valid, scheduler="synchronous")
    return np.asarray(values), np.asarray(valid)


def load_pixels(image: xr.DataArray, block: Block, y: np.ndarray, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return values (n, band) and valid flags (n,) of pixels of a block, given by rows and columns of the image."""
    reader = window_reader(image, block)
    if reader is not None:
        return reader.pick(y, x)
    values, flags = load_block(image, block)
    inside = y - block.rows.start, x - block.columns.start
    return values[inside], flags[inside]


def sample_positions(n_pixels: int, n_sample: int) -> np.ndarray:
    """Return flat pixel positions spread evenly over the image with a golden-ratio jitter; no generator, no layout."""
    if n_sample >= n_pixels:
        return np.arange(n_pixels)
    k = np.arange(n_sample, dtype=np.float64)
    places = k * _GOLDEN
    places -= np.floor(places)
    places += k  # ascending, because the jitter is less than a step
    places *= n_pixels / n_sample
    positions = places.astype(np.int64)
    np.minimum(positions, n_pixels - 1, out=positions)
    if n_pixels >= 2 * n_sample:
        return positions  # steps are never shorter than 0.6 of the mean
    new = np.ones(n_sample, bool)
    np.not_equal(positions[1:], positions[:-1], out=new[1:])
    return positions.compress(new)


def default_sample_size(n_pixels: int, n_bands: int = 1) -> int:
    """Return how many pixels an image is judged by: 5 %, at least 20,000, at most 50 million values, at most all."""
    most = max(SAMPLE_LEAST, SAMPLE_VALUES // n_bands)
    return min(n_pixels, most, max(SAMPLE_LEAST, int(SAMPLE_SHARE * n_pixels)))


def map_pixels(
    function: Callable[[np.ndarray, np.ndarray, np.ndarray], None],
    image: xr.DataArray,
    positions: np.ndarray,
    *,
    stage: str = "",
    threads: int | None = None,
    progress: Progress | None = None,
) -> None:
    """Call ``function(values (n, band), valid (n,), mine (n,))`` on the pixels of every block.

    ``mine`` says which of the flat `positions` they are.
    """
    rows, columns = np.divmod(positions, image.sizes["x"])
    blocks, inside = shared_out(blocks_of(image), rows, columns)

    def call(block: Block) -> None:
        mine = inside[block.rows.start, block.columns.start]
        function(*load_pixels(image, block, rows[mine], columns[mine]), mine)

    for_blocks(call, blocks, stage=stage, threads=threads, progress=progress)


def shared_out(
    blocks: list[Block], rows: np.ndarray, columns: np.ndarray
) -> tuple[list[Block], dict[tuple[int, int], np.ndarray]]:
    """Return the blocks that hold any of the pixels, and which pixels each holds by its first row and column."""
    row_stops = np.unique([block.rows.stop for block in blocks])
    column_stops = np.unique([block.columns.stop for block in blocks])
    holder = np.searchsorted(row_stops, rows, "right") * len(column_stops)
    holder += np.searchsorted(column_stops, columns, "right")
    order = np.argsort(holder, kind="stable")
    parts = np.split(order, np.searchsorted(holder[order], np.arange(1, len(blocks))))
    held = [(block, part) for block, part in zip(blocks, parts, strict=True) if len(part)]
    return [block for block, _ in held], {(b.rows.start, b.columns.start): part for b, part in held}
