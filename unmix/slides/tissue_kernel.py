"""The compiled loop of `slides.judging`: where a small picture of a slide is darker than its glass."""

from __future__ import annotations

from ..nmf.compiled import kernel


@kernel
def denser(values, squares, limit, tissue):
    """Note where the squared densities of values (h, w, 3), looked up in squares (3, n), sum to more than a limit."""
    h, w = tissue.shape
    for i in range(h):
        for j in range(w):
            size = squares[0, values[i, j, 0]] + squares[1, values[i, j, 1]] + squares[2, values[i, j, 2]]
            tissue[i, j] = size > limit
