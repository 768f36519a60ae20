"""Wavelengths as files give them, in nanometres."""

from __future__ import annotations

import warnings

import numpy as np

from ..errors import ReadError, UnmixWarning

_NM_PER_UNIT = {
    "nm": 1.0, "nanometer": 1.0, "nanometers": 1.0, "nanometre": 1.0, "nanometres": 1.0,
    "um": 1e3, "µm": 1e3, "μm": 1e3, "micron": 1e3, "microns": 1e3,
    "micrometer": 1e3, "micrometers": 1e3, "micrometre": 1e3, "micrometres": 1e3,
    "mm": 1e6, "millimeter": 1e6, "millimeters": 1e6, "millimetres": 1e6,
    "cm": 1e7, "centimeter": 1e7, "centimeters": 1e7, "centimetres": 1e7,
    "m": 1e9, "meter": 1e9, "meters": 1e9, "metre": 1e9, "metres": 1e9,
    "angstrom": 0.1, "angstroms": 0.1, "å": 0.1, "a": 0.1,
}  # fmt: skip
_NM_TIMES_UNIT = {
    "wavenumber": 1e7, "wavenumbers": 1e7, "cm-1": 1e7, "1/cm": 1e7, "cm^-1": 1e7,
    "mhz": 2.99792458e11, "ghz": 2.99792458e8, "thz": 2.99792458e5,
}  # fmt: skip
_NOT_A_WAVELENGTH = {"index", "band", "bands", "band number", "channel"}
_NOT_SAID = {"", "unknown", "none", "unitless"}

Pair = tuple[np.ndarray | None, np.ndarray | None]


def in_nanometres(values: np.ndarray, widths: np.ndarray | None, unit: str, name: str) -> Pair:
    """Return wavelengths and widths in nanometres; None where the numbers are not wavelengths.

    A missing unit is guessed from the range, with a warning. Wavenumbers and frequencies are turned round:
    wavelength = 1e7 / wavenumber (cm-1), width = wavelength x width / wavenumber.
    """
    unit = " ".join(unit.lower().split())
    if unit in _NOT_A_WAVELENGTH:
        return None, None
    if unit in _NOT_SAID:
        return guessed_nanometres(values, widths, name)
    if unit in _NM_PER_UNIT:
        factor = _NM_PER_UNIT[unit]
        return values * factor, None if widths is None else widths * factor
    if unit in _NM_TIMES_UNIT:
        with np.errstate(divide="ignore", invalid="ignore"):
            wavelengths = _NM_TIMES_UNIT[unit] / values
            return wavelengths, None if widths is None else wavelengths * widths / values
    raise ReadError(f"{name}: wavelength unit {unit!r} is not known. Use nm, um, angstroms, wavenumber or index.")


def guessed_nanometres(values: np.ndarray, widths: np.ndarray | None, name: str, *, expected: str = "") -> Pair:
    """Return wavelengths without a unit in nanometres, by their range; says so unless they are in the unit expected."""
    low, high = np.nanmin(values), np.nanmax(values)
    span = f"{low:g} to {high:g}"
    if low >= 100:
        if expected != "nm":
            _warn(f"{name}: the wavelengths have no unit; {span} is taken as nanometres.")
        return values, widths
    if low >= 0.1 and high < 100:
        _warn(f"{name}: the wavelengths have no unit; {span} is taken as micrometres.")
        return values * 1e3, None if widths is None else widths * 1e3
    _warn(f"{name}: the wavelengths have no unit and {span} is neither nanometres nor micrometres; they are left out.")
    return None, None


def _warn(message: str) -> None:
    warnings.warn(message, UnmixWarning, stacklevel=4)
