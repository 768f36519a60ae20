"""The preview: all abundance maps in one picture, each in its own colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from ..materials.colours import FULL_THICKNESS, INVALID
from ..nmf.threads import one_blas_thread
from .commit import commit_bytes
from .facts import colours, is_stained, quantity, source_path
from .reduced import reduced

_LONGEST_SIDE = 2048
_NOT_BRIGHTEST = 0.995
_THICKEST = 1.5
_STRIP_PIXELS = 1 << 15


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
    maps = reduced(result["abundances"], limit)
    mixed = _mixed_by(result, maps)
    height, width = maps.shape[1:]
    picture = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    grey = np.frombuffer(bytes.fromhex(INVALID[1:]), np.uint8)
    with one_blas_thread():
        for top in range(0, height, rows):
            strip = maps[:, top : top + rows].reshape(len(maps), -1)
            weights, known = np.maximum(strip, 0.0), np.isfinite(strip).all(axis=0)
            if not known.all():
                weights[:, ~known] = 0.0
            light = mixed(weights)
            light *= 255
            light += 0.5
            light[:, ~known] = grey[:, None]
            picture[top : top + rows] = light.T.reshape(-1, width, 3)
    return picture


def _mixed_by(result: xr.Dataset, maps: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns weights (r, n) into red, green and blue (3, n), 0 to 1; all float32, as are the maps."""
    hues = colours(result)
    if is_stained(result) and result.sizes["band"] == 3:
        density = np.maximum(result["endmembers"].values, 0.0)
        return lambda weights: _transmitted(density, weights)
    if is_stained(result):
        scales = _scales(maps)
        density = -FULL_THICKNESS * np.log(np.clip(hues, 1e-3, 1.0))
        return lambda weights: _transmitted(density, np.minimum(weights / scales, _THICKEST, dtype=np.float32))
    if quantity(result) == "counts":
        added = (hues / _scales(maps)).T.astype(np.float32)
        return lambda weights: np.minimum(added @ weights, 1.0)
    fractions = hues.T.astype(np.float32)
    return lambda weights: fractions @ weights / np.maximum(weights.sum(axis=0), 1.0)


def _transmitted(density: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """Return the light stains of a density (r, 3) let through: the product of what each does."""
    light: np.ndarray = -density.T.astype(np.float32) @ weights
    return np.exp(light, out=light)


def brightest(values: np.ndarray) -> float:
    """Return the value only the brightest half per cent of the finite, positive pixels exceed; 1 where none is."""
    positive = values[(values > 0) & (values < np.inf)]
    if not positive.size:
        return 1.0
    # np.percentile puts several values in their place, and takes six times as long as one does
    below, share = divmod(_NOT_BRIGHTEST * (positive.size - 1), 1)
    positive.partition(int(below))
    low = float(positive[int(below)])
    above = positive[int(below) + 1 :]
    return low + share * (float(above.min()) - low) if above.size else low


def _scales(maps: np.ndarray) -> np.ndarray:
    """Return the value of each map that is drawn in full colour, (r, 1)."""
    valid = np.isfinite(maps).all(axis=0)
    return np.array([[brightest(one[valid])] for one in maps])
