"""The small arrays beside a cube in the same file that say what its bands are."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..conventions.spectral_axis import guessed_nanometres
from ..errors import ReadError
from .describe import Description

_WAVELENGTHS = ("wavelengths", "wavelength")
_GOOD = ("bbl", "good_bands", "good_band", "good_wavelengths")
_NAMES = ("band_names", "band_name")


def describe_by(arrays: Mapping[str, np.ndarray], n_bands: int, name: str) -> Description:
    """Return what the companions of a cube say; wavelengths are nm, or um (with a warning) when all are below 100."""
    wavelengths, fwhm = _numbers(arrays, _WAVELENGTHS, n_bands, name), _numbers(arrays, ("fwhm",), n_bands, name)
    if wavelengths is not None and np.isfinite(wavelengths).any():
        wavelengths, fwhm = guessed_nanometres(wavelengths, fwhm, name, expected="nm")
    good = _numbers(arrays, _GOOD, n_bands, name)
    return Description(
        wavelengths=wavelengths,
        fwhm=fwhm if wavelengths is not None else None,
        good_bands=None if good is None else good > 0,
        band_names=_band_names(arrays, n_bands),
        divisor=_scale(arrays, name),
    )


def _numbers(arrays: Mapping[str, np.ndarray], keys: tuple[str, ...], n_bands: int, name: str) -> np.ndarray | None:
    key = next((key for key in keys if key in arrays), None)
    if key is None or arrays[key].dtype.kind not in "uifb":
        return None
    values = np.asarray(arrays[key], np.float64).ravel()
    if values.size != n_bands:
        raise ReadError(f"{name}: {key!r} has {values.size} values for {n_bands} bands.")
    return values


def _scale(arrays: Mapping[str, np.ndarray], name: str) -> float | None:
    if "scale" not in arrays or arrays["scale"].dtype.kind not in "uif":
        return None
    if arrays["scale"].size != 1 or not np.isfinite(arrays["scale"]).all() or (arrays["scale"] <= 0).any():
        raise ReadError(f"{name}: 'scale' is not one positive number.")
    return float(arrays["scale"].ravel()[0])


def _band_names(arrays: Mapping[str, np.ndarray], n_bands: int) -> list[str] | None:
    key = next((key for key in _NAMES if key in arrays), None)
    if key is None and "E" not in arrays and "A" not in arrays and "names" in arrays:
        key = "names"  # beside endmembers E or abundances A, 'names' are theirs
    if key is None or arrays[key].dtype.kind != "U" or arrays[key].size != n_bands:
        return None
    return [str(text) for text in arrays[key].ravel()]
