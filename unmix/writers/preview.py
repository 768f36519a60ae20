"""The preview: all abundance maps in one picture, each in its own colour."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr

from ..materials.colours import FULL_THICKNESS, INVALID
from .commit import commit_bytes
from .facts import colours, is_stained, quantity, source_path
from .reduced import reduced

_LONGEST_SIDE = 2048
_BRIGHTEST = 99.5
_THICKEST = 1.5


def write_preview(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the composite of the abundance maps as an 8-bit RGB PNG of at most 2048 pixels on its longer side."""
    from imagecodecs import PNG, png_encode

    # run lengths of what PAETH leaves over take half of the time of zlib's own search, and less room
    picture = png_encode(composite(result, _LONGEST_SIDE), level=1, filter=PNG.FILTER.PAETH, strategy=PNG.STRATEGY.RLE)
    return commit_bytes(path, bytes(picture), overwrite=overwrite, source=source_path(result))


def composite(result: xr.Dataset, limit: int) -> np.ndarray:
    """Return the abundance maps as one picture.

    Fractions are mixed as light: each pixel is the mean of the endmembers' colours, weighted by their fractions.
    Fluorescence is added on black, each map up to its brightest half per cent. Stains absorb white light: in red, green
    and blue as much as they do on the slide, so that the picture is the slide without what they do not explain; in
    other bands each in its own colour, up to its brightest half per cent. Invalid pixels are grey.

    Parameters
    ----------
    result : Dataset
        The result.
    limit : int
        Largest height and width; larger maps are averaged over square blocks.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        The picture.
    """
    maps = np.ascontiguousarray(reduced(result["abundances"], limit))
    picture = np.empty((*maps.shape[1:], 3), np.uint8)
    _draw(result, maps, picture)
    return picture


def _draw(result: xr.Dataset, maps: np.ndarray, picture: np.ndarray) -> None:
    """Draw maps (r, h, w) as the quantity of the result has it."""
    from .preview_kernel import draw_absorbed, draw_added

    grey = np.frombuffer(bytes.fromhex(INVALID[1:]), np.uint8)
    hues, most = colours(result), np.full(len(maps), np.inf, np.float32)
    if is_stained(result) and result.sizes["band"] == 3:
        draw_absorbed(maps, result["endmembers"].values.astype(np.float32), most, grey, picture)
    elif is_stained(result):
        scales = _scales(maps)
        absorbed = -FULL_THICKNESS * np.log(np.clip(hues, 1e-3, 1.0)) / scales
        most = (_THICKEST * scales[:, 0]).astype(np.float32)
        draw_absorbed(maps, absorbed.astype(np.float32), most, grey, picture)
    elif quantity(result) == "counts":
        draw_added(maps, (hues / _scales(maps)).astype(np.float32), np.float32(np.inf), grey, picture)
    else:
        draw_added(maps, hues.astype(np.float32), np.float32(1.0), grey, picture)


def brightest(values: np.ndarray, percentile: float = _BRIGHTEST) -> float:
    """Return the value only the brightest half per cent of the finite, positive pixels exceed; 1 where none is."""
    positive = values[np.isfinite(values) & (values > 0)]
    return float(np.percentile(positive, percentile)) if positive.size else 1.0


def _scales(maps: np.ndarray) -> np.ndarray:
    """Return the value of each map that is drawn in full colour, (r, 1)."""
    valid = np.isfinite(maps).all(axis=0)
    return np.array([[brightest(one[valid])] for one in maps])
