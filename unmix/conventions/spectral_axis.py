"""What the band axis counts: wavelengths in nanometres, or something else (Raman shift, m/z, energy)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..errors import OptionError, ReadError, warn

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

_OTHER_UNITS = {
    "ev": ("energy", "eV"),
    "kev": ("energy", "keV"),
    "m/z": ("m/z", "m/z"),
    "mz": ("m/z", "m/z"),
    "da": ("m/z", "m/z"),
}
_NOT_LIGHT = {
    "raman": "Raman shift",
    "shift": "Raman shift",
    "loss": "energy loss",
    "m/z": "m/z",
    "mz": "m/z",
    "mass": "m/z",
}

Pair = tuple[np.ndarray | None, np.ndarray | None]


@dataclass(frozen=True)
class SpectralAxis:
    """A band axis that is not a wavelength: what it is called, its unit and its values, one a band.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.conventions.spectral_axis import SpectralAxis
    >>> SpectralAxis(np.array([520.0, 1004.0]), "Raman shift", "1/cm").label
    'Raman shift (1/cm)'
    """

    values: np.ndarray
    name: str
    unit: str

    @property
    def label(self) -> str:
        """Return the name with its unit, as it stands under a plot."""
        return self.name if self.unit in ("", self.name) else f"{self.name} ({self.unit})"

    @property
    def coordinate(self) -> tuple[str, np.ndarray, dict[str, str]]:
        """Return the ``spectral_axis`` coordinate of an image."""
        return "band", np.asarray(self.values, np.float64), {"long_name": self.name, "units": self.unit}


def spectral_axis(coords: Mapping[Any, Any]) -> SpectralAxis | None:
    """Return what the bands of an image or a result count: wavelengths first, another axis else, None where unknown."""
    for key, name, unit in (("wavelength", "wavelength", "nm"), ("spectral_axis", "position", "")):
        if key in coords and np.isfinite(coords[key].values).any():
            attrs = coords[key].attrs if key == "spectral_axis" else {}
            return SpectralAxis(coords[key].values, str(attrs.get("long_name", name)), str(attrs.get("units", unit)))
    return None


def other_axis(values: np.ndarray, called: str, unit: str) -> SpectralAxis | None:
    """Return an axis that its name or unit says is no wavelength, None where it may be one.

    A shift in 1/cm (Raman) is counted from the laser line and a loss in eV from the beam: neither is a wavelength.
    """
    lower, plain = called.lower(), " ".join(unit.lower().split())
    for word, name in _NOT_LIGHT.items():
        if word in lower.replace(" ", "") or word in plain:
            shown = {"Raman shift": "1/cm", "m/z": "m/z"}.get(name, unit.strip() or "eV")
            return SpectralAxis(np.asarray(values, np.float64), name, shown)
    if plain in _OTHER_UNITS:
        return SpectralAxis(np.asarray(values, np.float64), *_OTHER_UNITS[plain])
    return None


def is_light_unit(unit: str) -> bool:
    """Return whether a unit is one of length, wavenumber or frequency, which wavelengths come in."""
    plain = " ".join(unit.lower().split())
    return plain in _NM_PER_UNIT or plain in _NM_TIMES_UNIT


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


def stated_nanometres(values: np.ndarray, widths: np.ndarray | None, name: str) -> Pair:
    """Return wavelengths stated as nanometres: refused where no light has them, else checked by their range."""
    wrong = values[np.isinf(values) | (values <= 0)]
    if len(wrong):
        raise OptionError(f"{name}: {wrong[0]:g} is no wavelength. Give positive nanometres, NaN where unknown.")
    if np.isnan(values).all():
        return values, widths
    return guessed_nanometres(values, widths, name, expected="nm")


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
    warn(message)
