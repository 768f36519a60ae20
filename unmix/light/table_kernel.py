"""The compiled loop of `light.tables`: a pixel of 8-bit light to its concentrations and residual."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel
from ..nmf.quadratic import solve_by_active_set, solve_by_table


@kernel
def solve_light(values, valid, clear, products, squares, G, inverse, sets, maps):
    """Fill maps (r + 1, h, w) from values (h, w, 3); see `LightTables.solve`."""
    h, w, _ = values.shape
    r = len(G)
    f, a, g = np.empty(r), np.empty(r), np.empty(r)
    z, L, passive = np.empty(r + 3), np.empty((r, r)), np.empty(r, np.bool_)
    misfit, energy, n_solved, n_clear = 0.0, 0.0, 0, 0
    for i in range(h):
        for j in range(w):
            if not valid[i, j] or clear[i, j]:
                empty = np.float32(0.0) if valid[i, j] else np.float32(np.nan)
                n_clear += valid[i, j]
                for k in range(r + 1):
                    maps[k, i, j] = empty
                continue
            red, green, blue = values[i, j, 0], values[i, j, 1], values[i, j, 2]
            size = squares[0, red] + squares[1, green] + squares[2, blue]
            if r == 2:
                f0 = products[0, red, 0] + products[1, green, 0] + products[2, blue, 0]
                f1 = products[0, red, 1] + products[1, green, 1] + products[2, blue, 1]
                a0 = inverse[0, 0] * f0 + inverse[0, 1] * f1
                a1 = inverse[1, 0] * f0 + inverse[1, 1] * f1
                if a0 < 0.0 or a1 < 0.0:
                    first = a1 < 0.0 and f0 > 0.0
                    second = a0 < 0.0 and f1 > 0.0
                    a0 = f0 / G[0, 0] if first else 0.0
                    a1 = f1 / G[1, 1] if second and not first else 0.0
                rest = size - 2 * (a0 * f0 + a1 * f1) + a0 * a0 * G[0, 0] + 2 * a0 * a1 * G[0, 1] + a1 * a1 * G[1, 1]
                maps[0, i, j], maps[1, i, j] = a0, a1
            else:
                for k in range(r):
                    f[k] = products[0, red, k] + products[1, green, k] + products[2, blue, k]
                inside = True
                for k in range(r):
                    s = 0.0
                    for m in range(r):
                        s += inverse[k, m] * f[m]
                    a[k] = s
                    inside = inside and s >= 0.0
                if not inside:
                    found = solve_by_table(f, *sets, False, (1 << r) - 1, z)
                    if found < 0:
                        solve_by_active_set(G, f, False, a, g, z, passive, L)
                    else:
                        for k in range(r):
                            a[k] = z[k] if (found >> k) & 1 else 0.0
                rest = size
                for k in range(r):
                    s = -2 * f[k]
                    for m in range(r):
                        s += G[k, m] * a[m]
                    rest += a[k] * s
                    maps[k, i, j] = a[k]
            rest = max(rest, 0.0)
            maps[r, i, j] = np.sqrt(rest / 3)
            misfit += rest
            energy += size
            n_solved += 1
    return misfit, energy, n_solved, n_clear
