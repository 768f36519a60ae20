"""A mask from a file: which pixels to use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import xarray as xr

from ..conventions.grid_mapping import crs_of, transform_of
from ..errors import ReadError

_OFF = 0.05
_MOST_PIXELS = 1 << 31


def read_mask(path: str | os.PathLike[str], image: xr.DataArray | None = None) -> np.ndarray:
    """Read a mask: a single-band TIFF, PNG or ``.npy`` in which zero leaves a pixel out.

    Parameters
    ----------
    path : path
        The file.
    image : DataArray, optional
        The image it is for. Where both lie on a map, the mask is held to the image's grid and cut to the image, so that
        one mask of a scene serves every part of it.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where a pixel is used.

    Raises
    ------
    ReadError
        The file is missing, is not one of these, holds more than one value a pixel, or lies elsewhere than the image.
    """
    path = Path(path)
    if not path.is_file():
        raise ReadError(f"{path}: no such file.")
    with path.open("rb") as file:
        start = file.read(8)
    try:
        if start.startswith(b"\x93NUMPY"):
            values = np.load(path, mmap_mode="r", allow_pickle=False)
        elif start.startswith(b"\x89PNG"):
            values = _png(path)
        elif start[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+"):
            values = _tiff(path)
        else:
            raise ReadError(f"{path}: a mask is a single-band TIFF, PNG or .npy file.")
    except ReadError:
        raise
    except Exception as error:
        raise ReadError(f"{path}: the mask cannot be read: {' '.join(str(error).split())}") from error
    values = np.squeeze(values)
    if values.ndim != 2 or values.dtype.kind not in "buif":
        raise ReadError(
            f"{path}: a mask has one number a pixel; this file holds {values.dtype} of shape {values.shape}."
        )
    used: np.ndarray = np.nan_to_num(np.asarray(values)) != 0
    if image is None or start[:2] not in (b"II", b"MM"):
        return used
    return _on_grid_of(image, used, path)


def _on_grid_of(image: xr.DataArray, used: np.ndarray, path: Path) -> np.ndarray:
    """Return the part of a mask that covers an image, by where both lie; as it is where either lies nowhere."""
    from .raster import opened

    with opened(path, "GTiff", None, placed=False) as dataset:
        crs, there = dataset.crs, dataset.transform
    here = transform_of(image.coords["spatial_ref"].attrs) if "spatial_ref" in image.coords else None
    ours = crs_of(image.coords["spatial_ref"].attrs) if "spatial_ref" in image.coords else None
    if crs is None or ours is None or here is None or there.is_identity:
        return used
    if crs != ours:
        raise ReadError(
            f"{path}: the mask is in another projection than the image. Bring it to the image's grid first."
        )
    column, row = ~there @ (here.c, here.f)
    steps = zip((here.a, here.b, here.d, here.e), (there.a, there.b, there.d, there.e), strict=True)
    if any(abs(a - b) > 1e-6 * max(abs(here.a), abs(here.e)) for a, b in steps):
        raise ReadError(
            f"{path}: the mask has pixels of another size than the image. Bring it to the image's grid first."
        )
    top, left = round(row), round(column)
    height, width = image.sizes["y"], image.sizes["x"]
    inside = top >= 0 and left >= 0 and top + height <= used.shape[0] and left + width <= used.shape[1]
    if max(abs(row - top), abs(column - left)) > _OFF or not inside:
        raise ReadError(
            f"{path}: the mask does not cover the image on the same grid. Bring it to the image's grid first."
        )
    return used[top : top + height, left : left + width]


def _png(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path, formats=["PNG"]) as picture:
        _check_size(path, picture.width * picture.height)
        return np.asarray(picture)


def _tiff(path: Path) -> np.ndarray:
    import tifffile

    with tifffile.TiffFile(path) as tiff:
        page = tiff.pages.first
        _check_size(path, page.imagewidth * page.imagelength)
        return page.asarray()


def _check_size(path: Path, n_pixels: int) -> None:
    if n_pixels > _MOST_PIXELS:
        raise ReadError(f"{path}: the mask claims {n_pixels:,} pixels; the limit is {_MOST_PIXELS:,}.")
