"""The compiled loops of `writers.preview`: maps become a picture row by row; operations round as they are written."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import reproducible_kernel

_DARKEST = np.float32(8.0)
_SIXTEENTH = np.float32(0.0625)
_ZERO, _HALF, _ONE, _FULL = np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(255.0)
_THIRD, _QUARTER, _FIFTH, _SIXTH = (np.float32(1 / k) for k in (3, 4, 5, 6))


@reproducible_kernel
def draw_absorbed(maps, absorbed, most, invalid, picture):
    """Draw white light after every stain took its part: exp(-sum over k of min(map, most) absorbed).

    maps (r, h, w), absorbed (r, 3), most (r,): float32. Pixels that are not finite in every map are invalid (3,).
    """
    r, h, w = maps.shape
    light, wrong = np.empty((3, w), np.float32), np.empty(w, np.uint8)
    for i in range(h):
        light[:], wrong[:] = _ZERO, 0
        for k in range(r):
            _add_row(maps[k, i], absorbed[k], most[k], light, wrong)
        for c in range(3):
            for j in range(w):
                light[c, j] = _negative_exponential(light[c, j])
        _set_row(light, wrong, invalid, picture[i])


@reproducible_kernel
def draw_added(maps, hues, most, invalid, picture):
    """Draw coloured lights on black: the sum over k of map times hue; weights that sum to more than most are lowered.

    maps (r, h, w), hues (r, 3), most: float32. Pixels that are not finite in every map are invalid (3,).
    """
    r, h, w = maps.shape
    light, wrong = np.empty((3, w), np.float32), np.empty(w, np.uint8)
    total = np.empty(w, np.float32)
    for i in range(h):
        light[:], wrong[:], total[:] = _ZERO, 0, _ZERO
        for k in range(r):
            _add_row(maps[k, i], hues[k], np.float32(np.inf), light, wrong)
            for j in range(w):
                total[j] += maps[k, i, j] if maps[k, i, j] > _ZERO else _ZERO
        for j in range(w):
            total[j] = most / total[j] if total[j] > most else _ONE
        for c in range(3):
            for j in range(w):
                light[c, j] *= total[j]
        _set_row(light, wrong, invalid, picture[i])


@reproducible_kernel
def _add_row(row, colour, most, light, wrong):
    """Add what one map gives to the light (3, w) of a row, nothing where it is negative; mark what is not finite."""
    red, green, blue = colour
    for j in range(len(row)):
        weight = row[j] if row[j] > _ZERO else _ZERO
        weight = weight if weight < most else most
        light[0, j] += weight * red
        light[1, j] += weight * green
        light[2, j] += weight * blue
        wrong[j] |= np.uint8(not np.isfinite(row[j]))


@reproducible_kernel
def _negative_exponential(x):
    """Return exp(-x) for x from 0 to 8, to 4e-5: a series for a sixteenth of x, squared four times."""
    y = x if x > _ZERO else _ZERO
    y = (y if y < _DARKEST else _DARKEST) * _SIXTEENTH
    series = _ONE - y * _FIFTH * (_ONE - y * _SIXTH)
    series = _ONE - y * _HALF * (_ONE - y * _THIRD * (_ONE - y * _QUARTER * series))
    root = _ONE - y * series
    root *= root
    root *= root
    root *= root
    return root * root


@reproducible_kernel
def _set_row(light, wrong, invalid, row):
    """Turn light (3, w), 0 to 1, into the 8-bit pixels (w, 3) of a row."""
    for c in range(3):
        for j in range(len(row)):
            value = light[c, j] if light[c, j] > _ZERO else _ZERO
            level = np.int32((value if value < _ONE else _ONE) * _FULL + _HALF)
            row[j, c] = invalid[c] if wrong[j] else np.uint8(level)
