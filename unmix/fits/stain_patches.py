"""The vector of one stain from pixels that hold that stain alone: a region drawn on a slide, or a control slide."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, warn
from ..light.channels import least_channel
from .stain_gates import BRIGHTER_THAN_WHITE, LARGEST_DENSITY, LEAST_DENSITY

LEAST_PATCH_PIXELS = 30
MIXED_DEGREES = 8.0
MIXED_SHARE = 0.25

_ROUNDS = 5
_MAD_TO_SIGMA = 1.4826
_LEAST_SPREAD_DEGREES = 1.0


def single_stain_vector(density: np.ndarray) -> np.ndarray:
    """Return the optical density direction that the pixels of one stain share.

    Parameters
    ----------
    density : ndarray, shape (n, n_bands)
        Natural-log optical density. Pixels too pale or too dense to tell a colour are left out.

    Returns
    -------
    ndarray, shape (n_bands,)
        Non-negative, unit norm: the density-weighted mean direction, in rounds that leave out what lies far off it.

    Raises
    ------
    DataError
        Fewer than 30 pixels carry enough stain.

    Warns
    -----
    UnmixWarning
        More than a quarter of the pixels are 8 degrees or more from that direction: the pixels hold several stains.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.fits.stain_patches import single_stain_vector
    >>> amount = np.random.default_rng(0).uniform(0.3, 1.0, (100, 1))
    >>> single_stain_vector(amount * [0.6, 0.7, 0.3]).round(3)
    array([0.619, 0.722, 0.309])
    """
    norm = np.linalg.norm(np.maximum(density, 0.0), axis=1)
    usable = (norm > LEAST_DENSITY) & (norm <= LARGEST_DENSITY) & (least_channel(density) >= BRIGHTER_THAN_WHITE)
    if usable.sum() < LEAST_PATCH_PIXELS:
        raise DataError(
            f"{int(usable.sum())} of {len(density)} pixels carry enough stain, {LEAST_PATCH_PIXELS} are needed. "
            "Draw a larger region, or one that is better stained."
        )
    x = np.maximum(density[usable], 0.0).astype(np.float64)
    direction, weight = x / norm[usable, None], np.minimum(norm[usable], 2.0)
    kept = np.ones(len(x), bool)
    for _ in range(_ROUNDS):
        vector = weight[kept] @ direction[kept]
        vector /= np.linalg.norm(vector)
        off = np.degrees(np.arccos(np.clip(direction @ vector, -1.0, 1.0)))
        limit = max(3 * _MAD_TO_SIGMA * float(np.median(off[kept])), _LEAST_SPREAD_DEGREES)
        kept = off <= limit
    mixed = float(np.mean(off > MIXED_DEGREES))
    if mixed > MIXED_SHARE:
        warn(
            f"{mixed:.0%} of the stained pixels are more than {MIXED_DEGREES:g} degrees from their common colour: the "
            "region may hold several stains. Draw it where there is one."
        )
    return vector
