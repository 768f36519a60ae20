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
from ..blocks import Block, Progress, for_blocks, load_block
from ..light.additive import Additive
from ..light.tables import NO_PIXELS, ClearCells, LightTables, light_tables
from ..nmf.abundances import abundance_problem
from ..options import Options
from ..readers.pyramid import Pyramid, pyramid_of
from ..result import Endmembers
from ..stores import LARGEST_NUMBER, PER_UNIT
from ..stores.overview import Overview
from ..stores.slide_maps import SlideMaps, shifted
from ..writers.slide_plan import keep_ready, planned_pyramid
from ..writers.slide_pyramid import PER_CONCENTRATION, TilePyramid
from .glass import Glass

_BLOCK = 1024
_STRIP_VALUES = 1 << 15


@dataclass(frozen=True, eq=False)
class _Solver:
    """Solves any window of a slide: only what holds tissue is decoded, glass is zero."""

    image: xr.DataArray
    tables: LightTables
    glass: Glass
    grain: tuple[int, int]

    def __call__(self, rows: slice, columns: slice) -> Iterator[tuple[slice, slice, np.ndarray]]:
        """Yield the maps of the tissue in a window, a few rows at a time, while they are in the processor's cache."""
        block = self.glass.around_tissue(Block(rows, columns), self.grain)
        if block is None:
            return
        values, valid = load_block(self.image, block)
        clear, (height, width) = self.glass.cells_of(block), block.shape
        n_rows = min(height, max(1, _STRIP_VALUES // width))
        buffer = np.empty((len(self.tables.E) + 1, n_rows, width), np.float32)
        for first in range(0, height, n_rows):
            strip = slice(first, min(first + n_rows, height))
            maps = buffer if strip.stop - first == n_rows else np.empty((len(buffer), strip.stop - first, width), "f4")
            cells = ClearCells(clear.cells, clear.down[strip], clear.across)
            self.tables.solve(values[strip], valid[strip], cells, maps)
            yield slice(block.rows.start + first, block.rows.start + strip.stop), block.columns, maps


@dataclass(frozen=True, eq=False)
class _Summer:
    """Solves every block once, adds it to the small picture, and keeps of it only the tiles that will be written."""

    image: xr.DataArray
    tables: LightTables
    glass: Glass
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
        return summed(sums, field.shape[0] * field.shape[1] - _pixels(blocks))

    def _added(self, block: Block, pixels: np.ndarray) -> tuple[Sums, int]:
        values, valid = load_block(self.image, block)
        part = self.overview.part(*block.window)
        misfit, squares, n_solved, n_clear, n_beyond = self.tables.add_to(
            (part.totals, part.n_invalid, part.largest), values, valid, self.glass.cells_of(block),
            place=part.place, per_unit=PER_UNIT, most=LARGEST_NUMBER, pixels=pixels, pixels_per_unit=PER_CONCENTRATION,
        )  # fmt: skip
        self.overview.add(part, *block.window)
        return Sums(misfit, squares, n_solved, 0, n_clear), n_beyond


def map_slide(
    image: xr.DataArray,
    rule: Additive,
    found: Endmembers,
    options: Options,
    progress: Progress | None = None,
    *,
    glass: Glass,
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
    glass : Glass
        Where it shows nothing.
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
    constraint = options.constraint_for(quantity)
    problem = abundance_problem(found.spectra[:, rule.good], constraint, found.names)
    tables, pyramid = light_tables(rule, problem, image.dtype), pyramid_of(image)
    if tables is None or pyramid is None:
        return solve_blocks(image, rule, found, options, progress, out=out, glass=glass, on_block=on_block)
    height, width = image.shape[:2]
    edges = slide_grid((height, width), pyramid)
    blocks = _blocks(*edges)
    solver = _Solver(image, tables, glass, pyramid.grain)
    tissue = _with_tissue(blocks, solver)
    overview = Overview((len(found.names) + 1, height, width))
    slide = SlideMaps(edges, solver, overview)
    maps = {"abundances": slide.lazy(slice(0, len(found.names))), "residual": slide.lazy(len(found.names))}
    summer = _Summer(image, tables, glass, overview, told_of_blocks(on_block, image, found, maps, constraint))
    walk = partial(for_blocks, stage="abundances", threads=options.threads, progress=progress)
    planned = planned_pyramid((len(found.names), height, width))
    if planned is None:
        total = summed(walk(summer.block, tissue), height * width - _pixels(tissue))
    else:
        fields = [Block(*window) for window in planned.fields()]
        total = summed(walk(lambda field: summer.field(planned, field, _tissue_in(field, edges, solver)), fields), 0)
        planned.finish()
        keep_ready(slide, planned)
    counts = {
        "n_background": total.n_glass, "n_blocks": len(blocks), "n_blocks_skipped": len(blocks) - len(tissue),
    }  # fmt: skip
    return SolvedBlocks(maps, facts_of(total, image, divided=False) | counts)


def _tissue_in(field: Block, edges: tuple[np.ndarray, np.ndarray], solver: _Solver) -> list[Block]:
    """Return the parts with tissue of the blocks in a field."""
    inside = (
        np.array([span.start, *one[(one > span.start) & (one < span.stop)], span.stop])
        for one, span in zip(edges, field.window, strict=True)
    )
    return _with_tissue(_blocks(*inside), solver)


def _with_tissue(blocks: list[Block], solver: _Solver) -> list[Block]:
    """Return the part of every block that holds its tissue, of those that have any."""
    return [part for block in blocks if (part := solver.glass.around_tissue(block, solver.grain)) is not None]


def _blocks(rows: np.ndarray, columns: np.ndarray) -> list[Block]:
    """Return the blocks between edges."""
    return [Block(down, across) for down in _spans(rows) for across in _spans(columns)]


def _spans(edges: np.ndarray) -> list[slice]:
    return [slice(int(a), int(b)) for a, b in pairwise(edges)]


def _pixels(blocks: list[Block]) -> int:
    return sum(block.shape[0] * block.shape[1] for block in blocks)


def slide_grid(shape: tuple[int, int], pyramid: Pyramid) -> tuple[np.ndarray, np.ndarray]:
    """Return where blocks of about a million pixels begin, and the last ends, so that no tile is decoded twice."""
    columns = pyramid.grain[1] * max(1, _BLOCK // pyramid.grain[1])
    rows = pyramid.grain[0] * max(1, _BLOCK * _BLOCK // min(columns, shape[1]) // pyramid.grain[0])
    edges = []
    for size, step, origin in zip(shape, (rows, columns), pyramid.origin, strict=True):
        inner = np.arange(step - origin % step, size, step)
        edges.append(np.concatenate([[0], inner, [size]]).astype(np.int64))
    return edges[0], edges[1]
