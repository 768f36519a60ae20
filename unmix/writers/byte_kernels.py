"""The compiled loops of `writers.slide_pyramid`: 8-bit values of concentrations, means over 2 x 2, and differences."""

from __future__ import annotations

import numpy as np

from ..light.table_sums import byte_row
from ..nmf.compiled import kernel


@kernel
def to_bytes(maps, values, per_concentration):
    """Turn maps (k, h, w) into 8-bit values, halves up, at most 255, NaN zero; return how many were larger."""
    n_beyond = 0
    for k in range(len(maps)):
        for i in range(maps.shape[1]):
            n_beyond += byte_row(maps[k, i], np.float32(per_concentration), values[k, i])
    return n_beyond


@kernel
def halve(values, half):
    """Fill half with the rounded mean of 2 x 2 of 8-bit values (h, w); an odd last row or column stands for itself."""
    h, w = values.shape
    for i in range(len(half)):
        above, below = values[2 * i], values[min(2 * i + 1, h - 1)]
        for j in range(w // 2):
            total = np.uint32(above[2 * j]) + above[2 * j + 1] + below[2 * j] + below[2 * j + 1]
            half[i, j] = np.uint8((total + 2) >> 2)
        if w % 2:
            half[i, w // 2] = np.uint8((2 * np.uint32(above[w - 1]) + 2 * np.uint32(below[w - 1]) + 2) >> 2)


@kernel
def differ(values, top, left, differences):
    """Take a tile out of values (h, w) as differences between neighbours in a row; zeros lie beyond the edge.

    Returns whether any value of the tile is not zero.
    """
    n_rows, n_columns = differences.shape
    h, w = min(n_rows, len(values) - top), min(n_columns, values.shape[1] - left)
    seen = np.uint8(0)
    for i in range(h):
        row, out = values[top + i, left : left + w], differences[i]
        out[0] = row[0]
        seen |= row[0]
        for j in range(1, w):
            out[j] = np.uint8(row[j] - row[j - 1])
            seen |= row[j]
        if w < n_columns:
            out[w] = np.uint8(0 - row[w - 1])
            out[w + 1 :] = 0
    differences[h:] = 0
    return seen != 0
