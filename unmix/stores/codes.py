"""The compiled loops of `stores.slide_maps`: concentrations to 16-bit codes and back, and to 8-bit values."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel
from . import INVALID_CODE, LARGEST_CODE, PER_UNIT


@kernel
def encode_row(values, row, sums):
    """Write values as codes, add the codes to sums, and return the largest; what is not a number becomes zero."""
    for j in range(len(values)):
        value = values[j] * np.float32(PER_UNIT) + np.float32(0.5)
        row[j] = np.uint16(np.int32(min(max(value, np.float32(0.0)), np.float32(LARGEST_CODE))))
    high = np.uint16(0)
    for j in range(len(row)):
        high = max(high, row[j])
        sums[j] += row[j]
    return high


@kernel
def add_cells(sums, cells, left, step):
    """Add sums of columns to the cells of `step` columns they lie in, `left` being the first column; clear them."""
    start, cell = 0, left // step
    while start < len(sums):
        stop = min(len(sums), (cell + 1) * step - left)
        for j in range(start, stop):
            cells[cell] += sums[j]
            sums[j] = 0
        start, cell = stop, cell + 1


@kernel
def encode(maps, codes, totals, n_invalid, largest, top, left, step):
    """Write maps (k, h, w) as codes; add them to totals (k, Y, X) of cells of step x step pixels from (top, left).

    A pixel that is not a number is counted in n_invalid (Y, X) once; largest (k,) keeps the largest code of each map.
    """
    n_maps, h, w = maps.shape
    sums = np.zeros(w, np.uint32)
    for k in range(n_maps):
        for i in range(h):
            largest[k] = max(largest[k], encode_row(maps[k, i], codes[k, i], sums))
            if (top + i + 1) % step == 0 or i == h - 1:
                add_cells(sums, totals[k, (top + i) // step], left, step)
    mark_invalid(maps, codes, n_invalid, top, left, step)


@kernel
def mark_invalid(maps, codes, n_invalid, top, left, step):
    """Give pixels that are not a number a code of their own, and count them by cell."""
    n_maps, h, w = maps.shape
    for i in range(h):
        n_bad = 0
        for j in range(w):
            n_bad += np.isnan(maps[0, i, j])
        if n_bad == 0:
            continue
        for j in range(w):
            if np.isnan(maps[0, i, j]):
                n_invalid[(top + i) // step, (left + j) // step] += 1
                for k in range(n_maps):
                    codes[k, i, j] = INVALID_CODE


@kernel
def decode(codes, values):
    """Turn codes (h, w) back into concentrations; NaN where invalid."""
    h, w = codes.shape
    for i in range(h):
        for j in range(w):
            code = codes[i, j]
            value = np.float32(code) * np.float32(1.0 / PER_UNIT)
            values[i, j] = value if code != INVALID_CODE else np.float32(np.nan)


@kernel
def to_bytes(codes, values, per_byte):
    """Turn codes (h, w) into 8-bit values of per_byte codes each, at most 255; return how many were larger."""
    h, w = codes.shape
    n_beyond = 0
    half = np.uint32(per_byte // 2)
    for i in range(h):
        for j in range(w):
            code = np.uint32(codes[i, j])
            value = (code + half) // np.uint32(per_byte)
            invalid = code == INVALID_CODE
            n_beyond += (value > 255) & ~invalid
            values[i, j] = np.uint8(0 if invalid else min(value, np.uint32(255)))
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
