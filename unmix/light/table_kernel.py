"""The compiled loops of `light.tables`: a pixel of 8-bit light to its concentrations and residual."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel, reproducible_kernel

SOLVED, CLEAR, INVALID = 0, 1, 2


@kernel
def row_states(i, where, states, before):
    """Note for every pixel of row i whether it is solved, clear or invalid; return how many are solved and clear.

    `before` are the numbers of the row before, which hold where nothing changes from one row to the next.
    """
    valid, cells, down, across = where
    if len(valid) == 0 and i > 0 and (len(down) == 0 or down[i] == down[i - 1]):
        return before
    if len(down) == 0:
        states[:] = SOLVED
    else:
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
    """Put zero where a pixel of row i is clear, and NaN where it is invalid; without a branch."""
    for k in range(len(maps)):
        row = maps[k, i]
        for j in range(len(states)):
            unsolved = np.float32(0.0) if states[j] == CLEAR else np.float32(np.nan)
            row[j] = row[j] if states[j] == SOLVED else unsolved


@kernel
def row_densities(row, table, densities):
    """Look up the optical density (3, w) of a row (w, 3) of light."""
    for channel in range(3):
        of_value = table[channel]
        for j in range(len(row)):
            densities[channel, j] = of_value[row[j, channel]]


@reproducible_kernel
def row_in_frame(densities, frame, p, q, n):
    """Turn densities (3, w) into coordinates in a frame (3, 3), an axis a row."""
    p0, p1, p2 = frame[0, 0], frame[0, 1], frame[0, 2]
    q0, q1, q2 = frame[1, 0], frame[1, 1], frame[1, 2]
    n0, n1, n2 = frame[2, 0], frame[2, 1], frame[2, 2]
    for j in range(len(p)):
        x, y, z = densities[0, j], densities[1, j], densities[2, j]
        p[j] = p0 * x + p1 * y + p2 * z
        q[j] = q0 * x + q1 * y + q2 * z
        n[j] = n0 * x + n1 * y + n2 * z


@reproducible_kernel
def of_two(x, y, z, angle):
    """Solve one pixel for two unit stains an `angle` (cosine, sine, 1 / sine) apart; also return the squared residual.

    Its coordinates are along the first stain, beside it in the plane of both, and across that plane.
    """
    cos, sin, stretch = angle
    zero = np.float32(0.0)
    along, beside = cos * x + sin * y, sin * x - cos * y
    only_first, only_second = y < zero, beside < zero
    first = max(x, zero) if only_first else (zero if only_second else beside * stretch)
    second = zero if only_first else (max(along, zero) if only_second else y * stretch)
    across = y if only_first else (beside if only_second else zero)
    behind = min(x, zero) if only_first else (min(along, zero) if only_second else zero)
    return first, second, z * z + across * across + behind * behind


@reproducible_kernel
def root_mean(rest):
    """Return the root mean square over three channels of a squared residual."""
    return np.sqrt(rest * np.float32(1.0 / 3.0))


@kernel
def row_of_two(states, densities, stains, work, maps, i):
    """Solve row i of maps for two unit stains; return the sums of squared residuals and densities."""
    frames, angles, _ = stains
    p, q, n = work[0], work[1], work[2]
    row_in_frame(densities, frames[0], p, q, n)
    first, second, residual = maps[0, i], maps[1, i], maps[2, i]
    angle = angles[0, 0], angles[0, 1], angles[0, 2]
    zero = np.float32(0.0)
    misfit, energy = zero, zero
    for j in range(len(p)):
        first[j], second[j], rest = of_two(p[j], q[j], n[j], angle)
        residual[j] = root_mean(rest)
        counts = states[j] == SOLVED
        misfit += rest if counts else zero
        energy += p[j] * p[j] + q[j] * q[j] + n[j] * n[j] if counts else zero
    return misfit, energy


@kernel
def row_of_three(states, densities, stains, work, maps, i):
    """Solve row i of maps for three unit stains; return the sums of squared residuals and densities.

    A pixel inside their cone is explained whole; one outside is nearest to one of the three faces.
    """
    frames, angles, inverse = stains
    p, q, n, best = work[0], work[1], work[2], work[3]
    zero = np.float32(0.0)
    row_in_frame(densities, inverse, maps[0, i], maps[1, i], maps[2, i])
    n_outside = 0
    for j in range(len(p)):
        outside = min(maps[0, i, j], min(maps[1, i, j], maps[2, i, j])) < zero
        best[j] = np.float32(np.inf) if outside else zero
        n_outside += outside
    if n_outside > 0:
        for k in range(3):
            row_in_frame(densities, frames[k], p, q, n)
            angle = angles[k, 0], angles[k, 1], angles[k, 2]
            nearest_face(p, q, n, angle, best, maps[k, i], maps[(k + 1) % 3, i], maps[(k + 2) % 3, i])
    misfit, energy = zero, zero
    residual = maps[3, i]
    for j in range(len(p)):
        residual[j] = root_mean(best[j])
        counts = states[j] == SOLVED
        misfit += best[j] if counts else zero
        x, y, z = densities[0, j], densities[1, j], densities[2, j]
        energy += x * x + y * y + z * z if counts else zero
    return misfit, energy


@reproducible_kernel
def nearest_face(p, q, n, angle, best, first, second, absent):
    """Take the answer of two of three stains wherever it leaves less than the best so far."""
    for j in range(len(p)):
        a, b, rest = of_two(p[j], q[j], n[j], angle)
        better = rest < best[j]
        first[j] = a if better else first[j]
        second[j] = b if better else second[j]
        absent[j] = np.float32(0.0) if better else absent[j]
        best[j] = rest if better else best[j]


@kernel
def solve_row(light, states, table, stains, work, maps, i):
    """Fill row i of maps (r + 1, h, w) from light (w, 3); return the sums of squared residuals and densities."""
    densities = work[4:]
    row_densities(light, table, densities)
    if len(maps) == 3:
        return row_of_two(states, densities, stains, work, maps, i)
    return row_of_three(states, densities, stains, work, maps, i)


@kernel
def solve(values, where, table, stains, maps):
    """Fill maps (r + 1, h, w) of two or three unit stains from values (h, w, 3); see `LightTables.solve`."""
    h, w, _ = values.shape
    work, states = np.empty((7, w), np.float32), np.zeros(w, np.uint8)
    misfit, energy, n_solved, n_clear, solved, clear = 0.0, 0.0, 0, 0, 0, 0
    for i in range(h):
        solved, clear = row_states(i, where, states, (solved, clear))
        if solved > 0:
            rest, size = solve_row(values[i], states, table, stains, work, maps, i)
            misfit += rest
            energy += size
        if solved < w:
            fill_unsolved(states, maps, i)
        n_solved += solved
        n_clear += clear
    return misfit, energy, n_solved, n_clear
