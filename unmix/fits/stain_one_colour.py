"""Pixels of one and the same colour: pen, ink and labels. Tissue varies; what does not is no tissue."""

from __future__ import annotations

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
    light = np.exp(-np.maximum(density, 0.0).T.astype(np.float32, order="C"))  # a channel after the other
    for levels in CELLS:
        one_colour |= _standing_out(light, np.float32(255.0 / levels))
    return one_colour if one_colour.mean() <= AT_MOST_DROPPED else np.zeros(len(density), bool)


def _standing_out(light: np.ndarray, per_unit: np.float32) -> np.ndarray:
    """Return which pixels (3, n) lie in or around the cells, so many to a unit of light, of colours that stand out."""
    from .stain_one_colour_kernel import count_colours

    n = light.shape[1]
    found = np.zeros(n, bool)
    low, high = (_cells(end, per_unit) for end in (light.min(axis=1), light.max(axis=1)))
    shape = tuple(int(size) for size in high - low + 1)
    held = np.zeros(shape, np.int32)
    count_colours(light, per_unit, low, held)
    for _ in range(_MOST_COLOURS):
        near, around = _box_sums(held, _NEAR).ravel(), _box_sums(held, _AROUND).ravel()
        many = np.flatnonzero(near >= max(LEAST_PIXELS, LEAST_SHARE * n))
        if not len(many):
            break
        near, around = near[many], around[many] - near[many]
        times = near / np.maximum(around, 1) / np.where(near <= LARGE_SHARE * n, TIMES_AROUND, TIMES_AROUND_LARGE)
        if times.max() < 1.0:
            break
        place = np.unravel_index(many[int(times.argmax())], shape)
        held[tuple(slice(max(0, k - _AROUND), k + _AROUND + 1) for k in place)] = 0
        off = np.abs(_cells(light, per_unit) - (low + place)[:, None]) <= _AROUND
        found |= off[0] & off[1] & off[2]
    return found


def _cells(light: np.ndarray, per_unit: np.float32) -> np.ndarray:
    """Return the cells that light lies in."""
    return np.rint(per_unit * light).astype(np.int32)


def _box_sums(held: np.ndarray, reach: int) -> np.ndarray:
    """Return the sum over all cells at most `reach` away along every axis."""
    for axis in range(held.ndim):
        cells = np.moveaxis(held, axis, 0)
        sums = held.copy()
        along = np.moveaxis(sums, axis, 0)
        for away in range(1, reach + 1):
            along[away:] += cells[:-away]
            along[:-away] += cells[away:]
        held = sums
    return held
