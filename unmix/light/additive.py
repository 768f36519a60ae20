"""How a block of recorded values becomes the values that add up, band by good band."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from ..errors import DataError, OptionError, warn
from .bands import good_band_index
from .beer_lambert import count_clipped, to_optical_density
from .channels import in_any_channel
from .white_point import WhitePoint, estimate_white_point

_FEW_CHANNELS = 6


@dataclass(frozen=True)
class Additive:
    """The rule that turns recorded values into additive ones; small, so that every block task can carry it.

    Parameters
    ----------
    quantity : str
        The physics, as in `unmix.image.QUANTITIES`.
    good : ndarray of int, shape (n_good,)
        Positions of the bands used.
    n_bands : int
        Bands of the image.
    white_point : ndarray, shape (n_good,), optional
        Brightfield: light without stain.
    background : ndarray, shape (n_good,), optional
        Counts: subtracted from every value of a band.
    factor : float
        Optical density: ln 10 where values are log10, else 1.
    """

    quantity: str
    good: np.ndarray
    n_bands: int
    white_point: np.ndarray | None = None
    background: np.ndarray | None = None
    factor: float = 1.0

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Turn recorded values (..., n_bands) into additive ones (n, n_good); a view where nothing has to change."""
        values = values.reshape(-1, values.shape[-1])
        if len(self.good) != self.n_bands:
            values = np.take(values, self.good, axis=1)  # rows stay rows: an index would return columns
        if self.quantity == "brightfield":
            assert self.white_point is not None
            return to_optical_density(values, self.white_point)
        if values.dtype not in (np.float32, np.float64):
            values = values.astype(np.float64 if values.dtype.newbyteorder("=") == np.float64 else np.float32)
        if self.background is not None:
            values = values - self.background.astype(values.dtype)
        if self.factor != 1.0:
            values = values * values.dtype.type(self.factor)
        return values

    def leaves(self, values: np.ndarray) -> bool:
        """Return whether recorded values (..., n_bands) are additive as they are."""
        as_they_are = self.quantity != "brightfield" and self.background is None and self.factor == 1.0
        return as_they_are and len(self.good) == self.n_bands and values.dtype in (np.float32, np.float64)

    def widen(self, spectra: np.ndarray) -> np.ndarray:
        """Put spectra over good bands (r, n_good) back on all bands (r, n_bands), NaN elsewhere."""
        full = np.full((len(spectra), self.n_bands), np.nan)
        full[:, self.good] = spectra
        return full


def additive_rule(
    image: xr.DataArray, sample: np.ndarray, options: Any, white: WhitePoint | None = None
) -> tuple[Additive, dict[str, Any]]:
    """Decide the rule from the image's quantity and a sample (n, band) of valid pixels; also return notes about it.

    `white` is the white point of the sample where that was estimated before.
    """
    quantity = image.attrs["quantity"]
    good = good_band_index(image, sample)
    n_bands = image.sizes["band"]
    if quantity == "brightfield":
        return _brightfield_rule(image, sample, good, options.white_point, white)
    if options.white_point is not None:
        raise OptionError(f"white_point= is for brightfield images; this one is {quantity}.")
    if quantity == "optical_density":
        return Additive(quantity, good, n_bands, factor=math.log(10) if options.od_base == "10" else 1.0), {}
    background = background_by_band(options.background, good, n_bands) if quantity == "counts" else None
    return Additive(quantity, good, n_bands, background=background), {}


def background_by_band(given: tuple[float, ...] | None, good: np.ndarray, n_bands: int) -> np.ndarray | None:
    """Return what is subtracted from each good band of n_bands, given as one number for all or one a band."""
    if given is None or not any(given):
        return None
    if len(given) not in (1, n_bands):
        raise OptionError(f"background has {len(given)} values; give one, or one for each of the {n_bands} bands.")
    return np.broadcast_to(np.asarray(given, np.float64), (n_bands,))[good]


def _brightfield_rule(
    image: xr.DataArray,
    sample: np.ndarray,
    good: np.ndarray,
    given: tuple[float, ...] | None,
    estimated: WhitePoint | None,
) -> tuple[Additive, dict[str, Any]]:
    zero, full = count_clipped(sample)
    notes: dict[str, Any] = {
        "sampled_with_a_zero_channel": zero,
        "sampled_with_a_saturated_channel": full,
        "sampled_with_negative_light": _count_negative_light(sample[:, good]),
    }
    white = _known_white_point(image, sample.shape[1], given)
    if white is None:
        estimate = estimated
        if estimate is None or len(good) < sample.shape[1]:
            estimate = estimate_white_point(sample[:, good])
        _say_what_was_assumed(estimate)
        white, notes["white_point_seen"] = estimate.values, estimate.seen
        notes["sampled_white_padding"] = estimate.n_padding
    else:
        white = white[good]
    return Additive("brightfield", good, image.sizes["band"], white_point=white), {"white_point": white, **notes}


def _known_white_point(image: xr.DataArray, n_bands: int, given: tuple[float, ...] | None) -> np.ndarray | None:
    """Return the white point (n_bands,) the user gives or the image carries, None where there is none."""
    white = given if given is not None else image.attrs.get("white_point")
    if white is None:
        return None
    white = np.asarray(white, np.float64)
    if white.shape != (n_bands,):
        raise OptionError(f"white_point has {white.size} values; the image has {n_bands} channels.")
    if not np.all(np.isfinite(white) & (white > 0)):
        raise DataError("every channel of the white point must be positive.")
    return white


def _count_negative_light(sample: np.ndarray) -> int:
    """Return how many pixels (n, n_bands) have a channel below zero, which no camera records; warn where there are."""
    negative = int(in_any_channel(sample < 0).sum()) if sample.dtype.kind in "if" else 0
    if negative:
        warn(
            f"{negative} of {len(sample)} sampled pixels hold light below zero (the least is {np.nanmin(sample):.4g}) "
            "and are taken as black: an offset was subtracted, or the values are no light. Give them as recorded, "
            'or say quantity="optical_density".'
        )
    return negative


def _say_what_was_assumed(white: WhitePoint) -> None:
    """Warn where the picture is darker than bare glass is taken to be: all densities hang on it."""
    if not white.is_assumed:
        return
    seen, assumed = _by_channel(white.seen), _by_channel(white.values)
    warn(
        f"the brightest light seen is {seen}, too dark for bare glass: the white point is assumed to be {assumed}, and "
        "densities hang on it. If what is seen is glass in dim light, give it as white_point=."
    )


def _by_channel(values: np.ndarray) -> str:
    """Return a value of each channel in words; of many channels the range."""
    if len(values) > _FEW_CHANNELS:
        ends = dict.fromkeys(f"{end:.4g}" for end in (values.min(), values.max()))
        return f"{' to '.join(ends)} in {len(values)} channels"
    return f"({', '.join(f'{value:.4g}' for value in values)})"
