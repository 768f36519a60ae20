"""The white point of a picture that comes without one, and what of it was seen and what assumed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .beer_lambert import full_scale

DARKEST_WHITE = 200.0 / 255.0

_WHITE_PERCENTILE = 99.5
_NEAR_WHITE, _GLASS_SHARE, _GLASS_SPREAD = 0.9, 0.15, 0.03
_RAISED = 1.05


@dataclass(frozen=True)
class WhitePoint:
    """The white point assumed and the brightest light seen, both of shape (n_bands,)."""

    values: np.ndarray
    seen: np.ndarray

    @property
    def is_assumed(self) -> bool:
        """Whether a channel is raised so far above the light seen (5 %) that densities hang on it."""
        return bool((self.values > _RAISED * self.seen).any())


def estimate_white_point(sample: np.ndarray) -> WhitePoint:
    """Estimate the white point of a sample (n, n_bands) of recorded light.

    The median of the bare glass where there is enough of it to be seen as one narrow peak; else a high percentile of
    each channel, which rides on the noise of what is bright. It is never darker than 200 of 255 (of the type's or the
    sample's full range): a tile without background would otherwise lose its stain.
    """
    full = brightest_value(sample)
    high = np.percentile(sample, _WHITE_PERCENTILE, axis=0).astype(np.float64)
    glass = _bare_glass(sample, high)
    seen = high if glass is None else glass
    return WhitePoint(np.maximum(seen, DARKEST_WHITE * full), seen)


def brightest_value(sample: np.ndarray) -> float:
    """Return the brightest value a sample's type or camera has; of floats 1, or the largest that is there."""
    if sample.dtype.kind in "ui":
        return full_scale(sample)
    return max(1.0, float(np.nanmax(sample))) if sample.size else 1.0


def _bare_glass(sample: np.ndarray, high: np.ndarray) -> np.ndarray | None:
    """Return the median of what is nearly as bright as `high`, None where it is little or no narrow peak."""
    glass = sample[(sample >= _NEAR_WHITE * high).all(axis=-1)]
    if len(glass) < _GLASS_SHARE * len(sample):
        return None
    low, middle, upper = np.percentile(glass, (25, 50, 75), axis=0)
    return middle if np.all(upper - low <= _GLASS_SPREAD * high) else None
