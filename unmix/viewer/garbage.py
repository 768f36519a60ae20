"""Python's search for garbage kept short.

It looks through every object there is now and then, some 400,000 in a napari window, and nothing else happens for a
tenth of a second or three. As long as searches are to be short it looks only at what came since.
"""

from __future__ import annotations

import gc
import weakref
from functools import partial
from typing import Any, ClassVar

from qtpy.QtCore import QObject

from .metadata import RUN_ROLES, about
from .pacing import after

_SETTLED_MS = 15_000
_USUAL, _SELDOM = gc.get_threshold()[2], 100_000


def put_off_whole_searches(put_off: bool) -> None:
    """Have Python not look through everything by itself, or again as usual: a search and a layer are not for one turn.

    Parameters
    ----------
    put_off : bool
        Whether layers are being shown.
    """
    young, middle, _ = gc.get_threshold()
    gc.set_threshold(young, middle, _SELDOM if put_off else _USUAL)


class ShortSearches:
    """Short searches as long as anybody wants them.

    Parameters
    ----------
    owner : QObject
        Who may want them; when it goes, it no longer does.
    """

    _wanted_by: ClassVar[set[int]] = set()
    settled: ClassVar = False
    """Whether all that a window loads in the background is there; until then, who begins looks past more of it."""

    def __init__(self, owner: QObject) -> None:
        owner.destroyed.connect(partial(self.want, False))

    def want(self, wanted: bool, *_: Any) -> None:
        """Say whether searches are to be short."""
        before = bool(self._wanted_by)
        (self._wanted_by.add if wanted else self._wanted_by.discard)(id(self))
        if wanted and not (before and self.settled):
            gc.freeze()
        elif before and not self._wanted_by:
            gc.unfreeze()


class ShortWhileOpen:
    """Short searches as long as a panel is open, but for what an image leaves behind that was there before.

    When such a layer is removed, napari's own search looks at everything, and so does one after it: the first finds it
    still held. Maps of a run are in its history anyway.

    Parameters
    ----------
    panel : QObject
        The panel; it has to hold this object, too.
    layers : napari.components.LayerList
        Those of its viewer.
    """

    def __init__(self, panel: QObject, layers: Any) -> None:
        self._layers, self._searches = layers, ShortSearches(panel)
        self._later = weakref.WeakSet[Any]()
        self._removed = after(panel, 0, self._search)
        after(panel, _SETTLED_MS, self._settle).start()
        self._searches.want(True)
        watched = [(layers.events.inserted, self._on_inserted), (layers.events.removing, self._on_removing)]
        for emitter, slot in watched:
            emitter.connect(slot)

        def farewell() -> None:
            for emitter, slot in watched:
                emitter.disconnect(slot)

        panel.destroyed.connect(farewell)

    def _on_inserted(self, event: Any) -> None:
        self._later.add(event.value)

    def _on_removing(self, event: Any) -> None:
        layer = self._layers[event.index]
        if layer not in self._later and about(layer).get("role") not in RUN_ROLES:
            gc.unfreeze()
            self._removed.start()

    def _settle(self) -> None:
        self._look_past_all()
        ShortSearches.settled = True

    def _search(self) -> None:
        gc.collect()
        self._look_past_all()

    def _look_past_all(self) -> None:
        self._later = weakref.WeakSet()
        gc.freeze()
