"""One nucleus: an oval with a rim, clumped chromatin and perhaps a nucleolus."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .fields import smooth_step

_EDGE = 0.55


@dataclass(frozen=True)
class Nucleus:
    """Place, size and stain of a nucleus.

    Parameters
    ----------
    y, x : float
        Centre, pixels.
    long, short : float
        Half axes, pixels.
    angle : float
        Direction of the long axis, radians from the x axis towards y.
    density : float
        Uptake of the nuclear dye.
    nucleoli : int
        Number of nucleoli.
    markable : float
        How readily it carries the marker, 0 to 1.
    """

    y: float
    x: float
    long: float
    short: float
    angle: float
    density: float
    nucleoli: int
    markable: float


def draw_nucleus(
    chromatin: np.ndarray,
    marker: np.ndarray,
    nucleus: Nucleus,
    texture: np.ndarray,
    *,
    positive: bool,
    rng: np.random.Generator,
) -> None:
    """Draw a nucleus on the canvases (y, x) in place; a positive one carries the marker over its chromatin."""
    wobble = [(2, rng.uniform(0, 0.09), rng.uniform(0, 6.28)), (3, rng.uniform(0, 0.06), rng.uniform(0, 6.28))]
    spots = rng.uniform(-0.45, 0.45, (nucleus.nucleoli, 2)) * (nucleus.long, nucleus.short)
    strength = rng.uniform(0.45, 1.25)
    reach = 1.25 * nucleus.long + 3
    rows = slice(int(max(0, nucleus.y - reach)), int(max(0, nucleus.y + reach + 1)))
    columns = slice(int(max(0, nucleus.x - reach)), int(max(0, nucleus.x + reach + 1)))
    if chromatin[rows, columns].size == 0:
        return
    height, width = chromatin[rows, columns].shape
    dy = np.arange(height)[:, None] + rows.start - nucleus.y
    dx = np.arange(width)[None, :] + columns.start - nucleus.x
    u = dx * np.cos(nucleus.angle) + dy * np.sin(nucleus.angle)
    v = dy * np.cos(nucleus.angle) - dx * np.sin(nucleus.angle)
    around = np.arctan2(v / nucleus.short, u / nucleus.long)
    radius = np.hypot(u / nucleus.long, v / nucleus.short)
    radius = radius / (1 + sum(size * np.cos(k * around + phase) for k, size, phase in wobble))
    cover = smooth_step((1 - radius) * nucleus.short / _EDGE)
    clumps = 0.80 + 0.20 * np.exp(-0.5 * ((radius - 0.88) / 0.13) ** 2) + 0.15 * texture[rows, columns]
    for cu, cv in spots:
        clumps = clumps + 0.35 * np.exp(-0.5 * (np.hypot(u - cu, v - cv) / 1.2) ** 2)
    drawn = cover * nucleus.density * np.clip(clumps, 0.25, None)
    np.maximum(chromatin[rows, columns], drawn, out=chromatin[rows, columns])
    if positive:
        brown = cover * strength * np.clip(0.9 + 0.14 * texture[rows, columns], 0.3, None)
        np.maximum(marker[rows, columns], brown, out=marker[rows, columns])
