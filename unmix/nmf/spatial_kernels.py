"""The inner loops of the spatial terms, serial and without the interpreter lock."""

from __future__ import annotations

import numpy as np

from .compiled import kernel


@kernel
def neighbour_pull(
    a: np.ndarray, right: np.ndarray, below: np.ndarray, edge: float, slope: np.ndarray, curvature: np.ndarray
) -> None:
    """Write gradient and separable curvature, at a (n,), of the summed roughness between neighbours.

    `edge` is where the roughness of a difference turns from quadratic to linear; infinite: half its square.
    """
    slope[:] = 0.0
    curvature[:] = 0.0
    quadratic = edge == np.inf
    for i in range(len(a)):
        for side in range(2):
            j = right[i] if side == 0 else below[i]
            if j >= 0:
                difference = a[i] - a[j]
                weight = 1.0 if quadratic else 1.0 / max(abs(difference), edge)
                slope[i] += weight * difference
                slope[j] -= weight * difference
                curvature[i] += 2.0 * weight
                curvature[j] += 2.0 * weight


@kernel
def roughness(a: np.ndarray, right: np.ndarray, below: np.ndarray, edge: float) -> float:
    """Return the summed roughness between neighbours of a (n,); see `neighbour_pull`."""
    quadratic = edge == np.inf
    total = 0.0
    for i in range(len(a)):
        for side in range(2):
            j = right[i] if side == 0 else below[i]
            if j >= 0:
                difference = abs(np.float64(a[i]) - np.float64(a[j]))
                if quadratic:
                    total += 0.5 * difference * difference
                elif difference <= edge:
                    total += 0.5 * difference * difference / edge
                else:
                    total += difference - 0.5 * edge
    return total
