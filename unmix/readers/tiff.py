"""TIFF in its many dialects: plain, OME-TIFF, ImageJ, Zeiss LSM, Aperio SVS, Hamamatsu NDPI; GeoTIFF by `raster`.

Bands are the samples of a page (RGB) or the pages along a channel axis (C, Q, I). A place must be chosen on any further
axis. Uncompressed contiguous data is read as it lies; anything else is decoded by the tiles or strips a window
needs. Files that OME-XML names are never opened; alpha is dropped, and where it is 0 the pixel is invalid.
"""

from __future__ import annotations

import math
import re
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError, ReadError
from . import raster, slide
from .describe import make_image
from .naming import one_line, shown
from .pyramid import with_pyramid
from .raw_file import RawFile
from .request import Request
from .tiff_metadata import describe
from .tiff_pages import TiffPages, page_key

_GEO_TAGS = (34735, 33550, 34264, 42112, 42113)
_BAND_AXES = "CSQIE"
_MAIN_IMAGE_FIRST = {"svs", "ndpi", "lsm", "scn", "bif", "philips", "qpi", "fluoview", "indica", "avs"}
_PALETTE, _CMYK, _YCBCR, _LAB = 3, 5, 6, (8, 9, 10)
_RGB = (2, _YCBCR)
_JPEG = (6, 7)
_JPEG_2000_YCBCR = 33003
_ALPHA = (1, 2)
_ASSOCIATED = re.compile(r"\b(label|macro|overview|thumbnail)\b", re.IGNORECASE)


def read(path: Path, request: Request) -> xr.DataArray:
    """Return one image of a TIFF file."""
    import tifffile

    try:
        with tifffile.TiffFile(path, _multifile=False) as file:
            _refuse_entities(file, path)
            if _is_for_openslide(path, file, request):
                return slide.read(path, request)
            if not is_geotiff(file):
                return _read(path, request, file)
            _refuse_several(file, path)
    except tifffile.TiffFileError as error:
        raise ReadError(f"{shown(path)} is damaged: {one_line(error)}") from error
    if request.series is not None:
        raise OptionError(f"series={request.series!r}: {shown(path)} is a GeoTIFF, which holds one image.")
    return raster.read(path, request)


def is_geotiff(file: Any) -> bool:
    """Return whether GDAL wrote the file or it lies on a map, and it is none of the microscopes' dialects."""
    page = file.pages.first
    microscope = file.is_svs or file.is_ndpi or file.is_ome or file.is_lsm
    return not microscope and any(tag in page.tags for tag in _GEO_TAGS)


def _read(path: Path, request: Request, file: Any) -> xr.DataArray:
    """Return an image of a file that is not a GeoTIFF."""
    number, places = _choices(request.series)
    series = _series(file, number, path)
    level = _level(series, request.level, path)
    page = level.keyframe
    _check_colours(page, path)
    axes = _axes(level.axes, level.shape, places, path)
    at = tuple(places.get(letter.lower(), 0) for letter in level.axes)
    raw = _raw(path, file, level, axes, at)
    described = describe(file, series, level, raw.shape[2], level.axes[axes[2]])
    described.full_size = _height_width(series.levels[0])
    if page.photometric in _RGB and len(page.extrasamples) == 1 and page.extrasamples[0] in _ALPHA:
        described.alpha = raw.shape[2] - 1 if level.axes[axes[2]] == "S" else None
    n_light = raw.shape[2] - (described.alpha is not None)
    if n_light == 3 and described.quantity is None and page.photometric not in _RGB:
        described.quantity = "unknown"
    shapes = [_height_width(one) for one in series.levels]
    return with_pyramid(make_image(path, raw, described, request), str(path), request, shapes, raw.grain)


def _is_for_openslide(path: Path, file: Any, request: Request) -> bool:
    """Return whether tifffile would give less than the slide: stitched or layered formats, JPEG 2000 in YCbCr."""
    if request.series is not None:
        return False
    jpeg_2000 = file.is_svs and int(file.pages.first.compression) == _JPEG_2000_YCBCR
    return bool(file.is_scn or file.is_bif or jpeg_2000 or path.suffix.lower() == ".vsi")


def _choices(series: Any) -> tuple[int | None, dict[str, int]]:
    """Return the number of the series and the places on its axes: from 1, '1', 't=2,z=0' or {'t': 2}."""
    if series is None:
        return None, {}
    if isinstance(series, str):
        parts = [part.strip() for part in series.split(",")]
        split = [part.partition("=") for part in parts]
        pairs: dict[str, Any] = {name: value for name, equals, value in split if equals}
        pairs.update([("series", name) for name, equals, _ in split if not equals])
    elif hasattr(series, "items"):
        pairs = dict(series.items())
    else:
        pairs = {"series": series}
    places = {}
    for name, value in pairs.items():
        text = str(value).strip()
        if isinstance(value, bool) or not text.isdecimal():
            raise OptionError(f"series={series!r}: {name}={value!r} is not a whole number from 0 upwards.")
        places[str(name).strip().lower()] = int(text)
    return places.pop("series", None), places


def _series(file: Any, number: int | None, path: Path) -> Any:
    found = list(file.series)
    if not found:
        raise ReadError(f"{shown(path)} holds no image.")
    if number is None and (len(found) == 1 or found[0].kind.lower() in _MAIN_IMAGE_FIRST):
        return found[0]
    listed = "; ".join(f"{k}: {_sizes(series)}" for k, series in enumerate(found[:12]))
    images = [series for series in found if not _ASSOCIATED.search(series.name or "")]
    if number is None and len(images) == 1:
        return images[0]
    if number is None:
        raise ReadError(f"{shown(path)} holds {len(found)} images: choose one by series=. {listed}.")
    if number >= len(found):
        raise OptionError(f"series={number}: {shown(path)} holds {len(found)} image(s). {listed}.")
    return found[number]


def _level(series: Any, number: int, path: Path) -> Any:
    if number >= len(series.levels):
        levels = "only level 0" if len(series.levels) == 1 else f"levels 0 to {len(series.levels) - 1}"
        raise OptionError(f"level={number}: {shown(path)} has {levels}.")
    return series.levels[number]


def _axes(letters: str, shape: tuple[int, ...], places: dict[str, int], path: Path) -> tuple[int, int, int]:
    """Return the axes that hold y, x and band; every further axis must have length 1 or a place chosen on it."""
    sizes = dict(zip(letters, shape, strict=True))
    for name, place in places.items():
        if name.upper() not in sizes or name.upper() in "YX":
            further = ", ".join(f"{k.lower()} ({n})" for k, n in sizes.items() if k not in "YX")
            raise OptionError(
                f"series: {shown(path)} has no axis {name!r} to choose on. It has {further or 'y and x only'}."
            )
        if place >= sizes[name.upper()]:
            raise OptionError(
                f"series: {name}={place}, but {shown(path)} has {sizes[name.upper()]} places on that axis."
            )
    if "Y" not in sizes or "X" not in sizes:
        raise ReadError(f"{shown(path)} has the axes {letters}, which is no image.")
    open_axes = [k for k, n in sizes.items() if k not in "YX" and n > 1 and k.lower() not in places]
    band = next((k for k in ("S", *_BAND_AXES) if k in open_axes), None)
    others = [k for k in open_axes if k != band]
    if others:
        listed = ", ".join(f"{k.lower()} ({sizes[k]})" for k in others)
        example = ",".join(f"{k.lower()}=0" for k in others)
        raise ReadError(f"{shown(path)} has further axes, {listed}: choose a place on each, as series='{example}'.")
    if band is None:
        raise ReadError(f"{shown(path)} has one band: there is nothing to unmix. Give the file with all its channels.")
    return letters.index("Y"), letters.index("X"), letters.index(band)


def _raw(path: Path, file: Any, level: Any, axes: tuple[int, int, int], at: tuple[int, ...]) -> RawFile | TiffPages:
    """Return how the numbers are reached: directly where they lie plain, else by tiles and strips."""
    dtype = level.dtype
    if dtype is None or dtype.kind not in "uif" or dtype.itemsize > 8:
        raise ReadError(f"{shown(path)} holds {dtype or 'numbers of an unknown type'}; an image holds real numbers.")
    if level.dataoffset is not None:
        stored = tuple(int(size) for size in level.shape)
        raw = RawFile(str(path), level.dataoffset, dtype.newbyteorder(file.byteorder), stored, axes, at)
        raw.check_size()
        return raw
    page = level.keyframe
    leading = level.ndim - len(page.shape)
    chosen = np.arange(math.prod(level.shape[:leading])).reshape(level.shape[:leading])
    band_is_page = axes[2] < leading
    where = tuple(slice(None) if axis == axes[2] else at[axis] for axis in range(leading))
    numbers = np.atleast_1d(chosen[where]) if leading else np.zeros(1, int)
    pages = [level.pages[int(number)] for number in numbers]
    if any(one is None for one in pages):
        raise ReadError(f"{shown(path)} keeps some of its planes in other files, which are never opened.")
    keys = tuple(page_key(file, one) for one in pages)
    return TiffPages.of(path, file, page, keys, band_is_page)


def _check_colours(page: Any, path: Path) -> None:
    photometric, compression = int(page.photometric), int(page.compression)
    refused = {_PALETTE: "palette", _CMYK: "CMYK", **dict.fromkeys(_LAB, "CIELAB")}
    if photometric in refused:
        raise ReadError(f"{shown(path)} holds {refused[photometric]} colours. Convert it to RGB first.")
    if photometric == _YCBCR and compression not in _JPEG:
        raise ReadError(
            f"{shown(path)} holds YCbCr colours in a compression that is not JPEG. Convert it to RGB first."
        )
    if compression == _JPEG_2000_YCBCR:
        raise ReadError(f"{shown(path)} holds JPEG 2000 in YCbCr colours, which is not read. Convert it to RGB first.")


def _refuse_entities(file: Any, path: Path) -> None:
    """Refuse XML with a document type before anything parses it: that is where entity bombs live."""
    text = (file.pages.first.description or "")[:4096].lower()
    if text.lstrip("\ufeff \t\r\n").startswith("<") and ("<!doctype" in text or "<!entity" in text):
        raise ReadError(f"{shown(path)}: its XML declares a document type or entities, which is refused.")


def _refuse_several(file: Any, path: Path) -> None:
    full = sum(1 for page in file.pages if not page.is_reduced and not page.is_mask)
    if full > 1:
        raise ReadError(
            f"{shown(path)} is a GeoTIFF of {full} images; one is expected. Split it, for example by gdal_translate."
        )


def _sizes(series: Any) -> str:
    return f"{series.name or 'image'} ({series.axes}, {' x '.join(map(str, series.shape))})"


def _height_width(level: Any) -> tuple[int, int]:
    return int(level.shape[level.axes.index("Y")]), int(level.shape[level.axes.index("X")])
