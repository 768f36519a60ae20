"""Putting the layers of a run into a viewer: new ones are added, those of an earlier run are updated in place."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any

import numpy as np

from .first_drawing import draw_part, parts_of
from .insertion import Insertion
from .layers import goes_by
from .levels import finest
from .metadata import KEY, RUN_ROLES, LayerData, about, known_by
from .step import Step

_NEW_LETTERS = 4

_LOOK = ("contrast_limits", "colormap", "face_color", "features", "text", "size")
_PLACE = ("scale", "translate", "units", "axis_labels", "rotate", "shear", "affine")


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
    earlier = {_key_of(about(layer)): layer for layer in layers_of_run(viewer, layers)}
    if not earlier and source is not None:
        source.visible = False
        yield Step.HOLD
    for one in _in_order_of_showing(layers):
        yield from _putting(viewer, earlier.pop(_key_of(known_by(one)), None), one, layers)
    for layer in earlier.values():
        if layer in viewer.layers:
            viewer.layers.remove(layer)
            yield Step.HOLD
    maps = [layer for layer in layers_of_run(viewer, layers) if about(layer)["role"] == "abundance"]
    if maps:
        viewer.layers.selection.active = maps[-1]
        yield Step.HOLD


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


def _key_of(known: dict[str, Any]) -> tuple[str, str]:
    return known["role"], known["endmember"]


def _with_memory(keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords with the look we gave the layer noted in its metadata, to tell it from the user's changes."""
    given = {key: keywords[key] for key in _LOOK if key in keywords}
    known = {**keywords["metadata"][KEY], "given": given}
    return {**keywords, "metadata": {**keywords["metadata"], KEY: known}}


def _in_order_of_showing(layers: list[LayerData]) -> list[LayerData]:
    """Return what is seen, then what is hidden.

    Points follow the first map: napari makes what it draws them with when it first does, and then draws all layers
    there are, of which there are few yet.
    """
    shown = [layer for layer in layers if layer[1].get("visible", True)]
    hidden = [layer for layer in layers if not layer[1].get("visible", True)]
    points, maps = [[one for one in shown if (one[2] == "points") is wanted] for wanted in (True, False)]
    return maps[:1] + points + maps[1:] + hidden[::-1]


def _place_among(viewer: Any, layer: LayerData, layers: list[LayerData]) -> int:
    """Return where a layer goes: right upon the next lower one of its run, or else under the next higher one."""
    there = {_key_of(about(one)): place for place, one in enumerate(viewer.layers) if _made_from(one, layers)}
    order = [_key_of(known_by(one)) for one in layers]
    here = order.index(_key_of(known_by(layer)))
    lower = [there[key] for key in order[:here] if key in there]
    higher = [there[key] for key in order[here + 1 :] if key in there]
    return lower[-1] + 1 if lower else higher[0] if higher else len(viewer.layers)


def _putting(viewer: Any, before: Any, layer: LayerData, layers: list[LayerData]) -> Iterator[Step]:
    """Give the layer that was shown before its new values, or make a new one, insert it, and write its labels."""
    from napari.layers import Layer

    data, keywords, kind = layer
    labels = keywords.get("features", {}).get("label")
    if labels is not None:
        keywords = _labelled_as(before, keywords)
    if before is not None and before in viewer.layers and _fits(before, keywords):
        _update(before, data, keywords)
        shown, then = before, Step.DRAW if before.visible else Step.HOLD
    else:
        shown = Layer.create(data, _with_memory(keywords), kind)
        yield Step.HOLD
        place = _place_among(viewer, layer, layers)
        if before is not None and before in viewer.layers:
            place = viewer.layers.index(before)
            viewer.layers.remove(before)
        yield from inserting(viewer.layers, place, shown)
        then = Step.DRAW if shown.visible else Step.HOLD
    yield then
    if labels is not None:
        yield from _labelling(viewer, shown, labels)


def adding(layers: Any, layer: Any, below: Any = None) -> Iterator[Step]:
    """Insert a layer below another, on top without one, while the window holds its drawing back; then let it draw."""
    yield Step.HOLD
    yield from inserting(layers, layers.index(below) if below in layers else len(layers), layer)
    yield Step.DRAW


def inserting(layers: Any, place: int, layer: Any) -> Iterator[Step]:
    """Insert a layer; each widget that listens does its part, and the canvas what is slow, in a step of its own."""
    insertion = Insertion(layers, place, layer)
    try:
        while not insertion.finished:
            yield Step.GO_ON
            insertion.tell_one()
    finally:
        insertion.finish()
    for part in parts_of(layer):
        yield Step.GO_ON
        draw_part(layers, layer, part)


def _labelled_as(layer: Any, keywords: dict[str, Any]) -> dict[str, Any]:
    """Return the keywords with as much of the labels as a layer has already."""
    labels = keywords["features"]["label"]
    there = list(layer.features.get("label", [])) if layer is not None else []
    there += [""] * len(labels)
    kept = [old if label.startswith(old) else "" for label, old in zip(labels, there, strict=False)]
    return {**keywords, "features": {**keywords["features"], "label": kept}}


def _labelling(viewer: Any, layer: Any, labels: list[str]) -> Iterator[Step]:
    """Write the labels of points, a few letters at each step: a window takes some time to draw a letter that is new."""
    for written in _in_pieces(labels):
        there = list(layer.features["label"])
        if layer not in viewer.layers or there == labels:
            return
        layer.features = {
            **dict(layer.features),
            "label": [max(pair, key=len) for pair in zip(there, written, strict=True)],
        }
        layer.refresh_text()
        yield Step.DRAW


def _in_pieces(labels: list[str]) -> Iterator[list[str]]:
    """Return the labels as they are written, with a few letters that are new each time."""
    written, known, new = [""] * len(labels), set[str](), set[str]()
    for place, label in enumerate(labels):
        for end, letter in enumerate(label, 1):
            if letter not in known | new and len(new) == _NEW_LETTERS:
                yield list(written)
                known, new = known | new, set()
            new |= {letter} - known
            written[place] = label[:end]
    yield written


def _update(layer: Any, data: Any, keywords: dict[str, Any]) -> None:
    """Give an existing layer new values; contrast and colours that the user changed stay as he left them."""
    before = about(layer).get("given", {})
    ours = [key for key in ("contrast_limits", "colormap") if key in keywords and _untouched(layer, key, before)]
    if _holds(layer, data):
        layer.refresh()
    else:
        layer.data = data
    move(layer, keywords)
    if "features" in keywords:
        layer.features = keywords["features"]
        if hasattr(layer, "face_color"):
            layer.face_color = keywords["face_color"]
    for key in ours:
        setattr(layer, key, keywords[key])
    layer.metadata = {**layer.metadata, **_with_memory(keywords)["metadata"]}


def move(layer: Any, keywords: dict[str, Any]) -> None:
    """Put a layer where the keywords say; what is so already is not set: napari would measure the whole scene again."""
    for key in _PLACE:
        if key in keywords and not _alike(getattr(layer, key), keywords[key]):
            setattr(layer, key, keywords[key])


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
