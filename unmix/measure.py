"""Figures a pathologist compares: mean density, positive fraction and H-score of each region, as a plain table.

Optical density is in log10 here, as QuPath reports it, and every column that holds it says so. A stain's density is
its concentration for a unit-norm vector, which is what QuPath's stain channels hold.
"""

from __future__ import annotations

import csv
import io
import math
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from .errors import DataError, OptionError
from .fits.stain_summary import check_stained, stained_pixels
from .image import pixel_size
from .writers.commit import commit_bytes

THRESHOLDS = (0.2, 0.4, 0.6)
LN10 = math.log(10)
GRADES = ("weak", "moderate", "strong")

_STARTS_A_FORMULA = ("=", "+", "-", "@")


def measure_regions(
    result: xr.Dataset,
    labels: Any = None,
    *,
    positive: str | None = None,
    thresholds: Sequence[float] = THRESHOLDS,
    names: Mapping[int, str] | None = None,
) -> list[dict[str, Any]]:
    """Measure the stains of each region of a slide.

    Parameters
    ----------
    result : Dataset
        As from `unmix.separate_stains`.
    labels : array_like of int, shape (y, x), optional
        Regions or cells: the same number for every pixel of one, 0 for none. The whole image when not given.
    positive : str, optional
        Stain whose positive fraction and H-score are asked for; DAB where the slide has it.
    thresholds : three float
        Density (log10) from which a pixel is weakly, moderately and strongly positive.
    names : mapping of int to str, optional
        What the regions are called.

    Returns
    -------
    list of dict
        A row a region, in the order of the labels: ``region``; ``n_pixels`` that are valid; ``n_stained``, those with
        more density than background has, by whose number fractions are divided; ``area`` and ``area_unit`` where the
        pixel size is known; ``{stain}_mean_od_log10`` over all valid pixels and ``{stain}_mean_od_log10_stained``.
        For the positive stain ``{stain}_positive_fraction``, ``_weak_fraction``, ``_moderate_fraction``,
        ``_strong_fraction`` and ``_h_score_pixels``: 0 to 300, of pixels. For an H-score of cells, give cells as
        labels and their means to `h_score`. A figure without pixels is NaN. ``stain_flag`` is the result's own.

    Raises
    ------
    DataError
        The result is not of stains, or the labels do not fit it.
    OptionError
        The positive stain is not there, or the thresholds are not three rising numbers.

    Notes
    -----
    H-score: McCarty et al., Cancer Res 46:4244s-4248s, 1986; thresholds as in QuPath's positive cell detection.

    Examples
    --------
    >>> import unmix
    >>> from unmix.measure import measure_regions
    >>> from unmix.synthetic import stained_slide
    >>> image = stained_slide(1, shape=(128, 128), stains=("hematoxylin", "dab")).image
    >>> row = measure_regions(unmix.separate_stains(image, "H-DAB"))[0]
    >>> row["n_pixels"], 0 <= row["dab_h_score_pixels"] <= 300
    (16384, True)
    """
    check_stained(result)
    stains = [str(name) for name in result["endmember"].values]
    positive = _positive_stain(positive, stains)
    limits = _checked_thresholds(thresholds)
    concentrations = np.asarray(result["abundances"].transpose("endmember", "y", "x").data)
    regions, inverse = _regions(labels, concentrations.shape[1:])
    valid = np.isfinite(concentrations[0]).ravel() & (inverse >= 0)
    stained = stained_pixels(concentrations, result["endmembers"].values).ravel() & valid
    where, where_stained = inverse[valid], inverse[stained]
    n = len(regions)
    n_pixels, n_stained = np.bincount(where, minlength=n), np.bincount(where_stained, minlength=n)
    columns: dict[str, np.ndarray] = {}
    for k, stain in enumerate(stains):
        density = concentrations[k].ravel()
        columns[f"{stain}_mean_od_log10"] = _means(where, density[valid], n_pixels)
        columns[f"{stain}_mean_od_log10_stained"] = _means(where_stained, density[stained], n_stained)
        if stain == positive:
            columns |= _grades(stain, where_stained, density[stained] / LN10, n_stained, limits)
    size = pixel_size(result["residual"])
    rows = []
    for i, region in enumerate(regions):
        row: dict[str, Any] = {"region": (names or {}).get(region, str(region))}
        row |= {"n_pixels": int(n_pixels[i]), "n_stained": int(n_stained[i])}
        if size is not None:
            row |= {"area": float(n_pixels[i] * size[0] * size[1]), "area_unit": f"{size[2]}^2"}
        row |= {column: float(values[i]) for column, values in columns.items()}
        row["stain_flag"] = str(result.attrs.get("stain_flag", "none"))
        rows.append(row)
    return rows


def h_score(densities: Iterable[float], thresholds: Sequence[float] = THRESHOLDS) -> float:
    """Return the H-score, 0 to 300, of densities (log10) of cells or pixels; NaN where there is none.

    Examples
    --------
    >>> from unmix.measure import h_score
    >>> h_score([0.1, 0.3, 0.5, 0.7])
    150.0
    """
    values = np.asarray(list(densities), np.float64)
    values = values[np.isfinite(values)]
    if not len(values):
        return math.nan
    return float(sum(100.0 * np.mean(values >= limit) for limit in _checked_thresholds(thresholds)))


def write_measurements(
    rows: Sequence[Mapping[str, Any]], path: str | os.PathLike[str], *, overwrite: bool = False
) -> Path:
    """Write rows as comma-separated text; a figure that is NaN is empty, and no cell runs as a formula.

    Raises
    ------
    OptionError
        There is no row.
    WriteError
        The file exists, or cannot be written.
    """
    if not rows:
        raise OptionError("there is nothing to write: measure at least one region.")
    columns = list(dict.fromkeys(column for row in rows for column in row))
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([_cell(column) for column in columns])
    for row in rows:
        writer.writerow([_cell(row.get(column)) for column in columns])
    return commit_bytes(path, text.getvalue().encode(), overwrite=overwrite)


def _regions(labels: Any, shape: tuple[int, ...]) -> tuple[list[int], np.ndarray]:
    """Return the labels there are and, for every pixel, the position of its own among them, -1 for none."""
    if labels is None:
        return [1], np.zeros(shape[0] * shape[1], np.int64)
    found = np.asarray(labels)
    if found.shape != shape:
        raise DataError(f"the labels have shape {found.shape}; the result has {shape[0]} rows and {shape[1]} columns.")
    if found.dtype.kind not in "bui":
        raise DataError(f"labels are whole numbers, 0 for no region; these are {found.dtype}.")
    present, inverse = np.unique(found, return_inverse=True)
    keep = np.flatnonzero(present != 0)
    if not len(keep):
        raise DataError("the labels hold no region: every pixel is 0.")
    position = np.full(len(present), -1, np.int64)
    position[keep] = np.arange(len(keep))
    return [int(label) for label in present[keep]], position[inverse.ravel()]


def _means(where: np.ndarray, density: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return the mean density of each region in log10, NaN where it has no pixel."""
    total = np.bincount(where, weights=density, minlength=len(count))
    return np.where(count > 0, total / np.maximum(count, 1) / LN10, np.nan)


def _grades(
    stain: str, where: np.ndarray, density: np.ndarray, count: np.ndarray, limits: tuple[float, ...]
) -> dict[str, np.ndarray]:
    """Return the fractions of weakly, moderately and strongly positive pixels of each region, and their H-score."""
    n = len(count)
    above = [np.bincount(where[density >= limit], minlength=n) for limit in limits]
    with np.errstate(invalid="ignore", divide="ignore"):
        reached = [np.where(count > 0, number / count, np.nan) for number in above]
    columns = {f"{stain}_positive_fraction": reached[0]}
    for grade, low, high in zip(GRADES, reached, [*reached[1:], np.zeros(n)], strict=True):
        columns[f"{stain}_{grade}_fraction"] = low - high
    columns[f"{stain}_h_score_pixels"] = 100 * sum(reached, np.zeros(n))
    return columns


def _positive_stain(positive: str | None, stains: list[str]) -> str | None:
    if positive is None:
        return "dab" if "dab" in stains else None
    if positive not in stains:
        raise OptionError(f"positive={positive!r} is no stain of this result; it has {', '.join(stains)}.")
    return positive


def _checked_thresholds(thresholds: Sequence[float]) -> tuple[float, ...]:
    try:
        limits = tuple(float(value) for value in thresholds)
    except (TypeError, ValueError):
        limits = ()
    rising = len(limits) == 3 and 0 < limits[0] < limits[1] < limits[2] < math.inf
    if not rising:
        raise OptionError(f"thresholds={thresholds!r}: give three rising densities (log10), such as (0.2, 0.4, 0.6).")
    return limits


def _cell(value: Any) -> str:
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return ""
    text = repr(float(value)) if isinstance(value, (float, np.floating)) else str(value)
    return f"'{text}" if isinstance(value, str) and text.startswith(_STARTS_A_FORMULA) else text
