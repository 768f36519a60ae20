"""The letters napari measures its texts by, made ahead one at a turn: with its first text it makes all of them at once.

napari has no word for it: its canvas is reached through names it promises to nobody, and where one is missing, nothing
is made ahead.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .insertion import widgets_of
from .step import Step

_MEASURED_BY = "ÅÉÑŐjgpqy "


def making_letters(viewer: Any) -> Iterator[Step]:
    """Make the letters, one at each step.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        In whose canvas.
    """
    for widget in widgets_of(viewer.layers):
        of_canvas = getattr(getattr(widget, "canvas", None), "font_info", None)
        known: Any = of_canvas() if callable(of_canvas) else None
        manager: Any = getattr(known, "font_manager", None)
        if not hasattr(manager, "get_font"):
            continue
        font = manager.get_font(known.face)
        for letter in _MEASURED_BY:
            _ = font[letter]
            yield Step.GO_ON
