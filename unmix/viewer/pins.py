"""What the next run is given of the pinned endmembers, and how that is said. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from .request import Known
from .session import Pure

_MOST_NAMES = 3


def held(endmembers: Sequence[Pure]) -> Known | None:
    """Return the pinned endmembers, which the next run uses as they are; None where none is pinned."""
    return _known([pure for pure in endmembers if pure.pinned])


def held_stains(endmembers: Sequence[Pure]) -> Known | None:
    """Return every stain vector of the list where one of them is pinned, else None.

    The vectors that are not pinned are those the last run found in this image, so that looking again would give them
    again.
    """
    return _known(list(endmembers)) if any(pure.pinned for pure in endmembers) else None


def pins_said(endmembers: Sequence[Pure], n_endmembers: int) -> str:
    """Return in a sentence what a run for `n_endmembers` does about pins, empty where nothing is pinned."""
    names = [pure.name for pure in endmembers if pure.pinned]
    if not names:
        return ""
    others = n_endmembers - len(names)
    if others <= 0:
        return f"The next run uses {_listed(names)} as pinned and looks for nothing else."
    return f"The next run keeps {_listed(names)} as pinned and looks for {others} other{'s' if others > 1 else ''}."


def stain_pins_said(endmembers: Sequence[Pure]) -> str:
    """Return in a sentence which stain vectors the next run uses, empty where none is pinned."""
    pinned = [pure.name for pure in endmembers if pure.pinned]
    others = [pure.name for pure in endmembers if not pure.pinned]
    if not pinned:
        return ""
    last = f" and, from the last run, {_listed(others)}" if others else ""
    return f"The next run uses the stain vectors of {_listed(pinned)}{last}."


def _known(pures: Sequence[Pure]) -> Known | None:
    return Known(tuple(p.name for p in pures), np.array([p.spectrum for p in pures])) if pures else None


def _listed(names: Sequence[str]) -> str:
    shown = list(names[:_MOST_NAMES])
    if len(names) > len(shown):
        return f"{', '.join(shown)} and {len(names) - len(shown)} more"
    return " and ".join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else shown[0]
