"""The emission spectrum of one dye from a stack that holds that dye alone."""

from __future__ import annotations

import numpy as np

from ..errors import DataError, warn

BRIGHTEST_SHARE = 0.03
DIMMEST_SHARE = 0.10
LEAST_PIXELS = 100

_SATURATED_SHARE = 0.5


def reference_spectrum(counts: np.ndarray, name: str = "the stack") -> np.ndarray:
    """Return the emission of one dye: the mean of the brightest 3 % of pixels minus that of the dimmest 10 %.

    The dimmest pixels hold the offset of the camera and the light that is everywhere, so both are gone.

    Parameters
    ----------
    counts : ndarray, shape (n, n_bands)
        Pixels of a single-dye stack, as recorded.
    name : str
        What the stack is called in messages.

    Returns
    -------
    ndarray of float64, shape (n_bands,)
        Non-negative, sums to one.

    Raises
    ------
    DataError
        There are fewer than 100 pixels, or the brightest are no brighter than the dimmest.

    Warns
    -----
    UnmixWarning
        More than half of the brightest pixels are saturated, so that the peak is cut off.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.fits.lambda_references import reference_spectrum
    >>> dye = np.array([0.1, 0.6, 0.3])
    >>> amount = np.linspace(0, 100, 1000)[:, None]
    >>> reference_spectrum(7 + amount * dye).round(3)
    array([0.1, 0.6, 0.3])
    """
    if len(counts) < LEAST_PIXELS:
        raise DataError(f"{name} has {len(counts)} pixels, {LEAST_PIXELS} are needed for a reference spectrum.")
    total = counts.sum(axis=1, dtype=np.float64)
    bright = counts[total >= np.percentile(total, 100 * (1 - BRIGHTEST_SHARE))]
    dim = counts[total <= np.percentile(total, 100 * DIMMEST_SHARE)]
    spectrum = np.maximum(bright.mean(axis=0, dtype=np.float64) - dim.mean(axis=0, dtype=np.float64), 0.0)
    if not spectrum.sum() > 1e-9 * max(float(np.abs(total).max()), 1e-300):
        raise DataError(f"{name}: its brightest pixels are no brighter than its dimmest. Is the dye in it?")
    if counts.dtype.kind in "ui":
        saturated = float(np.mean((bright == np.iinfo(counts.dtype).max).any(axis=1)))
        if saturated > _SATURATED_SHARE:
            warn(
                f"{name}: {saturated:.0%} of the brightest pixels are saturated, so the peak of its spectrum is cut "
                "off. Record it with less light."
            )
    return spectrum / spectrum.sum()
