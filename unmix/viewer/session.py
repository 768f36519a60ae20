"""What the docks of one viewer share: the runs so far, and the endmembers as the user has named and pinned them.

Knows nothing of Qt. Docks change it, and listen to it.
"""

from __future__ import annotations

import weakref
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from psygnal import Signal

from ..errors import OptionError
from ..materials.colours import palette
from .finished import Finished, colours_in
from .layers import STAINED
from .metadata import about
from .relabel import recolour_layers, relabelled, rename_layers
from .request import Known
from .sources import identity_of, is_source
from .step import Step

MOST_RUNS = 20
"""How many runs the history keeps; each keeps its maps."""

_MOST_BYTES = 2_000_000_000
_NAMED = ("abundance", "anchors", "dominant")


@dataclass(frozen=True)
class Pure:
    """One endmember as the user sees it.

    Parameters
    ----------
    name : str
        Its name.
    spectrum : ndarray, shape (n_bands,)
        Additive values, NaN in bands that are not good.
    colour : ndarray, shape (3,)
        Red, green and blue, 0 to 1.
    pinned : bool
        Whether the next run is to use it as it is.
    place : (int, int), optional
        Row and column of the pixel it comes from.
    region : str
        What it was measured on, where the user did; else empty.
    low, high : ndarray, shape (n_bands,), optional
        How far the spectrum may be off, where the run said so.
    """

    name: str
    spectrum: np.ndarray
    colour: np.ndarray
    pinned: bool = False
    place: tuple[int, int] | None = None
    region: str = ""
    low: np.ndarray | None = None
    high: np.ndarray | None = None


class Session:
    """The runs and endmembers of one viewer.

    Parameters
    ----------
    viewer : napari.viewer.Viewer or ViewerModel
        Held weakly.
    """

    run_changed = Signal()
    """The run that is shown is another one now; `endmembers_changed` follows."""
    endmembers_changed = Signal()
    """A name, a colour, a pin or the list itself is another one now."""

    def __init__(self, viewer: Any) -> None:
        self._viewer = weakref.ref(viewer)
        self.runs: list[Finished] = []
        self.current: Finished | None = None
        self.endmembers: list[Pure] = []
        self._colours: dict[str, dict[str, np.ndarray]] = {}
        viewer.layers.events.inserted.connect(self._on_inserted)
        for layer in viewer.layers:
            self._adopt(layer)

    @property
    def viewer(self) -> Any:
        """The viewer, None where it is gone."""
        return self._viewer()

    @property
    def source(self) -> Any:
        """The layer the current run unmixed, None where it is gone."""
        viewer = self.viewer
        if viewer is None or self.current is None:
            return None
        wanted = self.current.source_id
        return next((one for one in viewer.layers if is_source(one) and identity_of(one) == wanted), None)

    @property
    def looked_at(self) -> Any:
        """The layer whose spectra are of interest: that of the current run, else the selected one, else any."""
        viewer = self.viewer
        if viewer is None or self.current is not None:
            return self.source
        selected = viewer.layers.selection.active
        if selected is not None and is_source(selected):
            return selected
        return next((layer for layer in reversed(viewer.layers) if is_source(layer)), None)

    def layers(self, *roles: str) -> list[Any]:
        """Return the layers in the viewer that belong to the source of the current run, by their roles."""
        viewer = self.viewer
        if viewer is None or self.current is None:
            return []
        return [
            layer
            for layer in viewer.layers
            if about(layer).get("source_id") == self.current.source_id and about(layer).get("role") in roles
        ]

    def map_of(self, name: str) -> Any:
        """Return the abundance layer of an endmember, None where there is none."""
        return next((layer for layer in self.layers("abundance") if about(layer)["endmember"] == name), None)

    def is_mapped(self, pure: Pure) -> bool:
        """Say whether the maps that are shown were made with this spectrum."""
        if self.current is None or pure.name not in self.current.names:
            return False
        used = self.current.result["endmembers"].values[self.current.names.index(pure.name)]
        return used.shape == pure.spectrum.shape and bool(np.allclose(used, pure.spectrum, equal_nan=True))

    # runs

    def colours_for(self, source_id: str) -> dict[str, np.ndarray]:
        """Return the colours the user chose for endmembers of a source; all colours of the list where one is pinned."""
        kept: dict[str, np.ndarray] = {}
        run = self.current
        if run is not None and run.source_id == source_id and run.quantity not in STAINED:
            kept = {one.name: one.colour for one in self.endmembers} if any(p.pinned for p in self.endmembers) else {}
        return {**kept, **self._colours.get(source_id, {})}

    def take(self, finished: Finished) -> None:
        """Make a run the current one and keep it in the history; the oldest go when there are too many."""
        deque(self.taking(finished), maxlen=0)

    def taking(self, finished: Finished) -> Iterator[Step]:
        """Take a run so that a window can breathe between those who hear of it."""
        if finished not in self.runs:
            self.runs.append(finished)
        while len(self.runs) > MOST_RUNS or (len(self.runs) > 2 and self._bytes() > _MOST_BYTES):
            oldest = next(run for run in self.runs if run is not finished)
            self.runs.remove(oldest)
        used = {pure.name: pure for pure in self.endmembers if pure.pinned} if finished.recipe.known is not None else {}
        self.current = finished
        self.endmembers = [
            replace(pure, pinned=True, place=used[pure.name].place, region=used[pure.name].region)
            if pure.name in used
            else pure
            for pure in _endmembers_of(finished)
        ]
        self.run_changed()
        yield Step.GO_ON
        self.endmembers_changed()

    def _bytes(self) -> int:
        return sum(int(run.result["abundances"].nbytes) for run in self.runs)

    # endmembers

    def rename(self, index: int, name: str) -> None:
        """Give an endmember another name.

        Raises
        ------
        OptionError
            The name is empty or taken.
        """
        name, old = name.strip(), self.endmembers[index].name
        if name == old:
            return
        if not name:
            raise OptionError("an endmember needs a name.")
        if any(pure.name == name for pure in self.endmembers):
            raise OptionError(f"another endmember is called '{name}'; names must differ.")
        self._change(index, name=name)
        if self.current is not None and old in self.current.names:
            self._replace_current(relabelled(self.current, old, name))
            rename_layers(self.layers(*_NAMED), old, name)
        if self.current is not None and old in (chosen := self._colours.get(self.current.source_id, {})):
            chosen[name] = chosen.pop(old)
        self.endmembers_changed()

    def recolour(self, index: int, colour: np.ndarray) -> None:
        """Give an endmember another colour."""
        colour, name = np.asarray(colour, np.float64), self.endmembers[index].name
        self._change(index, colour=colour)
        if self.current is not None:
            self._colours.setdefault(self.current.source_id, {})[name] = colour
            recolour_layers(self.layers(*_NAMED), name, colour, self.current.quantity)
        self.endmembers_changed()

    def pin(self, index: int, pinned: bool) -> None:
        """Say whether the next run is to use an endmember as it is."""
        self._change(index, pinned=pinned)
        self.endmembers_changed()

    def pin_all(self, pinned: bool) -> None:
        """Pin every endmember, or none."""
        self.endmembers = [replace(pure, pinned=pinned) for pure in self.endmembers]
        self.endmembers_changed()

    def delete(self, index: int) -> None:
        """Leave an endmember out of the list; its map stays until the next run."""
        del self.endmembers[index]
        self.endmembers_changed()

    def add(self, name: str, spectrum: np.ndarray, region: str, colour: np.ndarray | None = None) -> None:
        """Add a pinned endmember that was measured on a region."""
        name = _free_name(name, [pure.name for pure in self.endmembers])
        if colour is None:
            colour = palette(len(self.endmembers) + 1)[-1]
        self.endmembers.append(Pure(name, np.asarray(spectrum, np.float64), colour, pinned=True, region=region))
        self.endmembers_changed()

    def measure_again(self, index: int, spectrum: np.ndarray, region: str) -> None:
        """Give an endmember the spectrum of a region, and pin it."""
        self._change(
            index,
            spectrum=np.asarray(spectrum, np.float64),
            pinned=True,
            place=None,
            region=region,
            low=None,
            high=None,
        )
        self.endmembers_changed()

    def set_known(self, known: Known) -> None:
        """Put pinned endmembers, as from saved settings, in place of the list."""
        colours = palette(len(known.names))
        self.endmembers = [
            Pure(name, spectrum, colours[k], pinned=True, region="settings")
            for k, (name, spectrum) in enumerate(zip(known.names, known.spectra, strict=True))
        ]
        self.endmembers_changed()

    def _change(self, index: int, **changes: Any) -> None:
        self.endmembers[index] = replace(self.endmembers[index], **changes)

    def _replace_current(self, changed: Finished) -> None:
        self.runs = [changed if run is self.current else run for run in self.runs]
        self.current = changed

    # saved sessions

    def _on_inserted(self, event: Any) -> None:
        self._adopt(event.value)

    def _adopt(self, layer: Any) -> None:
        """Take up a run that came with a layer, as from a saved result."""
        finished = about(layer).get("finished")
        if isinstance(finished, Finished) and all(run.run_id != finished.run_id for run in self.runs):
            self._colours[finished.source_id] = dict(colours_in(finished.layers))
            self.take(finished)


_SESSIONS: weakref.WeakKeyDictionary[Any, Session] = weakref.WeakKeyDictionary()


def session_of(viewer: Any) -> Session:
    """Return the session of a viewer; the same one each time."""
    viewer = getattr(viewer, "__wrapped__", viewer)
    if viewer not in _SESSIONS:
        _SESSIONS[viewer] = Session(viewer)
    return _SESSIONS[viewer]


def _endmembers_of(finished: Finished) -> list[Pure]:
    result, colours = finished.result, colours_in(finished.layers)
    spare = palette(len(finished.names))
    rows, columns = result["anchor_row"].values, result["anchor_col"].values
    return [
        Pure(
            name,
            np.asarray(result["endmembers"].values[k], np.float64),
            np.asarray(colours.get(name, spare[k]), np.float64),
            place=(int(rows[k]), int(columns[k])) if rows[k] >= 0 and columns[k] >= 0 else None,
            low=result["endmembers_low"].values[k] if "endmembers_low" in result else None,
            high=result["endmembers_high"].values[k] if "endmembers_high" in result else None,
        )
        for k, name in enumerate(finished.names)
    ]


def _free_name(name: str, taken: list[str]) -> str:
    if name not in taken:
        return name
    return next(f"{name} {k}" for k in range(2, len(taken) + 3) if f"{name} {k}" not in taken)
