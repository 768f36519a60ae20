"""Bands in which the air's water vapour lets no light through: what reflectance holds there was made up.

The two windows are those NASA's imaging spectrometers leave out of their products by convention. The rule stands here
alone: it is for reflectance of Earth seen through the air, whose file gives no list of good bands, and only where
nobody said anything about these bands. Spectra measured in a laboratory have no air to speak of, and keep them.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..conventions.grid_mapping import is_on_earth
from ..errors import warn

WATER_VAPOUR = ((1350.0, 1433.0), (1804.0, 1968.0))
"""Ranges in nanometres, ends included."""

_LEAST_KEPT = 3


def left_out_for_water(wavelengths: np.ndarray, good: np.ndarray, crs: Any, name: str) -> np.ndarray | None:
    """Return which bands (band,) to leave out, and say so; None where there is none or somebody has judged them.

    Parameters
    ----------
    wavelengths : ndarray, shape (band,)
        Nanometres, NaN where unknown.
    good : ndarray of bool, shape (band,)
        Bands used so far that hold anything. One left out or empty within the windows means that they were judged.
    crs : CRS or None
        Where the scene lies; that of another body has no such air.
    name : str
        What the file is called, for the message.
    """
    inside = np.zeros(len(wavelengths), bool)
    for low, high in WATER_VAPOUR:
        inside |= (wavelengths >= low) & (wavelengths <= high)
    judged = (inside & ~good & np.isfinite(wavelengths)).any()
    if not inside.any() or judged or (good & ~inside).sum() < _LEAST_KEPT:
        return None
    if crs is not None and not is_on_earth(crs):
        return None
    spans = " and ".join(f"{low:g}-{high:g}" for low, high in WATER_VAPOUR)
    warn(
        f"{name} gives no list of good bands: {int(inside.sum())} bands within {spans} nm, where water vapour blocks "
        "the light, are left out. Say water_bands='keep' to use them."
    )
    return inside
