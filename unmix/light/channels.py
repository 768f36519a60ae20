"""What holds for the few channels of many pixels, one channel after the other: reducing a short last axis is slow.

Along an axis of three NumPy's own reductions take ten times as long.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce

import numpy as np


def in_all_channels(condition: np.ndarray) -> np.ndarray:
    """Return for which pixels a condition (..., n_channels) holds in all channels."""
    held: np.ndarray = reduce(np.logical_and, np.moveaxis(condition, -1, 0))
    return held


def in_any_channel(condition: np.ndarray) -> np.ndarray:
    """Return for which pixels a condition (..., n_channels) holds in any channel."""
    held: np.ndarray = reduce(np.logical_or, np.moveaxis(condition, -1, 0))
    return held


def reached_in_all_channels(values: np.ndarray, least: np.ndarray) -> np.ndarray:
    """Return for which pixels (n, n_channels) every channel is at least what `least` (n_channels,) says of it."""
    if values.dtype.kind != "u":
        return in_all_channels(values >= least)
    limits = np.ceil(least).astype(np.int64).tolist()  # whole numbers are compared as such
    held: np.ndarray = reduce(np.logical_and, map(np.greater_equal, values.T, limits))
    return held


def least_channel(values: np.ndarray) -> np.ndarray:
    """Return the least of the channels of every pixel (..., n_channels)."""
    found: np.ndarray = reduce(np.minimum, np.moveaxis(values, -1, 0))
    return found


def largest_channel(values: np.ndarray) -> np.ndarray:
    """Return the largest of the channels of every pixel (..., n_channels)."""
    found: np.ndarray = reduce(np.maximum, np.moveaxis(values, -1, 0))
    return found


def percentiles(values: np.ndarray, shares: Sequence[float]) -> np.ndarray:
    """Return percentiles (len(shares), n_channels) of every channel of values (n, n_channels), as `numpy.percentile`.

    8-bit values are counted, not sorted.
    """
    if values.dtype != np.uint8:
        found: np.ndarray = np.percentile(values, shares, axis=0)
        return found
    places = np.asarray(shares) / 100 * (len(values) - 1)
    below = np.floor(places).astype(np.int64)
    columns = []
    for up_to in counts_of_values(values).cumsum(axis=1):
        low, high = (np.searchsorted(up_to, np.minimum(k, len(values) - 1), "right") for k in (below, below + 1))
        columns.append(low + (high - low) * (places - below))
    return np.stack(columns, axis=1)


def counts_of_values(values: np.ndarray) -> np.ndarray:
    """Return how often each of 256 values occurs in every channel (n_channels, 256) of 8-bit values (n, n_channels)."""
    from .channel_kernel import count_values

    counts = np.zeros((values.shape[1], 256), np.int64)
    count_values(values, counts)
    return counts
