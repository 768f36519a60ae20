"""The tissue pixels a stain fit is made on: sampled, turned into optical density, gated and counted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..blocks import Progress, sample_positions
from ..errors import DataError, OptionError
from ..light.additive import Additive
from ..light.beer_lambert import full_scale
from ..light.channels import largest_channel, least_channel
from ..light.white_point import glass_noise
from ..materials.stain_sets import StainSet
from ..nmf.threads import one_blas_thread
from ..options import Options
from ..sampling import sample_pixels
from .stain_gates import LARGEST_DENSITY, LEAST_DENSITY, gate_pixels

LEAST_PIXELS = 300

_CLIPPED_LEVEL = 6 / 255
_ABOUT_GREY_DEGREES, _ROUND, _LITTLE, _TINT = 2.0, 1.5, 0.2, 0.01
_FIRST_SAMPLE, _ENOUGH, _SECOND_SAMPLE = 1.5, 0.2, 6


@dataclass(frozen=True)
class Tissue:
    """Sampled pixels that passed the gates: densities (n, 3), flat positions (n,), and what the gates counted.

    `light_noise` is the standard deviation of light (3,) relative to white; None where it is not known. `width` is how
    many columns the picture has that the positions are in; 0 where they are of several.
    """

    density: np.ndarray
    positions: np.ndarray
    counts: dict[str, int]
    light_noise: np.ndarray | None = None
    width: int = 0


@one_blas_thread()  # products of three columns: more threads only spin
def tissue_pixels(
    image: xr.DataArray, rule: Additive, chosen: StainSet, options: Options, progress: Progress | None = None
) -> Tissue:
    """Sample the image, pass the sample through the gates, and sample more where too little is left."""
    if len(rule.good) != 3:
        raise OptionError(
            f'the stain fit needs 3 good bands (red, green, blue); the image has {len(rule.good)}. Use method="scene".'
        )
    n_pixels = image.sizes["y"] * image.sizes["x"]
    wanted = options.fit_pixels
    for n_sample in (int(_FIRST_SAMPLE * wanted), _SECOND_SAMPLE * wanted):
        values, positions = sample_pixels(image, n_sample, threads=options.threads, progress=progress)
        density, light = rule(values), values if len(rule.good) == rule.n_bands else values[:, rule.good]
        if progress is not None:
            progress("fit", 0, 1)
        kept, counts = gate_pixels(density, _clipped(light, rule), chosen.variant_vectors)
        if len(kept) >= _ENOUGH * wanted or n_sample >= n_pixels:
            break
    _refuse_grey(light, density, counts)
    counts = {"pixels_sampled": len(values), **counts}
    kept = kept[sample_positions(len(kept), wanted)] if len(kept) else kept
    tissue = density.take(kept, axis=0).astype(np.float64)
    np.maximum(tissue, 0.0, out=tissue)
    return Tissue(tissue, positions[kept], counts, _noise(light, rule), image.sizes["x"])


def pooled_tissue(tissues: Sequence[Tissue], n_pixels: int) -> Tissue:
    """Return the tissue of several slides as one, every slide with the same number of pixels where it has them."""
    share = -(-n_pixels // len(tissues))
    kept = [sample_positions(len(tissue.density), share) for tissue in tissues]
    counts: dict[str, int] = {}
    for tissue in tissues:
        for gate, n in tissue.counts.items():
            counts[gate] = counts.get(gate, 0) + n
    noises = [tissue.light_noise for tissue in tissues if tissue.light_noise is not None]
    return Tissue(
        np.concatenate([tissue.density[rows] for tissue, rows in zip(tissues, kept, strict=True)]),
        np.concatenate([tissue.positions[rows] for tissue, rows in zip(tissues, kept, strict=True)]),
        counts,
        np.sqrt(np.mean(np.square(noises), axis=0)) if len(noises) == len(tissues) else None,
    )


def _noise(values: np.ndarray, rule: Additive) -> np.ndarray | None:
    """Return the noise of recorded light as bare glass shows it; optical density says nothing about it."""
    if rule.quantity != "brightfield" or rule.white_point is None:
        return None
    return glass_noise(values, rule.white_point)


def _clipped(values: np.ndarray, rule: Additive) -> np.ndarray:
    """Return where a channel is darker than 6 of 255; recorded optical density has no such level."""
    if rule.quantity != "brightfield" or not len(values):
        return np.zeros(len(values), bool)
    full = full_scale(values) if values.dtype.kind in "ui" else max(1.0, float(values.max()))
    return least_channel(values) < _CLIPPED_LEVEL * full


def _refuse_grey(values: np.ndarray, density: np.ndarray, counts: dict[str, int]) -> None:
    """Refuse recorded values (n, 3) of which red, green and blue are equal, where there is something to see at all."""
    if counts["pixels_with_stain_density"] < LEAST_PIXELS:
        return
    low, high = least_channel(values), largest_channel(values)
    equal = bool(np.all(high - low <= 1e-6 * np.abs(high)))
    if equal or _differs_by_noise(density):
        how = "are equal in every pixel" if equal else "differ by noise"
        raise DataError(
            f"the image has no colour: red, green and blue {how}, so stains cannot be told apart. "
            "Give the colour image."
        )


def _differs_by_noise(density: np.ndarray) -> bool:
    """Return whether densities (n, 3) lie around grey and spread little and as far in every direction, or hardly."""
    from .stain_gate_kernel import sum_between

    mean = np.empty(3)
    n_dense = sum_between(density, LEAST_DENSITY, LARGEST_DENSITY, mean)
    if n_dense < LEAST_PIXELS:
        return False
    mean /= n_dense
    grey = np.full(3, 3**-0.5)
    if mean @ grey < np.cos(np.radians(_ABOUT_GREY_DEGREES)) * np.linalg.norm(mean):
        return False
    density = density.astype(np.float64)
    squared = np.einsum("ij,ij->i", density, density)
    dense = (squared > LEAST_DENSITY**2) & (squared < LARGEST_DENSITY**2)
    across = density.compress(dense, axis=0) @ np.linalg.svd(grey[None, :])[2][1:].T
    least, most = np.linalg.eigvalsh(across.T @ across / n_dense)
    spread = np.sqrt(most) / np.linalg.norm(mean)
    return bool(spread < _TINT or (spread < _LITTLE and most < _ROUND * least))
