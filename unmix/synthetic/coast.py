"""A piece of coast from the air: sea, beach, fields, woods and a village, with abundances known for every pixel.

The ground is drawn several times finer than the image and averaged, so that pixels on every border are mixed as a
sensor would mix them; within each ground type smooth fields mix materials further (thin crops, wet sand).
"""

from __future__ import annotations

import numpy as np

from ..image import as_image
from .fields import random_stream, smooth_field, smooth_step
from .limits import check_between, check_shape, check_whole
from .reflectance import material_spectrum
from .scenes import MOST_BANDS, WAVELENGTH_RANGE
from .truth import Scene

COAST_MATERIALS = ("water", "sand", "vegetation", "clay soil", "asphalt")
WATER_VAPOUR = ((1340.0, 1450.0), (1800.0, 1960.0))
"""Wavelengths (nm) at which the air lets no light through."""

_FINER = 4
_HILL_SHADE = 0.08
_PIXELWISE = 0.012
_CELL = 15.0


def coast_scene(
    seed: int = 0, shape: tuple[int, int] = (80, 84), n_bands: int = 108, *, noise: float = 0.0025
) -> Scene:
    """Make a coastal scene of five materials, one of them water that is far darker than the rest.

    Parameters
    ----------
    seed : int
        Chooses the scene.
    shape : (int, int)
        Rows and columns, at least 24.
    n_bands : int
        Bands, evenly spaced from 400 to 2450 nm. Those inside `WATER_VAPOUR` are flagged not good and hold no signal,
        only noise of the size of the signal.
    noise : float
        Standard deviation of the noise in the middle of the spectrum, reflectance; up to twice as much at its ends.

    Returns
    -------
    Scene
        Image (float32 reflectance; small negative values stay), spectra, fractions that sum to one, and the
        brightness of every pixel: relief, at most 1.

    Raises
    ------
    OptionError
        A number is out of its range.

    Examples
    --------
    >>> from unmix.synthetic import coast_scene
    >>> coast = coast_scene(1, shape=(40, 44))
    >>> coast.names
    ('water', 'sand', 'vegetation', 'clay soil', 'asphalt')
    """
    check_shape(shape, least=24)
    check_whole("n_bands", n_bands, 20, MOST_BANDS)
    check_between("noise", noise, 0.0, 0.2)
    wavelengths = np.round(np.linspace(*WAVELENGTH_RANGE, n_bands), 2)
    good = np.ones(n_bands, bool)
    for low, high in WATER_VAPOUR:
        good &= ~((wavelengths >= low) & (wavelengths <= high))
    E = np.array([material_spectrum(name, wavelengths) for name in COAST_MATERIALS])
    A, brightness = _ground(seed, shape)
    values = np.tensordot(A * brightness, E, axes=(0, 0))
    values += _sensor_noise(seed, values.shape, wavelengths, noise)
    values[:, :, ~good] = _no_signal(seed, (*shape, int((~good).sum())))
    image = as_image(
        values.astype(np.float32),
        wavelengths=wavelengths,
        fwhm=np.full(n_bands, round(float(wavelengths[1] - wavelengths[0]) * 1.05, 2)),
        good_bands=good,
        quantity="reflectance",
        name="coast",
    )
    return Scene(image, E, A, COAST_MATERIALS, brightness=brightness, pure=_purest(A))


def swath_edge(shape: tuple[int, int], tilt: float = 0.07) -> np.ndarray:
    """Return where (y, x) a flight line turned by `tilt` radians covers an upright picture; the rest holds no data."""
    row, column = np.indices(shape)
    y, x = row - (shape[0] - 1) / 2, column - (shape[1] - 1) / 2
    across = x * np.cos(tilt) - y * np.sin(tilt)
    along = x * np.sin(tilt) + y * np.cos(tilt)
    return (np.abs(across) < 0.475 * shape[1]) & (np.abs(along) < 0.475 * shape[0])


def _ground(seed: int, shape: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """Return fractions (r, y, x) and brightness (y, x)."""
    fine = (shape[0] * _FINER, shape[1] * _FINER)
    rng = random_stream(seed, "coast")
    inland = _distance_inland(rng, fine)
    land = {"sand": _beach(rng, inland), "asphalt": _roads_and_roofs(rng, inland)}
    woods, bare = _fields_and_woods(rng, inland)
    A = np.zeros((len(COAST_MATERIALS), *fine))
    sea, sand, plants, soil, asphalt = A
    shallow = np.clip(1 + inland / 18, 0, 1) * 0.35 * smooth_step(2 * smooth_field(rng, fine, 16))
    sea[:] = np.where(inland < 0, 1 - shallow, 0)
    sand[:] = np.where(inland < 0, shallow, land["sand"])
    rest = np.where(inland < 0, 0, 1 - sand)
    asphalt[:] = rest * land["asphalt"]
    rest = rest - asphalt
    plants[:], soil[:] = rest * woods, rest * bare
    sand += rest * (1 - woods - bare)
    A = _averaged(A)
    shade = 0.86 + _HILL_SHADE * _averaged(_sunlit_slope(rng, inland)) + _PIXELWISE * rng.standard_normal(shape)
    return A / A.sum(axis=0), np.clip(shade, 0.3, 1.0)


def _sunlit_slope(rng: np.random.Generator, inland: np.ndarray) -> np.ndarray:
    """Return how far the ground leans towards a sun in the upper left: flat at sea, hilly inland."""
    hills = smooth_field(rng, inland.shape, 30) + 0.35 * smooth_field(rng, inland.shape, 12)
    down, right = np.gradient(hills)
    lean = down + right
    return np.clip(inland / 70, 0, 1) * np.clip(lean / lean.std(), -2.5, 1.5)


def _averaged(fine: np.ndarray) -> np.ndarray:
    """Average the fine drawing (..., y, x) to pixels."""
    *lead, height, width = fine.shape
    blocks = fine.reshape(*lead, height // _FINER, _FINER, width // _FINER, _FINER)
    return blocks.mean(axis=(-3, -1))


def _distance_inland(rng: np.random.Generator, fine: tuple[int, int]) -> np.ndarray:
    """Return about how far (fine pixels) a place lies from the shore; negative at sea, which is to the lower left."""
    y, x = np.indices(fine)
    height, width = fine
    slope = 0.62 * (x - 0.46 * width) - 0.78 * (y - 0.60 * height)
    bay = 26 * np.sin(2.4 * np.pi * (x / width + 0.55 * y / height))
    return slope + bay + 7 * smooth_field(rng, fine, 22) + 1.5 * smooth_field(rng, fine, 5)


def _beach(rng: np.random.Generator, inland: np.ndarray) -> np.ndarray:
    """Return the share of bare sand on land: a strip of beach, then dunes where plants take over."""
    width = 21 + 7 * smooth_field(rng, inland.shape, 30)
    dunes = 0.45 * smooth_step((44 - inland) / 6) * smooth_step(2.5 * smooth_field(rng, inland.shape, 5))
    return np.clip(smooth_step((width - inland) / 1.2) + dunes, 0, 1)


def _fields_and_woods(rng: np.random.Generator, inland: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the shares of plants and of bare soil on land: a patchwork of fields, and woods on the hills."""
    y, x = np.indices(inland.shape)
    tilt = 0.35
    u = (x * np.cos(tilt) + y * np.sin(tilt)) / (_CELL * _FINER)
    v = (y * np.cos(tilt) - x * np.sin(tilt)) / (0.62 * _CELL * _FINER)
    row = np.floor(v).astype(int)
    column = np.floor(u + 0.37 * (row % 3)).astype(int)
    crop = rng.random((64, 64))[row % 64, column % 64]
    green = np.select([crop < 0.36, crop < 0.52], [0.0, 0.5], 0.97)
    from_middle = np.maximum(np.abs(u + 0.37 * (row % 3) - column - 0.5), np.abs(v - row - 0.5))
    hedge = smooth_step((from_middle - 0.475) / 0.006)
    thin = green + 0.10 * smooth_field(rng, inland.shape, 9) * (green > 0)
    plants = np.maximum(np.clip(thin, 0, 1), 0.9 * hedge)
    wood = smooth_step((smooth_field(rng, inland.shape, 34) + 0.004 * (inland - 90) - 0.35) / 0.04)
    dune = smooth_step((60 + 10 * smooth_field(rng, inland.shape, 26) - inland) / 2.0)
    plants = plants * (1 - wood) + wood
    plants = plants * (1 - dune) + 0.85 * dune
    bare = (1 - plants) * (1 - dune)
    return plants, bare


def _roads_and_roofs(rng: np.random.Generator, inland: np.ndarray) -> np.ndarray:
    """Return the share of asphalt on land: two roads, a village where they meet, an airstrip."""
    height, width = inland.shape
    y, x = np.indices(inland.shape)
    shore_road = np.abs(inland - 72) < 3.2
    inland_road = (np.abs(0.80 * (x - 0.66 * width) + 0.60 * (y - 0.36 * height)) < 2.8) & (inland > 72)
    on_road = (np.abs(inland - 72) < 30) & (np.abs(0.80 * (x - 0.66 * width) + 0.60 * (y - 0.36 * height)) < 62)
    blocks = ((x + 2 * (y // 22)) % 26 < 17) & (y % 22 < 14) & (rng.random((64, 64))[y // 22 % 64, x // 26 % 64] < 0.8)
    along = 0.97 * (x - 0.78 * width) + 0.24 * (y - 0.17 * height)
    across = 0.97 * (y - 0.17 * height) - 0.24 * (x - 0.78 * width)
    runway = (np.abs(along) < 62) & (np.abs(across) < 7)
    apron = (np.abs(along - 18) < 18) & (np.abs(across - 17) < 12)
    paved = np.maximum.reduce([shore_road, inland_road, on_road & blocks, (runway | apron) & (inland > 90)])
    return paved.astype(np.float64)


def _sensor_noise(seed: int, shape: tuple[int, int, int], wavelengths: np.ndarray, noise: float) -> np.ndarray:
    """Return white noise that grows towards both ends of the spectrum."""
    rng = random_stream(seed, "sensor")
    ends = np.abs(wavelengths - wavelengths.mean()) / np.ptp(wavelengths) * 2
    return noise * (1 + ends**4) * rng.standard_normal(shape)


def _no_signal(seed: int, shape: tuple[int, int, int]) -> np.ndarray:
    """Return what a band without light holds: anything at all."""
    return random_stream(seed, "water vapour").uniform(-0.3, 1.4, shape)


def _purest(A: np.ndarray) -> np.ndarray:
    """Return one pixel a material that holds nothing else (to 1e-6), amid its kind; -1 where there is none."""
    from scipy.ndimage import uniform_filter

    pure = np.full((len(A), 2), -1)
    inside = swath_edge(A.shape[1:])
    for k, abundance in enumerate(A):
        around = uniform_filter(abundance, 9, mode="constant") + inside
        alone = np.where(abundance > 1 - 1e-6, around, -1)
        if alone.max() >= 0:
            pure[k] = np.unravel_index(alone.argmax(), alone.shape)
    return pure
