"""Where the endmembers of a run come from: found by the fit that suits the image, or given."""

from __future__ import annotations

import json
import numbers
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import xarray as xr

from .blocks import Progress
from .errors import DataError, OptionError
from .fits.lambda_stack import find_dye_spectra
from .fits.partly_known import find_beside_known
from .fits.scene import find_scene_endmembers
from .fits.stains import find_stain_vectors
from .library_names import on_bands_of
from .materials.library import SpectralLibrary
from .prepare import Prepared
from .rank import rank_of, say_suggestion
from .result import Endmembers

DEFAULT_STAINS = ("hematoxylin", "eosin", "dab")
"""The stains looked for, in this order, when a number of stains is given and no names."""


def fit_endmembers(prepared: Prepared, n_endmembers: int | None, progress: Progress | None) -> Endmembers:
    """Find endmembers with the fit that suits the image."""
    if prepared.slide is not None:
        return prepared.placed(fit_endmembers(prepared.to_fit(), n_endmembers, progress))
    image, rule, options = prepared.image, prepared.rule, prepared.options
    method = options.method or _method_for(image)
    n_endmembers = prepared.settled if n_endmembers is None else n_endmembers
    if n_endmembers is None:
        return _fit_suggested(prepared, progress)
    whole = isinstance(n_endmembers, numbers.Real) and not isinstance(n_endmembers, bool) and n_endmembers % 1 == 0
    if not whole or n_endmembers < 1:
        raise OptionError(f"n_endmembers={n_endmembers!r} is not a whole number of at least 1.")
    n_endmembers = int(n_endmembers)
    if method == "stains":
        if not 2 <= n_endmembers <= 3:
            raise OptionError(f"n_endmembers={n_endmembers}: 2 or 3 stains can be separated in 3 channels.")
        return find_stain_vectors(image, rule, DEFAULT_STAINS[:n_endmembers], options, progress=progress)
    if method == "lambda":
        found = find_dye_spectra(image, rule, n_endmembers, options, progress=progress)
    else:
        found = find_scene_endmembers(image, rule, n_endmembers, options, sample=prepared.sample, progress=progress)
    return replace(found, spectra=at_endmember_scale(found.spectra, image.attrs["quantity"]))


def _fit_suggested(prepared: Prepared, progress: Progress | None) -> Endmembers:
    """Find as many endmembers as `estimate_rank` suggests, and say so."""
    estimate = rank_of(prepared)
    found = fit_endmembers(prepared, say_suggestion(estimate), progress)
    about = {"suggested": estimate.suggested, "sure": estimate.sure, "reason": estimate.reason}
    return replace(found, notes={**found.notes, "n_endmembers": about})


def given_endmembers(prepared: Prepared, endmembers: Any, n_endmembers: int | None = None) -> Endmembers:
    """Take known endmembers as they are, checked against the image's bands."""
    anchors: dict[str, Any] = {}
    names: Sequence[str] | None = None
    notes: dict[str, Any] = {"fit": "none: the endmembers were given"}
    if isinstance(endmembers, SpectralLibrary):
        endmembers = on_bands_of(endmembers, prepared.image)
    if isinstance(endmembers, xr.Dataset):
        anchors = {k: endmembers[k].values for k in ("anchor_row", "anchor_col", "anchor_count") if k in endmembers}
        dark = _dark_level_of(endmembers)
        if len(dark) == prepared.image.sizes["band"]:
            notes["offset_by_band"] = dark
        endmembers = endmembers.get("endmembers", endmembers)
    if isinstance(endmembers, (xr.DataArray, xr.Dataset)):
        if set(endmembers.dims) != {"endmember", "band"}:
            raise OptionError(f"endmembers need the dimensions endmember and band; got {tuple(endmembers.dims)}.")
        endmembers = endmembers.transpose("endmember", "band")
        names = [str(n) for n in endmembers["endmember"].values] if "endmember" in endmembers.coords else None
        if "material" in endmembers.coords:
            notes["materials"] = [str(one) for one in endmembers["material"].values]
    try:
        spectra = np.asarray(endmembers, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"endmembers must be numbers of shape (r, band): {error}.") from error
    n_bands = prepared.image.sizes["band"]
    if spectra.ndim != 2 or spectra.shape[1] != n_bands:
        raise OptionError(f"endmembers have shape {spectra.shape}; the image needs (r, {n_bands}), one value a band.")
    if n_endmembers is not None and n_endmembers < len(spectra):
        raise OptionError(
            f"n_endmembers={n_endmembers}, but {len(spectra)} endmembers are given. Leave n_endmembers out."
        )
    used = spectra[:, prepared.rule.good]
    if not np.isfinite(used).all():
        raise DataError("a given endmember has no value in a band that is used; exclude the band or fill the value.")
    for k in np.flatnonzero((used <= 0).all(axis=1) & (used < 0).any(axis=1)):
        raise OptionError(f"endmembers: row {k + 1} has no positive value in the bands used. Give additive values.")
    names = names or [f"endmember {k + 1}" for k in range(len(spectra))]
    if n_endmembers is not None and n_endmembers > len(spectra):
        p = prepared.to_fit()
        return prepared.placed(
            find_beside_known(p.image, p.rule, spectra, names, int(n_endmembers), p.options, sample=p.sample)
        )
    return Endmembers(spectra, tuple(names), **anchors, notes=notes)


def _dark_level_of(endmembers: xr.Dataset) -> list[float]:
    """Return what the fit that found these left out of every band as dark, nothing where it did not or nobody knows."""
    try:
        attrs = endmembers.attrs
        notes = json.loads(attrs["notes"]) if "notes" in attrs else json.loads(attrs["provenance"])["fit"]
        dark = np.asarray(notes["offset_by_band"], np.float64)
    except (KeyError, TypeError, ValueError):
        return []
    return [float(level) for level in dark] if dark.ndim == 1 and np.isfinite(dark).all() else []


def _method_for(image: xr.DataArray) -> str:
    quantity = image.attrs["quantity"]
    if quantity in ("brightfield", "optical_density") and image.sizes["band"] == 3:
        return "stains"
    return "lambda" if quantity == "counts" else "scene"


def at_endmember_scale(spectra: np.ndarray, quantity: str) -> np.ndarray:
    """Give endmembers the scale of their quantity: counts sum to one, optical density has unit norm."""
    if quantity == "counts":
        size = np.nansum(spectra, axis=1, keepdims=True)
    elif quantity in ("brightfield", "optical_density"):
        size = np.sqrt(np.nansum(spectra**2, axis=1, keepdims=True))
    else:
        return spectra
    return spectra / np.where(size > 0, size, 1.0)
