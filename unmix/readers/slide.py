"""Whole slides through OpenSlide: MIRAX, Leica SCN, Ventana BIF, Sakura, Zeiss CZI and whatever else it knows.

TIFF slides (SVS, NDPI, Philips, OME-TIFF) are read by `tiff`, whose pixels are the same and cost a third; it hands over
what it cannot do. Every thread opens a slide once and keeps it open as long as the image is in use; what is sent to
other processes carries a path and no handle. MIRAX is the one format that keeps its pixels in a folder beside the file.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import OptionError, ReadError
from .describe import Description, make_image
from .limits import check_decoded_size
from .naming import one_line, shown
from .pyramid import with_pyramid
from .request import Request

_GRAIN = 512
_WHITE = "FFFFFF"


@dataclass
class SlideLevel:
    """One level of a slide; what was never scanned has the slide's background colour."""

    path: str
    level: int
    shape: tuple[int, int, int]
    grain: tuple[int, int]
    downsample: tuple[float, float]
    background: tuple[int, int, int]

    def __post_init__(self) -> None:
        self._own = threading.local()

    def __reduce__(self) -> tuple[Any, ...]:
        return SlideLevel, tuple(getattr(self, one.name) for one in fields(self))

    @property
    def dtype(self) -> np.dtype:
        return np.dtype(np.uint8)

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        size = columns.stop - columns.start, rows.stop - rows.start
        place = round(columns.start * self.downsample[1]), round(rows.start * self.downsample[0])
        check_decoded_size(self.path, (*size, 4), self.dtype, "one window")
        pixels = np.asarray(self._slide().read_region(place, self.level, size))
        values = np.ascontiguousarray(pixels[:, :, bands])
        seen = pixels[:, :, 3]
        if seen.min() < 255:
            share = seen[:, :, None] / np.float32(255)
            light = values * share + np.asarray(self.background, np.float32)[bands] * (1 - share)
            values = np.rint(light).astype(np.uint8)
        return values

    def _slide(self) -> Any:
        """Return this thread's open slide; it is closed when the level is let go."""
        import openslide

        if not hasattr(self._own, "slide"):
            self._own.slide = openslide.OpenSlide(self.path)
        return self._own.slide


def read(path: Path, request: Request) -> xr.DataArray:
    """Return one level of a slide."""
    openslide = _library(path)
    vendor = openslide.OpenSlide.detect_format(path)
    if vendor is None or (vendor == "generic-tiff" and path.suffix.lower() == ".vsi"):
        raise ReadError(
            f"{shown(path)} is of no kind OpenSlide {openslide.__library_version__} reads. Export it as OME-TIFF first."
        )
    try:
        with openslide.OpenSlide(path) as slide:
            return _read(path, request, slide)
    except openslide.OpenSlideError as error:
        raise ReadError(f"{shown(path)} is damaged or incomplete: {one_line(error)}") from error


def _read(path: Path, request: Request, slide: Any) -> xr.DataArray:
    """Return one level of an open slide, lazily."""
    associated = ", ".join(sorted(slide.associated_images)) or "none"
    if request.series is not None:
        raise OptionError(
            f"series={request.series!r}: {shown(path)} is one slide. Its associated images ({associated}) are "
            "photographs of the glass, not tissue to unmix; leave series= out."
        )
    shapes = [(height, width) for width, height in slide.level_dimensions]
    if request.level >= len(shapes):
        levels = "only level 0" if len(shapes) == 1 else f"levels 0 to {len(shapes) - 1}"
        raise OptionError(f"level={request.level}: {shown(path)} has {levels}.")
    full, here = shapes[0], shapes[request.level]
    down = full[0] / here[0], full[1] / here[1]
    raw = SlideLevel(
        str(path), request.level, (*here, 3), _grain(slide, request.level, here), down, _background(slide)
    )  # fmt: skip
    described = Description(
        band_names=["red", "green", "blue"],
        quantity="brightfield",
        pixel_size=_pixel_size(slide, down),
        full_size=full,
    )
    return with_pyramid(make_image(path, raw, described, request), str(path), request, shapes, raw.grain)


def _library(path: Path) -> Any:
    """Return openslide, or say which extra brings it."""
    try:
        import openslide
    except (ImportError, OSError) as error:
        raise ReadError(
            f"{shown(path)} needs OpenSlide, which is not installed here: pip install 'unmix[slides]'. "
            "Or export the slide as OME-TIFF."
        ) from error
    return openslide


def _grain(slide: Any, level: int, shape: tuple[int, int]) -> tuple[int, int]:
    """Return rows and columns decoded together: whole tiles, at least 512 of each."""
    grain = []
    for axis, size in zip(("height", "width"), shape, strict=True):
        tile = int(slide.properties.get(f"openslide.level[{level}].tile-{axis}", _GRAIN))
        tile = max(1, min(tile, size))
        grain.append(min(size, -(-_GRAIN // tile) * tile))
    return grain[0], grain[1]


def _pixel_size(slide: Any, down: tuple[float, float]) -> tuple[float, float] | None:
    """Return the height and width of a pixel in micrometres at a level, or None where the slide does not say."""
    sizes = []
    for axis, factor in zip("yx", down, strict=True):
        try:
            sizes.append(float(slide.properties[f"openslide.mpp-{axis}"]) * factor)
        except (KeyError, ValueError):
            return None
    return (sizes[0], sizes[1]) if min(sizes) > 0 and np.isfinite(sizes).all() else None


def _background(slide: Any) -> tuple[int, int, int]:
    """Return the colour of what was never scanned, white where the slide does not say."""
    text = str(slide.properties.get("openslide.background-color", _WHITE))
    try:
        red, green, blue = bytes.fromhex(text)
    except ValueError:
        red, green, blue = bytes.fromhex(_WHITE)
    return red, green, blue
