"""How kernels are compiled: serial, without the interpreter lock, and cached on disk where that is possible."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

from numba import njit

from .compiled_files import VariantFiles

REASSOCIATE = {"reassoc", "contract", "arcp", "nsz"}
"""What a kernel may do to sums so that they vectorise; NaN and infinity keep their meaning."""


def kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel whose sums may be reordered so that they vectorise."""
    return _compiled(function, REASSOCIATE)


def exact_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel whose sums keep their order; for the small quadratic programmes in float64."""
    return _compiled(function, {"contract"})


def reproducible_kernel(function: Callable[..., Any]) -> Any:
    """Compile a kernel that rounds every operation as it is written: the same bits wherever it is compiled into."""
    return _compiled(function, set())


def inlined_kernel(function: Callable[..., Any]) -> Any:
    """Compile a `kernel` that becomes a part of those that call it: arrays are counted wherever they are handed on."""
    return _compiled(function, REASSOCIATE, inline="always")


def _compiled(function: Callable[..., Any], fastmath: set[str], inline: Literal["never", "always"] = "never") -> Any:
    """Compile; where no folder can hold the cache (read-only install, no home), compile in every process."""
    try:
        compiled: Any = njit(cache=True, nogil=True, fastmath=fastmath, error_model="numpy", inline=inline)(function)
    except RuntimeError:
        return njit(nogil=True, fastmath=fastmath, error_model="numpy", inline=inline)(function)
    compiled._cache._cache_file = VariantFiles(compiled)
    return compiled
