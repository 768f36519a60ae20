"""From the bytes of one tile or strip of a TIFF page to its pixels."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

Decode = Callable[[bytes, int], np.ndarray]
"""Bytes and number of a tile or strip to its pixels (rows, columns, samples)."""

_JPEG = (6, 7, 34892, 33007)
_PLAIN_JPEG, _RGB, _YCBCR = 7, 2, 6
_STEP = 32


def decoder_of(page: Any) -> Decode:
    """Return what decodes the tiles or strips of a page of an open file, which may be closed afterwards."""
    decode = page.decode  # made once, while the file is open
    if page.compression not in _JPEG:
        return lambda encoded, number: decode(encoded, number)[0][0]
    tables, header = page.jpegtables, page.jpegheader

    def by_tifffile(encoded: bytes, number: int) -> Any:
        return decode(encoded, number, jpegtables=tables, jpegheader=header)[0][0]

    return _colour_tiles(page, by_tifffile) if _has_colour_tiles(page) else by_tifffile


def _has_colour_tiles(page: Any) -> bool:
    """Return whether a page has JPEG tiles of plain colours: red, green and blue, or what becomes these."""
    plain = page.is_tiled and page.compression == _PLAIN_JPEG and page.dtype == np.uint8
    three = page.samplesperpixel == 3 and page.planarconfig == 1 and not page.extrasamples
    return bool(plain and three and page.photometric in (_RGB, _YCBCR))


def _colour_tiles(page: Any, otherwise: Decode) -> Decode:
    """Return what decodes JPEG tiles into rows that the decoder writes fast; `otherwise` where a tile is not whole.

    libjpeg-turbo writes rows that begin at multiples of 32 bytes past the processor's cache: it takes a third longer,
    and whoever reads them next waits for memory.
    """
    import imagecodecs

    rows, columns = int(page.tilelength), int(page.tilewidth)
    how = {
        "tables": page.jpegtables, "header": page.jpegheader, "shape": (rows, columns), "outcolorspace": _RGB,
        "colorspace": _RGB if page.photometric == _RGB and not page.is_jfif else None,
    }  # fmt: skip

    def decode(encoded: bytes, number: int) -> np.ndarray:
        room = np.empty(rows * columns * 3 + _STEP, np.uint8)
        first = (_STEP // 2 - room.__array_interface__["data"][0]) % _STEP
        pixels = room[first : first + rows * columns * 3].reshape(rows, columns, 3)
        try:
            imagecodecs.jpeg_decode(encoded, out=pixels, **how)
        except (ValueError, RuntimeError):
            return otherwise(encoded, number)
        return pixels

    return decode
