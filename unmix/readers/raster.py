"""GeoTIFF and JPEG 2000 by rasterio: tiles or strips read window by window, with CRS, scale, offset and nodata.

The driver is chosen by the file's content and named to GDAL, so nothing disguised is opened. Of the files beside it
(``.aux.xml``, ``.ovr``) only the metadata and the quality layers of an EnMAP or DESIS scene are looked at. Every window
opens the file anew: GDAL datasets may not be shared between threads.
"""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import in_nanometres
from ..errors import OptionError, ReadError, warn
from .describe import Description, make_image
from .limits import check_decoded_size
from .naming import one_line, shown
from .products.dlr_scene import described_with, marked_pixels, metadata_of
from .request import Request

_TIFF_STARTS = (b"II", b"MM")
_SETTINGS = {"GDAL_DISABLE_READDIR_ON_OPEN": "EMPTY_DIR", "GDAL_PAM_ENABLED": "NO"}


@dataclass
class RasterFile:
    """A raster as GDAL reads it; `overview` is None for the full image."""

    path: str
    driver: str
    overview: int | None
    placed: bool
    dtype: np.dtype
    shape: tuple[int, int, int]
    grain: tuple[int, int]

    def read(self, rows: slice, columns: slice, bands: slice) -> np.ndarray:
        from rasterio.windows import Window

        window = Window(columns.start, rows.start, columns.stop - columns.start, rows.stop - rows.start)
        with opened(Path(self.path), self.driver, self.overview, self.placed) as dataset:
            values = dataset.read(list(range(bands.start + 1, bands.stop + 1)), window=window)
        return values.transpose(1, 2, 0).astype(self.dtype, copy=False)


def read(path: Path, request: Request) -> xr.DataArray:
    """Return a raster of two bands or more."""
    driver = driver_of(path)
    with opened(path, driver, None, placed=False) as dataset:
        full, overviews = (dataset.height, dataset.width), dataset.overviews(1)
        if request.level > len(overviews):
            levels = "only level 0" if not overviews else f"levels 0 to {len(overviews)}"
            raise OptionError(f"level={request.level}: {shown(path)} has {levels}.")
    overview = None if request.level == 0 else request.level - 1
    with opened(path, driver, overview, placed=False) as dataset:
        described = _describe(dataset, path)
        described.full_size = full
        raw = raw_of(dataset, path, driver, overview, described.transform is not None)
    if raw.shape[2] < 2:
        raise ReadError(f"{shown(path)} has one band: there is nothing to unmix. Stack the bands into one file.")
    metadata = metadata_of(path)
    if metadata is not None:
        described = described_with(described, metadata, raw.shape[2])
        if overview is None:
            described.empty, described.cloud = marked_pixels(path, layer_of)
    return make_image(path, raw, described, request)


def layer_of(path: Path) -> RasterFile:
    """Return a raster beside an image, whose place is that of the image."""
    driver = driver_of(path)
    with opened(path, driver, None, placed=False) as dataset:
        return raw_of(dataset, path, driver, None, placed=not dataset.transform.is_identity)


@contextmanager
def opened(path: Path, driver: str, overview: int | None, placed: bool) -> Iterator[Any]:
    """Open a raster with the driver named; `placed` files are known not to warn about missing georeferencing."""
    import rasterio
    from rasterio.errors import NotGeoreferencedWarning, RasterioError

    options = {} if overview is None else {"overview_level": overview}
    try:
        with rasterio.Env(**_SETTINGS):
            if placed:
                dataset = rasterio.open(path.absolute(), driver=driver, sharing=False, **options)
            else:
                with warnings.catch_warnings():
                    warnings.simplefilter("ignore", NotGeoreferencedWarning)
                    dataset = rasterio.open(path.absolute(), driver=driver, sharing=False, **options)
            with dataset:
                yield dataset
    except (RasterioError, SystemError) as error:
        raise ReadError(f"{shown(path)} is damaged or not read by {driver}: {one_line(_cause(error))}") from error


def driver_of(path: Path) -> str:
    """Return GDAL's driver for a raster, by its first bytes: GeoTIFF, else JPEG 2000."""
    with path.open("rb") as file:
        return "GTiff" if file.read(2) in _TIFF_STARTS else "JP2OpenJPEG"


def raw_of(dataset: Any, path: Path, driver: str, overview: int | None, placed: bool) -> RasterFile:
    """Return an open raster as a cube that is read window by window."""
    dtype = np.result_type(*(np.dtype(name) for name in dataset.dtypes))
    if dtype.kind not in "uif":
        raise ReadError(f"{shown(path)} holds {dtype}; an image holds real numbers.")
    block = dataset.block_shapes[0]
    planes = dataset.count if dataset.profile.get("interleave") == "pixel" else 1
    check_decoded_size(path, (*block, planes), dtype, "one block")
    return RasterFile(
        str(path), driver, overview, placed, dtype, (dataset.height, dataset.width, dataset.count),
        (min(block[0], dataset.height), min(block[1], dataset.width)),
    )  # fmt: skip


def _describe(dataset: Any, path: Path) -> Description:
    """Return what a raster says about its bands and its place."""
    from rasterio.enums import ColorInterp, MaskFlags

    tags = [{key.lower(): value for key, value in dataset.tags(band).items()} for band in dataset.indexes]
    wavelengths, fwhm = _wavelengths(dataset, tags, path)
    colours = list(dataset.colorinterp)
    alpha = len(colours) - 1 if len(colours) > 2 and colours[-1] == ColorInterp.alpha else None
    if alpha is None and any(MaskFlags.per_dataset in flags for flags in dataset.mask_flag_enums):
        _warn(f"{shown(path)} has a mask inside, which is not applied. Give it as mask=.")
    nodata = {value for value in dataset.nodatavals if value is not None}
    if len(nodata) > 1:
        raise ReadError(f"{shown(path)} has different nodata values for its bands, which is not read.")
    flags = _numbers([band.get("bbl") for band in tags])
    return Description(
        wavelengths=wavelengths,
        fwhm=fwhm,
        good_bands=None if flags is None or np.isnan(flags).any() else flags > 0,
        band_names=_names(dataset.descriptions, colours),
        scale=_finite(dataset.scales, path),
        offset=_finite(dataset.offsets, path),
        nodata=nodata.pop() if nodata else None,
        alpha=alpha,
        crs=dataset.crs,
        transform=None if dataset.transform.is_identity else dataset.transform,
    )


def _wavelengths(
    dataset: Any, tags: Sequence[dict[str, str]], path: Path
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Return wavelengths and widths in nm of the band tags, else of GDAL's IMAGERY tags (micrometres)."""
    values, unit = _numbers([band.get("wavelength") for band in tags]), ""
    widths = _numbers([band.get("fwhm") for band in tags])
    if values is not None:
        unit = next((band["wavelength_units"] for band in tags if "wavelength_units" in band), "")
    else:
        imagery = [dataset.tags(band, ns="IMAGERY") for band in dataset.indexes]
        values, unit = _numbers([band.get("CENTRAL_WAVELENGTH_UM") for band in imagery]), "um"
        widths = _numbers([band.get("FWHM_UM") for band in imagery])
    if values is None or not (values[np.isfinite(values)] > 0).all():
        return None, None
    return in_nanometres(values, widths, unit, shown(path))


def _numbers(texts: Sequence[str | None]) -> np.ndarray | None:
    """Return texts as numbers, NaN where there is none; None where there are none at all."""
    values = np.full(len(texts), np.nan)
    for k, text in enumerate(texts):
        try:
            values[k] = np.nan if text is None else float(text)
        except ValueError:
            values[k] = np.nan
    values[~np.isfinite(values)] = np.nan
    return None if np.isnan(values).all() else values


def _names(descriptions: Sequence[str | None], colours: Sequence[Any]) -> list[str] | None:
    if any(descriptions):
        return [text or f"band {k + 1}" for k, text in enumerate(descriptions)]
    names = [colour.name for colour in colours]
    return names if names[:3] == ["red", "green", "blue"] and len(set(names)) == len(names) else None


def _finite(values: Sequence[float], path: Path) -> np.ndarray:
    array = np.asarray(values, np.float64)
    if not np.isfinite(array).all():
        raise ReadError(f"{shown(path)}: the scale or offset of a band is not a finite number.")
    return array


def _cause(error: BaseException) -> BaseException:
    """Return GDAL's own error behind rasterio's 'see previous exception'."""
    return error.__cause__ if error.__cause__ is not None else error


def _warn(message: str) -> None:
    warn(message)
