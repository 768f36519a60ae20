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
    """Pixels with any of `bits` set in any band of a layer, or with one of `values`.

    ``bits=-1`` marks every value that is not zero.
    """

    layer: Raw
    bits: int = 0
    values: tuple[int, ...] = ()

    def marked(self, size: tuple[int, int], window: tuple[int, int, int, int]) -> Any:
        """Return a lazy array (y, x) of bool over a window of an image of this size."""
        if self.layer.shape[:2] != size:
            found = " x ".join(map(str, self.layer.shape[:2]))
            raise ReadError(
                f"{shown(self.layer.path)}: a layer of flags is {found}; the image is {size[0]} x {size[1]}."
            )
        n = self.layer.shape[2]
        flags = lazy_array(Physical(self.layer, window, tuple(range(n)), np.ones(n, bool)))
        return flags.map_blocks(_marked, self.bits, self.values, drop_axis=2, dtype=bool, meta=np.empty((0, 0), bool))


def _marked(flags: np.ndarray, bits: int, values: tuple[int, ...]) -> np.ndarray:
    if values:
        marks = np.isin(flags, values)
    elif bits == -1 or flags.dtype.kind == "f":
        marks = flags != 0
    else:
        marks = (flags.astype(np.int64) & bits) != 0
    return np.asarray(marks.any(axis=2))
