"""Figures of a result: maps, endmembers, residual and the numbers that say how good it is, on one page.

Every figure is a plain `matplotlib.figure.Figure` with its own Agg canvas; pyplot is never touched.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import xarray as xr

from ..result import check_result
from ..writers.facts import quantity, source_name, source_path
from .layout import MARGIN, PAGE_WIDTH, tile_grid
from .page import GREY, Page, check_png_name, save_page
from .spectra import draw_endmembers, endmembers_height
from .tiles import Tile, diagnostic_tiles, draw_tiles, height_to_width, map_tiles, overview_tiles

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_HEADER = 0.78
_SECTION_GAP = 0.3
_CAPTION = 0.42
_INSIDE = PAGE_WIDTH - 2 * MARGIN


def summary_figure(result: xr.Dataset, image: xr.DataArray | None = None) -> Figure:
    """Draw a result on one page: overview, abundance maps, residual, brightness, endmembers and key figures.

    Parameters
    ----------
    result : Dataset
        What `unmix.unmix` returned; large maps are averaged down to about 1000 pixels first.
    image : DataArray, optional
        The image that was unmixed, to be shown beside the maps.

    Returns
    -------
    matplotlib.figure.Figure
        The page. Invalid pixels are grey. Names, lines and the overview share one colour an endmember.

    Raises
    ------
    DataError
        `result` is not a result.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> from unmix.report import summary_figure
    >>> rng = np.random.default_rng(0)
    >>> cube = rng.dirichlet([0.2] * 3, (30, 30)) @ rng.random((3, 8))
    >>> figure = summary_figure(unmix.unmix(cube, 3, quantity="reflectance"))
    >>> [axes.get_label() for axes in figure.axes if axes.get_label().startswith("map")][:2]
    ['map: all together', 'map: endmember 1']
    """
    check_result(result)
    tiles = [*overview_tiles(result, image), *map_tiles(result), *diagnostic_tiles(result)]
    grid = tile_grid(len(tiles), height_to_width(result))
    below = _HEADER + grid.height + _SECTION_GAP
    spectra = endmembers_height(result, _INSIDE)
    page = Page(PAGE_WIDTH, below + spectra + _CAPTION)
    _draw_header(page, result)
    draw_tiles(page, tiles, grid, _HEADER)
    draw_endmembers(page, result, MARGIN, below, _INSIDE)
    page.fitted(MARGIN, page.height - 0.26, caption(result), 8.5, _INSIDE, color=GREY)
    return page.figure


def maps_figure(result: xr.Dataset) -> Figure:
    """Draw the abundance maps alone, each under its name."""
    check_result(result)
    return _tiles_figure(map_tiles(result), height_to_width(result))


def endmember_figure(result: xr.Dataset) -> Figure:
    """Draw the endmembers alone: spectra over wavelength with bad bands as gaps, or cards of stains."""
    check_result(result)
    page = Page(PAGE_WIDTH, endmembers_height(result, _INSIDE) + 2 * 0.25)
    draw_endmembers(page, result, MARGIN, 0.25, _INSIDE)
    return page.figure


def save_figure(
    result: xr.Dataset,
    path: str | os.PathLike[str],
    *,
    image: xr.DataArray | None = None,
    overwrite: bool = False,
) -> Path:
    """Write the summary figure of a result as a PNG file.

    Parameters
    ----------
    result : Dataset
        The result.
    path : path
        File to write; a folder gets ``figure.png``.
    image : DataArray, optional
        The image that was unmixed.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Path
        The file written.

    Raises
    ------
    OptionError, WriteError
        The name does not end in .png; the file exists, is a link, or cannot be written.
    """
    path = Path(path)
    path = path / "figure.png" if path.is_dir() else path
    check_png_name(path)
    return save_page(summary_figure(result, image), path, overwrite=overwrite, source=source_path(result))


def subtitle(result: xr.Dataset) -> str:
    """Return number of endmembers, size, quantity and constraint in one line."""
    r, constraint = result.sizes["endmember"], result.attrs.get("constraint")
    noun = "stain" if quantity(result) == "brightfield" else "endmember"
    facts = [
        f"{r} {noun}{'' if r == 1 else 's'}",
        f"{result.sizes['y']:,} × {result.sizes['x']:,} pixels, {result.sizes['band']:,} bands",
        quantity(result).replace("_", " ") if quantity(result) != "unknown" else "",
        str(constraint).replace("_", " ") if constraint else "",
    ]
    return "   ·   ".join(fact for fact in facts if fact)


def caption(result: xr.Dataset) -> str:
    """Return the line of key figures under a summary."""
    attrs = result.attrs
    facts: list[str] = []
    if attrs.get("stain_flag", "none") not in ("none", "given"):
        facts.append(f"in doubt: {attrs['stain_flag']}")
    if "relative_error" in attrs:
        facts.append(f"relative error {100 * float(attrs['relative_error']):.2g} %")
    if "smallest_angle" in attrs and result.sizes["endmember"] > 1:
        facts.append(f"smallest angle between endmembers {float(attrs['smallest_angle']):.1f}°")
    if "n_valid" in attrs:
        facts.append(f"{int(attrs['n_valid']):,} valid pixels")
    if attrs.get("n_invalid"):
        facts.append(f"{int(attrs['n_invalid']):,} invalid (grey)")
    if attrs.get("stop_reason") and "objective" in result:
        facts.append(f"stopped: {attrs['stop_reason']}")
    return "   ·   ".join(facts)


def _tiles_figure(tiles: list[Tile], ratio: float) -> Figure:
    """Draw tiles alone on a page."""
    grid = tile_grid(len(tiles), ratio)
    page = Page(PAGE_WIDTH, grid.height + 0.25 + MARGIN)
    draw_tiles(page, tiles, grid, 0.25)
    return page.figure


def _draw_header(page: Page, result: xr.Dataset) -> None:
    """Write what was unmixed and how."""
    page.fitted(MARGIN, 0.32, source_name(result) or "Unmixing result", 16, _INSIDE, weight="bold")
    page.fitted(MARGIN, 0.6, subtitle(result), 9.5, _INSIDE, color=GREY)
