"""The stain fit: from the pixels of a stained slide to the optical density direction of each named stain."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import xarray as xr

from ..blocks import Progress, sample_positions
from ..errors import OptionError, warn
from ..light.additive import Additive
from ..materials.stain_sets import StainSet, stain_set
from ..materials.stains import reference_vectors
from ..nmf.threads import one_blas_thread
from ..options import Options
from ..result import Endmembers
from .stain_findings import CORNERS_TOO_CLOSE_DEGREES, ONE_STAIN_DEGREES, StainFit, explanation, notes_of
from .stain_naming import angles_to_references, best_order, misfit, naming_margin, reversed_misfit
from .stain_noise import colour_scatter, density_noise, less_noise, noise_within_scatter, weights_at_scatter
from .stain_plane import Corners, find_corners, find_edges
from .stain_refine import Refined, refine_stain_vectors
from .stain_regions import MOVED_DEGREES, CornersOf, deciding_region
from .stain_tissue import LEAST_PIXELS, Tissue, tissue_pixels

DENSE_SHARE, DENSE_OF_PIXELS = 1 / 3, 30_000
PALE_ONLY_DEGREES, PALE_ONLY_RATIO = 18.0, 0.5
UNLIKE_REFERENCE_DEGREES = 30.0
NAMING_MARGIN_DEGREES = 3.0
REVERSED_MARGIN_DEGREES, REVERSED_RATIO = 3.0, 0.6
EXCHANGED, EXCHANGED_MARGIN_DEGREES = {"eosin": "dab", "dab": "eosin"}, 3.0
REFINED_PIXELS = 10_000


def find_stain_vectors(
    image: xr.DataArray,
    rule: Additive,
    stains: str | tuple[str, ...] | StainSet,
    options: Options,
    *,
    progress: Progress | None = None,
) -> Endmembers:
    """Find the optical density direction of each named stain on a slide.

    A fixed sample of pixels passes gates for background, clipping, density, colour and grey; the corners of the
    colours that remain are found robustly and refined under sparsity, held to the corners and, weakly, to the
    published vectors; each is named by assignment to the published vectors, never two to one.

    Parameters
    ----------
    image : DataArray, dims (y, x, band)
        Transmitted light or optical density; three good bands in the order red, green, blue.
    rule : Additive
        How recorded values become natural-log optical density; holds the white point.
    stains : StainSet, str or tuple of str
        Two or three stain names, or a stain set: its name, itself, its file (`unmix.materials.stain_sets`).
    options : Options
        `sparsity`, `anchor_weight`, `prior_weight`, `fit_pixels` and `threads` are used.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    Endmembers
        Unit-norm spectra in the order of `stains`, the nearest sampled pixel to each, and notes: `stain_flag` ('none'
        where there is no doubt), gate counts, hull width, smallest angle, angle to each reference, shares.

    Raises
    ------
    OptionError
        There are not three good bands, a stain is not known or named twice, or there are not two or three stains.
    DataError
        The image has no colour: red, green and blue are equal in every pixel.

    Warns
    -----
    UnmixWarning
        Too little tissue, or the colour of one stain only: published vectors stand in for what was not found. Or the
        vectors found may not belong to the stains named.

    Notes
    -----
    Plane and edges: Macenko et al., ISBI 2009, with weighted tails in the place of percentiles; gates after QuPath
    (Bankhead et al., Sci Rep 7:16878, 2017); sparse refinement: Vahadane et al., IEEE Trans Med Imaging 35, 2016.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix import Options, as_image
    >>> from unmix.fits.stains import find_stain_vectors
    >>> from unmix.light.additive import additive_rule
    >>> from unmix.materials.stains import reference_vectors
    >>> rng = np.random.default_rng(0)
    >>> amounts = rng.gamma(1.0, 0.4, (100, 100, 2))
    >>> rgb = np.rint(240 * np.exp(-amounts @ reference_vectors("H&E"))).astype("uint8")
    >>> image = as_image(rgb)
    >>> rule, _ = additive_rule(image, rgb.reshape(-1, 3), Options())
    >>> found = find_stain_vectors(image, rule, ("hematoxylin", "eosin"), Options())
    >>> found.names, found.notes["stain_flag"]
    (('hematoxylin', 'eosin'), 'none')
    """
    chosen = fittable(stains)
    tissue = tissue_pixels(image, rule, chosen, options, progress)
    fit = fit_tissue(tissue, chosen, options, progress)
    row, col = _nearest_pixels(fit, tissue, image.sizes["x"])
    return Endmembers(
        spectra=rule.widen(fit.vectors),
        names=chosen.stains,
        anchor_row=row,
        anchor_col=col,
        anchor_count=fit.counts,
        objective=fit.objective,
        notes=fit.notes,
    )


@one_blas_thread()  # products of three columns: more threads only spin
def fit_tissue(tissue: Tissue, chosen: StainSet, options: Options, progress: Progress | None = None) -> StainFit:
    """Fit the vectors of a stain set's stains to tissue pixels, of one slide or of several; warn where in doubt."""
    corners_of = _corner_finder(chosen.matrix, progress)
    fit = _fit(tissue.density, chosen.matrix, options, tissue.light_noise, corners_of)
    instead = _better_named(fit.vectors, chosen) if fit.flag == "none" else None
    if instead is not None:
        fit = replace(fit, flag="other stains likely", notes={**fit.notes, "instead": instead})
    fit = _doubted_where_a_part_decides(fit, tissue, corners_of)
    if fit.flag != "none":
        warn(explanation(fit, tissue, chosen))
    return replace(fit, notes=notes_of(fit, tissue, chosen))


def fittable(stains: str | tuple[str, ...] | StainSet) -> StainSet:
    """Return the stain set meant, of two or three stains; these can be told apart in red, green and blue."""
    chosen = stain_set(stains)
    if len(chosen.stains) not in (2, 3):
        listed = ", ".join(chosen.stains)
        raise OptionError(f"the stain fit separates 2 or 3 stains; {len(chosen.stains)} were named: {listed}.")
    return chosen


def _fit(
    density: np.ndarray,
    references: np.ndarray,
    options: Options,
    light_noise: np.ndarray | None,
    corners_of: CornersOf,
) -> StainFit:
    """Fit the vectors, or say with a flag why published ones stand in."""
    none = np.zeros(len(references), np.int64)
    if len(density) < LEAST_PIXELS:
        return StainFit(references, none, "too little tissue", {})
    corners = corners_of(density)
    if len(references) == 2:
        if corners.width_degrees < ONE_STAIN_DEGREES:
            return _one_stain(density, references, corners)
        refined = _refined(density, references, corners, options, light_noise, corners_of)
        return _doubted_where_pale(refined, density, references)
    if corners.width_degrees < CORNERS_TOO_CLOSE_DEGREES:
        return StainFit(references, none, "stains too close", {"hull_width_degrees": corners.width_degrees})
    return _refined(density, references, corners, options, light_noise, corners_of)


def _corner_finder(references: np.ndarray, progress: Progress | None) -> CornersOf:
    """Return what finds the corners of colours, in the order of the references; every search can be cancelled."""

    def corners_of(density: np.ndarray) -> Corners:
        if progress is not None:
            progress("fit", 0, 1)
        if len(references) == 2:
            return find_edges(density, references)
        corners = find_corners(density)
        order = best_order(corners.vectors, references)
        return replace(corners, vectors=corners.vectors[order], counts=corners.counts[order])

    return corners_of


def _refined(
    density: np.ndarray,
    references: np.ndarray,
    corners: Corners,
    options: Options,
    noise: np.ndarray | None,
    corners_of: CornersOf,
) -> StainFit:
    pixels = _strided(density, corners)
    scatter = colour_scatter(pixels, corners.vectors)
    light_noise = noise_within_scatter(pixels, noise, scatter)
    unexplained = np.sqrt(max(scatter**2 - density_noise(pixels, light_noise) ** 2, 0.0))
    sparsity, anchor_weight = weights_at_scatter(float(unexplained), options.sparsity, options.anchor_weight)

    def refine(pixels: np.ndarray, anchors: np.ndarray) -> Refined:
        return refine_stain_vectors(
            pixels,
            anchors,
            references,
            sparsity=sparsity,
            anchor_weight=anchor_weight,
            prior_weight=options.prior_weight,
        )

    def again(noisier: np.ndarray) -> np.ndarray:
        corners = corners_of(noisier)
        return refine(_strided(noisier, corners), corners.vectors).vectors

    refined = refine(pixels, corners.vectors)
    vectors = less_noise(again, density, refined.vectors, light_noise) if light_noise.any() else refined.vectors
    order = best_order(vectors, references)
    notes = {
        "hull_width_degrees": corners.width_degrees,
        "off_plane": corners.n_off_plane,
        "colour_scatter": scatter,
        "light_noise": light_noise,
        "sparsity_used": sparsity,
        "anchor_weight_used": anchor_weight,
        "shares": refined.shares[order],
        "stop_reason": refined.stop_reason,
        "refinement_iterations": len(refined.objective),
    }
    vectors = vectors[order]
    return StainFit(vectors, corners.counts[order], _doubt(vectors, references), notes, refined.objective)


def _strided(density: np.ndarray, corners: Corners) -> np.ndarray:
    """Return the pixels of the plane that the refinement looks at."""
    inside = np.flatnonzero(corners.kept)
    return density[inside[sample_positions(len(inside), REFINED_PIXELS)]]


def _doubted_where_pale(fit: StainFit, density: np.ndarray, references: np.ndarray) -> StainFit:
    """Flag two stains of which one is seen in pale tissue only, where any tint of the glass looks like a stain."""
    few = density.take(sample_positions(len(density), DENSE_OF_PIXELS), axis=0)
    norm = np.linalg.norm(few, axis=1)
    dense = few.compress(norm >= np.quantile(norm, 1 - DENSE_SHARE), axis=0)
    width = find_edges(dense, references).width_degrees
    notes = {**fit.notes, "dense_width_degrees": width}
    if fit.flag != "none" or width >= min(PALE_ONLY_DEGREES, PALE_ONLY_RATIO * fit.notes["hull_width_degrees"]):
        return replace(fit, notes=notes)
    present = int(np.argmax(fit.vectors @ dense.mean(axis=0)))
    return replace(fit, flag="one stain likely", notes=notes | {"present": present})


def _doubted_where_a_part_decides(fit: StainFit, tissue: Tissue, corners_of: CornersOf) -> StainFit:
    """Flag vectors that hang on a quarter of the picture; of pixels of several pictures nothing is said."""
    if fit.flag != "none" or not tissue.width:
        return fit
    narrowest = ONE_STAIN_DEGREES if len(fit.vectors) == 2 else CORNERS_TOO_CLOSE_DEGREES
    region = deciding_region(tissue.density, tissue.positions, tissue.width, corners_of, narrowest)
    if region is None:
        return fit
    flag = "one part decides" if region.moved > MOVED_DEGREES else "none"
    return replace(fit, flag=flag, notes={**fit.notes, "part_moved_degrees": region.moved, "part": region.where})


def _doubt(vectors: np.ndarray, references: np.ndarray) -> str:
    """Return the flag of vectors that were fitted and may yet not be what their names say, or 'none'."""
    as_read, turned = misfit(vectors, references), reversed_misfit(vectors, references)
    if turned < min(as_read - REVERSED_MARGIN_DEGREES, REVERSED_RATIO * as_read):
        return "channels reversed"
    if angles_to_references(vectors, references).max() > UNLIKE_REFERENCE_DEGREES:
        return "unlike reference"
    if naming_margin(vectors, references) < NAMING_MARGIN_DEGREES:
        return "naming uncertain"
    return "none"


def _better_named(vectors: np.ndarray, chosen: StainSet) -> tuple[str, ...] | None:
    """Return hematoxylin and DAB for hematoxylin and eosin, or the reverse, where the vectors fit those better."""
    names = tuple(EXCHANGED.get(name, name) for name in chosen.stains)
    if len(names) != 2 or names == chosen.stains or set(chosen.stains) == set(EXCHANGED):
        return None
    if not np.allclose(chosen.matrix, reference_vectors(chosen.stains)):
        return None  # a laboratory's own vectors say what its stains look like
    references = reference_vectors(names)
    off = misfit(vectors[best_order(vectors, references)], references)
    return names if off < misfit(vectors, chosen.matrix) - EXCHANGED_MARGIN_DEGREES else None


def _one_stain(density: np.ndarray, references: np.ndarray, corners: Corners) -> StainFit:
    """Give the mean direction to the reference nearest to it; the other stain keeps its published vector."""
    inside = density[corners.kept]
    norm = np.linalg.norm(inside, axis=1)
    mean = np.minimum(norm, 1.0) @ (inside / norm[:, None])
    mean /= np.linalg.norm(mean)
    present = int(np.argmax(references @ mean))
    vectors = references.copy()
    vectors[present] = mean
    counts = np.zeros(len(references), np.int64)
    counts[present] = len(inside)
    notes = {"hull_width_degrees": corners.width_degrees, "off_plane": corners.n_off_plane, "present": present}
    return StainFit(vectors, counts, "one stain", notes)


def _nearest_pixels(fit: StainFit, tissue: Tissue, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Return row and column of the sampled pixel nearest in direction to each fitted vector, -1 for published ones."""
    row = np.full(len(fit.vectors), -1, np.int64)
    col = row.copy()
    if len(tissue.density):
        lengths = np.sqrt(np.einsum("ij,ij->i", tissue.density, tissue.density))
        for k in np.flatnonzero(fit.counts):
            cosine = tissue.density @ fit.vectors[k] / lengths
            row[k], col[k] = divmod(int(tissue.positions[np.argmax(cosine)]), width)
    return row, col
