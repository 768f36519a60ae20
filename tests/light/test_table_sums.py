"""Sums of columns over cells of a coarse grid, wherever a window begins and ends."""

from __future__ import annotations

import numpy as np
import pytest

from unmix.light.table_sums import add_cells


@pytest.mark.parametrize("step", [1, 2, 4, 8, 32])
@pytest.mark.parametrize(("left", "width"), [(0, 64), (0, 1), (3, 61), (5, 2), (31, 70), (33, 7)])
def test_columns_are_added_to_the_cell_they_lie_in_and_cleared(step, left, width):
    left %= step
    sums = np.random.default_rng(width).integers(0, 1000, width).astype(np.uint32)
    cells = np.full((left + width - 1) // step + 1, 7, np.uint32)
    expected = 7 + np.bincount((left + np.arange(width)) // step, weights=sums).astype(np.uint32)
    add_cells(sums, cells, left, step, np.empty((2, width), np.uint32))
    np.testing.assert_array_equal(cells, expected)
    assert not sums.any()
