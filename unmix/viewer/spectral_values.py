"""The spectra of a source as the pipeline sees them: at a pixel, in a square, in a region, and how a run explains them.

Glue between the rooms below; it opens, selects, turns into additive values and solves with what they provide.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Block, gather_pixels, load_block
from ..conventions.spectral_axis import SpectralAxis, spectral_axis
from ..errors import UnmixWarning
from ..image import sample_rows
from ..light.additive import Additive, additive_rule, background_by_band
from ..nmf.abundances import AbundanceProblem, abundance_problem
from ..options import Options
from ..prepare import as_brightfield, open_image
from .finished import Finished
from .saved_session import provenance_of
from .sources import SourceLayer

MOST_PIXELS = 20_000
"""A region with more pixels is judged by so many of them, spread evenly."""


@dataclass(frozen=True)
class Measured:
    """The mean spectrum of some pixels.

    Parameters
    ----------
    spectrum, spread : ndarray, shape (n_bands,)
        Mean and standard deviation of the additive values, NaN in bands that are not good.
    n_pixels : int
        How many valid pixels it is the mean of.
    """

    spectrum: np.ndarray
    spread: np.ndarray
    n_pixels: int


@dataclass(frozen=True)
class Explained:
    """What a run makes of a spectrum.

    Parameters
    ----------
    amounts : mapping of str to float
        Abundance of each endmember; fractions with the ``shade`` constraint.
    spectrum : ndarray, shape (n_bands,)
        The sum of the endmembers in these amounts.
    brightness : float or None
        Sum of the amounts before division, with ``shade``.
    """

    amounts: Mapping[str, float]
    spectrum: np.ndarray
    brightness: float | None


def whole_axis(coords: Mapping[Any, Any]) -> SpectralAxis | None:
    """Return what the bands of an image or a result count, None where it is not known of every band."""
    axis = spectral_axis(coords)
    return axis if axis is not None and np.isfinite(axis.values).all() else None


@dataclass(frozen=True)
class SpectralView:
    """One image as the pipeline sees it, with the endmembers of a run where there is one.

    Parameters
    ----------
    image : DataArray
        With the bands and the quantity of the run.
    rule : Additive
        From recorded to additive values.
    names : tuple of str
        Of the endmembers.
    endmembers : ndarray, shape (r, n_bands), or None
        Their spectra.
    problem : AbundanceProblem or None
        Ready to be solved for a pixel.
    """

    image: xr.DataArray
    rule: Additive
    names: tuple[str, ...] = ()
    endmembers: np.ndarray | None = None
    problem: AbundanceProblem | None = None

    @property
    def in_memory(self) -> bool:
        """Whether a pixel can be looked at without reading from a file."""
        return self.image.chunks is None

    @property
    def axis(self) -> SpectralAxis | None:
        """What the bands count, None where it is not known of every band."""
        return whole_axis(self.image.coords)

    @property
    def good(self) -> np.ndarray:
        """Which bands are used, shape (n_bands,)."""
        used = np.zeros(self.image.sizes["band"], bool)
        used[self.rule.good] = True
        return used

    def around(self, row: int, column: int, width: int) -> Measured | None:
        """Return the mean spectrum of a square of pixels, None where none of them is valid or inside."""
        height, breadth, _ = self.image.shape
        if not (0 <= row < height and 0 <= column < breadth):
            return None
        half = width // 2
        block = Block(
            slice(max(0, row - half), min(height, row + half + 1)),
            slice(max(0, column - half), min(breadth, column + half + 1)),
        )
        values, valid = load_block(self.image, block)
        return self._mean(values[valid])

    def of_pixels(self, positions: np.ndarray) -> Measured | None:
        """Return the mean spectrum of pixels at flat positions, None where none of them is valid."""
        if len(positions) > MOST_PIXELS:
            positions = positions[np.linspace(0, len(positions) - 1, MOST_PIXELS).astype(np.int64)]
        values, valid = gather_pixels(self.image, np.sort(positions))
        return self._mean(values[valid])

    def explain(self, spectrum: np.ndarray) -> Explained | None:
        """Return what the run makes of a spectrum (n_bands,), None where there is no run."""
        if self.problem is None or self.endmembers is None:
            return None
        X = np.ascontiguousarray(spectrum[None, self.rule.good], np.float32)
        a = self.problem.solve(X)[0].astype(np.float64)
        fit = a @ self.endmembers
        if self.problem.constraint != "shade":
            return Explained(dict(zip(self.names, a.tolist(), strict=True)), fit, None)
        total = float(a.sum())
        shares = a / (total if total > 0 else 1.0)
        return Explained(dict(zip(self.names, shares.tolist(), strict=True)), fit, total)

    def _mean(self, values: np.ndarray) -> Measured | None:
        if not len(values):
            return None
        additive = self.rule(values)
        mean, spread = additive.mean(axis=0, dtype=np.float64), additive.std(axis=0, dtype=np.float64)
        spectrum, around = self.rule.widen(np.stack([mean, spread]))
        return Measured(spectrum, around, len(values))


def view_of(source: SourceLayer, run: Finished | None, quantity: str | None = None) -> SpectralView:
    """Return a source as the pipeline sees it; may read a few rows, so it is called in a worker.

    Parameters
    ----------
    source : SourceLayer
        What is looked at.
    run : Finished, optional
        The run whose bands, light and endmembers are taken.
    quantity : str, optional
        What the numbers are, where there is no run.
    """
    if run is None:
        options = Options(quantity=quantity)
        image = open_image(source.image(), options)
        rows = sample_rows(image.data).reshape(-1, image.sizes["band"])
        good = image.coords["good_band"].values
        usable = rows[np.isfinite(rows[:, good]).all(axis=1)]
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmixWarning)
            rule, _ = additive_rule(image, usable if len(usable) else rows, options)
        return SpectralView(image, rule)
    options = Options.from_keywords(run.recipe.options)
    image = open_image(source.image(), options)
    if run.recipe.function == "separate_stains":
        image = as_brightfield(image)
    endmembers = np.asarray(run.result["endmembers"].values, np.float64)
    rule = _rule_of(run, options, endmembers)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UnmixWarning)
        problem = abundance_problem(endmembers[:, rule.good], options.constraint_for(run.quantity), run.names)
        problem.solve(np.zeros((1, len(rule.good)), np.float32))  # compiled here, not under the mouse
    return SpectralView(image, rule, run.names, endmembers, problem)


def _rule_of(run: Finished, options: Options, endmembers: np.ndarray) -> Additive:
    """Return the rule of a run, as its provenance tells it."""
    good = np.flatnonzero(np.isfinite(endmembers).all(axis=0))
    fit: Any = provenance_of(run.result).get("fit")
    counts = run.quantity == "counts"
    white = fit.get("white_point") if run.quantity == "brightfield" and isinstance(fit, dict) else None
    return Additive(
        run.quantity,
        good,
        endmembers.shape[1],
        white_point=None if white is None else np.asarray(white, np.float64),
        background=background_by_band(options.background, good, endmembers.shape[1]) if counts else None,
        factor=math.log(10) if run.quantity == "optical_density" and options.od_base == "10" else 1.0,
    )
