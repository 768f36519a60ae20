"""The white point of a picture that comes without one, and what of it was seen and what assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .beer_lambert import full_scale
from .channels import in_all_channels, percentiles, reached_in_all_channels

DARKEST_WHITE = 200.0 / 255.0

_WHITE_PERCENTILE = 99.5
_NEAR_WHITE, _GLASS_SHARE, _GLASS_SPREAD = 0.9, 0.15, 0.03
_RAISED = 1.05
_BRIGHTER_THAN_GLASS, _PADDING_IS_ALONE = 0.985, 0.05
_OFF_GLASS, _IQR_OF_SIGMA, _ROUNDING = 3.0, 1.349, 0.002


@dataclass(frozen=True)
class WhitePoint:
    """The white point assumed, the brightest light seen, both of shape (n_bands,), and pixels left out as padding."""

    values: np.ndarray
    seen: np.ndarray
    n_padding: int = 0

    @property
    def is_assumed(self) -> bool:
        """Whether a channel is raised so far above the light seen (5 %) that densities hang on it."""
        return bool((self.values > _RAISED * self.seen).any())


def estimate_white_point(sample: np.ndarray) -> WhitePoint:
    """Estimate the white point of a sample (n, n_bands) of recorded light.

    The median of the bare glass where there is enough of it to be seen as one narrow peak; else a high percentile of
    each channel, which rides on the noise of what is bright. It is never darker than 200 of 255 (of the type's or the
    sample's full range): a tile without background would otherwise lose its stain. Pixels at the full range in every
    channel are padding, not glass, where bare glass is seen below them and next to nothing in between.
    """
    full = brightest_value(sample)
    glass = _glass_below_padding(sample, full)
    if glass is not None:
        return WhitePoint(glass, glass, int(in_all_channels(sample == full).sum()))
    high = _high(sample)
    glass = _bare_glass(sample, high)
    seen = high if glass is None else glass
    return WhitePoint(np.maximum(seen, DARKEST_WHITE * full), seen)


def glass_noise(sample: np.ndarray, white: np.ndarray) -> np.ndarray | None:
    """Return the camera's noise as the standard deviation of bare glass, relative to the white point (n_bands,).

    None where no bare glass is seen in the sample (n, n_bands) of recorded light. Dust and the edges of tissue, more
    than three deviations off, do not count.
    """
    saturated = in_all_channels(sample == brightest_value(sample))
    light = sample.compress(~saturated, axis=0) if saturated.any() else sample
    middle = _bare_glass(light, _high(light)) if len(light) else None
    if middle is None:
        return None
    seen = light.compress(reached_in_all_channels(light, _NEAR_WHITE * middle), axis=0)
    low, upper = percentiles(seen, (25, 75))
    farthest = _OFF_GLASS * ((upper - low) / _IQR_OF_SIGMA + _ROUNDING * middle)
    deviations = [_deviation(*one) for one in zip(seen.T, middle, farthest, strict=True)]
    return np.array(deviations) / np.asarray(white)


def _deviation(channel: np.ndarray, middle: float, farthest: float) -> float:
    """Return the root mean square of how far light (n,) is from the middle, without what is farther than a limit."""
    off = channel.astype(np.float64) - middle
    near = off.compress(np.abs(off) <= farthest)
    return float(np.sqrt(np.cumsum(near * near)[-1] / len(near)))  # added up in order, like the rows of an array


def brightest_value(sample: np.ndarray) -> float:
    """Return the brightest value a sample's type or camera has; of floats 1, or the largest that is there."""
    if sample.dtype.kind in "ui":
        return full_scale(sample)
    return max(1.0, float(np.nanmax(sample))) if sample.size else 1.0


def _glass_below_padding(sample: np.ndarray, full: float) -> np.ndarray | None:
    """Return the median of the glass where pixels of padding stand apart from it; None where there is no padding.

    Glass so bright that the camera clips it has a flank: pixels just below the full range. Padding has none.
    """
    padding = in_all_channels(sample == full)
    if not padding.any() or padding.all():
        return None
    rest = sample.compress(~padding, axis=0)
    flank = in_all_channels(rest >= _BRIGHTER_THAN_GLASS * full)
    if flank.sum() > _PADDING_IS_ALONE * padding.sum():
        return None
    glass = _bare_glass(rest, _high(rest))
    return None if glass is None or (glass < DARKEST_WHITE * full).any() else glass


def _high(sample: np.ndarray) -> np.ndarray:
    high: np.ndarray = percentiles(sample, (_WHITE_PERCENTILE,))[0].astype(np.float64)
    return high


def _bare_glass(sample: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return the median of what is nearly as bright as `high`, None where it is little or no narrow peak."""
    glass = sample.compress(reached_in_all_channels(sample, _NEAR_WHITE * high), axis=0)
    if len(glass) < _GLASS_SHARE * len(sample):
        return None
    low, middle, upper = percentiles(glass, (25, 50, 75))
    return middle if np.all(upper - low <= _GLASS_SPREAD * high) else None
