"""The compiled loops of `light.tables`: a pixel of 8-bit light to its concentrations and residual."""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import inlined_kernel, kernel, reproducible_kernel

SOLVED, CLEAR, INVALID = 0, 1, 2


@kernel
def same_as_before(i, valid, down):
    """Return whether row i is solved, clear and invalid where the row before is."""
    return i > 0 and len(valid) == 0 and (len(down) == 0 or down[i] == down[i - 1])


@kernel
def row_states(i, where, states, runs):
    """Note for every pixel of row i whether it is solved, clear or invalid, and where runs of solved pixels lie.

    Return how many runs, solved pixels and clear pixels there are.
    """
    valid, cells, down, across = where
    if len(down) == 0:
        states[:] = SOLVED
    else:
        row = cells[down[i]]
        for j in range(len(states)):
            states[j] = row[across[j]]
    if len(valid) > 0:
        for j in range(len(states)):
            states[j] = states[j] if valid[i, j] else INVALID
    n_clear = 0
    for j in range(len(states)):
        n_clear += states[j] == CLEAR
    n_runs, n_solved = solved_runs(states, runs)
    return n_runs, n_solved, n_clear


@kernel
def solved_runs(states, runs):
    """Note where runs (n, 2) of solved pixels begin and end; return how many there are, and of how many pixels."""
    n_runs, n_solved, j, w = 0, 0, 0, len(states)
    while j < w:
        while j < w and states[j] != SOLVED:
            j += 1
        first = j
        while j < w and states[j] == SOLVED:
            j += 1
        if j > first:
            runs[n_runs, 0], runs[n_runs, 1] = first, j
            n_runs += 1
            n_solved += j - first
    return n_runs, n_solved


@kernel
def fill_unsolved(states, maps, i):
    """Put zero where a pixel of row i is clear, and NaN where it is invalid; without a branch."""
    for k in range(len(maps)):
        row = maps[k, i]
        for j in range(len(states)):
            row[j] = np.float32(0.0) if states[j] == CLEAR else np.float32(np.nan)


@inlined_kernel
def row_densities(row, table, densities):
    """Look up the optical density (3, w) of a row (w, 3) of light."""
    for channel in range(3):
        of_value = table[channel]
        for j in range(len(row)):
            densities[channel, j] = of_value[row[j, channel]]


@kernel
def numbers_of(stains):
    """Return the frame and the angle of each two neighbours and what undoes three stains as numbers: see `axes_of`."""
    frames, angles, inverse = stains
    return (
        (axes_of(frames[0]), (angles[0, 0], angles[0, 1], angles[0, 2])),
        (axes_of(frames[1]), (angles[1, 0], angles[1, 1], angles[1, 2])),
        (axes_of(frames[2]), (angles[2, 0], angles[2, 1], angles[2, 2])),
        axes_of(inverse),
    )


@kernel
def axes_of(frame):
    """Return the numbers of a frame (3, 3): arrays are counted wherever they are handed on, which rows would feel."""
    return (
        frame[0, 0], frame[0, 1], frame[0, 2], frame[1, 0], frame[1, 1], frame[1, 2], frame[2, 0], frame[2, 1],
        frame[2, 2],
    )  # fmt: skip


@reproducible_kernel
def in_frame(x, y, z, frame):
    """Return the coordinates of a density in a frame, given by its nine numbers."""
    p0, p1, p2, q0, q1, q2, n0, n1, n2 = frame
    return p0 * x + p1 * y + p2 * z, q0 * x + q1 * y + q2 * z, n0 * x + n1 * y + n2 * z


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


@inlined_kernel
def run_of_two(densities, stains, maps, i, first, last):
    """Solve a run of row i of maps for two unit stains from its densities; return sums of squared residuals and sizes.

    What is sliced along the last axis only stays contiguous, and its loops vectorise.
    """
    frame, angle = stains[0]
    one, other, residual = maps[0, i, first:last], maps[1, i, first:last], maps[2, i, first:last]
    misfit, energy = np.float32(0.0), np.float32(0.0)
    for j in range(len(one)):
        x, y, z = densities[0, j], densities[1, j], densities[2, j]
        p, q, n = in_frame(x, y, z, frame)
        one[j], other[j], rest = of_two(p, q, n, angle)
        residual[j] = root_mean(rest)
        misfit += rest
        energy += x * x + y * y + z * z
    return misfit, energy


@kernel
def run_of_three(densities, stains, best, maps, i, first, last):
    """Solve a run of row i of maps for three unit stains; return the sums as `run_of_two`.

    A pixel inside their cone is explained whole; one outside is nearest to one of the three faces.
    """
    a, b, c, residual = (
        maps[0, i, first:last], maps[1, i, first:last], maps[2, i, first:last], maps[3, i, first:last],
    )  # fmt: skip
    zero = np.float32(0.0)
    n_outside = 0
    for j in range(len(a)):
        x, y, z = in_frame(densities[0, j], densities[1, j], densities[2, j], stains[3])
        a[j], b[j], c[j] = x, y, z
        outside = min(x, min(y, z)) < zero
        best[j] = np.float32(np.inf) if outside else zero
        n_outside += outside
    if n_outside > 0:
        nearest_face(densities, stains[0], best, a, b, c)
        nearest_face(densities, stains[1], best, b, c, a)
        nearest_face(densities, stains[2], best, c, a, b)
    misfit, energy = zero, zero
    for j in range(len(a)):
        residual[j] = root_mean(best[j])
        misfit += best[j]
        x, y, z = densities[0, j], densities[1, j], densities[2, j]
        energy += x * x + y * y + z * z
    return misfit, energy


@reproducible_kernel
def nearest_face(densities, face, best, first, second, absent):
    """Take the answer of two of three stains wherever it leaves less than the best so far."""
    frame, angle = face
    for j in range(len(first)):
        p, q, n = in_frame(densities[0, j], densities[1, j], densities[2, j], frame)
        a, b, rest = of_two(p, q, n, angle)
        better = rest < best[j]
        first[j] = a if better else first[j]
        second[j] = b if better else second[j]
        absent[j] = np.float32(0.0) if better else absent[j]
        best[j] = rest if better else best[j]


@inlined_kernel
def solve_run(light, table, stains, work, maps, i, first, last):
    """Fill a run of row i of maps (r + 1, h, w) from its light (n, 3); return the sums of `run_of_two`."""
    row_densities(light, table, work)
    if len(maps) == 3:
        return run_of_two(work, stains, maps, i, first, last)
    return run_of_three(work, stains, work[3], maps, i, first, last)


@kernel
def solve(values, where, table, stains, maps):
    """Fill maps (r + 1, h, w) of two or three unit stains from values (h, w, 3); see `LightTables.solve`."""
    h, w, _ = values.shape
    work, states, runs = np.empty((4, w), np.float32), np.zeros(w, np.uint8), np.empty((w // 2 + 1, 2), np.int64)
    misfit, energy, n_solved, n_clear = 0.0, 0.0, 0, 0
    numbers, valid, down, n_runs, solved, clear = numbers_of(stains), where[0], where[2], 0, 0, 0
    for i in range(h):
        if not same_as_before(i, valid, down):
            n_runs, solved, clear = row_states(i, where, states, runs)
        if solved < w:
            fill_unsolved(states, maps, i)
        for run in range(n_runs):
            first, last = runs[run, 0], runs[run, 1]
            rest, size = solve_run(values[i, first:last], table, numbers, work, maps, i, first, last)
            misfit += rest
            energy += size
        n_solved += solved
        n_clear += clear
    return misfit, energy, n_solved, n_clear
