"""Pieces of a file, such as tiles and chunks: encoded side by side, and known again as they are stored."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator
from typing import Any, TypeVar

from ..nmf.threads import side_by_side, thread_count

Piece = TypeVar("Piece")


def encoded_in_turn(
    encode: Callable[[Piece], bytes], groups: Iterable[list[Piece]], checksums: list[int]
) -> Iterator[bytes]:
    """Yield every piece of every group encoded, those of a group side by side, and note the checksum of each."""
    for group in groups:
        for encoded in side_by_side(encode, group, thread_count(None)):
            checksums.append(zlib.crc32(encoded))
            yield encoded


def stored_checksums(handle: Any, page: Any) -> list[int]:
    """Return the checksum of every deflated tile or strip of a TIFF page, as it is stored."""
    found = []
    for offset, size in zip(page.dataoffsets, page.databytecounts, strict=True):
        handle.seek(offset)
        found.append(zlib.crc32(handle.read(size)))
    return found
