"""Abundance maps of given endmembers, block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from .blocks import Block, Progress, map_blocks
from .light.additive import Additive
from .nmf.abundances import abundance_problem
from .options import Options
from .result import Endmembers


@dataclass(frozen=True)
class SolvedBlocks:
    """Maps of the whole image, and facts counted while they were made."""

    maps: dict[str, np.ndarray]
    facts: dict[str, Any]


@dataclass(frozen=True)
class _Sums:
    """What one block adds to the facts."""

    squared_residual: float
    squared_values: float
    n_valid: int
    n_empty: int


def solve_blocks(
    image: xr.DataArray, rule: Additive, found: Endmembers, options: Options, progress: Progress | None = None
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
        ``constraint`` and ``threads`` matter here.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    SolvedBlocks
        ``abundances`` (r, y, x), ``residual`` (y, x) and, with ``shade``, ``brightness`` (y, x), float32.
    """
    shape = image.shape[:2]
    constraint = options.constraint_for(image.attrs["quantity"])
    problem = abundance_problem(found.spectra[:, rule.good], constraint, found.names)
    maps = {"abundances": np.empty((len(found.names), *shape), np.float32), "residual": np.empty(shape, np.float32)}
    if constraint == "shade":
        maps["brightness"] = np.empty(shape, np.float32)

    def solve(values: np.ndarray, valid: np.ndarray, block: Block) -> _Sums:
        X = np.ascontiguousarray(rule(values))
        A, residual, squares = problem.solve_with_residual(X, valid.ravel())
        n_empty = 0
        if constraint == "shade":
            total = A.sum(axis=1)
            n_empty = int((total == 0).sum())
            A /= np.where(total == 0, 1, total)[:, None]
            maps["brightness"][block.window] = total.reshape(block.shape)
        maps["abundances"][(slice(None), *block.window)] = A.T.reshape(-1, *block.shape)
        maps["residual"][block.window] = residual.reshape(block.shape)
        misfit = np.nansum(np.square(residual, dtype=np.float64)) * X.shape[1]
        n_valid = int((~np.isnan(residual)).sum())
        return _Sums(float(misfit), float(squares.sum(dtype=np.float64)), n_valid, n_empty)

    sums = map_blocks(solve, image, stage="abundances", threads=options.threads, progress=progress)
    total = sum(s.squared_values for s in sums)
    facts = {
        "relative_error": float(np.sqrt(sum(s.squared_residual for s in sums) / total)) if total > 0 else 0.0,
        "n_valid": sum(s.n_valid for s in sums),
        "n_invalid": int(np.prod(shape)) - sum(s.n_valid for s in sums),
    }
    if constraint == "shade":
        facts["n_zero_brightness"] = sum(s.n_empty for s in sums)
    return SolvedBlocks(maps, facts)
