"""Looking at one map at a time: the next one, only this one, all but this one."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .session import session_of
from .step import Step


def next_map(viewer: Any, step: int) -> Iterator[Step]:
    """Select the abundance map `step` places further on; return the steps that show only it where one was alone."""
    maps = session_of(viewer).layers("abundance")
    if not maps:
        return iter(())
    selected = viewer.layers.selection.active
    here = maps.index(selected) if selected in maps else -1 if step > 0 else 0
    viewer.layers.selection.active = chosen = maps[(here + step) % len(maps)]
    return _staying_alone(maps, chosen)


def _staying_alone(maps: list[Any], chosen: Any) -> Iterator[Step]:
    if is_solo(maps):
        yield from showing_of(maps, [chosen])


def solo_map(viewer: Any, name: str | None = None) -> Iterator[Step]:
    """Show only one abundance map, the selected one when no name is given; all again where it is alone already.

    In steps, like everything that changes what is seen of several layers.
    """
    session = session_of(viewer)
    maps = session.layers("abundance")
    if not maps:
        return
    selected = viewer.layers.selection.active
    wanted = session.map_of(name) if name is not None else selected if selected in maps else maps[-1]
    yield from showing_of(maps, maps if is_solo(maps) and wanted.visible else [wanted])


def showing_of(layers: list[Any], wanted: list[Any]) -> Iterator[Step]:
    """Show those of the layers that are wanted and hide the others, one at each step, and draw them together."""
    for layer in layers:
        if layer.visible != (layer in wanted):
            layer.visible = not layer.visible
            yield Step.GO_ON
    yield Step.DRAW


def hide_map(viewer: Any, name: str) -> None:
    """Hide one abundance map, or show it again."""
    layer = session_of(viewer).map_of(name)
    if layer is not None:
        layer.visible = not layer.visible


def is_solo(maps: list[Any]) -> bool:
    """Say whether just one of several maps is shown."""
    return len(maps) > 1 and sum(bool(layer.visible) for layer in maps) == 1
