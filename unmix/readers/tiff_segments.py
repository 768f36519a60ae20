"""The tiles or strips of one page of a TIFF file, so that a window of it is decoded without parsing the file again.

A slide's directory lists a hundred thousand tiles: it is read once and kept for the pages used last. A page is kept
by the file's size and time of change, and holds no open file.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ..errors import ReadError
from .naming import one_line, shown
from .open_file import OpenFile, Stamp
from .tiff_decoding import Decode, decoder_of

_PAGES_KEPT = 32


@dataclass(frozen=True, eq=False)
class Segments:
    """What is needed to find and decode the tiles or strips of a page.

    Parameters
    ----------
    shape : (int, int, int, int)
        Planes, rows, columns and samples of a pixel that lie together.
    size : (int, int)
        Rows and columns of a tile or strip.
    offsets, byte_counts : ndarray of int64
        Where each lies in the file; zero where it was never written.
    decode : callable
        From bytes and number to pixels (rows, columns, samples).
    """

    path: str
    shape: tuple[int, int, int, int]
    size: tuple[int, int]
    offsets: np.ndarray
    byte_counts: np.ndarray
    decode: Decode

    def touched(self, rows: slice, columns: slice, samples: slice) -> Iterator[tuple[int, int, int, int]]:
        """Yield (number, top, left, first sample) of the tiles or strips a window touches."""
        planes, page_height, page_width, _ = self.shape
        height, width = self.size
        down, across = math.ceil(page_height / height), math.ceil(page_width / width)
        for plane in range(planes) if planes == 1 else range(samples.start, samples.stop):
            for row in range(rows.start // height, (rows.stop - 1) // height + 1):
                for column in range(columns.start // width, (columns.stop - 1) // width + 1):
                    yield (plane * down + row) * across + column, row * height, column * width, plane

    def pixels(self, file: OpenFile, number: int) -> np.ndarray | None:
        """Return the pixels (rows, columns, samples) of one segment, or None where it was never written."""
        if number >= len(self.offsets) or number >= len(self.byte_counts):
            raise ReadError(
                f"{shown(self.path)} is damaged: it lists {len(self.offsets)} tiles or strips and needs more."
            )
        start, size = int(self.offsets[number]), int(self.byte_counts[number])
        if size == 0 or start == 0:
            return None
        if start + size > file.stamp[0]:
            raise ReadError(
                f"{shown(self.path)} is cut short: a tile ends at byte {start + size}, the file has {file.stamp[0]}."
            )
        decoded: np.ndarray = self.decode(file.bytes_at(start, size), number)
        return decoded


@lru_cache(maxsize=_PAGES_KEPT)
def segments_of(path: str, stamp: Stamp, key: int, by_number: bool) -> Segments:
    """Return the tiles or strips of the page of a file, by its number or by the offset of its directory.

    `stamp` is the file's size and time of change: what was kept of an earlier file of this name is not used.
    """
    import tifffile

    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            page = _page(file, key, by_number)
            planes, _, height, width, samples = page.shaped
            offsets, counts = (np.array(one, np.int64) for one in (page.dataoffsets, page.databytecounts))
            return Segments(
                path, (planes, height, width, samples), segment_size(page), offsets, counts, decoder_of(page)
            )
    except tifffile.TiffFileError as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error


def segment_size(page: Any) -> tuple[int, int]:
    """Return rows and columns of a tile or strip."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return int(min(page.rowsperstrip or page.shaped[2], page.shaped[2])), int(page.shaped[3])


def _page(file: Any, key: int, by_number: bool) -> Any:
    import tifffile

    if by_number:
        page = file.pages[key]
        return page if isinstance(page, tifffile.TiffPage) else page.aspage()
    if key == file.pages.first.offset:
        return file.pages.first
    file.filehandle.seek(key)
    return tifffile.TiffPage(file, index=0)
