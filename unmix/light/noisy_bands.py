"""Bands that hold noise where their neighbours hold a signal, told from the covariance of a sample.

What the other bands cannot predict of a band is its noise (Roger and Arnold 1996); real bands next to water vapour may
be ten times as noisy as their neighbours and still mostly signal, so both are asked: noisier, and mostly noise.
"""

from __future__ import annotations

import math

import numpy as np
import xarray as xr

from ..errors import warn

_TIMES_NEIGHBOURS = 10.0
_SHARE_OF_DEVIATION = 0.5
_NEIGHBOURS = 20
_FEWEST_BANDS = 10
_RIDGE = 1e-11


def noisy_bands(covariance: np.ndarray, size: float) -> np.ndarray:
    """Return the positions of bands at least ten times as noisy as their neighbours, and more noise than signal.

    Parameters
    ----------
    covariance : ndarray, shape (n_bands, n_bands)
        Covariance of pixels, at least twice as many as bands.
    size : float
        Largest variance or squared length there is; what is far below it is rounding.

    Returns
    -------
    ndarray of int
        Positions; none where there are fewer than ten bands.

    References
    ----------
    Roger and Arnold 1996, Int. J. Remote Sens. 17(10), 1951-1962.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.light.noisy_bands import noisy_bands
    >>> covariance = np.ones((12, 12)) + 1e-4 * np.eye(12)
    >>> covariance[5, 5] += 4
    >>> noisy_bands(covariance, 4.0)
    array([5])
    """
    n = len(covariance)
    if n < _FEWEST_BANDS or not size > 0:
        return np.empty(0, np.int64)
    firm = covariance + _RIDGE * size * np.eye(n)
    noise = 1 / np.sqrt(np.diag(np.linalg.inv(firm)))
    around = _medians_around(noise)
    mostly_noise = noise >= _SHARE_OF_DEVIATION * np.sqrt(np.diag(firm))
    return np.flatnonzero((noise >= _TIMES_NEIGHBOURS * around) & mostly_noise)


def warn_of_noisy_bands(image: xr.DataArray, positions: np.ndarray) -> None:
    """Name the bands at these positions of an image in one warning, with the way to leave them out."""
    if not len(positions):
        return
    runs = np.split(positions, np.flatnonzero(np.diff(positions) > 1) + 1)
    numbers = ", ".join(f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs)
    where, way_out = "", "Flag them, as_image(good_bands=)"
    centres = (
        image.coords["wavelength"].values if "wavelength" in image.coords else np.full(image.sizes["band"], np.nan)
    )
    if np.isfinite(centres[positions]).all():
        spans = [(math.floor(10 * centres[r].min()) / 10, math.ceil(10 * centres[r].max()) / 10) for r in runs]
        where = f" ({', '.join(f'{low:g}-{high:g}' for low, high in spans)} nm)"
        way_out = f"Leave them out, exclude=[{', '.join(f'({low:g}, {high:g})' for low, high in spans)}]"
    warn(
        f"{len(positions)} band(s) are mostly noise, more than {_TIMES_NEIGHBOURS:g} times that of their neighbours: "
        f"{numbers}{where}. The endmembers follow that noise. {way_out}."
    )


def _medians_around(noise: np.ndarray) -> np.ndarray:
    """Return the median of the neighbours of every band, without the band itself."""
    away = np.concatenate([np.arange(-_NEIGHBOURS, 0), np.arange(1, _NEIGHBOURS + 1)])
    places = np.arange(len(noise))[:, None] + away
    inside = (places >= 0) & (places < len(noise))
    near = np.sort(np.where(inside, noise[np.clip(places, 0, len(noise) - 1)], np.inf), axis=1)
    count, bands = inside.sum(axis=1), np.arange(len(noise))
    return 0.5 * (near[bands, (count - 1) // 2] + near[bands, count // 2])
