"""Terms that make abundance maps smooth: each pixel is compared with its neighbours right and below (4-neighbours).

Quadratic: half the squared difference. Total variation (Iordache, Bioucas-Dias and Plaza 2012, IEEE TGRS 50(11),
4484-4502; here anisotropic and rounded off near zero, Huber): the size of the difference, which leaves edges alone.
Neighbours are taken apart by De Pierro's bound (1995, IEEE Trans. Med. Imaging 14(1), 132-137), so information travels
one pixel an iteration: expect more iterations than without.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Self

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError, OptionError
from .terms import Majoriser, Start, Term, require_weight, separable


@dataclass(frozen=True)
class SpatialSmoothness(Term):
    """Half the squared differences between neighbouring pixels' abundances.

    `shape` is the grid (height, width); `valid` (height, width) says which of its pixels are the rows of X, in row
    order; all where it is not given.
    """

    shape: tuple[int, int]
    valid: ArrayLike | None = None

    shrinks = "A"

    def bound(self, start: Start) -> Self:
        """Return this term with its weight in the unit of the loss, its grid checked against the rows of X."""
        if self._count != start.shape[0]:
            raise DataError(
                f"{type(self).__name__}(shape={self.shape!r}) has {self._count} valid pixels, X {start.shape[0]} rows."
            )
        return replace(self, weight=self.weight * start.pixel_scale)

    def value(self, M: np.ndarray) -> float:
        """Return weight times the summed roughness."""
        from .spatial_kernels import roughness

        right, below = self._neighbours
        return self.weight * sum(roughness(row, right, below, self._edge) for row in M)

    def majoriser(self, M: np.ndarray) -> Majoriser:
        """Return De Pierro's bound, which takes the neighbours apart."""
        from .spatial_kernels import neighbour_pull

        right, below = self._neighbours
        slope, curvature = np.empty(M.shape), np.empty(M.shape)
        for k, row in enumerate(M):
            neighbour_pull(row.astype(np.float64), right, below, self._edge, slope[k], curvature[k])
        return separable(len(M), self.weight * slope, self.weight * curvature)

    @property
    def _edge(self) -> float:
        return float("inf")

    @cached_property
    def _mask(self) -> np.ndarray:
        """The valid pixels of the grid (height, width)."""
        size = self.shape
        if len(size) != 2 or not all(isinstance(s, (int, np.integer)) and s > 0 for s in size):
            raise OptionError(f"{type(self).__name__}(shape={size!r}) must be (height, width), both above 0.")
        if self.valid is None:
            return np.ones(size, bool)
        mask = np.asarray(self.valid)
        if mask.shape != tuple(size) or mask.dtype != bool:
            raise DataError(
                f"{type(self).__name__}(valid=...) is boolean of shape {tuple(size)}; got {mask.dtype} {mask.shape}."
            )
        return mask

    @property
    def _count(self) -> int:
        return int(self._mask.sum())

    @cached_property
    def _neighbours(self) -> tuple[np.ndarray, np.ndarray]:
        """The row of X right of and below each row of X (n,), -1 where there is none."""
        mask = self._mask
        place = np.full((mask.shape[0] + 1, mask.shape[1] + 1), -1, np.int64)
        place[:-1, :-1][mask] = np.arange(mask.sum())
        return place[:-1, 1:][mask], place[1:, :-1][mask]


@dataclass(frozen=True)
class TotalVariation(SpatialSmoothness):
    """The differences between neighbouring pixels' abundances; below `edge`, in typical abundances, they count less."""

    edge: float = 0.01

    def __post_init__(self) -> None:
        super().__post_init__()
        require_weight(type(self).__name__, "edge", self.edge, above_zero=True)

    def bound(self, start: Start) -> Self:
        """Return this term with its weight and edge in the units of the loss and the abundances."""
        checked = super().bound(start)
        size = start.abundance_size
        return replace(checked, weight=checked.weight * size, edge=self.edge * size)

    @property
    def _edge(self) -> float:
        return self.edge
