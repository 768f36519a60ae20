"""The maps of a whole slide: blocks along its tiles, only what holds tissue decoded, kept as 16-bit codes."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import xarray as xr

from ..abundance_maps import OnBlock, SolvedBlocks, Sums, facts_of, say_scratch, solve_blocks, summed, told_of_blocks
from ..blocks import Block, Progress, map_blocks
from ..light.additive import Additive
from ..light.tables import ClearCells, LightTables, light_tables
from ..nmf.abundances import abundance_problem
from ..options import Options
from ..readers.pyramid import Pyramid, pyramid_of
from ..result import Endmembers
from ..scratch import memory_budget, scratch_folder
from ..stores.slide_maps import SlideMaps
from .glass import Glass

_BLOCK = 1024


@dataclass(frozen=True)
class _Mapper:
    """What every block of a slide is solved by, and where its maps go."""

    tables: LightTables
    glass: Glass
    store: SlideMaps
    tell: Callable[[Block], None]

    def __call__(self, values: np.ndarray, valid: np.ndarray, block: Block) -> Sums:
        clear, sums = self.glass.cells_of(block), []

        def solve(rows: slice, maps: np.ndarray) -> None:
            cells = ClearCells(clear.cells, clear.down[rows], clear.across)
            misfit, squares, n_solved, n_clear = self.tables.solve(values[rows], valid[rows], cells, maps)
            sums.append(Sums(misfit, squares, n_solved, 0, n_clear))

        self.store.put(block.rows, block.columns, solve)
        self.tell(block)
        return summed(sums, 0)


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
        Where the result will be written: the maps are kept on that disk until then.
    on_block : callable, optional
        Told of every window that is finished; see `OnBlock`.

    Returns
    -------
    SolvedBlocks
        ``abundances`` (r, y, x) and ``residual`` (y, x), float32 and lazy. Two or three stains in 8-bit light are
        exact to 0.0005; anything else is solved as other images are.
    """
    quantity = image.attrs["quantity"]
    constraint = options.constraint_for(quantity)
    problem = abundance_problem(found.spectra[:, rule.good], constraint, found.names)
    tables, pyramid = light_tables(rule, problem, image.dtype), pyramid_of(image)
    if tables is None or pyramid is None:
        return solve_blocks(image, rule, found, options, progress, out=out, glass=glass, on_block=on_block)
    height, width = image.shape[:2]
    edges = slide_grid((height, width), pyramid)
    blocks = [Block(rows, columns) for rows in _spans(edges[0]) for columns in _spans(edges[1])]
    tissue = [part for block in blocks if (part := glass.around_tissue(block, pyramid.grain)) is not None]
    store = _store((len(found.names) + 1, height, width), edges, tissue, options, out)
    maps = {"abundances": store.lazy(slice(0, len(found.names))), "residual": store.lazy(len(found.names))}
    mapper = _Mapper(tables, glass, store, told_of_blocks(on_block, image, found, maps, constraint))
    sums = map_blocks(mapper, image, blocks=tissue, stage="abundances", threads=options.threads, progress=progress)
    total = summed(sums, height * width - _pixels(tissue))
    counts = {
        "n_background": total.n_glass, "n_blocks": len(blocks), "n_blocks_skipped": len(blocks) - len(tissue),
    }  # fmt: skip
    return SolvedBlocks(maps, facts_of(total, image, divided=False) | counts)


def _store(
    shape: tuple[int, int, int],
    edges: tuple[np.ndarray, np.ndarray],
    tissue: list[Block],
    options: Options,
    out: str | os.PathLike[str] | None,
) -> SlideMaps:
    """Return where the maps go: on the disk of the output, else in the folder for temporary files."""
    filled = _pixels(tissue) / (shape[1] * shape[2])
    needed, budget = int(2 * shape[0] * _pixels(tissue)), memory_budget(options.memory)
    if out is None and needed > budget:
        say_scratch(needed, budget, scratch_folder())
    return SlideMaps(shape, edges, scratch_folder(out), filled=filled)


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
