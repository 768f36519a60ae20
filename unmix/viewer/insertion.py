"""A layer put into a viewer in several turns: the widgets that listen hear of it one after the other.

napari makes what a layer needs in the canvas, and its controls, as soon as it hears of it; each takes about as long as
a turn of the event loop may.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, ExitStack
from typing import Any


class Insertion:
    """A layer inserted into a list; the selection stays, and the widgets that listen have not heard of it yet.

    They hear of it at the latest when something is selected or removed, which they would not get right otherwise.

    Parameters
    ----------
    layers : napari.components.LayerList
        Where to.
    place : int
        Index the layer gets.
    layer : napari.layers.Layer
        The layer.
    """

    def __init__(self, layers: Any, place: int, layer: Any) -> None:
        self._layers, self._layer = layers, layer
        self._waiting = deque(widgets_of(layers))
        selected, selection = set(layers.selection), layers.selection
        with selection.events.blocker_all(), _deaf(layers.events.inserted, self._is_waiting):
            layers.insert(place, layer)
            selection.clear()
            selection.update(selected)
        self._last_calls = [layers.events.removing, selection.events.changed, selection.events.active]
        for event in self._last_calls:
            event.connect(self.finish, position="first")

    @property
    def finished(self) -> bool:
        """Whether all widgets have heard of the layer."""
        return not self._waiting

    def tell_one(self) -> None:
        """Tell the next widget."""
        if self._waiting:
            widget, inserted = self._waiting.popleft(), self._layers.events.inserted
            with _deaf(inserted, lambda listener: listener is not widget), _placeless_unseen():
                inserted(index=self._layers.index(self._layer), value=self._layer)

    def finish(self) -> None:
        """Tell all widgets that are left."""
        while self._last_calls:
            self._last_calls.pop().disconnect(self.finish)
        while not self.finished:
            self.tell_one()

    def _is_waiting(self, listener: Any) -> bool:
        return any(listener is widget for widget in self._waiting)


def widgets_of(layers: Any) -> Iterable[Any]:
    """Return the widgets that hear of a layer that is inserted, in the order in which they are told."""
    listeners = (listener for listener, _ in _listening(layers.events.inserted))
    return {id(one): one for one in listeners if hasattr(one, "setUpdatesEnabled")}.values()


def _placeless_unseen() -> AbstractContextManager[Any]:
    """Return a context in which no widget comes up before it has a place; there is one to tell, and so there is Qt."""
    from .placeless import PlacelessUnseen

    return PlacelessUnseen()


def _listening(emitter: Any) -> Iterator[tuple[Any, Any]]:
    """Go through what listens to an event: the object, None for a function, and what is called."""
    for callback in emitter.callbacks:
        if isinstance(callback, tuple):
            listener = callback[0]()
            if listener is not None:
                yield listener, getattr(listener, callback[1])
        else:
            yield None, callback


def _deaf(emitter: Any, deaf: Callable[[Any], bool]) -> ExitStack:
    """Return a context in which some of those who listen to an event do not hear it."""
    stack = ExitStack()
    for listener, called in _listening(emitter):
        if deaf(listener):
            stack.enter_context(emitter.blocker(called))
    return stack
