"""What the canvas makes for a layer when it first draws it, made ahead, one part at a time.

Points and shapes are drawn by several programs (marks, letters, faces, lines), which vispy writes from pieces; that
takes longer than drawing all layers. napari has no word for it: its canvas is reached through names it promises to
nobody, and where one is missing, nothing is made ahead.
"""

from __future__ import annotations

from typing import Any

from .insertion import widgets_of

_PARTS = {
    "Points": ("points_markers", "text"),
    "Shapes": ("shape_faces", "highlight_lines", "highlight_vertices", "text"),
}


def parts_of(layer: Any) -> tuple[str, ...]:
    """Return the parts of a layer that are slow to draw for the first time."""
    return _PARTS.get(type(layer).__name__, ())


def draw_part(layers: Any, layer: Any, name: str) -> None:
    """Draw a part of a layer onto what is drawn already; the canvas is to be drawn as a whole right after.

    Parameters
    ----------
    layers : napari.components.LayerList
        What the layer is in; of the widgets that listen to it, one has the canvas.
    layer : napari.layers.Layer
        They have heard of it.
    name : str
        One of `parts_of` it.
    """
    for widget in widgets_of(layers):
        shown = getattr(getattr(widget, "canvas", None), "layer_to_visual", {}).get(layer)
        part = getattr(getattr(shown, "node", None), name, None)
        if part is not None:
            part.transforms.canvas.set_current()
            part.draw()
