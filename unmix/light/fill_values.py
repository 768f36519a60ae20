"""Pixels that hold a "no data" value nobody declared: the same number in every band, and no light that there is."""

from __future__ import annotations

import numpy as np

from ..errors import DataError

_FEWEST_BANDS = 5
_TIMES_THE_REST = 10.0
_LIGHT = ("reflectance", "radiance", "unknown")


def refuse_fill_values(values: np.ndarray, quantity: str) -> None:
    """Raise `DataError` where sampled pixels (n, n_good) are one number, ten times further from zero than all others.

    A dark edge of zeros and small negative pixels are left alone, and so are fewer than five bands, optical densities
    and counts, where a saturated pixel may well be the same number in every band.
    """
    if quantity not in _LIGHT or values.shape[1] < _FEWEST_BANDS:
        return
    suspects = np.flatnonzero((values[:, 0] == values[:, -1]) & (values[:, 0] != 0))
    constant = suspects[(values[suspects] == values[suspects, :1]).all(axis=1)]
    if not len(constant) or len(constant) == len(values):
        return
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
