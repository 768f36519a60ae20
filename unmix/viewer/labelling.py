"""Where the labels of points stand, so that they lie on the image: on the canvas around it they would not be read."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

_SCREEN = 500.0
"""Pixels of a screen along the shorter side of an image that is seen whole."""

_LETTER, _LINE = 8.0, 15.0
_AWAY, _BESIDE = 1.2, 0.6
_PLACES = (("upper_left", 0, 1), ("upper_right", 0, -1), ("center", 1, 0), ("center", -1, 0))
"""Right and left of a point, below it, above it: napari's word, then whether down and whether right.

Beside a point a label touches it at no zoom; below and above it does from afar.
"""


def label_place(points: np.ndarray, labels: Sequence[str], shape: tuple[int, int], size: float) -> dict[str, Any]:
    """Return napari's keywords for labels on one side of every point: the side where most of them is on the image.

    Parameters
    ----------
    points : ndarray, shape (n, 2)
        Rows and columns.
    labels : sequence of str
        One a point.
    shape : (int, int)
        Rows and columns of the image.
    size : float
        Of a point, in pixels.
    """
    best = min(_PLACES, key=lambda place: _outside(points, labels, shape, size, place))
    return {"anchor": best[0], "translation": list(_shift(best, size))}


def _shift(place: tuple[str, int, int], size: float) -> tuple[float, float]:
    """Return how far a label is moved; what napari hangs by a corner is lowered to the middle of its point."""
    _, down, right = place
    return (_BESIDE * size, _BESIDE * size * right) if right else (_AWAY * size * down, 0.0)


def _outside(
    points: np.ndarray, labels: Sequence[str], shape: tuple[int, int], size: float, place: tuple[str, int, int]
) -> float:
    """Return how much of the labels is outside the image, in its pixels."""
    _, down, right = place
    unit = min(shape) / _SCREEN
    width, height = np.array([_LETTER * len(label) for label in labels]) * unit, _LINE * unit
    top = points[:, 0] + _AWAY * size * down - height / 2
    left = points[:, 1] + _BESIDE * size * right + width * (right - 1) / 2
    beyond = [-top, top + height - shape[0], -left, left + width - shape[1]]
    return float(np.maximum(beyond, 0).sum())
