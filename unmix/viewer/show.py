"""Putting the layers of a run into a viewer: new ones are added, those of an earlier run are updated in place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from .sources import KEY, LayerData, about

RUN_ROLES = ("abundance", "anchors", "dominant", "residual", "brightness")
"""Roles of the layers a run makes; the next run of the same source updates them."""

_LOOK = ("contrast_limits", "colormap", "face_color", "features", "text", "size")
_PLACE = ("scale", "translate", "units", "axis_labels", "rotate", "shear", "affine")


def show_layers(viewer: Any, layers: list[LayerData], source: Any = None) -> None:
    """Show the layers of a run of `source`, all at once; see `showing`."""
    deque(showing(viewer, layers, source), maxlen=0)


def showing(viewer: Any, layers: list[LayerData], source: Any = None) -> Iterator[None]:
    """Show the layers of a run of `source`, one at each step, so that a window can breathe in between.

    Parameters
    ----------
    viewer : napari.viewer.Viewer or ViewerModel
        Where to.
    layers : list of (data, keywords, type)
        As from `unmix.viewer.layers.result_layers`, bottom first. Maps are shown first, what is hidden after them.
    source : napari layer, optional
        Hidden when its maps appear for the first time, so that they are seen and not mixed with it.
    """
    from napari.layers import Layer

    earlier = {_place_of(about(layer)): layer for layer in viewer.layers if _made_from(layer, layers)}
    if not earlier and source is not None:
        source.visible = False
    shown = [layer for layer in layers if layer[1].get("visible", True)]
    hidden = [layer for layer in layers if not layer[1].get("visible", True)]
    first = min((viewer.layers.index(layer) for layer in earlier.values()), default=len(viewer.layers))
    for data, keywords, kind in shown + hidden[::-1]:
        layer = earlier.pop(_place_of(keywords["metadata"][KEY]), None)
        if layer is not None and layer in viewer.layers:
            _update(layer, data, keywords)
        else:
            made = Layer.create(data, _with_memory(keywords), kind)
            viewer.layers.insert(first if not keywords.get("visible", True) else len(viewer.layers), made)
        yield
    for layer in earlier.values():
        if layer in viewer.layers:
            viewer.layers.remove(layer)
            yield
    maps = [layer for layer in viewer.layers if _made_from(layer, layers) and about(layer)["role"] == "abundance"]
    if maps:
        viewer.layers.selection.active = maps[-1]


def warm_up(layers: list[LayerData]) -> None:
    """Have napari compile what it needs to colour labels, over a second the first time, before the window waits for it.

    Called in the worker.
    """
    from napari.layers import Labels

    for data, keywords, kind in layers:
        if kind == "labels":
            Labels(np.zeros((1, 1), data.dtype), colormap=keywords["colormap"]).colormap.map(
                np.zeros((1, 1), data.dtype)
            )


def _made_from(layer: Any, layers: list[LayerData]) -> bool:
    """Say whether a layer shows an earlier run of the same source."""
    known = about(layer)
    same = {keywords["metadata"][KEY]["source_id"] for _, keywords, _ in layers}
    return known.get("role") in RUN_ROLES and known.get("source_id") in same


def _place_of(known: dict[str, Any]) -> tuple[str, str]:
    return known["role"], known["endmember"]


def _with_memory(keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords with the look we gave the layer noted in its metadata, to tell it from the user's changes."""
    given = {key: keywords[key] for key in _LOOK if key in keywords}
    known = {**keywords["metadata"][KEY], "given": given}
    return {**keywords, "metadata": {**keywords["metadata"], KEY: known}}


def _update(layer: Any, data: Any, keywords: dict[str, Any]) -> None:
    """Give an existing layer new values; contrast and colours that the user changed stay as he left them."""
    before = about(layer).get("given", {})
    ours = [key for key in ("contrast_limits", "colormap") if key in keywords and _untouched(layer, key, before)]
    layer.data = data
    for key in _PLACE:
        if key in keywords:
            setattr(layer, key, keywords[key])
    if "features" in keywords:
        layer.features = keywords["features"]
        if hasattr(layer, "face_color"):
            layer.face_color = keywords["face_color"]
    for key in ours:
        setattr(layer, key, keywords[key])
    layer.metadata = {**layer.metadata, **_with_memory(keywords)["metadata"]}


def _untouched(layer: Any, key: str, before: dict[str, Any]) -> bool:
    """Say whether a layer still has the contrast limits or colours we gave it."""
    if key not in before:
        return False
    if key == "contrast_limits":
        return bool(np.allclose(layer.contrast_limits, before[key]))
    name = getattr(before[key], "name", None)
    return name is None or layer.colormap.name == name
