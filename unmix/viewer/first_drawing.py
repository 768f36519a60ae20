"""What the canvas makes for a layer when it first draws it, made ahead, one part at a time.

Points are drawn by two programs, of marks and of letters, which vispy writes from pieces; that takes longer than
drawing all layers. napari has no word for it: its canvas is reached through names it promises to nobody, and where
one is missing, nothing is made ahead.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

_PARTS = ("points_markers", "text")


def parts_to_draw(widgets: Iterable[Any], layer: Any) -> Iterator[Callable[[], object]]:
    """Give what draws one part of a layer, of those that are slow to draw for the first time.

    Parameters
    ----------
    widgets : iterable of QWidget
        Those that listen to the list of layers; one of them has the canvas.
    layer : napari.layers.Layer
        In the list, and they have heard of it.
    """
    for widget in widgets:
        shown = getattr(getattr(widget, "canvas", None), "layer_to_visual", {}).get(layer)
        node = getattr(shown, "node", None)
        for name in _PARTS:
            part = getattr(node, name, None)
            if part is not None:
                yield partial(_draw, part)


def _draw(part: Any) -> None:
    """Draw a part onto what is drawn already; the canvas is drawn as a whole right after."""
    part.transforms.canvas.set_current()
    part.draw()
