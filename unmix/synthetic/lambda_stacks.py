"""Fluorescence lambda stacks whose dye spectra and photon counts are known."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..errors import OptionError
from ..image import as_image
from .cells import COMPARTMENTS, draw_compartments
from .fields import random_stream
from .limits import check_between, check_known, check_shape, check_whole
from .truth import Scene

WAVELENGTH_RANGE = (410.0, 680.0)

_PIXEL_SIZE = 0.25
_OPTICS = 0.8
_ROWS_AT_ONCE = 64


@dataclass(frozen=True)
class Dye:
    """A fluorescent dye: what it stains and how it shines.

    Parameters
    ----------
    compartment : str
        One of `unmix.synthetic.cells.COMPARTMENTS`.
    peak : float
        Wavelength of the largest emission, nm.
    rise : float
        Width of the blue side, nm.
    fall : float
        Width of the red side, nm.
    shoulder : float
        Height of the vibronic shoulder relative to the peak.
    tail : float
        Length of the red tail, nm.
    level : float
        Photons at its brightest relative to the other dyes.
    """

    compartment: str
    peak: float
    rise: float
    fall: float
    shoulder: float
    tail: float
    level: float

    def __post_init__(self) -> None:
        check_known("compartment", [self.compartment], COMPARTMENTS)
        check_between("peak", self.peak, 300.0, 1000.0)
        for name in ("rise", "fall", "tail"):
            check_between(name, getattr(self, name), 0.5, 500.0)
        check_between("shoulder", self.shoulder, 0.0, 1.0)
        check_between("level", self.level, 1e-3, 1e3)

    def spectrum(self, wavelengths: np.ndarray) -> np.ndarray:
        """Return the emission over bands, summing to one: a skewed peak, a shoulder, and a long red tail."""
        w = np.asarray(wavelengths, np.float64)
        side = np.where(w < self.peak, self.rise, self.fall)
        main = np.exp(-0.5 * ((w - self.peak) / side) ** 2)
        beside = self.shoulder * np.exp(-0.5 * ((w - self.peak - 2.1 * self.fall) / (1.2 * self.fall)) ** 2)
        beyond = np.clip(w - self.peak, 0, None)
        red = 0.12 * np.exp(-beyond / self.tail) * (1 - np.exp(-0.5 * (beyond / self.fall) ** 2))
        total = main + beside + red
        return total / total.sum()


DYES: dict[str, Dye] = {
    "nuclear blue": Dye("nucleus", 458, 20, 34, 0.10, 60, 1.0),
    "golgi green": Dye("golgi", 527, 13, 17, 0.28, 45, 0.9),
    "mitochondria orange": Dye("mitochondria", 599, 13, 17, 0.24, 40, 0.9),
    "membrane red": Dye("membrane", 648, 16, 20, 0.16, 40, 0.8),
    "lysosome green": Dye("lysosomes", 505, 12, 16, 0.25, 45, 0.7),
    "actin yellow": Dye("actin", 562, 12, 16, 0.30, 40, 0.7),
}
"""Dyes in the order they are taken, by name; made up, with shapes like those of real ones."""


def lambda_stack(
    seed: int = 0,
    n_dyes: int = 5,
    n_bands: int = 28,
    shape: tuple[int, int] = (256, 256),
    *,
    dyes: Sequence[str | Dye] | None = None,
    photons: float = 150.0,
    gain: float = 1.0,
    offset: float = 0.0,
    read_noise: float = 0.0,
    background: float = 0.4,
    dtype: type | np.dtype | str = np.uint16,
) -> Scene:
    """Make a lambda stack of cultured cells: every dye sits in its compartment, and photons are counted.

    Parameters
    ----------
    seed : int
        Chooses the cells.
    n_dyes, n_bands : int
        Number of dyes, 2 to 6, taken from `DYES` in order, and of bands, evenly spaced from 410 to 680 nm.
    shape : (int, int)
        Rows and columns, at least 32.
    dyes : sequence of str or Dye, optional
        The dyes by name, or dyes of your own.
    photons : float
        Photons over all bands in the brightest pixels of a dye of level 1, 1 to 1e6.
    gain : float
        Counts per photon.
    offset : float
        Counts the camera adds to every value.
    read_noise : float
        Standard deviation of the camera's own noise, counts.
    background : float
        Stray photons over all bands in every pixel, spread evenly. They are in the image and not in the abundances.
    dtype : {uint8, uint16, float32}
        Type of the image; integers are rounded and clipped to their range.

    Returns
    -------
    Scene
        Image (counts), emission spectra that sum to one, and expected counts of every dye. The mean of an
        unclipped value is ``offset + gain x background / n_bands`` (together the scene's offset) plus the mixture.

    Raises
    ------
    OptionError
        A dye is not known, or a number is out of its range.

    Examples
    --------
    >>> from unmix.synthetic import lambda_stack
    >>> stack = lambda_stack(1, n_dyes=3, shape=(64, 64))
    >>> stack.image.shape, stack.names
    ((64, 64, 28), ('nuclear blue', 'golgi green', 'mitochondria orange'))
    """
    check_shape(shape, least=32)
    chosen = _chosen_dyes(dyes, n_dyes)
    check_whole("n_bands", n_bands, len(chosen), 10_000)
    for name, value, low, high in (
        ("photons", photons, 1.0, 1e6),
        ("gain", gain, 1e-3, 1e3),
        ("offset", offset, 0.0, 1e5),
        ("read_noise", read_noise, 0.0, 1e4),
        ("background", background, 0.0, 1e5),
    ):
        check_between(name, value, low, high)
    if np.dtype(dtype) not in (np.uint8, np.uint16, np.float32):
        raise OptionError(f"dtype={np.dtype(dtype).name}: a lambda stack is uint8, uint16 or float32.")
    wavelengths = np.linspace(*WAVELENGTH_RANGE, n_bands)
    E = np.array([dye.spectrum(wavelengths) for dye in chosen.values()])
    A = photons * _through_optics(
        draw_compartments(seed, shape, tuple(dye.compartment for dye in chosen.values())),
        [dye.level for dye in chosen.values()],
    )
    values = _counted(seed, A, E, background / n_bands, gain, offset, read_noise, np.dtype(dtype))
    image = as_image(
        values, wavelengths=wavelengths, quantity="counts", pixel_size=_PIXEL_SIZE, name=f"lambda stack {seed}"
    )
    return Scene(image, E, gain * A, tuple(chosen), offset=offset + gain * background / n_bands)


def _chosen_dyes(dyes: Sequence[str | Dye] | None, n_dyes: int) -> dict[str, Dye]:
    """Return the dyes asked for by name."""
    if dyes is None:
        check_whole("n_dyes", n_dyes, 2, len(DYES), "the dyes there are")
        return dict(list(DYES.items())[:n_dyes])
    chosen = {}
    for dye in dyes:
        if isinstance(dye, str) and dye not in DYES:
            raise OptionError(f"dye {dye!r} is not known. Use any of {', '.join(DYES)}.")
        name = dye if isinstance(dye, str) else f"{dye.compartment} {dye.peak:g}"
        if name in chosen:
            raise OptionError(f"dye {name!r} is given twice.")
        chosen[name] = DYES[dye] if isinstance(dye, str) else dye
    if len(chosen) < 2:
        raise OptionError("dyes: give at least 2 dyes.")
    return chosen


def _through_optics(compartments: np.ndarray, levels: list[float]) -> np.ndarray:
    from scipy.ndimage import gaussian_filter

    return np.stack(
        [
            level * np.clip(gaussian_filter(map_, _OPTICS), 0, None)
            for map_, level in zip(compartments, levels, strict=True)
        ]
    )


def _counted(
    seed: int,
    A: np.ndarray,
    E: np.ndarray,
    stray: float,
    gain: float,
    offset: float,
    read_noise: float,
    dtype: np.dtype,
) -> np.ndarray:
    """Return what the detector counts (y, x, n_bands), a few rows at a time."""
    rng = random_stream(seed, "photons")
    values = np.empty((*A.shape[1:], E.shape[1]), dtype)
    for top in range(0, A.shape[1], _ROWS_AT_ONCE):
        rows = slice(top, top + _ROWS_AT_ONCE)
        counted = gain * rng.poisson(np.tensordot(A[:, rows], E, axes=(0, 0)) + stray) + offset
        if read_noise:
            counted = counted + read_noise * rng.standard_normal(counted.shape)
        if dtype.kind == "u":
            counted = np.clip(np.rint(counted), 0, np.iinfo(dtype).max)
        values[rows] = counted
    return values
