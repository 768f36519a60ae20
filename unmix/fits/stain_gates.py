"""Which sampled pixels of a slide may tell the colour of its stains: gates in a fixed order, each counted."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from .stain_one_colour import one_colour_pixels

LEAST_DENSITY = 0.20
LARGEST_DENSITY = 2.3
BRIGHTER_THAN_WHITE = -0.1
COLOUR_MARGIN_DEGREES = 25.0
GREY_MARGIN_DEGREES = 7.0
GREY_IS_STAIN_SHARE, GREY_OF_ALL_DENSITIES_SHARE = 0.10, 0.03
ALL_DENSITIES = (0.2, 0.8)


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
    from .stain_gate_kernel import GREY, KEPT, gate

    cones = stain_cones(variants)
    norm, fates, n = np.empty(len(density)), np.empty(len(density), np.uint8), np.zeros(7, np.int64)
    limits = LEAST_DENSITY, LARGEST_DENSITY, BRIGHTER_THAN_WHITE
    near, to_grey = (float(np.cos(np.radians(degrees))) for degrees in (COLOUR_MARGIN_DEGREES, GREY_MARGIN_DEGREES))
    grey_is_foreign = _cosine_of_grey(cones) < to_grey
    gate(density, clipped, limits, cones, (near, to_grey if grey_is_foreign else 2.0), norm, fates, n)
    if n[GREY] > GREY_OF_ALL_DENSITIES_SHARE * (n[GREY] + n[KEPT]) and _is_stain(fates, norm):
        fates[fates == GREY] = KEPT
        n[KEPT], n[GREY] = n[KEPT] + n[GREY], 0
    kept = np.flatnonzero(fates == KEPT)
    foreign = one_colour_pixels(density.take(kept, axis=0))
    n_foreign = int(np.count_nonzero(foreign))
    return kept.compress(~foreign) if n_foreign else kept, _counts(n.tolist(), n_foreign)


def _counts(n: list[int], n_one_colour: int) -> dict[str, int]:
    """Return how many pixels each gate dropped, in their order."""
    from .stain_gate_kernel import BACKGROUND, BRIGHTER, CLIPPED, GREY, KEPT, OFF_COLOUR, OVER_DENSE

    return {
        "gate_background": n[BACKGROUND],
        "gate_clipped": n[CLIPPED],
        "gate_over_dense": n[OVER_DENSE],
        "gate_brighter_than_white": n[BRIGHTER],
        "pixels_with_stain_density": n[KEPT] + n[OFF_COLOUR] + n[GREY],
        "gate_colour": n[OFF_COLOUR],
        "gate_grey": n[GREY],
        "gate_one_colour": n_one_colour,
    }


def _cosine_of_grey(cones: np.ndarray) -> float:
    from .stain_gate_kernel import cosine_to_cones

    return float(cosine_to_cones(*np.full(3, 3**-0.5), cones, 1.0))


def _is_stain(fates: np.ndarray, norm: np.ndarray) -> bool:
    """Return whether grey is how stains of this slide look: much of it, or some in all densities.

    Dirt and ink are a small part and dense, haze is pale; a stain is as often denser than the rest as paler.
    """
    from .stain_gate_kernel import GREY, KEPT

    with_colour = (fates == GREY) | (fates == KEPT)
    grey, norm = fates[with_colour] == GREY, norm[with_colour]
    share = float(grey.mean())
    pale = float(np.mean(norm[grey] < np.median(norm)))
    return share > GREY_IS_STAIN_SHARE or ALL_DENSITIES[0] <= pale <= ALL_DENSITIES[1]


def stain_cones(variants: Sequence[np.ndarray]) -> np.ndarray:
    """Return the two edges (k, 2, 3) of the plane cone that every pair of directions of different stains spans."""
    return np.array([(a, b) for first, second in combinations(variants, 2) for a in first for b in second], np.float64)
