"""Layers that exploring adds: one of each kind a source, updated in place."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from qtpy.QtCore import QObject

from .levels import uncached
from .metadata import KEY, about
from .pacing import Paced
from .placement import Placement
from .show import adding, move
from .sources import identity_of
from .step import Step


class Overlays:
    """The overlays of one page, put into the viewer step by step, so that the window answers in between.

    Parameters
    ----------
    viewer : napari.viewer.Viewer
        Where to.
    parent : QObject
        When it goes, what has not begun is not done.
    """

    def __init__(self, viewer: Any, parent: QObject) -> None:
        self._viewer, self._steps = viewer, Paced(parent)

    def put(
        self,
        source: Any,
        role: str,
        data: Any,
        kind: str,
        step: int = 1,
        done: Callable[[], None] = lambda: None,
        **look: Any,
    ) -> None:
        """Show `data` over its source, in place of what was shown in this role before.

        Parameters
        ----------
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
        done : callable
            Called once it is shown.
        **look
            Keywords of the layer, used when it is made.
        """
        self._steps.start(_putting(self._viewer, source, role, data, kind, step, look), done)


def _putting(
    viewer: Any, source: Any, role: str, data: Any, kind: str, step: int, look: dict[str, Any]
) -> Iterator[Step]:
    """Give the layer that was shown before its new values, or make one and insert it."""
    from napari.layers import Layer

    if source not in viewer.layers:
        return
    identity = identity_of(source)
    layer = overlay(viewer, identity, role)
    placed = _placed(source, step)
    if layer is not None and layer.multiscale != isinstance(data, list):
        viewer.layers.remove(layer)
        layer = None
    if layer is not None:
        layer.data = data
        move(layer, placed)
        layer.visible = True
        return
    metadata = {KEY: {"role": role, "endmember": "", "source": source.name, "source_id": identity}}
    keywords = {"name": f"{source.name} | {role}", "metadata": metadata, **placed, **look}
    keywords |= {"multiscale": isinstance(data, list), **uncached(data)}
    made = Layer.create(data, keywords, kind)
    anchors = overlay(viewer, identity, "anchors") if kind == "labels" else None
    yield from adding(viewer.layers, made, anchors)
    if made in viewer.layers and viewer.layers.selection.active is None:
        viewer.layers.selection.active = made


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
