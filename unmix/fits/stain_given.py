"""Stain vectors that are given, not fitted: checked, put in the order of the names, and judged like fitted ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError, warn
from ..light.additive import Additive
from ..materials.stain_sets import StainSet
from ..result import Endmembers
from .stain_naming import angles_to_references, naming_margin
from .stain_plane import smallest_angle


def given_stain_vectors(rule: Additive, chosen: StainSet, stain_matrix: Any) -> Endmembers:
    """Take a known stain matrix as it is, scaled to unit length.

    Parameters
    ----------
    rule : Additive
        Which bands the image has.
    chosen : StainSet
        The stains, in the order wanted.
    stain_matrix : StainSet, Dataset, DataArray or array_like, shape (n_stains, n_bands)
        Optical density of each stain. A stain set, or a Dataset with ``endmembers`` (such as a result or a cohort's
        matrix), is put in the order of the names.

    Returns
    -------
    Endmembers
        Unit-norm spectra; notes hold the flag ``given``, the smallest angle and, in three bands, the angle to each
        reference.

    Raises
    ------
    OptionError
        The matrix has another shape, a value that is not finite, or a row of zeros; or stains are missing from it.

    Warns
    -----
    UnmixWarning
        The rows fit the names better in another order: stains may be swapped.
    """
    vectors = stain_rows(stain_matrix, chosen.stains)
    if vectors.shape != (len(chosen.stains), rule.n_bands) or not np.isfinite(vectors[:, rule.good]).all():
        raise OptionError(
            f"stain_matrix must be {len(chosen.stains)} rows of {rule.n_bands} finite numbers; got shape "
            f"{vectors.shape}."
        )
    used = vectors[:, rule.good]
    if not used.any(axis=1).all():
        raise OptionError("stain_matrix has a row of zeros: a stain without colour cannot be separated.")
    used = used / np.linalg.norm(used, axis=1, keepdims=True)
    notes: dict[str, Any] = {"fit": "none: the stain matrix was given", "stain_flag": "given"}
    if len(used) > 1:
        notes["smallest_angle"] = smallest_angle(used)
    if used.shape[1] == 3:
        notes |= _beside_references(used, chosen)
    return Endmembers(rule.widen(used), chosen.stains, notes=notes)


def stain_rows(stain_matrix: Any, stains: tuple[str, ...]) -> np.ndarray:
    """Return the rows (n_stains, n_bands) of a stain matrix of any kind; one with names is put in the order wanted."""
    if isinstance(stain_matrix, xr.Dataset):
        stain_matrix = stain_matrix.get("endmembers", stain_matrix)
    if isinstance(stain_matrix, StainSet):
        return _in_order(stain_matrix.matrix, stain_matrix.stains, stains)
    if isinstance(stain_matrix, xr.DataArray) and set(stain_matrix.dims) == {"endmember", "band"}:
        rows = stain_matrix.transpose("endmember", "band").values.astype(np.float64)
        if "endmember" not in stain_matrix.coords:
            return rows
        return _in_order(rows, tuple(str(name) for name in stain_matrix["endmember"].values), stains)
    try:
        rows = np.asarray(stain_matrix, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"stain_matrix must be numbers of shape (n_stains, n_bands): {error}.") from error
    if rows.ndim != 2:
        raise OptionError(f"stain_matrix must be {len(stains)} rows, one a stain; got shape {rows.shape}.")
    return rows


def _in_order(rows: np.ndarray, names: tuple[str, ...], stains: tuple[str, ...]) -> np.ndarray:
    missing = [stain for stain in stains if stain not in names]
    if missing:
        raise OptionError(
            f"stain_matrix has no row for {', '.join(missing)}; it has {', '.join(names)}. Name those in stains=."
        )
    return rows[[names.index(stain) for stain in stains]]


def _beside_references(vectors: np.ndarray, chosen: StainSet) -> dict[str, Any]:
    """Return the angle of each vector to its reference; warn where another order of the names fits better."""
    references = chosen.matrix
    angles = angles_to_references(vectors, references)
    notes: dict[str, Any] = {}
    for k, stain in enumerate(chosen.stains):
        notes[f"angle_to_reference_{stain}"] = float(angles[k])
        notes[f"reference_{stain}"] = references[k]
    if len(vectors) > 1:
        notes["naming_margin_degrees"] = naming_margin(vectors, references)
        if notes["naming_margin_degrees"] < 0:
            warn(
                f"the rows of stain_matrix fit the names {', '.join(chosen.stains)} better in another order: stains "
                "may be swapped. Check the order of stains=."
            )
    return notes
