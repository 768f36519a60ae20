"""Chunks of a map as HDF5 stores them: bytes by significance, deflated, and a checksum behind.

HDF5 would deflate them itself, one after the other and with zlib, which takes ten times as long.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import Any

import numpy as np

from .deflated import deflated


def strips_of_chunks(stored: Any) -> Iterator[list[tuple[int, ...]]]:
    """Yield the offsets of the chunks of a dataset (..., y, x): all those of the same rows together."""
    *leading, height, width = stored.shape
    rows, columns = stored.chunks[-2:]
    for top in range(0, height, rows):
        yield [(*first, top, left) for first in np.ndindex(*leading) for left in range(0, width, columns)]


def encoded_chunk(values: np.ndarray, shape: tuple[int, int], fill: Any) -> bytes:
    """Return values (h, w) as the chunk of a `shape` that they are the upper left part of."""
    import imagecodecs

    if values.shape != shape:
        whole = np.full(shape, fill, values.dtype)
        whole[: values.shape[0], : values.shape[1]] = values
        values = whole
    encoded = deflated(_by_significance(np.ascontiguousarray(values)))
    return encoded + struct.pack("<I", imagecodecs.h5checksum_fletcher32(encoded))


def _by_significance(values: np.ndarray) -> np.ndarray:
    """Return the bytes of numbers: all first ones, all second ones and so on, as the shuffle filter of HDF5 does."""
    return np.ascontiguousarray(values.view(np.uint8).reshape(values.size, values.itemsize).T)
