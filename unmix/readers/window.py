"""What all lazy readers share: a window of recorded numbers, turned into physical values.

A reader supplies a `Raw`: a small picklable object that knows where the numbers are and reads a window of them,
opening the file anew every time (`open_file`). `Physical` puts scale, offset, nodata, region and chosen bands on top
and is what `unmix.blocks.lazy_array` walks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from ..blocks import BLOCK_BYTES
from ..errors import ReadError, UnmixError
from ..image import sample_rows
from ..indexing import span_of
from .naming import one_line, shown
from .open_file import file_stamp

_PARALLEL_FROM = 1_000_000
_SAMPLE_PLACES = 5
_SAMPLE_WIDTH = 64
_HUGE = 1e30


class Raw(Protocol):
    """The recorded numbers of one image file, read window by window; holds no open file."""

    @property
    def path(self) -> str:
        """The file, looked at again before every window."""

    @property
    def shape(self) -> tuple[int, int, int]:
        """Rows, columns and bands."""

    @property
    def dtype(self) -> np.dtype:
        """The recorded type, with its byte order."""

    @property
    def grain(self) -> tuple[int, int]:
        """Rows and columns that are decoded together."""

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        """Return the recorded values (y, x, band) of a window without steps, in any order of memory and bytes."""


@dataclass
class Decoded:
    """Numbers that had to be decoded whole and are in memory."""

    path: str
    values: np.ndarray

    @property
    def shape(self) -> tuple[int, int, int]:
        height, width, n_bands = self.values.shape
        return height, width, n_bands

    @property
    def dtype(self) -> np.dtype:
        return self.values.dtype

    @property
    def grain(self) -> tuple[int, int]:
        return 1, self.values.shape[1]

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        return self.values[rows, columns, bands]


@dataclass(eq=False)
class Physical:
    """The physical values of a window of a `Raw`: ``raw / divisor`` or ``raw * scale + offset``, NaN where no data.

    A pixel is no data where every good band equals `nodata`. A single band that equals it keeps its value, unless
    that value cannot be a measurement (-9999, 1e20), where it is NaN too.
    """

    raw: Any
    window: tuple[int, int, int, int]
    bands: tuple[int, ...]
    good: np.ndarray
    divisor: float | None = None
    scale: np.ndarray | None = None
    offset: np.ndarray | None = None
    nodata: float | None = None

    def __post_init__(self) -> None:
        top, left, bottom, right = self.window
        self.ndim = 3
        self.shape = (bottom - top, right - left, len(self.bands))
        self.recorded = np.dtype(self.raw.dtype)
        self.nodata = _representable(self.nodata, self.recorded)
        self.changed = any(value is not None for value in (self.divisor, self.scale, self.offset, self.nodata))
        self.changed |= self.recorded.kind == "f" and self.recorded.itemsize < 4
        self.dtype = np.dtype(np.float32) if self.changed else self.recorded.newbyteorder("=")
        self.chunks: Any = chunks_along(self.raw.grain, self.window, len(self.bands))
        self.stamp = file_stamp(self.raw.path)

    def __getitem__(self, window: Any) -> np.ndarray:
        window = (window if isinstance(window, tuple) else (window,)) + (slice(None),) * 3
        spans = [span_of(index, size) for index, size in zip(window[:3], self.shape, strict=True)]
        if any(span.stop == span.start for span, _ in spans):
            pairs = zip(window[:3], self.shape, strict=True)
            return np.empty([len(range(*i.indices(n))) for i, n in pairs if isinstance(i, slice)], self.dtype)
        (rows, rest_y), (columns, rest_x), (bands, rest_b) = spans
        try:
            values = self._values(rows, columns, bands, rest_y, rest_x)
        except UnmixError:
            raise
        except Exception as error:
            raise ReadError(f"{shown(self.raw.path)}: a window cannot be read: {one_line(error)}") from error
        taken = tuple(0 if not isinstance(rest, slice) else slice(None) for rest in (rest_y, rest_x))
        return values[*taken, rest_b]

    def pick(self, window: tuple[slice, slice], y: np.ndarray, x: np.ndarray) -> np.ndarray:
        """Return the values (n, band) of some pixels of a window, given by rows and columns of the image."""
        try:
            return self._picked(window, y, x)
        except UnmixError:
            raise
        except Exception as error:
            raise ReadError(f"{shown(self.raw.path)}: pixels cannot be read: {one_line(error)}") from error

    def _picked(self, window: tuple[slice, slice], y: np.ndarray, x: np.ndarray) -> np.ndarray:
        if not hasattr(self.raw, "pick"):
            values = self[(*window, slice(None))]
            return values[y - window[0].start, x - window[1].start]
        self._require_unchanged()
        low, high = min(self.bands), max(self.bands) + 1
        raw = self.raw.pick(y + self.window[0], x + self.window[1], slice(low, high))[:, None]
        if len(self.bands) != high - low:
            raw = raw[:, :, np.asarray(self.bands) - low]
        values = self._physical(raw, slice(None))
        self._blank(values, raw)
        return values[:, 0]

    def _require_unchanged(self) -> None:
        if file_stamp(self.raw.path) != self.stamp:
            raise ReadError(f"{shown(self.raw.path)} has changed since it was opened. Open it again.")

    def _values(self, rows: slice, columns: slice, bands: slice, rest_y: Any, rest_x: Any) -> np.ndarray:
        """Return physical values of a window: steps in y and x are taken before the conversion."""
        self._require_unchanged()
        strip = getattr(self.raw, "strip_rows", 0)
        if rest_y != slice(None, None, 1) or not 0 < strip < rows.stop - rows.start:
            return self._converted(rows, columns, bands, rest_y, rest_x)
        width = len(range(columns.stop - columns.start)[rest_x]) if isinstance(rest_x, slice) else 1
        values = np.empty((rows.stop - rows.start, width, bands.stop - bands.start), self.dtype)
        for top in range(rows.start, rows.stop, strip):  # what is read in passing stays small
            part = slice(top, min(top + strip, rows.stop))
            room = values[part.start - rows.start : part.stop - rows.start]
            self._converted(part, columns, bands, rest_y, rest_x, room)
        return values

    def _converted(
        self, rows: slice, columns: slice, bands: slice, rest_y: Any, rest_x: Any, room: np.ndarray | None = None
    ) -> np.ndarray:
        """Return physical values, in the `room` where that is given."""
        judged = self.nodata is not None
        wanted = self.bands if judged else self.bands[bands]
        low, high = min(wanted), max(wanted) + 1
        top, left = self.window[:2]
        rest_y, rest_x = (rest if isinstance(rest, slice) else slice(0, 1) for rest in (rest_y, rest_x))
        across, bands_read = slice(columns.start + left, columns.stop + left), slice(low, high)
        raw = self._recorded(range(rows.start + top, rows.stop + top)[rest_y], rest_x, across, bands_read)
        if len(wanted) != high - low:
            raw = raw[:, :, np.asarray(wanted) - low]
        place = room if room is not None and room.shape == raw.shape else None
        values = self._physical(raw, slice(None) if judged else bands, place)
        if judged:
            self._blank(values, raw)
            values = values[:, :, bands]
        if room is not None and place is None:
            room[...] = values
        return values

    def _recorded(self, rows: range, every: slice, columns: slice, bands: slice) -> np.ndarray:
        """Return recorded values; rows far apart are read one by one, unless the file keeps several together."""
        if rows.step <= max(1, self.raw.grain[0]):
            low, high = min(rows[0], rows[-1]), max(rows[0], rows[-1]) + 1
            return self.raw.read(slice(low, high), columns, bands)[:: rows.step, every]
        return np.concatenate([self.raw.read(slice(row, row + 1), columns, bands)[:, every] for row in rows])

    def _physical(self, raw: np.ndarray, bands: slice, room: np.ndarray | None = None) -> np.ndarray:
        """Return physical values of recorded ones, pixel by pixel in memory."""
        if room is None and not self.changed and raw.flags.c_contiguous and raw.dtype.isnative:
            return raw
        values = np.empty(raw.shape, self.dtype) if room is None else room
        if raw.flags.c_contiguous:
            self._scale(raw, bands, values)
        else:
            for row in range(len(raw)):  # a row of all bands stays in the cache while it is transposed
                self._scale(raw[row], bands, values[row])
        return values

    def _scale(self, raw: np.ndarray, bands: slice, values: np.ndarray) -> None:
        with np.errstate(over="ignore", invalid="ignore"):
            if self.divisor is not None:
                np.divide(raw, np.float32(self.divisor), out=values, casting="unsafe")
            elif self.scale is not None:
                np.multiply(raw, self.scale[bands].astype(np.float32), out=values, casting="unsafe")
            else:
                np.copyto(values, raw, casting="unsafe")
            if self.offset is not None:
                values += self.offset[bands].astype(np.float32)

    def _blank(self, values: np.ndarray, raw: np.ndarray) -> None:
        """Put NaN where the file says there is no data."""
        if self.nodata is None:
            return
        if is_impossible(self.nodata, self.recorded):
            values[_equals(raw, self.nodata)] = np.nan
        good = np.flatnonzero(self.good) if self.good.any() else np.arange(len(self.bands))
        y, x = np.nonzero(_equals(raw[:, :, good[0]], self.nodata))
        if y.size:
            empty = _equals(raw[y, x][:, good], self.nodata).all(axis=1)
            values[y[empty], x[empty]] = np.nan


def sample_of(source: Physical) -> np.ndarray:
    """Return a few values (rows, columns, band) at fixed places: whole rows of a raw cube, corners of tiles else.

    Whole numbers have no NaN and no scale to guess: of those one pixel, which shows that the file can be decoded.
    """
    if source.dtype.kind in "iu":
        return source[:1, :1, :]
    if source.raw.grain[1] >= source.raw.shape[1]:
        return sample_rows(source)
    height, width = source.shape[:2]
    rows = sorted({int((k + 0.5) / _SAMPLE_PLACES * height) for k in range(_SAMPLE_PLACES)})
    columns = sorted({int(k / _SAMPLE_PLACES * width) for k in range(_SAMPLE_PLACES)})
    size = min(_SAMPLE_WIDTH, max(1, width // _SAMPLE_PLACES))
    lines = [
        np.concatenate([source[row : row + 1, column : column + size] for column in columns], axis=1) for row in rows
    ]
    return np.concatenate(lines)


def chunks_along(
    grain: tuple[int, int], window: tuple[int, int, int, int], n_bands: int
) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Cut a window along the file's own grain: about 64 MB of float32, at least four pieces of anything sizeable."""
    top, left, bottom, right = window
    height, width = bottom - top, right - left
    pixels = max(1, BLOCK_BYTES // (4 * n_bands))
    if height * width * n_bands > _PARALLEL_FROM:
        pixels = min(pixels, -(-height * width // 4))
    if grain[1] >= right:
        rows = max(grain[0], pixels // width // grain[0] * grain[0])
        return _cut(top, bottom, rows), (width,), (n_bands,)
    rows = max(grain[0], math.isqrt(pixels) // grain[0] * grain[0])
    columns = max(grain[1], pixels // min(rows, height) // grain[1] * grain[1])
    return _cut(top, bottom, rows), _cut(left, right, columns), (n_bands,)


def is_impossible(nodata: float, dtype: np.dtype) -> bool:
    """Return whether a nodata value is no measurement: -1 and less, beyond 1e6 in floats, a wide type's maximum."""
    if dtype.kind == "f":
        return nodata <= -1 or nodata >= 1e6
    return nodata <= -1 or (dtype.itemsize > 1 and nodata == np.iinfo(dtype).max)


def _cut(start: int, stop: int, step: int) -> tuple[int, ...]:
    edges = [start, *range((start // step + 1) * step, stop, step), stop]
    return tuple(b - a for a, b in pairwise(edges))


def _representable(nodata: float | None, dtype: np.dtype) -> float | None:
    """Return nodata if a value of this type can equal it; NaN is not finite anyway."""
    if nodata is None or math.isnan(nodata):
        return None
    if dtype.kind == "f":
        return float(nodata)
    limits = np.iinfo(dtype)
    return float(nodata) if nodata == round(nodata) and limits.min <= nodata <= limits.max else None


def _equals(raw: np.ndarray, nodata: float) -> np.ndarray:
    if abs(nodata) >= _HUGE:
        return raw <= -_HUGE if nodata < 0 else raw >= _HUGE
    return raw == raw.dtype.type(nodata)
