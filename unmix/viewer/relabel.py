"""Another name or colour for an endmember, everywhere it is seen: in the kept run and in the viewer's layers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from .finished import Finished
from .labelling import label_place
from .layers import NAMELESS, STAINED, colours_title, goes_by, map_colours
from .levels import finest
from .metadata import KEY, LayerData, about, known_by


def relabelled(finished: Finished, old: str, new: str) -> Finished:
    """Return a run in which one endmember has another name."""
    names = [new if name == old else name for name in finished.names]
    result = finished.result.assign_coords(endmember=("endmember", np.array(names, dtype=np.str_)))
    return replace(finished, result=result, layers=[_relabelled_layer(one, old, new) for one in finished.layers])


def rename_layers(layers: list[Any], old: str, new: str) -> None:
    """Give the layers of an endmember its new name; a layer the user has called otherwise keeps its own."""
    for layer in layers:
        known = about(layer)
        if known["role"] == "abundance" and known["endmember"] == old:
            given = _with_renamed_colours(known.get("given", {}), old, new)
            layer.metadata = {**layer.metadata, KEY: {**known, "endmember": new, "given": given}}
            if goes_by(layer.colormap.name, colours_title(old)):
                layer.colormap = given.get("colormap", layer.colormap)
            if layer.name == f"{known['source']} | {old}":
                layer.name = f"{known['source']} | {new}"
        elif "endmember" in getattr(layer, "features", {}):
            layer.features = _relabelled_features(dict(layer.features), old, new)
            if known["role"] == "anchors":
                _place_labels(layer, layers)


def _place_labels(anchors: Any, layers: list[Any]) -> None:
    """Put the labels of the anchors where most of them is on the maps: a longer name may want another side."""
    maps = [finest(layer.data).shape for layer in layers if about(layer)["role"] == "abundance"]
    if maps:
        labels, size = list(anchors.features["label"]), float(anchors.size[0])
        place = label_place(np.asarray(anchors.data), labels, maps[0], size)
        anchors.text.anchor, anchors.text.translation = place["anchor"], place["translation"]
    anchors.refresh_text()


def recolour_layers(layers: list[Any], name: str, colour: np.ndarray, quantity: str) -> None:
    """Give the map, the label and the point of an endmember another colour."""
    for layer in layers:
        known = about(layer)
        if known["role"] == "abundance" and known["endmember"] == name:
            top = float(layer.contrast_limits[1])
            layer.colormap = map_colours(name, colour, quantity in STAINED, top)
            given = {**known.get("given", {}), "colormap": layer.colormap}
            layer.metadata = {**layer.metadata, KEY: {**known, "colour": tuple(colour), "given": given}}
        elif known["role"] == "anchors":
            rows = np.flatnonzero(np.asarray(layer.features["endmember"]) == name)
            faces = np.array(layer.face_color)
            faces[rows, :3] = colour
            layer.face_color = faces
        elif known["role"] == "dominant":
            from napari.utils.colormaps import DirectLabelColormap

            features = layer.features
            label = int(features["index"][np.flatnonzero(np.asarray(features["endmember"]) == name)[0]])
            layer.colormap = DirectLabelColormap(
                color_dict={**layer.colormap.color_dict, label: np.append(colour, 1.0).astype(np.float32)}
            )


def _relabelled_layer(layer: LayerData, old: str, new: str) -> LayerData:
    data, keywords, kind = layer
    known = dict(known_by(layer))
    changed = dict(keywords)
    if known["role"] == "abundance" and known["endmember"] == old:
        known["endmember"] = new
        changed = {**_with_renamed_colours(keywords, old, new), "name": f"{known['source']} | {new}"}
    elif "features" in keywords:
        changed["features"] = _relabelled_features(keywords["features"], old, new)
    return data, {**changed, "metadata": {**keywords["metadata"], KEY: known}}, kind


def _with_renamed_colours(look: Mapping[str, Any], old: str, new: str) -> dict[str, Any]:
    """Return keywords of a map with its colours called after the new name, where they were called after the old one."""
    from napari.utils.colormaps import Colormap

    held = look.get("colormap")
    if not isinstance(held, Colormap) or not goes_by(held.name, colours_title(old)):
        return dict(look)
    renamed = Colormap(held.colors, name=colours_title(new), controls=held.controls, nan_color=held.nan_color)
    return {**look, "colormap": renamed}


def _relabelled_features(features: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    changed = {key: [new if value == old else value for value in features[key]] for key in ("endmember",)}
    if "label" in features:
        changed["label"] = [name.removeprefix(NAMELESS) for name in changed["endmember"]]
    return {**features, **changed}
