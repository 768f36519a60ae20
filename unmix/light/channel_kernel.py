"""The compiled loop of `channels`: how often every channel has each 8-bit value."""

from __future__ import annotations

from ..nmf.compiled import kernel


@kernel
def count_values(values, counts):
    """Count every value (n, n_channels) of 8 bits, into counts (n_channels, 256)."""
    n, n_channels = values.shape
    for i in range(n):
        for k in range(n_channels):
            counts[k, values[i, k]] += 1
