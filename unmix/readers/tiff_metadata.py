"""What the dialects of TIFF say about an image: wavelengths, channel names, pixel size, and what the numbers are."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from .describe import Description

_UM_PER_UNIT = {
    "um": 1.0, "µm": 1.0, "μm": 1.0, "\\u00b5m": 1.0, "micron": 1.0, "microns": 1.0, "micrometer": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "pm": 1e-6, "inch": 25400.0, "in": 25400.0,
}  # fmt: skip
_CENTIMETRE = 3
_RESOLUTION_UNIT = {2: 25400.0, _CENTIMETRE: 10000.0}
_LARGEST_PIXEL_UM = 10.0
_NDPI_FLUORESCENCE = 65434
_OME = "{*}"
_ZEN_CHANNEL = re.compile(r"\bChS\d+\b(?:-T\d+)?\W{1,4}(\d{3,4}(?:\.\d+)?)\s*(?:nm)?\s*$")
_LIGHT_NM = (300.0, 1200.0)


def describe(file: Any, series: Any, level: Any, n_bands: int, band_axis: str) -> Description:
    """Return the description of one level of one image of a TIFF file."""
    if file.is_lsm:
        described = _lsm(file, n_bands)
    elif file.is_svs:
        described = _svs(series)
    elif file.is_ndpi:
        described = _ndpi(series)
    elif file.is_ome:
        described = _ome(file, series, n_bands, band_axis)
    elif file.is_imagej:
        described = _imagej(file, series, n_bands)
    else:
        described = Description(pixel_size=_plain_resolution(series.levels[0].keyframe))
    page = level.keyframe
    if described.band_names is None and band_axis == "S" and int(page.photometric) in (2, 6) and n_bands in (3, 4):
        described.band_names = ["red", "green", "blue", "alpha"][:n_bands]
    if described.pixel_size is not None:
        described.pixel_size = _at_level(described.pixel_size, series, level)
    return described


def _lsm(file: Any, n_bands: int) -> Description:
    """Zeiss LSM: photon or detector counts; a lambda stack lists the edges of each channel in metres."""
    about = file.lsm_metadata or {}
    edges = np.asarray(about.get("ChannelWavelength", ()), np.float64)
    described = Description(quantity="counts")
    if edges.shape == (n_bands, 2) and np.isfinite(edges).all() and (edges > 0).all():
        described.wavelengths = edges.mean(axis=1) * 1e9
        described.fwhm = (edges[:, 1] - edges[:, 0]) * 1e9
    names = (about.get("ChannelColors") or {}).get("ColorNames") or []
    if len(names) == n_bands and all(names):
        described.band_names = [str(name) for name in names]
    described.pixel_size = _positive(_number(about.get("VoxelSizeY")) * 1e6, _number(about.get("VoxelSizeX")) * 1e6)
    return described


def _svs(series: Any) -> Description:
    """Aperio: transmitted light; micrometres per pixel stand in the description."""
    page = series.levels[0].keyframe
    found = re.search(r"\bMPP\s*=\s*([0-9.]+)", page.description or "")
    size = _number(found.group(1)) if found else 0.0
    quantity = "brightfield" if int(page.photometric) in (2, 6) else None
    return Description(quantity=quantity, pixel_size=_positive(size, size))


def _ndpi(series: Any) -> Description:
    """Hamamatsu: transmitted light, unless the name of a fluorescence filter stands in a private tag."""
    page = series.levels[0].keyframe
    channel = str(page.tags.valueof(_NDPI_FLUORESCENCE, "")).strip().lower()
    is_light = not channel or "bright" in channel
    quantity = "brightfield" if is_light and int(page.photometric) in (2, 6) else "unknown"
    return Description(quantity=quantity, pixel_size=_resolution(page))


def _ome(file: Any, series: Any, n_bands: int, band_axis: str) -> Description:
    """OME-TIFF: channel names and emission wavelengths, pixel size in its own unit."""
    pixels = _ome_pixels(file, series)
    if pixels is None:
        return Description()
    sizes = []
    for axis in "YX":
        unit = _UM_PER_UNIT.get(pixels.get(f"PhysicalSize{axis}Unit", "µm").strip().lower(), 0.0)
        sizes.append(_number(pixels.get(f"PhysicalSize{axis}")) * unit)
    described = Description(pixel_size=_positive(*sizes))
    channels = pixels.findall(f"{_OME}Channel")
    if band_axis == "S" or len(channels) != n_bands:
        return described
    names = [channel.get("Name") or channel.get("ID") or f"channel {k}" for k, channel in enumerate(channels)]
    described.band_names = names
    emission = np.array([_emission(channel) for channel in channels])
    emission = emission if np.isfinite(emission).any() else named_wavelengths(names)
    if np.isfinite(emission).any():
        described.wavelengths = emission
    marks = ("fluorescence", "laserscanningconfocal", "spectralimaging", "multiphoton", "twophoton", "spinningdisk")
    modes = " ".join(channel.get(k, "") for channel in channels for k in ("AcquisitionMode", "ContrastMethod")).lower()
    fluorescent = any(mark in modes for mark in marks) or any(channel.get("Fluor") for channel in channels)
    if fluorescent or np.isfinite(emission).all():
        described.quantity = "counts"
    return described


def _ome_pixels(file: Any, series: Any) -> Any:
    """Return the Pixels element that belongs to a series, or None."""
    from xml.etree import ElementTree

    text = file.ome_metadata or ""
    if "<!doctype" in text.lower() or "<!entity" in text.lower():
        return None
    try:
        found = ElementTree.fromstring(text).findall(f"{_OME}Image/{_OME}Pixels")
    except ElementTree.ParseError:
        return None
    number = next((k for k, one in enumerate(file.series) if one is series), 0)
    return found[number] if number < len(found) else None


def _emission(channel: Any) -> float:
    """Return the emission wavelength of a channel in nm, NaN where it has none."""
    unit = {"nm": 1.0, "µm": 1e3, "um": 1e3, "å": 0.1, "pm": 1e-3, "m": 1e9}
    value = _number(channel.get("EmissionWavelength")) * unit.get(
        channel.get("EmissionWavelengthUnit", "nm").strip().lower(), np.nan
    )
    return value if value > 0 else np.nan


def _imagej(file: Any, series: Any, n_bands: int) -> Description:
    """ImageJ: slice labels, and the unit of the resolution tags."""
    about = file.imagej_metadata or {}
    unit = _UM_PER_UNIT.get(str(about.get("unit", "")).strip().lower())
    labels = about.get("Labels")
    names = [str(label) for label in labels] if isinstance(labels, (list, tuple)) and len(labels) == n_bands else None
    size = None if unit is None else _resolution(series.levels[0].keyframe, unit)
    described = Description(band_names=names, pixel_size=size)
    wavelengths = named_wavelengths(names or [])
    if np.isfinite(wavelengths).any():
        described.wavelengths, described.quantity = wavelengths, "counts"
    return described


def named_wavelengths(names: Sequence[str]) -> np.ndarray:
    """Return the wavelengths in nm that ZEN writes into the names of a spectral detector's channels, else NaN.

    ``ChS1: 415`` or ``ChS1-T1 415 nm``, every channel one, in ascending or descending order.
    """
    unknown = np.full(len(names), np.nan)
    found = [_ZEN_CHANNEL.search(name) for name in names]
    if len(names) < 2 or not all(found):
        return unknown
    wavelengths = np.array([float(one.group(1)) for one in found if one is not None])
    steps = np.diff(wavelengths)
    light = (wavelengths >= _LIGHT_NM[0]).all() and (wavelengths <= _LIGHT_NM[1]).all()
    return wavelengths if light and ((steps > 0).all() or (steps < 0).all()) else unknown


def _resolution(page: Any, unit: float | None = None) -> tuple[float, float] | None:
    """Return the pixel size (y, x) in um of the resolution tags."""
    unit = unit or _RESOLUTION_UNIT.get(int(page.tags.valueof(296, 1)), 0.0)
    sizes = []
    for tag in (283, 282):
        value = page.tags.valueof(tag)
        pair = value if isinstance(value, tuple) and len(value) == 2 else (value, 1)
        above, below = _number(pair[0]), _number(pair[1])
        sizes.append(unit * below / above if above > 0 else 0.0)
    return _positive(*sizes)


def _plain_resolution(page: Any) -> tuple[float, float] | None:
    """Return the pixel size (y, x) in um that a plain TIFF gives in centimetres, where only a microscope has such.

    Larger ones (72 or 300 dots an inch, one pixel a millimetre) are what programs put in when they know nothing.
    """
    size = _resolution(page) if int(page.tags.valueof(296, 1)) == _CENTIMETRE else None
    return size if size is not None and max(size) <= _LARGEST_PIXEL_UM else None


def _at_level(size: tuple[float, float], series: Any, level: Any) -> tuple[float, float]:
    full = dict(zip(series.axes, series.shape, strict=True))
    here = dict(zip(level.axes, level.shape, strict=True))
    return size[0] * full["Y"] / here["Y"], size[1] * full["X"] / here["X"]


def _number(value: Any) -> float:
    """Return a value as a finite number, 0 where it is none."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return 0.0
    return number if np.isfinite(number) else 0.0


def _positive(height: float, width: float) -> tuple[float, float] | None:
    return (height, width) if height > 0 and width > 0 else None
