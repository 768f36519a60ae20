"""What the caller of `unmix.read` asked for, checked once."""

from __future__ import annotations

import math
import numbers
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import OptionError
from ..quantity import check_quantity

Region = tuple[int, int, int, int]


@dataclass(frozen=True)
class Request:
    """Every argument of `unmix.read` but the source."""

    level: int = 0
    region: Region | None = None
    series: int | str | Mapping[str, int] | None = None
    key: str | None = None
    quantity: str | None = None
    scale: float | None = None
    bands: tuple[float, float] | None = None
    exclude: tuple[tuple[float, float], ...] = ()
    water_bands: str = "auto"

    def __post_init__(self) -> None:
        check_quantity(self.quantity)
        object.__setattr__(self, "level", _whole("level", self.level))
        if self.region is not None:
            object.__setattr__(self, "region", _region(self.region))
        if self.scale is not None:
            object.__setattr__(self, "scale", _positive("scale", self.scale))
        if self.bands is not None:
            object.__setattr__(self, "bands", _range("bands", self.bands))
        object.__setattr__(self, "exclude", _ranges("exclude", self.exclude))
        if self.water_bands not in ("auto", "keep"):
            raise OptionError(f"water_bands={self.water_bands!r} is not known. Use one of auto, keep.")

    def given(self) -> list[str]:
        """Return the names of the choices only some formats offer, where the caller made one."""
        chosen = {"level": self.level != 0, "series": self.series is not None, "key": self.key is not None}
        return [name for name, made in chosen.items() if made]


def level_window(region: Region | None, full: tuple[int, int], level: tuple[int, int]) -> Region:
    """Return a region in level-0 pixels as a window (y0, x0, y1, x1) of a level with its own height and width."""
    if region is None:
        return 0, 0, level[0], level[1]
    y0, x0, y1, x1 = region
    if y1 > full[0] or x1 > full[1]:
        raise OptionError(f"region={region} reaches outside the image, which has {full[0]} rows and {full[1]} columns.")
    if tuple(full) == tuple(level):
        return region
    down = (full[0] / level[0], full[1] / level[1])
    top, left = min(int(y0 / down[0]), level[0] - 1), min(int(x0 / down[1]), level[1] - 1)
    bottom = min(max(math.ceil(y1 / down[0]), top + 1), level[0])
    right = min(max(math.ceil(x1 / down[1]), left + 1), level[1])
    return top, left, bottom, right


def _whole(name: str, value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < 0:
        raise OptionError(f"{name}={value!r} is not a whole number from 0 upwards.")
    return int(value)


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value) or value <= 0:
        raise OptionError(f"{name}={value!r}: values are divided by it, so it must be a positive number.")
    return float(value)


def _region(region: Any) -> Region:
    try:
        y0, x0, y1, x1 = (_whole("region", value) for value in region)
    except (TypeError, ValueError) as error:
        raise OptionError(f"region={region!r} is not (y0, x0, y1, x1), four whole numbers from 0 upwards.") from error
    if y1 <= y0 or x1 <= x0:
        raise OptionError(f"region={region!r} is empty: it is (y0, x0, y1, x1), half open.")
    return y0, x0, y1, x1


def _range(name: str, value: Any) -> tuple[float, float]:
    try:
        low, high = (float(end) for end in value)
    except (TypeError, ValueError) as error:
        raise OptionError(f"{name}={value!r} is not (lowest, highest) in nanometres.") from error
    if not (math.isfinite(low) and math.isfinite(high) and low <= high):
        raise OptionError(f"{name}={value!r} is not (lowest, highest) in nanometres.")
    return low, high


def _ranges(name: str, value: Any) -> tuple[tuple[float, float], ...]:
    if value is None:
        return ()
    try:
        pairs = tuple(value)
    except TypeError as error:
        raise OptionError(f"{name}={value!r} is not a list of (lowest, highest) in nanometres.") from error
    return tuple(_range(name, pair) for pair in pairs)
