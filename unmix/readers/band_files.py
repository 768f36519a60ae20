"""Scenes that come as one raster a band: checked to lie on one grid, and read as one cube."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import ReadError
from .joined import Joined
from .naming import shown
from .raster import RasterFile, driver_of, opened, raw_of


@dataclass(frozen=True)
class Grid:
    """Where a raster lies: CRS, affine transform, height and width."""

    crs: Any
    transform: Any
    size: tuple[int, int]


def band_stack(paths: Sequence[Path]) -> tuple[Joined, Grid]:
    """Return rasters of one band each as one cube, or raise `ReadError` naming the first that lies elsewhere."""
    parts: list[RasterFile] = []
    grid: Grid | None = None
    for path in paths:
        if not path.is_file():
            raise ReadError(f"{shown(path)}: there is no such file in {path.parent}; the product is incomplete.")
        part, here = one_band(path)
        if grid is None:
            grid = here
        elif here.size != grid.size or here.crs != grid.crs or not here.transform.almost_equals(grid.transform, 1e-6):
            raise ReadError(f"{shown(path)} is not on the grid of {shown(paths[0])}.")
        parts.append(part)
    if grid is None:
        raise ReadError("a product without bands cannot be read.")
    return Joined(tuple(parts)), grid


def one_band(path: Path) -> tuple[RasterFile, Grid]:
    """Return a raster of one band and where it lies."""
    driver = driver_of(path)
    with opened(path, driver, None, placed=False) as dataset:
        if dataset.count != 1:
            raise ReadError(f"{shown(path)} has {dataset.count} bands; one is expected.")
        raw = raw_of(dataset, path, driver, None, placed=not dataset.transform.is_identity)
        return raw, Grid(dataset.crs, dataset.transform, (dataset.height, dataset.width))
