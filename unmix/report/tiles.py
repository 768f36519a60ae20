"""Map tiles: what each map of a result is called and how its values are coloured, and how a tile is drawn."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError
from ..materials.colours import readable
from ..writers.facts import colours, is_stained, labels, quantity
from ..writers.preview import brightest, composite
from ..writers.reduced import reduced
from .layout import MARGIN, TileGrid
from .page import DPI, GREY, INK, RULE, Page, light_gradient, named_gradient, short_number, stain_gradient
from .picture import picture

LONGEST_SIDE = 1000

_BAR_WIDTH = 0.42
_BAR_HEIGHT = 0.085
_LEAST_TITLE = 1.6
_FIRST_LINE = 0.15


@dataclass(frozen=True)
class Tile:
    """One map or picture: values (height, width) with a scale and a colour map, or colours (height, width, 3)."""

    title: str
    values: np.ndarray
    colour: Any = INK
    colour_map: Any = None
    scale: tuple[float, float] | None = None


def map_tiles(result: xr.Dataset, limit: int = LONGEST_SIDE) -> list[Tile]:
    """Return a tile an endmember.

    Fractions share the scale 0 to 1 (or 0 to their largest where the constraint lets them exceed it). Concentrations
    and counts have a scale each, up to their brightest half per cent, white to stain or black to light.
    """
    maps, names, hues = reduced(result["abundances"], limit), labels(result), colours(result)
    if is_stained(result) or quantity(result) == "counts":
        coloured = stain_gradient if is_stained(result) else light_gradient
        return [
            Tile(name, values, readable(hue), coloured(hue), (0.0, brightest(values)))
            for name, values, hue in zip(names, maps, hues, strict=True)
        ]
    top = brightest(maps)
    scale = (0.0, 1.0 if top <= 1.05 else top)
    shared = named_gradient("viridis")
    return [
        Tile(name, values, readable(hue), shared, scale) for name, values, hue in zip(names, maps, hues, strict=True)
    ]


def overview_tiles(result: xr.Dataset, image: xr.DataArray | None, limit: int = LONGEST_SIDE) -> list[Tile]:
    """Return the image, where it is given, and the composite of the maps, where there are several."""
    if image is not None:
        _require_same_shape(image, result)
    shown = [] if image is None else [Tile("image", picture(image, limit))]
    if result.sizes["endmember"] == 1:
        return shown
    title = "stains together" if is_stained(result) else "all together"
    return [*shown, Tile(title, composite(result, limit))]


def diagnostic_tiles(result: xr.Dataset, limit: int = LONGEST_SIDE) -> list[Tile]:
    """Return the residual and, where there is one, the brightness."""
    residual = reduced(result["residual"], limit)
    tiles = [Tile("residual", residual, INK, named_gradient("magma"), (0.0, brightest(residual)))]
    if "brightness" in result:
        brightness = reduced(result["brightness"], limit)
        tiles.append(Tile("brightness", brightness, INK, named_gradient("gray"), (0.0, brightest(brightness))))
    return tiles


def height_to_width(result: xr.Dataset) -> float:
    """Return how much taller than wide the scene is, from its pixel size where that is known."""
    height, width = result.sizes["y"], result.sizes["x"]
    if "y" in result.coords and "x" in result.coords and min(height, width) > 1:
        y, x = result["y"].values, result["x"].values
        return float(abs((y[-1] - y[0]) / (height - 1)) * height / (abs((x[-1] - x[0]) / (width - 1)) * width))
    return height / width


def draw_tiles(page: Page, tiles: list[Tile], grid: TileGrid, top: float) -> None:
    """Draw tiles on a grid whose upper edge is `top` inches down the page."""
    for k, tile in enumerate(tiles):
        right, down = grid.corner(k)
        _draw_tile(page, tile, MARGIN + right, top + down, grid)


def _draw_tile(page: Page, tile: Tile, left: float, top: float, grid: TileGrid) -> None:
    """Draw one tile: its name, its colour bar, its map."""
    room = max(grid.map_width, min(grid.slot_width, _LEAST_TITLE))
    line = top + _FIRST_LINE
    if tile.scale is not None and grid.is_narrow:
        _draw_bar(page, tile, left + room, line + 0.18)
    elif tile.scale is not None:
        room -= _draw_bar(page, tile, left + room, line) + 0.1
    page.fitted(left, line, tile.title, 10, room, color=tile.colour, weight="bold")
    axes = page.axes(left, top + grid.title_height, grid.map_width, grid.map_height, f"map: {tile.title}")
    axes.set(xticks=[], yticks=[])
    for spine in axes.spines.values():
        spine.set(color=RULE, linewidth=0.6)
    low, high = tile.scale or (None, None)
    axes.imshow(
        tile.values,
        cmap=tile.colour_map,
        vmin=low,
        vmax=high,
        aspect="auto",
        interpolation=_interpolation(tile.values.shape, grid),
    )


def _draw_bar(page: Page, tile: Tile, right: float, line: float) -> float:
    """Draw a small colour bar that ends at `right`; return the width it takes."""
    low, high = tile.scale or (0.0, 1.0)
    end = page.text(right, line, short_number(high), 7.5, color=GREY, ha="right")
    bar_right = right - page.width_of(end) - 0.05
    bar = page.axes(bar_right - _BAR_WIDTH, line - _BAR_HEIGHT / 2, _BAR_WIDTH, _BAR_HEIGHT, f"scale: {tile.title}")
    bar.imshow(np.linspace(0, 1, 128)[None], cmap=tile.colour_map, vmin=0, vmax=1, aspect="auto")
    bar.set(xticks=[], yticks=[])
    for spine in bar.spines.values():
        spine.set(color=RULE, linewidth=0.4)
    start = page.text(bar_right - _BAR_WIDTH - 0.05, line, short_number(low), 7.5, color=GREY, ha="right")
    return right - bar_right + _BAR_WIDTH + 0.05 + page.width_of(start)


def _require_same_shape(image: xr.DataArray, result: xr.Dataset) -> None:
    """Refuse the image of another result; a smaller level of a slide has the same proportions to a pixel."""
    height, width = image.sizes["y"], image.sizes["x"]
    rows, columns = result.sizes["y"], result.sizes["x"]
    if abs(height * columns - width * rows) > max(height, width, rows, columns):
        raise OptionError(
            f"the image has {height} rows and {width} columns, the result {rows} and {columns}. Give the image that "
            "was unmixed."
        )


def _interpolation(shape: tuple[int, ...], grid: TileGrid) -> str:
    """Return how pixels are drawn: as squares where the map is enlarged, smoothed where it is made smaller."""
    enlarged = shape[0] <= grid.map_height * DPI and shape[1] <= grid.map_width * DPI
    return "nearest" if enlarged else "auto"
