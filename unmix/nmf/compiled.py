"""How kernels are compiled: serial, without the interpreter lock, and cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from numba import njit

REASSOCIATE = {"reassoc", "contract", "arcp", "nsz"}
"""What a kernel may do to sums so that they vectorise; NaN and infinity keep their meaning."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel; where no folder can hold the cache (read-only install, no home), compile in every process."""
    try:
        return njit(cache=True, nogil=True, fastmath=REASSOCIATE, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, fastmath=REASSOCIATE, error_model="numpy")(function)


def exact_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel whose sums keep their order; for the small quadratic programmes in float64."""
    try:
        return njit(cache=True, nogil=True, fastmath={"contract"}, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)


def reproducible_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that rounds every operation as it is written: the same bits wherever it is compiled into."""
    try:
        return njit(cache=True, nogil=True, error_model="numpy")(function)
    except RuntimeError:
        return njit(nogil=True, error_model="numpy")(function)
