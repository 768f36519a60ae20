"""The maps of a whole slide: its tissue is decoded and solved once for the sums, and again where maps are read."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import pairwise

import numpy as np
import xarray as xr

from ..abundance_maps import OnBlock, SolvedBlocks, Sums, facts_of, solve_blocks, summed, told_of_blocks
from ..blocks import Block, Progress, block_loader, for_blocks
from ..light.additive import Additive
from ..light.tables import NO_PIXELS, ClearCells, LightTables, light_tables
from ..nmf.abundances import abundance_problem
from ..options import Options
from ..readers.open_file import files_kept_open
from ..readers.pyramid import Pyramid, pyramid_of
from ..result import Endmembers
from ..stores import LARGEST_NUMBER, PER_UNIT
from ..stores.overview import Overview
from ..stores.slide_maps import SlideMaps, shifted
from ..writers.slide_plan import keep_ready, planned_pyramid
from ..writers.slide_pyramid import PER_CONCENTRATION, TilePyramid
from .glass import Glass
from .judging import Decoded, Judged, solved_at_once

_BLOCK = 1024
_WALKED = 2048
_STRIP_VALUES = 1 << 15

Load = Callable[[Block], tuple[np.ndarray, np.ndarray]]


@dataclass(frozen=True, eq=False)
class _Tissue:
    """Where a slide is decoded: the tiles of its file, or small groups of them, that hold tissue."""

    image: xr.DataArray
    glass: Glass
    grain: tuple[int, int]
    origin: tuple[int, int]

    def tiles(self, block: Block) -> list[tuple[Block, ClearCells]]:
        """Return the parts of a block that are decoded one after the other, and what of each is glass."""
        clear = self.glass.cells_of(block)
        tiles = []
        for rows, down in self._spans(0, block.rows):
            for columns, across in self._spans(1, block.columns):
                part = clear.part(shifted(rows, -block.rows.start), shifted(columns, -block.columns.start))
                if not (part.all_clear or self.glass.is_bare(Block(down, across))):
                    tiles.append((Block(rows, columns), part))
        return tiles

    def _spans(self, axis: int, span: slice) -> list[tuple[slice, slice]]:
        """Cut rows (axis 0) or columns (axis 1) where tiles of the file begin; also return the whole of those tiles."""
        step, size = solved_at_once(self.grain)[axis], self.image.shape[axis]
        first = span.start - (span.start + self.origin[axis]) % step
        starts = range(first, span.stop, step)
        return [
            (slice(max(a, span.start), min(a + step, span.stop)), slice(max(a, 0), min(a + step, size))) for a in starts
        ]


@dataclass(frozen=True, eq=False)
class _Solver:
    """Solves any window of a slide: only what holds tissue is decoded, glass is zero."""

    tissue: _Tissue
    tables: LightTables

    def __call__(self, rows: slice, columns: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield the maps of the tissue in a window, a few rows at a time, while they are in the processor's cache."""
        load = block_loader(self.tissue.image)
        for tile, clear in self.tissue.tiles(Block(rows, columns)):
            values, valid = load(tile)
            height, width = tile.shape
            n_rows = min(height, max(1, _STRIP_VALUES // width))
            for first in range(0, height, n_rows):
                strip = slice(first, min(first + n_rows, height))
                maps = np.empty((len(self.tables.E) + 1, strip.stop - first, width), np.float32)
                self.tables.solve(values[strip], valid[strip], clear.part(strip, slice(0, width)), maps)
                yield shifted(strip, tile.rows.start), tile.columns, maps


@dataclass(frozen=True, eq=False)
class _Summer:
    """Solves every block once, adds it to the small picture, and keeps of it only the tiles that will be written."""

    tissue: _Tissue
    load: Load
    tables: LightTables
    overview: Overview
    tell: Callable[[Block], None]

    def block(self, block: Block) -> Sums:
        """Solve a block of which nothing is written."""
        sums, _ = self._added(block, NO_PIXELS)
        self.tell(block)
        return sums

    def field(self, pyramid: TilePyramid, field: Block, blocks: list[Block]) -> Sums:
        """Solve the blocks with tissue of a field of tiles, and put its tiles."""
        pixels = np.zeros((len(self.tables.E), *field.shape), np.uint8) if blocks else None
        sums, n_beyond = [], 0
        for block in blocks:
            assert pixels is not None
            rows, columns = shifted(block.rows, -field.rows.start), shifted(block.columns, -field.columns.start)
            one, n = self._added(block, pixels[:, rows, columns])
            sums.append(one)
            n_beyond += n
        pyramid.put_field(field.window, pixels, n_beyond)
        self.tell(field)
        return summed(sums, _pixels([field]) - _pixels(blocks))

    def _added(self, block: Block, pixels: np.ndarray) -> tuple[Sums, int]:
        """Solve the tissue of a block and add it up; also return how many of its `pixels` were larger than 255."""
        tiles = self.tissue.tiles(block)
        sums, n_beyond = [], 0
        with files_kept_open():
            for tile, clear in tiles:
                rows, columns = shifted(tile.rows, -block.rows.start), shifted(tile.columns, -block.columns.start)
                one, n = self._tile(tile, clear, pixels[:, rows, columns])
                sums.append(one)
                n_beyond += n
        return summed(sums, _pixels([block]) - _pixels([tile for tile, _ in tiles])), n_beyond

    def _tile(self, tile: Block, clear: ClearCells, pixels: np.ndarray) -> tuple[Sums, int]:
        """Add up one tile; what was decoded is let go of before the next is, which then comes to lie there.

        That place is still in the processor's cache, and decoding into it takes a fifth less time.
        """
        values, valid = self.load(tile)
        part = self.overview.part(*tile.window)
        misfit, squares, n_solved, n_clear, n_beyond = self.tables.add_to(
            (part.totals, part.n_invalid, part.largest), values, valid, clear,
            place=part.place, per_unit=PER_UNIT, most=LARGEST_NUMBER, pixels=pixels, pixels_per_unit=PER_CONCENTRATION,
        )  # fmt: skip
        self.overview.add(part, *tile.window)
        return Sums(misfit, squares, n_solved, 0, n_clear), n_beyond


def map_slide(
    image: xr.DataArray,
    rule: Additive,
    found: Endmembers,
    options: Options,
    progress: Progress | None = None,
    *,
    judged: Judged,
    out: str | os.PathLike[str] | None = None,
    on_block: OnBlock | None = None,
) -> SolvedBlocks:
    """Solve every pixel of a whole slide for its concentrations; glass is zero.

    Parameters
    ----------
    image : DataArray
        A slide, as it was read from a file with smaller levels.
    rule : Additive
        How its values become additive.
    found : Endmembers
        The stains.
    options : Options
        ``constraint`` and ``threads`` matter here.
    progress : callable, optional
        Called as ``progress("abundances", done, total)``.
    judged : Judged
        What it was judged on: where it shows nothing, and tiles that are decoded already.
    out : path, optional
        Where the result will be written; maps that are not solved from tables are kept on that disk until then.
    on_block : callable, optional
        Told of every window that is finished; see `OnBlock`.

    Returns
    -------
    SolvedBlocks
        ``abundances`` (r, y, x) and ``residual`` (y, x), float32 and lazy. Two or three stains in 8-bit light are
        summed now and solved again from the slide wherever their maps are read; anything else is solved and kept as
        other images are.
    """
    quantity = image.attrs["quantity"]
    constraint, glass = options.constraint_for(quantity), judged.glass
    problem = abundance_problem(found.spectra[:, rule.good], constraint, found.names)
    tables, pyramid = light_tables(rule, problem, image.dtype), pyramid_of(image)
    if tables is None or pyramid is None:
        return solve_blocks(image, rule, found, options, progress, out=out, glass=glass, on_block=on_block)
    height, width = image.shape[:2]
    edges = slide_grid((height, width), pyramid)
    blocks = _blocks(*slide_grid((height, width), pyramid, _WALKED))
    seen = _with_tissue(blocks, glass)
    tissue = _Tissue(image, glass, pyramid.grain, pyramid.origin)
    overview = Overview((len(found.names) + 1, height, width))
    slide = SlideMaps(edges, _Solver(tissue, tables), overview)
    maps = {"abundances": slide.lazy(slice(0, len(found.names))), "residual": slide.lazy(len(found.names))}
    load, tell = _loader(image, judged.decoded), told_of_blocks(on_block, image, found, maps, constraint)
    summer = _Summer(tissue, load, tables, overview, tell)
    walk = partial(for_blocks, stage="abundances", threads=options.threads, progress=progress)
    planned = planned_pyramid((len(found.names), height, width))
    if planned is None:
        total = summed(walk(summer.block, seen), height * width - _pixels(seen))
    else:
        fields = [Block(*window) for window in planned.fields()]
        total = summed(walk(lambda field: summer.field(planned, field, _within(field, edges, glass)), fields), 0)
        planned.finish()
        keep_ready(slide, planned)
    counts = {
        "n_background": total.n_glass, "n_blocks": len(blocks), "n_blocks_skipped": len(blocks) - len(seen),
    }  # fmt: skip
    return SolvedBlocks(maps, facts_of(total, image, divided=False) | counts)


def _loader(image: xr.DataArray, decoded: Decoded) -> Load:
    """Return what loads tiles of a slide, as `load_block` does, but for those that are decoded already."""
    load = block_loader(image)

    def loaded(tile: Block) -> tuple[np.ndarray, np.ndarray]:
        kept = decoded.get((tile.rows.start, tile.columns.start))
        return kept if kept is not None and kept[0].shape[:2] == tile.shape else load(tile)

    return loaded


def _within(field: Block, edges: tuple[np.ndarray, np.ndarray], glass: Glass) -> list[Block]:
    """Return the parts in a field of the blocks that have tissue there."""
    inside = (
        np.array([span.start, *one[(one > span.start) & (one < span.stop)], span.stop])
        for one, span in zip(edges, field.window, strict=True)
    )
    return _with_tissue(_blocks(*inside), glass)


def _with_tissue(blocks: list[Block], glass: Glass) -> list[Block]:
    return [block for block in blocks if not glass.covers(block)]


def _blocks(rows: np.ndarray, columns: np.ndarray) -> list[Block]:
    """Return the blocks between edges."""
    return [Block(down, across) for down in _spans(rows) for across in _spans(columns)]


def _spans(edges: np.ndarray) -> list[slice]:
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _pixels(blocks: list[Block]) -> int:
    return sum(block.shape[0] * block.shape[1] for block in blocks)


def slide_grid(shape: tuple[int, int], pyramid: Pyramid, side: int = _BLOCK) -> tuple[np.ndarray, np.ndarray]:
    """Return where blocks of about `side` x `side` pixels begin, and the last ends; no tile is decoded twice."""
    columns = pyramid.grain[1] * max(1, side // pyramid.grain[1])
    rows = pyramid.grain[0] * max(1, side * side // min(columns, shape[1]) // pyramid.grain[0])
    edges = []
    for size, step, origin in zip(shape, (rows, columns), pyramid.origin, strict=True):
        inner = np.arange(step - origin % step, size, step)
        edges.append(np.concatenate([[0], inner, [size]]).astype(np.int64))
    return edges[0], edges[1]
