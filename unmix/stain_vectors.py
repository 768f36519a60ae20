"""Stain vectors from more, or from less, than one slide: a cohort, a region drawn by hand, a single-stain control."""

from __future__ import annotations

import warnings
from collections.abc import Iterable
from typing import Any

import numpy as np
import xarray as xr

from .blocks import Progress
from .errors import OptionError, UnmixWarning, warn
from .fits.stain_naming import angles_to_references
from .fits.stain_patches import single_stain_vector
from .fits.stain_tissue import LEAST_PIXELS, Tissue, pooled_tissue, tissue_pixels
from .fits.stains import fit_tissue, fittable
from .light.pixels import require_valid, with_mask
from .options import Options
from .prepare import Prepared, as_brightfield, open_image, prepare
from .result import Endmembers, make_endmember_set
from .sampling import sample_pixels

PATCH_PIXELS = 200_000
STANDS_OUT_DEGREES = 10.0


def cohort_stain_matrix(
    images: Iterable[Any],
    stains: Any = ("hematoxylin", "eosin"),
    *,
    progress: Progress | None = None,
    **options: Any,
) -> xr.Dataset:
    """Fit one stain matrix to many slides, so that their concentrations can be compared.

    Every slide is turned into optical density by its own white point and gives the same number of tissue pixels.

    Parameters
    ----------
    images : iterable of DataArray, array_like or path
        Slides of one staining and one scanner, opened one after the other.
    stains : sequence of str, str or StainSet
        As in `unmix.separate_stains`.
    progress : callable, optional
        Called as ``progress("cohort", done, total)``.
    **options
        As in `unmix.separate_stains`.

    Returns
    -------
    xarray.Dataset
        ``endmembers`` (endmember, band): give the Dataset to ``separate_stains(..., stain_matrix=)``. ``slide_angle``
        (slide, endmember): how many degrees the slide's own fit is off, NaN where it has none. ``slide_pixels``
        (slide): tissue pixels it gave. ``slide_flag`` (slide): the flag of its own fit.

    Raises
    ------
    OptionError
        There is no slide.
    OptionError, DataError, ReadError
        As from `unmix.separate_stains`, for any of the slides.

    Warns
    -----
    UnmixWarning
        Slides have too little tissue and do not count; a slide's own fit is 10 degrees or more off; or the pooled fit
        is in doubt.

    Examples
    --------
    >>> from unmix.stain_vectors import cohort_stain_matrix
    >>> from unmix.synthetic import stained_slide
    >>> slides = [stained_slide(seed, shape=(128, 128)).image for seed in (1, 2)]
    >>> cohort_stain_matrix(slides)["slide_angle"].shape
    (2, 2)
    """
    chosen = fittable(stains)
    given = Options.from_keywords({"method": "stains", **options})
    sources = list(images)
    if not sources:
        raise OptionError("a cohort needs at least one slide; none was given.")
    tissues, vectors, flags, names = [], [], [], []
    first: xr.DataArray | None = None
    for k, source in enumerate(sources):
        prepared = _prepared(source, given, 3)
        first = prepared.image if first is None else first
        tissue = tissue_pixels(prepared.image, prepared.rule, chosen, given)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UnmixWarning)
            own = fit_tissue(tissue, chosen, given)
        tissues.append(tissue)
        vectors.append(own.vectors if own.flag != "too little tissue" else np.full_like(own.vectors, np.nan))
        flags.append(own.flag)
        names.append(str(prepared.image.attrs.get("name", f"slide {k + 1}")))
        if progress is not None:
            progress("cohort", k + 1, len(sources))
    assert first is not None
    _say_which_are_empty(names, flags)
    pooled = pooled_tissue([t for t in tissues if len(t.density) >= LEAST_PIXELS] or tissues, given.fit_pixels)
    fit = fit_tissue(pooled, chosen, given)
    found = Endmembers(
        fit.vectors, chosen.stains, anchor_count=fit.counts, objective=fit.objective, notes=dict(fit.notes)
    )
    angles = np.array([angles_to_references(own, fit.vectors) for own in vectors])
    _say_which_stand_out(names, angles)
    return _with_slides(make_endmember_set(first, found), names, flags, tissues, angles)


def measure_stain(
    image: Any,
    *,
    mask: Any = None,
    white_point: Iterable[float] | None = None,
    **options: Any,
) -> np.ndarray:
    """Measure the vector of one stain on a region that holds it alone, or on a single-stain control slide.

    Parameters
    ----------
    image : DataArray, array_like of shape (y, x, band), or path
        Transmitted light or optical density, in any number of channels.
    mask : array_like of bool, shape (y, x), optional
        The region, True or non-zero inside; the whole image when not given. The white point is taken from the whole
        image, because a region drawn in tissue holds no bare glass.
    white_point : sequence of float, optional
        Light of each channel where there is no stain; estimated when not given.
    **options
        As in `unmix.separate_stains`.

    Returns
    -------
    ndarray, shape (n_bands,)
        Optical density direction, unit norm; a row of ``stain_matrix=``, or for
        `unmix.materials.stain_sets.measured_stain_set`.

    Raises
    ------
    DataError
        Fewer than 30 pixels of the region carry enough stain.
    OptionError
        The mask does not fit the image, or keeps no pixel.

    Warns
    -----
    UnmixWarning
        The region holds several colours.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.stain_vectors import measure_stain
    >>> rgb = np.full((20, 20, 3), 240, "uint8")
    >>> rgb[5:15, 5:15] = np.rint(240 * np.exp(-0.8 * np.array([0.27, 0.57, 0.78])))
    >>> measure_stain(rgb, mask=rgb[..., 2] < 200).round(2)
    array([0.27, 0.57, 0.78])
    """
    given = Options.from_keywords({"white_point": white_point, **options})
    prepared = _prepared(image, given)
    patch = with_mask(prepared.image, mask)
    values, _ = sample_pixels(patch, PATCH_PIXELS, threads=given.threads)
    require_valid(len(values), patch)
    vector = single_stain_vector(prepared.rule(values))
    return prepared.rule.widen(vector[None])[0]


def _prepared(source: Any, options: Options, n_bands: int | None = None) -> Prepared:
    """Open a source as transmitted light of `n_bands` channels, or of as many as it has."""
    image = open_image(source, options)
    return prepare(as_brightfield(image, n_bands or image.sizes["band"]), None, options, None)


def _say_which_are_empty(names: list[str], flags: list[str]) -> None:
    empty = [name for name, flag in zip(names, flags, strict=True) if flag == "too little tissue"]
    if empty and len(empty) < len(names):
        listed = ", ".join(empty[:5]) + (", ..." if len(empty) > 5 else "")
        warn(f"{len(empty)} of {len(names)} slides have too little tissue and do not count: {listed}.")


def _say_which_stand_out(names: list[str], angles: np.ndarray) -> None:
    off = np.nan_to_num(angles).max(axis=1)
    odd = [f"{names[k]} ({off[k]:.0f})" for k in np.argsort(-off) if off[k] >= STANDS_OUT_DEGREES]
    if odd:
        listed = ", ".join(odd[:5]) + (", ..." if len(odd) > 5 else "")
        warn(
            f"the own vectors of {len(odd)} of {len(names)} slides are {STANDS_OUT_DEGREES:g} degrees or more from the "
            f"cohort's: {listed}. Look at them, or leave them out."
        )


def _with_slides(
    matrix: xr.Dataset, names: list[str], flags: list[str], tissues: list[Tissue], angles: np.ndarray
) -> xr.Dataset:
    """Put beside the cohort's matrix how far each slide's own fit is from it."""
    about = {"long_name": "angle between the slide's own vector and the cohort's", "units": "degrees"}
    matrix = matrix.assign_coords(slide=np.array(names, dtype=np.str_))
    matrix["slide_angle"] = (("slide", "endmember"), angles, about)
    matrix["slide_pixels"] = ("slide", np.array([len(tissue.density) for tissue in tissues], np.int64))
    matrix["slide_flag"] = ("slide", np.array(flags, dtype=np.str_))
    return matrix
