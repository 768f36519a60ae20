"""Putting the layers of a run into a viewer: new ones are added, those of an earlier run are updated in place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from enum import Enum
from typing import Any

import numpy as np

from .layers import goes_by
from .levels import finest
from .sources import KEY, LayerData, about, known_by

RUN_ROLES = ("abundance", "anchors", "dominant", "residual", "brightness")
"""Roles of the layers a run makes; the next run of the same source updates them."""

_NEW_LETTERS = 8

_LOOK = ("contrast_limits", "colormap", "face_color", "features", "text", "size")
_PLACE = ("scale", "translate", "units", "axis_labels", "rotate", "shear", "affine")


class Step(Enum):
    """What follows a step of showing layers: the canvas is drawn, or held for the steps that follow at once."""

    DRAW = "draw"
    HOLD = "hold"


def show_layers(viewer: Any, layers: list[LayerData], source: Any = None) -> None:
    """Show the layers of a run of `source`, all at once; see `showing`."""
    deque(showing(viewer, layers, source), maxlen=0)


def showing(viewer: Any, layers: list[LayerData], source: Any = None) -> Iterator[Step]:
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
    earlier = {_place_of(about(layer)): layer for layer in layers_of_run(viewer, layers)}
    if not earlier and source is not None:
        source.visible = False
        yield Step.HOLD
    shown = [layer for layer in layers if layer[1].get("visible", True)]
    hidden = [layer for layer in layers if not layer[1].get("visible", True)]
    first = min((viewer.layers.index(layer) for layer in earlier.values()), default=len(viewer.layers))
    for one in shown + hidden[::-1]:
        yield from _putting(viewer, earlier.pop(_place_of(known_by(one)), None), one, first)
    for layer in earlier.values():
        if layer in viewer.layers:
            viewer.layers.remove(layer)
            yield Step.HOLD
    maps = [layer for layer in layers_of_run(viewer, layers) if about(layer)["role"] == "abundance"]
    if maps:
        viewer.layers.selection.active = maps[-1]
        yield Step.DRAW


def repainting(viewer: Any, layers: list[LayerData]) -> Iterator[Step]:
    """Draw the maps of a run again, those that are seen, one at each step; their values have changed in place."""
    for layer in layers_of_run(viewer, layers):
        if layer.visible and layer in viewer.layers and hasattr(layer, "contrast_limits"):
            layer.refresh(thumbnail=False, highlight=False, extent=False)
            yield Step.HOLD


def layers_of_run(viewer: Any, layers: list[LayerData]) -> list[Any]:
    """Return the layers in the viewer that show these or an earlier run of the same source."""
    return [layer for layer in viewer.layers if _made_from(layer, layers)]


def warm_up(layers: list[LayerData]) -> None:
    """Have napari compile what it needs to colour labels, over a second the first time, before the window waits for it.

    Called in the worker, and so without a layer: what napari knows of units cannot be set up by two threads at once.
    """
    from napari.utils.colormaps import DirectLabelColormap

    for data, keywords, kind in layers:
        if kind == "labels":
            colours = DirectLabelColormap(color_dict=keywords["colormap"])
            colours.map(np.zeros((1, 1), finest(data).dtype))


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


def _putting(viewer: Any, before: Any, layer: LayerData, lowest: int) -> Iterator[Step]:
    """Give the layer that was shown before its new values, or make a new one, insert it, and write its labels."""
    from napari.layers import Layer

    data, keywords, kind = layer
    labels = keywords.get("features", {}).get("label")
    if before is not None and before in viewer.layers and _fits(before, keywords):
        _update(before, data, keywords)
        shown, then = before, Step.HOLD
    else:
        shown = Layer.create(data, _with_memory(keywords if labels is None else _unlabelled(keywords)), kind)
        yield Step.HOLD
        place = lowest if not keywords.get("visible", True) else len(viewer.layers)
        if before is not None and before in viewer.layers:
            place = viewer.layers.index(before)
            viewer.layers.remove(before)
        _insert_unselected(viewer.layers, place, shown)
        then = Step.DRAW if shown.visible else Step.HOLD
    yield then
    if labels is not None:
        yield from _labelling(viewer, shown, labels)


def _insert_unselected(layers: Any, place: int, layer: Any) -> None:
    """Insert a layer and leave the selection as it is: building the controls of a layer takes longer than the layer."""
    before = set(layers.selection)
    with layers.selection.events.blocker_all():
        layers.insert(place, layer)
        layers.selection.clear()
        layers.selection.update(before)


def _unlabelled(keywords: dict[str, Any]) -> dict[str, Any]:
    features = keywords["features"]
    return {**keywords, "features": {**features, "label": [""] * len(features["label"])}}


def _labelling(viewer: Any, layer: Any, labels: list[str]) -> Iterator[Step]:
    """Write the labels of points, a few at each step: a window takes some time to draw a letter that is new."""
    known: set[str] = set()
    for n_written in range(1, len(labels) + 1):
        known |= set(labels[n_written - 1])
        if n_written < len(labels) and len(known | set(labels[n_written])) <= _NEW_LETTERS:
            continue
        if layer not in viewer.layers or list(layer.features["label"]) == labels:
            return
        layer.features = {**dict(layer.features), "label": [*labels[:n_written], *[""] * (len(labels) - n_written)]}
        layer.refresh_text()
        known.clear()
        yield Step.DRAW


def _update(layer: Any, data: Any, keywords: dict[str, Any]) -> None:
    """Give an existing layer new values; contrast and colours that the user changed stay as he left them."""
    before = about(layer).get("given", {})
    ours = [key for key in ("contrast_limits", "colormap") if key in keywords and _untouched(layer, key, before)]
    if _holds(layer, data):
        layer.refresh()
    else:
        layer.data = data
    for key in _PLACE:
        if key in keywords and not _alike(getattr(layer, key), keywords[key]):
            setattr(layer, key, keywords[key])
    if "features" in keywords:
        layer.features = keywords["features"]
        if hasattr(layer, "face_color"):
            layer.face_color = keywords["face_color"]
    for key in ours:
        setattr(layer, key, keywords[key])
    layer.metadata = {**layer.metadata, **_with_memory(keywords)["metadata"]}


def _fits(layer: Any, keywords: dict[str, Any]) -> bool:
    """Say whether a layer can take new values: napari cannot make levels of one plane, or one plane of levels."""
    return bool(getattr(layer, "multiscale", False) == keywords.get("multiscale", False))


def _holds(layer: Any, data: Any) -> bool:
    """Say whether a layer shows these very arrays already, as after a run that was painted while it went on."""
    held = layer.data if getattr(layer, "multiscale", False) else [layer.data]
    given = data if isinstance(data, list) else [data]
    return len(held) == len(given) and all(
        isinstance(a, np.ndarray) and isinstance(b, np.ndarray) and a.__array_interface__ == b.__array_interface__
        for a, b in zip(held, given, strict=True)
    )


def _alike(one: Any, other: Any) -> bool:
    """Say whether two values of a layer's place are the same."""
    one, other = np.asarray(one), np.asarray(other)
    if one.dtype.kind == "f" and other.dtype.kind in "fi":
        return one.shape == other.shape and bool(np.array_equal(one, other))
    return [str(part) for part in one.ravel()] == [str(part) for part in other.ravel()]


def _untouched(layer: Any, key: str, before: dict[str, Any]) -> bool:
    """Say whether a layer still has the contrast limits or colours we gave it."""
    if key not in before:
        return False
    if key == "contrast_limits":
        return bool(np.allclose(layer.contrast_limits, before[key]))
    name = getattr(before[key], "name", None)
    return name is None or goes_by(layer.colormap.name, name)
