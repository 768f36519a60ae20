"""Many results beside each other: which endmember of which result is unlike the same one everywhere else."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np

from ..metrics import spectral_angle

FAR_DEGREES = 10.0
"""Farther than this from the median of its name, an endmember is worth a look."""

_LEAST_RESULTS = 3
_NUMBERED = re.compile(r"(endmember|dye|spectrum) \d+")


def angles_to_median(names: Sequence[Sequence[str]], spectra: Sequence[np.ndarray | None]) -> list[dict[str, float]]:
    """Return how far each endmember lies from the median of all endmembers of its name.

    Parameters
    ----------
    names : sequence of sequence of str
        Endmember names of each result; ``endmember 3`` and the like mean nothing across results and are left out.
    spectra : sequence of ndarray, shape (r, n_bands), or None
        Their spectra; None where a result could not be read. Those with another number of bands are not compared.

    Returns
    -------
    list of dict
        For each result, the angle in degrees by name; names that fewer than three results have are missing.
    """
    found: list[dict[str, float]] = [{} for _ in names]
    for name in sorted({one for listed in names for one in listed if not _NUMBERED.fullmatch(one)}):
        rows = {
            k: unit(known[list(listed).index(name)])
            for k, (listed, known) in enumerate(zip(names, spectra, strict=True))
            if known is not None and name in listed
        }
        for k, angle in _angles(rows).items():
            found[k][name] = angle
    return found


def unit(spectrum: np.ndarray) -> np.ndarray:
    """Return a spectrum of length one; bands without a value stay so."""
    length = np.sqrt(np.nansum(np.square(spectrum)))
    return spectrum / (length if length > 0 else 1.0)


def _angles(rows: dict[int, np.ndarray]) -> dict[int, float]:
    """Return the angle of each row to the median of the rows that have the commonest number of bands."""
    sizes = [len(row) for row in rows.values()]
    commonest = max(set(sizes), key=sizes.count)
    alike = {k: row for k, row in rows.items() if len(row) == commonest}
    if len(alike) < _LEAST_RESULTS:
        return {}
    stacked = np.array(list(alike.values()))
    known = np.isfinite(stacked).all(axis=0)
    median = np.median(stacked[:, known], axis=0)
    if not median.any():
        return {}
    return {k: float(np.degrees(spectral_angle(row[known], median))) for k, row in alike.items()}
