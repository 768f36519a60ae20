"""A partly known set: some endmembers are given and stay as they are, the rest is found in the image."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr

from ..blocks import Progress
from ..errors import DataError, OptionError
from ..light.additive import Additive
from ..nmf.partly_known import anchors_beside
from ..nmf.subspace import signal_subspace
from ..options import Options
from ..result import Endmembers
from .projection import project_image
from .robust import median_spectra, members_a_vertex, nearest_first

_OWN_SCALE = ("counts", "brightfield", "optical_density")


def find_beside_known(
    image: xr.DataArray,
    rule: Additive,
    known: np.ndarray,
    names: Sequence[str],
    n_endmembers: int,
    options: Options,
    *,
    sample: np.ndarray,
    progress: Progress | None = None,
) -> Endmembers:
    """Find the endmembers that known ones leave open.

    Parameters
    ----------
    image : DataArray
        An image.
    rule : Additive
        How its values become additive.
    known : ndarray, shape (k, n_bands)
        Known endmembers in additive values; returned first, as they are.
    names : sequence of str
        Their names.
    n_endmembers : int
        Number of endmembers in all, more than k.
    options : Options
        ``anchor_fraction`` matters here.
    sample : ndarray, shape (n, n_bands)
        Recorded values of a fixed sample of valid pixels.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    Endmembers
        The known ones have no pixels behind them.

    Raises
    ------
    OptionError, DataError
        The image's bands or rank cannot carry so many, or the known ones are the same to it.
    """
    from ..nmf.kernels import mean_3x3

    r, good = n_endmembers, rule.good
    if r > len(good):
        raise OptionError(f"n_endmembers={r} needs at least {r} bands; the image has {len(good)} good ones.")
    space = signal_subspace(rule(sample))
    if space.rank < r - 1:
        raise DataError(f"n_endmembers={r}, but the image can carry at most {space.rank + 1} endmembers.")
    axes, offset = space.lift(r)
    Z = np.ones((*image.shape[:2], r), np.float32)
    Z[..., : r - 1] = project_image(image, rule, axes, offset, options, progress)
    averaged = np.empty_like(Z)
    mean_3x3(Z, 1, averaged)
    flat = averaged.reshape(-1, r)
    fixed = np.ones((len(known), r))
    fixed[:, : r - 1] = _at_scale(known[:, good], space.mean, image.attrs["quantity"]) @ axes.T - offset
    p = members_a_vertex(int(np.isfinite(flat[:, 0]).sum()), options.anchor_fraction)
    vertices, members = anchors_beside(flat, fixed, r, p)
    ordered = [nearest_first(flat, vertex, rows) for vertex, rows in zip(vertices[len(known) :], members, strict=True)]
    found = rule.widen(np.maximum(median_spectra(image, rule, ordered, options, progress), 0))
    return _together(known, found, names, ordered, image.sizes["x"])


def _together(
    known: np.ndarray, found: np.ndarray, names: Sequence[str], members: list[np.ndarray], width: int
) -> Endmembers:
    """Return the known endmembers and those found, with the pixels behind the latter."""
    k = len(known)
    nearest = np.array([int(rows[0]) for rows in members], np.int64)
    none = np.full(k, -1, np.int64)
    return Endmembers(
        np.vstack([known, found]),
        (*names, *_numbered_on(names, len(found))),
        np.concatenate([none, nearest // width]),
        np.concatenate([none, nearest % width]),
        np.concatenate([0 * none, [len(rows) for rows in members]]),
        notes={"fit": f"partly known: {k} given, {len(found)} found beside them"},
    )


def _numbered_on(names: Sequence[str], n_found: int) -> list[str]:
    """Return names for what was found: its number in all, or the least free number where that one is taken."""
    labels: list[str] = []
    for place in range(len(names) + 1, len(names) + n_found + 1):
        numbers = (place, *range(1, place + n_found))
        labels.append(next(one for k in numbers if (one := f"endmember {k}") not in names and one not in labels))
    return labels


def _at_scale(known: np.ndarray, mean: np.ndarray, quantity: str) -> np.ndarray:
    """Return known endmembers in the pixels' scale; those of counts and densities have a scale of their own."""
    if quantity not in _OWN_SCALE:
        return known
    along = known @ mean
    return known * np.where(along > 0, (mean @ mean) / np.where(along > 0, along, 1.0), 1.0)[:, None]
