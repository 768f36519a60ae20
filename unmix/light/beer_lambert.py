"""Beer-Lambert law: transmitted light to optical density and back, with a white point per channel.

OD = -ln(I / I0). Natural logarithm inside; divide by ln 10 for the log10 values that pathologists report.
Values of zero have no logarithm: they are raised to a floor that rounds back to zero, and can be counted.
"""

from __future__ import annotations

import numpy as np

from .channels import in_any_channel

INTEGER_FLOOR = 0.499
FLOAT_FLOOR = 1e-6


def to_optical_density(values: np.ndarray, white_point: np.ndarray) -> np.ndarray:
    """Turn transmitted light into optical density.

    Parameters
    ----------
    values : ndarray, shape (..., n_bands)
        Recorded light, integer or float.
    white_point : array_like, shape (n_bands,)
        Value of each band where there is no stain, in the same unit.

    Returns
    -------
    ndarray of float32, shape (..., n_bands)
        Natural-log optical density; negative where a value is brighter than the white point.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.light.beer_lambert import to_optical_density
    >>> to_optical_density(np.array([[255, 94]], "uint8"), [255.0, 255.0]).round(3)
    array([[0.   , 0.998]], dtype=float32)
    """
    white = np.asarray(white_point, np.float64)
    if values.dtype.newbyteorder("=") in (np.uint8, np.uint16):
        table = optical_density_table(values.dtype, white)
        out: np.ndarray = np.empty(values.shape, np.float32)
        for band in range(values.shape[-1]):
            np.take(table[band], values[..., band], out=out[..., band])
        return out
    out = np.asarray(values).astype(np.float32)
    if values.dtype.kind in "ui":
        np.maximum(out, np.float32(INTEGER_FLOOR), out=out)
    out /= white.astype(np.float32)
    np.maximum(out, np.float32(FLOAT_FLOOR), out=out)
    np.log(out, out=out)
    return np.negative(out, out=out)


def optical_density_table(dtype: np.dtype, white_point: np.ndarray) -> np.ndarray:
    """Return the optical density of every value an integer channel can hold: float32, shape (n_bands, 256 or 65536)."""
    levels = np.maximum(np.arange(np.iinfo(dtype).max + 1, dtype=np.float64), INTEGER_FLOOR)
    return (np.log(np.asarray(white_point, np.float64))[:, None] - np.log(levels)[None, :]).astype(np.float32)


def from_optical_density(
    density: np.ndarray, white_point: np.ndarray, dtype: type | np.dtype = np.float32
) -> np.ndarray:
    """Turn optical density back into transmitted light; integer types are rounded and clipped to their range."""
    light = np.exp(-np.asarray(density, np.float64)) * np.asarray(white_point, np.float64)
    dtype = np.dtype(dtype)
    if dtype.kind in "ui":
        limits = np.iinfo(dtype)
        light = np.clip(np.rint(light), limits.min, limits.max)
    return light.astype(dtype)


def full_scale(sample: np.ndarray) -> float:
    """Return the brightest value an integer camera would give: 255, 4095 (12 bits in 16) or 65535."""
    limit = float(np.iinfo(sample.dtype).max)
    if limit > 255 and sample.size:
        largest = float(sample.max())
        return next(full for full in (255.0, 1023.0, 4095.0, 16383.0, limit) if largest <= full)
    return limit


def count_clipped(values: np.ndarray) -> tuple[int, int]:
    """Return how many pixels (..., n_bands) have a channel at zero and how many have one at the type's maximum."""
    zero = int(in_any_channel(values <= 0).sum())
    if values.dtype.kind not in "ui":
        return zero, 0
    return zero, int(in_any_channel(values == np.iinfo(values.dtype).max).sum())
