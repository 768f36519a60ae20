"""What is done to every item of a batch, and the digest by which a later run knows that it was the same."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError
from ..materials.stain_sets import stain_set
from ..options import RESOURCES, Options
from ..result import as_json
from .fingerprint import sha256_of

SHARED = "shared"
_READING = ("level", "region", "series", "key")


@dataclass(frozen=True)
class Recipe:
    """What is done to every item.

    Parameters
    ----------
    n_endmembers : int, optional
        How many endmembers to find in each, as in `unmix.unmix`.
    stains : sequence of str, str or StainSet, optional
        Separate these stains instead, as in `unmix.separate_stains`.
    endmembers : Dataset or 'shared', optional
        The same endmembers for every item: those of a result (`unmix.open_result`), or, with ``"shared"``, one fit over
        a sample of all items. Each item has a fit of its own when not given.
    library, known, library_scale : path, str, float, optional
        A spectral library that names what is found; names or materials of it (or ``"all"``) to be used as endmembers;
        what its values are divided by.
    mask : str, optional
        What the mask of each item is called, such as ``"{name}_mask.tif"``: see `unmix.batch.sources.list_items`.
    formats : sequence of str, optional
        As in `unmix.write`; when not given, what suits the image without its picture.
    reading : mapping
        ``level``, ``region``, ``series`` and ``key`` of `unmix.read`.
    options : mapping
        The knobs of `unmix.Options`.

    Examples
    --------
    >>> from unmix.batch import Recipe
    >>> Recipe(4).digest() == Recipe(4, options={"threads": 1}).digest()
    True
    """

    n_endmembers: int | None = None
    stains: Any = None
    endmembers: Any = None
    library: Path | None = None
    known: str | None = None
    library_scale: float | None = None
    mask: str | None = None
    formats: tuple[str, ...] | None = None
    reading: Mapping[str, Any] = field(default_factory=dict)
    options: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        Options.from_keywords(dict(self.options))
        unknown = [name for name in self.reading if name not in _READING]
        if unknown:
            raise OptionError(f"{unknown[0]!r} is not an argument of reading. Known: {', '.join(_READING)}.")
        if self.stains is not None and self.n_endmembers is not None:
            raise OptionError("stains= says how many there are: leave n_endmembers out.")
        if self.known is not None and self.library is None:
            raise OptionError("known= names spectra of a library: give library= too.")
        if self.endmembers is not None and self.known is not None:
            raise OptionError("the endmembers are either shared or known from a library, not both.")
        if self.mask is not None and "{name}" not in self.mask:
            raise OptionError(
                f"mask={self.mask!r} names one file. Say '{{name}}' for each input's: '{{name}}_mask.tif'."
            )
        if self.mask is not None and self.stains is not None and self.fits_all:
            raise OptionError("stains shared by a cohort are found in its tissue: leave out mask=.")
        if not (self.endmembers is None or self.fits_all or isinstance(self.endmembers, xr.Dataset)):
            raise OptionError("endmembers= is a result, as from unmix.open_result, or 'shared'.")

    @property
    def fits_all(self) -> bool:
        """Return whether one fit over a sample of all items comes first."""
        return isinstance(self.endmembers, str) and self.endmembers == SHARED

    def as_dict(self) -> dict[str, Any]:
        """Return everything that decides about the outputs, ready for JSON."""
        chosen = Options.from_keywords(dict(self.options)).as_dict()
        return {
            "unmix": version("unmix"),
            "n_endmembers": self.n_endmembers,
            "stains": None if self.stains is None else asdict(stain_set(self.stains)),
            "endmembers": self.endmembers if self.fits_all or self.endmembers is None else _digest(self.endmembers),
            "library": None if self.library is None else sha256_of(Path(self.library)),
            "known": self.known,
            "library_scale": self.library_scale,
            "mask": self.mask,
            "formats": None if self.formats is None else list(self.formats),
            "reading": {name: value for name, value in self.reading.items() if value is not None},
            "options": {name: value for name, value in chosen.items() if name not in RESOURCES},
        }

    def digest(self) -> str:
        """Return the SHA-256 of everything that decides about the outputs; threads and memory do not."""
        return hashlib.sha256(as_json(self.as_dict()).encode()).hexdigest()


def _digest(endmembers: xr.Dataset) -> str:
    """Return the SHA-256 of spectra and their names."""
    if "endmembers" not in endmembers or set(endmembers["endmembers"].dims) != {"endmember", "band"}:
        raise OptionError("endmembers= has no 'endmembers' with the dimensions endmember and band.")
    spectra = endmembers["endmembers"].transpose("endmember", "band")
    whole = hashlib.sha256(np.ascontiguousarray(spectra.values, np.float64).tobytes())
    whole.update("\n".join(str(name) for name in endmembers["endmember"].values).encode())
    return whole.hexdigest()
