"""imzML mass-spectrometry images: metadata in XML (pyimzML, extra ``imzml``), numbers in the ``.ibd`` beside it.

Continuous files share one m/z axis and are read as they are. In processed files every pixel has its own list of peaks:
they are summed into bins of equal width, `key` gives it in m/z. Numbers are read pixel by pixel when they are needed.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import SpectralAxis
from ..errors import OptionError, ReadError, warn
from .describe import Description, make_image
from .limits import check_decoded_size
from .naming import one_line, shown
from .request import Request

_USUAL_BIN = 0.5
_MOST_BANDS = 200_000
_MOST_SIDE = 1_000_000
_HEAD = 1 << 20
_TYPES = {"f": "<f4", "d": "<f8", "i": "<i4", "l": "<i8"}


@dataclass
class ImzmlCube:
    """The spectra of an ``.ibd`` file as (y, x, band), NaN where nothing was measured.

    `places` (y, x) is the number of a pixel's spectrum, -1 for none; `spectra` (n, 3) the offset of its m/z values, the
    offset of its intensities, and how many there are. `edges` are the bins of a processed file, None for continuous.
    """

    path: str
    places: np.ndarray
    spectra: np.ndarray
    types: tuple[np.dtype, np.dtype]
    n_bands: int
    edges: tuple[float, float] | None

    @property
    def shape(self) -> tuple[int, int, int]:
        return self.places.shape[0], self.places.shape[1], self.n_bands

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.float32)

    @property
    def grain(self) -> tuple[int, int]:
        return 1, self.places.shape[1]

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        wanted = self.places[rows, columns]
        values = np.full((*wanted.shape, bands.stop - bands.start), np.nan, np.float32)
        with open(self.path, "rb") as file:
            for place in np.argwhere(wanted >= 0):
                y, x = (int(part) for part in place)
                values[y, x] = self._spectrum(file, int(wanted[y, x]))[bands]
        return values

    def _spectrum(self, file: Any, number: int) -> np.ndarray:
        """Return one spectrum over all bands."""
        at_mz, at_intensity, count = (int(v) for v in self.spectra[number])
        intensity = _numbers(file, at_intensity, count, self.types[1])
        if self.edges is None:
            return intensity
        lowest, width = self.edges
        bins = ((_numbers(file, at_mz, count, self.types[0]) - lowest) / width).astype(np.int64)
        inside = (bins >= 0) & (bins < self.n_bands)
        return np.bincount(bins[inside], intensity[inside], self.n_bands)


def read(path: Path, request: Request) -> xr.DataArray:
    """Return a mass-spectrometry image; its bands are m/z."""
    parser = _parsed(path)
    data = _data_file(path)
    spectra, types = _spectra(parser, data, path)
    places = _places(parser, path)
    if _is_continuous(parser, path):
        if request.key is not None:
            raise OptionError(f"key={request.key!r}: {shown(path)} has one m/z axis for all pixels; there are no bins.")
        raw, mz = _continuous(data, places, spectra, types, path)
    else:
        raw, mz = _binned(data, places, spectra, types, request.key, path)
    described = Description(spectral_axis=SpectralAxis(mz, "m/z", "m/z"), quantity="counts")
    sizes = [parser.imzmldict.get(f"pixel size {axis}") for axis in ("y", "x")]
    sizes[0] = sizes[1] if sizes[0] is None else sizes[0]
    if all(isinstance(size, (int, float)) and size > 0 for size in sizes):
        described.pixel_size = float(sizes[0]), float(sizes[1])
    return make_image(path, raw, described, request)


def _parsed(path: Path) -> Any:
    """Return pyimzML's reading of the metadata, without the numbers."""
    with path.open("rb") as file:
        head = file.read(_HEAD).lower()
    if b"<!doctype" in head or b"<!entity" in head or b"\0" in head[:200]:
        raise ReadError(f"{shown(path)} declares a document type or entities, which are never followed.")
    try:
        from pyimzml.ImzMLParser import ImzMLParser
    except ImportError as error:
        raise ReadError(f"{shown(path)} needs pyimzml, which is not installed: pip install 'unmix[imzml]'.") from error
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ImzMLParser(str(path), parse_lib="ElementTree", ibd_file=None)
    except Exception as error:
        raise ReadError(f"{shown(path)} is damaged or no imzML 1.1: {one_line(error)}") from error


def _data_file(path: Path) -> Path:
    names = [path.with_suffix(suffix) for suffix in (".ibd", ".IBD", ".Ibd")]
    found = next((name for name in names if name.is_file()), None)
    if found is None:
        raise ReadError(f"{shown(path)}: its numbers are not beside it; tried {shown(names[0])}.")
    return found


def _spectra(parser: Any, data: Path, path: Path) -> tuple[np.ndarray, tuple[np.dtype, np.dtype]]:
    """Return offsets and lengths of all spectra, held to the size of the data file, and the types of its numbers."""
    kinds = (parser.mzPrecision, parser.intensityPrecision)
    if any(kind not in _TYPES for kind in kinds):
        raise ReadError(f"{shown(path)}: the types of m/z and intensity are not given or not known.")
    types = (np.dtype(_TYPES[kinds[0]]), np.dtype(_TYPES[kinds[1]]))
    if b"MS:1000574" in path.read_bytes()[:_HEAD]:
        raise ReadError(f"{shown(path)} keeps compressed spectra (zlib). Export it without compression.")
    columns = [np.asarray(c, np.int64) for c in (parser.mzOffsets, parser.mzLengths)]
    columns += [np.asarray(c, np.int64) for c in (parser.intensityOffsets, parser.intensityLengths)]
    at_mz, n_mz, at_intensity, n_intensity = columns
    if not n_mz.size or (n_mz != n_intensity).any() or min(c.min() for c in columns) < 0:
        raise ReadError(f"{shown(path)}: offsets or lengths of its spectra are missing, negative or unequal.")
    size = data.stat().st_size
    last = max(int((at_mz + n_mz * types[0].itemsize).max()), int((at_intensity + n_mz * types[1].itemsize).max()))
    if last > size:
        raise ReadError(f"{shown(data)}: expected at least {last} bytes, found {size}: it is cut short.")
    return np.column_stack([at_mz, at_intensity, n_mz]), types


def _places(parser: Any, path: Path) -> np.ndarray:
    """Return the number of the spectrum of every pixel (y, x), -1 for none; several planes are refused."""
    coordinates = np.asarray(parser.coordinates, np.int64)
    if len(np.unique(coordinates[:, 2])) > 1:
        raise ReadError(f"{shown(path)} has several planes (z); one is expected.")
    x, y = (coordinates[:, k] - coordinates[:, k].min() for k in (0, 1))
    height, width = int(y.max()) + 1, int(x.max()) + 1
    if max(height, width) > _MOST_SIDE or height * width > 1000 * len(x) + 1_000_000:
        raise ReadError(f"{shown(path)}: {len(x)} spectra are spread over {height} x {width} pixels.")
    places = np.full((height, width), -1, np.int64)
    places[y, x] = np.arange(len(x))
    return places


def _is_continuous(parser: Any, path: Path) -> bool:
    told = parser.metadata.file_description.param_by_name
    if ("continuous" in told) == ("processed" in told):
        raise ReadError(f"{shown(path)} does not say whether it is continuous or processed.")
    return "continuous" in told


def _continuous(
    data: Path, places: np.ndarray, spectra: np.ndarray, types: tuple[np.dtype, np.dtype], path: Path
) -> tuple[ImzmlCube, np.ndarray]:
    if len(np.unique(spectra[:, [0, 2]], axis=0)) != 1:
        raise ReadError(f"{shown(path)} says it is continuous, but its spectra do not share one m/z axis.")
    n_bands = int(spectra[0, 2])
    check_decoded_size(path, (places.shape[1], n_bands), np.dtype(np.float32), "one row")
    with data.open("rb") as file:
        mz = _numbers(file, int(spectra[0, 0]), n_bands, types[0]).astype(np.float64)
    if not np.isfinite(mz).all():
        raise ReadError(f"{shown(data)}: the m/z axis holds values that are not finite.")
    return ImzmlCube(str(data), places, spectra, types, n_bands, None), mz


def _binned(
    data: Path, places: np.ndarray, spectra: np.ndarray, types: tuple[np.dtype, np.dtype], key: str | None, path: Path
) -> tuple[ImzmlCube, np.ndarray]:
    """Return a processed file with its peaks summed into bins as wide as `key` says."""
    width = _width(key, path)
    with data.open("rb") as file:
        held = spectra[spectra[:, 2] > 0]
        step = types[0].itemsize
        ends = [
            (_numbers(file, int(at), 1, types[0])[0], _numbers(file, int(at) + (int(n) - 1) * step, 1, types[0])[0])
            for at, _, n in held
        ]
    if not ends or not np.isfinite(ends).all():
        raise ReadError(f"{shown(data)} holds no peaks, or m/z values that are not finite.")
    lowest, highest = float(np.min(ends)), float(np.max(ends))
    first = np.floor(lowest / width) * width
    n_bands = int((highest - first) / width) + 1
    if n_bands > _MOST_BANDS:
        raise ReadError(f"{shown(path)}: bins of {width:g} m/z make {n_bands} bands; at most {_MOST_BANDS}. Give key=.")
    check_decoded_size(path, (places.shape[1], n_bands), np.dtype(np.float32), "one row")
    if key is None:
        warn(
            f"{shown(path)} is processed: each pixel has its own peaks. They are summed into {n_bands} bins of "
            f"{width:g} m/z; give the width as key='0.1'."
        )
    raw = ImzmlCube(str(data), places, spectra, types, n_bands, (first, width))
    return raw, first + (np.arange(n_bands) + 0.5) * width


def _width(key: str | None, path: Path) -> float:
    try:
        width = _USUAL_BIN if key is None else float(key)
    except ValueError:
        width = np.nan
    if not (np.isfinite(width) and width > 0):
        raise OptionError(
            f"key={key!r}: {shown(path)} is processed; key= is the width of its bins in m/z, such as '0.1'."
        )
    return width


def _numbers(file: Any, offset: int, count: int, dtype: np.dtype) -> np.ndarray:
    file.seek(offset)
    content = file.read(count * dtype.itemsize)
    if len(content) != count * dtype.itemsize:
        raise ReadError(f"{shown(file.name)} is cut short at byte {offset + len(content)}.")
    return np.frombuffer(content, dtype)
