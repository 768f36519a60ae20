"""Hyperspectral scenes whose endmembers and abundances are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import OptionError
from ..image import as_image
from .fields import random_stream, smooth_field
from .limits import check_between, check_known, check_shape, check_whole
from .reflectance import MATERIALS, material_spectrum
from .truth import Scene

DARK_MATERIALS = ("water", "turbid water")
SUMS = ("one", "at_most_one", "any")
WAVELENGTH_RANGE = (400.0, 2450.0)
MOST_BANDS = 100_000

_LEAST_ANGLE = 0.1
_LEAST_BRIGHTNESS = 0.2
_SHARPNESS = 3.0
_PURE_ABOVE = 0.9
_SMOOTH_PART, _PIXEL_PART = 0.8, 0.6
_N_MODES = 3
_ROWS_AT_ONCE = 64


def separable_scene(
    n_endmembers: int = 4,
    n_bands: int = 20,
    shape: tuple[int, int] = (20, 25),
    *,
    seed: int = 0,
    sums: str = "one",
    dtype: type | np.dtype | str = np.float64,
    quantity: str = "reflectance",
) -> Scene:
    """Make an exact, noise-free separable scene: every endmember is a pixel at a known place, the others are mixtures.

    Parameters
    ----------
    n_endmembers : int
        Number of endmembers r; at least 1, at most `n_bands` and the number of pixels.
    n_bands : int
        Number of bands.
    shape : (int, int)
        Rows and columns.
    seed : int
        Chooses the scene.
    sums : {'one', 'at_most_one', 'any'}
        What the abundances of a pixel sum to. With ``any`` the mixtures may be brighter than the pure pixels
        (whose abundance stays 1), as when illumination differs.
    dtype : {float32, float64}
        Type of the image; the truth is always float64.
    quantity : str
        The image's quantity.

    Returns
    -------
    Scene
        Image, truth, and the pure pixels.

    Raises
    ------
    OptionError
        A number is out of its range or a name is not known.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.synthetic import separable_scene
    >>> scene = separable_scene(3, 10, seed=1)
    >>> row, column = scene.pure[0]
    >>> bool(np.allclose(scene.image[row, column], scene.endmembers[0]))
    True
    """
    check_shape(shape)
    check_whole("n_bands", n_bands, 1, MOST_BANDS)
    n_pixels = shape[0] * shape[1]
    check_whole("n_endmembers", n_endmembers, 1, min(n_bands, n_pixels), "the bands and pixels there are")
    check_known("sums", [sums], SUMS)
    if np.dtype(dtype) not in (np.float32, np.float64):
        raise OptionError(f"dtype={np.dtype(dtype).name}: a separable scene is float32 or float64.")
    rng = random_stream(seed, "separable")
    E = rng.uniform(0.1, 0.5, (n_endmembers, n_bands))
    E[np.arange(n_endmembers), rng.permutation(n_bands)[:n_endmembers]] += 0.4
    A = rng.dirichlet(np.full(n_endmembers, 0.8), n_pixels)
    if n_endmembers > 1:
        A = 0.9 * A + 0.1 / n_endmembers
    if sums == "at_most_one":
        A *= rng.uniform(0.3, 1.0, (n_pixels, 1))
    elif sums == "any":
        A *= rng.uniform(0.3, 3.0, (n_pixels, 1))
    at = np.sort(rng.permutation(n_pixels)[:n_endmembers])
    A[at] = np.eye(n_endmembers)
    values = (A @ E).astype(dtype).reshape(*shape, n_bands)
    names = tuple(f"endmember {k + 1}" for k in range(n_endmembers))
    pure = np.stack(np.divmod(at, shape[1]), axis=1)
    return Scene(as_image(values, quantity=quantity), E, A.T.reshape(-1, *shape).copy(), names, pure=pure)


def hyperspectral_scene(
    seed: int = 0,
    n_endmembers: int = 5,
    n_bands: int = 112,
    shape: tuple[int, int] = (90, 90),
    *,
    materials: Sequence[str] | None = None,
    dark_material: bool = False,
    snr: float = 30.0,
    purity: float = 1.0,
    brightness_scatter: float = 0.0,
    variability: float = 0.0,
    rare_share: float = 0.0,
    dtype: type | np.dtype | str = np.float32,
) -> Scene:
    """Make a hyperspectral scene of smooth mixtures, as hard as asked for.

    Smooth random fields go through a softmax to become abundances; the spectra are formulas of common materials
    (`material_spectrum`), varied by the seed.

    Parameters
    ----------
    seed : int
        Chooses the scene. Options draw from streams of their own: the same seed with another `snr` is the same
        scene with other noise.
    n_endmembers, n_bands : int
        Number of endmembers r (at least 2) and of bands, evenly spaced from 400 to 2450 nm.
    shape : (int, int)
        Rows and columns.
    materials : sequence of str, optional
        Names from `MATERIALS`, in order; drawn by the seed, at least 0.1 rad apart, when not given.
    dark_material : bool
        Take clear water as the last drawn material, far darker than all others, and no turbid water.
    snr : float
        Signal-to-noise ratio in dB of white noise, mean square over mean square; ``inf`` for none. Values are
        clipped at 0 after it.
    purity : float
        Largest abundance anywhere, 0.5 to 1. At 1 every material has pure pixels.
    brightness_scatter : float
        Standard deviation of the factor on every pixel, 0 to 0.5: 80 % of it smooth and 60 % from pixel to pixel,
        as root-mean-square parts.
    variability : float
        Root-mean-square relative change of each material's spectrum over the scene, 0 to 0.5: three smooth
        spectral modes times smooth fields.
    rare_share : float
        The first material lies in one blob that covers this share of the pixels, and nowhere else; 0 for none.
    dtype : {float32, float64}
        Type of the image.

    Returns
    -------
    Scene
        Image and truth. With variability the endmembers are the mean spectra.

    Raises
    ------
    OptionError
        A number is out of its range, or a material is not known.

    Examples
    --------
    >>> from unmix.synthetic import hyperspectral_scene
    >>> scene = hyperspectral_scene(1, materials=["vegetation", "sand", "water"], shape=(30, 40), snr=40)
    >>> scene.image.shape, scene.names
    ((30, 40, 112), ('vegetation', 'sand', 'water'))
    """
    if materials is not None:
        n_endmembers = len(materials)
        check_known("materials", materials, MATERIALS)
    check_shape(shape, least=4)
    check_whole("n_endmembers", n_endmembers, 2, len(MATERIALS), "the materials there are")
    check_whole("n_bands", n_bands, n_endmembers, MOST_BANDS)
    check_between("purity", purity, 0.5, 1.0)
    check_between("brightness_scatter", brightness_scatter, 0.0, 0.5)
    check_between("variability", variability, 0.0, 0.5)
    check_between("rare_share", rare_share, 0.0, 0.2)
    if np.isnan(snr):
        raise OptionError("snr=nan: give the signal-to-noise ratio in dB, or inf for no noise.")
    wavelengths = np.linspace(*WAVELENGTH_RANGE, n_bands)
    names, E = _draw_materials(seed, n_endmembers, wavelengths, materials, dark_material)
    A, pure = _draw_abundances(seed, n_endmembers, shape, purity, rare_share)
    brightness = _draw_brightness(seed, shape, brightness_scatter)
    maps, spectra = _with_variability(seed, A * brightness, E, wavelengths, variability)
    values = _recorded(seed, maps, spectra, snr, np.dtype(dtype))
    fwhm = np.full(n_bands, wavelengths[1] - wavelengths[0])
    image = as_image(values, wavelengths=wavelengths, fwhm=fwhm, quantity="reflectance", name=f"synthetic {seed}")
    return Scene(image, E, A, names, brightness=brightness, pure=pure)


def _draw_materials(
    seed: int, count: int, wavelengths: np.ndarray, materials: Sequence[str] | None, dark: bool
) -> tuple[tuple[str, ...], np.ndarray]:
    """Return names and spectra of materials that can be told apart."""
    rng = random_stream(seed, "materials")
    drawn = {name: material_spectrum(name, wavelengths, random_stream(seed, name)) for name in MATERIALS}
    if materials is not None:
        return tuple(materials), np.array([drawn[name] for name in materials])
    chosen, excluded = (list(DARK_MATERIALS[:1]), DARK_MATERIALS) if dark else ([], DARK_MATERIALS[:1])
    for name in (MATERIALS[k] for k in rng.permutation(len(MATERIALS))):
        apart = all(_angle(drawn[name], drawn[other]) > _LEAST_ANGLE for other in chosen)
        if name not in excluded and apart and len(chosen) < count:
            chosen.append(name)
    if len(chosen) < count:
        raise OptionError(f"n_endmembers={count}: only {len(chosen)} materials are 0.1 rad apart. Name materials=.")
    if dark:
        chosen = chosen[1:] + chosen[:1]
    return tuple(chosen), np.array([drawn[name] for name in chosen])


def _draw_abundances(
    seed: int, count: int, shape: tuple[int, int], purity: float, rare_share: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return abundances (r, y, x) that sum to one, and one pure pixel a material where there are any."""
    rng = random_stream(seed, "abundances")
    scale = max(2.0, min(shape) / 9)
    fields = np.array([smooth_field(rng, shape, scale * rng.uniform(0.7, 1.4)) for _ in range(count)])
    blob = _blob(rng, shape, rare_share)
    if rare_share:
        fields[0] = -np.inf
    A = np.exp(_SHARPNESS * (fields - fields.max(axis=0)))
    A /= A.sum(axis=0)
    if purity == 1.0:
        A = _with_pure_pixels(A, outside=blob == 0, first=1 if rare_share else 0)
    A *= 1 - blob
    A[0] += blob
    A = _capped(A, purity)
    at = A.reshape(count, -1).argmax(axis=1)
    pure = np.stack(np.divmod(at, shape[1]), axis=1)
    return A, pure if purity == 1.0 else np.full((count, 2), -1)


def _with_pure_pixels(A: np.ndarray, outside: np.ndarray, first: int) -> np.ndarray:
    """Make pixels that are nearly pure wholly pure, and where a material has none outside the blob, its best pixel."""
    top = A.max(axis=0)
    spare = 1 - top
    kept = np.maximum(spare - (1 - _PURE_ABOVE), 0)
    A = np.where(top == A, 1 - kept, A * (kept / np.maximum(spare, 1e-12)))
    for k in range(first, len(A)):
        if A[k, outside].max() < 1:
            taken = A.max(axis=0) == 1
            row, column = np.unravel_index(np.where(outside & ~taken, A[k], -1).argmax(), outside.shape)
            A[:, row, column] = 0
            A[k, row, column] = 1
    return A


def _capped(A: np.ndarray, purity: float) -> np.ndarray:
    """Give what a pixel's largest abundance has above `purity` to the others, in their proportions."""
    top = A.max(axis=0)
    over = top > purity
    if not over.any():
        return A
    others = np.where(top == A, 0, A + 1e-9)
    others *= (1 - purity) / others.sum(axis=0)
    return np.where(over, np.where(top == A, purity, others), A)


def _blob(rng: np.random.Generator, shape: tuple[int, int], share: float) -> np.ndarray:
    """Return one round blob (y, x), 1 inside, 0 outside, soft at its rim; about `share` of the pixels exceed a half."""
    if share == 0:
        return np.zeros(shape)
    radius = np.sqrt(share * shape[0] * shape[1] / np.pi)
    centre = [rng.uniform(min(radius + 1, size / 2), max(size - radius - 1, size / 2)) for size in shape]
    y, x = np.indices(shape)
    distance = np.hypot(y - round(centre[0]), x - round(centre[1]))
    rim = max(1.0, 0.25 * radius)
    return np.clip((radius - distance) / (2 * rim) + 0.5, 0.0, 1.0) if radius > rim else (distance < 0.5) * 1.0


def _draw_brightness(seed: int, shape: tuple[int, int], scatter: float) -> np.ndarray:
    """Return the factor on every pixel (y, x): mean 1, partly smooth and partly from pixel to pixel."""
    if scatter == 0:
        return np.ones(shape)
    rng = random_stream(seed, "brightness")
    smooth = smooth_field(rng, shape, max(2.0, min(shape) / 8))
    pixelwise = rng.standard_normal(shape)
    return np.maximum(1 + scatter * (_SMOOTH_PART * smooth + _PIXEL_PART * pixelwise), _LEAST_BRIGHTNESS)


def _with_variability(
    seed: int, A: np.ndarray, E: np.ndarray, wavelengths: np.ndarray, variability: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return maps (m, y, x) and spectra (m, n_bands) whose product is the noise-free scene."""
    if variability == 0:
        return A, E
    rng = random_stream(seed, "variability")
    position = (wavelengths - wavelengths[0]) / (wavelengths[-1] - wavelengths[0])
    maps, spectra = [A], [E]
    for k in range(len(E)):
        for order in range(1, _N_MODES + 1):
            mode = np.cos(np.pi * order * position + rng.uniform(0, 2 * np.pi))
            mode *= variability / np.sqrt(_N_MODES * np.mean(mode**2))
            maps.append((A[k] * smooth_field(rng, A.shape[1:], max(2.0, min(A.shape[1:]) / 8)))[None])
            spectra.append((E[k] * mode)[None])
    return np.concatenate(maps), np.concatenate(spectra)


def _recorded(seed: int, maps: np.ndarray, spectra: np.ndarray, snr: float, dtype: np.dtype) -> np.ndarray:
    """Return the scene (y, x, n_bands) with white noise, clipped at 0, a few rows at a time."""
    height, width = maps.shape[1:]
    values = np.empty((height, width, spectra.shape[1]), dtype)
    gram = np.tensordot(maps, maps, axes=((1, 2), (1, 2)))
    power = np.sum(gram * (spectra @ spectra.T)) / (height * width * spectra.shape[1])
    sigma = 0.0 if np.isposinf(snr) else np.sqrt(power / 10 ** (snr / 10))
    rng = random_stream(seed, "noise")
    for top in range(0, height, _ROWS_AT_ONCE):
        rows = slice(top, min(top + _ROWS_AT_ONCE, height))
        block = np.tensordot(maps[:, rows], spectra, axes=(0, 0))
        if sigma:
            block += sigma * rng.standard_normal(block.shape)
        values[rows] = np.maximum(block, 0)
    return values


def _angle(a: np.ndarray, b: np.ndarray) -> float:
    return float(np.arccos(np.clip(a @ b / np.linalg.norm(a) / np.linalg.norm(b), -1, 1)))
