"""The preview: all abundance maps in one picture, each in its own colour."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import xarray as xr

from ..materials.colours import FULL_THICKNESS, INVALID
from ..nmf.threads import one_blas_thread
from .commit import commit
from .facts import colours, is_stained, quantity, source_path
from .reduced import reduced

_LONGEST_SIDE = 2048
_BRIGHTEST = 99.5
_STRIP_PIXELS = 1 << 15


def write_preview(result: xr.Dataset, path: Path, *, overwrite: bool = False) -> Path:
    """Write the composite of the abundance maps as an 8-bit RGB PNG of at most 2048 pixels on its longer side."""
    import imagecodecs

    picture = composite(result, _LONGEST_SIDE)

    def fill(temporary: Path) -> None:
        temporary.write_bytes(imagecodecs.png_encode(picture, level=3, filter=imagecodecs.PNG.FILTER.PAETH))

    def differences(temporary: Path, _: None) -> str:
        return "" if np.array_equal(imagecodecs.png_decode(temporary.read_bytes()), picture) else "values"

    return commit(path, fill, differences, overwrite=overwrite, source=source_path(result))


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
    drawn = _drawn_by(result, maps)
    height, width = maps.shape[1:]
    picture = np.empty((height, width, 3), np.uint8)
    rows = max(1, _STRIP_PIXELS // width)
    with one_blas_thread():
        for top in range(0, height, rows):
            strip = maps[:, top : top + rows]
            colour = drawn(_weights(strip))
            colour[~np.isfinite(strip).all(axis=0)] = [int(INVALID[i : i + 2], 16) / 255 for i in (1, 3, 5)]
            picture[top : top + rows] = np.rint(255 * colour)
    return picture


def _drawn_by(result: xr.Dataset, maps: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Return what turns a strip of weights (r, h, w) into colours (h, w, 3), 0 to 1."""
    hues = colours(result)
    if is_stained(result) and result.sizes["band"] == 3:
        absorbed = -result["endmembers"].values.astype(np.float32)
        return lambda weights: np.exp(np.tensordot(weights.astype(np.float32, copy=False), absorbed, axes=(0, 0)))
    if is_stained(result) or quantity(result) == "counts":
        scales, draw = _scales(maps), _absorbed if is_stained(result) else _added
        return lambda weights: draw(weights / scales, hues)
    return lambda weights: _added(weights / np.maximum(weights.sum(axis=0), 1.0), hues)


def _weights(maps: np.ndarray) -> np.ndarray:
    """Return what is drawn of maps: nothing where they are negative or no number."""
    weights: np.ndarray = np.maximum(np.nan_to_num(maps, posinf=0.0, neginf=0.0), 0.0)
    return weights


def brightest(values: np.ndarray, percentile: float = _BRIGHTEST) -> float:
    """Return the value only the brightest half per cent of the finite, positive pixels exceed; 1 where none is."""
    positive = values[np.isfinite(values) & (values > 0)]
    return float(np.percentile(positive, percentile)) if positive.size else 1.0


def _scales(maps: np.ndarray) -> np.ndarray:
    """Return the value of each map that is drawn in full colour, (r, 1, 1)."""
    valid = np.isfinite(maps).all(axis=0)
    return np.array([brightest(one[valid]) for one in _weights(maps)])[:, None, None]


def _added(weights: np.ndarray, hues: np.ndarray) -> np.ndarray:
    """Return coloured lights added on black."""
    return np.clip(np.tensordot(weights, hues, axes=(0, 0)), 0.0, 1.0)


def _absorbed(weights: np.ndarray, hues: np.ndarray) -> np.ndarray:
    """Return white light after every stain has absorbed its part: the product of the maps, each in its colours."""
    absorbed = (FULL_THICKNESS * np.log(np.clip(hues, 1e-3, 1.0))).astype(np.float32)
    light = np.tensordot(np.minimum(weights, 1.5).astype(np.float32), absorbed, axes=(0, 0))
    return np.clip(np.exp(light, out=light), 0.0, 1.0, out=light)
