"""The compiled loop of `slides.judging`: how much darker than its glass a small picture of a slide is."""

from __future__ import annotations

from ..nmf.compiled import kernel


@kernel
def denser(values, squares, faint, limit, grades):
    """Grade the squared densities of values (h, w, 3), looked up in squares (3, n): one a limit passed."""
    h, w = grades.shape
    for i in range(h):
        for j in range(w):
            size = squares[0, values[i, j, 0]] + squares[1, values[i, j, 1]] + squares[2, values[i, j, 2]]
            grades[i, j] = (size > faint) + (size > limit)
