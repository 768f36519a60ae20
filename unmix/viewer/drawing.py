"""The layer regions are drawn in, each in a colour of its own."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..materials.colours import palette

REGIONS = "regions"
LINE = "profile line"
_MOST = 40


def start_drawing(viewer: Any, source: Any, n_taken: int) -> Any:
    """Make the layer of regions, or take the one there is, and let the user draw a polygon; return it.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    source : napari layer
        What is drawn on.
    n_taken : int
        How many colours of the palette the endmembers have.
    """
    layer = _layer(viewer, source, REGIONS)
    colours = palette(n_taken + _MOST)

    def recolour(_event: Any = None) -> None:
        colour = np.append(colours[(n_taken + len(layer.data)) % len(colours)], 1.0)
        layer.selected_data = set()  # else the shape just drawn would take the colour of the next one
        layer.current_edge_color = colour

    layer.current_face_color = "transparent"
    recolour()
    layer.events.data.connect(recolour)
    layer.mode = "add_polygon_lasso"
    return layer


def start_line(viewer: Any, source: Any) -> Any:
    """Make the layer of the profile line, or take the one there is, and let the user draw a line; return it."""
    layer = _layer(viewer, source, LINE)
    layer.current_edge_color = "yellow"
    layer.mode = "add_line"
    return layer


def _layer(viewer: Any, source: Any, name: str) -> Any:
    known = next((layer for layer in viewer.layers if type(layer).__name__ == "Shapes" and layer.name == name), None)
    if known is None:
        size = min(_plane(source))
        known = viewer.add_shapes(
            ndim=2,
            name=name,
            scale=source.scale[-2:],
            translate=source.translate[-2:],
            units=source.units[-2:],
            axis_labels=source.axis_labels[-2:],
            edge_width=max(1.0, size / 150),
            face_color="transparent",
        )
    viewer.layers.selection.active = known
    return known


def _plane(source: Any) -> tuple[int, int]:
    data = source.data[0] if source.multiscale else source.data
    return data.shape[:2] if source.rgb else data.shape[-2:]
