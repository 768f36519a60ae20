"""Names for endmembers from a spectral library: what is proposed, and how it is taken up. Knows nothing of Qt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..library_names import NAMING_ANGLE, LibraryComparison
from ..materials.library import numbered
from .step import Step

_MOST_CANDIDATES = 8


@dataclass(frozen=True)
class Proposal:
    """What a library says of one endmember; angles in radians.

    Parameters
    ----------
    nearest : tuple of (int, float)
        Row in the library and angle of the spectra that come nearest, nearest first.
    runner_up : str
        The nearest spectrum of another material than the first; empty where there is none.
    runner_up_angle : float
        Its angle.
    """

    nearest: tuple[tuple[int, float], ...]
    runner_up: str
    runner_up_angle: float

    @property
    def is_likely(self) -> bool:
        """Whether the nearest is near enough for `unmix.name_endmembers` to take its name."""
        return self.nearest[0][1] < NAMING_ANGLE


def proposals(comparison: LibraryComparison) -> list[Proposal]:
    """Return what a library says of each endmember that was compared with it."""
    found = []
    for angles, match in zip(comparison.angles, comparison.matches, strict=True):
        rows = np.argsort(angles, kind="stable")[:_MOST_CANDIDATES]
        nearest = tuple((int(row), float(angles[row])) for row in rows)
        found.append(Proposal(nearest, match.runner_up, match.angle + match.margin))
    return found


def giving_names(session: Any, wanted: Mapping[str, str]) -> Iterator[Step]:
    """Rename endmembers of a session, one at each step; a name that comes up twice, or that another keeps, is numbered.

    Parameters
    ----------
    session : Session
        Whose endmembers are renamed.
    wanted : mapping of str to str
        From the present name of an endmember to its new one.
    """
    before = [pure.name for pure in session.endmembers]
    kept = [name for name in before if name not in wanted]
    told = numbered([*kept, *(wanted[name] for name in before if name in wanted)])
    after = dict(zip((name for name in before if name in wanted), told[len(kept) :], strict=True))
    changing = {old: new for old, new in after.items() if old != new}
    while changing:
        taken = {pure.name for pure in session.endmembers}
        old = next((one for one, new in changing.items() if new not in taken), None)
        if old is None:  # names that change places: one steps aside
            old = next(iter(changing))
            aside = numbered([*taken, old])[-1]
            _rename(session, old, aside)
            changing[aside] = changing.pop(old)
        else:
            _rename(session, old, changing.pop(old))
        yield Step.DRAW


def _rename(session: Any, old: str, new: str) -> None:
    """Rename an endmember, if it is still there: the user may have deleted it between two steps."""
    names = [pure.name for pure in session.endmembers]
    if old in names:
        session.rename(names.index(old), new)


def scaled_to(spectrum: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """Return a spectrum times the number that brings it nearest to another one; angles do not see brightness."""
    both = np.isfinite(spectrum) & np.isfinite(reference)
    size = float(spectrum[both] @ spectrum[both])
    return spectrum * (float(spectrum[both] @ reference[both]) / size) if size > 0 else spectrum
