"""Maps of the best few endmembers of each pixel, and which they were."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from .abundance_maps import OnBlock, SolvedBlocks, told_of_blocks
from .blocks import Block, Progress, map_blocks
from .errors import OptionError
from .nmf.bundles import subset_problem
from .prepare import Prepared
from .result import Endmembers


def solve_best_subsets(
    prepared: Prepared, found: Endmembers, progress: Progress | None = None, on_block: OnBlock | None = None
) -> SolvedBlocks:
    """Solve every valid pixel for the best subset of at most ``most_per_pixel`` endmembers.

    Returns
    -------
    SolvedBlocks
        As from `solve_blocks`, and the maps ``model`` (y, x) and ``model_members`` (model, endmember).
    """
    image, rule, options = prepared.image, prepared.rule, prepared.options
    if options.uncertainty:
        raise OptionError(
            "uncertainty= and most_per_pixel= cannot be combined: the best subset jumps between replicates."
        )
    constraint = options.constraint_for(image.attrs["quantity"])
    problem = subset_problem(
        found.spectra[:, rule.good], options.most_per_pixel, constraint, found.notes.get("materials")
    )
    shape, r = image.shape[:2], len(found.names)
    maps: dict[str, Any] = {
        "abundances": np.full((r, *shape), np.nan, np.float32),
        "residual": np.full(shape, np.nan, np.float32),
        "model": np.full(shape, -1, np.int32),
    }
    if constraint == "shade":
        maps["brightness"] = np.full(shape, np.nan, np.float32)
    tell = told_of_blocks(on_block, image, found, maps, constraint)

    def solve(values: np.ndarray, valid: np.ndarray, block: Block) -> tuple[float, float, int, int]:
        usable = valid.ravel()
        X = np.ascontiguousarray(rule(values)[usable])
        A, residual, model = problem.solve(X)
        empty = 0
        if constraint == "shade":
            total = A.sum(axis=1)
            empty = int((total == 0).sum())
            A /= np.where(total == 0, 1, total)[:, None]
            maps["brightness"][block.window][valid] = total
        for k in range(r):
            maps["abundances"][k][block.window][valid] = A[:, k]
        maps["residual"][block.window][valid] = residual
        maps["model"][block.window][valid] = model
        tell(block)
        squares = np.einsum("ij,ij->i", X, X).sum(dtype=np.float64)
        return float(np.nansum(residual**2) * X.shape[1]), float(squares), len(X), empty

    sums = np.array(map_blocks(solve, image, stage="abundances", threads=options.threads, progress=progress))
    misfit, squares, n_valid, empty = sums.sum(axis=0)
    facts: dict[str, Any] = {
        "relative_error": float(np.sqrt(misfit / squares)) if squares > 0 else 0.0,
        "n_valid": int(n_valid),
        "n_invalid": int(shape[0] * shape[1] - n_valid),
    }
    if constraint == "shade":
        facts["n_zero_brightness"] = int(empty)
    maps["model_members"] = np.array([[k in model for k in range(r)] for model in problem.models])
    return SolvedBlocks(maps, facts)


def with_models(result: xr.Dataset, solved: SolvedBlocks) -> xr.Dataset:
    """Return a result with the map of models, and what each of them consists of."""
    members = solved.maps["model_members"]
    names = [str(name) for name in result["endmember"].values]
    result["model"] = (("y", "x"), solved.maps["model"], {"long_name": "number of the best model, -1 invalid"})
    result["model_members"] = (("model_number", "endmember"), members, {"long_name": "endmembers of each model"})
    said = [" + ".join(name for name, inside in zip(names, row, strict=True) if inside) for row in members]
    result["model"].attrs["models"] = json.dumps(said, ensure_ascii=False) if len(said) <= 1000 else ""
    return result
