"""What the first image or dock of a window needs, loaded in a worker so that the window goes on meanwhile."""

from __future__ import annotations

import threading
from importlib import import_module
from types import ModuleType
from typing import Any

_ONE_AT_A_TIME = threading.Lock()
_UNITS: list[Any] = []
_LOADED: set[str] = set()


def is_loaded(name: str) -> bool:
    """Say whether `load` has loaded a module."""
    return name in _LOADED


def load(name: str) -> ModuleType:
    """Return a module of the viewer, imported with all it needs, and read pint's list of units.

    Parameters
    ----------
    name : str
        Of a file of this folder.
    """
    with _ONE_AT_A_TIME:
        _read_units()
        module = import_module(f".{name}", __package__)
        _LOADED.add(name)
        return module


def load_what_shows_images() -> None:
    """Load what napari does when it shows a first image: filters, and the scheduler that Dask finds."""
    import dask.array

    with _ONE_AT_A_TIME:
        import_module("scipy.ndimage")
        dask.array.zeros(1).compute()


def hand_over_units() -> None:
    """Have pint go by the list of units that was read, in the window's thread: one of its own may be in use there."""
    import pint

    if _UNITS and _pint_has_none():
        pint.set_application_registry(_UNITS[0])


def _read_units() -> None:
    """Read the list pint would read for the first layer of a window; it must not be told to by two threads at once."""
    import pint

    if not _UNITS and _pint_has_none():
        _UNITS.append(pint.UnitRegistry())


def _pint_has_none() -> bool:
    from pint import get_application_registry
    from pint.registry import LazyRegistry

    return isinstance(get_application_registry().get(), LazyRegistry)
