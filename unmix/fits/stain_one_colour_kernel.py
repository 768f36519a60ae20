"""The compiled loop of `stain_one_colour`: how many pixels have each colour."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import exact_kernel


@exact_kernel
def count_colours(light, per_unit, low, held):
    """Count light (3, n) in cells of `per_unit` to a unit, of which `low` (3,) is the first of held (i, j, k)."""
    for p in range(light.shape[1]):
        i, j, k = np.rint(per_unit * light[0, p]), np.rint(per_unit * light[1, p]), np.rint(per_unit * light[2, p])
        held[int(i) - low[0], int(j) - low[1], int(k) - low[2]] += 1
