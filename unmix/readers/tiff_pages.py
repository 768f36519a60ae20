"""Compressed or tiled pages of a TIFF file: only the tiles or strips that a window needs are read and decoded."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import ReadError
from .limits import check_decoded_size
from .naming import shown
from .open_file import OpenFile, opened
from .tiff_segments import segment_size, segments_of


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
        rows, columns = segment_size(page)
        check_decoded_size(path, (rows, columns, contiguous), page.dtype, "one tile or strip")
        n_bands = len(pages) if band_is_page else samples
        white = page.dtype == np.uint8 and int(page.photometric) in (2, 6)
        return cls(
            str(path), pages, _needs_number(file), band_is_page, page.dtype, (height, width, n_bands),
            (min(rows, height), min(columns, width)), white,
        )  # fmt: skip

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        shape = rows.stop - rows.start, columns.stop - columns.start, bands.stop - bands.start
        with opened(self.path) as file:
            if not self.band_is_page and (tile := self._one_tile(file, rows, columns, shape)) is not None:
                return tile
            values = np.empty(shape, self.dtype)
            if self.band_is_page:
                for k, key in enumerate(self.pages[bands]):
                    self._fill(values[:, :, k : k + 1], file, key, rows, columns, slice(0, 1))
            else:
                self._fill(values, file, self.pages[0], rows, columns, bands)
        return values

    def _one_tile(self, file: OpenFile, rows: slice, columns: slice, shape: tuple[int, int, int]) -> np.ndarray | None:
        """Return the pixels of a window that is one whole tile or strip as they were decoded; None where it is not."""
        segments = segments_of(self.path, file.stamp, self.pages[0], self.by_number)
        height, width = segments.size
        planes, _, page_width, samples = segments.shape
        if planes > 1 or shape != (height, width, samples) or rows.start % height or columns.start % width:
            return None
        number = rows.start // height * -(-page_width // width) + columns.start // width
        return segments.pixels(file, number)

    def _fill(self, out: np.ndarray, file: OpenFile, key: int, rows: slice, columns: slice, samples: slice) -> None:
        """Decode the segments of one page that a window touches, and put their pixels into `out`."""
        segments = segments_of(self.path, file.stamp, key, self.by_number)
        height, width = segments.size
        for number, top, left, first in segments.touched(rows, columns, samples):
            pixels = segments.pixels(file, number)
            y0, x0 = max(rows.start, top), max(columns.start, left)
            y1, x1 = min(rows.stop, top + height), min(columns.stop, left + width)
            last = samples.stop if segments.shape[0] == 1 else first + 1
            low = max(samples.start, first)
            target = out[
                y0 - rows.start : y1 - rows.start,
                x0 - columns.start : x1 - columns.start,
                low - samples.start : last - samples.start,
            ]
            if pixels is None:
                target[...] = 255 if self.white else 0  # a tile that was never scanned is background
            else:
                target[...] = pixels[y0 - top : y1 - top, x0 - left : x1 - left, low - first : last - first]


def page_key(file: Any, page: Any) -> int:
    """Return what finds a page again: its number or the offset of its directory."""
    return int(page.index) if _needs_number(file) else int(page.offset)


def _needs_number(file: Any) -> bool:
    return bool(file.is_ndpi or file.is_lsm)
