"""The compiled loops of `light.tables` that only add up: the maps over cells of a coarse grid, without keeping them.

Concentrations are added as whole numbers, so many to a unit, so that the sums depend on no order. What is negative or
not a number adds nothing.
"""

from __future__ import annotations

import numpy as np

from ..nmf.compiled import kernel
from .table_kernel import INVALID, fill_unsolved, row_states, solve_row


@kernel
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
    work, maps = np.empty((7, w), np.float32), np.empty((n_maps, 1, w), np.float32)
    states, sums, bad = np.zeros(w, np.uint8), np.zeros((n_maps, w), np.uint32), np.zeros(w, np.uint32)
    halves = np.empty((2, w), np.uint32)
    misfit, energy, n_solved, n_clear, solved, clear, n_beyond, any_bad = 0.0, 0.0, 0, 0, 0, 0, 0, False
    for i in range(h):
        solved, clear = row_states(i, where, states, (solved, clear))
        if solved > 0:
            rest, size = solve_row(values[i], states, table, stains, work, maps, 0)
            misfit += rest
            energy += size
            if solved < w:
                fill_unsolved(states, maps, 0)
            for k in range(n_maps):
                largest[k] = max(largest[k], add_row(maps[k, 0], scale[k], most, sums[k]))
            for k in range(len(pixels)):
                n_beyond += byte_row(maps[k, 0], pixel_scale[k], pixels[k, i])
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
