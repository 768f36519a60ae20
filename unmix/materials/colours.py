"""What colour a pure thing is drawn in: one list for figures, previews, files and the viewer.

Twelve colours that stay apart on white and on black (CIEDE2000 of any two at least 16); further ones are spread
around the hue circle. A stain is drawn in the colour its own optical density gives to white light.
"""

from __future__ import annotations

import colorsys

import numpy as np
from numpy.typing import ArrayLike

from ..errors import DataError

PALETTE = (
    "#1F78D1", "#E4572E", "#1E9E5A", "#E6A700", "#8E4BBF", "#12B5C9",
    "#E65C9C", "#8A5A32", "#93B01F", "#3A3F9E", "#0F6B66", "#B3203A",
)  # fmt: skip
INVALID = "#B9B9B9"
FULL_THICKNESS = 1.6
"""A stain map is drawn from white to its stain's colour at this many times the thickness `stain_colour` shows."""

_STAIN_DENSITY = 1.5
_GOLDEN = 0.6180339887498949
_RED_GREEN_BLUE_NM = (610.0, 550.0, 465.0)


def endmember_colours(spectra: ArrayLike, quantity: str, wavelengths: ArrayLike | None = None) -> np.ndarray:
    """Return the colour each endmember is drawn in.

    Parameters
    ----------
    spectra : array_like, shape (r, n_bands)
        Endmembers; looked at only where they are optical densities.
    quantity : str
        What the image's numbers are; stains (``brightfield``, ``optical_density``) get the colour of their own light.
    wavelengths : array_like, shape (n_bands,), optional
        Band centres in nm; needed to see the colour of a stain in more than three bands.

    Returns
    -------
    ndarray, shape (r, 3)
        Red, green and blue, 0 to 1.

    Raises
    ------
    DataError
        The spectra are not a table of r rows.

    Examples
    --------
    >>> from unmix.materials.colours import endmember_colours
    >>> endmember_colours([[0.65, 0.70, 0.29]], "brightfield").round(2).tolist()
    [[0.38, 0.35, 0.65]]
    """
    spectra = np.asarray(spectra, np.float64)
    if spectra.ndim != 2:
        raise DataError(f"spectra have shape (r, n_bands); these have shape {spectra.shape}.")
    density = visible_density(spectra, wavelengths) if quantity in ("brightfield", "optical_density") else None
    return palette(len(spectra)) if density is None else np.array([stain_colour(row) for row in density])


def palette(n_colours: int) -> np.ndarray:
    """Return `n_colours` distinct colours (n_colours, 3), 0 to 1, always the same ones first."""
    listed = [[int(code[i : i + 2], 16) / 255 for i in (1, 3, 5)] for code in PALETTE[:n_colours]]
    further = range(n_colours - len(listed))
    spread = [colorsys.hls_to_rgb((k * _GOLDEN + 0.07) % 1.0, (0.42, 0.6)[k % 2], 0.6) for k in further]
    return np.array([*listed, *spread], np.float64).reshape(n_colours, 3)


def stain_colour(density: ArrayLike) -> np.ndarray:
    """Return the colour (3,) of white light through a stain with this optical density in red, green and blue."""
    density = np.nan_to_num(np.asarray(density, np.float64), nan=0.0, posinf=0.0, neginf=0.0)
    length = np.linalg.norm(density)
    return np.clip(np.exp(-_STAIN_DENSITY * density / (length if length > 0 else 1.0)), 0.0, 1.0)


def visible_density(spectra: np.ndarray, wavelengths: ArrayLike | None = None) -> np.ndarray | None:
    """Return optical density in red, green and blue (r, 3), or None where the bands do not say which is which."""
    if spectra.shape[1] == 3:
        return spectra
    if wavelengths is None:
        return None
    nm = np.asarray(wavelengths, np.float64)
    known = np.isfinite(nm) & np.isfinite(spectra).all(axis=0)
    if not known.any() or nm[known].min() > 500 or nm[known].max() < 580:
        return None
    bands = np.flatnonzero(known)
    return spectra[:, [bands[np.abs(nm[bands] - target).argmin()] for target in _RED_GREEN_BLUE_NM]]


def readable(colour: ArrayLike, contrast: float = 3.6) -> np.ndarray:
    """Return `colour` (3,) darkened until text in it has this contrast on white (WCAG 2.1 contrast ratio)."""
    colour = np.asarray(colour, np.float64)
    for darker in np.linspace(1.0, 0.0, 41):
        if 1.05 / (_luminance(colour * darker) + 0.05) >= contrast:
            return colour * darker
    return np.zeros(3)


def _luminance(colour: np.ndarray) -> float:
    """Return the relative luminance of an sRGB colour."""
    linear = np.where(colour <= 0.03928, colour / 12.92, ((colour + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])
