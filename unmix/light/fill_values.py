"""Pixels that hold a "no data" value nobody declared: the same number in every band, and no light that there is."""

from __future__ import annotations

import numpy as np

from ..errors import DataError

_FEWEST_BANDS = 5
_TIMES_THE_REST = 10.0
_LIGHT = ("reflectance", "radiance", "unknown")


def refuse_fill_values(sample: np.ndarray, good: np.ndarray, quantity: str) -> None:
    """Raise `DataError` where pixels (n, n_bands) are one number in all good bands, ten times as far out as all others.

    A dark edge of zeros and small negative pixels are left alone, and so are fewer than five bands, optical densities
    and counts, where a saturated pixel may well be the same number in every band.
    """
    if quantity not in _LIGHT or len(good) < _FEWEST_BANDS:
        return
    first = sample[:, good[0]]
    suspects = np.flatnonzero((first == sample[:, good[-1]]) & (first != 0))
    constant = suspects[(sample[suspects][:, good] == first[suspects, None]).all(axis=1)]
    if not len(constant) or len(constant) == len(sample):
        return
    values = sample[:, good]
    numbers = values[constant, 0].astype(np.float64)  # the smallest integer has no absolute value of its own type
    fill = numbers[np.abs(numbers).argmax()]
    filled = constant[numbers == fill]
    rest = np.delete(values, filled, axis=0)
    if abs(fill) < _TIMES_THE_REST * max(float(rest.max()), -float(rest.min())):
        return
    share = 100 * len(filled) / len(values)
    raise DataError(
        f"{share:.2g} % of the pixels are {fill:g} in every band, which is no light but 'no data'. Leave them out: "
        f"mask=, as_image(valid=), or a DataArray's attribute _FillValue={fill:g}."
    )
