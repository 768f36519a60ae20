"""The pipeline on one page: prepare, find the endmembers, map the abundances, assemble.

read -> image (y, x, band) -> valid pixels, good bands, additive values
     -> signal subspace -> anchors -> refinement -> endmembers E
     -> abundances, block by block -> result -> files | report | napari layers
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import xarray as xr

from .abundance_maps import OnBlock, SolvedBlocks, solve_blocks
from .best_subsets import solve_best_subsets, with_models
from .blocks import Progress
from .endmembers import fit_endmembers, given_endmembers
from .errors import OptionError
from .fits.stain_given import given_stain_vectors, stain_rows
from .fits.stains import find_stain_vectors
from .ground_grid import with_ground_grid
from .materials.stain_sets import StainSet, stain_set
from .metrics import spectral_angle
from .nmf.threads import at_most_threads, one_blas_thread
from .options import Options
from .prepare import Prepared, as_brightfield, open_image, prepare
from .provenance import Journal, provenance
from .readers.ground import ground_grid_of
from .result import Endmembers, make_endmember_set, make_result
from .slides.mapping import map_slide
from .uncertainty import bootstrap, warn_of_doubts, with_uncertainty
from .writers import check_out, plan_slide, write


def unmix(
    image: Any,
    n_endmembers: int | None = None,
    *,
    endmembers: Any = None,
    quantity: str | None = None,
    method: str | None = None,
    mask: Any = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_block: OnBlock | None = None,
    **options: Any,
) -> xr.Dataset:
    """Find which pure spectra are mixed in an image, and how much of each is in every pixel.

    Parameters
    ----------
    image : DataArray, array_like of shape (y, x, band), or path
        What to unmix.
    n_endmembers : int, optional
        How many endmembers to find; what `estimate_rank` suggests, aloud, when not given.
    endmembers : SpectralLibrary, Dataset, DataArray or array_like, shape (k, band), optional
        Known endmembers, in additive values; they are used as they are (supervised unmixing). With an `n_endmembers`
        larger than k, the others are found beside them.
    quantity : str, optional
        What the numbers are, one of `unmix.image.QUANTITIES`. From the file or guessed, aloud, when not given.
    method : {'scene', 'stains', 'lambda'}, optional
        Which fit finds the endmembers; follows from the quantity when not given.
    mask : array_like of bool, shape (y, x), optional
        Pixels to use.
    out : path, optional
        File or folder the result is also written to. Maps then go block by block to that disk and are lazy in what is
        returned; without it they do so only where they exceed ``memory=``, and that is said.
    progress : callable, optional
        Called as ``progress(stage, done, total)``; raise `unmix.errors.Cancelled` from it to stop.
    on_block : callable, optional
        Called as ``on_block(result, rows, columns)``, two slices, when a window of the maps is finished, by the thread
        that solved it and so by several at once; first with an empty window, when the endmembers are known. The maps
        in it fill up and are those that will be returned. Raise `unmix.errors.Cancelled` from it to stop.
    **options
        The knobs of `unmix.Options`: ``constraint=``, ``bands=``, ``exclude=``, ``scale=`` and so on.

    Returns
    -------
    xarray.Dataset
        ``abundances`` (endmember, y, x), ``endmembers`` (endmember, band), ``residual`` (y, x) and, with the
        ``shade`` constraint, ``brightness`` (y, x; at most one); see `unmix.result`.

    Raises
    ------
    OptionError, DataError, ReadError, WriteError
        Each an `unmix.errors.UnmixError` with one line that names the way out.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> E = np.array([[1.0, 0.2, 0.1, 0.5], [0.1, 0.9, 0.3, 0.2]])
    >>> A = np.random.default_rng(0).dirichlet([0.3, 0.3], size=(20, 20))
    >>> A[0, 0], A[0, 1] = (1, 0), (0, 1)
    >>> result = unmix.unmix(A @ E, 2, quantity="reflectance")
    >>> bool(np.allclose(result["endmembers"].values.sum(axis=1), E.sum(axis=1)))
    True
    """
    chosen = Options.from_keywords({"quantity": quantity, "method": method, **options})

    def find(prepared: Prepared) -> Endmembers:
        if endmembers is not None:
            return given_endmembers(prepared, endmembers, n_endmembers)
        return fit_endmembers(prepared, n_endmembers, progress)

    return _run(image, mask, chosen, find, out, progress, on_block)


def separate_stains(
    image: Any,
    stains: Sequence[str] | StainSet = ("hematoxylin", "eosin"),
    *,
    stain_matrix: Any = None,
    white_point: Sequence[float] | None = None,
    mask: Any = None,
    out: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    on_block: OnBlock | None = None,
    **options: Any,
) -> xr.Dataset:
    """Separate the stains of a brightfield image.

    Parameters
    ----------
    image : DataArray, array_like of shape (y, x, 3), or path
        Transmitted light (8- or 16-bit or float), or an image whose quantity is ``optical_density``. With
        `stain_matrix`, any number of channels.
    stains : sequence of str, str or StainSet
        Two or three stain names, or a stain set: its name, its JSON file, QuPath's text (`unmix.materials.stain_sets`).
    stain_matrix : array_like of shape (n_stains, n_bands), Dataset or StainSet, optional
        Known stain vectors (optical density), used as they are, scaled to unit length.
    white_point : sequence of float, optional
        Light of each channel where there is no stain; estimated when not given.
    mask, out, progress, on_block, **options
        As in `unmix.unmix`.

    Returns
    -------
    xarray.Dataset
        As from `unmix.unmix`; ``abundances`` are concentrations, ``endmembers`` the unit-norm stain matrix in the
        order of `stains`.

    Raises
    ------
    OptionError, DataError, ReadError, WriteError
        Each an `unmix.errors.UnmixError`.

    References
    ----------
    Ruifrok and Johnston 2001, Anal. Quant. Cytol. Histol. 23(4), 291-299.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> H, eosin = np.array([0.65, 0.70, 0.29]), np.array([0.07, 0.99, 0.11])
    >>> C = np.random.default_rng(0).gamma(1.0, 0.5, (64, 64, 2))
    >>> rgb = np.rint(255 * np.exp(-C @ np.array([H, eosin]))).astype("uint8")
    >>> result = unmix.separate_stains(rgb, stain_matrix=[H, eosin], white_point=(255, 255, 255))
    >>> result["abundances"].dims
    ('endmember', 'y', 'x')
    """
    members = stain_set(stains)
    chosen = Options.from_keywords({"method": "stains", "white_point": white_point, **options})
    n_bands = 3 if stain_matrix is None else stain_rows(stain_matrix, members.stains).shape[1]
    opened = as_brightfield(open_image(image, chosen), n_bands)

    def fit(prepared: Prepared) -> Endmembers:
        if stain_matrix is not None:
            return given_stain_vectors(prepared.rule, members, stain_matrix)
        judged = prepared.to_fit().image
        found = find_stain_vectors(judged, prepared.rule, members, prepared.options, progress=progress)
        return prepared.placed(found)

    with one_blas_thread():  # products of three columns: more threads only spin
        return _run(opened, mask, chosen, fit, out, progress, on_block)


def find_endmembers(
    image: Any, n_endmembers: int | None = None, *, mask: Any = None, progress: Progress | None = None, **options: Any
) -> xr.Dataset:
    """Find the endmembers of an image; the first half of `unmix.unmix`.

    Parameters
    ----------
    image, n_endmembers, mask, progress, **options
        As in `unmix.unmix`.

    Returns
    -------
    xarray.Dataset
        ``endmembers`` (endmember, band), ``anchor_row``, ``anchor_col`` and ``anchor_count`` (endmember).

    Examples
    --------
    >>> import numpy as np, unmix
    >>> cube = np.random.default_rng(0).dirichlet([0.2] * 3, (30, 30)) @ (np.eye(3, 8) + 0.1)
    >>> unmix.find_endmembers(cube, 3, quantity="reflectance")["endmembers"].shape
    (3, 8)
    """
    chosen = Options.from_keywords(options)
    prepared = prepare(open_image(image, chosen), mask, chosen, progress)
    return make_endmember_set(prepared.image, fit_endmembers(prepared, n_endmembers, progress))


def map_abundances(
    image: Any, endmembers: Any, *, mask: Any = None, progress: Progress | None = None, **options: Any
) -> xr.Dataset:
    """Map the abundances of known endmembers; the second half of `unmix.unmix`.

    Parameters
    ----------
    image, mask, progress, **options
        As in `unmix.unmix`.
    endmembers : Dataset, DataArray or array_like, shape (r, band)
        As returned by `find_endmembers`, or spectra in additive values.

    Returns
    -------
    xarray.Dataset
        A result, as from `unmix.unmix`.

    Examples
    --------
    >>> import numpy as np, unmix
    >>> E = np.array([[1.0, 0.2, 0.1], [0.1, 0.9, 0.3]])
    >>> result = unmix.map_abundances(np.full((2, 2, 3), E.mean(0)), E, quantity="radiance")
    >>> result["abundances"].values[:, 0, 0].round(3)
    array([0.5, 0.5], dtype=float32)
    """
    chosen = Options.from_keywords(options)
    return _run(image, mask, chosen, lambda prepared: given_endmembers(prepared, endmembers), None, progress)


def _run(
    image: Any,
    mask: Any,
    options: Options,
    find: Callable[[Prepared], Endmembers],
    out: Any,
    progress: Progress | None,
    on_block: OnBlock | None = None,
) -> xr.Dataset:
    """Prepare, find, map, assemble; time each stage and keep its warnings."""
    if out is not None:
        check_out(out)
    if options.noise == "poisson" and (options.most_per_pixel or options.uncertainty):
        raise OptionError("noise='poisson' goes with neither most_per_pixel= nor uncertainty=. Leave one of them out.")
    journal = Journal()
    with journal.stage("prepare"):
        prepared = prepare(open_image(image, options), mask, options, progress)
        ground = ground_grid_of(prepared.image)
    with journal.stage("endmembers"):
        found = find(prepared)
    with journal.stage("abundances"):
        mapped = prepared.for_maps(found)
        if options.most_per_pixel:
            solved = solve_best_subsets(mapped, found, progress, on_block)
        else:
            solve = solve_blocks if prepared.slide is None else partial(map_slide, judged=prepared.slide)
            with plan_slide(out):
                solved = solve(mapped.image, mapped.rule, found, options, progress, out=out, on_block=on_block)
    doubts = None
    if options.uncertainty:
        with journal.stage("uncertainty"):
            doubts = bootstrap(prepared, found, find, progress)
            warn_of_doubts(doubts, found.names)
    result = _assemble(prepared, found, solved, journal)
    result = with_models(result, solved) if options.most_per_pixel else result
    result = _with_ground_and_doubts(result, ground, doubts)
    if out is not None:
        with at_most_threads(options.threads):
            write(result, out)
    return result


def _with_ground_and_doubts(result: xr.Dataset, ground: Any, doubts: Any) -> xr.Dataset:
    """Return the result with its ground grid and its uncertainty, where there are any."""
    result = result if ground is None else with_ground_grid(result, ground)
    return result if doubts is None else with_uncertainty(result, doubts)


def _assemble(prepared: Prepared, found: Endmembers, solved: SolvedBlocks, journal: Journal) -> xr.Dataset:
    image, options = prepared.image, prepared.options
    attrs = {
        "quantity": image.attrs["quantity"],
        "constraint": options.constraint_for(image.attrs["quantity"]),
        **solved.facts,
        "stop_reason": str(found.notes.get("stop_reason", "nothing iterated")),
        **_separation(found.spectra[:, prepared.rule.good]),
        **{key: found.notes[key] for key in ("stain_flag",) if key in found.notes},
    }
    attrs |= {key: str(image.attrs[key]) for key in ("name", "acquired") if key in image.attrs}
    record = provenance(image, prepared.sample, options.as_dict(), journal, {**prepared.notes, **found.notes})
    return make_result(image, make_endmember_set(image, found), solved.maps, attrs, record)


def _separation(E: np.ndarray) -> dict[str, float]:
    """Return the condition number of the unit-norm endmembers and their smallest angle in degrees."""
    unit = E / np.maximum(np.linalg.norm(E, axis=1, keepdims=True), 1e-300)
    if len(E) < 2:
        return {"condition": 1.0, "smallest_angle": 180.0}
    pairs = np.triu_indices(len(E), 1)
    angles = spectral_angle(unit[pairs[0]], unit[pairs[1]])
    return {"condition": float(np.linalg.cond(unit)), "smallest_angle": float(np.degrees(np.nanmin(angles)))}
