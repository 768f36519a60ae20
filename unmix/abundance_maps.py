"""Abundance maps of given endmembers, block by block, into memory or a store."""

from __future__ import annotations

import os
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .blocks import Block, Progress, blocks_of, blocks_within, smaller_blocks
from .errors import OptionError, warn
from .light.additive import Additive
from .light.tables import NOTHING_CLEAR, LightTables, light_tables
from .nmf.abundances import AbundanceProblem, abundance_problem
from .nmf.poisson_abundances import PoissonProblem, poisson_problem
from .options import Options
from .result import Endmembers, make_endmember_set, make_result
from .scratch import MapStore, memory_budget, scratch_beside, scratch_folder
from .slides.glass import Glass
from .spread import spread_blocks

OnBlock = Callable[[xr.Dataset, slice, slice], None]
"""Called as ``on_block(result, rows, columns)`` when a window of the maps is finished, by the thread that solved it;
once before, with an empty window, when the endmembers are known. The maps of `result` are those that will be returned,
zero or NaN where nothing is solved yet; what is counted over all of them it has not."""

_STRIP_BYTES = 4_000_000
_SLIDE_BLOCK = 1024


@dataclass(frozen=True)
class SolvedBlocks:
    """Maps of the whole image, in memory or lazy, and facts counted while they were made."""

    maps: dict[str, Any]
    facts: dict[str, Any]


@dataclass(frozen=True)
class Sums:
    """What one block adds to the facts: sums of squares, and how many pixels were solved, empty and glass."""

    squared_residual: float
    squared_values: float
    n_valid: int
    n_empty: int
    n_glass: int = 0


@dataclass(frozen=True)
class _Solver:
    """What every block is solved by."""

    rule: Additive
    problem: AbundanceProblem | PoissonProblem
    divided: bool
    n_maps: int
    glass: Glass | None
    tables: LightTables | None

    def solve(self, values: np.ndarray, valid: np.ndarray, block: Block) -> tuple[np.ndarray, Sums]:
        """Return the maps (map, h, w) of one block, and what it adds to the facts."""
        flat = np.empty((self.n_maps, block.shape[0] * block.shape[1]), np.float32)
        maps = flat.reshape(self.n_maps, *block.shape)
        if self.tables is not None:
            cells = NOTHING_CLEAR if self.glass is None else self.glass.cells_of(block)
            misfit, squares, n_solved, n_glass = self.tables.solve(values, valid, cells, maps)
            return maps, Sums(misfit, squares, n_solved, 0, n_glass)
        clear = None if self.glass is None else self.glass.of(block)
        sums = []
        for rows in _strips(values.shape):
            tissue = valid[rows] if clear is None else valid[rows] & ~clear[rows]
            pixels = slice(rows.start * block.shape[1], rows.stop * block.shape[1])
            sums.append(self._strip(values[rows], tissue, flat[:, pixels]))
        n_glass = 0
        if clear is not None:
            clear = clear & valid
            n_glass = int(clear.sum())
            maps[:, clear] = 0.0
        return maps, summed(sums, n_glass)

    def _strip(self, values: np.ndarray, valid: np.ndarray, maps: np.ndarray) -> Sums:
        """Solve a few rows into their place in the maps."""
        X = np.ascontiguousarray(self.rule(values))
        return Sums(*self.problem.fill_maps(X, np.ascontiguousarray(valid).ravel(), self.divided, maps))


@dataclass(frozen=True)
class _Work:
    """What a solver is made from; small, so that every task can carry it, and made into one once a process."""

    token: str
    rule: Additive
    spectra: np.ndarray
    constraint: str
    noise: str
    names: tuple[str, ...]
    glass: Glass | None
    dtype: np.dtype

    def __call__(self, values: np.ndarray, valid: np.ndarray, block: Block) -> tuple[np.ndarray, Sums]:
        return _solver_of(self).solve(values, valid, block)


_SOLVERS: OrderedDict[str, _Solver] = OrderedDict()
_KEPT = 4


def _solver_of(work: _Work) -> _Solver:
    solver = _SOLVERS.get(work.token)
    if solver is None:
        problem = _problem(work)
        divided = work.constraint == "shade"
        tables = None if isinstance(problem, PoissonProblem) else light_tables(work.rule, problem, work.dtype)
        solver = _Solver(work.rule, problem, divided, len(work.names) + 1 + divided, work.glass, tables)
        _SOLVERS[work.token] = solver
        while len(_SOLVERS) > _KEPT:
            _SOLVERS.popitem(last=False)
    return solver


def _problem(work: _Work) -> AbundanceProblem | PoissonProblem:
    """Return what every pixel is solved by: least squares, or the likelihood of photon counts."""
    if work.noise == "poisson":
        return poisson_problem(work.spectra, work.names)
    return abundance_problem(work.spectra, work.constraint, work.names)


def _check_noise(noise: str, quantity: str, constraint: str) -> None:
    if noise == "poisson" and (quantity != "counts" or constraint != "non_negative"):
        raise OptionError(
            f"noise='poisson' is for counts and non_negative abundances; these are {quantity} and {constraint}. "
            "Leave noise= out, or say quantity='counts'."
        )


def solve_blocks(
    image: xr.DataArray,
    rule: Additive,
    found: Endmembers,
    options: Options,
    progress: Progress | None = None,
    *,
    out: str | os.PathLike[str] | None = None,
    glass: Glass | None = None,
    on_block: OnBlock | None = None,
) -> SolvedBlocks:
    """Solve every valid pixel for its abundances.

    Parameters
    ----------
    image : DataArray
        An image.
    rule : Additive
        How its values become additive.
    found : Endmembers
        The endmembers.
    options : Options
        ``constraint``, ``threads`` and ``memory`` matter here.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.
    out : path, optional
        Where the result will be written: the maps are then kept in a store on that disk. Without it they are in memory
        within the budget, and beyond it in a store in the folder for temporary files.
    glass : Glass, optional
        Pixels of a slide that show nothing; their maps are zero.
    on_block : callable, optional
        Told of every window that is finished; see `OnBlock`.

    Returns
    -------
    SolvedBlocks
        ``abundances`` (r, y, x), ``residual`` (y, x) and, with ``shade``, ``brightness`` (y, x), float32; lazy where
        they are kept in a store.
    """
    constraint = options.constraint_for(image.attrs["quantity"])
    _check_noise(options.noise, image.attrs["quantity"], constraint)
    work = _Work(
        secrets.token_hex(8),
        rule,
        found.spectra[:, rule.good],
        constraint,
        options.noise,
        found.names,
        glass,
        image.dtype,
    )
    r, divided = len(found.names), constraint == "shade"
    room = _room((_solver_of(work).n_maps, image.sizes["y"], image.sizes["x"]), options, out, glass)
    maps = room.lazy() if isinstance(room, MapStore) else room
    named = {"abundances": maps[:r], "residual": maps[r], **({"brightness": maps[r + 1]} if divided else {})}
    tell = told_of_blocks(on_block, image, found, named, constraint)

    def keep(solved: np.ndarray, block: Block) -> None:
        room[(slice(None), *block.window)] = solved
        tell(block)

    if glass is None:
        blocks = blocks_within(blocks_of(image), image, memory_budget(options.memory), options.threads)
    else:
        blocks = smaller_blocks(blocks_of(image), _SLIDE_BLOCK)
    seen = blocks if glass is None else [block for block in blocks if not glass.covers(block)]
    with nullcontext() if out is None else scratch_beside(out):
        sums = spread_blocks(work, keep, image, seen, stage="abundances", threads=options.threads, progress=progress)
    n_skipped = image.sizes["y"] * image.sizes["x"] - sum(block.shape[0] * block.shape[1] for block in seen)
    total = summed(sums, n_skipped)
    facts = facts_of(total, image, divided)
    if glass is not None:
        facts |= {"n_background": total.n_glass, "n_blocks": len(blocks), "n_blocks_skipped": len(blocks) - len(seen)}
    return SolvedBlocks(named, facts)


def told_of_blocks(
    on_block: OnBlock | None, image: xr.DataArray, found: Endmembers, maps: Mapping[str, Any], constraint: str
) -> Callable[[Block], None]:
    """Tell `on_block` that the endmembers are known, and return what tells it of each finished block."""
    if on_block is None:
        return lambda block: None
    attrs = {"quantity": image.attrs["quantity"], "constraint": constraint}
    growing = make_result(image, make_endmember_set(image, found), maps, attrs, {})
    on_block(growing, slice(0, 0), slice(0, 0))
    return lambda block: on_block(growing, *block.window)


def _room(
    shape: tuple[int, int, int], options: Options, out: str | os.PathLike[str] | None, glass: Glass | None
) -> np.ndarray | MapStore:
    """Return where the maps go; zero where nothing will be written."""
    needed, budget = 4 * shape[0] * shape[1] * shape[2], memory_budget(options.memory)
    if out is None and needed <= budget:
        return np.zeros(shape, np.float32)
    folder = scratch_folder(out)
    if out is None:
        say_scratch(needed, budget, folder)
    return MapStore(shape, folder, filled=1.0 if glass is None else 1.0 - glass.share)


def say_scratch(needed: int, budget: int, folder: Path) -> None:
    """Warn that maps beyond the memory budget are kept on disk."""
    warn(
        f"the maps need {needed / 1e9:.2g} GB, the memory budget is {budget / 1e9:.2g} GB: they are kept in a "
        f"scratch file in {folder} until the result is let go. Give out= to choose the disk, or a larger memory=."
    )


def _strips(shape: tuple[int, ...]) -> Iterator[slice]:
    """Yield spans of rows whose additive values take about 4 MB: what a block needs in passing is small."""
    height, width, n_bands = shape
    rows = max(1, _STRIP_BYTES // (4 * width * n_bands))
    for top in range(0, height, rows):
        yield slice(top, min(top + rows, height))


def summed(sums: list[Sums], n_glass: int) -> Sums:
    """Add up what blocks or strips counted, in their order."""
    return Sums(
        sum(s.squared_residual for s in sums),
        sum(s.squared_values for s in sums),
        sum(s.n_valid for s in sums),
        sum(s.n_empty for s in sums),
        n_glass + sum(s.n_glass for s in sums),
    )


def facts_of(sums: Sums, image: xr.DataArray, divided: bool) -> dict[str, Any]:
    """Return the flat facts of a result that are counted while it is solved."""
    total, n_pixels = sums.squared_values, image.sizes["y"] * image.sizes["x"]
    n_valid = sums.n_valid + sums.n_glass
    facts: dict[str, Any] = {
        "relative_error": float(np.sqrt(sums.squared_residual / total)) if total > 0 else 0.0,
        "n_valid": n_valid,
        "n_invalid": n_pixels - n_valid,
    }
    if divided:
        facts["n_zero_brightness"] = sums.n_empty
    return facts
