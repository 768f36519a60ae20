"""The compiled loops of `light.tables` that only add up: the maps over cells of a coarse grid, without keeping them.

Concentrations are added as whole numbers, so many to a unit, so that the sums depend on no order. What is negative or
not a number adds nothing.
"""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import inlined_kernel, kernel
from .table_kernel import INVALID, numbers_of, row_states, same_as_before, solve_run


@inlined_kernel
def add_row(values, scale, most, sums):
    """Add a row of values, `scale` numbers to a unit, to the sums of its columns; return the largest number."""
    high = np.int32(0)
    for j in range(len(values)):
        number = np.int32(min(max(values[j] * scale + np.float32(0.5), np.float32(0.0)), most))
        high = max(high, number)
        sums[j] += np.uint32(number)
    return high


@kernel
def halve(wide, narrow, n):
    """Add neighbours of 2 n numbers; a loop that vectorises."""
    for j in range(n):
        narrow[j] = wide[2 * j] + wide[2 * j + 1]


@kernel
def add_cells(sums, cells, left, step, work):
    """Add sums of columns to the cells of `step` columns they lie in, `left` being the first column; clear them.

    `step` is a power of two: whole cells are added up by halves, in `work` (2, w).
    """
    w, cell = len(sums), left // step
    head = min(w, (step - left % step) % step)
    n_whole = (w - head) // step
    for j in range(head):
        cells[cell] += sums[j]
    cell += head > 0
    n, wide, turn = n_whole * step, sums[head:], 0
    while n > n_whole:
        n //= 2
        halve(wide, work[turn], n)
        wide, turn = work[turn], 1 - turn
    for j in range(n_whole):
        cells[cell + j] += wide[j]
    for j in range(head + n_whole * step, w):
        cells[cell + n_whole] += sums[j]
    sums[:] = 0


@kernel
def byte_row(values, scale, pixels):
    """Turn a row of values into 8-bit pixels, halves up, NaN zero; return how many were larger than 255."""
    n_beyond = 0
    for j in range(len(values)):
        scaled = values[j] * scale + np.float32(0.5)
        n_beyond += scaled >= np.float32(256.0)
        pixels[j] = np.uint8(np.int32(min(max(scaled, np.float32(0.0)), np.float32(255.0))))
    return n_beyond


@kernel
def sum_maps(values, where, table, stains, scale, most, into, place, pixels, pixel_scale):
    """Solve values (h, w, 3) as `table_kernel.solve` does, and add the maps to cells; see `LightTables.add_to`.

    `scale` (r + 1,) numbers make a unit of each map, and a pixel adds `most` at the most. `place` is the row and the
    column of the first pixel, and how many pixels a cell has on a side. `pixels` (r, h, w) take the abundances in 8
    bits, `pixel_scale` (r,) to a unit; where they are empty nothing is kept.
    """
    h, w, _ = values.shape
    totals, n_invalid, largest = into
    top, left, step = place
    n_maps = len(totals)
    work, maps = np.empty((4, w), np.float32), np.empty((n_maps, 1, w), np.float32)
    states, sums, bad = np.zeros(w, np.uint8), np.zeros((n_maps, w), np.uint32), np.zeros(w, np.uint32)
    runs, halves = np.empty((w // 2 + 1, 2), np.int64), np.empty((2, w), np.uint32)
    misfit, energy, n_solved, n_clear, n_beyond, any_bad = 0.0, 0.0, 0, 0, 0, False
    numbers, valid, down, n_runs, solved, clear = numbers_of(stains), where[0], where[2], 0, 0, 0
    for i in range(h):
        if not same_as_before(i, valid, down):
            n_runs, solved, clear = row_states(i, where, states, runs)
        for run in range(n_runs):
            first, last = runs[run, 0], runs[run, 1]
            rest, size = solve_run(values[i, first:last], table, numbers, work, maps, 0, first, last)
            misfit += rest
            energy += size
            for k in range(n_maps):
                largest[k] = max(largest[k], add_row(maps[k, 0, first:last], scale[k], most, sums[k, first:last]))
            for k in range(len(pixels)):
                n_beyond += byte_row(maps[k, 0, first:last], pixel_scale[k], pixels[k, i, first:last])
        if solved + clear < w:
            any_bad = True
            for j in range(w):
                bad[j] += states[j] == INVALID
        n_solved += solved
        n_clear += clear
        if (top + i + 1) % step == 0 or i == h - 1:
            cell = (top + i) // step
            for k in range(n_maps):
                add_cells(sums[k], totals[k, cell], left, step, halves)
            if any_bad:
                add_cells(bad, n_invalid[cell], left, step, halves)
                any_bad = False
    return misfit, energy, n_solved, n_clear, n_beyond
