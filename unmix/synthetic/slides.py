"""Stained slides whose stain vectors and concentrations are known."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..errors import OptionError
from ..image import as_image
from .fields import fibres, random_stream, smooth_field, smooth_step
from .limits import check_between, check_finite, check_known, check_shape
from .tissue import Tissue, grow_tissue
from .truth import Scene

STAIN_VECTORS: dict[str, tuple[float, float, float]] = {
    "hematoxylin": (0.60, 0.72, 0.35),
    "eosin": (0.13, 0.87, 0.48),
    "dab": (0.30, 0.57, 0.76),
}
"""Optical density of red, green and blue of the stains as a typical scanner sees them."""

ARTEFACTS = ("pen", "fold", "pigment")
WHITE_POINT = (243.0, 240.0, 246.0)

_PIXEL_SIZE = 0.5
_PEN_VECTOR = (1.55, 0.62, 0.95)
_PIGMENT_VECTOR = (1.0, 1.06, 1.12)


def stained_slide(
    seed: int = 0,
    shape: tuple[int, int] = (512, 512),
    stains: Sequence[str] = ("hematoxylin", "eosin"),
    *,
    stain_matrix: np.ndarray | None = None,
    white_point: Sequence[float] = WHITE_POINT,
    strength: float = 1.0,
    positive_share: float = 0.35,
    noise: float = 1.2,
    artefacts: Sequence[str] = (),
) -> Scene:
    """Make a picture of a stained section: glands, stroma, vessels, lumen and bare glass, 0.5 um a pixel.

    The light follows Beer-Lambert exactly, I = I0 exp(-C M), before camera noise and rounding to 8 bits.

    Parameters
    ----------
    seed : int
        Chooses the section.
    shape : (int, int)
        Rows and columns, at least 64.
    stains : sequence of str
        Two or three of hematoxylin, eosin and dab. Nuclei, and DAB-positive nuclei, are the same for every choice.
    stain_matrix : array_like, shape (r, 3), optional
        Optical density of each stain; scaled to unit norm. `STAIN_VECTORS` when not given.
    white_point : sequence of 3 float
        Light without stain, 8-bit grey levels.
    strength : float
        Factor on all concentrations, 0.1 to 3.
    positive_share : float
        Share of epithelial nuclei that carry DAB, 0 to 1.
    noise : float
        Camera noise at the white point, grey levels; it falls with the square root of the light.
    artefacts : sequence of {'pen', 'fold', 'pigment'}
        A felt-pen stroke, a fold (tissue lying double), grains of black pigment.

    Returns
    -------
    Scene
        Image (uint8, brightfield), stain vectors, concentrations, white point, and where artefacts lie. Pen and
        pigment are in the image and not in the truth; a fold is in both.

    Raises
    ------
    OptionError
        A stain or artefact is not known, or a number is out of its range.

    Examples
    --------
    >>> from unmix.synthetic import stained_slide
    >>> slide = stained_slide(1, shape=(96, 96), stains=("hematoxylin", "dab"))
    >>> slide.image.shape, slide.names
    ((96, 96, 3), ('hematoxylin', 'dab'))
    """
    check_shape(shape, least=64)
    check_known("stains", stains, tuple(STAIN_VECTORS))
    check_known("artefacts", artefacts, ARTEFACTS)
    check_between("strength", strength, 0.1, 3.0)
    check_between("positive_share", positive_share, 0.0, 1.0)
    check_between("noise", noise, 0.0, 20.0)
    if len(stains) < 2 or "hematoxylin" not in stains:
        raise OptionError(f"stains={tuple(stains)!r}: give hematoxylin and one or two of eosin and dab.")
    M = _stain_matrix(stains, stain_matrix)
    white = _white_point(white_point)
    tissue = grow_tissue(seed, shape, positive_share if "dab" in stains else 0.0)
    C = strength * _concentrations(seed, tissue, stains)
    C, dirt, artefact = _spoil(seed, C, artefacts)
    light = white * np.exp(-(np.tensordot(C, M, axes=(0, 0)) + dirt))
    image = as_image(
        _photograph(seed, light, white, noise), quantity="brightfield", pixel_size=_PIXEL_SIZE, name=f"slide {seed}"
    )
    return Scene(image, M, C, tuple(stains), white_point=white, artefact=artefact if artefacts else None)


def _stain_matrix(stains: Sequence[str], given: np.ndarray | None) -> np.ndarray:
    rows = [STAIN_VECTORS[name] for name in stains] if given is None else given
    M = np.asarray(rows, np.float64)
    if M.shape != (len(stains), 3) or not np.isfinite(M).all() or (M < 0).any() or (M.sum(axis=1) == 0).any():
        raise OptionError(f"stain_matrix: give {len(stains)} rows of 3 non-negative optical densities.")
    return M / np.linalg.norm(M, axis=1, keepdims=True)


def _white_point(given: Sequence[float]) -> np.ndarray:
    if len(given) != 3:
        raise OptionError(f"white_point={given!r}: give 3 grey levels.")
    for value in given:
        check_finite("white_point", value)
        check_between("white_point", value, 1.0, 255.0)
    return np.asarray(given, np.float64)


def _concentrations(seed: int, tissue: Tissue, stains: Sequence[str]) -> np.ndarray:
    """Return how much of every stain (r, y, x) the tissue takes up, seen through the optics."""
    from scipy.ndimage import gaussian_filter

    rng = random_stream(seed, "staining")
    shape = tissue.section.shape
    cover = np.clip(tissue.chromatin / 0.55, 0, 1)
    plasma = tissue.cytoplasm + tissue.fibre + tissue.blood
    eosin = (0.95 * tissue.cytoplasm + 1.05 * tissue.fibre) * (1 - 0.5 * cover) + 1.15 * tissue.blood
    base = 0.42 * tissue.cytoplasm + 0.09 * tissue.fibre
    uptake = {
        "hematoxylin": 1.22 * tissue.chromatin + base * (1 - cover),
        "eosin": eosin,
        "dab": 1.25 * tissue.marker + 0.03 * plasma,
    }
    if "eosin" not in stains:
        uptake["hematoxylin"] = 0.75 * tissue.chromatin + (0.30 * plasma + 0.1 * tissue.cytoplasm) * (1 - cover)
    uptake["hematoxylin"] = uptake["hematoxylin"] * (1 - 0.55 * np.clip(tissue.marker, 0, 1))
    thickness = tissue.section * (1 + 0.06 * smooth_field(rng, shape, 80) + 0.03 * smooth_field(rng, shape, 12))
    return np.stack([np.clip(gaussian_filter(uptake[name] * thickness, 0.6), 0, None) for name in stains])


def _spoil(seed: int, C: np.ndarray, artefacts: Sequence[str]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return concentrations, the optical density (y, x, 3) of what is no stain, and where artefacts lie."""
    shape = C.shape[1:]
    dirt, where = np.zeros((*shape, 3)), np.zeros(shape, bool)
    if "fold" in artefacts:
        fold = _stroke(random_stream(seed, "fold"), shape, width=0.03)
        C, where = C * (1 + 1.1 * fold), where | (fold > 0.05)
    if "pen" in artefacts:
        rng = random_stream(seed, "pen")
        pen = _stroke(rng, shape, width=0.035)
        ink = pen * (1 + 0.12 * fibres(rng, np.full(shape, 0.6), thickness=1.0, length=20))
        dirt, where = dirt + np.clip(ink, 0, None)[:, :, None] * np.array(_PEN_VECTOR), where | (pen > 0.02)
    if "pigment" in artefacts:
        rng = random_stream(seed, "pigment")
        patch = smooth_field(rng, shape, 14) > 1.6
        grains = smooth_step(6 * (smooth_field(rng, shape, 1.2) - 1.2)) * patch
        dirt, where = dirt + 2.2 * grains[:, :, None] * np.array(_PIGMENT_VECTOR), where | (grains > 0.02)
    return C, dirt, where


def _stroke(rng: np.random.Generator, shape: tuple[int, int], width: float) -> np.ndarray:
    """Return a soft-edged band (y, x) across the picture, 1 inside; `width` is a share of the shorter side."""
    y, x = np.indices(shape)
    angle = rng.uniform(0, np.pi)
    offset = (y - shape[0] * rng.uniform(0.3, 0.7)) * np.cos(angle) - (x - shape[1] * rng.uniform(0.3, 0.7)) * np.sin(
        angle
    )
    offset = offset + 0.02 * min(shape) * smooth_field(rng, shape, min(shape) / 6)
    return smooth_step((width * min(shape) - np.abs(offset)) / 1.5)


def _photograph(seed: int, light: np.ndarray, white: np.ndarray, noise: float) -> np.ndarray:
    """Return the light as an 8-bit camera records it."""
    rng = random_stream(seed, "camera")
    sigma = noise * np.sqrt(0.1 + 0.9 * light / white)
    return np.clip(np.rint(light + sigma * rng.standard_normal(light.shape)), 0, 255).astype(np.uint8)
