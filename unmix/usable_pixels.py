"""Which pixels of an image count, told from their values: all good bands finite, not all of them "no data"."""

from __future__ import annotations

import weakref
from dataclasses import dataclass, replace
from typing import Any, Protocol

import numpy as np


class Mask(Protocol):
    """Which pixels count: an array, or what reads a window of one."""

    def __getitem__(self, window: Any, /) -> np.ndarray:
        """Return bool (h, w) of a window."""


@dataclass(frozen=True, eq=False)
class UsablePixels:
    """Which pixels of a lazy image count: a rule that sees the values of a window, and a mask.

    With it a window can be read and judged in one go, here or on another machine, without the graph of the whole.
    """

    good: np.ndarray
    nodata: float | None
    mask: Mask | None = None

    def of(self, values: np.ndarray, where: Any) -> np.ndarray:
        """Return which of the values (..., band), read at an index (y, x) of the image, count."""
        flat = values.reshape(-1, 1, values.shape[-1])
        usable = usable_of(flat, self.good, self.nodata).reshape(values.shape[:-1])
        return usable if self.mask is None else usable & self.mask[where]

    def within(self, window: tuple[slice, slice]) -> UsablePixels:
        """Return the rule of a window of the image."""
        return self if self.mask is None else replace(self, mask=self.mask[window])


_RULES: dict[str, UsablePixels] = {}
_WINDOWS: dict[str, Mask] = {}


def usable_pixels(valid: Any) -> UsablePixels | None:
    """Return the rule behind the ``valid`` of a lazy image, None where there is none or it was changed since."""
    return _RULES.get(getattr(valid, "name", ""))


def masked(valid: Any, mask: Any) -> Any:
    """Return where both count; a lazy image keeps its rule."""
    both = valid & mask
    rule, seen = usable_pixels(valid), mask if isinstance(mask, np.ndarray) else _WINDOWS.get(getattr(mask, "name", ""))
    if seen is None or not hasattr(both, "dask"):
        return both
    if rule is None and isinstance(valid, np.ndarray):  # whole numbers without nodata, of which none is judged by value
        rule = UsablePixels(np.ones(1, bool), None, None if valid.strides == (0, 0) and valid.all() else valid)
    if rule is not None:
        keep_rule(both, replace(rule, mask=seen if rule.mask is None else _Both(rule.mask, seen)))
    return both


def read_by_window(mask: Any, source: Mask) -> Any:
    """Return a lazy mask, of which windows can be read from a source without its graph."""
    _WINDOWS[mask.name] = source
    weakref.finalize(mask, _WINDOWS.pop, mask.name, None)
    return mask


@dataclass(frozen=True, eq=False)
class _Both:
    """Where two masks both count."""

    first: Mask
    second: Mask

    def __getitem__(self, window: Any) -> np.ndarray:
        both: np.ndarray = self.first[window] & self.second[window]
        return both


def keep_rule(valid: Any, rule: UsablePixels) -> None:
    """Remember the rule of a lazy ``valid`` as long as that lives."""
    _RULES[valid.name] = rule
    weakref.finalize(valid, _RULES.pop, valid.name, None)


def usable_of(block: np.ndarray, good: np.ndarray, nodata: float | None) -> np.ndarray:
    """Return where all good bands are finite and not all are nodata; only suspects are looked at closely."""
    flat = block.reshape(-1, block.shape[2])
    usable = np.ones(len(flat), bool)
    if block.dtype.kind == "f":
        with np.errstate(all="ignore"):
            suspects = np.flatnonzero(~np.isfinite(flat @ np.ones(block.shape[2], block.dtype)))
        usable[suspects] = np.isfinite(flat[suspects][:, good]).all(axis=1)
    if nodata is not None:
        suspects = np.flatnonzero(flat[:, np.argmax(good)] == nodata)
        usable[suspects] &= ~(flat[suspects][:, good] == nodata).all(axis=1)
    return usable.reshape(block.shape[:2])
