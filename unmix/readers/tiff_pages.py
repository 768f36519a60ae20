"""Compressed or tiled pages of a TIFF file: only the tiles or strips that a window needs are read and decoded."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError
from .limits import check_decoded_size
from .naming import one_line, shown

_JPEG = (6, 7, 34892, 33007)


@dataclass
class TiffPages:
    """Pages of one size. Bands are the samples of the one page, or one page each where `band_is_page`.

    A page is known by the offset of its directory in the file, or by its number in files whose directories tifffile
    has to mend first (NDPI, LSM).
    """

    path: str
    pages: tuple[int, ...]
    by_number: bool
    band_is_page: bool
    dtype: np.dtype
    shape: tuple[int, int, int]
    grain: tuple[int, int]
    white: bool

    @classmethod
    def of(cls, path: Path, file: Any, page: Any, pages: tuple[int, ...], band_is_page: bool) -> TiffPages:
        """Describe pages like `page`; the file may be closed afterwards."""
        separate, depth, height, width, contiguous = page.shaped
        if depth != 1:
            raise ReadError(f"{shown(path)} holds three-dimensional tiles, which are not read.")
        samples = separate * contiguous
        if band_is_page and samples != 1:
            raise ReadError(f"{shown(path)} holds several samples a page and several pages a pixel. Choose by series=.")
        rows, columns = _segment_size(page)
        check_decoded_size(path, (rows, columns, contiguous), page.dtype, "one tile or strip")
        n_bands = len(pages) if band_is_page else samples
        white = page.dtype == np.uint8 and int(page.photometric) in (2, 6)
        return cls(
            str(path), pages, _needs_number(file), band_is_page, page.dtype, (height, width, n_bands),
            (min(rows, height), min(columns, width)), white,
        )  # fmt: skip

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        values = np.empty((rows.stop - rows.start, columns.stop - columns.start, bands.stop - bands.start), self.dtype)
        with _opened(self.path) as file:
            if self.band_is_page:
                for k, key in enumerate(self.pages[bands]):
                    self._fill(values[:, :, k : k + 1], file, key, rows, columns, slice(0, 1))
            else:
                self._fill(values, file, self.pages[0], rows, columns, bands)
        return values

    def _fill(self, out: np.ndarray, file: Any, key: int, rows: slice, columns: slice, samples: slice) -> None:
        """Decode the segments of one page that a window touches, and put their pixels into `out`."""
        page = _page(file, key, self.by_number)
        options = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader} if page.compression in _JPEG else {}
        for number, top, left, first in _segments(page, rows, columns, samples):
            encoded = _encoded(file, page, number, self.path)
            decoded = None if encoded is None else page.decode(encoded, number, **options)[0]
            height, width = _segment_size(page)
            y0, x0 = max(rows.start, top), max(columns.start, left)
            y1, x1 = min(rows.stop, top + height), min(columns.stop, left + width)
            last = samples.stop if page.shaped[0] == 1 else first + 1
            low = max(samples.start, first)
            target = out[
                y0 - rows.start : y1 - rows.start,
                x0 - columns.start : x1 - columns.start,
                low - samples.start : last - samples.start,
            ]
            if decoded is None:
                target[...] = 255 if self.white else 0  # a tile that was never scanned is background
            else:
                target[...] = decoded[0, y0 - top : y1 - top, x0 - left : x1 - left, low - first : last - first]


def page_key(file: Any, page: Any) -> int:
    """Return what finds a page again: its number or the offset of its directory."""
    return int(page.index) if _needs_number(file) else int(page.offset)


def _needs_number(file: Any) -> bool:
    return bool(file.is_ndpi or file.is_lsm)


@contextmanager
def _opened(path: str) -> Iterator[Any]:
    import tifffile

    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            yield file
    except tifffile.TiffFileError as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error


def _page(file: Any, key: int, by_number: bool) -> Any:
    import tifffile

    if by_number:
        page = file.pages[key]
        return page if isinstance(page, tifffile.TiffPage) else page.aspage()
    if key == file.pages.first.offset:
        return file.pages.first
    file.filehandle.seek(key)
    return tifffile.TiffPage(file, index=0)


def _segment_size(page: Any) -> tuple[int, int]:
    """Return rows and columns of a tile or strip."""
    if page.is_tiled:
        return int(page.tilelength), int(page.tilewidth)
    return int(min(page.rowsperstrip or page.shaped[2], page.shaped[2])), int(page.shaped[3])


def _segments(page: Any, rows: slice, columns: slice, samples: slice) -> Iterator[tuple[int, int, int, int]]:
    """Yield (number, top, left, first sample) of the tiles or strips a window touches."""
    planes, _, page_height, page_width, _ = page.shaped
    height, width = _segment_size(page)
    down, across = math.ceil(page_height / height), math.ceil(page_width / width)
    for plane in range(planes) if planes == 1 else range(samples.start, samples.stop):
        for row in range(rows.start // height, (rows.stop - 1) // height + 1):
            for column in range(columns.start // width, (columns.stop - 1) // width + 1):
                yield (plane * down + row) * across + column, row * height, column * width, plane


def _encoded(file: Any, page: Any, number: int, path: str) -> bytes | None:
    """Return the bytes of one segment, or None where it was never written."""
    if number >= len(page.dataoffsets) or number >= len(page.databytecounts):
        raise ReadError(f"{shown(path)} is damaged: it lists {len(page.dataoffsets)} tiles or strips and needs more.")
    start, size = int(page.dataoffsets[number]), int(page.databytecounts[number])
    if size == 0 or start == 0:
        return None
    if start + size > file.filehandle.size:
        raise ReadError(
            f"{shown(path)} is cut short: a tile ends at byte {start + size}, the file has {file.filehandle.size}."
        )
    file.filehandle.seek(start)
    return file.filehandle.read(size)
