"""What a result says about the stains of its slide, small enough to keep, share and scale other slides to."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from ..errors import DataError, OptionError
from ..materials.stain_sets import StainSet, measured_stain_set
from ..result import check_result
from .stain_gates import LEAST_DENSITY

PERCENTILE = 99.0
STAINED = ("brightfield", "optical_density")

_MOST_PIXELS = 1_000_000


def stain_set_of(result: xr.Dataset, name: str) -> StainSet:
    """Return the stains of a result as a stain set: vectors, white point and 99th percentiles of the concentrations.

    Parameters
    ----------
    result : Dataset
        As from `unmix.separate_stains`, in three channels.
    name : str
        What the set is to be called.

    Returns
    -------
    StainSet
        Without concentrations where fewer than 100 pixels are stained.

    Raises
    ------
    DataError, OptionError
        The Dataset is not a result of stains, or not of three channels.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> from unmix.fits.stain_summary import stain_set_of
    >>> rgb = np.full((20, 20, 3), (130, 70, 140), "uint8")
    >>> M = [[0.6, 0.7, 0.3], [0.1, 0.9, 0.4]]
    >>> result = unmix.separate_stains(rgb, stain_matrix=M, white_point=(240, 240, 240))
    >>> stain_set_of(result, "tile").white_point
    (240.0, 240.0, 240.0)
    """
    check_stained(result)
    vectors = result["endmembers"].transpose("endmember", "band").values
    if vectors.shape[1] != 3:
        raise OptionError(f"a stain set is of 3 channels; this result has {vectors.shape[1]}.")
    strongest = concentration_percentiles(result)
    return measured_stain_set(
        name,
        {str(stain): vector for stain, vector in zip(result["endmember"].values, vectors, strict=True)},
        white_point=white_point_of(result),
        concentrations=None if strongest is None or not (strongest > 0).all() else strongest,
        source=f"unmix, fitted on {result.attrs.get('name', 'one image')}",
    )


def check_stained(result: xr.Dataset) -> None:
    """Raise `DataError` where a Dataset is not a result of stains."""
    check_result(result)
    if result.attrs.get("quantity") not in STAINED:
        raise DataError(
            f"this result is of {result.attrs.get('quantity', 'unknown values')}, not of stains. Use separate_stains()."
        )


def white_point_of(result: xr.Dataset) -> np.ndarray | None:
    """Return the white point (n_bands,) a result was made with, None for recorded optical density."""
    return _number_list(fit_notes(result).get("white_point"))


def fit_notes(result: xr.Dataset) -> dict[str, Any]:
    """Return what the fit noted in a result's provenance; empty where it cannot be read."""
    try:
        told = json.loads(result.attrs["provenance"])
    except (KeyError, TypeError, ValueError):
        return {}
    notes = told.get("fit") if isinstance(told, dict) else None
    return notes if isinstance(notes, dict) else {}


def concentration_percentiles(result: xr.Dataset) -> np.ndarray | None:
    """Return the 99th percentile of each stain's concentration over stained pixels; None under 100 of them."""
    maps = result["abundances"].transpose("endmember", "y", "x").data
    step = max(1, int(np.sqrt(maps.shape[1] * maps.shape[2] / _MOST_PIXELS)))
    values = np.asarray(maps[:, ::step, ::step]).reshape(maps.shape[0], -1)
    stained = values[:, stained_pixels(values, result["endmembers"].values)]
    return np.percentile(stained, PERCENTILE, axis=1) if stained.shape[1] >= 100 else None


def stained_pixels(concentrations: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """Return which pixels (r, ...) hold stain of more density than background has: norm of C M above 0.2."""
    M = np.nan_to_num(matrix)
    G = M @ M.T
    squared = np.zeros(concentrations.shape[1:], np.float32)
    for i in range(len(G)):
        for j in range(len(G)):
            squared += np.float32(G[i, j]) * concentrations[i] * concentrations[j]
    with np.errstate(invalid="ignore"):
        return squared > LEAST_DENSITY**2


def _number_list(values: Any) -> np.ndarray | None:
    if not isinstance(values, list) or not all(isinstance(value, (int, float)) for value in values):
        return None
    return np.array(values, np.float64)
