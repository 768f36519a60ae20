"""The inner loops of the symmetric factorisation, serial and without the interpreter lock."""

from __future__ import annotations

import numpy as np

from .compiled import exact_kernel


@exact_kernel
def sweep_symmetric(
    starts: np.ndarray, columns: np.ndarray, values: np.ndarray, diagonal: np.ndarray, W: np.ndarray, C: np.ndarray
) -> None:
    """Give each entry of W (n, r) its exact optimum, column after column; C = W'W is kept up to date."""
    n, r = W.shape
    for j in range(r):
        for i in range(n):
            x = W[i, j]
            own, product, similar = 0.0, 0.0, 0.0
            for k in range(r):
                if k != j:
                    own += W[i, k] * W[i, k]
                    product += W[i, k] * (C[k, j] - W[i, k] * x)
            for place in range(starts[i], starts[i + 1]):
                if columns[place] != i:
                    similar += values[place] * W[columns[place], j]
            p = (C[j, j] - x * x) + own - diagonal[i]
            best = _least_quartic(p, product - similar)
            change = best - x
            if change != 0.0:
                for k in range(r):
                    if k != j:
                        C[k, j] += change * W[i, k]
                        C[j, k] = C[k, j]
                C[j, j] += best * best - x * x
                W[i, j] = best


@exact_kernel
def _least_quartic(p: float, q: float) -> float:
    """Return the x >= 0 where x^4 / 4 + p x^2 / 2 + q x is least."""
    discriminant = (q / 2) ** 2 + (p / 3) ** 3
    if discriminant > 0:
        root = np.sqrt(discriminant)
        large = -q / 2 - root if q > 0 else -q / 2 + root
        side = np.cbrt(large)
        x = side - p / (3 * side) if side != 0 else 0.0
    elif p == 0.0:
        x = 0.0
    else:
        size = 2 * np.sqrt(-p / 3)
        x = size * np.cos(np.arccos(min(max(-4 * q / size**3, -1.0), 1.0)) / 3)
    if x <= 0.0:
        return 0.0
    slope = 3 * x * x + p
    if slope > 0.0:
        x = max(x - (x * x * x + p * x + q) / slope, 0.0)
    return x if x**4 / 4 + p * x * x / 2 + q * x < 0.0 else 0.0


@exact_kernel
def squared_error_symmetric(
    starts: np.ndarray, columns: np.ndarray, values: np.ndarray, W: np.ndarray, C: np.ndarray
) -> float:
    """Return |S - W W'|^2, summed over the entries of S that are not zero and, through C = W'W, all others."""
    n, r = W.shape
    near, explained = 0.0, 0.0
    for i in range(n):
        for place in range(starts[i], starts[i + 1]):
            j = columns[place]
            model = 0.0
            for k in range(r):
                model += W[i, k] * W[j, k]
            near += (values[place] - model) ** 2
            explained += model * model
    everywhere = 0.0
    for k in range(r):
        for m in range(r):
            everywhere += C[k, m] * C[k, m]
    return near + max(everywhere - explained, 0.0)
