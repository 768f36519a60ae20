"""How much a file may ask for: checked from its header, before any memory is taken."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

import numpy as np

from ..errors import ReadError
from .naming import shown

MAX_PICTURE_PIXELS = 178_956_970
"""Most pixels of a PNG or JPEG; larger pictures belong in a tiled TIFF. The limit is Pillow's own."""

_FALLBACK_BYTES = 8_000_000_000


def memory_limit() -> int:
    """Return how many bytes one decoded array may take: half of this machine's memory."""
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 2
    except (AttributeError, ValueError, OSError):
        return _FALLBACK_BYTES


def check_decoded_size(path: str | os.PathLike[str], shape: Sequence[int], dtype: np.dtype, what: str = "") -> None:
    """Raise `ReadError` where an array that must be decoded whole would not fit into half of the memory."""
    needed, limit = math.prod(int(size) for size in shape) * np.dtype(dtype).itemsize, memory_limit()
    if needed > limit:
        size = " x ".join(str(int(n)) for n in shape)
        raise ReadError(
            f"{shown(path)}: {what or 'the array'} ({size}, {np.dtype(dtype)}) "
            f"needs {needed:,} bytes at once; the limit is {limit:,}, half of the memory. "
            "Store it as ENVI, .npy or tiled TIFF, which are read in parts."
        )
