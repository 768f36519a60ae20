"""The scene fit: endmembers of a reflectance, radiance or unknown image by robust separable NMF.

Every pixel is lifted onto the signal subspace (`nmf.subspace`), averaged with its neighbours for the search only, and
the vertices of the cloud are found by smoothed successive projection and volume sweeps (`nmf.anchors`). Before that,
`literal` asks whether raw pixels already explain the image to numerical noise: then they are the answer, exactly.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import Progress, gather_pixels
from ..errors import DataError, OptionError
from ..light.additive import Additive
from ..nmf.anchors import grow_volume, smoothed_successive_projection, successive_projection
from ..nmf.refine import refine
from ..nmf.subspace import Subspace, signal_subspace
from ..options import Options
from ..result import Endmembers
from .literal import literal_anchors
from .projection import leading_directions, project_image

_LEAST_MEMBERS = 5
_MOST_SPECTRA = 2000


@dataclass(frozen=True)
class Anchors:
    """Which pixels stand behind each endmember: flat positions, nearest first, and what the search wants to say."""

    members: Sequence[np.ndarray]
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
        ``anchors``, ``anchor_fraction``, ``refinement``, ``refinement_weight`` and ``max_iterations`` matter here.
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
    space = signal_subspace(additive)
    _require_rank(n_endmembers, space, image)
    anchors = _find_anchors(image, rule, space, additive, n_endmembers, options, progress)
    spectra = _median_spectra(image, rule, anchors.members, options, progress)
    objective, notes = None, dict(anchors.notes)
    if options.refinement == "anchored":
        refined = refine(
            additive, spectra, anchor_weight=options.refinement_weight, max_iterations=options.max_iterations
        )
        spectra, objective, notes["stop_reason"] = refined.E, refined.objective, refined.stop_reason
    rows, columns = np.divmod([int(m[0]) for m in anchors.members], image.sizes["x"])
    return Endmembers(
        rule.widen(np.maximum(spectra, 0)),
        tuple(f"endmember {k + 1}" for k in range(n_endmembers)),
        rows.astype(np.int64),
        columns.astype(np.int64),
        np.array([len(m) for m in anchors.members], np.int64),
        objective,
        {"fit": "scene", **notes},
    )


def _find_anchors(
    image: xr.DataArray,
    rule: Additive,
    space: Subspace,
    additive: np.ndarray,
    r: int,
    options: Options,
    progress: Progress | None,
) -> Anchors:
    """Choose the pixels behind each endmember: literally where that is exact or asked for, else robustly."""
    if r == 1:
        return _brightest(image, rule, space, options, progress)
    exact = literal_anchors(image, rule, additive, space, r, options, progress)
    if exact is not None:
        return Anchors([np.array([p]) for p in exact], {"anchors": "literal: raw pixels explain the image to rounding"})
    if options.anchors == "spa":
        axes, _ = leading_directions(additive, r)
        Z = project_image(image, rule, axes, np.zeros(r), options, progress).reshape(-1, r)
        return Anchors([np.array([p]) for p in successive_projection(Z, r)], {"anchors": "spa"})
    return _robust(image, rule, space, r, options, progress)


def _robust(
    image: xr.DataArray, rule: Additive, space: Subspace, r: int, options: Options, progress: Progress | None
) -> Anchors:
    """Smoothed successive projection and volume sweeps on the lifted, locally averaged pixels."""
    from ..nmf.kernels import mean_3x3

    Z = np.ones((*image.shape[:2], r), np.float32)
    Z[..., : r - 1] = project_image(image, rule, *space.lift(r), options, progress)
    averaged = np.empty_like(Z)
    mean_3x3(Z, averaged)
    flat = averaged.reshape(-1, r)
    n_valid = int(np.isfinite(flat[:, 0]).sum())
    p = min(n_valid, max(_LEAST_MEMBERS, int(options.anchor_fraction * n_valid)))
    vertices, members = smoothed_successive_projection(flat, r, p)
    vertices, members = grow_volume(flat, vertices, members, p)
    ordered = [_nearest_first(flat, v, m) for v, m in zip(vertices, members, strict=True)]
    return Anchors(ordered, {"anchors": "robust", "pixels_a_vertex": p})


def _brightest(
    image: xr.DataArray, rule: Additive, space: Subspace, options: Options, progress: Progress | None
) -> Anchors:
    """One endmember: the median of the brightest pixels along the mean spectrum."""
    axis = space.mean[None] / max(float(np.linalg.norm(space.mean)), 1e-300)
    along = project_image(image, rule, axis, np.zeros(1), options, progress).ravel()
    n_valid = int(np.isfinite(along).sum())
    p = min(n_valid, max(_LEAST_MEMBERS, int(options.anchor_fraction * n_valid)))
    order = np.argsort(-np.nan_to_num(along, nan=-np.inf), kind="stable")[:p]
    return Anchors([np.roll(order, -(p // 2))], {"anchors": "robust", "pixels_a_vertex": p})


def _median_spectra(
    image: xr.DataArray, rule: Additive, members: Sequence[np.ndarray], options: Options, progress: Progress | None
) -> np.ndarray:
    """Return the band-wise median of the additive spectra of each endmember's pixels (r, n_good), float64."""
    chosen = [m[:: max(1, -(-len(m) // _MOST_SPECTRA))] for m in members]
    values, valid = gather_pixels(image, np.concatenate(chosen), threads=options.threads, progress=progress)
    spectra, valid_parts = (
        np.split(rule(values), np.cumsum([len(m) for m in chosen])[:-1]),
        np.split(valid, np.cumsum([len(m) for m in chosen])[:-1]),
    )
    return np.array([np.median(s[v].astype(np.float64), axis=0) for s, v in zip(spectra, valid_parts, strict=True)])


def _nearest_first(Z: np.ndarray, vertex: np.ndarray, rows: np.ndarray) -> np.ndarray:
    distance = ((Z[rows] - vertex) ** 2).sum(axis=1)
    return rows[np.lexsort((rows, distance))]


def _require_size(r: int, n_bands: int, n_pixels: int) -> None:
    if r > n_bands:
        ways = (
            f"Use {', '.join(str(k) for k in range(2, n_bands))} or {n_bands}."
            if 2 < n_bands <= 4
            else f"Use at most {n_bands}."
        )
        raise OptionError(f"n_endmembers={r} needs at least {r} bands; the image has {n_bands}. {ways}")
    if r > n_pixels:
        raise OptionError(f"n_endmembers={r} needs at least {r} valid pixels; the image has {n_pixels}.")


def _require_rank(r: int, space: Subspace, image: xr.DataArray) -> None:
    if r - 1 <= space.rank:
        return
    if space.rank == 0:
        raise DataError(f"every valid pixel has the same spectrum: n_endmembers={r} cannot be found, only 1.")
    most = space.rank + 1
    raise DataError(
        f"n_endmembers={r}, but the image has numerical rank {space.rank}: it can carry at most {most} endmembers."
    )
