"""Files to images: one file a format family, one line in `FORMATS` registers it."""

from __future__ import annotations

import importlib
import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ReadError, UnmixError
from .naming import one_line, shown

if TYPE_CHECKING:
    import xarray as xr

    from .formats import Format

__all__ = ["image_suffixes", "open_result", "read"]


def _formats() -> tuple[Format, ...]:
    """Return the registry: name, module, first bytes, suffixes, choices."""
    from .formats import Format

    tiff_names = (".tif", ".tiff", ".lsm", ".svs", ".ndpi")
    hdf5_names = (".h5", ".hdf5", ".he5", ".nc", ".hspy")
    slides, slide_names = (b"SQLite format 3\0", b"ZISRAWFILE"), (".mrxs", ".svslide", ".czi")
    tiff = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
    return (
        Format("ENVI", "envi", (b"ENVI", b"\xef\xbb\xbfENVI"), (".hdr",)),
        Format("PNG", "pictures", (b"\x89PNG\r\n\x1a\n",), (".png",)),
        Format("JPEG", "pictures", (b"\xff\xd8\xff",), (".jpg", ".jpeg")),
        Format("TIFF (GeoTIFF, OME-TIFF, LSM, SVS, NDPI)", "tiff", tiff, tiff_names, ("level", "series")),
        Format("slide (MRXS, SVSLIDE, CZI; by OpenSlide)", "slide", slides, slide_names, ("level", "series")),
        Format("JPEG 2000", "raster", (b"\0\0\0\x0cjP  ", b"\xff\x4f\xff\x51"), (".jp2", ".j2k"), ("level",)),
        Format("NumPy .npy", "numpy_files", (b"\x93NUMPY",), (".npy",)),
        Format("NumPy .npz", "numpy_files", (b"PK\x03\x04", b"PK\x05\x06"), (".npz",), ("key",)),
        Format("MATLAB .mat", "matlab", (b"MATLAB 5.0", b"MATLAB 7.3"), (".mat",), ("key",)),
        Format("HDF5, NetCDF 4", "hdf5", (b"\x89HDF\r\n\x1a\n",), hdf5_names, ("key",)),
        Format("Zarr", "zarr_store", (), (".zarr",), ("key",)),
        Format("imzML", "imzml", (), (".imzml",), ("key",)),
        Format("Raman map (text)", "raman_text", (), ()),
        Format("product metadata (XML, MTL)", "products.metadata", (b"<?xml", b"GROUP = L"), (".xml",), ("series",)),
    )  # fmt: skip


def image_suffixes() -> tuple[str, ...]:
    """Return how the files are called that are looked for in a folder; of an ENVI pair the header."""
    return tuple(suffix for one in _formats() for suffix in one.suffixes)


def read(
    source: str | os.PathLike[str],
    *,
    level: int = 0,
    region: tuple[int, int, int, int] | None = None,
    series: int | str | Mapping[str, int] | None = None,
    key: str | None = None,
    quantity: str | None = None,
    scale: float | None = None,
    bands: tuple[float, float] | None = None,
    exclude: tuple[tuple[float, float], ...] | None = None,
    water_bands: str = "auto",
) -> xr.DataArray:
    """Read an image file; what the file is, is decided by its content.

    Raw cubes (ENVI, .npy), tiled files (GeoTIFF, slides, JPEG 2000) and HDF5 are lazy: opening reads headers and a few
    rows. Pictures, .npz and MATLAB 5 files are decoded whole, if they fit into half of the memory.

    Parameters
    ----------
    source : str or path
        A file on this machine. For ENVI, either the header or the data file.
    level : int
        Pyramid level of a slide or a GeoTIFF with overviews; 0 is the full image.
    region : (y0, x0, y1, x1), optional
        Part of the image to read, half open, in pixels of level 0.
    series : int, str or mapping, optional
        TIFF: which image of the file, and which place on further axes: ``1``, ``"t=2,z=0"`` or ``{"t": 2, "z": 0}``.
    key : str, optional
        HDF5, MATLAB, .npz: name of the array.
    quantity : {'reflectance', 'radiance', 'counts', 'brightfield', 'optical_density', 'unknown'}, optional
        What the numbers are; the file's metadata decides when not given, else it is guessed from a few rows.
    scale : float, optional
        Recorded values are divided by it, instead of by whatever scale the file gives.
    bands : (float, float), optional
        Keep only bands with a wavelength in this range, nanometres, ends included.
    exclude : sequence of (float, float), optional
        Flag bands with a wavelength in these ranges as not good, nanometres.
    water_bands : {'auto', 'keep'}
        ``auto`` leaves out, aloud, the bands water vapour blacks out (1350-1433 and 1804-1968 nm) of reflectance of
        Earth whose file does not say which bands are good; ``keep`` uses them.

    Returns
    -------
    xarray.DataArray
        The image, dims ``("y", "x", "band")``; ``.encoding`` holds what was recorded (type, scale, offset, nodata).

    Raises
    ------
    ReadError
        The file is missing, damaged, dishonest about its size, ambiguous, or of a format unmix does not read.
    OptionError
        An argument is not allowed, or this format has nothing to choose by it.

    Examples
    --------
    >>> import numpy as np, tempfile, unmix
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "scene.npy"
    ...     np.save(path, np.full((4, 5, 6), 0.25, "float32"))
    ...     image = unmix.read(path).compute()
    >>> image.shape, image.attrs["quantity"], image.attrs["name"]
    ((4, 5, 6), 'reflectance', 'scene')
    """
    from .formats import check_choices, find_format, refuse_remote
    from .request import Request

    request = Request(level, region, series, key, quantity, scale, bands, exclude or (), water_bands)
    path = _as_path(source)
    refuse_remote(os.fspath(source))
    chosen = find_format(path, _formats())
    check_choices(chosen, request, path)
    try:
        return importlib.import_module(f".{chosen.module}", __name__).read(path, request)
    except UnmixError:
        raise
    except Exception as error:
        raise ReadError(f"{shown(path)} cannot be read as {chosen.name}: {one_line(error)}") from error


def open_result(path: str | os.PathLike[str], *, chunks: Any = None) -> xr.Dataset:
    """Open a saved result (``result.nc`` or ``result.zarr``) as the Dataset it was.

    Parameters
    ----------
    path : str or path
        A ``.nc`` file or ``.zarr`` folder written by `unmix.write`.
    chunks : int, mapping or 'auto', optional
        When given, maps are read lazily in such pieces (``{}``: the file's own); close the Dataset when done with it.
        Otherwise everything is read and the file is closed.

    Returns
    -------
    xarray.Dataset
        The result, checked against the result contract.

    Raises
    ------
    ReadError
        The file is missing, damaged, or not a result.

    Examples
    --------
    >>> import numpy as np, tempfile, unmix
    >>> result = unmix.unmix(np.ones((2, 5, 3)), endmembers=np.eye(2, 3) + 0.1, quantity="radiance")
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     paths = unmix.write(result, f"{folder}/result.nc")
    ...     unmix.open_result(f"{folder}/result.nc").load().identical(result)
    True
    """
    from .formats import refuse_remote
    from .saved_result import open_saved

    file = _as_path(path)
    refuse_remote(os.fspath(path))
    return open_saved(file, chunks)


def _as_path(source: Any) -> Path:
    if isinstance(source, (bytes, bytearray)) or not isinstance(source, (str, os.PathLike)):
        raise ReadError(f"a file name is needed; got {type(source).__name__}.")
    text = os.fspath(source)
    if not isinstance(text, str) or not text or "\0" in text:
        raise ReadError(f"{text!r} is not the name of a file.")
    return Path(text)
