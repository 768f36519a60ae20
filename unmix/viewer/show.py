"""Putting the layers of a run into a viewer: new ones are added, those of an earlier run are updated in place."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sources import KEY, LayerData, about

_LOOK = ("contrast_limits", "colormap", "face_color", "features", "text", "size")
_PLACE = ("scale", "translate", "units", "axis_labels", "rotate", "shear", "affine")


def show_layers(viewer: Any, layers: list[LayerData], source: Any = None) -> None:
    """Show the layers of a run of `source`.

    Parameters
    ----------
    viewer : napari.viewer.Viewer or ViewerModel
        Where to.
    layers : list of (data, keywords, type)
        As from `unmix.viewer.layers.result_layers`.
    source : napari layer, optional
        Hidden when its maps appear for the first time, so that they are seen and not mixed with it.
    """
    from napari.layers import Layer

    earlier = {_place_of(about(layer)): layer for layer in viewer.layers if _made_from(layer, layers)}
    if not earlier and source is not None:
        source.visible = False
    for data, keywords, kind in layers:
        layer = earlier.pop(_place_of(keywords["metadata"][KEY]), None)
        if layer is None:
            viewer.add_layer(Layer.create(data, _with_memory(keywords), kind))
        else:
            _update(layer, data, keywords)
    for layer in earlier.values():
        viewer.layers.remove(layer)
    maps = [layer for layer in viewer.layers if _made_from(layer, layers) and about(layer)["role"] == "abundance"]
    viewer.layers.selection.active = maps[-1]


def _made_from(layer: Any, layers: list[LayerData]) -> bool:
    """Say whether a layer shows an earlier run of the same source."""
    known = about(layer)
    same = {keywords["metadata"][KEY]["source_id"] for _, keywords, _ in layers}
    return known.get("role", "source") != "source" and known.get("source_id") in same


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
