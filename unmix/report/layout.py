"""Where things stand on a page, in inches: how many tiles a row, how large a map may be."""

from __future__ import annotations

from dataclasses import dataclass

PAGE_WIDTH = 12.0
MARGIN = 0.45
GAP = 0.28
ROW_GAP = 0.16

_TITLE_HEIGHT = 0.30
_TWO_LINES = 0.46
_NARROW_SLOT = 1.9

_TALLEST_GRID = 9.0
_LEAST_SLOT = 0.95
_AMPLE_MAP = 7.0
_MAP_HEIGHTS = (1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 5.0, 6.0)


@dataclass(frozen=True)
class TileGrid:
    """A grid of equal tiles, each a title line over a map; lengths in inches, from the grid's upper left corner."""

    n_tiles: int
    n_columns: int
    slot_width: float
    map_width: float
    map_height: float

    @property
    def n_rows(self) -> int:
        return -(-self.n_tiles // self.n_columns)

    @property
    def is_narrow(self) -> bool:
        """Whether name and colour bar need a line each."""
        return self.slot_width < _NARROW_SLOT

    @property
    def title_height(self) -> float:
        return _TWO_LINES if self.is_narrow else _TITLE_HEIGHT

    @property
    def height(self) -> float:
        return self.n_rows * (self.title_height + self.map_height) + (self.n_rows - 1) * ROW_GAP

    def corner(self, k: int) -> tuple[float, float]:
        """Return how far right of and below the grid's corner tile `k` begins."""
        row, column = divmod(k, self.n_columns)
        return column * (self.slot_width + GAP), row * (self.title_height + self.map_height + ROW_GAP)


def tile_grid(n_tiles: int, ratio: float, width: float = PAGE_WIDTH - 2 * MARGIN) -> TileGrid:
    """Choose the grid in which maps of this height-to-width ratio fill the page best.

    Parameters
    ----------
    n_tiles : int
        Number of maps.
    ratio : float
        Height of a map divided by its width.
    width : float
        Room for the grid, inches.

    Returns
    -------
    TileGrid
        The grid; no map is taller than six inches.
    """
    choices = [
        _grid(n_tiles, n_columns, ratio, width, tallest)
        for n_columns in range(1, n_tiles + 1)
        for tallest in _MAP_HEIGHTS
        if n_columns == 1 or (width - (n_columns - 1) * GAP) / n_columns >= _LEAST_SLOT
    ]
    return max(choices, key=lambda grid: _worth(grid, width))


def _grid(n_tiles: int, n_columns: int, ratio: float, width: float, tallest: float) -> TileGrid:
    """Return the grid with this many columns and maps at most this tall."""
    slot = (width - (n_columns - 1) * GAP) / n_columns
    height = min(slot * ratio, tallest)
    return TileGrid(n_tiles, n_columns, slot, min(slot, height / ratio), height)


def _worth(grid: TileGrid, width: float) -> float:
    """Return the share of the grid that is map, less where the page gets too tall, maps too small or gaps wide."""
    area = grid.map_width * grid.map_height
    fill = grid.n_tiles * area / (width * grid.height)
    narrow = (grid.map_width / grid.slot_width) ** 0.5
    return fill * narrow * min(1.0, _TALLEST_GRID / grid.height) ** 2 * min(1.0, area / _AMPLE_MAP) ** 0.25
