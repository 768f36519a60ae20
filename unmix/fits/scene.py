"""The scene fit: endmembers of a reflectance, radiance or unknown image by robust separable NMF.

Three ways to the anchors, tried in this order: literally, where raw pixels explain the image to numerical noise
(`literal`); robustly, by several searches over averaged pixels among which the image itself decides (`robust`,
`contest`); and by least volume, where the pixels are clean and those anchors do not enclose them (`no_pure_pixels`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..errors import DataError, OptionError
from ..light.additive import Additive
from ..light.noisy_bands import noisy_bands, warn_of_noisy_bands
from ..nmf.refine import refine
from ..nmf.subspace import Subspace, signal_subspace
from ..nmf.threads import one_blas_thread
from ..options import Options
from ..result import Endmembers
from .contest import best_entry, competing_anchors
from .literal import literal_anchors
from .named_anchors import named_anchors
from .no_pure_pixels import enclosing_simplex
from .robust import brightest_pixels, lifted_anchors, median_spectra, project_pixels

_MOMENTS = 25_000


@dataclass(frozen=True)
class Found:
    """Spectra (r, n_good), the flat pixels behind each (nearest first), how many, and notes."""

    spectra: np.ndarray
    members: Sequence[np.ndarray]
    counts: Sequence[int]
    notes: dict[str, Any] = field(default_factory=dict)


def find_scene_endmembers(
    image: xr.DataArray,
    rule: Additive,
    n_endmembers: int,
    options: Options,
    *,
    sample: np.ndarray,
    progress: Progress | None = None,
) -> Endmembers:
    """Find the endmembers of a scene.

    Parameters
    ----------
    image : DataArray
        An image.
    rule : Additive
        How its values become additive.
    n_endmembers : int
        Number of endmembers.
    options : Options
        ``anchors``, ``seed``, ``anchor_fraction``, ``refinement``, ``refinement_weight`` and ``max_iterations`` matter
        here.
    sample : ndarray, shape (n, n_bands)
        Recorded values of a fixed sample of valid pixels.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    Endmembers
        Spectra in additive values, with the pixels behind them.

    Raises
    ------
    OptionError, DataError
        The image's bands, pixels or rank cannot carry so many endmembers; the message says how many they can.
    """
    _require_size(n_endmembers, len(rule.good), len(sample))
    additive = rule(sample)
    judged = additive[:: max(1, len(additive) // _MOMENTS)]
    with one_blas_thread():  # products are small and share the threads: more only wait
        space = signal_subspace(judged, options.threads)
        _require_rank(n_endmembers, space)
        noisy = _noisy_bands(image, rule, space, len(judged))
        found = _search(image, rule, space, additive, n_endmembers, options, progress)
    spectra, objective, notes = found.spectra, None, found.notes | ({"noisy_bands": noisy} if noisy else {})
    if options.refinement == "anchored":
        refined = refine(
            additive, spectra, anchor_weight=options.refinement_weight, max_iterations=options.max_iterations
        )
        spectra, objective, notes["stop_reason"] = refined.E, refined.objective, refined.stop_reason
    rows, columns = np.divmod(np.array([int(m[0]) for m in found.members], np.int64), image.sizes["x"])
    names = tuple(f"endmember {k + 1}" for k in range(n_endmembers))
    spectra = rule.widen(np.maximum(spectra, 0))
    counts = np.array(found.counts, np.int64)
    return Endmembers(spectra, names, rows, columns, counts, objective, {"fit": "scene", **notes})


def _search(
    image: xr.DataArray,
    rule: Additive,
    space: Subspace,
    additive: np.ndarray,
    r: int,
    options: Options,
    progress: Progress | None,
) -> Found:
    """Find the endmembers as asked for by name, else literally where that is exact, else robustly, else by volume."""

    def behind(members: Sequence[np.ndarray], notes: dict[str, Any]) -> Found:
        spectra = median_spectra(image, rule, members, options, progress)
        return Found(spectra, members, [len(m) for m in members], notes)

    if r == 1:
        return behind([brightest_pixels(image, rule, space, options, progress)], {"anchors": "brightest pixels"})
    if options.anchors not in ("best", "robust"):
        return behind(*named_anchors(image, rule, additive, space, r, options, progress))
    exact = literal_anchors(image, rule, space, r, options, progress)
    if exact is not None:
        return behind([np.array([p]) for p in exact], {"anchors": "literal: raw pixels explain the image to rounding"})
    pixels = project_pixels(image, rule, space, r, options, progress)
    if options.anchors == "robust":
        anchors = lifted_anchors(pixels, options.anchor_fraction)
        return behind(anchors.members, anchors.notes)
    entries = competing_anchors(pixels, space, options.anchor_fraction, options.threads, progress)
    spectra = median_spectra(image, rule, [m for e in entries for m in e.anchors.members], options, progress)
    by_entry = np.split(spectra, len(entries))
    winner, anchors = best_entry(entries, by_entry, additive, space, options.threads)
    simplex = enclosing_simplex(pixels, anchors.members, additive, space)
    if simplex is not None:
        return Found(simplex.spectra, list(simplex.nearest[:, None]), [0] * r, simplex.notes)
    return Found(by_entry[winner], anchors.members, [len(m) for m in anchors.members], anchors.notes)


def _noisy_bands(image: xr.DataArray, rule: Additive, space: Subspace, n_pixels: int) -> list[int]:
    """Return, and say, which bands are noise; where bands are no light (masses, peaks) one alone may well be signal."""
    if "spectral_axis" in image.coords or n_pixels < 2 * len(rule.good):
        return []
    size = max(float(space.variances[0]), float(space.mean @ space.mean))
    positions = rule.good[noisy_bands(space.covariance, size)]
    warn_of_noisy_bands(image, positions)
    return [int(position) for position in positions]


def _require_size(r: int, n_bands: int, n_pixels: int) -> None:
    if r > n_bands:
        ways = {1: "Use 1.", 2: "Use 2.", 3: "Use 2 or 3."}.get(n_bands, f"Use at most {n_bands}.")
        raise OptionError(f"n_endmembers={r} needs at least {r} bands; the image has {n_bands}. {ways}")
    if r > n_pixels:
        raise OptionError(f"n_endmembers={r} needs at least {r} valid pixels; the image has {n_pixels}.")


def _require_rank(r: int, space: Subspace) -> None:
    if r - 1 <= space.rank:
        return
    if space.rank == 0:
        raise DataError(f"every valid pixel has the same spectrum: n_endmembers={r} cannot be found, only 1.")
    most = space.rank + 1
    raise DataError(f"n_endmembers={r}, but the image's rank is {space.rank}: it can carry at most {most} endmembers.")
