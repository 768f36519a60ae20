"""Reflectance spectra of common materials as formulas, 400 to 2500 nm.

Every spectrum is made here from smooth shapes with the features the material is known by: chlorophyll at 675 nm and
the red edge, liquid water near 970, 1200, 1450 and 1940 nm, clay hydroxyl at 2200 nm, carbonate at 2340 nm, iron
oxides below 600 and at 870 nm, cellulose at 2100 nm. They look like the real thing and are measurements of nothing.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ..errors import OptionError
from .fields import smooth_step

Draw = Callable[[float, float], float]
"""Called as ``draw(low, high)``; returns the middle, or a number between them when a generator stands behind it."""


def material_spectrum(name: str, wavelengths: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
    """Return the reflectance of a material.

    Parameters
    ----------
    name : str
        One of `MATERIALS`.
    wavelengths : ndarray, shape (n_bands,)
        Band centres in nanometres, 350 to 2600.
    rng : numpy.random.Generator, optional
        Varies the material within its kind (moisture, chlorophyll, grain); the typical one when not given.

    Returns
    -------
    ndarray of float64, shape (n_bands,)
        Reflectance between 0 and 1.

    Raises
    ------
    OptionError
        The name is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.synthetic import material_spectrum
    >>> red, infrared = material_spectrum("vegetation", np.array([675.0, 860.0]))
    >>> bool(infrared > 5 * red)
    True
    """
    if name not in _MAKERS:
        raise OptionError(f"material {name!r} is not known. Use one of {', '.join(MATERIALS)}.")

    def draw(low: float, high: float) -> float:
        return 0.5 * (low + high) if rng is None else float(rng.uniform(low, high))

    return np.clip(_MAKERS[name](np.asarray(wavelengths, np.float64), draw), 0.001, 0.999)


def _peak(w: np.ndarray, centre: float, width: float) -> np.ndarray:
    return np.exp(-0.5 * ((w - centre) / width) ** 2)


def _edge(w: np.ndarray, centre: float, width: float) -> np.ndarray:
    return smooth_step((w - centre) / width)


def _liquid_water(w: np.ndarray) -> np.ndarray:
    """Absorption of liquid water in leaves and soils, about 1 at 1450 nm."""
    bands = 0.06 * _peak(w, 970, 24) + 0.17 * _peak(w, 1190, 42) + 0.85 * _peak(w, 1455, 62) + 1.5 * _peak(w, 1940, 72)
    return bands + 0.22 * _edge(w, 1380, 60) + 0.30 * _edge(w, 1860, 40) + 1.2 * _edge(w, 2560, 90)


def _vegetation(w: np.ndarray, draw: Draw) -> np.ndarray:
    chlorophyll = 0.75 * _peak(w, 675, 34) + 0.55 * _peak(w, 640, 42) + 1.3 * _edge(-w, -500, 16)
    visible = 0.155 * np.exp(-draw(1.2, 2.0) * chlorophyll)
    leaf = visible + draw(0.32, 0.42) * _edge(w, draw(712, 720), 12.5) * (1 - 0.05 * (w - 800) / 1000)
    return leaf * np.exp(-draw(0.75, 1.25) * _liquid_water(w))


def _dry_grass(w: np.ndarray, draw: Draw) -> np.ndarray:
    rise = 0.05 + draw(0.34, 0.44) * (1 - np.exp(-(((np.maximum(w, 380) - 380) / 330) ** 1.2)))
    cellulose = 0.16 * _peak(w, 2100, 48) + 0.13 * _peak(w, 2300, 50) + 0.10 * _peak(w, 1730, 30)
    return rise * (1 - cellulose) * np.exp(-draw(0.16, 0.32) * _liquid_water(w) - 0.00016 * np.maximum(w - 1300, 0))


def _clay_soil(w: np.ndarray, draw: Draw) -> np.ndarray:
    rise = 0.04 + draw(0.30, 0.38) * (1 - np.exp(-(np.maximum(w, 360) - 360) / 520))
    iron = 0.20 * _peak(w, 495, 45) + 0.07 * _peak(w, 880, 70)
    clay = draw(0.14, 0.22) * (_peak(w, 2207, 22) + 0.5 * _peak(w, 2165, 24)) + 0.08 * _peak(w, 1412, 20)
    return rise * (1 - iron - clay) * np.exp(-draw(0.15, 0.35) * _liquid_water(w))


def _red_soil(w: np.ndarray, draw: Draw) -> np.ndarray:
    oxide = 0.035 + draw(0.24, 0.32) * _edge(w, draw(572, 582), 19) + 0.14 * _edge(w, 780, 90)
    dips = draw(0.18, 0.28) * _peak(w, 868, 62) + 0.10 * _peak(w, 2207, 22) + 0.14 * _peak(w, 655, 34)
    return oxide * (1 - dips) * np.exp(-0.12 * _liquid_water(w) - 0.00012 * np.maximum(w - 1200, 0))


def _sand(w: np.ndarray, draw: Draw) -> np.ndarray:
    rise = 0.16 + draw(0.34, 0.42) * (1 - np.exp(-(((np.maximum(w, 370) - 370) / 400) ** 0.9)))
    shells = 0.07 * _peak(w, 2340, 40) + 0.03 * _peak(w, 1412, 18)
    return rise * (1 - shells - 0.05 * _peak(w, 480, 40)) * np.exp(-draw(0.03, 0.10) * _liquid_water(w))


def _limestone(w: np.ndarray, draw: Draw) -> np.ndarray:
    bright = draw(0.58, 0.70) * (1 - 0.35 * np.exp(-(np.maximum(w, 350) - 350) / 140))
    carbonate = 0.22 * _peak(w, 2338, 38) + 0.06 * _peak(w, 2160, 30) + 0.06 * _peak(w, 1990, 40)
    return bright * (1 - carbonate - 0.05 * _peak(w, 2500, 60)) * np.exp(-0.03 * _liquid_water(w))


def _gypsum(w: np.ndarray, draw: Draw) -> np.ndarray:
    dips = 0.34 * _peak(w, 1450, 30) + 0.16 * _peak(w, 1492, 16) + 0.30 * _peak(w, 1750, 32) + 0.62 * _peak(w, 1942, 40)
    dips += 0.22 * _peak(w, 2215, 42) + 0.10 * _peak(w, 1205, 32) + 0.08 * _peak(w, 2268, 20)
    slope = draw(0.72, 0.84) * (1 - 0.16 * np.exp(-(np.maximum(w, 350) - 350) / 120))
    return slope * (1 - 0.42 * _edge(w, 2380, 70)) * (1 - 0.00018 * np.maximum(w - 1300, 0)) * (1 - dips)


def _water(w: np.ndarray, draw: Draw) -> np.ndarray:
    green = 0.026 * _peak(w, draw(505, 535), 75) + 0.026 * _edge(-w, -470, 60)
    return green + draw(0.006, 0.010) * np.exp(-(np.maximum(w, 560) - 560) / 260) + 0.003


def _turbid_water(w: np.ndarray, draw: Draw) -> np.ndarray:
    sediment = 0.03 + draw(0.10, 0.14) * _peak(w, 585, 85) + 0.035 * _peak(w, 690, 40) + 0.03 * _peak(w, 808, 26)
    return sediment * _edge(-w, -735, 28) + 0.026 * _peak(w, 808, 26) + 0.004


def _asphalt(w: np.ndarray, draw: Draw) -> np.ndarray:
    tar = 0.06 + draw(0.055, 0.075) * (1 - np.exp(-(np.maximum(w, 350) - 350) / 420))
    return tar * (1 - 0.08 * _peak(w, 2310, 45) - 0.05 * _peak(w, 1725, 30))


def _concrete(w: np.ndarray, draw: Draw) -> np.ndarray:
    grey = draw(0.30, 0.38) * (1 - 0.42 * np.exp(-(np.maximum(w, 370) - 370) / 130))
    dips = 0.10 * _peak(w, 2338, 45) + 0.05 * _peak(w, 1412, 20)
    return grey * (1 - dips - 0.22 * _edge(w, 2180, 160)) * np.exp(-draw(0.10, 0.20) * _liquid_water(w))


def _red_tile(w: np.ndarray, draw: Draw) -> np.ndarray:
    fired = 0.06 + draw(0.16, 0.22) * _edge(w, draw(588, 598), 20) + draw(0.16, 0.24) * _edge(w, 1080, 160)
    return fired * (1 - 0.20 * _peak(w, 860, 85))


def _ice_absorption(w: np.ndarray) -> np.ndarray:
    """Absorption of ice, 1 near 1500 nm."""
    bands = 0.10 * _peak(w, 1030, 40) + 0.24 * _peak(w, 1270, 46) + 1.0 * _peak(w, 1500, 75) + 1.3 * _peak(w, 2010, 75)
    return bands + 0.18 * _edge(w, 1160, 50) + 0.45 * _edge(w, 1440, 30) + 1.0 * _edge(w, 2420, 60)


def _snow(w: np.ndarray, draw: Draw) -> np.ndarray:
    grain = draw(1.6, 2.6)
    return 0.97 * np.exp(-grain * _ice_absorption(w) - 0.00016 * np.maximum(w - 600, 0))


def _ice(w: np.ndarray, draw: Draw) -> np.ndarray:
    blue = draw(0.52, 0.64) * np.exp(-(((np.maximum(w, 430) - 430) / draw(430, 500)) ** 1.7))
    return blue * np.exp(-2.0 * _ice_absorption(w)) + 0.012


_MAKERS: dict[str, Callable[[np.ndarray, Draw], np.ndarray]] = {
    "vegetation": _vegetation,
    "dry grass": _dry_grass,
    "clay soil": _clay_soil,
    "red soil": _red_soil,
    "sand": _sand,
    "limestone": _limestone,
    "gypsum": _gypsum,
    "water": _water,
    "turbid water": _turbid_water,
    "asphalt": _asphalt,
    "concrete": _concrete,
    "red tile": _red_tile,
    "snow": _snow,
    "ice": _ice,
}
MATERIALS = tuple(_MAKERS)
"""Names of the materials `material_spectrum` makes."""
