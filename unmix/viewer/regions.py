"""Shapes, labels and points that the user has drawn, as groups of pixels of an image."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np

from .sources import about

MOST_REGIONS = 24
_AROUND = 64


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


def regions_of(layers: list[Any], source: Any, shape: tuple[int, int]) -> list[Region]:
    """Return the regions drawn over a source layer.

    Parameters
    ----------
    layers : list of napari layers
        Those that are no drawings are passed over.
    source : napari layer
        What was drawn on.
    shape : (int, int)
        Its rows and columns.
    """
    found: list[Region] = []
    for layer in layers:
        if is_drawing(layer) and layer.visible:
            found += _READ[type(layer).__name__](layer, source, shape)
    return found[:MOST_REGIONS]


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
    world = np.array([layer.data_to_world(point) for point in own])
    return np.array([np.asarray(source.world_to_data(point))[-2:] for point in world])


def _of_shapes(layer: Any, source: Any, shape: tuple[int, int]) -> list[Region]:
    from skimage.draw import line, polygon

    found = []
    for k, (vertices, kind) in enumerate(zip(layer.data, layer.shape_type, strict=True)):
        corners = _in_source(layer, source, _ellipse(vertices) if kind == "ellipse" else vertices)
        if kind in ("line", "path"):
            whole = np.rint(corners).astype(int)
            pairs = [line(*a, *b) for a, b in pairwise(whole)]
            rows, columns = (np.concatenate(parts) for parts in zip(*pairs, strict=True))
        else:
            rows, columns = polygon(corners[:, 0], corners[:, 1])
        colour = np.asarray(layer.edge_color[k])[:3]
        found.append(_region(layer, str(k), f"{layer.name} {k + 1}", colour, rows, columns, shape))
    return [one for one in found if one is not None]


def _ellipse(corners: np.ndarray) -> np.ndarray:
    """Return points on the ellipse in a box given by its four corners (4, ndim)."""
    centre = corners.mean(axis=0)
    across, down = (corners[1] - corners[0]) / 2, (corners[3] - corners[0]) / 2
    angles = np.linspace(0, 2 * np.pi, _AROUND, endpoint=False)
    return centre + np.outer(np.cos(angles), across) + np.outer(np.sin(angles), down)


def _of_labels(layer: Any, source: Any, shape: tuple[int, int]) -> list[Region]:
    data = layer.data[0] if layer.multiscale else layer.data
    if data.ndim != 2:
        return []
    labels = np.asarray(data)
    found = []
    for label in np.unique(labels[labels != 0])[:MOST_REGIONS]:
        places = np.argwhere(labels == label)
        rows, columns = _in_grid(layer, source, places)
        colour = np.asarray(layer.get_color(int(label)))[:3]
        found.append(_region(layer, str(label), f"{layer.name} {label}", colour, rows, columns, shape))
    return [one for one in found if one is not None]


def _in_grid(layer: Any, source: Any, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pixels of a labels layer as rows and columns of the source, by the affine map between the two."""
    corner, down, right = _in_source(layer, source, np.array([[0, 0], [1, 0], [0, 1]]))
    mapped = corner + places[:, :1] * (down - corner) + places[:, 1:] * (right - corner)
    whole = np.rint(mapped).astype(int)
    return whole[:, 0], whole[:, 1]


def _of_points(layer: Any, source: Any, shape: tuple[int, int]) -> list[Region]:
    """Return the points of each colour as one region."""
    if not len(layer.data):
        return []
    places = np.rint(_in_source(layer, source, layer.data)).astype(int)
    colours, group = np.unique(np.asarray(layer.face_color)[:, :3], axis=0, return_inverse=True)
    found = []
    for k, colour in enumerate(colours):
        mine = places[np.ravel(group) == k]
        name = layer.name if len(colours) == 1 else f"{layer.name} {k + 1}"
        found.append(_region(layer, str(k), name, colour, mine[:, 0], mine[:, 1], shape))
    return [one for one in found if one is not None]


_READ = {"Shapes": _of_shapes, "Labels": _of_labels, "Points": _of_points}


def _region(
    layer: Any, part: str, name: str, colour: np.ndarray, rows: Any, columns: Any, shape: tuple[int, int]
) -> Region | None:
    """Return a region of those pixels that are inside the image, None where there are none."""
    rows, columns = np.asarray(rows), np.asarray(columns)
    inside = (rows >= 0) & (rows < shape[0]) & (columns >= 0) & (columns < shape[1])
    if not inside.any():
        return None
    rows, columns = rows[inside], columns[inside]
    pixels = np.unique(rows.astype(np.int64) * shape[1] + columns)
    centre = (float(rows.mean()), float(columns.mean()))
    key = f"{layer.unique_id}/{part}"
    return Region(key, name, np.asarray(colour, np.float64), pixels, str(layer.unique_id), centre)
