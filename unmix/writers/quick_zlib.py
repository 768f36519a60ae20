"""Zarr chunks deflated by ISA-L under the name of zlib, whose format it is."""

from __future__ import annotations

from numcodecs.compat import ensure_contiguous_ndarray
from numcodecs.zlib import Zlib
from numpy.typing import ArrayLike

from .deflated import deflated


class QuickZlib(Zlib):
    """A codec that says it is ``zlib``, as what it makes is; only those who write need it."""

    def encode(self, buf: ArrayLike) -> bytes:
        """Return a chunk as a zlib stream."""
        return deflated(ensure_contiguous_ndarray(buf).view("u1"))
