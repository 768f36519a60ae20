"""Unmixing a lambda stack with references: spectra from single-dye stacks, and the stack's own dark level removed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from .errors import OptionError
from .fits.lambda_references import reference_spectrum
from .fits.lambda_stack import dark_level
from .fits.lambda_windows import load_windows
from .light.additive import additive_rule
from .light.pixels import require_valid
from .options import Options
from .prepare import open_image
from .result import Endmembers, make_endmember_set
from .sampling import sample_pixels

REFERENCE_PIXELS = 1_000_000
WAVELENGTH_TOLERANCE = 0.5


def dye_references(stacks: Mapping[str, Any], **options: Any) -> xr.Dataset:
    """Measure the emission spectra of dyes, each on a stack that holds it alone.

    Parameters
    ----------
    stacks : mapping of str to DataArray, array_like of shape (y, x, band), or path
        Dye name and single-dye stack, all recorded with the same bands as the mixture.
    **options
        As in `unmix.unmix`; ``bands=`` and ``exclude=`` for example.

    Returns
    -------
    xarray.Dataset
        ``endmembers`` (endmember, band), rows sum to one: give it to ``unmix.unmix(mixture, endmembers=)``.

    Raises
    ------
    OptionError
        There is no stack, or the stacks do not have the same bands.
    DataError, ReadError
        A stack cannot be read or holds no dye.

    Warns
    -----
    UnmixWarning
        The brightest pixels of a stack are saturated.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.dye_references import dye_references
    >>> amount = np.linspace(0, 100, 400).reshape(20, 20, 1)
    >>> stacks = {"blue": amount * [0.7, 0.2, 0.1], "red": amount * [0.0, 0.3, 0.7]}
    >>> dye_references(stacks)["endmembers"].values.round(2).tolist()
    [[0.7, 0.2, 0.1], [0.0, 0.3, 0.7]]
    """
    if not stacks:
        raise OptionError("give at least one single-dye stack by the name of its dye.")
    given = Options.from_keywords({"quantity": "counts", **options})
    spectra = []
    first: xr.DataArray | None = None
    for name, source in stacks.items():
        image = open_image(source, given)
        if first is None:
            first = image
        _check_same_bands(name, image, first)
        values, _ = sample_pixels(image, REFERENCE_PIXELS, threads=given.threads)
        require_valid(len(values), image)
        good = np.flatnonzero(first.coords["good_band"].values)
        spectrum = np.full(image.sizes["band"], np.nan)
        spectrum[good] = reference_spectrum(values[:, good], f"the stack of {name}")
        spectra.append(spectrum)
    assert first is not None
    notes = {"fit": "none: measured on single-dye stacks, brightest 3 % minus dimmest 10 %"}
    return make_endmember_set(first, Endmembers(np.array(spectra), tuple(str(name) for name in stacks), notes=notes))


def subtract_dark_level(image: Any, **options: Any) -> xr.DataArray:
    """Return a stack without the dark level of each band, as the blind fit finds it.

    Parameters
    ----------
    image : DataArray, array_like of shape (y, x, band), or path
        Counts.
    **options
        As in `unmix.unmix`.

    Returns
    -------
    DataArray of float32
        The stack minus the 1st percentile of its 7 x 7 means, never below zero; lazy where the image is.

    Examples
    --------
    >>> import numpy as np
    >>> from unmix.dye_references import subtract_dark_level
    >>> stack = np.full((30, 30, 4), 100.0)
    >>> stack[10:20, 10:20] += [5, 20, 10, 0]
    >>> subtract_dark_level(stack).values[15, 15].round(3).tolist()
    [5.0, 20.0, 10.0, 0.0]
    """
    given = Options.from_keywords({"quantity": "counts", **options})
    opened = open_image(image, given)
    sample, _ = sample_pixels(opened, threads=given.threads)
    require_valid(len(sample), opened)
    rule, _ = additive_rule(opened, sample, given)
    values, valid, _ = load_windows(opened, rule, threads=given.threads)
    dark = np.zeros(opened.sizes["band"], np.float32)
    dark[rule.good] = dark_level(values, valid)
    cleared = opened.astype(np.float32) - xr.DataArray(dark, dims="band")
    cleared = cleared.clip(min=0.0).transpose(*opened.dims)
    cleared.attrs = dict(opened.attrs)
    return cleared.assign_coords(valid=opened.coords["valid"])


def _check_same_bands(name: str, image: xr.DataArray, first: xr.DataArray) -> None:
    if image.sizes["band"] != first.sizes["band"]:
        raise OptionError(
            f"the stack of {name} has {image.sizes['band']} bands, the first has {first.sizes['band']}. "
            "Record all with the same bands, or choose common ones with bands=."
        )
    if "wavelength" in image.coords and "wavelength" in first.coords:
        apart = np.abs(image.coords["wavelength"].values - first.coords["wavelength"].values)
        if np.nanmax(apart, initial=0.0) > WAVELENGTH_TOLERANCE:
            raise OptionError(
                f"the bands of the stack of {name} are up to {np.nanmax(apart):.1f} nm from those of the first. "
                "Record all with the same bands."
            )
