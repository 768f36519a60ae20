"""A mask from a file: which pixels to use."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from ..errors import ReadError

_MOST_PIXELS = 1 << 31


def read_mask(path: str | os.PathLike[str]) -> np.ndarray:
    """Read a mask: a single-band TIFF, PNG or ``.npy`` in which zero leaves a pixel out.

    Parameters
    ----------
    path : path
        The file.

    Returns
    -------
    ndarray of bool, shape (y, x)
        True where a pixel is used.

    Raises
    ------
    ReadError
        The file is missing, is not one of these, or holds more than one value a pixel.
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
    return np.nan_to_num(np.asarray(values)) != 0


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
