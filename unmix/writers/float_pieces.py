"""Pieces of maps as TIFF stores them: tiles, or whole maps, with the floating-point predictor, deflated.

By libdeflate, in a third of zlib's time: ISA-L takes a quarter of that, but once in some ten thousand tiles it finds a
match that it does not find in another process, and the same maps are promised to give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from .reduced import block_mean


def rows_of_pieces(maps: xr.DataArray, size: tuple[int, int], step: int = 1) -> Iterator[list[np.ndarray]]:
    """Yield the pieces of a `size` of every map (map, y, x), a row of them at a time, with zeros beyond the edge.

    The maps are made smaller by `step` before.
    """
    height, width = size
    for k in range(maps.shape[0]):
        for top in range(0, maps.shape[1], height * step):
            rows = block_mean(maps[k, top : top + height * step], step)
            pieces = np.zeros((-(-rows.shape[1] // width), height, width), np.float32)
            for n, piece in enumerate(pieces):
                part = rows[:, n * width : (n + 1) * width]
                piece[: part.shape[0], : part.shape[1]] = part
            yield list(pieces)


def encoded_piece(piece: np.ndarray) -> bytes:
    """Return a piece (h, w) of float32 as it is stored: bytes by significance, as differences in a row, deflated."""
    from imagecodecs import deflate_encode, floatpred_encode

    predicted: Any = floatpred_encode(piece[:, :, None], axis=1)
    return bytes(deflate_encode(predicted, level=1))
