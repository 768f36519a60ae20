"""Pixels of one and the same colour: pen, ink and labels. Tissue varies; what does not is no tissue."""

from __future__ import annotations

import math

import numpy as np

CELLS = (4.0, 6.0)
LEAST_SHARE, LARGE_SHARE = 0.003, 0.15
LEAST_PIXELS = 60
TIMES_AROUND, TIMES_AROUND_LARGE = 3.0, 6.0
AT_MOST_DROPPED = 0.5

_MOST_COLOURS = 8
_NEAR, _AROUND = 1, 3


def one_colour_pixels(density: np.ndarray) -> np.ndarray:
    """Return which tissue pixels share one colour that stands out from all colours near it.

    A colour stands out where a small box of grey levels (12 or 18 of 255 in each channel) holds three times as many
    pixels as what is left of the box around it (28 or 42); six times where that is much of the tissue, which may have
    a ground colour of its own. On real tissue it holds a tenth to a half.

    Parameters
    ----------
    density : ndarray, shape (n, 3)
        Optical density of tissue pixels.

    Returns
    -------
    ndarray of bool, shape (n,)
        None at all where more than half would go: a picture drawn in flat colours has no other pixels.
    """
    one_colour = np.zeros(len(density), bool)
    if len(density) < LEAST_PIXELS:
        return one_colour
    light = np.exp(-np.maximum(density, 0.0).T)  # a channel after the other
    for levels in CELLS:
        one_colour |= _standing_out([np.rint(255.0 / levels * channel).astype(np.int64) for channel in light])
    return one_colour if one_colour.mean() <= AT_MOST_DROPPED else np.zeros(len(density), bool)


def _standing_out(cells: list[np.ndarray]) -> np.ndarray:
    """Return which pixels lie in or around the cells, three numbers (n,) each, of colours that stand out."""
    n = len(cells[0])
    found = np.zeros(n, bool)
    columns = [column - column.min() for column in cells]
    shape = tuple(int(column.max()) + 1 for column in columns)
    held = np.bincount(np.ravel_multi_index(columns, shape), minlength=math.prod(shape)).reshape(shape)
    for _ in range(_MOST_COLOURS):
        near = _box_sums(held, _NEAR)
        around = _box_sums(held, _AROUND) - near
        needed = np.where(near <= LARGE_SHARE * n, TIMES_AROUND, TIMES_AROUND_LARGE)
        times = np.where(near >= max(LEAST_PIXELS, LEAST_SHARE * n), near / np.maximum(around, 1) / needed, 0.0)
        if times.max() < 1.0:
            break
        place = np.unravel_index(int(times.argmax()), shape)
        held[tuple(slice(max(0, k - _AROUND), k + _AROUND + 1) for k in place)] = 0
        off = [np.abs(column - k) <= _AROUND for column, k in zip(columns, place, strict=True)]
        found |= off[0] & off[1] & off[2]
    return found


def _box_sums(held: np.ndarray, reach: int) -> np.ndarray:
    """Return the sum over all cells at most `reach` away along every axis."""
    for axis in range(held.ndim):
        beyond = [(reach + 1, reach) if k == axis else (0, 0) for k in range(held.ndim)]
        total = np.moveaxis(np.pad(held, beyond).cumsum(axis=axis), axis, 0)
        held = np.moveaxis(total[2 * reach + 1 :] - total[: -2 * reach - 1], 0, axis)
    return held
