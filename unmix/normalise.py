"""Making slides look alike, or unlike: normalisation to a reference, augmentation, and pictures of one stain.

Every picture is made in optical density, OD = C M + rest: what changes is C M, and what the stains do not explain (the
rest: pen, pigment, noise) stays as it is. A pixel without stain keeps its bytes, and so does a picture whose stains are
asked to stay the same.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import xarray as xr

from .blocks import Block, Progress, map_blocks
from .errors import DataError, OptionError, warn
from .fits.stain_gates import LEAST_DENSITY
from .fits.stain_summary import check_stained, concentration_percentiles, stained_pixels, white_point_of
from .image import check_image
from .light.beer_lambert import to_optical_density
from .materials.stain_sets import StainSet

LARGEST_FACTOR = 4.0
NOT_FITTED = ("too little tissue", "stains too close")


def normalise_stains(
    image: xr.DataArray, result: xr.Dataset, target: StainSet, *, progress: Progress | None = None
) -> xr.DataArray:
    """Give a slide the stain colours and strengths of another.

    Concentrations are scaled so that the 99th percentile of each stain becomes the target's, and the target's vectors
    take the place of the slide's own. The white point stays the slide's own.

    Parameters
    ----------
    image : DataArray, dims (y, x, band)
        Transmitted light, the image the result was made from.
    result : Dataset
        As from `unmix.separate_stains`.
    target : StainSet
        With the result's stains and with concentrations, as from `unmix.fits.stain_summary.stain_set_of` on the
        result of a reference slide.
    progress : callable, optional
        Called as ``progress(stage, done, total)``.

    Returns
    -------
    DataArray
        The image with its type and coordinates; background and invalid pixels are byte-identical.

    Raises
    ------
    DataError
        Image and result do not belong together, or the result is not of transmitted light.
    OptionError
        The target lacks a stain or has no concentrations.

    Warns
    -----
    UnmixWarning
        The slide's stains were not found, and it is returned as it is; or a stain is nearly absent, or would be
        scaled more than four-fold, and its strength is left as it is.

    Notes
    -----
    Matrix and 99th percentile: Macenko et al., ISBI 2009; keeping the structure: Vahadane et al., IEEE Trans Med
    Imaging 35:1962-1971, 2016.

    Examples
    --------
    >>> import unmix
    >>> from unmix.fits.stain_summary import stain_set_of
    >>> from unmix.normalise import normalise_stains
    >>> from unmix.synthetic import stained_slide
    >>> image = stained_slide(1, shape=(128, 128)).image
    >>> result = unmix.separate_stains(image)
    >>> same = normalise_stains(image, result, stain_set_of(result, "itself"))
    >>> bool((same == image).all())
    True
    """
    _check_pair(image, result)
    stains = [str(name) for name in result["endmember"].values]
    missing = [stain for stain in stains if stain not in target.stains]
    if missing:
        raise OptionError(f"the target has no {', '.join(missing)}; it has {', '.join(target.stains)}.")
    if target.concentrations is None:
        raise OptionError("the target has no concentrations to scale to; make it with stain_set_of(result, name).")
    flag = result.attrs.get("stain_flag", "none")
    strongest = concentration_percentiles(result)
    if flag in NOT_FITTED or strongest is None:
        warn(f"the stains of this slide were not found ({flag}): it is returned as it is.")
        return image.copy()
    order = [target.stains.index(stain) for stain in stains]
    factor = _strength_factors(stains, strongest, np.array(target.concentrations)[order])
    delta = factor[:, None] * target.matrix[order] - result["endmembers"].values
    return _changed(image, result, delta, progress=progress)


def augment_stains(
    image: xr.DataArray,
    result: xr.Dataset,
    seed: int,
    *,
    strength: float = 0.2,
    offset: float = 0.02,
    degrees: float = 3.0,
    progress: Progress | None = None,
) -> xr.DataArray:
    """Vary the stains of a slide at random, for training a model that shall not mind the laboratory.

    Parameters
    ----------
    image, result, progress
        As in `normalise_stains`.
    seed : int
        Chooses the variation; the same seed gives the same picture.
    strength : float
        Each stain's concentrations are multiplied by a number from 1 - strength to 1 + strength, 0 to 0.9.
    offset : float
        A number from -offset to offset (natural-log density) is added to each stain's concentration in stained pixels.
    degrees : float
        Each vector is turned by up to this angle in a random direction, 0 to 20; it stays non-negative.

    Returns
    -------
    DataArray
        The image with its type and coordinates; background and invalid pixels are byte-identical. The attribute
        ``augmentation`` holds what was drawn, as JSON.

    Raises
    ------
    DataError, OptionError
        As from `normalise_stains`; a number is out of its range.

    Notes
    -----
    After Tellez et al., IEEE Trans Med Imaging 37:2126-2136, 2018, with the slide's own stain matrix.

    Examples
    --------
    >>> import unmix
    >>> from unmix.normalise import augment_stains
    >>> from unmix.synthetic import stained_slide
    >>> image = stained_slide(1, shape=(128, 128)).image
    >>> result = unmix.separate_stains(image)
    >>> bool((augment_stains(image, result, 7) == augment_stains(image, result, 7)).all())
    True
    """
    _check_pair(image, result)
    for name, value, limit in (("strength", strength, 0.9), ("offset", offset, 1.0), ("degrees", degrees, 20.0)):
        if not 0 <= value <= limit:
            raise OptionError(f"{name}={value!r} is outside its range, 0 to {limit:g}.")
    rng = np.random.default_rng(seed)
    matrix = result["endmembers"].values
    factor = 1 + rng.uniform(-strength, strength, len(matrix))
    shift = rng.uniform(-offset, offset, len(matrix))
    turned = np.array([_turned(vector, np.radians(rng.uniform(0, degrees)), rng) for vector in matrix])
    delta = factor[:, None] * turned - matrix
    changed = _changed(image, result, delta, shift @ turned, progress=progress)
    drawn = {"seed": int(seed), "factor": factor.tolist(), "offset": shift.tolist(), "stain_matrix": turned.tolist()}
    changed.attrs["augmentation"] = json.dumps(drawn)
    return changed


def remove_stain(
    image: xr.DataArray, result: xr.Dataset, stain: str, *, progress: Progress | None = None
) -> xr.DataArray:
    """Return the slide without one of its stains; everything else, the rest included, stays.

    Examples
    --------
    >>> import unmix
    >>> from unmix.normalise import remove_stain
    >>> from unmix.synthetic import stained_slide
    >>> image = stained_slide(1, shape=(128, 128)).image
    >>> paler = remove_stain(image, unmix.separate_stains(image), "eosin")
    >>> bool(paler.mean() > image.mean())
    True
    """
    _check_pair(image, result)
    keep = np.ones(result.sizes["endmember"])
    keep[_position(result, stain)] = 0
    return _changed(image, result, (keep[:, None] - 1) * result["endmembers"].values, progress=progress)


def stain_picture(
    result: xr.Dataset,
    stain: str,
    *,
    vector: Any = None,
    white_point: Any = None,
    dtype: type | np.dtype | str = np.uint8,
) -> np.ndarray:
    """Return what the slide would look like with one of its stains alone ("H only").

    Parameters
    ----------
    result : Dataset
        As from `unmix.separate_stains`.
    stain : str
        One of its stains.
    vector : array_like, shape (n_bands,), optional
        Optical density to draw the stain with, in the place of its own: another colour for the same amounts.
    white_point : sequence of float, optional
        Light of the bare slide; the result's own when not given. Invalid pixels get it too.
    dtype : type
        An integer type is rounded and clipped to its range.

    Returns
    -------
    ndarray, shape (y, x, n_bands)

    Raises
    ------
    OptionError
        The stain is not in the result, or `vector` or `white_point` has another number of channels.

    Examples
    --------
    >>> import unmix
    >>> from unmix.normalise import stain_picture
    >>> from unmix.synthetic import stained_slide
    >>> result = unmix.separate_stains(stained_slide(1, shape=(128, 128)).image)
    >>> stain_picture(result, "hematoxylin").shape
    (128, 128, 3)
    """
    check_stained(result)
    k = _position(result, stain)
    own = result["endmembers"].values
    density = _channels("vector", own[k] if vector is None else vector, own.shape[1])
    if vector is not None:
        density = density / max(float(np.linalg.norm(density)), 1e-12)
    found = white_point_of(result)
    if white_point is None and found is None:
        raise OptionError("this result was made from optical density and has no white point; give white_point=.")
    white = _channels("white_point", found if white_point is None else white_point, own.shape[1])
    concentration = np.nan_to_num(np.asarray(result["abundances"].data[k]), nan=0.0)
    picture = np.empty((*concentration.shape, len(white)), dtype)
    for band in range(len(white)):
        picture[..., band] = _as_recorded(
            np.exp(concentration * np.float32(-density[band])) * np.float32(white[band]), picture.dtype
        )
    return picture


def _check_pair(image: xr.DataArray, result: xr.Dataset) -> None:
    check_image(image)
    check_stained(result)
    if result.attrs["quantity"] != "brightfield" or white_point_of(result) is None:
        raise DataError("pictures are made from transmitted light; this result was made from optical density.")
    there, expected = image.shape, (result.sizes["y"], result.sizes["x"], result.sizes["band"])
    if there != expected:
        raise DataError(f"the image has shape {there} and the result is of {expected}: they do not belong together.")
    if not np.isfinite(result["endmembers"].values).all():
        raise DataError("the result does not use every channel of the image; separate the stains in all of them.")


def _strength_factors(stains: list[str], source: np.ndarray, target: np.ndarray) -> np.ndarray:
    """Return by what each stain's concentrations are multiplied, one where that would make noise of a stain."""
    factor = np.ones(len(stains))
    for k, stain in enumerate(stains):
        wanted = target[k] / max(float(source[k]), 1e-12)
        if source[k] >= LEAST_DENSITY and 1 / LARGEST_FACTOR <= wanted <= LARGEST_FACTOR:
            factor[k] = wanted
            continue
        warn(
            f"{stain} is too weak or too different to scale (99th percentile {source[k]:.2f}, target {target[k]:.2f}): "
            "its strength is left as it is."
        )
    return factor


def _changed(
    image: xr.DataArray,
    result: xr.Dataset,
    delta: np.ndarray,
    shift: np.ndarray | None = None,
    *,
    progress: Progress | None = None,
) -> xr.DataArray:
    """Return the image with C delta + shift added to the optical density of its stained pixels."""
    white = white_point_of(result)
    assert white is not None
    matrix, concentrations = result["endmembers"].values, result["abundances"].transpose("endmember", "y", "x").data
    out = np.empty(image.shape, image.dtype)
    delta32 = delta.astype(np.float32)
    shift32 = np.zeros(len(white), np.float32) if shift is None else shift.astype(np.float32)
    if not delta32.any() and not shift32.any():
        return image.copy()

    def change(values: np.ndarray, valid: np.ndarray, block: Block) -> None:
        C = np.asarray(concentrations[(slice(None), *block.window)])
        stained = stained_pixels(C, matrix) & valid
        density = to_optical_density(values[stained], white)
        density += C[:, stained].T @ delta32 + shift32
        np.exp(np.negative(density, out=density), out=density)
        density *= white.astype(np.float32)
        piece = values.copy()
        piece[stained] = _as_recorded(density, image.dtype)
        out[block.window] = piece

    map_blocks(change, image, stage="picture", progress=progress)
    changed = image.copy(data=out)
    changed.attrs = {key: value for key, value in image.attrs.items() if key != "source"}
    return changed


def _as_recorded(light: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Return light in the type of a camera: rounded and clipped where it is an integer."""
    if dtype.kind not in "ui":
        return light.astype(dtype)
    limits = np.iinfo(dtype)
    return np.clip(np.rint(light), limits.min, limits.max).astype(dtype)


def _turned(vector: np.ndarray, angle: float, rng: np.random.Generator) -> np.ndarray:
    """Return a unit vector turned by an angle in a random direction, kept non-negative."""
    across = rng.standard_normal(len(vector))
    across -= (across @ vector) * vector
    across /= max(float(np.linalg.norm(across)), 1e-12)
    turned = np.maximum(np.cos(angle) * vector + np.sin(angle) * across, 0.0) if angle else vector
    return turned / np.linalg.norm(turned) if angle else turned


def _position(result: xr.Dataset, stain: str) -> int:
    stains = [str(name) for name in result["endmember"].values]
    if stain not in stains:
        raise OptionError(f"the result has no stain {stain!r}; it has {', '.join(stains)}.")
    return stains.index(stain)


def _channels(name: str, values: Any, n_bands: int) -> np.ndarray:
    try:
        found = np.asarray(values, np.float64)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name}={values!r} must be {n_bands} numbers.") from error
    if found.shape != (n_bands,) or not np.isfinite(found).all() or (found < 0).any():
        raise OptionError(f"{name}={values!r} must be {n_bands} non-negative numbers, one a channel.")
    return found
