"""The compiled loop of `stain_gates`: what becomes of a pixel, decided one gate after the other."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import exact_kernel

KEPT, BACKGROUND, CLIPPED, OVER_DENSE, BRIGHTER, OFF_COLOUR, GREY = range(7)


@exact_kernel
def gate(density, clipped, limits, cones, near, norms, fates, counts):
    """Note the length of the positive part of every density (n, 3) and the first gate that drops it; count these.

    `limits` are the least and the largest density and the least of a channel; `cones` (k, 2, 3) pairs of unit vectors,
    within whose plane cone the cosine `near[0]` must be reached, and `near[1]` that to grey not be passed.
    """
    least, largest, brightest = limits
    grey = 1.0 / np.sqrt(3.0)
    for i in range(len(density)):
        x, y, z = float(density[i, 0]), float(density[i, 1]), float(density[i, 2])
        low = min(x, min(y, z))
        x, y, z = max(x, 0.0), max(y, 0.0), max(z, 0.0)
        norm = np.sqrt(x * x + y * y + z * z)
        norms[i] = norm
        if norm <= least:
            fates[i] = BACKGROUND
        elif clipped[i]:
            fates[i] = CLIPPED
        elif norm > largest:
            fates[i] = OVER_DENSE
        elif low < brightest:
            fates[i] = BRIGHTER
        elif cosine_to_cones(x / norm, y / norm, z / norm, cones, near[0]) < near[0]:
            fates[i] = OFF_COLOUR
        else:
            fates[i] = GREY if (x + y + z) / norm * grey > near[1] else KEPT
        counts[fates[i]] += 1


@exact_kernel
def cosine_to_cones(x, y, z, cones, enough):
    """Return the cosine of the angle from a unit vector to the nearest of several plane cones.

    Or to the first whose cosine is `enough`.
    """
    best = -1.0
    for k in range(len(cones)):
        if best >= enough:
            break
        a, b = cones[k, 0], cones[k, 1]
        c = a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
        along_a = x * a[0] + y * a[1] + z * a[2]
        along_b = x * b[0] + y * b[1] + z * b[2]
        h_a, h_b = (along_a - c * along_b) / (1 - c * c), (along_b - c * along_a) / (1 - c * c)
        if h_a >= 0 and h_b >= 0:
            best = max(best, np.sqrt(max(h_a * along_a + h_b * along_b, 0.0)))
        else:
            best = max(best, max(along_a, along_b))
    return best


@exact_kernel
def sum_between(density, least, largest, total):
    """Sum the densities (n, 3) whose length lies between two; return how many."""
    n_dense, x, y, z = 0, 0.0, 0.0, 0.0
    for i in range(len(density)):
        a, b, c = float(density[i, 0]), float(density[i, 1]), float(density[i, 2])
        squared = a * a + b * b + c * c
        if least * least < squared < largest * largest:
            n_dense += 1
            x, y, z = x + a, y + b, z + c
    total[0], total[1], total[2] = x, y, z
    return n_dense
