"""The compiled loops of `stain_refine`: the concentrations of every pixel, and what the vectors are moved by."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel

_COORDINATE_SWEEPS = 6


@kernel
def sparse_concentrations(density, vectors, gram, sparsity, h, distance):
    """Solve concentrations h (n, r) >= 0 under a one-norm, from where they are, and note how far each pixel is off.

    Two stains exactly, three by sweeps over the coordinates.
    """
    n, r = h.shape
    wanted = np.empty(r)
    for i in range(n):
        for k in range(r):
            wanted[k] = (
                density[i, 0] * vectors[k, 0] + density[i, 1] * vectors[k, 1] + density[i, 2] * vectors[k, 2] - sparsity
            )
        if r == 2:
            h[i, 0], h[i, 1] = two_concentrations(wanted[0], wanted[1], gram[0, 1])
        else:
            for _ in range(_COORDINATE_SWEEPS):
                for k in range(r):
                    others = 0.0
                    for m in range(r):
                        others += h[i, m] * gram[m, k]
                    h[i, k] = max(0.0, wanted[k] - others + h[i, k])
        squared = 0.0
        for c in range(3):
            rest = density[i, c]
            for k in range(r):
                rest -= h[i, k] * vectors[k, c]
            squared += rest * rest
        distance[i] = np.sqrt(squared)


@kernel
def two_concentrations(first, second, cosine):
    """Solve both stains; where one would be negative, keep the one stain that explains more."""
    scale = 1.0 / max(1.0 - cosine * cosine, 1e-12)
    a, b = (first - cosine * second) * scale, (second - cosine * first) * scale
    if a >= 0.0 and b >= 0.0:
        return a, b
    return (max(first, 0.0), 0.0) if first >= second else (0.0, max(second, 0.0))


@kernel
def robust_sums(density, h, distance, limit, energy, towards):
    """Sum products of concentrations (r, r), and with densities (r, 3), under Huber's weights; return his loss."""
    energy[:] = 0.0
    towards[:] = 0.0
    loss = 0.0
    n, r = h.shape
    for i in range(n):
        far = max(distance[i], limit)
        weight = limit / far
        loss += distance[i] * distance[i] if distance[i] <= limit else 2.0 * limit * distance[i] - limit * limit
        for k in range(r):
            share = weight * h[i, k]
            for m in range(r):
                energy[k, m] += share * h[i, m]
            for c in range(3):
                towards[k, c] += share * density[i, c]
    return loss / 2.0
