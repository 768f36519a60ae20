"""What the user asked for, as a small frozen thing that can be run: the panel fills it, the worker runs it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import xarray as xr

from ..blocks import Progress
from ..pipeline import separate_stains, unmix
from .sources import SourceLayer


@dataclass(frozen=True)
class Request:
    """One call of the pipeline on one layer: either a number of endmembers or named stains.

    Parameters
    ----------
    source : SourceLayer
        What is unmixed.
    n_endmembers : int, optional
        How many endmembers are sought.
    stains : tuple of str, optional
        Which stains are separated, instead.
    options : mapping
        Keywords of `unmix.Options` that differ from their defaults.
    """

    source: SourceLayer
    n_endmembers: int | None = None
    stains: tuple[str, ...] | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def run(self, progress: Progress) -> xr.Dataset:
        """Return the result; errors of the pipeline pass through."""
        image = self._said(self.source.image())
        if self.stains is not None:
            return separate_stains(image, self.stains, progress=progress, **self.options)
        return unmix(image, self.n_endmembers, progress=progress, **self.options)

    def params(self) -> dict[str, Any]:
        """Return what was asked for, as the keywords of the Python function that does the same."""
        if self.stains is not None:
            return {"function": "separate_stains", "stains": list(self.stains), **self.options}
        return {"function": "unmix", "n_endmembers": self.n_endmembers, **self.options}

    def _said(self, image: xr.DataArray) -> xr.DataArray:
        """Return the image without the mark of a guess where the user has said what it is."""
        if self.options.get("quantity") != image.attrs["quantity"]:
            return image
        image = image.copy(deep=False)
        image.attrs = {key: value for key, value in image.attrs.items() if key != "quantity_guessed"}
        return image
