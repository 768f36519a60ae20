"""PNG and JPEG pictures: three colours of 8 or 16 bits, decoded whole.

Palettes are expanded. Alpha is dropped; where it is 0 the pixel is invalid. The orientation recorded by a camera (EXIF)
is applied, so that the picture lies as every viewer shows it. Colour profiles (ICC) are not applied. Pictures without
colour (grey, grey with alpha, one bit) and CMYK are refused.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..errors import ReadError
from .describe import Description, make_image
from .limits import MAX_PICTURE_PIXELS, check_decoded_size
from .naming import one_line, shown
from .request import Request
from .window import Decoded

_PNG = b"\x89PNG\r\n\x1a\n"
_PNG_COLOURS = {0: "grey", 2: "RGB", 3: "palette", 4: "grey with alpha", 6: "RGBA"}
_ORIENTATION = 0x0112


@dataclass(frozen=True)
class _Kind:
    """What a picture's header says."""

    height: int
    width: int
    mode: str
    bits: int
    frames: int


def read(path: Path, request: Request) -> xr.DataArray:
    """Return a picture with bands red, green and blue."""
    kind = _look(path)
    _check(path, kind)
    with _opened(path) as picture:
        values = _sixteen_bits(path) if kind.bits == 16 else _eight_bits(picture)
        values = _upright(values, _orientation(picture))
    described = Description(band_names=("red", "green", "blue"), alpha=3 if values.shape[2] == 4 else None)
    if described.alpha is not None:
        described.band_names = ("red", "green", "blue", "alpha")
    return make_image(path, Decoded(str(path), values), described, request)


def _look(path: Path) -> _Kind:
    """Return what the header says, without decoding a pixel."""
    with path.open("rb") as file:
        head = file.read(33)
    if head.startswith(_PNG):
        if len(head) < 33 or head[12:16] != b"IHDR":
            raise ReadError(f"{shown(path)} is cut short: the PNG header is missing.")
        width, height = (int.from_bytes(head[k : k + 4], "big") for k in (16, 20))
        _check_pixels(path, height, width)
        mode, bits = _PNG_COLOURS.get(head[25], f"colour type {head[25]}"), head[24]
    else:
        mode, bits = "", 8
    with _opened(path) as picture:
        width, height = picture.size
        _check_pixels(path, height, width)
        mode = mode or picture.mode
        frames = getattr(picture, "n_frames", 1) if picture.format == "PNG" else 1
    return _Kind(height, width, mode, bits, int(frames))


def _check(path: Path, kind: _Kind) -> None:
    if kind.frames > 1:
        raise ReadError(f"{shown(path)} is an animation of {kind.frames} frames. Save one frame as a picture.")
    if kind.mode in ("CMYK", "YCCK"):
        raise ReadError(f"{shown(path)} is a CMYK picture, whose inks are no light. Convert it to RGB first.")
    if kind.mode not in ("RGB", "RGBA", "palette"):
        names = {"L": "grey", "LA": "grey with alpha", "1": "one bit"}
        raise ReadError(
            f"{shown(path)} has no colour ({names.get(kind.mode, kind.mode)}): one channel cannot be "
            "unmixed. Give the RGB picture."
        )
    check_decoded_size(path, (kind.height, kind.width, 4), np.dtype("u2" if kind.bits == 16 else "u1"), "the picture")


def _check_pixels(path: Path, height: int, width: int) -> None:
    if not 0 < height * width <= MAX_PICTURE_PIXELS:
        raise ReadError(
            f"{shown(path)} declares {height} x {width} pixels; the limit for a PNG or JPEG is {MAX_PICTURE_PIXELS:,}. "
            "Store larger pictures as tiled TIFF."
        )


def _opened(path: Path) -> Any:
    """Open a picture by Pillow; only its header is read."""
    from PIL import Image

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(path, formats=("PNG", "JPEG", "MPO"))
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ReadError(f"{shown(path)} cannot be read: {one_line(error)}") from error


def _eight_bits(picture: Any) -> np.ndarray:
    transparent = "transparency" in picture.info or picture.mode in ("RGBA", "PA")
    return np.asarray(picture.convert("RGBA" if transparent else "RGB"))


def _sixteen_bits(path: Path) -> np.ndarray:
    import imagecodecs

    values: np.ndarray = imagecodecs.png_decode(path.read_bytes())
    return values


def _orientation(picture: Any) -> int:
    """Return how a picture is to be turned; a PNG may say it behind its pixels, which are decoded for it if need be."""
    orientation = picture.getexif().get(_ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


def _upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Return a picture the way EXIF says it is to be seen."""
    if orientation in (5, 6, 7, 8):
        values = values.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return np.ascontiguousarray(values)
