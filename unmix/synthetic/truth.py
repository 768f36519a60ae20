"""What a made image comes with: the answer an unmixing should find."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from ..errors import DataError

if TYPE_CHECKING:
    import xarray as xr


@dataclass(frozen=True)
class Scene:
    """An image and the truth it was made from.

    Parameters
    ----------
    image : xarray.DataArray
        The image, dims ``("y", "x", "band")``.
    endmembers : ndarray of float64, shape (r, n_bands)
        Spectra in the additive unit of the image: reflectance, optical density of unit norm, or counts summing to one.
    abundances : ndarray of float64, shape (r, y, x)
        Fractions, concentrations or expected counts of every endmember.
    names : tuple of str
        One name an endmember.
    brightness : ndarray of float64, shape (y, x), optional
        Factor on every pixel's mixture; 1 everywhere where it is absent.
    pure : ndarray of int64, shape (r, 2)
        Row and column of one pixel that holds nothing but this endmember; -1, -1 where there is none.
    white_point : ndarray of float64, shape (n_bands,), optional
        Brightfield: light where there is no stain.
    offset : float
        Counts: what the camera adds to every value.
    artefact : ndarray of bool, shape (y, x), optional
        True where something lies in the pixel that is not in the truth, or that hides it (pen, fold, pigment).
    """

    image: xr.DataArray
    endmembers: np.ndarray
    abundances: np.ndarray
    names: tuple[str, ...]
    brightness: np.ndarray | None = None
    pure: np.ndarray = field(default_factory=lambda: np.empty((0, 2), np.int64))
    white_point: np.ndarray | None = None
    offset: float = 0.0
    artefact: np.ndarray | None = None

    def __post_init__(self) -> None:
        r = len(self.names)
        height, width, n_bands = self.image.shape
        wanted = {"endmembers": (r, n_bands), "abundances": (r, height, width)}
        for key, shape in wanted.items():
            if getattr(self, key).shape != shape:
                raise DataError(f"{key} of this scene has shape {getattr(self, key).shape}; it needs {shape}.")
        if self.pure.size == 0:
            object.__setattr__(self, "pure", np.full((r, 2), -1, np.int64))
        if self.pure.shape != (r, 2):
            raise DataError(f"pure of this scene has shape {self.pure.shape}; it needs {(r, 2)}.")

    @property
    def mixture(self) -> np.ndarray:
        """The additive values the truth predicts, shape (y, x, n_bands): brightness x abundances x endmembers."""
        values = np.tensordot(self.abundances, self.endmembers, axes=(0, 0))
        return values if self.brightness is None else values * self.brightness[:, :, None]
