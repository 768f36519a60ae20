"""Quality layers of a product: which pixels a layer of flags marks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ..blocks import lazy_array
from ..errors import ReadError
from .naming import shown
from .window import Physical, Raw


@dataclass(frozen=True)
class PixelFlags:
    """Pixels with any of `bits` set in any band of a layer, or with one of `values`; and those that `also` marks.

    ``bits=-1`` marks every value that is not zero. `bands` are the ones that are looked at, all when not given.
    """

    layer: Raw
    bits: int = 0
    values: tuple[int, ...] = ()
    bands: tuple[int, ...] | None = None
    also: PixelFlags | None = None

    def marked(self, size: tuple[int, int], window: tuple[int, int, int, int]) -> Any:
        """Return a lazy array (y, x) of bool over a window of an image of this size."""
        if self.layer.shape[:2] != size:
            found = " x ".join(map(str, self.layer.shape[:2]))
            raise ReadError(
                f"{shown(self.layer.path)}: a layer of flags is {found}; the image is {size[0]} x {size[1]}."
            )
        bands = self.bands or tuple(range(self.layer.shape[2]))
        if max(bands) >= self.layer.shape[2]:
            raise ReadError(
                f"{shown(self.layer.path)} has {self.layer.shape[2]} bands of flags; {max(bands) + 1} are needed."
            )
        flags = lazy_array(Physical(self.layer, window, bands, np.ones(len(bands), bool)))
        marks = flags.map_blocks(_marked, self.bits, self.values, drop_axis=2, dtype=bool, meta=np.empty((0, 0), bool))
        return marks if self.also is None else marks | self.also.marked(size, window)


def _marked(flags: np.ndarray, bits: int, values: tuple[int, ...]) -> np.ndarray:
    if values:
        marks = np.isin(flags, values)
    elif bits == -1 or flags.dtype.kind == "f":
        marks = flags != 0
    else:
        marks = (flags.astype(np.int64) & bits) != 0
    return np.asarray(marks.any(axis=2))
