"""The layer regions are drawn in, each in a colour of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ..materials.colours import palette
from .show import adding
from .step import Step

REGIONS = "regions"
LINE = "profile line"
_MOST = 40


def drawing_regions(viewer: Any, source: Any, n_taken: int) -> Iterator[Step]:
    """Make the layer of regions a step at a time, or take the one there is, and let the user draw a polygon.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    source : napari layer
        What is drawn on.
    n_taken : int
        How many colours of the palette the endmembers have.
    """
    yield from _showing(viewer, source, REGIONS)
    layer = drawn_layer(viewer, REGIONS)
    if layer is None:
        return
    colours = palette(n_taken + _MOST)

    def recolour(_event: Any = None) -> None:
        colour = np.append(colours[(n_taken + len(layer.data)) % len(colours)], 1.0)
        layer.selected_data = set()  # else the shape just drawn would take the colour of the next one
        layer.current_edge_color = colour

    layer.current_face_color = "transparent"
    recolour()
    layer.events.data.connect(recolour)
    viewer.layers.selection.active = layer
    layer.mode = "add_polygon_lasso"


def drawing_line(viewer: Any, source: Any) -> Iterator[Step]:
    """Make the layer of the profile line a step at a time, or take the one there is, and let the user draw a line."""
    yield from _showing(viewer, source, LINE)
    layer = drawn_layer(viewer, LINE)
    if layer is not None:
        layer.current_edge_color = "yellow"
        viewer.layers.selection.active = layer
        layer.mode = "add_line"


def drawn_layer(viewer: Any, name: str) -> Any:
    """Return the layer of this name that is drawn in, None where there is none."""
    return next((layer for layer in viewer.layers if type(layer).__name__ == "Shapes" and layer.name == name), None)


def _showing(viewer: Any, source: Any, name: str) -> Iterator[Step]:
    """Put a layer to draw in on top, where there is none."""
    from napari.layers import Shapes

    if drawn_layer(viewer, name) is not None:
        return
    layer = Shapes(
        ndim=2,
        name=name,
        scale=source.scale[-2:],
        translate=source.translate[-2:],
        units=source.units[-2:],
        axis_labels=source.axis_labels[-2:],
        edge_width=max(1.0, min(_plane(source)) / 150),
        face_color="transparent",
    )
    yield from adding(viewer.layers, layer)


def _plane(source: Any) -> tuple[int, int]:
    data = source.data[0] if source.multiscale else source.data
    return data.shape[:2] if source.rgb else data.shape[-2:]
