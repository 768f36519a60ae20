"""Several recorded cubes of one scene read as one: detectors or files, one after the other along the bands."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..errors import ReadError
from .naming import shown
from .open_file import file_stamp
from .window import Raw


@dataclass
class Joined:
    """Cubes of the same height and width as one `Raw`, bands in the order of the parts."""

    parts: tuple[Raw, ...]
    stamps: tuple[Any, ...] = field(init=False)

    def __post_init__(self) -> None:
        sizes = {part.shape[:2] for part in self.parts}
        if len(sizes) != 1:
            listed = ", ".join(f"{shown(part.path)} {part.shape[0]} x {part.shape[1]}" for part in self.parts)
            raise ReadError(f"the parts of a scene differ in size: {listed}.")
        self.stamps = tuple(file_stamp(part.path) for part in self.parts)

    @property
    def path(self) -> str:
        return self.parts[0].path

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width = self.parts[0].shape[:2]
        return height, width, sum(part.shape[2] for part in self.parts)

    @property
    def dtype(self) -> np.dtype:
        return np.result_type(*(part.dtype for part in self.parts))

    @property
    def grain(self) -> tuple[int, int]:
        height, width = self.parts[0].shape[:2]
        down = math.lcm(*(part.grain[0] for part in self.parts))
        across = math.lcm(*(part.grain[1] for part in self.parts))
        return min(down, height), min(across, width)

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        pieces, start = [], 0
        for part, stamp in zip(self.parts, self.stamps, strict=True):
            low, high = max(bands.start - start, 0), min(bands.stop - start, part.shape[2])
            if low < high:
                if file_stamp(part.path) != stamp:
                    raise ReadError(f"{shown(part.path)} has changed since it was opened. Open it again.")
                pieces.append(part.read(rows, columns, slice(low, high)))
            start += part.shape[2]
        return pieces[0] if len(pieces) == 1 else np.concatenate(pieces, axis=2)
