"""The lambda-stack fit: from photon counts over many bands to the emission spectrum of each dye."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import xarray as xr

from ..blocks import Progress, sample_positions
from ..errors import DataError, OptionError, warn
from ..light.additive import Additive
from ..nmf.anchors import grow_volume, smoothed_successive_projection
from ..nmf.subspace import signal_subspace
from ..nmf.threads import one_blas_thread
from ..options import Options
from ..result import Endmembers
from .lambda_poisson import Merged, factorise_counts, merge_components
from .lambda_windows import block_sums, load_windows, window_mean

OFFSET_PERCENTILE = 1.0
AVERAGED = 7
SUMMED = 3
BRIGHT_SHARE = 0.40
DIM_SHARE = 0.25
VERTEX_SHARE = 0.005
MAX_SWEEPS = 6
FACTORISED_PIXELS = 20_000
DOUBTFUL_MERGE = 0.60
DOUBTFUL_GAP = 0.01


@dataclass(frozen=True)
class Emission:
    """Bright averaged pixels: counts without offset (n, bands) and flat positions (n,)."""

    counts: np.ndarray
    positions: np.ndarray


@dataclass(frozen=True)
class Dyes:
    """Dyes after merging, the divergence by iteration, and the number of pixels behind each anchor."""

    merged: Merged
    objective: np.ndarray
    anchor_pixels: int


@one_blas_thread()  # narrow products: more threads only spin
def find_dye_spectra(
    image: xr.DataArray,
    rule: Additive,
    n_endmembers: int,
    options: Options,
    *,
    progress: Progress | None = None,
) -> Endmembers:
    """Find the emission spectra of the dyes of a lambda stack.

    Anchors are sought on averaged pixels, in coordinates where photon noise is even, and more of them than there are
    dyes; a Poisson factorisation starts from those, and the components that are fragments of one dye are merged.

    Parameters
    ----------
    image : DataArray, dims (y, x, band)
        Photon or detector counts.
    rule : Additive
        Which bands are good, and the background the user subtracts.
    n_endmembers : int
        Number of dyes, at most the number of good bands.
    options : Options
        `extra_anchors` (at most; fewer are taken where merging them would hide a dye) and `threads` are used.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    Endmembers
        Spectra that sum to one over the good bands, in the order of their peaks; the nearest averaged pixel to each;
        the divergence by iteration; notes: the offset found in each band, merge similarities, shares, smallest angle.

    Raises
    ------
    OptionError
        There are more dyes than good bands.
    DataError
        There is no signal above the offset, too few pixels, or fewer distinct spectra than dyes.

    Warns
    -----
    UnmixWarning
        The merging that led to `n_endmembers` dyes was a near thing, or two of them look like fragments of one.

    Notes
    -----
    Smoothed successive projection: Nadisic, Gillis and Kervazo, arXiv 2110.05528; updates: Lee and Seung, NIPS 2000.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix import Options, as_image
    >>> from unmix.fits.lambda_stack import find_dye_spectra
    >>> from unmix.light.additive import additive_rule
    >>> band = np.arange(12)
    >>> dyes = np.exp(-0.5 * ((band - np.array([[3], [8]])) / 1.5) ** 2)
    >>> amounts = np.random.default_rng(0).gamma(0.3, 60, (8, 8, 2)).repeat(8, axis=0).repeat(8, axis=1)
    >>> stack = np.random.default_rng(1).poisson(amounts @ dyes).astype("uint16")
    >>> image = as_image(stack, quantity="counts")
    >>> rule, _ = additive_rule(image, stack.reshape(-1, 12), Options())
    >>> found = find_dye_spectra(image, rule, 2, Options(extra_anchors=0))
    >>> found.names, found.spectra.argmax(axis=1)
    (('dye 1', 'dye 2'), array([3, 8]))
    """
    _check_number(n_endmembers, rule)
    values, valid, positions = load_windows(image, rule, threads=options.threads, progress=progress)
    if not valid.any():
        raise DataError("the image has no valid pixel: every pixel is masked, no-data or not finite in a good band.")
    offset = dark_level(values, valid)
    counts = np.where(valid[..., None], np.maximum(values - offset, np.float32(0)), np.float32(0))
    bright = _bright_pixels(counts, valid, positions, offset)
    dyes = _separate(bright.counts, _summed_pixels(counts), n_endmembers, options.extra_anchors)
    _warn_where_doubtful(dyes.merged, n_endmembers)
    return _endmembers(image, rule, dyes, bright, offset)


def _separate(bright: np.ndarray, summed: np.ndarray, r: int, extra_anchors: int) -> Dyes:
    """Factorise from too many anchors and merge to r; where a merger is doubtful, from one anchor fewer.

    Fragments of one dye are alike by more than 0.6, two dyes by less: a merger below that would hide a dye.
    """
    for extra in range(extra_anchors, -1, -1):
        try:
            starts, p = _starting_spectra(bright, r, extra)
        except DataError:
            if extra == 0:
                raise
            continue
        factors = factorise_counts(summed, starts)
        merged = merge_components(factors.maps, factors.spectra, r)
        if min(merged.accepted, default=1.0) >= DOUBTFUL_MERGE:
            break
    return Dyes(merged, factors.objective, p)


def _check_number(n_endmembers: int, rule: Additive) -> None:
    n_bands = len(rule.good)
    if n_endmembers < 1 or n_endmembers > n_bands:
        raise OptionError(
            f"n_endmembers={n_endmembers} is outside 1 to {n_bands}, the number of good bands. Use at most {n_bands}."
        )


def dark_level(values: np.ndarray, valid: np.ndarray) -> np.ndarray:
    """Return the dark level of each band: a low percentile of the averaged stack, which read noise does not lower."""
    averaged = window_mean(values, valid, AVERAGED)[valid]
    return np.percentile(averaged, OFFSET_PERCENTILE, axis=0).astype(np.float32)


def _bright_pixels(counts: np.ndarray, valid: np.ndarray, positions: np.ndarray, offset: np.ndarray) -> Emission:
    """Return the brightest averaged pixels; what is left of the offset by rounding is no emission."""
    averaged = window_mean(counts, valid, AVERAGED)[valid].astype(np.float64)
    total = averaged.sum(axis=1)
    lit = total > 1e-5 * float(np.abs(offset).sum())
    if not lit.any():
        raise DataError("no pixel is brighter than the offset: there is no emission to unmix.")
    bright = lit & (total >= np.quantile(total, 1 - BRIGHT_SHARE))
    return Emission(averaged[bright], positions[valid][bright])


def _starting_spectra(counts: np.ndarray, r: int, extra: int) -> tuple[np.ndarray, int]:
    """Return up to r + extra anchor spectra (k, bands), rows sum to one, and the number of pixels behind each."""
    total = counts.sum(axis=1)
    normalised = counts / total[:, None]
    scaled = normalised / np.sqrt(np.maximum(normalised.mean(axis=0), 1e-12))
    subspace = signal_subspace(scaled)
    k = min(r + extra, subspace.rank + 1, len(counts))
    if k < r:
        raise DataError(f"the stack has {k} distinct spectra, {r} dyes were asked for. Ask for at most {k}.")
    p = max(1, min(len(counts) // k, round(VERTEX_SHARE * len(counts))))
    members = [np.arange(len(counts))]
    if k > 1:
        whiten, centre = subspace.lift(k)
        lifted = np.column_stack([scaled @ whiten.T - centre, np.ones(len(scaled))])
        vertices, members = smoothed_successive_projection(lifted, k, p)
        _, members = grow_volume(lifted, vertices, members, p, sweeps=MAX_SWEEPS)
    spectra = np.array([counts[rows].sum(axis=0) for rows in members])
    return spectra / spectra.sum(axis=1, keepdims=True), p


def _summed_pixels(counts: np.ndarray) -> np.ndarray:
    """Return counts summed over 3 x 3 pixels without the dimmest quarter, at most 20,000 evenly spread."""
    summed = block_sums(counts, SUMMED).astype(np.float64)
    total = summed.sum(axis=1)
    summed = summed[(total > 0) & (total >= np.quantile(total, DIM_SHARE))]
    return summed[sample_positions(len(summed), FACTORISED_PIXELS)]


def _warn_where_doubtful(merged: Merged, r: int) -> None:
    """Say so where fragments of one dye and different dyes could not be told apart."""
    if merged.refused is None:
        return
    message = ""
    if merged.accepted and merged.accepted[-1] - merged.refused < DOUBTFUL_GAP:
        message = (
            f"to reach {r} dyes, two components alike by {merged.accepted[-1]:.2f} (of 1) were joined and two alike by "
            f"{merged.refused:.2f} were not: a near thing. Compare n_endmembers={r - 1} and {r + 1}."
        )
    elif not merged.accepted and merged.refused >= DOUBTFUL_MERGE:
        message = (
            f"two of the {r} dyes are alike by {merged.refused:.2f} (of 1), as fragments of one dye are. "
            f"Compare n_endmembers={r - 1} and other extra_anchors=."
        )
    if message:
        warn(message)


def _endmembers(
    image: xr.DataArray,
    rule: Additive,
    dyes: Dyes,
    bright: Emission,
    offset: np.ndarray,
) -> Endmembers:
    """Put the dyes in the order of their peaks, with the pixels nearest to them and the facts of the fit."""
    merged = dyes.merged
    band = np.arange(merged.spectra.shape[1])
    order = np.lexsort((merged.spectra @ band, _peak(image, rule, merged.spectra)))
    spectra = merged.spectra[order]
    unit = bright.counts / np.linalg.norm(bright.counts, axis=1, keepdims=True)
    nearest = bright.positions[np.argmax(unit @ spectra.T, axis=0)]
    photons = merged.maps.sum(axis=0)[order]
    cosine = spectra @ spectra.T / np.outer(*[np.linalg.norm(spectra, axis=1)] * 2)
    upper = cosine[np.triu_indices(len(spectra), 1)]
    return Endmembers(
        spectra=rule.widen(spectra),
        names=tuple(f"dye {k + 1}" for k in range(len(spectra))),
        anchor_row=nearest // image.sizes["x"],
        anchor_col=nearest % image.sizes["x"],
        anchor_count=np.array([dyes.anchor_pixels * len(merged.parts[k]) for k in order]),
        objective=dyes.objective,
        notes={
            "offset_by_band": offset,
            "pixels_fitted": len(merged.maps),
            "bright_pixels": len(bright.positions),
            "components_merged": len(merged.accepted),
            "merge_similarity_last_accepted": merged.accepted[-1] if merged.accepted else None,
            "merge_similarity_next": merged.refused,
            "shares": photons / photons.sum(),
            "smallest_angle": float(np.degrees(np.arccos(min(1.0, upper.max())))) if len(upper) else None,
            "stop_reason": "early stop by design",
        },
    )


def _peak(image: xr.DataArray, rule: Additive, spectra: np.ndarray) -> np.ndarray:
    """Return the wavelength of each spectrum's peak, or its band where wavelengths are not known."""
    peak = rule.good[spectra.argmax(axis=1)]
    wavelength = image.coords["wavelength"].values if "wavelength" in image.coords else None
    if wavelength is None or not np.isfinite(wavelength[rule.good]).all():
        return peak
    return wavelength[peak]
