"""Which bands are used: ranges in nanometres, flagged bands, and bands that hold nothing."""

from __future__ import annotations

import numpy as np
import xarray as xr

from ..conventions.spectral_axis import spectral_axis
from ..errors import DataError, OptionError, warn

_FEW = 200


def select_bands(
    image: xr.DataArray, bands: tuple[float, float] | None = None, exclude: tuple[tuple[float, float], ...] = ()
) -> xr.DataArray:
    """Keep the bands inside `bands` and flag those inside `exclude` as not good, ends included.

    Both are in nanometres, or in the unit of the image's ``spectral_axis`` where it has that instead of wavelengths.

    Raises
    ------
    OptionError
        The image has no wavelengths, or a range keeps no good band.

    Warns
    -----
    UnmixWarning
        A range to exclude lies outside the image's, as one in micrometres would.
    """
    if bands is None and not exclude:
        return image
    axis = spectral_axis(image.coords)
    if axis is None:
        raise OptionError(
            "bands= and exclude= need wavelengths, and this image has none. Give them to as_image(wavelengths=)."
        )
    positions = axis.values
    least, most = float(np.nanmin(positions)), float(np.nanmax(positions))
    span = f"the image spans {least:g} to {most:g} {axis.unit}"
    if bands is not None:
        keep = (positions >= bands[0]) & (positions <= bands[1])
        if not keep.any():
            raise OptionError(f"bands={bands[0]:g}-{bands[1]:g} {axis.unit} keeps no band; {span}.")
        kept = np.flatnonzero(keep)
        whole = len(kept) == kept[-1] - kept[0] + 1
        image = image.isel(band=slice(int(kept[0]), int(kept[-1]) + 1) if whole else kept)
        positions = positions[kept]
    good = image.coords["good_band"].values.copy()
    for low, high in exclude:
        if high < least or low > most:
            warn(f"exclude={low:g}-{high:g} {axis.unit} leaves out no band; {span}.")
        good &= ~((positions >= low) & (positions <= high))
    if not good.any():
        raise OptionError("no good band is left after bands= and exclude=.")
    return image.assign_coords(good_band=("band", good))


def good_band_index(image: xr.DataArray, sample: np.ndarray) -> np.ndarray:
    """Return the positions of the bands used: good, finite and not all zero in a sample (n, band) of valid pixels.

    A band that is zero in every sampled pixel carries nothing; it is left out with a warning. In transmitted light zero
    is black, which is something.
    """
    good = image.coords["good_band"].values.copy()
    if image.attrs["quantity"] == "brightfield":
        return np.flatnonzero(good)
    suspects = np.flatnonzero(good & ~np.any(np.nan_to_num(sample[:_FEW]) != 0, axis=0))
    empty = np.zeros_like(good)
    empty[suspects] = ~np.any(np.nan_to_num(sample[:, suspects]) != 0, axis=0)
    if not (good & ~empty).any():
        raise DataError("every good band is zero in every sampled pixel: there is nothing to unmix.")
    if empty.any():
        warn(f"{int(empty.sum())} band(s) are zero everywhere and left out: {_listed(np.flatnonzero(empty))}.")
    return np.flatnonzero(good & ~empty)


def _listed(positions: np.ndarray) -> str:
    text = ", ".join(str(p) for p in positions[:8])
    return text + (", ..." if len(positions) > 8 else "")
