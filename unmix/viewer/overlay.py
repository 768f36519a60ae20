"""Layers that exploring adds: one of each kind a source, updated in place."""

from __future__ import annotations

from typing import Any

from .levels import uncached
from .placement import Placement
from .sources import KEY, about, identity_of


def put_overlay(viewer: Any, source: Any, role: str, data: Any, kind: str, step: int = 1, **look: Any) -> Any:
    """Show `data` over its source, in place of what was shown in this role before; return the layer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    source : napari layer
        What it lies on.
    role : str
        What it is; also the second part of its name.
    data : array or list of arrays
        What is shown, or its levels.
    kind : {'image', 'labels'}
        Of the layer.
    step : int
        How many pixels of the source one of `data` stands for, in both directions.
    **look
        Keywords of the layer, used when it is made.
    """
    from napari.layers import Layer

    identity = identity_of(source)
    layer = overlay(viewer, identity, role)
    placed = _placed(source, step)
    if layer is not None and layer.multiscale != isinstance(data, list):
        viewer.layers.remove(layer)
        layer = None
    if layer is not None:
        layer.data = data
        layer.scale, layer.translate = placed["scale"], placed["translate"]
        layer.visible = True
        return layer
    metadata = {KEY: {"role": role, "endmember": "", "source": source.name, "source_id": identity}}
    keywords = {"name": f"{source.name} | {role}", "metadata": metadata, **placed, **look}
    keywords |= {"multiscale": isinstance(data, list), **uncached(data)}
    selected = viewer.layers.selection.active
    anchors = overlay(viewer, identity, "anchors") if kind == "labels" else None
    made = Layer.create(data, keywords, kind)
    viewer.layers.insert(len(viewer.layers) if anchors is None else viewer.layers.index(anchors), made)
    if selected is not None:
        viewer.layers.selection.active = selected
    return made


def _placed(source: Any, step: int) -> dict[str, Any]:
    """Return the keywords that place a layer whose pixels are the first of each step of the source's."""
    placed = Placement.of_layer(source).of_map()
    shift = [0.5 * (step - 1) * size for size in placed["scale"]]
    translate = tuple(at + more for at, more in zip(placed["translate"], shift, strict=True))
    return {**placed, "scale": tuple(step * size for size in placed["scale"]), "translate": translate}


def overlay(viewer: Any, source_id: str, role: str) -> Any:
    """Return the layer that has this role over a source, None where there is none."""
    return next(
        (one for one in viewer.layers if about(one).get("role") == role and about(one).get("source_id") == source_id),
        None,
    )
