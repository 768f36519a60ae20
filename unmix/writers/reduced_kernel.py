"""The compiled loop of `writers.reduced`: means over square blocks of pixels."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import reproducible_kernel


@reproducible_kernel
def block_means(values, step, means):
    """Fill means with the mean of the finite ones of every step x step of values (h, w), NaN where there is none.

    Blocks are summed down, then across, in float64, and only where a sum is not finite is each of its values looked at.
    """
    h, w = values.shape
    down = np.empty(w)
    for i in range(means.shape[0]):
        top, bottom = i * step, min((i + 1) * step, h)
        for x in range(w):
            down[x] = values[top, x]
        for y in range(top + 1, bottom):
            for x in range(w):
                down[x] += values[y, x]
        for j in range(means.shape[1]):
            left, right = j * step, min((j + 1) * step, w)
            total = down[left]
            for x in range(left + 1, right):
                total += down[x]
            if np.isfinite(total):
                means[i, j] = total / ((bottom - top) * (right - left))
            else:
                means[i, j] = _finite_mean(values[top:bottom, left:right])


@reproducible_kernel
def _finite_mean(block):
    """Return the mean of the finite values of a block, NaN where there is none."""
    total, n_finite = 0.0, 0
    for row in block:
        for value in row:
            if np.isfinite(value):
                total += value
                n_finite += 1
    return total / n_finite if n_finite else np.nan
