"""Looking at one map at a time: the next one, only this one, all but this one."""

from __future__ import annotations

from typing import Any

from .session import session_of


def next_map(viewer: Any, step: int) -> None:
    """Select the abundance map `step` places further on, and show only it where one was shown alone."""
    maps = session_of(viewer).layers("abundance")
    if not maps:
        return
    selected = viewer.layers.selection.active
    alone = [layer for layer in maps if layer.visible] if is_solo(maps) else []
    here = maps.index(selected) if selected in maps else -1 if step > 0 else 0
    chosen = maps[(here + step) % len(maps)]
    viewer.layers.selection.active = chosen
    if alone:
        for layer in maps:
            layer.visible = layer is chosen


def solo_map(viewer: Any, name: str | None = None) -> None:
    """Show only one abundance map, the selected one when no name is given; all again where it is alone already."""
    session = session_of(viewer)
    maps = session.layers("abundance")
    if not maps:
        return
    selected = viewer.layers.selection.active
    wanted = session.map_of(name) if name is not None else selected if selected in maps else maps[-1]
    alone = is_solo(maps) and wanted.visible
    for layer in maps:
        layer.visible = alone or layer is wanted


def hide_map(viewer: Any, name: str) -> None:
    """Hide one abundance map, or show it again."""
    layer = session_of(viewer).map_of(name)
    if layer is not None:
        layer.visible = not layer.visible


def is_solo(maps: list[Any]) -> bool:
    """Say whether just one of several maps is shown."""
    return len(maps) > 1 and sum(bool(layer.visible) for layer in maps) == 1
