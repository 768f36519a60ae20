"""The letters of texts in the canvas, made ahead one at a turn: a text makes all that are new to it at once.

With the first one come those it is measured by. napari has no word for it: its canvas is reached through names it
promises to nobody, and where one is missing, nothing is made ahead.
"""

from __future__ import annotations

import string
from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject

from .insertion import widgets_of
from .pacing import after

_MEASURED_BY = "ÅÉÑŐjgpqy "
_OF_NAMES = string.digits + string.ascii_lowercase + string.ascii_uppercase + "-_.()"
_PAUSE_MS = 8


def make_letters(owner: QObject, viewer: Any, done: Callable[[], object]) -> None:
    """Make the letters that texts are measured by and call `done`, then make those names are written with.

    Parameters
    ----------
    owner : QObject
        When it goes, no more are made.
    viewer : napari.viewer.Viewer
        In whose canvas.
    done : callable
        What waits for the first of them.
    """
    letters = _making(viewer, done)

    def make() -> None:
        if next(letters, None) is not None:
            timer.start()

    timer = after(owner, _PAUSE_MS, make)
    timer.start()


def _making(viewer: Any, done: Callable[[], object]) -> Iterator[str]:
    fonts = [*_fonts(viewer)]
    for letters in (_MEASURED_BY, _OF_NAMES):
        for font in fonts:
            for letter in letters:
                _ = font[letter]
                yield letter
        if letters is _MEASURED_BY:
            done()


def _fonts(viewer: Any) -> Iterator[Any]:
    """Return the fonts in which napari writes texts; each makes a letter when it is first asked for it."""
    for widget in widgets_of(viewer.layers):
        of_canvas = getattr(getattr(widget, "canvas", None), "font_info", None)
        known: Any = of_canvas() if callable(of_canvas) else None
        manager: Any = getattr(known, "font_manager", None)
        if hasattr(manager, "get_font"):
            yield manager.get_font(known.face)
