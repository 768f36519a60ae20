"""What is settled with the viewer that opens an image: the band it begins at, and whether its units can be told.

napari begins in the middle of a stack, which on many sensors is a water band of pure noise. And it measures the
whole scene in the smallest pixel of any layer: kilometres beside micrometres overflow its sliders.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .levels import finest
from .metadata import LayerData, about, known_by
from .placement import PIXEL

_MOST_STEPS = 2**31 - 1


def settle(layers: list[LayerData]) -> list[LayerData]:
    """Return the layers of one opening as they suit the viewer that opens them; unchanged where there is none."""
    from napari import current_viewer

    viewer = current_viewer()
    if viewer is None or not layers:
        return layers
    if not len(viewer.layers):
        _begin_at_telling_band(viewer, layers[0])
        return layers
    return layers if _measurable(viewer, layers[0]) else [_without_units(layer) for layer in layers]


def _begin_at_telling_band(viewer: Any, layer: LayerData) -> None:
    """Have the viewer show the band with most structure once it has added the layer."""
    first = known_by(layer).get("telling_band")
    if first is None:
        return

    def look(event: Any) -> None:
        viewer.layers.events.inserted.disconnect(look)
        if about(event.value).get("image") is known_by(layer)["image"]:
            viewer.dims.set_current_step(0, first)

    viewer.layers.events.inserted.connect(look, position="last")


def _measurable(viewer: Any, layer: LayerData) -> bool:
    """Say whether napari can count the pixels of all layers, old and new, on one scale."""
    data, keywords, _ = layer
    whole = finest(data).shape
    shape = whole[:2] if keywords.get("rgb") else whole[-2:]
    steps = _in_metres(keywords["scale"][-2:], keywords["units"][-2:])
    extents = steps * np.array(shape)
    for old in viewer.layers:
        step = _in_metres(old.scale[-2:], old.units[-2:])
        low, high = old.extent.data[:, -2:]
        steps, extents = np.append(steps, step), np.append(extents, (high - low + 1) * step)
    known = np.isfinite(steps) & (steps > 0)
    return not known.any() or bool(np.nanmax(extents) / steps[known].min() < _MOST_STEPS)


def _in_metres(sizes: Any, units: Any) -> np.ndarray:
    """Return sizes in metres, NaN where the unit is not one of length."""
    import pint

    registry = pint.get_application_registry()
    lengths = []
    for size, unit in zip(sizes, units, strict=True):
        quantity = float(size) * registry.Unit(str(unit))
        lengths.append(quantity.to("m").magnitude if quantity.check("[length]") else np.nan)
    return np.array(lengths)


def _without_units(layer: LayerData) -> LayerData:
    data, keywords, kind = layer
    return data, {**keywords, "units": (PIXEL,) * len(keywords["units"])}, kind
