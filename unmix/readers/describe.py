"""From a file's numbers and what it says about them to an image that keeps the contract."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from ..blocks import lazy_array
from ..conventions.spectral_axis import SpectralAxis
from ..image import as_image, guess_quantity
from ..light.bands import select_bands
from ..light.water_vapour import left_out_for_water
from ..usable_pixels import read_by_window
from .naming import shown
from .pixel_flags import PixelFlags
from .request import Request, level_window
from .times import utc_time
from .window import Decoded, Physical, Raw, sample_of


@dataclass
class Description:
    """What a file says about its numbers; everything is optional.

    `divisor` divides, `scale` and `offset` (one number or one a band) give ``raw * scale + offset``. `alpha` is the
    position of a band that is no light but says where there is any. `pixel_size` (y, x) is in micrometres, at the
    level that was read. `full_size` is the height and width of level 0.

    `good_bands` is a list the file gives; `present` only says which bands hold anything. `empty` flags pixels that were
    never seen, `cloud` those that show a cloud or its shadow. `latitude` and `longitude` (y, x) place a swath; its rows
    and columns are then numbered. `ground` names the product whose lookup table lays the maps out on the ground.
    `on_earth` says that the scene is seen through the air even where there is no CRS. `acquired` is when it was
    recorded, as the file says it.
    """

    wavelengths: np.ndarray | None = None
    fwhm: np.ndarray | None = None
    spectral_axis: SpectralAxis | None = None
    good_bands: np.ndarray | None = None
    present: np.ndarray | None = None
    band_names: Sequence[str] | None = None
    quantity: str | None = None
    divisor: float | None = None
    scale: float | np.ndarray | None = None
    offset: float | np.ndarray | None = None
    nodata: float | None = None
    alpha: int | None = None
    crs: Any = None
    transform: Any = None
    pixel_size: tuple[float, float] | None = None
    full_size: tuple[int, int] | None = None
    empty: PixelFlags | None = None
    cloud: PixelFlags | None = None
    latitude: np.ndarray | None = None
    longitude: np.ndarray | None = None
    ground: str | None = None
    on_earth: bool = False
    acquired: str | None = None


def make_image(path: Path, raw: Raw, described: Description, request: Request) -> xr.DataArray:
    """Return the image a request asks for; numpy-backed where the numbers are decoded already, lazy otherwise."""
    window = level_window(request.region, described.full_size or raw.shape[:2], raw.shape[:2])
    bands, good = _chosen_bands(raw, described, request)
    source = _physical(raw, described, request, window, bands, good)
    eager = isinstance(raw, Decoded)
    sample = None if eager else sample_of(source)
    water = _water_bands(source, sample, described, request)
    if water is not None:
        source.good = good = good & ~water
    image = as_image(
        source[:, :, :] if eager else lazy_array(source),
        fwhm=_taken(described.fwhm, bands),
        good_bands=good,
        band_names=_taken(described.band_names, bands),
        spectral_axis=_axis_of(described.spectral_axis, bands),
        quantity=request.quantity or described.quantity,
        valid=_seen(raw, described, window, eager),
        pixel_size=described.pixel_size,
        crs=described.crs,
        transform=_moved(described.transform, window),
        source=str(path),
        name=path.stem,
        sample=sample,
    )
    if described.wavelengths is not None:  # nanometres by the file's own unit: as_image() would judge their range anew
        image = image.assign_coords(wavelength=("band", np.asarray(_taken(described.wavelengths, bands), np.float64)))
    if described.pixel_size is not None:
        image = _shifted(image, window, described.pixel_size)
    image = _with_swath(image, raw, described, window, water is not None)
    image.encoding = _recorded(raw, source)
    return image


def _chosen_bands(raw: Raw, described: Description, request: Request) -> tuple[tuple[int, ...], np.ndarray]:
    """Return the positions of the bands a request keeps, and which of them are good."""
    n_bands = raw.shape[2]
    positions = np.array([band for band in range(n_bands) if band != described.alpha])
    coords: dict[str, Any] = {
        "position": ("band", positions),
        "good_band": ("band", np.ones(len(positions), bool)),
    }
    for flags in (described.good_bands, described.present):
        if flags is not None:
            coords["good_band"] = ("band", coords["good_band"][1] & np.asarray(flags, bool)[positions])
    if described.spectral_axis is not None:
        coords["spectral_axis"] = _axis_of(described.spectral_axis, tuple(positions)).coordinate
    if described.wavelengths is not None:
        coords["wavelength"] = ("band", np.asarray(described.wavelengths, np.float64)[positions])
    outline = xr.DataArray(np.zeros((1, 1, len(positions)), np.int8), dims=("y", "x", "band"), coords=coords)
    kept = select_bands(outline, request.bands, request.exclude)
    return tuple(int(p) for p in kept.coords["position"].values), kept.coords["good_band"].values


def _physical(
    raw: Raw,
    described: Description,
    request: Request,
    window: tuple[int, int, int, int],
    bands: tuple[int, ...],
    good: np.ndarray,
) -> Physical:
    """Return the physical values; the caller's scale takes the place of whatever the file says."""
    if request.scale is not None:
        described = replace(described, divisor=request.scale, scale=None, offset=None)
    return Physical(
        raw,
        window,
        bands,
        good,
        divisor=described.divisor if described.divisor != 1 else None,
        scale=_factor(described.scale, raw.shape[2], bands, neutral=1.0),
        offset=_factor(described.offset, raw.shape[2], bands, neutral=0.0),
        nodata=described.nodata,
    )


def _factor(value: Any, n_bands: int, bands: tuple[int, ...], *, neutral: float) -> np.ndarray | None:
    """Return one number a band kept, or None where it changes nothing."""
    if value is None or np.all(np.asarray(value) == neutral):
        return None
    return np.broadcast_to(np.asarray(value, np.float64), (n_bands,))[list(bands)]


def _taken(values: Any, bands: tuple[int, ...]) -> Any:
    return None if values is None else np.asarray(values)[list(bands)]


def _axis_of(axis: SpectralAxis | None, bands: tuple[int, ...]) -> Any:
    return None if axis is None else replace(axis, values=np.asarray(axis.values)[list(bands)])


def _water_bands(source: Physical, sample: Any, described: Description, request: Request) -> np.ndarray | None:
    """Return the bands that water vapour blacks out, where the scene is of Earth and nobody judged its bands."""
    wanted = request.water_bands == "auto" and described.good_bands is None and described.wavelengths is not None
    placed = described.crs is not None
    if not wanted or not (placed or described.on_earth) or sample is None:
        return None
    quantity = request.quantity or described.quantity or guess_quantity(sample, placed)
    if quantity != "reflectance":
        return None
    wavelengths = np.asarray(_taken(described.wavelengths, source.bands), np.float64)
    held = np.isfinite(sample).any(axis=(0, 1)) if sample.dtype.kind == "f" else True
    return left_out_for_water(wavelengths, source.good & held, described.crs, shown(source.raw.path))


def _seen(raw: Raw, described: Description, window: tuple[int, int, int, int], eager: bool) -> Any:
    """Return where the alpha band is not zero and no flag says the pixel is empty; None where nothing says so."""
    if described.empty is not None:
        return ~described.empty.marked(raw.shape[:2], window)
    if described.alpha is None:
        return None
    source = Physical(raw, window, (described.alpha,), np.ones(1, bool))
    if eager:
        return source[:, :, :][:, :, 0] > 0
    return read_by_window(lazy_array(source)[:, :, 0] > 0, _Opaque(source))


@dataclass(frozen=True, eq=False)
class _Opaque:
    """Where the one band of a source, alpha, is not zero."""

    source: Physical

    def __getitem__(self, window: tuple[slice, slice]) -> np.ndarray:
        opaque: np.ndarray = self.source[(*window, slice(None))][:, :, 0] > 0
        return opaque


def _with_swath(
    image: xr.DataArray, raw: Raw, described: Description, window: tuple[int, int, int, int], water: bool
) -> xr.DataArray:
    """Add clouds, latitude and longitude, number the rows and columns of a sensor, and note what was left out."""
    top, left, bottom, right = window
    if described.cloud is not None:
        image = image.assign_coords(cloud=(("y", "x"), described.cloud.marked(raw.shape[:2], window)))
    for name, values, unit in (
        ("latitude", described.latitude, "degrees_north"),
        ("longitude", described.longitude, "degrees_east"),
    ):
        if values is not None:
            attrs = {"standard_name": name, "units": unit}
            image = image.assign_coords({name: (("y", "x"), values[top:bottom, left:right], attrs)})
    if described.ground is not None or described.latitude is not None:
        for axis, start, stop in (("y", top, bottom), ("x", left, right)):
            attrs = {"long_name": f"{'row' if axis == 'y' else 'column'} of the sensor, from 0", "units": "1"}
            image = image.assign_coords({axis: (axis, np.arange(start, stop), attrs)})
    if water:
        image.attrs["water_bands"] = "left out"
    acquired = utc_time(described.acquired)
    if acquired is not None:
        image.attrs["acquired"] = acquired
    if described.ground is not None:
        image.attrs["geolocation"] = described.ground
    return image


def _moved(transform: Any, window: tuple[int, int, int, int]) -> Any:
    """Return an affine transform whose origin is the window's upper left corner."""
    if transform is None:
        return None
    a, b, c, d, e, f = tuple(transform)[:6]
    row, column = window[:2]
    return type(transform)(a, b, c + a * column + b * row, d, e, f + d * column + e * row)


def _shifted(image: xr.DataArray, window: tuple[int, int, int, int], steps: tuple[float, float]) -> xr.DataArray:
    if window[:2] == (0, 0):
        return image
    away = zip("yx", window[:2], steps, strict=True)
    moved = {axis: (axis, image[axis].values + start * step, image[axis].attrs) for axis, start, step in away}
    return image.assign_coords(moved)


def _recorded(raw: Raw, source: Physical) -> dict[str, Any]:
    """Return what was recorded on disk; named so that xarray's own writers do not act on it."""
    scale: Any = 1.0 if source.scale is None else source.scale
    if source.divisor is not None:
        scale = 1.0 / source.divisor
    offset: Any = 0.0 if source.offset is None else source.offset
    one = [value if np.ndim(value) == 0 or np.ptp(value) else float(value[0]) for value in (scale, offset)]
    return {"recorded_dtype": raw.dtype.str, "scale": one[0], "offset": one[1], "nodata": source.nodata}
