"""Which sampled pixels of a slide may tell the colour of its stains: gates in a fixed order, each counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from ..light.channels import least_channel
from .stain_one_colour import one_colour_pixels

LEAST_DENSITY = 0.20
LARGEST_DENSITY = 2.3
BRIGHTER_THAN_WHITE = -0.1
COLOUR_MARGIN_DEGREES = 25.0
GREY_MARGIN_DEGREES = 7.0
GREY_IS_STAIN_SHARE, GREY_OF_ALL_DENSITIES_SHARE = 0.10, 0.03
ALL_DENSITIES = (0.2, 0.8)

_GREY = np.full((1, 3), 3**-0.5)


def gate_pixels(
    density: np.ndarray, clipped: np.ndarray, variants: Sequence[np.ndarray]
) -> tuple[np.ndarray, dict[str, int]]:
    """Return which pixels carry usable stain colour, and how many each gate dropped.

    Parameters
    ----------
    density : ndarray, shape (n, 3)
        Natural-log optical density, negative where a pixel is brighter than the white point.
    clipped : ndarray of bool, shape (n,)
        True where a channel is so dark that the camera no longer told densities apart.
    variants : sequence of ndarray, shape (n_variants, 3)
        For each stain expected on the slide its published or measured directions.

    Returns
    -------
    kept : ndarray of int, shape (n_kept,)
        Positions in `density`, ascending.
    counts : dict
        Pixels dropped by each gate, by name, in the order of the gates.
    """
    norm = _norm(density)
    kept = np.arange(len(density))
    counts: dict[str, int] = {}

    def drop(gate: str, bad: np.ndarray) -> None:
        nonlocal kept
        counts[gate] = int(bad.sum())
        kept = kept[~bad]

    drop("gate_background", norm <= LEAST_DENSITY)
    drop("gate_clipped", clipped[kept])
    drop("gate_over_dense", norm[kept] > LARGEST_DENSITY)
    drop("gate_brighter_than_white", least_channel(density)[kept] < BRIGHTER_THAN_WHITE)
    counts["pixels_with_stain_density"] = len(kept)
    direction = np.maximum(density.take(kept, axis=0), 0.0) / norm[kept, None]
    cones = stain_cones(variants)
    near = cosine_to_cones(direction, cones) >= np.cos(np.radians(COLOUR_MARGIN_DEGREES))
    drop("gate_colour", ~near)
    direction = direction.compress(near, axis=0)
    grey_is_foreign = cosine_to_cones(_GREY, cones)[0] < np.cos(np.radians(GREY_MARGIN_DEGREES))
    grey = (direction @ _GREY[0] > np.cos(np.radians(GREY_MARGIN_DEGREES))) & grey_is_foreign
    if len(grey) and _is_stain(grey, norm[kept]):
        grey[:] = False
    drop("gate_grey", grey)
    drop("gate_one_colour", one_colour_pixels(density.take(kept, axis=0)))
    return kept, counts


def _is_stain(grey: np.ndarray, norm: np.ndarray) -> bool:
    """Return whether grey is how stains of this slide look: much of it, or some in all densities.

    Dirt and ink are a small part and dense, haze is pale; a stain is as often denser than the rest as paler.
    """
    share = float(grey.mean())
    if share <= GREY_OF_ALL_DENSITIES_SHARE:
        return False
    pale = float(np.mean(norm[grey] < np.median(norm)))
    return share > GREY_IS_STAIN_SHARE or ALL_DENSITIES[0] <= pale <= ALL_DENSITIES[1]


def stain_cones(variants: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return the two edges of the plane cone that every pair of directions of different stains spans."""
    return [(a, b) for first, second in combinations(variants, 2) for a in first for b in second]


def cosine_to_cones(directions: np.ndarray, cones: list[tuple[np.ndarray, np.ndarray]]) -> np.ndarray:
    """Return the cosine of the angle from each unit direction (n, 3) to the nearest of several plane cones."""
    best = np.full(len(directions), -1.0)
    for a, b in cones:
        along_a, along_b, c = directions @ a, directions @ b, float(a @ b)
        h_a, h_b = (along_a - c * along_b) / (1 - c * c), (along_b - c * along_a) / (1 - c * c)
        inside = (h_a >= 0) & (h_b >= 0)
        within = np.sqrt(np.maximum(h_a * along_a + h_b * along_b, 0.0))
        np.maximum(best, np.where(inside, within, np.maximum(along_a, along_b)), out=best)
    return best


def _norm(density: np.ndarray) -> np.ndarray:
    positive = np.maximum(density, 0.0)
    return np.sqrt(np.einsum("ij,ij->i", positive, positive))
