"""What the makers accept: numbers within their range, said in one line when they are not."""

from __future__ import annotations

import math
import numbers
from collections.abc import Sequence

from ..errors import OptionError


def check_whole(name: str, value: int, low: int, high: int, why: str = "") -> None:
    """Refuse anything but a whole number within a range."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or not low <= value <= high:
        raise OptionError(
            f"{name}={value!r}: give a whole number from {low} to {high}" + (f" ({why})." if why else ".")
        )


def check_between(name: str, value: float, low: float, high: float) -> None:
    """Refuse anything but a number within a range, ends included."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not low <= value <= high:
        raise OptionError(f"{name}={value!r}: give a number from {low:g} to {high:g}.")


def check_shape(shape: Sequence[int], least: int = 1) -> None:
    """Refuse anything but rows and columns of at least `least` pixels."""
    if len(shape) != 2 or any(not isinstance(n, numbers.Integral) or n < least for n in shape):
        raise OptionError(f"shape={shape!r}: give rows and columns, at least {least} of each.")


def check_known(name: str, values: Sequence[str], known: Sequence[str]) -> None:
    """Refuse names that are not known, or given twice."""
    for value in values:
        if value not in known:
            raise OptionError(f"{name}: {value!r} is not known. Use any of {', '.join(known)}.")
    if len(set(values)) != len(values):
        raise OptionError(f"{name}: the names must differ; got {', '.join(values)}.")


def check_finite(name: str, value: float) -> None:
    """Refuse a number that is not finite."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real) or not math.isfinite(value):
        raise OptionError(f"{name}={value!r} is not a finite number.")
