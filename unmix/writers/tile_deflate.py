"""8-bit tiles as zlib streams of the differences between neighbours in a row, which is predictor 2 of TIFF.

Maps of stained tissue are noise on a slow ground: the differences have few values, and hardly any run of them comes
twice. So they are coded by how often each comes (Huffman), and no repeats are looked for: a quarter of the time of the
fastest level of libdeflate, and a smaller file. Tiles that do repeat, such as the edge of the glass, go to libdeflate.
"""

from __future__ import annotations

import zlib
from typing import Any

import numpy as np

_END = 256
_LONGEST_CODE = 15
_HEADER_WORDS = 64
_ROWS_COUNTED = 4
_REPEATS_BELOW = 2.0
_DEFLATE_LEVEL = 1


def deflated(differences: np.ndarray) -> bytes:
    """Return the zlib stream of a tile of differences (h, w), uint8, w even; the code is that of every fourth row."""
    from .deflate_kernels import code_lengths, count_values, put_block

    values = differences.reshape(-1)
    tables = np.zeros((2, _END + 1), np.int64)
    count_values(differences, _ROWS_COUNTED, tables)
    counts = tables.sum(axis=0) + 1  # any value may be in the other rows
    lengths = code_lengths(counts, _LONGEST_CODE)
    if counts @ lengths < _REPEATS_BELOW * counts.sum():
        return _by_libdeflate(differences)
    words = np.empty(len(values) * _LONGEST_CODE // 32 + _HEADER_WORDS, np.uint32)
    size = -(-int(put_block(words, values, lengths)) // 8)
    content = words.astype("<u4", copy=False).view(np.uint8)[:size]
    return b"\x78\x01" + content.tobytes() + zlib.adler32(values).to_bytes(4, "big")


def _by_libdeflate(differences: np.ndarray) -> bytes:
    import imagecodecs

    content: Any = differences
    return bytes(imagecodecs.deflate_encode(content, level=_DEFLATE_LEVEL))
