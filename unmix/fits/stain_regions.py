"""Whether one part of a picture decides what its stains look like: a pen over tissue, a fold, another stain there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..blocks import sample_positions
from .stain_plane import Corners

CornersOf = Callable[[np.ndarray], Corners]
"""Finds the corners of densities (n, 3), in the order of the stains."""

MOVED_DEGREES = 6.0
PARTS = 4
REGION_PIXELS = 8_000
LEAST_SHARE, LEAST_LEFT = 0.02, 1_300


@dataclass(frozen=True)
class Region:
    """A part of the picture, and how far the corners of the colours move (degrees) when it is left out."""

    moved: float
    where: str


def deciding_region(
    density: np.ndarray,
    positions: np.ndarray,
    width: int,
    corners_of: CornersOf,
    narrowest: float,
) -> Region | None:
    """Return the quarter of the height or the width without which the corners move farthest; None where none is tried.

    A quarter without which fewer stains than before are left, the corners less than `narrowest` apart, is where one
    of them is seen, and no reason to doubt.

    Parameters
    ----------
    density : ndarray, shape (n, 3)
        Optical density of tissue pixels.
    positions : ndarray of int, shape (n,)
        Where they are: flat positions in a picture of `width` columns.
    corners_of : callable
        Finds the corners of densities, in the order of the stains.
    narrowest : float
        Degrees between the corners below which they are not those of the stains named.
    """
    few = sample_positions(len(density), REGION_PIXELS)
    density, places = density[few], np.divmod(positions[few], width)
    vectors = corners_of(density).vectors
    found: list[Region] = []
    for name, place in zip(("height", "width"), places, strict=True):
        edges = np.linspace(place.min(), place.max() + 1, PARTS + 1)
        for k in range(PARTS):
            outside = (place < edges[k]) | (place >= edges[k + 1])
            if outside.mean() > 1 - LEAST_SHARE or outside.sum() < LEAST_LEFT:
                continue
            corners = corners_of(density[outside])
            if corners.width_degrees < narrowest:
                continue
            cosine = np.clip(np.sum(corners.vectors * vectors, axis=1), -1.0, 1.0)
            where = f"the part between {100 * k // PARTS} and {100 * (k + 1) // PARTS} % of its {name}"
            found.append(Region(float(np.degrees(np.arccos(cosine)).max()), where))
    return max(found, key=lambda region: region.moved, default=None)
