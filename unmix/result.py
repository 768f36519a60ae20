"""The second contract: what a result is, and what a fit hands over to make one.

A result is an `xarray.Dataset` with ``abundances`` (endmember, y, x; float32, NaN where invalid), ``endmembers``
(endmember, band), ``residual`` (y, x), ``brightness`` (y, x; with the ``shade`` constraint), ``anchor_row``,
``anchor_col`` and ``anchor_count`` (endmember; -1 where no pixel stands behind an endmember), ``objective``
(iteration; where something iterated). Where uncertainty was asked for: ``endmembers_low``, ``endmembers_high`` and
``endmembers_std`` (endmember, band), ``abundances_std`` (endmember, y, x), ``moved_share``, ``leverage_row``,
``leverage_col`` and ``leverage_angle`` (endmember); see `unmix.uncertainty`. Attributes are a few flat scalars and one
JSON string, ``provenance``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import xarray as xr

from .conventions.named_axes import BAND_COORDS, PLACE_COORDS
from .errors import DataError
from .quantity import UNITS


@dataclass(frozen=True)
class Endmembers:
    """What a fit found: spectra with names, the pixels behind them, and what the fit wants to say.

    Parameters
    ----------
    spectra : ndarray, shape (r, n_bands)
        Additive values over every band of the image, NaN in bands that are not good.
    names : tuple of str
        One unique name an endmember.
    anchor_row, anchor_col, anchor_count : ndarray of int64, shape (r,), optional
        Nearest pixel and number of pixels behind each endmember; -1, -1 and 0 where there is none.
    objective : ndarray, shape (n_iterations,), optional
        Value of the objective after each iteration.
    notes : mapping
        Facts about the fit that go into the provenance: white point, gate counts, flags, stop reason.
    """

    spectra: np.ndarray
    names: tuple[str, ...]
    anchor_row: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    anchor_col: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    anchor_count: np.ndarray = field(default_factory=lambda: np.empty(0, np.int64))
    objective: np.ndarray | None = None
    notes: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        r = len(self.names)
        if self.spectra.ndim != 2 or self.spectra.shape[0] != r:
            raise DataError(f"{r} endmember names for spectra of shape {self.spectra.shape}.")
        if len(set(self.names)) != r:
            raise DataError(f"endmember names must differ; got {', '.join(self.names)}.")
        for key, missing in (("anchor_row", -1), ("anchor_col", -1), ("anchor_count", 0)):
            value = np.asarray(getattr(self, key), np.int64)
            if value.size == 0:
                value = np.full(r, missing, np.int64)
            if value.shape != (r,):
                raise DataError(f"{key} has shape {value.shape} for {r} endmembers.")
            object.__setattr__(self, key, value)


def make_endmember_set(image: xr.DataArray, found: Endmembers) -> xr.Dataset:
    """Return what a fit found as a Dataset with the image's band coordinates."""
    bands = {k: image.coords[k] for k in BAND_COORDS if k in image.coords}
    variables: dict[str, Any] = {
        "endmembers": (
            ("endmember", "band"),
            np.asarray(found.spectra, np.float64),
            _attrs("endmember spectra", image),
        ),
        "anchor_row": ("endmember", found.anchor_row, {"long_name": "row of the nearest pixel, -1 none"}),
        "anchor_col": ("endmember", found.anchor_col, {"long_name": "column of the nearest pixel, -1 none"}),
        "anchor_count": ("endmember", found.anchor_count, {"long_name": "number of pixels behind the endmember"}),
    }
    if found.objective is not None:
        variables["objective"] = ("iteration", np.asarray(found.objective, np.float64))
    dataset = xr.Dataset(variables, coords={"endmember": np.array(found.names, dtype=np.str_), **bands})
    dataset.attrs = {"quantity": image.attrs["quantity"], "notes": as_json(dict(found.notes))}
    return dataset


def make_result(
    image: xr.DataArray,
    endmembers: xr.Dataset,
    maps: Mapping[str, np.ndarray],
    attrs: Mapping[str, Any],
    provenance: Mapping[str, Any],
) -> xr.Dataset:
    """Assemble a result from an image, its endmember set and the maps computed from both.

    Parameters
    ----------
    image : DataArray
        The image that was unmixed; gives the coordinates.
    endmembers : Dataset
        As from `make_endmember_set`.
    maps : mapping
        ``abundances`` (endmember, y, x), ``residual`` (y, x) and, with ``shade``, ``brightness`` (y, x).
    attrs : mapping
        Flat scalars people read.
    provenance : mapping
        Everything needed to run it again; stored as one JSON string.

    Returns
    -------
    xarray.Dataset
        The result, checked.
    """
    result = endmembers.drop_attrs(deep=False)
    place = {k: image.coords[k] for k in PLACE_COORDS if k in image.coords}
    result = result.assign_coords(place)
    result["abundances"] = (("endmember", "y", "x"), maps["abundances"], {"long_name": "abundance", "units": "1"})
    result["residual"] = (("y", "x"), maps["residual"], _attrs("root mean square residual over good bands", image))
    if "brightness" in maps:
        result["brightness"] = (
            ("y", "x"),
            maps["brightness"],
            {"long_name": "sum of abundances before division", "units": "1"},
        )
    result.attrs = {**attrs, "provenance": as_json(dict(provenance))}
    return check_result(result)


def check_result(result: xr.Dataset) -> xr.Dataset:
    """Return `result` if it keeps the contract, else raise `DataError` with what is wrong."""
    if not isinstance(result, xr.Dataset):
        raise DataError(f"a result is an xarray.Dataset; got {type(result).__name__}.")
    expected: dict[str, Sequence[str]] = {
        "abundances": ("endmember", "y", "x"),
        "endmembers": ("endmember", "band"),
        "residual": ("y", "x"),
        "anchor_row": ("endmember",),
        "anchor_col": ("endmember",),
        "anchor_count": ("endmember",),
    }
    for name, dims in expected.items():
        if name not in result or result[name].dims != dims:
            found = result[name].dims if name in result else "nothing"
            raise DataError(f"a result has '{name}' with dims {dims}; found {found}.")
    spread: dict[str, Sequence[str]] = {
        "endmembers_low": ("endmember", "band"),
        "endmembers_high": ("endmember", "band"),
        "endmembers_std": ("endmember", "band"),
        "abundances_std": ("endmember", "y", "x"),
    }
    for name, dims in spread.items():
        if name in result and result[name].dims != dims:
            raise DataError(f"'{name}' of a result has dims {dims}; found {result[name].dims}.")
    if result["abundances"].dtype != np.float32:
        raise DataError(f"abundances are float32; found {result['abundances'].dtype}.")
    if "provenance" not in result.attrs:
        raise DataError("a result has the attribute 'provenance'.")
    for name in BAND_COORDS:
        if name in result.coords and result[name].dims != ("band",):
            raise DataError(f"'{name}' of a result has dims ('band',); found {result[name].dims}.")
        if name in ("wavelength", "fwhm") and name in result.coords and result[name].dtype.kind not in "fiu":
            raise DataError(f"'{name}' of a result holds numbers; found {result[name].dtype}.")
    for name in ("quantity", "constraint", "provenance"):
        if name in result.attrs and not isinstance(result.attrs[name], str):
            raise DataError(f"the attribute '{name}' of a result is text; found {type(result.attrs[name]).__name__}.")
    return result


def as_json(value: Mapping[str, Any]) -> str:
    """Return `value` as one line of JSON; numpy scalars and arrays become plain numbers and lists, NaN becomes null."""
    return json.dumps(_plain(value), ensure_ascii=False, sort_keys=True, allow_nan=False)


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray):
        return _plain(value.tolist())
    if isinstance(value, np.generic):
        return _plain(value.item())
    if isinstance(value, float) and not np.isfinite(value):
        return None
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    return str(value)


def _attrs(long_name: str, image: xr.DataArray) -> dict[str, str]:
    return {"long_name": long_name, "units": UNITS[image.attrs["quantity"]]}
