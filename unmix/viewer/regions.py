"""Shapes, labels and points that the user has drawn, as groups of pixels of an image."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np

from .metadata import about

MOST_REGIONS = 24
_AROUND = 64
_MOST_PIXELS = 500_000


@dataclass(frozen=True)
class Region:
    """A group of pixels with the colour it is drawn in.

    Parameters
    ----------
    key : str
        Stays the same while the region is changed.
    name : str
        What it is called.
    colour : ndarray, shape (3,)
        Red, green and blue, 0 to 1.
    pixels : ndarray of int
        Flat positions in the image.
    layer_id : str
        The layer it was drawn in.
    centre : tuple of float
        Mean row and column in the image.
    """

    key: str
    name: str
    colour: np.ndarray
    pixels: np.ndarray
    layer_id: str
    centre: tuple[float, float]


def is_drawing(layer: Any) -> bool:
    """Say whether a layer holds regions of the user, and nothing unmix made."""
    return type(layer).__name__ in ("Shapes", "Labels", "Points") and "role" not in about(layer)


def finding_regions(layers: list[Any], source: Any, shape: tuple[int, int]) -> Callable[[], list[Region]]:
    """Look at what is drawn over a source layer; return what finds its pixels, to be called in a worker.

    Parameters
    ----------
    layers : list of napari layers
        Those that are no drawings are passed over.
    source : napari layer
        What was drawn on.
    shape : (int, int)
        Its rows and columns.
    """
    found = [
        one
        for layer in layers
        if is_drawing(layer) and layer.visible
        for one in _FINDING[type(layer).__name__](layer, source, shape)
    ]
    return lambda: list(islice((region for find in found for region in find()), MOST_REGIONS))


def line_of(layer: Any, source: Any) -> np.ndarray | None:
    """Return the rows and columns (n, 2) along the line or path drawn last in a Shapes layer, None without one."""
    if type(layer).__name__ != "Shapes":
        return None
    for vertices, kind in zip(reversed(layer.data), reversed(layer.shape_type), strict=True):
        if kind in ("line", "path"):
            return _in_source(layer, source, vertices)
    return None


def _in_source(layer: Any, source: Any, points: np.ndarray) -> np.ndarray:
    """Return points (n, layer.ndim) of a layer as rows and columns (n, 2) of the source."""
    own = np.atleast_2d(points).astype(float)
    return _to_source(layer, source, own[0])(own)


def _to_source(layer: Any, source: Any, origin: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return the affine map from points of a layer, which differ from one in row and column, to those of the source."""
    steps = np.vstack([np.zeros(len(origin)), np.eye(len(origin))[-2:]])
    world = [layer.data_to_world(place) for place in origin + steps]
    corner, down, right = (np.asarray(source.world_to_data(place))[-2:] for place in world)
    sides = np.stack([down - corner, right - corner])
    return lambda points: corner + (points - origin)[:, -2:] @ sides


Find = Callable[[], list[Region]]
Pixels = Callable[[np.ndarray, tuple[int, int]], tuple[np.ndarray, np.ndarray]]
"""From corners (n, 2) and the shape of the image to rows and columns."""


class _Look(NamedTuple):
    """What a region is called, its colour, the layer it was drawn in, and which part of that it is."""

    name: str
    colour: np.ndarray
    layer_id: str
    part: str


def _of_shapes(layer: Any, source: Any, shape: tuple[int, int]) -> list[Find]:
    """Return what finds the pixels of each shape."""
    found: list[Find] = []
    for k, (vertices, kind) in enumerate(zip(layer.data[:MOST_REGIONS], layer.shape_type, strict=False)):
        corners = _in_source(layer, source, _ellipse(vertices) if kind == "ellipse" else vertices)
        pixels = _along if kind in ("line", "path") else _inside
        look = _Look(f"{layer.name} {k + 1}", np.asarray(layer.edge_color[k])[:3], str(layer.unique_id), str(k))
        found.append(partial(_of_corners, look, pixels, corners, shape))
    return found


def _of_corners(look: _Look, pixels: Pixels, corners: np.ndarray, shape: tuple[int, int]) -> list[Region]:
    return _region(look, *pixels(corners, shape), shape)


def _along(corners: np.ndarray, _shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the pixels along a line."""
    from skimage.draw import line

    pairs = [line(*a, *b) for a, b in pairwise(np.rint(corners).astype(int))]
    rows, columns = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
    return rows, columns


def _inside(corners: np.ndarray, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows and columns of the pixels in a polygon, of a large one every second, third and so on."""
    from skimage.draw import polygon

    low, high = np.clip([corners.min(axis=0), corners.max(axis=0)], 0, shape)
    step = max(1, math.ceil(math.sqrt(np.prod(high - low) / _MOST_PIXELS)))
    reduced = corners / step
    rows, columns = polygon(reduced[:, 0], reduced[:, 1], shape=tuple(-(-size // step) for size in shape))
    return rows * step, columns * step


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Return points on the ellipse in a box given by its four corners (4, ndim)."""
    centre = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    return centre + np.outer(np.cos(angles), across) + np.outer(np.sin(angles), down)


def _of_labels(layer: Any, source: Any, shape: tuple[int, int]) -> list[Find]:
    """Return what finds the pixels of every label."""
    data = layer.data[0] if layer.multiscale else layer.data
    if data.ndim != 2:
        return []
    to_source = _to_source(layer, source, np.zeros(2))
    name, identity = layer.name, str(layer.unique_id)

    def find() -> list[Region]:
        labels = np.asarray(data)
        found: list[Region] = []
        for label in np.unique(labels[labels != 0])[:MOST_REGIONS]:
            flat = np.flatnonzero(labels == label)
            flat = flat[:: -(-len(flat) // _MOST_PIXELS)]
            places = np.stack(np.divmod(flat, labels.shape[1]), axis=1)
            mapped = np.rint(to_source(places)).astype(int)
            look = _Look(f"{name} {label}", np.asarray(layer.get_color(int(label)))[:3], identity, str(label))
            found += _region(look, mapped[:, 0], mapped[:, 1], shape)
        return found

    return [find]


def _of_points(layer: Any, source: Any, shape: tuple[int, int]) -> list[Find]:
    """Return what finds the points of each colour as one region."""
    if not len(layer.data):
        return []
    places = np.rint(_in_source(layer, source, layer.data)).astype(int)
    colours, group = np.unique(np.asarray(layer.face_color)[:, :3], axis=0, return_inverse=True)
    found: list[Find] = []
    for k, colour in enumerate(colours):
        mine = places[np.ravel(group) == k]
        name = layer.name if len(colours) == 1 else f"{layer.name} {k + 1}"
        look = _Look(name, colour, str(layer.unique_id), str(k))
        found.append(partial(_region, look, mine[:, 0], mine[:, 1], shape))
    return found


_FINDING = {"Shapes": _of_shapes, "Labels": _of_labels, "Points": _of_points}


def _region(look: _Look, rows: np.ndarray, columns: np.ndarray, shape: tuple[int, int]) -> list[Region]:
    """Return the region of those pixels that are inside the image; nothing where there are none."""
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not inside.any():
        return []
    rows, columns = rows[inside], columns[inside]
    flat = np.unique(rows.astype(np.int64) * shape[1] + columns)
    centre = (float(rows.mean()), float(columns.mean()))
    colour = np.asarray(look.colour, np.float64)
    return [Region(f"{look.layer_id}/{look.part}", look.name, colour, flat, look.layer_id, centre)]
