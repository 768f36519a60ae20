"""The compiled loops of `light.tables`: a pixel of 8-bit light to its concentrations and residual."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel
from ..nmf.quadratic import solve_by_active_set, solve_by_table

SOLVED, CLEAR, INVALID = 0, 1, 2


@kernel
def row_states(i, valid, cells, down, across, states):
    """Note for every pixel of row i whether it is solved, clear or invalid; return how many are solved and clear."""
    if len(down) == 0:
        states[:] = SOLVED
    elif i == 0 or down[i] != down[i - 1] or len(valid) > 0:
        row = cells[down[i]]
        for j in range(len(states)):
            states[j] = row[across[j]]
    if len(valid) > 0:
        for j in range(len(states)):
            states[j] = states[j] if valid[i, j] else INVALID
    n_solved, n_clear = 0, 0
    for j in range(len(states)):
        n_solved += states[j] == SOLVED
        n_clear += states[j] == CLEAR
    return n_solved, n_clear


@kernel
def fill_unsolved(states, maps, i):
    """Put zero where a pixel of row i is clear, and NaN where it is invalid."""
    for k in range(len(maps)):
        for j in range(len(states)):
            if states[j] != SOLVED:
                maps[k, i, j] = np.float32(0.0) if states[j] == CLEAR else np.float32(np.nan)


@kernel
def row_in_frame(row, frame, p, q, n):
    """Sum the coordinates of a row (w, 3) of light in the frame of two stains."""
    for j in range(len(row)):
        red, green, blue = row[j, 0], row[j, 1], row[j, 2]
        p[j] = frame[0, red, 0] + frame[1, green, 0] + frame[2, blue, 0]
        q[j] = frame[0, red, 1] + frame[1, green, 1] + frame[2, blue, 1]
        n[j] = frame[0, red, 2] + frame[1, green, 2] + frame[2, blue, 2]


@kernel
def row_of_two(states, p, q, n, cos, sin, first, second, residual):
    """Solve a row for two unit stains `cos`, `sin` apart; return the sums of squared residuals and densities."""
    zero, third = np.float32(0.0), np.float32(1.0 / 3.0)
    misfit, energy = zero, zero
    for j in range(len(p)):
        x, y, z = p[j], q[j], n[j]
        along, beside = cos * x + sin * y, sin * x - cos * y
        only_first, only_second = y < zero, beside < zero
        a = beside / sin
        b = y / sin
        first[j] = max(x, zero) if only_first else (zero if only_second else a)
        second[j] = zero if only_first else (max(along, zero) if only_second else b)
        across = y if only_first else (beside if only_second else zero)
        behind = min(x, zero) if only_first else (min(along, zero) if only_second else zero)
        rest = z * z + across * across + behind * behind
        residual[j] = np.sqrt(rest * third)
        counts = states[j] == SOLVED
        misfit += rest if counts else zero
        energy += x * x + y * y + z * z if counts else zero
    return misfit, energy


@kernel
def solve_two(values, valid, cells, down, across, frame, cos, sin, maps):
    """Fill maps (3, h, w) of two unit stains from values (h, w, 3); see `LightTables.solve`.

    The frame is orthonormal: along the first stain, beside it in the plane of both, and across that plane, so that
    nothing is lost to rounding where the residual is small.
    """
    h, w, _ = values.shape
    p, q, n = np.empty(w, np.float32), np.empty(w, np.float32), np.empty(w, np.float32)
    states = np.zeros(w, np.uint8)
    misfit, energy, n_solved, n_clear = 0.0, 0.0, 0, 0
    for i in range(h):
        solved, clear = row_states(i, valid, cells, down, across, states)
        if solved > 0:
            row_in_frame(values[i], frame, p, q, n)
            rest, size = row_of_two(states, p, q, n, cos, sin, maps[0, i], maps[1, i], maps[2, i])
            misfit += rest
            energy += size
        if solved < w:
            fill_unsolved(states, maps, i)
        n_solved += solved
        n_clear += clear
    return misfit, energy, n_solved, n_clear


@kernel
def solve_three(values, valid, cells, down, across, products, squares, G, inverse, T, t, maps):
    """Fill maps (4, h, w) of three stains from values (h, w, 3); see `LightTables.solve`."""
    h, w, _ = values.shape
    r = len(G)
    f, a, g = np.empty(r), np.empty(r), np.empty(r)
    z, L, passive = np.empty(r + 3), np.empty((r, r)), np.empty(r, np.bool_)
    states = np.zeros(w, np.uint8)
    misfit, energy, n_solved, n_clear = 0.0, 0.0, 0, 0
    for i in range(h):
        solved, clear = row_states(i, valid, cells, down, across, states)
        n_solved += solved
        n_clear += clear
        fill_unsolved(states, maps, i)
        for j in range(w):
            if states[j] != SOLVED:
                continue
            red, green, blue = values[i, j, 0], values[i, j, 1], values[i, j, 2]
            size = squares[0, red] + squares[1, green] + squares[2, blue]
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
                found = solve_by_table(f, T, t, False, (1 << r) - 1, z)
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
    return misfit, energy, n_solved, n_clear
