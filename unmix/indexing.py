"""What a basic index needs of an axis, for arrays that read windows of a file."""

from __future__ import annotations

from typing import Any


def span_of(index: Any, size: int) -> tuple[slice, Any]:
    """Return the contiguous span an index needs, and what is left to take of it (a slice, or 0 for one place)."""
    if not isinstance(index, slice):
        place = range(size)[int(index)]
        return slice(place, place + 1), 0
    start, stop, step = index.indices(size)
    if step == 1 and start < stop:
        return slice(start, stop), slice(None, None, 1)
    taken = range(start, stop, step)
    if len(taken) == 0:
        return slice(0, 0), slice(None)
    low, high = min(taken[0], taken[-1]), max(taken[0], taken[-1]) + 1
    return slice(low, high), slice(None, None, taken.step)
