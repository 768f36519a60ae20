"""The grid of maps: on the page, in proportion, none too large."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from unmix.report.layout import GAP, MARGIN, PAGE_WIDTH, tile_grid

INSIDE = PAGE_WIDTH - 2 * MARGIN


@given(st.integers(1, 40), st.floats(0.005, 200.0))
def test_every_tile_lies_on_the_page(n_tiles, ratio):
    grid = tile_grid(n_tiles, ratio)
    assert grid.n_columns * grid.n_rows >= n_tiles
    assert grid.map_height <= 6.0
    assert grid.map_width <= grid.slot_width + 1e-9
    assert grid.map_height / grid.map_width == pytest.approx(ratio)
    corners = [grid.corner(k) for k in range(n_tiles)]
    assert len(set(corners)) == n_tiles
    for right, down in corners:
        assert right + grid.slot_width <= INSIDE + 1e-9
        assert down + grid.title_height + grid.map_height <= grid.height + 1e-9
    assert grid.n_columns * (grid.slot_width + GAP) - GAP == pytest.approx(INSIDE)


@pytest.mark.parametrize(
    ("n_tiles", "ratio", "n_columns"), [(4, 0.67, 2), (7, 1.0, 4), (9, 0.95, 5), (15, 1.0, 5), (5, 0.03, 1)]
)
def test_known_pages_look_as_they_should(n_tiles, ratio, n_columns):
    assert tile_grid(n_tiles, ratio).n_columns == n_columns
