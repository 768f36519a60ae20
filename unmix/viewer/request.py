"""What the user asked for, as a small frozen thing that can be run: the panel fills it, the worker runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from ..abundance_maps import OnBlock
from ..blocks import Progress
from ..errors import OptionError
from ..materials.stains import stain_names
from ..pipeline import separate_stains, unmix
from .sources import SourceLayer


@dataclass(frozen=True)
class Known:
    """Endmembers that are used as they are.

    Parameters
    ----------
    names : tuple of str
        One unique name each.
    spectra : ndarray, shape (r, n_bands)
        Additive values, NaN in bands that are not good.
    """

    names: tuple[str, ...]
    spectra: np.ndarray

    def as_array(self) -> xr.DataArray:
        """Return them as the pipeline takes them."""
        return xr.DataArray(self.spectra, dims=("endmember", "band"), coords={"endmember": list(self.names)})

    def as_stains(self) -> tuple[str, ...] | None:
        """Return the names of the stains they are, None where one is no stain that unmix knows."""
        if self.spectra.shape[1] != 3:
            return None
        try:
            return stain_names(self.names)
        except OptionError:
            return None


@dataclass(frozen=True)
class Request:
    """One call of the pipeline on one layer: a number of endmembers, named stains, or known endmembers.

    Parameters
    ----------
    source : SourceLayer
        What is unmixed.
    n_endmembers : int, optional
        How many endmembers are wanted in all.
    stains : tuple of str, optional
        Which stains are separated, instead.
    known : Known, optional
        Endmembers that are used as they are; where `n_endmembers` is larger, the others are found beside them.
    options : mapping
        Keywords of `unmix.Options` that differ from their defaults.
    """

    source: SourceLayer
    n_endmembers: int | None = None
    stains: tuple[str, ...] | None = None
    known: Known | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, progress: Progress | None = None, on_block: OnBlock | None = None) -> xr.Dataset:
        """Return the result, after telling of it on the way; errors of the pipeline pass through."""
        image = self.image()
        told: dict[str, Any] = {"progress": progress, "on_block": on_block}
        if self.separates_stains:
            matrix = None if self.known is None else self.known.spectra
            return separate_stains(image, self._stain_names(), stain_matrix=matrix, **told, **self.options)
        if self.known is not None:
            wanted = self.n_endmembers if self.finds_others else None
            return unmix(image, wanted, endmembers=self.known.as_array(), **told, **self.options)
        return unmix(image, self.n_endmembers, **told, **self.options)

    @property
    def separates_stains(self) -> bool:
        """Whether `unmix.separate_stains` is called, and not `unmix.unmix`."""
        return self.stains is not None and (self.known is None or self.known.as_stains() is not None)

    @property
    def finds_others(self) -> bool:
        """Whether endmembers are found beside those that are known."""
        return self.known is not None and (self.n_endmembers or 0) > len(self.known.names)

    def params(self) -> dict[str, Any]:
        """Return what was asked for, as the keywords of the Python function that does the same; fit for JSON."""
        asked: dict[str, Any] = {"function": "separate_stains" if self.separates_stains else "unmix"}
        if self.separates_stains:
            asked["stains"] = list(self._stain_names())
        elif self.known is None or self.finds_others:
            asked["n_endmembers"] = self.n_endmembers
        if self.known is not None:
            rows = [[None if np.isnan(v) else float(v) for v in row] for row in self.known.spectra]
            asked["known"] = {"names": list(self.known.names), "spectra": rows}
        return {**asked, **self.options}

    def _stain_names(self) -> tuple[str, ...]:
        known = None if self.known is None else self.known.as_stains()
        return known or self.stains or ()

    def image(self) -> xr.DataArray:
        """Return the image, without the mark of a guess where the user has said what it is."""
        image = self.source.image()
        if self.options.get("quantity") != image.attrs["quantity"]:
            return image
        image = image.copy(deep=False)
        image.attrs = {key: value for key, value in image.attrs.items() if key != "quantity_guessed"}
        return image
